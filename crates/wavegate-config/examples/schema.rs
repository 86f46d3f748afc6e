//! Prints the JSON Schema of `deploy.toml`.
//!
//! `cargo run -p wavegate-config --example schema > docs/deploy.schema.json` brings the kept copy up
//! to date.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:#}", wavegate_config::schema())
}

//! `cargo xtask`: what the house checks about itself, and the files it generates.
//!
//! - `cargo xtask layers` holds the workspace against the layers of ARCHITECTURE.md.
//! - `cargo xtask generate` writes the generated files; `--check` only says which have drifted.
//!
//! Deliberately absent: building, testing and formatting, for which cargo's own commands serve.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to people")]

mod generate;
mod layers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask layers              hold the workspace against the layers of ARCHITECTURE.md
cargo xtask generate            write the generated files
cargo xtask generate --check    say which generated files have drifted";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    match words.as_slice() {
        ["layers"] => layers(&root),
        ["generate"] => generated(generate::write(&root)),
        ["generate", "--check"] => generated(generate::check(&root)),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The workspace's directory: this crate stands two levels below it.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

fn layers(root: &Path) -> ExitCode {
    match layers::check(root) {
        Ok((members, violations)) if violations.is_empty() => {
            println!("{members} crates, every arrow points down");
            ExitCode::SUCCESS
        }
        Ok((_, violations)) => {
            for violation in &violations {
                println!("{violation}\n");
            }
            println!("{} violations", violations.len());
            ExitCode::FAILURE
        }
        Err(error) => failed(&error),
    }
}

fn generated(result: Result<generate::Report, generate::GenerateError>) -> ExitCode {
    match result {
        Ok(report) => {
            println!("{report}");
            if report.has_drifted() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}\n  because: {cause}");
        source = cause.source();
    }
    eprintln!("{text}");
    ExitCode::FAILURE
}

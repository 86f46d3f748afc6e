//! `cargo xtask`: what the house checks about itself, and the files it generates.
//!
//! - `cargo xtask layers` holds the workspace against the layers of ARCHITECTURE.md.
//! - `cargo xtask generate` writes the generated files; `--check` only says which have drifted.
//! - `cargo xtask sim` builds the simulation for speed and runs it; `--mutants` proves that it finds
//!   what it should.
//!
//! Deliberately absent otherwise: building, testing and formatting, for which cargo's own commands serve.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to people")]

mod generate;
mod layers;
mod mutants;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask layers              hold the workspace against the layers of ARCHITECTURE.md
cargo xtask generate            write the generated files
cargo xtask generate --check    say which generated files have drifted
cargo xtask sim --seeds N       tell N simulated releases (`cargo xtask sim` says what else there is)
cargo xtask sim --mutants [NAME] [--jobs J]    run every broken variant until it is found";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    match words.as_slice() {
        ["layers"] => layers(&root),
        ["generate"] => generated(generate::write(&root)),
        ["generate", "--check"] => generated(generate::check(&root)),
        ["sim", "--mutants", rest @ ..] => mutants(&root, rest),
        ["sim", rest @ ..] => sim(&root, rest),
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

/// The simulation, built for speed: it is a program of its own, so that this one needs no more than
/// the house checks do.
fn sim(root: &Path, arguments: &[&str]) -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = std::process::Command::new(cargo)
        .args(["run", "--quiet", "--release", "--package", "wavegate-sim", "--"])
        .args(arguments)
        .current_dir(root)
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)),
        Err(error) => failed(&error),
    }
}

fn mutants(root: &Path, arguments: &[&str]) -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (only, jobs) = match arguments {
        [] => (None, cores),
        ["--jobs", jobs] => (None, jobs.parse().unwrap_or(cores)),
        [name] => (Some(*name), 1),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match mutants::run(root, only, jobs) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
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

//! Mutants: deliberately broken variants of the protocol, which prove that the simulation finds
//! what it should.
//!
//! All of them are compiled at once: the crates are copied, every site of the table becomes a
//! switch that is turned by an environment variable, and the simulation of that copy is run once
//! for each. The product's own code carries none of it. A text of the table that is not there, or
//! there twice, is an error: the code has moved on, and the mutant must follow.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The crates that are compiled, and what they are made of.
const CRATES: [&str; 3] =
    ["crates/wavegate-core", "crates/wavegate-engine", "crates/wavegate-local"];
/// The simulation itself.
const SIM: &str = "tests/sim";
/// What the simulation is called in the copy.
const PROGRAM: &str = "wavegate-mutants";
/// The version of the copy.
const VERSION: &str = "0.0.0-mutants";
/// The table.
const TABLE: &str = "tests/sim/mutants.toml";
/// Seeds that a mutant may survive before it counts as not found.
const SEEDS: u64 = 1_000_000;
/// And so many minutes.
const MINUTES: &str = "3";
/// Of a hundred mutants, so many must be found.
const WANTED: usize = 95;
/// The module that the copy has in addition.
const SWITCH: &str = r#"//! Which mutant is alive.
use std::sync::OnceLock;
static ALIVE: OnceLock<u32> = OnceLock::new();
/// Whether it is this one.
pub fn is(number: u32) -> bool {
    *ALIVE.get_or_init(|| std::env::var("WAVEGATE_MUTANT").ok().and_then(|n| n.parse().ok()).unwrap_or(0)) == number
}
"#;

/// Why the mutants could not be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MutantsError {
    /// A file cannot be read or written.
    #[error("could not read or write `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The table is no table of mutants.
    #[error("{TABLE}: {0}")]
    Table(String),
    /// A text is not exactly once where it should be.
    #[error("mutant `{name}`: its text stands {times} times in {file}; it must follow the code")]
    Drift {
        /// The mutant.
        name: String,
        /// The file.
        file: String,
        /// How often.
        times: usize,
    },
    /// The copy does not compile.
    #[error("the mutants do not compile")]
    Build,
}

#[derive(Debug, Clone)]
struct Mutant {
    name: String,
    what: String,
    file: String,
    old: String,
    new: Change,
}

#[derive(Debug, Clone)]
enum Change {
    Expression(String),
    Statement(String),
    First(String),
}

/// How one mutant fared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// Found after so many seeds, by this law.
    Found(u64, String),
    Survived,
}

/// Builds all mutants and runs each. The answer is whether enough were found.
pub(crate) fn run(root: &Path, only: Option<&str>, jobs: usize) -> Result<bool, MutantsError> {
    let mutants = table(root)?;
    let binary = build(root, &mutants)?;
    let chosen: Vec<(usize, &Mutant)> = mutants
        .iter()
        .enumerate()
        .filter(|(_, mutant)| only.is_none_or(|only| mutant.name == only))
        .collect();
    let (next, fates) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some((number, mutant)) = chosen.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let fate = hunt(&binary, number + 1);
                    match &fate {
                        Fate::Found(seeds, law) => {
                            println!("{:<24} {seeds:>8} seeds  {law}", mutant.name);
                        }
                        Fate::Survived => {
                            println!("{:<24} SURVIVED       {}", mutant.name, mutant.what);
                        }
                    }
                    if let Ok(mut fates) = fates.lock() {
                        fates.push(fate);
                    }
                }
            });
        }
    });
    let fates = fates.into_inner().unwrap_or_default();
    let found = fates.iter().filter(|fate| **fate != Fate::Survived).count();
    println!("{found} of {} mutants found, each within {SEEDS} seeds", fates.len());
    Ok(found * 100 >= fates.len() * WANTED)
}

/// Runs one mutant until it breaks a law that the code as it is keeps with the same seed.
fn hunt(binary: &Path, number: usize) -> Fate {
    let mut from = 1;
    while from <= SEEDS {
        let seeds = (SEEDS + 1 - from).to_string();
        let text = simulate(
            binary,
            number,
            &[
                "--seeds",
                &seeds,
                "--from",
                &from.to_string(),
                "--jobs",
                "1",
                "--until-broken",
                "--minutes",
                MINUTES,
            ],
        );
        let Some((seed, law)) = broken(&text) else { return Fate::Survived };
        let as_it_is = simulate(binary, 0, &["--seed", &seed.to_string()]);
        if !as_it_is.contains("broken: ") {
            return Fate::Found(seed, law);
        }
        from = seed + 1;
    }
    Fate::Survived
}

fn simulate(binary: &Path, number: usize, arguments: &[&str]) -> String {
    let run =
        Command::new(binary).args(arguments).env("WAVEGATE_MUTANT", number.to_string()).output();
    run.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// The seed and the law of `seed N breaks LAW`.
fn broken(text: &str) -> Option<(u64, String)> {
    let (seed, law) = text.trim().strip_prefix("seed ")?.split_once(" breaks ")?;
    Some((seed.parse().ok()?, law.to_owned()))
}

fn table(root: &Path) -> Result<Vec<Mutant>, MutantsError> {
    let text = read(&root.join(TABLE))?;
    let wrong = |what: &str| MutantsError::Table(what.to_owned());
    let document: toml_edit::DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| MutantsError::Table(error.to_string()))?;
    let listed = document
        .get("mutant")
        .and_then(toml_edit::Item::as_array_of_tables)
        .ok_or_else(|| wrong("no [[mutant]]"))?;
    let mut mutants = Vec::new();
    for table in listed {
        let text = |key: &str| table.get(key).and_then(toml_edit::Item::as_str).map(str::to_owned);
        let name = text("name").ok_or_else(|| wrong("a mutant without a name"))?;
        let missing = |key: &str| MutantsError::Table(format!("mutant `{name}` has no {key}"));
        let new = match (text("expression"), text("statement"), text("first")) {
            (Some(new), None, None) => Change::Expression(new),
            (None, Some(new), None) => Change::Statement(new),
            (None, None, Some(new)) => Change::First(new),
            _ => return Err(missing("one of `expression`, `statement`, `first`")),
        };
        mutants.push(Mutant {
            what: text("what").ok_or_else(|| missing("what"))?,
            file: text("file").ok_or_else(|| missing("file"))?,
            old: text("old").ok_or_else(|| missing("old"))?,
            name,
            new,
        });
    }
    Ok(mutants)
}

/// Copies the crates, makes every mutant a switch, and compiles.
fn build(root: &Path, mutants: &[Mutant]) -> Result<PathBuf, MutantsError> {
    let copy = root.join("target/mutants");
    for name in CRATES {
        copy_tree(&root.join(name), &copy.join(name))?;
    }
    copy_tree(&root.join(SIM), &copy.join(SIM))?;
    // Cargo would find them by itself.
    for name in CRATES.into_iter().chain([SIM]) {
        for kind in ["tests", "benches"] {
            let _ = fs::remove_dir_all(copy.join(name).join(kind));
        }
    }
    trim_manifests(root, &copy)?;
    for (number, mutant) in mutants.iter().enumerate() {
        let path = copy.join(&mutant.file);
        let text = read(&path)?;
        // A site may stand beside another mutant's: what is looked for is the text as it was.
        let original = read(&root.join(&mutant.file))?;
        let times = original.matches(&mutant.old).count();
        if times != 1 || text.matches(&mutant.old).count() != 1 {
            let (name, file) = (mutant.name.clone(), mutant.file.clone());
            return Err(MutantsError::Drift { name, file, times });
        }
        write(&path, &text.replacen(&mutant.old, &switched(number + 1, mutant), 1))?;
    }
    let lib = copy.join("crates/wavegate-core/src/lib.rs");
    let text = format!("#![allow(unused_parens)]\n{}\npub mod mutant;\n", read(&lib)?);
    write(&lib, &text)?;
    write(&copy.join("crates/wavegate-core/src/mutant.rs"), SWITCH)?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--package", "wavegate-sim", "--bin", PROGRAM])
        .arg("--manifest-path")
        .arg(copy.join("Cargo.toml"))
        // Beside the simulation of the code as it is, so that what both depend on is built once.
        .arg("--target-dir")
        .arg(&target)
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return Err(MutantsError::Build);
    }
    Ok(target.join("release").join(PROGRAM))
}

fn switched(number: usize, mutant: &Mutant) -> String {
    let (old, alive) = (&mutant.old, format!("crate::mutant::is({number})"));
    match &mutant.new {
        Change::Expression(new) => format!("(if {alive} {{ {new} }} else {{ {old} }})"),
        Change::Statement(new) => format!("if {alive} {{ {new} }} else {{ {old} }}"),
        Change::First(new) => format!("if {alive} {{ {new} }}\n{old}"),
    }
}

/// The copy is a workspace of its own, without tests and benches.
fn trim_manifests(root: &Path, copy: &Path) -> Result<(), MutantsError> {
    let members: Vec<String> =
        CRATES.into_iter().chain([SIM]).map(|name| format!("\"{name}\"")).collect();
    let lines = read(&root.join("Cargo.toml"))?;
    let lines = lines.lines().filter(|line| !line.starts_with("default-members")).map(|line| {
        match line.split(" = ").next() {
            Some("members") => format!("members = [{}]\n", members.join(", ")),
            // Another version, or cargo would take one build for the other: both share a target.
            Some("version") => format!("version = \"{VERSION}\"\n"),
            _ => format!("{line}\n"),
        }
    });
    write(&copy.join("Cargo.toml"), &lines.collect::<String>())?;
    for name in CRATES.into_iter().chain([SIM]) {
        let path = copy.join(name).join("Cargo.toml");
        let mut is_kept = true;
        let mut text = String::new();
        for line in read(&path)?.lines() {
            if line.starts_with('[') {
                is_kept = !["[dev-dependencies]", "[[test]]", "[[bench]]"].contains(&line);
            }
            if is_kept {
                text.push_str(line);
                text.push('\n');
            }
        }
        // A program of another name: the simulation of the code as it is stands beside it.
        let program = "name = \"wavegate-sim\"\npath = \"src/main.rs\"";
        let text = text.replace(program, &program.replace("wavegate-sim", PROGRAM));
        write(&path, &text)?;
    }
    let lock = root.join("Cargo.lock");
    write(&copy.join("Cargo.lock"), &read(&lock)?)
}

/// Makes a directory what another is: what has gone there goes here, too.
fn copy_tree(from: &Path, to: &Path) -> Result<(), MutantsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| MutantsError::File { path, source }
    };
    fs::create_dir_all(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_tree(&from, &to)?;
        } else {
            let text = fs::read(&from).map_err(failed(&from))?;
            // What has not changed keeps its time: cargo builds it once.
            if fs::read(&to).ok().as_ref() != Some(&text) {
                fs::write(&to, text).map_err(failed(&to))?;
            }
        }
    }
    for entry in fs::read_dir(to).map_err(failed(to))? {
        let entry = entry.map_err(failed(to))?;
        let gone = entry.path();
        if !from.join(entry.file_name()).exists() {
            let removed =
                if gone.is_dir() { fs::remove_dir_all(&gone) } else { fs::remove_file(&gone) };
            removed.map_err(failed(&gone))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, MutantsError> {
    fs::read_to_string(path).map_err(|source| MutantsError::File { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), MutantsError> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::write(path, text).map_err(|source| MutantsError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_stands_exactly_once_in_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        for mutant in table(root).unwrap() {
            let text = read(&root.join(&mutant.file)).unwrap();
            assert_eq!(text.matches(&mutant.old).count(), 1, "{}", mutant.name);
        }
    }

    #[test]
    fn what_a_run_says_is_read() {
        assert_eq!(broken("seed 12 breaks I6\n"), Some((12, "I6".to_owned())));
        assert_eq!(broken("300000 stories, no law broken\n"), None);
    }
}

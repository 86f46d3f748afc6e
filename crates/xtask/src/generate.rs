//! Generated files: written from what they describe, and held against it.
//!
//! The schemas come from the types of the manifest and of the plugins' messages; the references come from the program itself, because
//! that is what readers will hold against them.

mod errors;
mod help;
mod operations;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::Message;

/// How many levels of subcommands are followed. More is a help text that names itself.
const LEVELS_MAX: usize = 4;

/// Why files could not be generated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GenerateError {
    /// A program could not be run.
    #[error("could not run `{program}`")]
    Run {
        /// Which.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A program ended badly.
    #[error("`{program}` failed: {words}")]
    Failed {
        /// Which.
        program: String,
        /// What it said.
        words: String,
    },
    /// Cargo built no binary of that name.
    #[error("cargo built no `wavegate`")]
    NoBinary,
    /// A file could not be read or written.
    #[error("could not {verb} `{}`", path.display())]
    File {
        /// Read or write.
        verb: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// How many files there are.
    files: usize,
    /// Which were written, or have drifted.
    changed: Vec<String>,
    only_checked: bool,
}

impl Report {
    /// Whether somebody has to act.
    pub(crate) fn has_drifted(&self) -> bool {
        self.only_checked && !self.changed.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for path in &self.changed {
            let what = if self.only_checked { "has drifted" } else { "written" };
            writeln!(f, "{path}: {what}")?;
        }
        if self.has_drifted() {
            return write!(f, "  fix: run `cargo xtask generate` and commit what it writes");
        }
        write!(f, "{} generated files, all up to date", self.files)
    }
}

/// Writes every generated file that is not as it should be.
pub(crate) fn write(root: &Path) -> Result<Report, GenerateError> {
    let (report, files) = compare(root, false)?;
    for (path, text) in files.iter().filter(|(path, _)| report.changed.contains(path)) {
        let path = root.join(path);
        let failed = |source| GenerateError::File { verb: "write", path: path.clone(), source };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        std::fs::write(&path, text).map_err(failed)?;
    }
    Ok(report)
}

/// Says which generated files are not as they should be.
pub(crate) fn check(root: &Path) -> Result<Report, GenerateError> {
    Ok(compare(root, true)?.0)
}

/// Asks the program something.
type Ask<'a> = dyn Fn(&[&str]) -> Result<String, GenerateError> + 'a;

/// Files by their paths.
type Files = Vec<(String, String)>;

fn compare(root: &Path, only_checked: bool) -> Result<(Report, Files), GenerateError> {
    let wavegate = build(root)?;
    let ask = |arguments: &[&str]| run(&wavegate, arguments);
    let mut files: Files = vec![
        ("docs/deploy.schema.json".to_owned(), format!("{:#}\n", wavegate_config::schema())),
        ("docs/reference/cli.md".to_owned(), help::reference(&ask, LEVELS_MAX)?),
        ("docs/reference/errors.md".to_owned(), errors::reference(&ask)?),
        ("docs/reference/local-cloud.md".to_owned(), operations::reference(root)?),
    ];
    files.extend(wavegate_plugin_protocol::schemas().into_iter().map(|(name, schema)| {
        let protocol = wavegate_plugin_protocol::PROTOCOL;
        (format!("docs/plugin-protocol/v{protocol}/{name}.json"), format!("{schema:#}\n"))
    }));
    let mut changed = Vec::new();
    for (path, text) in &files {
        let kept = match std::fs::read_to_string(root.join(path)) {
            Ok(kept) => Some(kept),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(GenerateError::File { verb: "read", path: root.join(path), source });
            }
        };
        if kept.as_ref() != Some(text) {
            changed.push(path.clone());
        }
    }
    Ok((Report { files: files.len(), changed, only_checked }, files))
}

/// Builds the program and says where it is.
fn build(root: &Path) -> Result<PathBuf, GenerateError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = [
        "build",
        "--quiet",
        "--package",
        "wavegate-cli",
        "--message-format",
        "json-render-diagnostics",
    ];
    let program = format!("cargo {}", arguments.join(" "));
    let mut command = Command::new(cargo);
    // What `cargo run` says about this package would make build scripts run again that depend on it.
    let is_of_this_package =
        |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|of| name.starts_with(of));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_this_package) {
            command.env_remove(name);
        }
    }
    let output = command
        .current_dir(root)
        .args(arguments)
        // What the compiler has to say goes to whoever waits.
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| GenerateError::Run { program: program.clone(), source })?;
    if !output.status.success() {
        return Err(GenerateError::Failed { program, words: output.status.to_string() });
    }
    let built = Message::parse_stream(output.stdout.as_slice()).find_map(|message| match message {
        Ok(Message::CompilerArtifact(artifact)) if artifact.target.name == "wavegate" => {
            artifact.executable
        }
        _ => None,
    });
    built.map(cargo_metadata::camino::Utf8PathBuf::into_std_path_buf).ok_or(GenerateError::NoBinary)
}

/// What the program prints, wrapped as on a terminal of a hundred columns, without colours.
fn run(wavegate: &Path, arguments: &[&str]) -> Result<String, GenerateError> {
    let program = format!("wavegate {}", arguments.join(" "));
    let output = Command::new(wavegate)
        .args(arguments)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .map_err(|source| GenerateError::Run { program: program.clone(), source })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(GenerateError::Failed { program, words });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_an_error_only_when_nothing_is_written() {
        let report = |changed: Vec<&str>, only_checked| Report {
            files: 2,
            changed: changed.into_iter().map(str::to_owned).collect(),
            only_checked,
        };
        assert!(report(vec!["a"], true).has_drifted());
        assert!(!report(vec!["a"], false).has_drifted());
        assert!(!report(vec![], true).has_drifted());
        assert_eq!(
            report(vec!["a"], false).to_string(),
            "a: written\n2 generated files, all up to date"
        );
        assert_eq!(
            report(vec!["a"], true).to_string(),
            "a: has drifted\n  fix: run `cargo xtask generate` and commit what it writes"
        );
    }
}

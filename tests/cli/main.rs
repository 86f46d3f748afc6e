//! The command line as transcripts: what stands in `cases/` and in the README is what the program
//! says, and its exit codes are those that DESIGN promises.
//!
//! `TRYCMD=overwrite cargo test -p wavegate-tests --test cli` writes the cases anew; read the
//! difference before you keep it.
#![expect(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod guide;
mod readme;
mod terminals;

use std::path::{Path, PathBuf};

use wavegate_tests::binary::{LIMIT, Project, repository, wavegate};

/// The transcripts, in a place of their own: they deploy, and a deploy leaves something behind.
struct Stage {
    project: Project,
    cases: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let project = Project::of_the_repository();
        let cases = project.path("cases");
        copy(&home(), &cases);
        // The example itself, not a copy that goes its own way.
        let hello = project.path("examples/hello-world");
        std::fs::rename(hello, cases.join("hello-world.in")).unwrap();
        Self { project, cases }
    }

    /// Runs them all; with `TRYCMD=overwrite`, takes what they became home.
    fn run(&self) {
        let cases = trycmd::TestCases::new();
        cases.case(self.cases.join("*.trycmd")).timeout(LIMIT);
        for (name, value) in [
            ("NO_COLOR", "1"),
            ("COLUMNS", "100"),
            ("USER", "ana"),
            // Lines are drawn with what the locale can show.
            ("LANG", "C.UTF-8"),
            ("LC_ALL", "C.UTF-8"),
        ] {
            cases.env(name, value);
        }
        cases.env("HOME", self.project.path("home").display().to_string());
        cases.register_bin("wavegate", wavegate().to_owned());
        // To change a message between two deploys, as a person does with an editor.
        cases.register_bin("sed", PathBuf::from("/bin/sed"));
        cases.run();
        if std::env::var_os("TRYCMD").is_some_and(|mode| mode == "overwrite") {
            for case in transcripts(&self.cases) {
                std::fs::copy(&case, home().join(case.file_name().unwrap())).unwrap();
            }
        }
    }
}

fn home() -> PathBuf {
    repository().join("tests/cli/cases")
}

fn transcripts(directory: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "trycmd")).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, to).unwrap();
        }
    }
}

#[test]
fn transcripts_are_what_the_program_says() {
    let stage = Stage::new();
    assert!(transcripts(&stage.cases).len() >= 5, "the transcripts are there");
    stage.run();
}

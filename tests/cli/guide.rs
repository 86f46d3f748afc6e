//! The guide for authors of strategies: what it says is done, in its order, and what it shows is
//! what comes of it.
//!
//! A block of `console` is commands and what they print, as in the README; one of `diff` is a change
//! of the file that it names, in hunks with blank lines between.

use std::collections::VecDeque;

use wavegate_tests::author;
use wavegate_tests::binary::{Project, repository};

use crate::readme::{follow, links, shape};

/// What a reader does.
enum Deed {
    /// A command, and the lines that it prints among others.
    Run { command: String, prints: Vec<String> },
    /// In this file this text becomes that.
    Edit { file: String, old: String, new: String },
}

/// All that the guide tells a reader to do.
fn deeds(guide: &str) -> VecDeque<Deed> {
    let mut blocks = guide.split("\n```");
    let mut deeds = VecDeque::new();
    // Outside, inside, outside, inside...
    while let Some(block) = blocks.next().and_then(|_| blocks.next()) {
        match block.split_once('\n').unwrap() {
            ("console", text) => deeds.extend(commands(text)),
            ("diff", text) => deeds.extend(edits(text)),
            _ => {}
        }
    }
    deeds
}

fn commands(text: &str) -> impl Iterator<Item = Deed> + '_ {
    let told = format!("\n{text}");
    let told: Vec<String> = told.split("\n$ ").skip(1).map(str::to_owned).collect();
    told.into_iter().map(|told| {
        let (command, prints) = told.split_once('\n').unwrap_or((&told, ""));
        let prints = prints.lines().filter(|line| *line != "..." && !line.is_empty());
        Deed::Run { command: command.to_owned(), prints: prints.map(str::to_owned).collect() }
    })
}

fn edits(text: &str) -> Vec<Deed> {
    let (file, hunks) = text.split_once('\n').unwrap();
    let file = file.strip_prefix("--- ").unwrap();
    let side = |hunk: &str, other: char| -> String {
        let lines = hunk.lines().filter(|line| !line.starts_with(other));
        lines.flat_map(|line| [line.get(1..).unwrap_or_default(), "\n"]).collect()
    };
    let hunks = hunks.split("\n\n").map(|hunk| Deed::Edit {
        file: file.to_owned(),
        old: side(hunk, '+'),
        new: side(hunk, '-'),
    });
    hunks.collect()
}

/// A reader at a shell.
struct Reader {
    project: Project,
    /// Where the shell is, inside of the project.
    directory: String,
    exit_code: i32,
}

impl Reader {
    fn does(&mut self, deed: &Deed) {
        match deed {
            Deed::Edit { file, old, new } => {
                self.project.edit(&format!("{}{file}", self.directory), old, new);
            }
            Deed::Run { command, prints } => match command.split_once(' ') {
                Some(("cd", directory)) => self.directory.extend([directory, "/"]),
                Some(("echo", "$?")) => {
                    assert_eq!(prints.as_slice(), [self.exit_code.to_string()]);
                    self.exit_code = 0;
                }
                _ => self.runs(command, prints),
            },
        }
    }

    fn runs(&mut self, command: &str, prints: &[String]) {
        assert_eq!(self.exit_code, 0, "the guide does not tell of a failure before `{command}`");
        let mut shell = self.project.command("sh");
        shell.current_dir(self.project.path(&self.directory)).args(["-c", command]);
        let output = shell.output().unwrap();
        let said = [output.stderr, output.stdout].map(|said| String::from_utf8(said).unwrap());
        let said = said.concat();
        self.exit_code = output.status.code().unwrap_or_else(|| panic!("{command}\n{said}"));
        let prints: Vec<String> = prints.iter().map(|line| shape(line)).collect();
        follow(&prints, &format!("$ {command}\n{said}"));
    }
}

#[test]
fn its_reader_gets_what_it_promises() {
    let guide = repository().join("docs/guides/write-a-strategy.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let library = format!("{}ladder{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let deeds = deeds(&guide.replace("libladder.so", &library));
    assert!(deeds.len() > 20, "{}", deeds.len());
    let mut project = Project::new();
    author::equip(&mut project);
    author::make_room(&project, "ladder");
    let mut reader = Reader { project, directory: String::new(), exit_code: 0 };
    for deed in deeds {
        reader.does(&deed);
    }
    assert_eq!(reader.exit_code, 0);
}

#[test]
fn the_links_of_the_guides_lead_somewhere() {
    let guides = repository().join("docs/guides");
    for guide in ["write-a-strategy.md", "plugins.md", "security.md", "import.md"] {
        let text = std::fs::read_to_string(guides.join(guide)).unwrap();
        let links = links(&text);
        assert!(!links.is_empty(), "{guide}: {links:?}");
        for link in links {
            let path = link.split('#').next().unwrap();
            assert!(guides.join(path).exists(), "{guide}: {link}");
        }
    }
}

//! The guides of two terminals: what they tell is typed, and each prints what it shows.
//!
//! A block of `console first` is typed into the first terminal, in which a deploy may still run while
//! the second one works; `console second` into the second. What the first one shows is looked at when
//! it has ended.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::Duration;

use wavegate_tests::binary::{Project, has_tool, repository, wavegate};

use crate::readme::{follow, links, shape};

/// How often is looked until a status is the one that is shown.
const LOOKS: u32 = 1800;

/// The pause between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A command and the lines that it prints, among others.
struct Told {
    command: String,
    prints: Vec<String>,
}

impl Told {
    fn shapes(&self) -> Vec<String> {
        self.prints.iter().map(|line| shape(line)).collect()
    }
}

/// What is typed, in its order, and whether into the first terminal.
fn blocks(guide: &str) -> Vec<(bool, Vec<Told>)> {
    let parts = guide.split("\n```console ").skip(1);
    let block = |part: &str| {
        let (terminal, rest) = part.split_once('\n').unwrap();
        let (text, _) = rest.split_once("\n```").unwrap();
        (terminal == "first", told(text))
    };
    parts.map(block).collect()
}

fn told(text: &str) -> Vec<Told> {
    let text = format!("\n{text}");
    let commands = text.split("\n$ ").skip(1).map(|told| {
        let (command, prints) = told.split_once('\n').unwrap_or((told, ""));
        let prints = prints.lines().filter(|line| *line != "..." && !line.is_empty());
        // What stands behind a command is for whoever reads it.
        let command = command.split("  #").next().unwrap_or(command).trim_end();
        Told { command: command.to_owned(), prints: prints.map(str::to_owned).collect() }
    });
    commands.collect()
}

/// A deploy in the first terminal.
struct Deploy {
    child: Child,
    told: Told,
    /// What is said to be its exit code.
    code: Option<i32>,
}

struct Terminals {
    project: Project,
    directory: String,
    /// The exit code of the last command in the second terminal.
    code: i32,
    deploy: Option<Deploy>,
}

impl Terminals {
    fn shell(&self, command: &str) -> std::process::Command {
        let mut shell = self.project.command("sh");
        shell.current_dir(self.project.path(&self.directory));
        if let Some(deploy) = &self.deploy {
            shell.env("DEPLOY", deploy.child.id().to_string());
        }
        shell.args(["-c", command]);
        shell
    }

    fn first(&mut self, told: Vec<Told>) {
        self.end_deploy();
        let mut told = told.into_iter().peekable();
        while let Some(one) = told.next() {
            if let Some(directory) = one.command.strip_prefix("cd ") {
                directory.clone_into(&mut self.directory);
            } else if one.command == "wavegate deploy --yes" && self.directory_is_released() {
                let code = told.next_if(|next| next.command == "echo $?");
                let code = code.map(|code| code.prints.concat());
                self.begin_deploy(one, code.as_deref());
            } else {
                self.run(&one);
                assert_eq!(self.code, 0, "{}", one.command);
            }
        }
    }

    /// The first deploy of the app is not one to be steered.
    fn directory_is_released(&self) -> bool {
        self.project.path(&self.directory).join(".wavegate").exists()
    }

    fn begin_deploy(&mut self, told: Told, code: Option<&str>) {
        let output = File::create(self.project.path("first.txt")).unwrap();
        // In the shell's place, so that a signal for it reaches the deploy.
        let mut shell = self.shell(&format!("exec {}", told.command));
        shell.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = shell.spawn().unwrap();
        let code = code.map(|code| code.parse().unwrap());
        self.deploy = Some(Deploy { child, told, code });
        self.await_said("for #s");
    }

    /// Waits until the first terminal shows a line of this shape.
    fn await_said(&self, end: &str) {
        for _ in 0..LOOKS {
            if self.first_said().lines().any(|line| shape(line).ends_with(end)) {
                return;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        panic!("{}", self.first_said());
    }

    fn first_said(&self) -> String {
        std::fs::read_to_string(self.project.path("first.txt")).unwrap()
    }

    /// What the first terminal printed is what was told.
    fn end_deploy(&mut self) {
        let Some(mut deploy) = self.deploy.take() else { return };
        let status = deploy.child.wait().unwrap();
        follow(&deploy.told.shapes(), &self.first_said());
        if status.code().is_some() {
            assert_eq!(status.code(), Some(deploy.code.unwrap_or(0)), "{}", self.first_said());
        }
    }

    fn second(&mut self, told: Vec<Told>) {
        for one in told {
            if one.command == "echo $?" {
                assert_eq!(one.prints.concat(), self.code.to_string());
                self.code = 0;
            } else {
                assert_eq!(self.code, 0, "the guide tells of no failure before `{}`", one.command);
                self.run(&one);
            }
        }
    }

    fn run(&mut self, told: &Told) {
        for look in 1.. {
            let output = self.shell(&told.command).output().unwrap();
            let said = [output.stderr, output.stdout].map(|said| String::from_utf8(said).unwrap());
            let said = format!("$ {}\n{}", told.command, said.concat());
            self.code = output.status.code().unwrap_or(-1);
            // Looking does no harm: until it is so.
            let is_look = told.command == "wavegate status" && look < LOOKS;
            let lines: Vec<String> = said.lines().map(shape).collect();
            if is_look && !told.shapes().iter().all(|line| lines.contains(line)) {
                std::thread::sleep(BETWEEN_LOOKS);
                continue;
            }
            return follow(&told.shapes(), &said);
        }
    }
}

/// Types what a guide tells, of so many blocks at least, and looks whether it shows what it tells.
fn play(mut project: Project, guide: &str, at_least: usize) {
    let guide = std::fs::read_to_string(repository().join("docs/guides").join(guide)).unwrap();
    let bin = wavegate().parent().unwrap().display();
    project.set("PATH", &format!("{bin}:{}", std::env::var("PATH").unwrap()));
    project.set("USER", "ana");
    // Whoever it is, and wherever.
    let host = std::process::Command::new("uname").arg("-n").output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    let host = host.trim();
    let guide =
        guide.replace("ana@desk", &format!("ana@{host}").chars().take(32).collect::<String>());
    let blocks = blocks(&guide);
    assert!(blocks.len() >= at_least, "{}", blocks.len());
    let mut terminals = Terminals { project, directory: String::new(), code: 0, deploy: None };
    for (is_first, told) in blocks {
        if is_first { terminals.first(told) } else { terminals.second(told) }
    }
    terminals.end_deploy();
}

#[test]
fn two_terminals_show_what_the_guide_shows() {
    play(Project::new(), "when-things-go-wrong.md", 9);
}

/// The hooks of the example are Python that answers through boto3.
#[test]
fn an_app_of_sam_is_taken_over_as_the_guide_shows() {
    if !has_tool("the way from SAM", &["python3", "-c", "import boto3"]) {
        return;
    }
    let project = Project::new();
    project.copy(&repository().join("examples/sam-hello-world"), "examples/sam-hello-world");
    play(project, "coming-from-sam.md", 4);
}

#[test]
fn their_links_lead_somewhere() {
    let guides = repository().join("docs/guides");
    for guide in ["when-things-go-wrong.md", "coming-from-sam.md", "codedeploy.md"] {
        let text = std::fs::read_to_string(guides.join(guide)).unwrap();
        for link in links(&text) {
            assert!(guides.join(link).exists(), "{guide}: {link}");
        }
    }
}

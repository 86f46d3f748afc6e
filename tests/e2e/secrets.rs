//! Secrets stay where they are needed: in no output, no log, no record, no list of processes, no dump.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wavegate_tests::binary::{Finished, Project, wavegate};

use crate::app::{mini, set_message};

const ROLE: &str = "role = \"arn:aws:iam::000000000000:role/mini\"\n";

/// What is looked for, and where it was put.
const FUNCTION: &str = "WGCANARYfunction1";
const HEADER: &str = "WGCANARYheader2";
const SECRET_KEY: &str = "WGCANARYsecretkey3";
const TOKEN: &str = "WGCANARYsessiontoken4";
const UNUSED: &str = "WGCANARYunused5";
const HOOK: &str = "WGCANARYhookenv6";

/// A hook that writes down the command lines of all processes that there are.
const LIST: &str = r#"
[hooks.list]
use = "command"
command = ["sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done > processes 2>/dev/null; echo listed"]
env = { SECRET = "${env:IN_HOOK}" }
[hooks.server]
use = "http"
url = "http://127.13.0.9:1/judge"
timeout = "2s"
headers = { Authorization = "${env:IN_HEADER}" }
"#;

/// An app on `target = "aws"` that a local cloud serves, with secrets wherever there can be some.
fn loaded() -> Project {
    let mut project = mini(&[("shop", &[])], LIST);
    project.edit("deploy.toml", "target = \"local\"", "target = \"aws\"");
    project.edit("deploy.toml", "[defaults]\n", &format!("[defaults]\n{ROLE}"));
    project.edit(
        "deploy.toml",
        "depends_on = []\n",
        "bake = \"0s\"\nenvironment = { TOKEN = \"${env:IN_FUNCTION}\" }\nhooks = { pre_traffic = [\"list\"], \
         on_rollback = [\"server\"] }\n",
    );
    for (name, value) in [
        ("IN_FUNCTION", FUNCTION),
        ("IN_HEADER", HEADER),
        ("IN_HOOK", HOOK),
        ("NOBODYS", UNUSED),
        ("AWS_ACCESS_KEY_ID", "somebody"),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_SESSION_TOKEN", TOKEN),
        ("AWS_REGION", "us-east-1"),
    ] {
        project.set(name, value);
    }
    project
}

#[track_caller]
fn assert_silent(run: &Finished) {
    let lines = run.stdout.lines().chain(run.stderr.lines());
    let leak: Vec<&str> = lines.filter(|line| line.contains("WGCANARY")).collect();
    assert!(leak.is_empty(), "{leak:#?}");
}

#[test]
fn no_secret_reaches_an_output_a_record_or_the_list_of_processes() {
    let mut project = loaded();
    let cloud = project.start_cloud(&["--target", "local"]);
    project.set("AWS_ENDPOINT_URL", &cloud.cloud.url.clone());
    for arguments in [
        &["check", "--log", "trace"][..],
        &["plan", "--log", "trace"],
        &["plan", "--output", "json", "--log", "debug"],
        &["deploy", "--yes", "--output", "json", "--log", "trace"],
        &["status", "--log", "trace"],
        &["iam"],
    ] {
        assert_silent(&project.run(arguments).expect(0));
    }
    let processes = project.read("processes");
    assert!(processes.contains("deploy --yes"), "{processes}");
    assert!(!processes.contains("WGCANARY"), "{processes}");

    // A failure, with the answers of those who were asked.
    set_message(&project, "shop", "two");
    project.edit("deploy.toml", "echo listed", "echo $SECRET $IN_FUNCTION; false");
    let failed = project.run(&["deploy", "--yes", "--output", "json", "--log", "trace"]).expect(1);
    let told: Vec<&str> = failed.stderr.lines().filter(|l| l.contains("WGCANARY")).collect();
    assert!(told.is_empty(), "{told:#?}");
    assert_silent(&failed);

    // Refused by the cloud, and by nobody at all.
    project.edit("deploy.toml", "echo $SECRET $IN_FUNCTION; false", "true");
    project.edit("deploy.toml", "runtime = \"python3.13\"", "runtime = \"python9.9\"");
    assert_silent(&project.run(&["deploy", "--yes", "--log", "trace"]));
    let stopped = cloud.stop();
    assert_silent(&stopped);
    assert_silent(&project.run(&["deploy", "--yes", "--log", "trace"]));

    for (path, bytes) in project.kept() {
        // The cloud keeps the function's variables, as Lambda does, and nothing of anybody's keys.
        let is_cloud = path.starts_with(project.path(".wavegate/local"));
        for secret in [FUNCTION, HEADER, SECRET_KEY, TOKEN, UNUSED, HOOK] {
            if is_cloud && secret == FUNCTION {
                continue;
            }
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {}", path.display());
        }
    }
}

/// Starts a shell that allows dumps of any size and becomes that program, aborts it, and tells whether
/// the system dumped its memory.
fn dumps(project: &Project, program: &str, variable: Option<(&str, &str)>) -> bool {
    let words = format!("ulimit -c unlimited; exec {program}");
    let mut command: Command = project.command("sh");
    command.args(["-c", &words]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.envs(variable);
    let mut child = command.spawn().expect("it works");
    // The first line says that it is up.
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().expect("it works"));
    std::io::BufRead::read_line(&mut out, &mut line).expect("it works");
    kill(Pid::from_raw(i32::try_from(child.id()).expect("it works")), Signal::SIGABRT)
        .expect("it works");
    child.wait().expect("it works").core_dumped()
}

#[test]
fn a_crash_leaves_no_memory_behind() {
    let project = mini(&[("shop", &[])], "");
    let cloud = format!("{} local start", wavegate().display());
    assert!(!dumps(&project, &cloud, None));
    // Where the system dumps at all, it would have dumped this as well.
    let would =
        dumps(&project, "python3 -c 'import time; print(1, flush=True); time.sleep(99)'", None);
    let allowed = dumps(&project, &cloud, Some(("WAVEGATE_ALLOW_DUMPS", "1")));
    assert_eq!(allowed, would);
}

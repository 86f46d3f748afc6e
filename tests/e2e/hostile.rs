//! Text that others wrote, on its way to a person's terminal or a pipeline's log: whatever it is, it does
//! nothing there.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use serde_json::json;
use wavegate_tests::binary::Finished;

use crate::app::{LONG, mini, set_message, set_strategy};

/// Colours, a wiped screen, a title, a link, 8-bit controls, directions, a bell, orders to a pipeline.
const TEXT: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]8;;http://evil.example\u{1b}\\link\u{9b}31m\u{202e}txt\u{2066}\u{61c}\u{7}\u{8}\r::set-output name=a::b\n::error::no\n  ##[command]no\n##vso[task.setvariable]no\u{7f}y";

/// What must be in no output: characters that act, and lines that are orders.
#[track_caller]
fn assert_harmless(run: &Finished, text: &str) {
    let acts = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let found: Vec<char> = text.chars().filter(|c| acts(*c)).collect();
    assert!(found.is_empty(), "{found:?}\n{run}");
    for line in text.lines() {
        let is_order = line.trim_start().starts_with("::") || line.contains("##");
        assert!(!is_order, "{line}\n{run}");
    }
}

#[track_caller]
fn assert_both_harmless(run: &Finished) {
    assert_harmless(run, &run.stdout);
    assert_harmless(run, &run.stderr);
}

#[test]
fn what_hooks_functions_and_other_people_wrote_does_nothing_on_a_terminal_or_in_a_pipeline() {
    let hook =
        "[hooks.loud]\nuse = \"command\"\ncommand = [\"sh\", \"-c\", \"cat loud; exit 1\"]\n";
    let mut project = mini(&[("shop", &[])], hook);
    project.set("GITHUB_ACTIONS", "true");
    // Whoever owns the release says so with a name of their own choice.
    project.set("USER", &TEXT.replace(['\n', '\r'], " "));
    project.write("loud", TEXT);
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);

    // A description that somebody with access wrote.
    let described = cloud.cloud.update_alias("shop", "live", &json!({ "Description": TEXT }));
    let is_taken = described.status == 200;
    for arguments in [&["status"][..], &["status", "--output", "json"], &["plan"]] {
        assert_both_harmless(&project.run(arguments).expect(0));
    }
    assert!(is_taken || described.status == 400, "{described:?}");

    // The last words of a hook, and the name of who holds the lock.
    set_message(&project, "shop", "two");
    project.edit("deploy.toml", "depends_on = []\n", "hooks = { pre_traffic = [\"loud\"] }\n");
    for output in ["human", "json"] {
        let failed = project.run(&["deploy", "--yes", "--output", output, "--log", "trace"]);
        assert_eq!(failed.code, Some(1), "{failed}");
        assert!(format!("{failed}").contains("owned") || output == "human", "{failed}");
        assert_both_harmless(&failed);
    }
    project.edit("deploy.toml", "hooks = { pre_traffic = [\"loud\"] }\n", "");
    set_strategy(&project, LONG);
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    for arguments in [&["deploy", "--yes"][..], &["status"], &["status", "--output", "json"]] {
        assert_both_harmless(&project.run(arguments));
    }
    assert_both_harmless(&deploy.kill());
    assert_both_harmless(&project.run(&["recover", "--yes"]));

    // A function's log and its failure.
    let loud = format!(
        "def handler(event, context):\n    print({TEXT:?})\n    raise ValueError({TEXT:?})\n"
    )
    .replace("\\u{", "\\u{");
    let loud = python(&loud);
    project.write("functions/shop/app.py", &loud);
    set_strategy(&project, "AllAtOnce");
    let _ = project.deploy().expect(0);
    let invoked = project.run(&["local", "invoke", "shop"]).expect(1);
    assert!(invoked.stderr.contains("ValueError"), "{invoked}");
    assert_harmless(&invoked, &invoked.stderr);

    // A name on the command line, and a file's.
    assert_both_harmless(&project.run(&["plan", "--only", TEXT]).expect(2));
    assert_both_harmless(&project.run(&["explain", TEXT]).expect(2));
    assert_both_harmless(&project.run(&["status", "--config", TEXT]).expect(2));
    let name = TEXT.replace('/', "_");
    std::os::unix::fs::symlink("/etc/hostname", project.path("functions/shop").join(name)).unwrap();
    assert_both_harmless(&project.run(&["plan"]).expect(2));
}

/// Rust writes `\u{9b}` where Python writes `\u009b`.
fn python(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\u{") {
        let (digits, behind) = after.split_once('}').expect("it works");
        out.push_str(before);
        let _ = write!(out, "\\u{digits:0>4}");
        rest = behind;
    }
    out + rest
}

/// A cloud that answers every request with this status and that message.
fn rude_cloud(status: &'static str, message: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("it works");
    let url = format!("http://{}", listener.local_addr().expect("it works"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().expect("it works"));
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let _ = reader.read_exact(&mut vec![0; length]);
            let body = json!({ "message": message, "Message": message }).to_string();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-amzn-errortype: \
                 ValidationException\r\nx-amzn-requestid: ::error::id\u{9b}\r\nconnection: \
                 close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}

#[test]
fn what_a_cloud_says_does_nothing_on_a_terminal_or_in_a_pipeline() {
    for status in ["400 Bad Request", "403 Forbidden"] {
        let mut project = mini(&[("shop", &[])], "");
        project.edit("deploy.toml", "target = \"local\"", "target = \"aws\"");
        let role = "[defaults]\nrole = \"arn:aws:iam::000000000000:role/mini\"\n";
        project.edit("deploy.toml", "[defaults]\n", role);
        for (name, value) in [
            ("AWS_ENDPOINT_URL", rude_cloud(status, TEXT).as_str()),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
        ] {
            project.set(name, value);
        }
        for arguments in [
            &["plan"][..],
            &["status"],
            &["deploy", "--yes", "--output", "json"],
            &["plan", "--log", "trace"],
        ] {
            let refused = project.run(arguments);
            assert_ne!(refused.code, Some(0), "{refused}");
            assert!(refused.stderr.contains("set-output"), "{refused}");
            assert_both_harmless(&refused);
        }
    }
}

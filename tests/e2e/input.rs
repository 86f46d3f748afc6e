//! Bad input and bad surroundings: a code, an exit code, the fix, and nothing touched.

use wavegate_tests::binary::{Finished, Project};

use crate::app::mini;

/// Nothing listens here. Not on 127.0.0.1: other tests open ports there.
const NOWHERE: &str = "http://127.13.0.9:1";
const PAIR: &[(&str, &[&str])] = &[("auth", &[]), ("shop", &["auth"])];
const ROLE: &str = "role = \"arn:aws:iam::000000000000:role/mini\"\n";

/// The app on `target = "aws"`, with credentials for an endpoint at which nothing listens.
fn on_aws() -> Project {
    let mut project = mini(PAIR, "");
    project.edit("deploy.toml", "target = \"local\"", "target = \"aws\"");
    project.edit("deploy.toml", "[defaults]\n", &format!("[defaults]\n{ROLE}"));
    for (name, value) in [
        ("AWS_ENDPOINT_URL", NOWHERE),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
    ] {
        project.set(name, value);
    }
    project
}

#[track_caller]
fn assert_refused(ended: Finished, code: i32, says: &[&str]) {
    let ended = ended.expect(code);
    for text in says {
        assert!(ended.stderr.contains(text), "no `{text}`\n{ended}");
    }
    assert!(ended.events.is_empty(), "{ended}");
    assert!(!ended.stderr.contains("panicked"), "{ended}");
}

#[test]
fn an_endpoint_that_does_not_answer_is_named() {
    let project = on_aws();
    for verb in [&["deploy", "--yes"][..], &["plan"], &["status"], &["rollback", "--yes"]] {
        assert_refused(project.run(verb), 2, &["WG601", NOWHERE, "hint: "]);
    }
}

#[test]
fn missing_credentials_are_said_with_what_to_do() {
    let mut project = on_aws();
    project.set("AWS_ACCESS_KEY_ID", "");
    project.set("AWS_SECRET_ACCESS_KEY", "");
    assert_refused(project.deploy(), 2, &["WG602", "hint: "]);
}

#[test]
fn a_missing_role_is_an_error_on_aws_only() {
    let project = on_aws();
    project.edit("deploy.toml", ROLE, "");
    assert_refused(project.deploy(), 2, &["WG120", "role", "deploy.toml"]);
    let _ = project.run(&["check", "--target", "local"]).expect(0);
}

#[test]
fn a_manifest_is_refused_with_all_its_problems_and_their_places() {
    type Break = fn(&Project);
    let table: &[(&str, Break, &[&str])] = &[
        (
            "no code",
            |project| project.edit("deploy.toml", "code = \"functions/auth\"\n", ""),
            &["deploy.toml:", "auth", "code"],
        ),
        (
            "a cycle",
            |project| project.edit("deploy.toml", "depends_on = []", "depends_on = [\"shop\"]"),
            &["deploy.toml:", "auth -> shop -> auth"],
        ),
        (
            "an unknown key",
            |project| {
                project.edit("deploy.toml", "name = \"mini\"\n", "name = \"mini\"\nnmae = 1\n");
            },
            &["deploy.toml:", "nmae", "name"],
        ),
        (
            "an unknown function",
            |project| project.edit("deploy.toml", "[\"auth\"]", "[\"auht\"]"),
            &["deploy.toml:", "auht", "auth"],
        ),
        (
            "two problems",
            |project| {
                project.edit("deploy.toml", "[\"auth\"]", "[\"nobody\"]");
                project.edit("deploy.toml", "name = \"mini\"\n", "name = \"mini\"\nzzz = 1\n");
            },
            &["nobody", "zzz", "2 problems"],
        ),
        (
            "code that is not there",
            |project| std::fs::remove_dir_all(project.path("functions/auth")).unwrap(),
            &["functions/auth"],
        ),
        (
            "a bad duration",
            |project| project.edit("deploy.toml", "depends_on = []", "timeout = \"5 parsecs\""),
            &["deploy.toml:", "parsecs"],
        ),
    ];
    for (what, break_it, says) in table {
        let project = mini(PAIR, "");
        break_it(&project);
        for verb in [&["deploy", "--yes"][..], &["plan"]] {
            let ended = project.run(verb);
            assert_eq!(ended.code, Some(2), "{what}: {ended}");
            assert!(ended.stderr.contains("WG"), "{what}: {ended}");
            for text in *says {
                assert!(ended.stderr.contains(text), "{what}: no `{text}`\n{ended}");
            }
        }
        // No cloud was started, so nothing can have been touched.
        assert!(!project.path(".wavegate/local").exists(), "{what}");
    }
}

#[test]
fn a_link_out_of_the_directory_is_not_packaged() {
    let project = mini(PAIR, "");
    project.write("../secret", "mine");
    let out = project.path("functions/auth/borrowed");
    std::os::unix::fs::symlink(project.path("../secret"), out).unwrap();
    assert_refused(project.deploy(), 2, &["WG204", "borrowed", "auth", ".lambdaignore"]);
    assert!(!project.path(".wavegate/local/endpoint.json").exists());
}

/// A zip archive with one stored entry, made by hand: no tool writes such a name.
fn zip_of(name: &str) -> Vec<u8> {
    let length = u16::try_from(name.len()).expect("a short name").to_le_bytes();
    let head = |signature: [u8; 4], before: &[u8], after: usize| {
        let mut bytes = signature.to_vec();
        bytes.extend(before);
        // Flags, method, time and date, CRC-32, sizes: an empty file.
        bytes.extend([0; 2 + 2 + 4 + 4 + 4 + 4]);
        bytes.extend(length);
        bytes.extend(vec![0; after]);
        bytes.extend(name.bytes());
        bytes
    };
    let mut bytes = head(*b"PK\x03\x04", &[20, 0], 2);
    let start = bytes.len();
    let central = head(*b"PK\x01\x02", &[20, 0, 20, 0], 16);
    bytes.extend(&central);
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend(u32::try_from(central.len()).expect("a small archive").to_le_bytes());
    bytes.extend(u32::try_from(start).expect("a small archive").to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

#[test]
fn an_archive_with_a_path_that_escapes_is_refused() {
    let project = mini(PAIR, "");
    std::fs::write(project.path("auth.zip"), zip_of("../../escaped.py")).unwrap();
    project.edit("deploy.toml", "code = \"functions/auth\"", "code = \"auth.zip\"");
    let ended = project.deploy();
    assert_refused(ended, 2, &["WG207", "escaped.py", "auth"]);
    let everywhere = std::fs::read_dir(project.outside("")).unwrap();
    assert!(everywhere.flatten().all(|entry| entry.file_name() != "escaped.py"));
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_deployed() {
    let project = mini(PAIR, "");
    let refused = project.run(&["deploy"]).expect(3);
    assert!(refused.has_code("WG610") && refused.stderr.contains("--yes"), "{refused}");
    assert_eq!(project.status().lock(), None);
    assert!(!project.status().function("auth")["exists"].as_bool().unwrap());
}

#[test]
fn a_command_line_that_is_wrong_is_usage() {
    let project = mini(PAIR, "");
    for words in [
        &["depoly"][..],
        &["deploy", "--only", "nobody", "--yes"],
        &["deploy", "--set", "no-equals-sign"],
        &["plan", "--profile", "nobody"],
        &["explain", "WG000"],
        &["rollback", "--to-release", "x"],
    ] {
        let ended = project.run(words);
        assert_eq!(ended.code, Some(2), "{words:?}: {ended}");
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{words:?}: {ended}");
    }
}

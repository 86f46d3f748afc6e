//! Recordings: written once, read whole or in words.

use wavegate_engine::event::Event;

use super::*;
use crate::script::Script;

fn record_all(dir: &Path, records: &[Record]) -> Recorder {
    let mut recorder = Recorder::new(dir);
    for record in records {
        recorder.event(record);
    }
    recorder.finish();
    recorder
}

#[test]
fn a_recording_reads_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let records = Script::canary();
    let recorder = record_all(dir.path(), &records);
    assert!(recorder.error().is_none());
    let path = recorder.path().unwrap();
    assert!(path.ends_with("releases/42-0123456789abc.jsonl"), "{path:?}");
    let recording = read(path).unwrap();
    assert_eq!(recording.records, records);
    assert_eq!(recording.problem(), None);
}

#[cfg(unix)]
#[test]
fn a_recording_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let recorder = record_all(&dir.path().join("state"), &Script::nothing_changed());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(recorder.path().unwrap()), 0o600);
    assert_eq!(mode(&dir.path().join("state/releases")), 0o700);
    assert_eq!(mode(&dir.path().join("state")), 0o700);
}

#[test]
fn a_recording_is_never_overwritten_and_never_stops_anything() {
    let dir = tempfile::tempdir().unwrap();
    let first = record_all(dir.path(), &Script::canary());
    let before = fs::read(first.path().unwrap()).unwrap();
    let second = record_all(dir.path(), &Script::canary());
    assert_eq!(second.error().unwrap().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(first.path().unwrap()).unwrap(), before);
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let recorder = record_all(&file, &Script::canary());
    let text = recorder.error().unwrap().to_string();
    assert!(text.starts_with("cannot make the directory"), "{text}");
}

#[test]
fn an_id_cannot_name_another_place() {
    let dir = tempfile::tempdir().unwrap();
    for id in ["../../x", "a/b", "", "a.b", &"x".repeat(65)] {
        let mut script = Script::new("shop", 1);
        script.id(id).at(0, Event::Barrier);
        let recorder = record_all(dir.path(), &script.records);
        let text = recorder.error().unwrap().to_string();
        assert_eq!(text, format!("`{id}` is not a release id"));
    }
    assert!(list(dir.path()).unwrap().is_empty());
}

#[test]
fn what_cannot_be_read_has_a_clear_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines: Vec<String> = Script::canary().iter().map(json_line).collect();
    lines.truncate(3);
    lines.push("{\"v\":2,\"event\":\"started\",\"what\":1}\n".to_owned());
    lines.push("{\"v\":1,\"event\":\"danced\",\"seq\":9,\"at_ms\":1,\"elapsed_ms\":1,\"app\":\"a\",\"number\":1,\"release\":\"r\"}\n".to_owned());
    lines.push("\u{0}\u{1b}[31m garbage\n".to_owned());
    lines.push("\n".to_owned());
    lines.push("{\"v\":1,\"seq\":10,\"at".to_owned());
    let path = dir.path().join("x.jsonl");
    fs::write(&path, lines.concat()).unwrap();
    let recording = read(&path).unwrap();
    assert_eq!(recording.records.len(), 3);
    let words: Vec<String> =
        recording.skipped.iter().map(|s| format!("{}: {}", s.line, s.why)).collect();
    assert_eq!(recording.skipped_count, 4);
    insta::assert_snapshot!(words.join("\n"), @r"
    4: format version 2 was written by a newer wavegate; this one reads up to 1
    5: event `danced` cannot be read: unknown variant `danced`
    6: not an event of a release
    8: it breaks off: the writer was stopped
    ");
}

#[test]
fn bytes_of_any_kind_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.jsonl");
    for bytes in [&b"\xff\xfe\n\x00"[..], b"[[[[", b"{}\n{}\n", b"null"] {
        fs::write(&path, bytes).unwrap();
        let recording = read(&path).unwrap();
        assert!(recording.records.is_empty());
        assert!(recording.problem().is_some());
    }
}

#[test]
fn history_lists_what_each_release_did() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(list(dir.path()).unwrap(), []);
    record_all(dir.path(), &Script::alarm_rolls_back());
    record_all(dir.path(), &Script::first_deploy());
    record_all(dir.path(), &Script::canary()[..8]);
    let releases = dir.path().join("releases");
    fs::write(releases.join("notes.txt"), "not mine").unwrap();
    fs::write(releases.join("44-zzzz.jsonl"), "").unwrap();
    let infos = list(dir.path()).unwrap();
    let words: Vec<String> = infos
        .iter()
        .map(|i| {
            let started = i.started.map(crate::utc);
            format!(
                "{} {} {:?} {started:?} {:?} {:?}",
                i.number, i.app, i.outcome, i.functions, i.problem
            )
        })
        .collect();
    insta::assert_snapshot!(words.join("\n"), @r#"
    1 shop Some("done") Some("2026-03-01 12:00:00Z") {"auth": (None, Some(1)), "checkout": (None, Some(1))} None
    42 shop None Some("2026-03-01 12:00:00Z") {"auth": (Some(17), Some(18)), "checkout": (Some(8), Some(9)), "notify": (Some(4), None)} None
    43 shop Some("rolled_back") Some("2026-03-01 12:00:00Z") {"auth": (Some(17), Some(18)), "checkout": (Some(8), Some(9)), "notify": (Some(4), Some(5))} None
    44  None None {} Some("it is empty")
    "#);
}

#[test]
fn a_rollback_finds_what_was_served_after_a_release() {
    let info =
        |number, outcome: &str, functions: &[(&str, Option<u64>, Option<u64>)]| RecordingInfo {
            number,
            id: "x".to_owned(),
            app: "shop".to_owned(),
            outcome: Some(outcome.to_owned()),
            started: Some(number),
            took_ms: 0,
            functions: functions.iter().map(|(n, s, c)| ((*n).to_owned(), (*s, *c))).collect(),
            path: PathBuf::new(),
            problem: None,
        };
    let infos = [
        info(1, "done", &[("auth", None, Some(1)), ("cart", None, Some(1))]),
        info(2, "done", &[("auth", Some(1), Some(2))]),
        info(3, "rolled_back", &[("auth", Some(2), Some(3))]),
        info(4, "done", &[("auth", Some(2), Some(4)), ("old", Some(7), Some(8))]),
        info(5, "done", &[("late", None, Some(1))]),
        info(6, "done", &[("late", Some(1), Some(2))]),
    ];
    let at = |number| {
        let versions = versions_after(&infos, number);
        versions.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(at(1), "auth=1 cart=1 old=7");
    assert_eq!(at(2), "auth=2 cart=1 old=7");
    assert_eq!(at(3), "auth=2 cart=1 old=7");
    assert_eq!(at(4), "auth=4 cart=1 old=8");
}

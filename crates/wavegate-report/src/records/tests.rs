//! Records: what was written is what is read, whatever happens to the file.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use proptest::prelude::*;
use wavegate_engine::event::{Event, Record};

use super::*;
use crate::json::json_line;
use crate::script::Script;

const ID: &str = "0123456789abc";

fn record_all(dir: &Path, records: &[Record]) -> Recorder {
    let mut recorder = Recorder::new(dir);
    for batch in records.chunks(7) {
        recorder.take(batch);
    }
    recorder.finish();
    recorder
}

/// A script's events under another id.
fn renamed(mut records: Vec<Record>, id: &str) -> Vec<Record> {
    for record in &mut records {
        id.clone_into(&mut record.release);
    }
    records
}

fn look(dir: &Path) -> Records {
    Records::look(dir).unwrap().unwrap()
}

/// All that records hold, in words.
fn content(records: &Records) -> String {
    let releases = records.releases("shop").unwrap();
    let one = |release: &Release| {
        let events = records.events(&release.id, 0).unwrap();
        (release.clone(), events, records.requests(release).unwrap())
    };
    format!("{:#?}", releases.iter().map(one).collect::<Vec<_>>())
}

fn request() -> Request {
    Request {
        app: "shop".to_owned(),
        target: "local cloud".to_owned(),
        release: Some(ID.to_owned()),
        number: Some(42),
        verb: "promote".to_owned(),
        function: Some("checkout".to_owned()),
        by: "bo@desk".to_owned(),
        reason: Some("looks good".to_owned()),
        at_ms: 7,
    }
}

/// A directory with two releases and a request, all of it in the file proper.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let first = record_all(dir.path(), &renamed(Script::first_deploy(), "first"));
    assert!(first.error().is_none(), "{:?}", first.error());
    let mut records = Records::open(dir.path()).unwrap();
    let id = records.asked(&request()).unwrap();
    records.answered(id, "done").unwrap();
    drop(records);
    assert!(record_all(dir.path(), &Script::canary()).error().is_none());
    assert!(!dir.path().join("records.db-wal").exists());
    dir
}

#[test]
fn a_recording_reads_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let written = Script::canary();
    let recorder = record_all(dir.path(), &written);
    assert!(recorder.error().is_none() && recorder.moved_aside().is_none());
    let records = look(dir.path());
    let lines = records.events(ID, 0).unwrap();
    let read: Vec<Record> = lines.iter().map(|line| line.record().unwrap()).collect();
    assert_eq!(read, written);
    for (line, record) in lines.iter().zip(&written) {
        assert_eq!(line.json, json_line(record).trim_end());
    }
    assert_eq!(records.events(ID, 3).unwrap(), lines[3..]);
    assert_eq!(records.state(ID).unwrap(), State::of(&written));
}

#[test]
fn history_lists_what_each_release_did() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Records::look(dir.path()).unwrap().is_none());
    record_all(dir.path(), &renamed(Script::first_deploy(), "a"));
    record_all(dir.path(), &renamed(Script::alarm_rolls_back(), "b"));
    record_all(dir.path(), &renamed(Script::canary()[..8].to_vec(), "c"));
    let words: Vec<String> = look(dir.path())
        .releases("shop")
        .unwrap()
        .iter()
        .map(|r| {
            let functions: Vec<String> = r
                .functions
                .iter()
                .map(|(name, v)| format!("{name} {:?}->{:?}", v.stable, v.candidate))
                .collect();
            format!("{} {:?} {:?} {}", r.number, r.outcome, r.epoch, functions.join(" "))
        })
        .collect();
    insta::assert_snapshot!(words.join("\n"), @r#"
    42 None Some(7) auth Some(17)->Some(18) checkout Some(8)->Some(9) notify Some(4)->None
    43 Some("rolled_back") Some(7) auth Some(17)->Some(18) checkout Some(8)->Some(9) notify Some(4)->Some(5)
    1 Some("done") Some(7) auth None->Some(1) checkout None->Some(1)
    "#);
    assert!(look(dir.path()).releases("other").unwrap().is_empty());
}

#[test]
fn requests_are_kept_with_what_became_of_them() {
    let dir = filled();
    let records = look(dir.path());
    let release = records.release(ID).unwrap().unwrap();
    let asked = records.requests(&release).unwrap();
    assert_eq!(asked, [Answered { request: request(), answer: Some("done".to_owned()) }]);
}

#[test]
fn a_release_goes_on_where_its_records_end() {
    let dir = tempfile::tempdir().unwrap();
    let all = renamed(Script::stuck(), ID);
    let stuck = record_all(dir.path(), &all);
    assert!(stuck.error().is_none());
    let mut again = Recorder::new(dir.path());
    assert_eq!(again.go_on(ID), all.last().unwrap().seq);
    again.take(&all[..1]);
    let running = look(dir.path()).release(ID).unwrap().unwrap();
    assert_eq!(running.outcome, None);
    let mut end = all.last().unwrap().clone();
    if let Event::Finished { outcome, .. } = &mut end.event {
        "rolled_back".clone_into(outcome);
    }
    again.take(&[end]);
    again.finish();
    let records = look(dir.path());
    assert_eq!(records.release(ID).unwrap().unwrap().outcome.as_deref(), Some("rolled_back"));
    assert_eq!(records.events(ID, 0).unwrap().len(), all.len() + 2);
    assert_eq!(Recorder::new(dir.path()).go_on("unknown"), 0);
}

#[test]
fn an_owner_that_was_fenced_does_not_tell_the_release_s_end() {
    let dir = tempfile::tempdir().unwrap();
    let finished = |outcome: &str| Event::Finished {
        outcome: outcome.to_owned(),
        reason: None,
        todo: Vec::new(),
        calls: BTreeMap::new(),
        aliases: BTreeMap::new(),
    };
    let locked = |epoch| Event::Locked { anchor: "auth".to_owned(), epoch };
    let mut script = Script::new("shop", 42);
    script
        .at(0, locked(7))
        .at(1, locked(8))
        .at(2, finished("rolled_back"))
        .at(3, finished("fenced"));
    let [first, second, back, fenced] = <[Record; 4]>::try_from(script.records).unwrap();
    let mut owner = Recorder::new(dir.path());
    owner.take(&[first]);
    let mut other = Recorder::new(dir.path());
    other.go_on(ID);
    other.take(&[second, back]);
    owner.take(&[fenced]);
    let records = look(dir.path());
    assert_eq!(records.release(ID).unwrap().unwrap().outcome.as_deref(), Some("rolled_back"));
    assert_eq!(records.events(ID, 0).unwrap().len(), 4);
}

#[test]
fn records_are_their_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("state");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    let mut recorder = Recorder::new(&home);
    recorder.take(&Script::canary());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o700);
    for entry in fs::read_dir(&home).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
    assert!(home.join("records.db-wal").exists());
}

#[test]
fn two_releases_are_recorded_at_once() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let dir = dir.path();
            scope.spawn(move || {
                let mut recorder = Recorder::new(dir);
                for record in renamed(Script::canary(), &format!("id{n}")) {
                    recorder.take(&[record]);
                }
                recorder.finish();
                assert!(recorder.error().is_none(), "{:?}", recorder.error());
            });
        }
    });
    let records = look(dir.path());
    assert_eq!(records.releases("shop").unwrap().len(), 4);
    for n in 0..4 {
        assert_eq!(records.events(&format!("id{n}"), 0).unwrap().len(), Script::canary().len());
    }
}

#[test]
fn recordings_of_earlier_versions_are_taken_over_and_stay() {
    let dir = tempfile::tempdir().unwrap();
    let releases = dir.path().join("releases");
    fs::create_dir(&releases).unwrap();
    let lines = |records: &[Record]| records.iter().map(json_line).collect::<String>();
    let first = lines(&renamed(Script::first_deploy(), "first"));
    fs::write(releases.join("1-first.jsonl"), &first).unwrap();
    let mut torn = lines(&Script::canary());
    torn.push_str(
        "\n\0\x1b[31m garbage\n{\"v\":9,\"event\":\"started\",\"what\":1}\n{\"v\":1,\"se",
    );
    fs::write(releases.join(format!("42-{ID}.jsonl")), &torn).unwrap();
    fs::write(releases.join("43-empty.jsonl"), "").unwrap();
    fs::write(releases.join("44-bytes.jsonl"), [0xff, 0xfe, b'\n', 0]).unwrap();
    fs::write(releases.join("notes.txt"), "not mine").unwrap();

    let check = |records: &Records| {
        let outcomes: Vec<_> = records.releases("shop").unwrap();
        assert_eq!(outcomes.len(), 2);
        assert!(outcomes.iter().all(Release::is_done), "{outcomes:?}");
        assert_eq!(records.state(ID).unwrap(), State::of(&Script::canary()));
        assert_eq!(records.release("first").unwrap().unwrap().number, 1);
    };
    check(&look(dir.path()));
    // Once only, and what comes later stands behind them.
    record_all(dir.path(), &renamed(Script::stuck(), "third"));
    let records = look(dir.path());
    let ids: Vec<String> = records.releases("shop").unwrap().into_iter().map(|r| r.id).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(ids[0], "third");
    assert_eq!(fs::read_to_string(releases.join("1-first.jsonl")).unwrap(), first);
}

#[test]
fn a_line_that_is_no_event_has_a_clear_word() {
    let why = |json: &str| Line { place: 1, json: json.to_owned() }.record().unwrap_err();
    let words = [
        why("{\"v\":2,\"event\":\"started\",\"what\":1}"),
        why(
            "{\"v\":1,\"event\":\"danced\",\"seq\":9,\"at_ms\":1,\"elapsed_ms\":1,\"app\":\"a\",\"number\":1,\"release\":\"r\"}",
        ),
        why("{\"v\":1,\"seq\":10,\"at"),
    ];
    insta::assert_snapshot!(words.join("\n"), @r"
    format version 2 was written by a newer wavegate; this one reads up to 1
    event `danced` cannot be read: unknown variant `danced`
    not an event of a release
    ");
}

/// What `look` and `open` make of a changed file: an error, or all that was there.
fn notices(dir: &Path, bytes: &[u8], whole: &str) -> Option<RecordsError> {
    let place = tempfile::tempdir_in(dir).unwrap();
    fs::write(place.path().join(FILE), bytes).unwrap();
    match Records::look(place.path()) {
        Err(error) => {
            // Nothing was changed by looking.
            assert_eq!(fs::read(place.path().join(FILE)).unwrap(), bytes, "{error}");
            Some(error)
        }
        Ok(records) => {
            assert_eq!(content(&records.unwrap()), whole);
            None
        }
    }
}

#[test]
fn a_file_cut_short_anywhere_is_noticed() {
    let dir = filled();
    let bytes = fs::read(dir.path().join(FILE)).unwrap();
    for length in (1..bytes.len()).filter(|n| n % 331 == 1 || n % 4096 == 0 || *n < 120) {
        let error = notices(dir.path(), &bytes[..length], "");
        let code = error.as_ref().map(RecordsError::code);
        assert_eq!(code, Some("WG650"), "{length} of {}: {error:?}", bytes.len());
    }
}

#[test]
fn a_flipped_bit_is_noticed_or_changes_nothing() {
    let dir = filled();
    let whole = content(&look(dir.path()));
    let bytes = fs::read(dir.path().join(FILE)).unwrap();
    let (mut noticed, mut harmless) = (0, 0);
    // Every byte of the header and of the first page's beginning, and some of all others.
    for at in (0..bytes.len()).filter(|at| *at < 160 || at % 61 == 0) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        match notices(dir.path(), &changed, &whole) {
            Some(_) => noticed += 1,
            None => harmless += 1,
        }
    }
    // Most of such a small file is free.
    assert!(noticed > 200, "{noticed} noticed, {harmless} harmless");
}

#[test]
fn damage_is_moved_aside_by_the_next_release_and_by_nobody_else() {
    let dir = filled();
    let path = dir.path().join(FILE);
    let damage = || {
        let mut bytes = fs::read(&path).unwrap();
        // The second page: the table of releases.
        bytes[4096..8192].fill(0x55);
        fs::write(&path, &bytes).unwrap();
        bytes
    };
    let damaged = damage();
    assert_eq!(Records::look(dir.path()).unwrap_err().code(), "WG650");
    assert_eq!(Records::open(dir.path()).unwrap_err().code(), "WG650");
    assert_eq!(fs::read(&path).unwrap(), damaged);

    let recorder = record_all(dir.path(), &Script::canary());
    assert!(recorder.error().is_none(), "{:?}", recorder.error());
    let aside = dir.path().join("records.db.damaged-1");
    assert_eq!(recorder.moved_aside(), Some(aside.as_path()));
    assert_eq!(fs::read(&aside).unwrap(), damaged);
    assert_eq!(look(dir.path()).releases("shop").unwrap().len(), 1);

    damage();
    let recorder = record_all(dir.path(), &Script::canary());
    assert_eq!(recorder.moved_aside(), Some(dir.path().join("records.db.damaged-2").as_path()));
    assert_eq!(fs::read(&aside).unwrap(), damaged);
}

#[test]
fn what_is_not_ours_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let refused = |code: &str| {
        let recorder = record_all(dir.path(), &Script::canary());
        let error = recorder.error().expect("an error");
        assert_eq!(error.code(), code, "{error}");
        assert!(recorder.moved_aside().is_none());
        assert_eq!(Records::look(dir.path()).unwrap_err().code(), code);
        error.to_string()
    };
    let theirs = Connection::open(&path).unwrap();
    theirs
        .execute_batch("create table bookmark (url text); insert into bookmark values ('x')")
        .unwrap();
    assert!(refused("WG652").contains("application id 0"));
    let kept: String = theirs.query_row("select url from bookmark", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, "x");
    theirs.execute_batch("pragma application_id = 77").unwrap();
    assert!(refused("WG652").contains("application id 77"));
    drop(theirs);

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(refused("WG652").contains("a directory"));
    fs::remove_dir(&path).unwrap();
    let elsewhere = dir.path().join("elsewhere.db");
    symlink(&elsewhere, &path).unwrap();
    assert!(refused("WG652").contains("not a plain file"));
    assert!(!elsewhere.exists());
}

#[test]
fn a_newer_format_is_left_as_it_is() {
    let dir = filled();
    let path = dir.path().join(FILE);
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("pragma user_version = 99").unwrap();
    drop(connection);
    let recorder = record_all(dir.path(), &Script::stuck());
    let words = recorder.error().unwrap().to_string();
    assert!(words.contains("format 99") && words.contains("reads up to 1"), "{words}");
    assert!(recorder.moved_aside().is_none());
    assert_eq!(Records::look(dir.path()).unwrap_err().code(), "WG651");
}

#[test]
fn a_file_that_goes_away_in_the_middle_ends_the_recording() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("state");
    let all = Script::canary();
    let mut recorder = Recorder::new(&home);
    recorder.take(&all[..5]);
    fs::remove_dir_all(&home).unwrap();
    recorder.take(&all[5..10]);
    assert_eq!(recorder.error().map(RecordsError::code), Some("WG656"));
    recorder.take(&all[10..]);
    recorder.finish();
    assert!(!home.exists());
    // Somebody else's new file is another one.
    let mut recorder = Recorder::new(&home);
    recorder.take(&all[..5]);
    fs::remove_dir_all(&home).unwrap();
    record_all(&home, &renamed(Script::stuck(), "other"));
    recorder.take(&all[5..]);
    assert_eq!(recorder.error().map(RecordsError::code), Some("WG656"));
    assert!(look(&home).release(ID).unwrap().is_none());
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let recorder = record_all(&file, &Script::canary());
    assert_eq!(recorder.error().map(RecordsError::code), Some("WG653"));
    assert!(Records::look(&file).unwrap().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_an_error_and_never_a_panic(
        head in prop_oneof![Just(Vec::new()), Just(b"SQLite format 3\0".to_vec())],
        rest in proptest::collection::vec(any::<u8>(), 1..3000),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let bytes = [head, rest].concat();
        fs::write(dir.path().join(FILE), &bytes).unwrap();
        prop_assert!(Records::look(dir.path()).is_err());
        prop_assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), bytes);
    }
}

//! Plugins that end their process: the release goes back, told how it ended and what it said last.

use wavegate_plugin_host::Isolation;
use wavegate_tests::library::{Panics, library};

use crate::app::{App, Part};
use crate::host::BOTH;
use crate::moody::{Moody, moody};
use crate::process::{await_end, await_note};

const RUST: &str = "wavegate-plugin-moody";

/// A release whose strategy does this after its first shift.
#[track_caller]
fn assert_crash(plugin: &Moody, words: &[&str]) {
    let app = App::deployed();
    app.involve(Part::Strategy).add("moody", plugin, "");
    let words: Vec<&str> = [&["plugin `moody`"], words].concat();
    app.assert_put_back("WG332", &words);
}

#[test]
fn a_plugin_that_panics_is_told_with_its_message() {
    let app = App::deployed();
    let rust = library(RUST, Panics::Unwind);
    let words = ["plugin `moody` panicked", "the moon is in the seventh house", "lib.rs:"];
    for part in [Part::Strategy, Part::Hook] {
        for isolation in BOTH {
            let involved = app.involve_with(part, r#"mood = "panic""#);
            involved.add_library_in(isolation, "moody", &rust);
            app.assert_put_back("WG333", &words);
        }
    }
}

#[test]
fn a_plugin_whose_panics_abort_runs_in_a_process_of_its_own_and_only_there() {
    let app = App::deployed();
    let aborting = library(RUST, Panics::Abort);
    let involve = |mood: &str, isolation| {
        let involved = app.involve_with(Part::Strategy, &format!(r#"mood = "{mood}""#));
        involved.add_library_in(isolation, "moody", &aborting);
    };
    involve("calm", Isolation::InProcess);
    app.assert_refused(&["WG317", "plugin `moody`", r#"isolation = "process""#]);
    involve("panic", Isolation::Process);
    let words = ["plugin `moody`", "SIGABRT", "the moon is in the seventh house"];
    app.assert_put_back("WG332", &words);
    involve("calm", Isolation::Process);
    app.assert_released();
}

#[test]
fn a_plugin_that_takes_all_memory_runs_into_the_limit_of_its_process() {
    let app = App::deployed();
    let involved = app.involve_with(Part::Strategy, r#"mood = "greed""#);
    involved.add_library_in(Isolation::Process, "moody", &library(RUST, Panics::Unwind));
    app.project.edit("deploy.toml", "sha256 =", "memory = '128MB'\nsha256 =");
    app.assert_put_back("WG332", &["plugin `moody`", "SIGABRT", "memory allocation of"]);
}

#[test]
fn a_plugin_that_touches_what_it_must_not_is_told_by_its_signal() {
    let code = r#"say("here be dragons"); *(volatile int *)8 = 1;"#;
    assert_crash(&moody().on("DECIDE", code), &["SIGSEGV", "here be dragons"]);
}

#[test]
fn a_plugin_that_aborts_is_told_by_its_signal() {
    let code = r#"say("this cannot be"); abort();"#;
    assert_crash(&moody().on("DECIDE", code), &["SIGABRT", "this cannot be"]);
}

#[test]
fn a_plugin_that_exits_is_told_by_its_status_even_if_it_calls_that_a_success() {
    for (code, status) in [("exit(3);", "exit status: 3"), ("_exit(0);", "exit status: 0")] {
        let code = format!(r#"say("nothing to do for me"); {code}"#);
        assert_crash(&moody().on("DECIDE", &code), &[status, "nothing to do for me"]);
    }
}

#[test]
fn a_plugin_that_closes_every_file_has_no_way_to_answer() {
    let code = r#"say("away with it"); for (int file = 0; file < 1024; file++) close(file);"#;
    let words = ["killed, because it closed its output", "away with it"];
    assert_crash(&moody().on("DECIDE", code), &words);
}

#[test]
fn a_plugin_that_dies_is_noticed_though_what_it_started_holds_its_pipes() {
    let code = r#"pid_t heir = fork(); if (!heir) hang(); note("heir", heir); abort();"#;
    let app = App::deployed();
    app.involve(Part::Strategy).add("moody", &moody().on("DECIDE", code), "");
    app.assert_put_back("WG332", &["plugin `moody`", "SIGABRT"]);
    await_end(await_note(&app.plugins().join("heir")));
}

#[test]
fn only_the_last_lines_of_what_it_said_are_told() {
    let code =
        r#"for (int line = 0; line < 100; line++) fprintf(stderr, "line %d\n", line); abort();"#;
    let app = App::deployed();
    app.involve(Part::Strategy).add("moody", &moody().on("DECIDE", code), "");
    let failed = app.assert_put_back("WG332", &["line 80", "line 99"]);
    assert!(!failed.stderr.contains("line 79"), "{failed}");
}

#[test]
fn a_provider_that_crashes_every_time_is_given_up_and_what_it_cannot_tell_is_never_quiet() {
    let app = App::deployed();
    let plugin = moody().on("READ", r#"say("too dark"); abort();"#);
    app.involve(Part::Alarm).slow_down().add("moody", &plugin, "");
    let words = ["plugin `moody`", "SIGABRT", "too often to start it again", "too dark"];
    app.assert_put_back("WG332", &words);
}

#[test]
fn a_plugin_that_crashes_while_it_starts_is_refused() {
    for place in ["LOAD", "INIT", "DESCRIBE"] {
        let app = App::deployed();
        let plugin = moody().on(place, r#"say("not today"); abort();"#);
        app.involve(Part::Strategy).add("moody", &plugin, "");
        app.assert_refused(&["WG332", "plugin `moody`", "SIGABRT", "not today"]);
    }
}

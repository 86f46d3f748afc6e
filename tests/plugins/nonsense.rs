//! Plugins that say what the protocol has no place for.

use wavegate_plugin_host::Isolation;

use crate::app::{App, Part, assert_said};
use crate::host::BOTH;
use crate::moody::moody;

/// A release whose strategy answers so after its first shift, wherever it runs.
#[track_caller]
fn assert_breach(code: &str, answer: &str, words: &[&str]) {
    let app = App::deployed();
    for isolation in BOTH {
        let plugin = moody().on("DECIDE", answer);
        app.involve(Part::Strategy).add_in(isolation, "moody", &plugin);
        app.assert_put_back(code, words);
    }
}

const BROKE: &str = "plugin `moody` broke the protocol";

#[test]
fn two_replies_to_one_call_cannot_both_be_true() {
    let twice = r#"decide(id, JSON({"kind": "wait", "millis": 1000}));
                   decide(id, JSON({"kind": "promote"})); return;"#;
    assert_breach("WG331", twice, &[BROKE, "to which it had replied"]);
}

#[test]
fn a_reply_that_is_not_json_is_none() {
    assert_breach("WG331", r#"reply(id, "nonsense"); return;"#, &[BROKE]);
}

#[test]
fn a_number_that_is_none_is_not_json() {
    let answer = r#"decide(id, JSON({"kind": "shift", "weight_bp": NaN})); return;"#;
    assert_breach("WG331", answer, &[BROKE]);
}

#[test]
fn a_reply_to_another_call_is_told_for_what_it_is() {
    let answer =
        r#"reply(id, JSON({"id": 999, "ok": {"decision": {"kind": "promote"}}})); return;"#;
    assert_breach("WG331", answer, &[BROKE, "999"]);
}

#[test]
fn a_decision_that_nobody_knows_is_not_guessed_at() {
    let answer = r#"decide(id, JSON({"kind": "celebrate"})); return;"#;
    assert_breach("WG331", answer, &[BROKE, "celebrate"]);
}

#[test]
fn a_weight_that_is_none_is_refused() {
    let answer = r#"decide(id, JSON({"kind": "shift", "weight_bp": 20000})); return;"#;
    assert_breach("WG331", answer, &[BROKE, "20000"]);
}

#[test]
fn a_weight_outside_its_outline_is_never_set() {
    let answer = r#"decide(id, JSON({"kind": "shift", "weight_bp": 2000})); return;"#;
    assert_breach("WG335", answer, &["`odd`", "outline", "20%"]);
}

#[test]
fn a_reply_of_more_bytes_than_there_may_be_is_not_read() {
    let answer = "size_t size = 17 << 20; char *big = malloc(size + 1); memset(big, 'x', size);
                  big[size] = 0; reply(id, big); return;";
    assert_breach("WG331", answer, &[BROKE, "more than 16777216"]);
}

#[test]
fn a_call_that_it_does_not_take_has_no_answer() {
    let app = App::deployed();
    let refuse = r#"if (strstr(text, JSON("weight_bp":1000))) return WAVEGATE_E_INTERNAL;"#;
    for isolation in BOTH {
        app.involve(Part::Strategy).add_in(isolation, "moody", &moody().on("CALL", refuse));
        app.assert_put_back("WG331", &[BROKE, "did not take a call (status 4)"]);
    }
}

#[test]
fn an_outline_that_is_none_is_refused() {
    let app = App::deployed();
    for isolation in BOTH {
        let plugin = moody().on("OUTLINE", r#"answer(id, JSON({"steps": 7})); return;"#);
        app.involve(Part::Strategy).add_in(isolation, "moody", &plugin);
        let refused = app.project.deploy().expect(2);
        assert_said(&refused, &["WG331", BROKE, "strategy.outline"]);
        assert_eq!(app.project.status().serves("hello"), Some(1), "{refused}");
    }
}

#[test]
fn a_verdict_that_nobody_knows_is_not_a_pass() {
    let app = App::deployed();
    let answer = r#"answer(id, JSON({"outcome": {"kind": "maybe"}})); return;"#;
    for isolation in BOTH {
        app.involve(Part::Hook).add_in(isolation, "moody", &moody().on("RUN", answer));
        app.assert_put_back("WG331", &[BROKE, "maybe"]);
    }
}

#[test]
fn a_plugin_that_logs_without_measure_holds_nothing_up() {
    let app = App::deployed();
    let chatter = r#"for (int line = 0; line < 100000; line++) complain(the_host, "noise");"#;
    for isolation in BOTH {
        app.involve(Part::Hook).add_in(isolation, "moody", &moody().on("RUN", chatter));
        app.assert_released();
        app.change();
    }
}

#[test]
fn what_it_writes_behind_the_hosts_back_is_taken_for_what_it_is() {
    let app = App::deployed();
    let scribble = r#"for (int file = 3; file < 16; file++) dprintf(file, "I was here\n");"#;
    let plugin = moody().on("DECIDE", scribble);
    app.involve(Part::Strategy).add_in(Isolation::Process, "moody", &plugin);
    app.assert_put_back("WG331", &[BROKE, "no message"]);
}

#[test]
fn what_it_prints_is_never_taken_for_a_message() {
    let print = r#"printf("%s\nwelcome", JSON({"id": 1})); fflush(stdout);"#;
    let places =
        ["LOAD", "INIT", "READY", "DESCRIBE", "DECIDE", "RUN", "READ", "SHUTDOWN", "UNLOAD"];
    let plugin = places.iter().fold(moody(), |plugin, place| plugin.on(place, print));
    for part in [Part::Strategy, Part::Hook, Part::Alarm] {
        let app = App::deployed();
        app.involve(part).add("moody", &plugin, "");
        let done = app.assert_released();
        assert!(!done.stdout.contains("welcome"), "{done}");
    }
}

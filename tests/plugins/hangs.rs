//! Plugins that never come back: the release goes on without them, back to where it was, and no
//! process of theirs is left.

use std::path::PathBuf;

use wavegate_plugin_host::Isolation;
use wavegate_tests::binary::Project;

use crate::app::{App, Part, assert_said};
use crate::moody::{Moody, moody};
use crate::process::{await_end, await_note};

/// A plugin that never comes back from there, and does not listen to a polite request to end.
fn stubborn(place: &str) -> Moody {
    let loop_for_ever = r#"note("process", getpid()); for (volatile int turn = 0;; turn++);"#;
    moody().on("LOAD", "signal(SIGTERM, SIG_IGN);").on(place, loop_for_ever)
}

fn note(app: &App) -> PathBuf {
    app.plugins().join("process")
}

#[test]
fn a_strategy_that_never_decides_puts_the_release_back_and_is_killed() {
    let app = App::deployed();
    app.involve(Part::Strategy).add("moody", &stubborn("DECIDE"), r#"timeout = "1s""#);
    app.assert_put_back("WG330", &["plugin `moody`", "`strategy.decide` within 1s"]);
    await_end(await_note(&note(&app)));
}

#[test]
fn a_strategy_that_never_says_what_it_will_do_is_refused_and_killed() {
    let app = App::deployed();
    let plugin = moody().on("OUTLINE", r#"note("process", getpid()); hang();"#);
    app.involve(Part::Strategy).add("moody", &plugin, r#"timeout = "1s""#);
    let refused = app.project.deploy().expect(2);
    assert_said(&refused, &["WG330", "plugin `moody`", "`strategy.outline` within 1s"]);
    await_end(await_note(&note(&app)));
}

#[test]
fn a_hook_that_ignores_its_cancellation_fails_the_release_and_is_killed() {
    let silent = moody().on("RUN", r#"note("process", getpid()); return;"#);
    for plugin in [stubborn("RUN"), silent] {
        let app = App::deployed();
        app.involve_with(Part::Hook, r#"timeout = "1s""#).add("moody", &plugin, "");
        app.assert_put_back("WG330", &["plugin `moody`", "`hook.run` within"]);
        await_end(await_note(&note(&app)));
    }
}

#[test]
fn a_provider_that_never_answers_is_never_taken_for_quiet() {
    let app = App::deployed();
    app.involve(Part::Alarm).add("moody", &stubborn("READ"), r#"timeout = "1s""#);
    // Its last word is that it was late once more, or that it was killed for it.
    let failed =
        app.assert_put_back("WG33", &["plugin `moody`", "`alarm.read`", "never taken for"]);
    let blind = failed.of("blind").into_iter().find_map(|event| event["reason"].as_str());
    assert_eq!(blind, Some("plugin `moody` did not answer `alarm.read` within 1s (WG330)"));
    await_end(await_note(&note(&app)));
}

#[test]
fn a_plugin_in_wavegates_own_process_that_hangs_is_not_asked_again() {
    let app = App::deployed();
    let after = "timeout = '1s'\n[hooks.after]\nuse = 'moody'\ntimeout = '1m'";
    let plugin = moody().on("RUN", "hang();");
    app.involve_with(Part::Hook, after).add_in(Isolation::InProcess, "moody", &plugin);
    app.project.edit("deploy.toml", "hooks = {", "hooks = { on_rollback = ['after'],");
    let failed = app.assert_put_back("WG330", &["plugin `moody`", "`hook.run` within"]);
    let told = failed.about("hook", "hello");
    let wedged = told.iter().filter_map(|hook| hook["detail"].as_str());
    let wedged: Vec<&str> = wedged.filter(|detail| detail.contains("WG334")).collect();
    assert!(wedged.iter().all(|detail| detail.contains("plugin `moody` is wedged")), "{failed}");
    assert!(!wedged.is_empty(), "{failed}");
}

#[test]
fn a_plugin_that_does_not_end_is_ended() {
    for place in ["SHUTDOWN", "UNLOAD"] {
        let app = App::deployed();
        let plugin = stubborn(place).on("DECIDE", r#"note("process", getpid());"#);
        app.involve(Part::Strategy).add("moody", &plugin, "");
        app.assert_released();
        await_end(await_note(&note(&app)));
    }
}

#[test]
fn no_plugin_outlives_a_wavegate_that_is_killed() {
    let app = App::deployed();
    // Busy when its input ends, and then in no hurry.
    let plugin = stubborn("DECIDE").on("SHUTDOWN", "hang();").on("UNLOAD", "hang();");
    app.involve(Part::Strategy).add("moody", &plugin, r#"timeout = "1m""#);
    let release = app.project.begin_deploy();
    let process = await_note(&note(&app));
    let killed = release.kill();
    assert_eq!(killed.signal, Some(9), "{killed}");
    await_end(process);
}

#[test]
fn a_release_that_a_plugin_held_can_be_put_back_by_another_wavegate() {
    let app = App::deployed();
    app.involve(Part::Strategy).add("moody", &stubborn("DECIDE"), r#"timeout = "1m""#);
    let release = app.project.begin_deploy();
    let _ = await_note(&note(&app));
    let _ = release.kill();
    let served = |project: &Project| project.status().serves("hello");
    assert_eq!(served(&app.project), None, "a tenth is on the candidate");
    let back = app.project.run(&["rollback", "--yes"]).expect(0);
    assert_eq!(served(&app.project), Some(1), "{back}");
}

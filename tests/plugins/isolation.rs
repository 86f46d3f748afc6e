//! A plugin in a process of its own: what it is given, and what its end costs.

use tokio::task::spawn_blocking;
use wavegate_plugin_host::{CRASHES_MAX, HostError, Isolation, Plugin};

use crate::app::{App, Part};
use crate::host::{BOTH, Bench, LONG, run};
use crate::moody::{Moody, moody};
use crate::process::{await_end, await_note};

/// A release in which the hook `moody` passes with what this code writes to `list`.
fn told_by(code: &str, keys: &str, variables: &[(&str, &str)]) -> String {
    let mut app = App::deployed();
    for (name, value) in variables {
        app.project.set(name, value);
    }
    let plugin =
        moody().on("RUN", &format!(r#"char list[4000] = ""; {code} pass(id, list); return;"#));
    app.involve(Part::Hook).add("moody", &plugin, keys);
    let done = app.assert_released();
    let passed = done.about("hook", "hello").into_iter().find(|hook| hook["state"] == "passed");
    passed.and_then(|hook| hook["detail"].as_str()).expect("its words").to_owned()
}

#[test]
fn it_sees_the_variables_that_it_was_allowed_and_no_other() {
    let list = r#"extern char **environ;
                  for (char **v = environ; *v; v++) { strcat(list, *v); strcat(list, ";"); }"#;
    let variables =
        [("MOODY_KEY", "open sesame"), ("AWS_SECRET_ACCESS_KEY", "none of its business")];
    let told = told_by(list, r#"env = ["MOODY_KEY", "MOODY_UNSET"]"#, &variables);
    assert_eq!(told, "MOODY_KEY=open sesame;");
    assert_eq!(told_by(list, "", &variables), "");
}

#[test]
fn it_leads_a_process_group_of_its_own() {
    let list = r#"snprintf(list, sizeof list, "%d", getpgrp() == getpid());"#;
    assert_eq!(told_by(list, "", &[]), "1");
}

#[test]
fn it_reads_nothing_and_holds_no_file_of_wavegates() {
    let list = r#"for (int file = 0; file < 256; file++) {
                    char link[64], place[256];
                    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
                    ssize_t length = readlink(link, place, sizeof place - 1);
                    if (length < 0) continue;
                    place[length] = 0; strcat(list, place); strcat(list, ";"); }"#;
    let told = told_by(list, "", &[]);
    let files: Vec<&str> = told.split_terminator(';').collect();
    assert_eq!(files.first(), Some(&"/dev/null"), "{told}");
    // Wavegate holds its lock, its state and the cloud's socket at that time. Pipes are its own, or
    // those of whoever started the tests.
    assert!(!told.contains("socket:") && !told.contains("wavegate"), "{told}");
}

/// A plugin that replies by its config: never, not any more, or at once with its process's number.
fn fickle() -> Moody {
    let code = r#"if (strstr(text, "never")) { note("begun", getpid()); return; }
                  if (strstr(text, "crash")) abort();
                  char own[32]; snprintf(own, sizeof own, "%ld", (long)getpid());
                  pass(id, own); return;"#;
    moody().on("RUN", code)
}

fn is_end(outcome: &Result<String, HostError>, is_last: bool) -> bool {
    matches!(outcome, Err(HostError::Ended { given_up, .. }) if *given_up == is_last)
}

#[tokio::test]
async fn a_crash_fails_the_calls_under_way_and_the_next_one_starts_it_again() {
    let bench = Bench::new();
    let plugin = bench.load(&fickle(), Isolation::Process).await;
    let first = run(&plugin, "calm", LONG).await.unwrap();
    let (one, other, crash) = tokio::join!(
        run(&plugin, "never", LONG),
        run(&plugin, "never", LONG),
        run(&plugin, "crash", LONG),
    );
    for outcome in [one, other, crash] {
        assert!(is_end(&outcome, false), "{outcome:?}");
    }
    let second = run(&plugin, "calm", LONG).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(run(&plugin, "calm", LONG).await.unwrap(), second);
    plugin.shutdown().await;
    spawn_blocking(move || await_end(second.parse().unwrap())).await.unwrap();
}

#[tokio::test]
async fn a_plugin_that_crashes_too_often_is_given_up() {
    let bench = Bench::new();
    let plugin = bench.load(&fickle(), Isolation::Process).await;
    for crash in 1..=CRASHES_MAX {
        let outcome = run(&plugin, "crash", LONG).await;
        assert!(is_end(&outcome, crash == CRASHES_MAX), "{crash}: {outcome:?}");
    }
    let outcome = run(&plugin, "calm", LONG).await;
    assert!(is_end(&outcome, true), "{outcome:?}");
    let hint = outcome.unwrap_err().hint();
    assert!(hint.is_some_and(|hint| hint.contains("correct the plugin")));
}

#[tokio::test]
async fn a_plugin_that_broke_the_protocol_is_not_started_again() {
    let bench = Bench::new();
    let plugin = moody().on("RUN", r#"pass(id, "fine"); pass(id, "or not"); return;"#);
    let plugin = bench.load(&plugin, Isolation::Process).await;
    assert_eq!(run(&plugin, "calm", LONG).await.unwrap(), "fine");
    // The second reply is read before or after the next call is made: it fails either way.
    for _ in 0..2 {
        let error = run(&plugin, "calm", LONG).await.unwrap_err();
        assert_eq!(error.code(), "WG331", "{error}");
    }
}

/// Makes a call that is never replied to, and drops it when the plugin has begun with it.
async fn drop_a_call(bench: &Bench, plugin: &Plugin) {
    tokio::select! {
        outcome = run(plugin, "never", LONG) => panic!("{outcome:?}"),
        _ = noted(bench, "begun") => {}
    }
}

/// Waits for a number that the plugin notes.
async fn noted(bench: &Bench, name: &str) -> i32 {
    let path = bench.dir().join(name);
    spawn_blocking(move || await_note(&path)).await.expect("it is noted")
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_is_cancelled() {
    for isolation in BOTH {
        let bench = Bench::new();
        let plugin = fickle().on("CANCEL", r#"note("cancelled", (long)id); pass(id, "late");"#);
        let plugin = bench.load(&plugin, isolation).await;
        drop_a_call(&bench, &plugin).await;
        assert!(noted(&bench, "cancelled").await > 0);
        assert!(run(&plugin, "calm", LONG).await.is_ok(), "a late reply is no breach");
        plugin.shutdown().await;
    }
}

#[tokio::test]
async fn a_plugin_that_ignores_its_cancellation_is_killed_and_started_again() {
    let bench = Bench::new();
    let plugin = bench.load(&fickle(), Isolation::Process).await;
    drop_a_call(&bench, &plugin).await;
    let first = noted(&bench, "begun").await;
    spawn_blocking(move || await_end(first)).await.unwrap();
    // Its end is known a little later than it happens: a call in between ends with it.
    let second = loop {
        match run(&plugin, "calm", LONG).await {
            Ok(second) => break second,
            Err(error) => assert_eq!(error.code(), "WG332", "{error}"),
        }
    };
    assert_ne!(second.parse(), Ok(first));
}

#[tokio::test]
async fn a_plugin_in_this_process_that_ignores_its_cancellation_is_wedged() {
    let bench = Bench::new();
    let plugin = moody().on("RUN", r#"note("begun", getpid()); hang();"#);
    let plugin = bench.load(&plugin, Isolation::InProcess).await;
    drop_a_call(&bench, &plugin).await;
    // Made in vain before it is known, and refused afterwards.
    for _ in 0..2 {
        let error = run(&plugin, "calm", LONG).await.unwrap_err();
        assert!(matches!(error, HostError::Wedged { .. }), "{error}");
    }
}

//! Nothing runs that was not verified: whose file it is, which bytes it has, and that those are what
//! is loaded, whatever happens to the file later.

use std::fs;

use wavegate_plugin_host::host_target;

use crate::app::{App, Part, assert_said};
use crate::moody::{moody, set_mode};

/// The app with a plugin that says when its code runs, in a place that only a running one can write.
fn app() -> App {
    let app = App::deployed();
    app.involve(Part::Strategy).add("moody", &moody().on("LOAD", r#"note("ran", getpid());"#), "");
    app
}

#[track_caller]
fn assert_refused(app: &App, words: &[&str]) {
    app.assert_refused(&[&["plugin `moody`"], words].concat());
    assert!(!app.plugins().join("ran").exists(), "its code ran");
}

#[test]
fn a_library_that_others_can_write_is_refused() {
    let app = app();
    set_mode(&app.library("moody"), 0o757);
    assert_refused(&app, &["WG303", "mode 0757", "chmod go-w"]);
}

#[test]
fn a_library_in_a_directory_that_others_can_write_is_refused() {
    let app = app();
    set_mode(&app.plugins(), 0o777);
    assert_refused(&app, &["WG303", "mode 0777", "chmod go-w"]);
}

#[test]
fn a_library_with_other_bytes_than_its_pin_is_refused() {
    let app = app();
    let pin = app.pin("moody");
    moody().on("LOAD", r#"note("ran", 1);"#).build(&app.plugins(), "moody");
    app.involve(Part::Strategy).name("moody", &pin);
    assert_refused(&app, &["WG304", "checksum mismatch", "wavegate plugin pin moody"]);
}

#[test]
fn a_library_without_a_pin_runs_on_the_local_cloud_and_is_warned_of() {
    let app = app();
    let done = app.assert_released();
    assert!(done.stderr.contains("WG305"), "{done}");
    assert!(app.plugins().join("ran").exists());
}

#[test]
fn a_library_without_a_pin_does_not_run_in_wavegates_own_process() {
    let app = App::deployed();
    let plugin = moody().on("LOAD", r#"note("ran", getpid());"#);
    app.involve(Part::Strategy).add("moody", &plugin, r#"isolation = "in-process""#);
    assert_refused(&app, &["WG305", "not pinned", "wavegate plugin pin moody"]);
}

#[test]
fn a_library_without_a_pin_does_not_run_for_aws() {
    let app = app();
    app.project.edit("deploy.toml", "target = 'local'", "target = 'aws'");
    app.project.edit(
        "deploy.toml",
        "[functions.hello]\n",
        "[functions.hello]\nrole = 'arn:aws:iam::000000000000:role/r'\n",
    );
    let refused = app.project.deploy().expect(2);
    assert_said(&refused, &["WG305", "plugin `moody` is not pinned", host_target()]);
    assert!(!app.plugins().join("ran").exists(), "its code ran");
}

#[test]
fn a_release_goes_on_with_what_was_verified_though_the_file_is_replaced_and_the_process_dies() {
    let app = App::deployed();
    // It dies once, after its library was replaced.
    let once = r#"if (!is_there("died")) { note("died", getpid()); abort(); }"#;
    app.involve(Part::Alarm).slow_down().add("moody", &moody().on("READ", once), "");
    let project = &app.project;
    project.edit("deploy.toml", "alarms = [", "hooks = { pre_traffic = ['hold'] }\nalarms = [");
    let hold = "\n[hooks.hold]\nuse = 'command'\ncommand = ['sh', 'hold.sh']\n";
    project.write("deploy.toml", &(project.read("deploy.toml") + hold));
    project.write("hold.sh", "until [ -e go ]; do sleep 0.01; done\n");

    let mut release = project.begin_deploy();
    release.wait("the hook", |event| event["event"] == "hook" && event["state"] == "running");
    // Another library in its place, and then the very bytes of that one overwritten.
    moody().on("LOAD", r#"note("ran", 1);"#).build(&app.plugins(), "moody");
    fs::write(app.library("moody"), "no library at all").unwrap();
    project.write("go", "");
    let done = release.finish().expect(0);
    assert!(app.plugins().join("died").exists(), "{done}");
    assert!(!app.plugins().join("ran").exists(), "{done}");
    assert_eq!(project.status().serves("hello"), Some(2), "{done}");
}

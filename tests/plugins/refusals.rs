//! Plugins that cannot be used: refused before anything is touched, with the code, the plugin and
//! what is wrong.

use std::fs;

use crate::app::{App, Part, assert_said};
use crate::host::BOTH;
use crate::moody::{Moody, moody};

/// A release with this plugin as its strategy is refused, wherever it is to run.
#[track_caller]
fn assert_refused(plugin: &Moody, words: &[&str]) {
    let app = App::deployed();
    for isolation in BOTH {
        app.involve(Part::Strategy).add_in(isolation, "moody", plugin);
        app.assert_refused(&[&["plugin `moody`"], words].concat());
    }
}

#[test]
fn one_for_another_major_of_the_abi() {
    let plugin = moody().with("ENTRY", "wavegate_plugin_init_v2");
    assert_refused(&plugin, &["WG306", "ABI v2", "speaks v1"]);
}

#[test]
fn one_for_another_architecture() {
    /// Where an ELF header names the machine, and a machine that is not this one.
    const MACHINE: usize = 18;
    let (word, other) =
        if cfg!(target_arch = "aarch64") { ("x86_64", 0x3e) } else { ("aarch64", 0xb7) };
    let app = App::deployed();
    app.involve(Part::Strategy).add("moody", &moody(), "");
    let mut bytes = fs::read(app.library("moody")).unwrap();
    bytes[MACHINE..MACHINE + 2].copy_from_slice(&u16::to_le_bytes(other));
    fs::write(app.library("moody"), bytes).unwrap();
    app.assert_refused(&["WG308", "plugin `moody`", word]);
}

#[test]
fn one_without_an_entry_point() {
    assert_refused(&moody().with("ENTRY", "start"), &["WG309", "no entry point"]);
}

#[test]
fn one_with_two_entry_points() {
    let second = "WAVEGATE_EXPORT wavegate_status wavegate_plugin_init_v1__second(
                  const wavegate_host *host, wavegate_plugin *plugin)
                  { return wavegate_plugin_init_v1(host, plugin); }";
    let words = ["WG310", "2 entry points", "wavegate_plugin_init_v1__second"];
    assert_refused(&moody().with("EXTRA", second), &words);
}

#[test]
fn one_that_lacks_a_symbol() {
    let plugin = moody().on("RUN", "extern void nowhere_to_be_found(void); nowhere_to_be_found();");
    assert_refused(&plugin, &["WG311", "nowhere_to_be_found"]);
}

#[test]
fn one_that_refuses_to_start_with_its_reason() {
    let plugin = moody().on("INIT", r#"complain(host, "no licence found"); return 2;"#);
    assert_refused(&plugin, &["WG312", "status 2", "no licence found"]);
}

#[test]
fn one_that_leaves_out_what_it_must_have() {
    assert_refused(&moody().on("READY", "plugin->call = NULL;"), &["WG313", "`call`"]);
}

#[test]
fn one_that_says_that_it_filled_less_than_it_must() {
    assert_refused(&moody().on("READY", "plugin->struct_size = 16;"), &["WG313", "`call`"]);
}

#[test]
fn one_that_never_finishes_starting() {
    assert_refused(&moody().on("INIT", "hang();"), &["WG314", "5s"]);
}

#[test]
fn one_that_never_says_what_it_is() {
    let words = ["WG330", "`plugin.describe`", "5s"];
    assert_refused(&moody().on("DESCRIBE", "hang();"), &words);
}

#[test]
fn one_that_speaks_another_protocol() {
    let plugin = moody().with("PROTOCOL", "JSON([2, 3])");
    assert_refused(&plugin, &["WG315", "2 to 3", "speaks 1"]);
}

#[test]
fn one_that_needs_what_this_wavegate_lacks() {
    let plugin = moody().with("REQUIRES", r#"JSON(["telepathy"])"#);
    assert_refused(&plugin, &["WG316", "telepathy"]);
}

fn with_strategies(ids: &[&str]) -> Moody {
    let declared = |id: &&str| format!(r#"{{"kind": "strategy", "id": "{id}"}}"#);
    let all: Vec<String> = ids.iter().map(declared).collect();
    moody().with("COMPONENTS", &format!("JSON({})", all.join(", ")))
}

#[test]
fn one_that_declares_a_component_twice() {
    assert_refused(&with_strategies(&["moody", "moody"]), &["WG319", "`moody` twice"]);
}

#[test]
fn one_that_would_shadow_what_ships_with_wavegate() {
    let words = ["WG319", "`canary`", "wavegate-plugin-canary"];
    assert_refused(&with_strategies(&["moody", "canary"]), &words);
}

#[test]
fn two_that_declare_the_same_component() {
    let app = App::deployed();
    app.involve(Part::Strategy).add("moody", &moody(), "").add("rival", &moody(), "");
    app.assert_refused(&["WG319", "plugin `rival`", "which plugin `moody` has too"]);
}

#[test]
fn all_that_are_bad_are_told_at_once_and_the_cloud_hears_nothing() {
    let app = App::deployed();
    let cloud = app.project.start_cloud(&[]);
    let alias = cloud.cloud.alias("hello", "live").json();
    let versions = cloud.cloud.versions("hello");
    app.involve(Part::Strategy)
        .add("moody", &moody().on("INIT", "abort();"), "")
        .add("old", &moody().with("ENTRY", "wavegate_plugin_init_v2"), "")
        .add("empty", &moody().with("ENTRY", "start"), "")
        .add("shy", &moody().on("INIT", r#"complain(host, "not in the mood"); return 1;"#), "")
        .name("gone", "");
    let before = cloud.cloud.calls();
    let refused = app.project.deploy().expect(2);
    assert_said(&refused, &["WG332 × the process of plugin `moody` ended"]);
    assert_said(&refused, &["WG306 × plugin `old`", "WG309 × plugin `empty`"]);
    assert_said(&refused, &["WG312 × plugin `shy`", "WG301 × could not read plugin `gone`"]);
    assert_eq!(cloud.cloud.calls(), before, "{refused}");
    assert_eq!(cloud.cloud.alias("hello", "live").json(), alias);
    assert_eq!(cloud.cloud.versions("hello"), versions);
}

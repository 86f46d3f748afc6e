//! The laws of plugins, tried with configs as people write them.

use std::path::Path;

use wavegate_plugin_sdk::serde_json::json;

#[test]
fn it_keeps_the_laws_of_plugins() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("backlog.txt");
    std::fs::write(&file, "3\n").expect("a file that can be read");
    wavegate_plugin_testkit::conformance(&probe::PLUGIN)
        .config("probe", json!({ "file": file, "max": 100 }))
        .config("probe", json!({ "file": "missing.txt", "max": 0.5 }))
        .run();
}

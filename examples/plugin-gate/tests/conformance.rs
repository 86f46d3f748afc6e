//! The laws of plugins, tried with a config as people write them.

use std::fs;
use std::path::Path;

use wavegate_plugin_sdk::serde_json::json;
use wavegate_plugin_testkit::Hooks;

#[test]
fn it_keeps_the_laws_of_plugins() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (file, note) = (dir.join("gate.txt"), dir.join("gate.txt.asked"));
    fs::write(&file, "open, says the test").expect("a file that can be read");
    fs::write(&note, "").expect("a file without a line");
    let lines = move || fs::read_to_string(&note).map_or(0, |text| text.lines().count() as u64);
    wavegate_plugin_testkit::conformance(&gate::PLUGIN)
        .config("gate", json!({ "file": file, "every": "1s" }))
        .run_hooks(Hooks::Run)
        // Asked twice with one key, it writes one line.
        .effects("gate", lines)
        .run();
}

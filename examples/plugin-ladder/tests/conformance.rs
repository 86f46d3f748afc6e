//! The laws of plugins, tried with configs as people write them.

use wavegate_plugin_sdk::serde_json::json;

#[test]
fn it_keeps_the_laws_of_plugins() {
    wavegate_plugin_testkit::conformance(&ladder::PLUGIN)
        .config("ladder", json!({ "rungs": [10, "50%"], "bake": "5m" }))
        .config("ladder", json!({ "rungs": [], "bake": "0s" }))
        .run();
}

//! Minor versions of the binary interface: a plugin that knows less of it than this host, and one
//! that knows more.

use std::time::Duration;

use wavegate_plugin_host::HostError;

use crate::host::{BOTH, Bench, LONG, run};
use crate::moody::{Moody, moody};

/// Asks, asks in vain and cancels, asks again, and ends it, wherever it runs.
async fn assert_works(moody: &Moody) {
    for isolation in BOTH {
        let bench = Bench::new();
        let plugin = bench.load(moody, isolation).await;
        assert_eq!(run(&plugin, "calm", LONG).await, Ok("fine".to_owned()));
        let late = run(&plugin, "never", Duration::from_millis(1)).await;
        assert!(matches!(late, Err(HostError::NoAnswer { .. })), "{late:?}");
        // The cancellation is on its way, or over.
        tokio::task::yield_now().await;
        assert_eq!(run(&plugin, "calm", LONG).await, Ok("fine".to_owned()));
        plugin.shutdown().await;
    }
}

/// Whether it replies depends on the config.
fn fickle() -> Moody {
    moody().on("RUN", r#"if (strstr(text, "never")) return;"#)
}

#[tokio::test]
async fn a_plugin_that_knows_only_calls_is_never_cancelled_nor_shut_down() {
    // What lies behind what it filled is nobody's to look at.
    let older = "plugin->struct_size = offsetof(wavegate_plugin, cancel);
                 plugin->cancel = (void (*)(void *, uint64_t))8;
                 plugin->shutdown = (void (*)(void *))8;";
    assert_works(&fickle().on("READY", older)).await;
}

#[tokio::test]
async fn a_plugin_that_leaves_out_what_it_may_is_never_cancelled_nor_shut_down() {
    assert_works(&fickle().on("READY", "plugin->cancel = NULL; plugin->shutdown = NULL;")).await;
}

#[tokio::test]
async fn a_plugin_that_knows_more_fills_no_more_than_there_is_room_for() {
    let newer = "struct newer { wavegate_plugin known; void (*later)(void *); };
                 uint32_t own = sizeof(struct newer), room = plugin->struct_size;
                 if (room >= own) ((struct newer *)plugin)->later = shut_down;
                 plugin->struct_size = room < own ? room : own; plugin->abi_minor = 1;";
    assert_works(&fickle().on("READY", newer)).await;
}

#[tokio::test]
async fn a_plugin_that_claims_to_have_filled_more_than_there_was_is_not_believed() {
    assert_works(&fickle().on("READY", "plugin->struct_size = 4096;")).await;
}

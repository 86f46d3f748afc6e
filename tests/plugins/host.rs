//! A host of plugins without a release around it: for what a release would not show.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use wavegate_plugin_host::{
    Expect, HookCall, Host, HostError, Isolation, Launcher, LibrarySpec, Limits, Plugin, inspect,
};
use wavegate_plugin_protocol::{HookOutcome, HostIdentity};
use wavegate_tests::binary::wavegate;

use crate::moody::{Moody, set_mode};

/// Where a plugin's code runs when it is loaded.
pub(crate) const BOTH: [Isolation; 2] = [Isolation::InProcess, Isolation::Process];

/// More time than any call takes.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// A host, and a directory for its plugin.
#[derive(Debug)]
pub(crate) struct Bench {
    dir: TempDir,
    host: Host,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = TempDir::with_prefix("wavegate-plugins-").expect("a temporary directory");
        set_mode(dir.path(), 0o700);
        let host = Host {
            identity: HostIdentity { name: "wavegate-tests".to_owned(), version: "1".to_owned() },
            launcher: Launcher {
                program: wavegate().to_owned(),
                arguments: vec!["plugin-host".into()],
            },
            cache: dir.path().join("cache"),
        };
        Self { dir, host }
    }

    /// Where the plugin leaves its notes.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Builds a plugin, pins it and loads it.
    pub(crate) async fn load(&self, moody: &Moody, isolation: Isolation) -> Plugin {
        let path = moody.build(self.dir(), "moody");
        let pin = inspect(&path).expect("a library").sha256;
        let spec = LibrarySpec {
            name: "moody".to_owned(),
            path,
            expect: Expect::Pinned(pin),
            isolation,
            limits: Limits::default(),
            environment: Vec::new(),
        };
        Plugin::load(&self.host, &spec).await.expect("a plugin")
    }
}

/// Runs the hook `moody`. What `mood` says is in the message.
pub(crate) async fn run(
    plugin: &Plugin,
    mood: &str,
    deadline: Duration,
) -> Result<String, HostError> {
    let config: Value = json!({ "mood": mood });
    let event = json!({
        "app": "shop", "release": "r", "release_number": 1, "function": "hello", "alias": "live",
        "phase": "pre_traffic", "candidate": { "version": "2", "arn": "" }, "weight_bp": 0,
        "cloud": { "region": "us-east-1", "local": true },
    });
    let ran = plugin.run_hook(HookCall {
        component: "moody",
        config: &config,
        event: serde_json::from_value(event).expect("an event"),
        deadline,
        attempt: 1,
        idempotency_key: "r/hello/0".to_owned(),
    });
    match ran.await? {
        HookOutcome::Pass { detail } => Ok(detail),
        other => panic!("it did not pass: {other:?}"),
    }
}

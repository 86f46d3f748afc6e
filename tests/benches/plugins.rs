//! What it costs where a plugin runs: one question, thousands of hooks at once, and the start.
//!
//! `cargo bench -p wavegate-tests --bench plugins`. The plugins' processes are this very program,
//! started again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wavegate_plugin_host::{
    ChildArgs, Expect, HookCall, Host, Isolation, Launcher, LibrarySpec, Limits, Plugin, inspect,
    run_child,
};
use wavegate_plugin_protocol::{
    CloudAccess, HookEvent, HookPhase, HostIdentity, Observation, VersionRef, WeightBp,
};
use wavegate_tests::library::{Panics, library};

/// The first argument when this program is a plugin's process.
const CHILD: &str = "plugin-host";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == CHILD) {
        return if run_child(child_args(&arguments[2..])).is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    divan::main();
    ExitCode::SUCCESS
}

/// What the host says to its child: pairs of a flag and a value.
fn child_args(arguments: &[String]) -> ChildArgs {
    let value = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag).expect("the flag");
        arguments[at + 1].clone()
    };
    ChildArgs {
        name: value("--name"),
        library: value("--library").into(),
        entry: value("--entry"),
        memory_bytes: value("--memory-bytes").parse().expect("a number"),
        log_level: value("--log-level").parse().expect("a number"),
    }
}

fn built_in(name: &str) -> PathBuf {
    library(&format!("wavegate-plugin-{name}"), Panics::Unwind)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn host(cache: &Path) -> Host {
    Host {
        identity: HostIdentity { name: "bench".to_owned(), version: "0".to_owned() },
        launcher: Launcher {
            program: PathBuf::from("/proc/self/exe"),
            arguments: vec![CHILD.into()],
        },
        cache: cache.to_owned(),
    }
}

fn spec(name: &str, library: &Path, isolation: Isolation) -> LibrarySpec {
    LibrarySpec {
        name: name.to_owned(),
        path: library.to_owned(),
        expect: Expect::Pinned(inspect(library).expect("a plugin").sha256),
        isolation,
        limits: Limits { in_flight: 10_000, ..Limits::default() },
        environment: Vec::new(),
    }
}

/// A plugin, and the runtime that it is asked on.
fn started(library: &Path, isolation: Isolation) -> (Runtime, Arc<Plugin>, tempfile::TempDir) {
    let (runtime, cache) = (runtime(), tempfile::tempdir().expect("a directory"));
    let plugin = runtime
        .block_on(Plugin::load(&host(cache.path()), &spec("bench", library, isolation)))
        .expect("the plugin starts");
    (runtime, Arc::new(plugin), cache)
}

const WAYS: [Isolation; 2] = [Isolation::InProcess, Isolation::Process];

/// One decision of a canary, from the question to the answer.
#[divan::bench(args = WAYS, sample_count = 200, sample_size = 50)]
fn a_decision(bencher: divan::Bencher<'_, '_>, isolation: Isolation) {
    let (runtime, plugin, _cache) = started(&built_in("canary"), isolation);
    let config = json!({ "percent": 10, "bake": "10m" });
    bencher.bench_local(|| {
        runtime.block_on(async {
            let seen = Observation::default();
            plugin.decide("canary", &config, Value::Null, seen).await.expect("a decision")
        })
    });
}

/// Five thousand hooks of 200 ms at the same time.
#[divan::bench(args = WAYS, sample_count = 5, sample_size = 1)]
fn hooks_5000_of_200_ms(bencher: divan::Bencher<'_, '_>, isolation: Isolation) {
    let (runtime, plugin, _cache) = started(&built_in("moody"), isolation);
    let config = json!({ "mood": "slow" });
    bencher.bench_local(|| {
        runtime.block_on(async {
            let calls = (0..5_000).map(|number| plugin.run_hook(hook(&config, number)));
            let answers = join_all(calls).await;
            assert!(answers.iter().all(Result::is_ok), "{:?}", answers.iter().find(|a| a.is_err()));
        });
    });
}

fn hook(config: &Value, number: u32) -> HookCall<'_> {
    let version = |version: &str| VersionRef { version: version.to_owned(), arn: String::new() };
    HookCall {
        component: "moody",
        config,
        event: HookEvent {
            app: "shop".to_owned(),
            release: "r".to_owned(),
            release_number: 1,
            function: "auth".to_owned(),
            alias: "live".to_owned(),
            phase: HookPhase::PreTraffic,
            stable: Some(version("1")),
            candidate: version("2"),
            weight_bp: WeightBp::NONE,
            reason: None,
            cloud: CloudAccess::default(),
        },
        deadline: Duration::from_mins(1),
        attempt: 1,
        idempotency_key: format!("bench/{number}"),
    }
}

/// From ten paths to ten plugins that have said what they are, all at once, with their private
/// copies in place.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn loading_ten_isolated_plugins(bencher: divan::Bencher<'_, '_>) {
    let (runtime, cache) = (runtime(), tempfile::tempdir().expect("a directory"));
    let host = host(cache.path());
    let specs: Vec<LibrarySpec> = ["canary", "linear", "all-at-once", "steps"]
        .into_iter()
        .cycle()
        .take(10)
        .map(|name| spec(name, &built_in(name), Isolation::Process))
        .collect();
    let load = || runtime.block_on(join_all(specs.iter().map(|spec| Plugin::load(&host, spec))));
    // The copies are made.
    assert!(load().iter().all(Result::is_ok));
    bencher.bench_local(load);
}

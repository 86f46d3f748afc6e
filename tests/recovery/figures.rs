//! Figures for people, printed on demand:
//! `cargo test -p wavegate-tests --test recovery -- --ignored --nocapture figures`.
//!
//! Every call takes 100 ms more than the local cloud needs, in real time, under Lambda's own limit of
//! fifteen calls a second.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;
use wavegate_local::Options;
use wavegate_tests::binary::Project;
use wavegate_tests::hosted::{Hosted, Signpost};
use wavegate_tests::proxy::{Deed, Entry, Proxy};

use crate::pair;

const LATENCY: Duration = Duration::from_millis(100);

const HEAD: &str = r#"
[app]
name = "many"
max_parallel = 64
requests_per_second = 15
target = "local"

[defaults]
runtime = "python3.13"
handler = "app.handler"
strategy = "AllAtOnce"
bake = "1s"
code = "functions/one"
"#;

fn slow() -> Deed {
    Deed { hold: LATENCY, ..Deed::pass() }
}

#[expect(clippy::disallowed_methods, reason = "the figure is one of real time")]
fn now() -> Instant {
    Instant::now()
}

/// Real time from the word to the last alias that is written back, to the last that was read to be
/// back, and to the end of the process.
fn from_abort_to_all_old(count: usize) -> [Duration; 3] {
    let project = Project::new();
    let mut manifest = HEAD.to_owned();
    for number in 0..count {
        let _ = writeln!(manifest, "\n[functions.f{number:02}]");
    }
    project.write("deploy.toml", &manifest);
    let code = |text: &str| format!("def handler(event, context):\n    return \"{text}\"\n");
    project.write("functions/one/app.py", &code("one"));
    let dir = TempDir::with_prefix("wavegate-figures-").expect("a directory");
    {
        // The first deploy is not what is measured.
        let cloud = Hosted::start(dir.path(), 60.0);
        let _sign = Signpost::put_up(&project, &cloud.record_at(&cloud.direct.url));
        project.edit("deploy.toml", "requests_per_second = 15", "requests_per_second = 1000");
        let _ = project.deploy().expect(0);
        project.edit("deploy.toml", "requests_per_second = 1000", "requests_per_second = 15");
    }
    let mut options = Options::new(dir.path());
    options.requests_per_second = Some(15);
    let cloud = Hosted::start_with(options);
    let proxy = Proxy::start(&cloud.direct.url, cloud.clock());
    let _sign = Signpost::put_up(&project, &cloud.record_at(&proxy.url));
    project.write("functions/one/app.py", &code("two"));
    project.edit("deploy.toml", "\"AllAtOnce\"", "\"Canary10Percent1000Minutes\"");
    proxy.arm(|_| slow());
    let mut deploy = project.begin_deploy();
    for _ in 0..count {
        deploy.wait("a weight", |event| event["event"] == "weight");
    }
    let said = now();
    let said_ms = cloud.clock().now_ms();
    deploy.signal(Signal::SIGINT);
    for _ in 0..count {
        deploy.wait("an alias that is back", |event| event["event"] == "put_back");
    }
    let proven = said.elapsed();
    let is_back = |entry: &&Entry| {
        entry.call.operation == "UpdateAlias" && entry.call.object.ends_with(":live")
    };
    let written = proxy.log().iter().filter(is_back).map(|entry| entry.call.at_ms).max();
    let written = u64::try_from(written.unwrap_or_default() - said_ms).unwrap_or_default();
    let _ = deploy.finish().expect(1);
    [Duration::from_millis(written) + LATENCY, proven, said.elapsed()]
}

#[test]
#[ignore = "prints figures"]
fn figures_of_an_abort() {
    for count in [1, 50] {
        let [written, proven, ended] = from_abort_to_all_old(count);
        println!(
            "abort, {count} functions: all written back after {written:.1?}, all read to be back \
             after {proven:.1?}, ended after {ended:.1?}"
        );
    }
}

#[test]
#[ignore = "prints figures"]
fn figures_of_a_foreign_edit() {
    const SCALE: f64 = 10.0;
    let prepared = pair::prepared(SCALE, "100h");
    let mut noticed = Vec::new();
    for round in 0..5_u64 {
        let trial = prepared.copy();
        trial.proxy.arm(|_| slow());
        let mut deploy = trial.begin_deploy();
        deploy.wait_weight("auth", 1000);
        // Not always at the same time since the last look.
        trial.cloud.pass(Duration::from_secs(20 + 3 * round));
        let theirs = json!({ "FunctionVersion": "1", "Description": "hotfix",
            "RoutingConfig": { "AdditionalVersionWeights": {} } });
        let edited_ms = trial.cloud.clock().now_ms();
        trial.cloud.direct.update_alias("auth", "live", &theirs).json();
        let ended = deploy.finish();
        let log = trial.proxy.log();
        let reads = |entry: &&Entry| {
            entry.call.at_ms > edited_ms && entry.call.name().starts_with("GetAlias auth:live")
        };
        let seen = log.iter().find(reads).map_or(0, |entry| entry.call.at_ms - edited_ms);
        let told = ended.about("contested", "auth");
        let believed = told.first().and_then(|event| event["at_ms"].as_i64()).unwrap_or_default();
        noticed.push((seen, believed - edited_ms, ended.code));
    }
    for (seen, believed, code) in noticed {
        let seconds = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        println!(
            "a foreign edit: read after {:.1?}, believed after {:.1?} of release time; exit {code:?}",
            seconds(seen),
            seconds(believed)
        );
    }
}

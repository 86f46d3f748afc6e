//! Laws of the hook, with real commands.

use std::time::Duration;

use serde_json::{Value, json};
use wavegate_plugin_sdk::{
    CallContext, CancellationToken, CloudAccess, DynHook, HookEvent, HookOutcome, HookPhase,
    PluginError, VersionRef, WeightBp,
};

use crate::Command;

const HOOK: &dyn DynHook = &Command;

fn event() -> HookEvent {
    HookEvent {
        app: "shop".into(),
        release: "r-7".into(),
        release_number: 7,
        function: "shop-auth".into(),
        alias: "live".into(),
        phase: HookPhase::PreTraffic,
        stable: Some(VersionRef { version: "4".into(), arn: "arn:4".into() }),
        candidate: VersionRef { version: "5".into(), arn: "arn:5".into() },
        weight_bp: WeightBp::new(1_250).unwrap(),
        reason: None,
        cloud: CloudAccess {
            region: "eu-west-1".into(),
            endpoint_url: Some("http://127.0.0.1:9".into()),
            local: true,
            ..CloudAccess::default()
        },
    }
}

fn cx() -> CallContext {
    CallContext::new(Duration::from_mins(1), "k-1").with_attempt(2)
}

async fn shell(script: &str) -> HookOutcome {
    run(json!({"command": ["sh", "-c", script]})).await
}

async fn run(config: Value) -> HookOutcome {
    HOOK.run(&cx(), &config, event()).await.unwrap()
}

#[tokio::test]
async fn the_exit_code_is_the_verdict() {
    let pass = HookOutcome::Pass { detail: "all good".into() };
    assert_eq!(shell("echo all good").await, pass);
    let not_yet = HookOutcome::Retry { after_ms: 30_000, detail: "warming".into() };
    assert_eq!(shell("echo warming; exit 75").await, not_yet);
    for (script, reason) in [
        ("echo broken >&2; exit 3", "`sh` exited with 3\nbroken"),
        ("exit 1", "`sh` exited with 1"),
        ("kill -TERM $$", "`sh` was killed by SIGTERM"),
    ] {
        assert_eq!(shell(script).await, HookOutcome::Fail { reason: reason.into() }, "{script}");
    }
}

#[tokio::test]
async fn both_streams_keep_their_order_and_lose_their_control_characters() {
    let outcome = shell("echo one; echo two >&2; printf '\\033[31mthree\\033[0m\\n'; exit 1").await;
    let reason = "`sh` exited with 1\none\ntwo\nthree".to_owned();
    assert_eq!(outcome, HookOutcome::Fail { reason });
}

#[tokio::test]
async fn a_flood_of_output_neither_blocks_the_command_nor_is_kept() {
    let outcome = shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done").await;
    let HookOutcome::Pass { detail } = outcome else { panic!("{outcome:?}") };
    assert_eq!(detail.lines().count(), 20);
    assert!(detail.ends_with("line 19999"), "{detail}");
}

#[tokio::test]
async fn the_command_learns_what_it_judges_and_where() {
    let mut detail = String::new();
    for prefix in ["WAVEGATE", "AWS"] {
        let script = format!("env | grep '^{prefix}_' | LC_ALL=C sort; echo ${{MORE}}");
        let config = json!({
            "command": ["sh", "-c", script], "env": {"MORE": "more", "AWS_REGION": "mine"},
        });
        let outcome = run(config).await;
        let HookOutcome::Pass { detail: variables } = outcome else { panic!("{outcome:?}") };
        detail = format!("{detail}{variables}\n");
    }
    // A machine that runs the test may have variables of its own.
    for expected in [
        "AWS_ACCESS_KEY_ID=wavegate",
        "AWS_DEFAULT_REGION=eu-west-1",
        "AWS_ENDPOINT_URL=http://127.0.0.1:9",
        "AWS_REGION=mine",
        "AWS_SECRET_ACCESS_KEY=wavegate",
        "WAVEGATE_ATTEMPT=2",
        "WAVEGATE_CANDIDATE_ARN=arn:5",
        "WAVEGATE_FUNCTION=shop-auth",
        "WAVEGATE_IDEMPOTENCY_KEY=k-1",
        "WAVEGATE_PHASE=pre_traffic",
        "WAVEGATE_RELEASE_NUMBER=7",
        "WAVEGATE_STABLE_VERSION=4",
        "WAVEGATE_WEIGHT=12.5",
        "WAVEGATE_WEIGHT_BP=1250",
        "more",
    ] {
        assert!(detail.lines().any(|line| line == expected), "{expected} not in\n{detail}");
    }
    assert!(!detail.contains("WAVEGATE_REASON"), "{detail}");
}

#[tokio::test]
async fn the_words_of_the_command_see_no_shell() {
    let outcome = run(json!({"command": ["echo", "$HOME; exit 3", "*"]})).await;
    assert_eq!(outcome, HookOutcome::Pass { detail: "$HOME; exit 3 *".into() });
}

#[tokio::test]
async fn it_runs_in_the_directory_that_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let outcome = run(json!({"command": ["pwd", "-P"], "cwd": path})).await;
    assert_eq!(outcome, HookOutcome::Pass { detail: path.display().to_string() });
    let outcome = run(json!({"command": ["pwd"], "cwd": path.join("nowhere")})).await;
    let HookOutcome::Fail { reason } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("there is no directory"), "{reason}");
}

#[tokio::test]
async fn a_program_that_is_not_there_fails_closed_and_says_so() {
    let outcome = run(json!({"command": ["no-such-program-anywhere"]})).await;
    let HookOutcome::Fail { reason } = outcome else { panic!("{outcome:?}") };
    assert!(reason.starts_with("could not run `no-such-program-anywhere`"), "{reason}");
    assert!(reason.ends_with("is it installed and in PATH?"), "{reason}");
}

/// A script whose grandchild says that it lives by holding a FIFO open for writing, and the reading
/// end of that FIFO: it ends when the last writer is gone.
struct Lingering {
    directory: tempfile::TempDir,
}

impl Lingering {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(directory.path().join("fifo")).status();
        assert!(made.unwrap().success());
        Self { directory }
    }

    fn script(&self, then: &str) -> String {
        let fifo = self.directory.path().join("fifo");
        format!("exec 9>{}; echo alive >&9; sleep 600 & {then}", fifo.display())
    }

    /// Waits until a writer came, and hands back what tells when all of them are gone.
    async fn met(&self) -> Writers {
        let fifo = self.directory.path().join("fifo");
        let (met, meets) = tokio::sync::oneshot::channel();
        let gone = tokio::task::spawn_blocking(move || {
            use std::io::{BufRead, BufReader, Read};
            let mut reader = BufReader::new(std::fs::File::open(fifo).unwrap());
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let _ = met.send(());
            reader.read_to_string(&mut line).unwrap();
        });
        meets.await.unwrap();
        Writers(gone)
    }
}

/// Those who hold the FIFO open.
struct Writers(tokio::task::JoinHandle<()>);

impl Writers {
    async fn are_gone(self) {
        tokio::time::timeout(Duration::from_secs(20), self.0).await.expect("still alive").unwrap();
    }
}

#[tokio::test]
async fn cancellation_kills_the_command_and_all_that_it_started() {
    let lingering = Lingering::new();
    let config = json!({"command": ["sh", "-c", lingering.script("wait")]});
    let cancel = CancellationToken::new();
    let cx = cx().with_cancel(cancel.clone());
    let (outcome, writers) = tokio::join!(HOOK.run(&cx, &config, event()), async {
        let writers = lingering.met().await;
        cancel.cancel();
        writers
    });
    assert_eq!(outcome.unwrap_err().code(), PluginError::CANCELLED);
    writers.are_gone().await;
}

#[tokio::test]
async fn the_deadline_kills_the_command_and_all_that_it_started() {
    let lingering = Lingering::new();
    let config = json!({"command": ["sh", "-c", lingering.script("wait")]});
    let cx = CallContext::new(Duration::from_secs(1), "k");
    let (outcome, writers) = tokio::join!(HOOK.run(&cx, &config, event()), lingering.met());
    assert_eq!(outcome.unwrap_err().code(), PluginError::DEADLINE);
    writers.are_gone().await;
}

#[tokio::test]
async fn what_a_command_leaves_behind_neither_holds_the_verdict_nor_lives_on() {
    let lingering = Lingering::new();
    let config = json!({"command": ["sh", "-c", lingering.script("echo done")]});
    let cx = cx();
    let (outcome, writers) = tokio::join!(HOOK.run(&cx, &config, event()), lingering.met());
    assert_eq!(outcome.unwrap(), HookOutcome::Pass { detail: "done".into() });
    writers.are_gone().await;
}

#[test]
fn a_config_that_cannot_run_is_told_at_plan_time() {
    for (config, path) in [
        (json!({"command": []}), "command"),
        (json!({"command": [""]}), "command"),
        (json!({"command": "pytest -q"}), "command"),
        (json!({}), "command"),
        (json!({"command": ["a"], "env": {"A=B": "x"}}), "env.A=B"),
        (json!({"command": ["a"], "env": {"WAVEGATE_PHASE": "x"}}), "env.WAVEGATE_PHASE"),
        (json!({"command": ["a"], "env": {"A": 1}}), "env.A"),
        (json!({"command": ["a", "b\u{0}"]}), "command[1]"),
        (json!({"command": ["a"], "shell": true}), "shell"),
    ] {
        let found = HOOK.validate(&config).unwrap();
        assert_eq!(found.len(), 1, "{config}: {found:?}");
        assert_eq!(found[0].path, path, "{config}");
    }
    assert_eq!(
        HOOK.validate(&json!({"command": ["a"], "cwd": "x", "env": {"A": "b"}})).unwrap(),
        []
    );
}

//! The laws of the C ABI, on libraries written in C, in processes of their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use wavegate_plugin_host::{Host, Isolation, Launcher};
use wavegate_plugin_protocol::HostIdentity;
use wavegate_plugin_testkit::{Given, Kit, Options, Outcome, Report, Subject};

use crate::{held, the_one_broken};

/// Compiles the plugin with a fault.
fn library(dir: &Path, fault: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = dir.join("libfile.so");
    let done = Command::new("cc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
        ])
        .args(["-pthread", "-D", fault])
        .arg("-I")
        .arg(root.join("../wavegate-plugin-protocol/include"))
        .arg("-o")
        .arg(&output)
        .arg(root.join("tests/support/tiny.c"))
        .output()
        .expect("the tests need a C compiler");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    set_mode(&output);
    output
}

/// Whatever the umask is.
fn set_mode(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// How long a call may take here: a plugin that hangs is waited for.
const CALL_WITHIN: Duration = Duration::from_secs(2);

fn checked(fault: &str, isolation: Isolation) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let library = library(dir.path(), fault);
    let launcher = |verb: &str| Launcher {
        program: env!("CARGO_BIN_EXE_plugin-child").into(),
        arguments: vec![verb.into()],
    };
    let host = Host {
        identity: HostIdentity { name: "test".into(), version: "0".into() },
        launcher: launcher("plugin-host"),
        cache: dir.path().join("cache"),
    };
    let kit = Kit::new(host, launcher("plugin-laws"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let config = Given { component: "tiny".into(), config: json!({}) };
    let options = Options { seed: Some(7), configs: vec![config], ..Options::default() };
    let mut subject = Subject::library(&library, isolation);
    if let Subject::Library(spec) = &mut subject {
        spec.limits.call = CALL_WITHIN;
    }
    let checking = async move { kit.check(&subject, &options).await };
    // A program with a runtime of many threads may check, too.
    runtime.block_on(async { tokio::spawn(checking).await.unwrap().unwrap() })
}

#[test]
fn a_plugin_in_c_keeps_every_law_wherever_it_runs() {
    for isolation in [Isolation::Process, Isolation::InProcess] {
        let report = checked("NO_FAULT", isolation);
        assert!(report.is_ok(), "{report}");
        assert_eq!(report.plugin, "tiny", "as it says, not as its file");
        for law in [
            "the larger structs of a newer host are taken",
            "the smaller structs of an older host are kept to",
            "structs that are too small for any version are refused",
            "NULL is refused",
            "a method that it does not know is an error",
            "a message that is no call is an error",
            "a reply carries the id of its call, whatever the message says",
            "a protocol that it does not speak is an error",
            "a message of 16 MiB is answered",
            "a call after the shutdown is refused",
            "to cancel what is not under way does nothing",
            "10000 calls from 64 threads are replied to once each",
            "nothing is written to standard output",
            "the environment, the directory and the signal handlers stay as they are",
            "an error carries a dotted code and words",
            "whatever it sees, it decides",
        ] {
            assert!(held(&report, law), "{law}: {report}");
        }
    }
}

/// Each fault, the one law that it breaks, and a word of what is said about it.
macro_rules! mutants {
    ($($test:ident: $fault:ident breaks $law:literal saying $words:literal;)*) => {$(
        #[test]
        fn $test() {
            let report = checked(stringify!($fault), Isolation::Process);
            let (law, breach) = the_one_broken(&report);
            assert_eq!(law.law, $law, "{report}");
            assert!(breach.words.contains($words), "{report}");
        }
    )*};
}

mutants! {
    a_plugin_that_insists_on_its_own_sizes_is_caught: EXACT_SIZES breaks
        "the larger structs of a newer host are taken" saying "did not start (status 2)";
    a_plugin_that_writes_beyond_its_struct_is_caught: WRITES_BEYOND breaks
        "the smaller structs of an older host are kept to" saying "wrote `cancel`";
    a_plugin_that_calls_beyond_the_hosts_struct_is_caught: CALLS_BEYOND breaks
        "the smaller structs of an older host are kept to" saying "called `log`";
    a_plugin_that_looks_at_no_size_is_caught: ANY_SIZE breaks
        "structs that are too small for any version are refused" saying "where there is no room";
    a_plugin_that_reads_at_null_is_caught: READS_NULL breaks
        "NULL is refused" saying "signal: 11 (SIGSEGV)";
    a_plugin_that_answers_any_method_is_caught: ANY_METHOD breaks
        "a method that it does not know is an error" saying "it answered a method";
    a_plugin_that_answers_nonsense_is_caught: ANY_MESSAGE breaks
        "a message that is no call is an error" saying "it answered";
    a_plugin_that_echoes_another_id_is_caught: ECHOES_ID breaks
        "a reply carries the id of its call, whatever the message says" saying "call 8, which was never made";
    a_plugin_that_speaks_any_protocol_is_caught: ANY_PROTOCOL breaks
        "a protocol that it does not speak is an error" saying "4294967295";
    a_plugin_with_a_small_buffer_is_caught: SMALL_BUFFER breaks
        "a message of 16 MiB is answered" saying "signal: 6 (SIGABRT)";
    a_plugin_that_answers_after_its_end_is_caught: IMMORTAL breaks
        "a call after the shutdown is refused" saying "status 0 instead of 3";
    a_plugin_that_replies_to_a_stray_cancel_is_caught: REPLIES_TO_CANCEL breaks
        "to cancel what is not under way does nothing" saying "call 1, which was never made";
    a_plugin_that_is_not_made_for_threads_is_caught: REPLIES_TWICE breaks
        "10000 calls from 64 threads are replied to once each" saying "call 5000 has 2 replies";
    a_plugin_that_prints_is_caught: PRINTS breaks
        "nothing is written to standard output" saying "were written";
    a_plugin_that_changes_a_variable_is_caught: SETS_VARIABLE breaks
        "the environment, the directory and the signal handlers stay as they are"
        saying "the variable `TINY`";
    a_plugin_that_changes_the_directory_is_caught: CHANGES_DIRECTORY breaks
        "the environment, the directory and the signal handlers stay as they are"
        saying "the working directory";
    a_plugin_that_takes_a_signal_is_caught: TAKES_SIGNAL breaks
        "the environment, the directory and the signal handlers stay as they are"
        saying "what happens at SIGTERM was changed while it was loaded";
    a_plugin_whose_errors_have_no_code_is_caught: NO_CODE breaks
        "an error carries a dotted code and words" saying "is no code";
    a_plugin_that_crashes_in_a_decision_is_caught: CRASHES breaks
        "whatever it sees, it decides" saying "SIGSEGV";
    a_plugin_that_hangs_in_a_decision_is_caught: HANGS_AT_THE_END breaks
        "whatever it sees, it decides" saying "did not answer `strategy.decide`";
}

/// A language's runtime does so before any of the plugin's own code runs.
#[test]
fn a_plugin_may_take_the_signals_of_faults() {
    let report = checked("TAKES_FAULTS", Isolation::Process);
    assert!(report.is_ok(), "{report}");
    let law = "the environment, the directory and the signal handlers stay as they are";
    assert!(held(&report, law), "{report}");
}

/// One case is waited for, and no law hides what it did not try.
#[test]
fn a_plugin_that_hangs_is_told_by_one_case_and_asked_no_more() {
    for isolation in [Isolation::Process, Isolation::InProcess] {
        let report = checked("HANGS", isolation);
        let (law, breach) = the_one_broken(&report);
        assert_eq!(law.law, "no config breaks it", "{report}");
        assert!(breach.words.contains("did not answer `strategy.decide`"), "{report}");
        assert!(breach.config.is_some(), "{report}");
        let silent = Outcome::Skipped { why: "not tried: it does not answer".to_owned() };
        let place = report.laws.iter().position(|other| other == law).unwrap();
        let later = &report.laws[place + 1..];
        assert_eq!(later.len(), 12, "{report}");
        assert!(later.iter().all(|law| law.outcome == silent), "{report}");
    }
}

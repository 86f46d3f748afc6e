//! Every error of a plugin as people read it: its text, its code, its hint.

use std::error::Error as _;

use super::*;

fn pin(digit: &str) -> Pin {
    digit.repeat(64).parse().unwrap()
}

fn io() -> IoFault {
    io::Error::from_raw_os_error(13).into()
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// Errors about the file.
fn of_the_file() -> Vec<HostError> {
    let plugin = || "ladder".to_owned();
    let path = || PathBuf::from("plugins/ladder");
    vec![
        HostError::Missing { plugin: plugin(), tried: vec![path(), "plugins/libladder.so".into()] },
        HostError::Unreadable { plugin: plugin(), path: path(), operation: "open", source: io() },
        HostError::TooLarge { plugin: plugin(), path: path(), limit: 256 << 20 },
        HostError::NotAFile { plugin: plugin(), path: path(), found: "a directory" },
        HostError::Untrusted {
            plugin: plugin(),
            findings: vec![
                Finding { path: "/srv".into(), exposure: Exposure::OwnedBy { uid: 1001 } },
                Finding {
                    path: "/srv/x.so".into(),
                    exposure: Exposure::WritableByOthers { mode: 0o666 },
                },
            ],
        },
        HostError::PinMismatch { plugin: plugin(), expected: pin("a"), found: pin("0") },
        HostError::Unpinned { plugin: plugin(), target: "x86_64-unknown-linux-gnu".to_owned() },
        HostError::OtherAbi { plugin: plugin(), found: vec![2, 3], spoken: 1 },
        HostError::OtherAbi { plugin: plugin(), found: vec![1], spoken: 2 },
        HostError::NotALibrary { plugin: plugin(), reason: "it is an executable".to_owned() },
        HostError::OtherPlatform {
            plugin: plugin(),
            found: "aarch64 (ELF)".to_owned(),
            host: "x86_64 (ELF)".to_owned(),
        },
        HostError::NoEntry { plugin: plugin(), path: path() },
        HostError::ManyEntries {
            plugin: plugin(),
            entries: strings(&["wavegate_plugin_init_v1", "wavegate_plugin_init_v1__b"]),
        },
        HostError::StaticBuild { plugin: plugin() },
        HostError::Store {
            plugin: plugin(),
            path: "/home/me/.wavegate/plugins".into(),
            operation: "write to",
            source: IoFault { kind: io::ErrorKind::StorageFull, text: "disk full".to_owned() },
        },
    ]
}

/// Errors of starting it.
fn of_the_start() -> Vec<HostError> {
    let plugin = || "ladder".to_owned();
    let limit = Duration::from_secs(5);
    vec![
        HostError::LoaderRefused { plugin: plugin(), detail: "undefined symbol: f".to_owned() },
        HostError::RefusedToStart {
            plugin: plugin(),
            status: 2,
            last_words: Some("no licence".to_owned()),
        },
        HostError::RefusedToStart { plugin: plugin(), status: 4, last_words: None },
        HostError::MissingFunction { plugin: plugin(), function: "call".to_owned() },
        HostError::StartTimeout { plugin: plugin(), limit },
        HostError::OtherProtocol { plugin: plugin(), theirs: (2, 3), ours: (1, 1) },
        HostError::OtherProtocol { plugin: plugin(), theirs: (1, 1), ours: (2, 2) },
        HostError::MissingFeatures { plugin: plugin(), features: strings(&["a", "b"]) },
        HostError::PanicAborts { plugin: plugin() },
        HostError::DuplicateComponent {
            plugin: plugin(),
            component: "ladder".to_owned(),
            other: None,
        },
        HostError::DuplicateComponent {
            plugin: plugin(),
            component: "canary".to_owned(),
            other: Some("canary".to_owned()),
        },
        HostError::NoComponent {
            plugin: plugin(),
            kind: ComponentKind::Strategy,
            component: "lader".to_owned(),
            has: strings(&["ladder", "stairs"]),
            closest: Some("ladder".to_owned()),
        },
        HostError::NoComponent {
            plugin: plugin(),
            kind: ComponentKind::Hook,
            component: "x".to_owned(),
            has: Vec::new(),
            closest: None,
        },
    ]
}

/// Errors of calling it.
fn of_the_calls() -> Vec<HostError> {
    let plugin = || "ladder".to_owned();
    let ended = |stderr: &[&str], given_up| HostError::Ended {
        plugin: plugin(),
        status: "signal 11 (SIGSEGV)".to_owned(),
        stderr: strings(stderr),
        given_up,
    };
    vec![
        HostError::NoAnswer {
            plugin: plugin(),
            method: "hook.run".to_owned(),
            limit: Duration::from_millis(1_500),
        },
        HostError::BrokeProtocol { plugin: plugin(), what: "two replies to call 7".to_owned() },
        ended(&["first", "last"], false),
        ended(&[], true),
        HostError::Panicked { plugin: plugin(), message: "index out of bounds".to_owned() },
        HostError::Wedged { plugin: plugin(), calls: 1 },
        HostError::Wedged { plugin: plugin(), calls: 2 },
        HostError::Answer {
            plugin: plugin(),
            body: Box::new(PluginErrorBody {
                code: "aws.access_denied".to_owned(),
                message: "may not read the alarm".to_owned(),
                retryable: false,
                detail: Some("cloudwatch:DescribeAlarms".to_owned()),
            }),
        },
    ]
}

/// Code, text, cause and hint, as the command line composes them.
fn told(errors: Vec<HostError>) -> String {
    let one = |error: HostError| {
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        let hint = error.hint().map_or_else(String::new, |hint| format!("    {hint}\n"));
        format!("{}: {error}{cause}\n{hint}", error.code())
    };
    errors.into_iter().map(one).collect::<Vec<String>>().concat()
}

#[test]
fn errors_about_the_file_name_the_place_and_the_way_out() {
    let (a, zero) = ("a".repeat(64), "0".repeat(64));
    let expect = format!(
        r#"
WG301: could not read plugin `ladder`: no file at `plugins/ladder`, `plugins/libladder.so`
    is it built, and is the path relative to deploy.toml?
WG301: could not read plugin `ladder`: could not open `plugins/ladder`: Permission denied (os error 13)
    give yourself access to it
WG301: could not read plugin `ladder`: `plugins/ladder` has more than 256 MiB
    build it in release mode and strip it
WG302: plugin `ladder`: `plugins/ladder` is a directory, not a regular file
    `path` names the library itself, or a Cargo project that builds it
WG303: plugin `ladder` is not safe from others: `/srv` is owned by uid 1001; `/srv/x.so` can be written by others (mode 0666)
    own `/srv` yourself, or copy the plugin to where only you can write; run `chmod go-w /srv/x.so`
WG304: plugin `ladder`: checksum mismatch: expected {a}, found {zero}
    if you rebuilt it, run `wavegate plugin pin ladder`
WG305: plugin `ladder` is not pinned for x86_64-unknown-linux-gnu
    run `wavegate plugin pin ladder`
WG306: plugin `ladder` is built for plugin ABI v2, v3; this wavegate speaks v1
    use a newer wavegate, or build the plugin with a wavegate-plugin-sdk of ABI v1
WG306: plugin `ladder` is built for plugin ABI v1; this wavegate speaks v2
    build the plugin with a wavegate-plugin-sdk of ABI v2
WG307: plugin `ladder` is not a shared library: it is an executable
    a Rust plugin is built as one with `crate-type = ["cdylib"]`
WG308: plugin `ladder` is built for aarch64 (ELF), this host is x86_64 (ELF)
    build the plugin for this host
WG309: plugin `ladder` is not a wavegate plugin: `plugins/ladder` has no entry point
    a Rust plugin needs `crate-type = ["cdylib"]` and `export_plugin!`
WG310: plugin `ladder` exports 2 entry points, expected one: `wavegate_plugin_init_v1`, `wavegate_plugin_init_v1__b`
    a plugin crate that depends on another one exports both; move what they share to a crate without `export_plugin!`
WG318: plugin `ladder` cannot be loaded: this build of wavegate is static and cannot load libraries
    use a build of wavegate that is linked dynamically, such as one for a gnu target
WG337: no private copy of plugin `ladder`: could not write to `/home/me/.wavegate/plugins`: disk full
    free some space where wavegate keeps its caches
"#
    );
    assert_eq!(told(of_the_file()), expect.trim_start());
}

#[test]
fn errors_of_the_start_say_which_side_has_to_move() {
    let expect = r#"
WG311: the system loader refused plugin `ladder`: undefined symbol: f
    is a symbol or a library missing, or is the C library here older than where it was built? On macOS, a signature of another team is refused too
WG312: plugin `ladder` refused to start (status 2): no licence
WG312: plugin `ladder` refused to start (status 4)
WG313: plugin `ladder` left required function `call` NULL
    tell the author of the plugin
WG314: plugin `ladder` did not finish starting within 5s
    tell the author of the plugin
WG315: plugin `ladder` speaks protocol 2 to 3; this wavegate speaks 1
    use a newer wavegate, or build the plugin with an older wavegate-plugin-sdk
WG315: plugin `ladder` speaks protocol 1; this wavegate speaks 2
    build the plugin with a newer wavegate-plugin-sdk
WG316: plugin `ladder` needs features this wavegate lacks: `a`, `b`
    use a newer wavegate
WG317: plugin `ladder` is built with panic=abort and cannot run in-process
    set `isolation = "process"`, or build the plugin with panic = "unwind"
WG319: plugin `ladder` declares component `ladder` twice
    tell the author of the plugin
WG319: plugin `ladder` declares component `canary`, which plugin `canary` has too
    take one of the two plugins out of deploy.toml
WG320: plugin `ladder` has no strategy named `lader`; it has: `ladder`, `stairs`
    did you mean `ladder`?
WG320: plugin `ladder` has no hook named `x`
"#;
    assert_eq!(told(of_the_start()), expect.trim_start());
}

#[test]
fn errors_of_calls_hand_on_what_the_plugin_said() {
    let expect = r#"
WG330: plugin `ladder` did not answer `hook.run` within 1.5s
    give the plugin more time with `timeout`
WG331: plugin `ladder` broke the protocol: two replies to call 7
    tell the author of the plugin
WG332: the process of plugin `ladder` ended: signal 11 (SIGSEGV)
  first
  last
WG332: the process of plugin `ladder` ended: signal 11 (SIGSEGV), too often to start it again
    correct the plugin, then start wavegate again
WG333: plugin `ladder` panicked: index out of bounds
    tell the author of the plugin
WG334: plugin `ladder` is wedged: 1 call never returned
    start wavegate again, or set `isolation = "process"`: a process can be ended, a call cannot
WG334: plugin `ladder` is wedged: 2 calls never returned
    start wavegate again, or set `isolation = "process"`: a process can be ended, a call cannot
WG336: plugin `ladder`: may not read the alarm (aws.access_denied): cloudwatch:DescribeAlarms
"#;
    assert_eq!(told(of_the_calls()), expect.trim_start());
}

#[test]
fn every_error_knows_its_plugin_and_no_text_ends_with_a_period() {
    for error in [of_the_file(), of_the_start(), of_the_calls()].into_iter().flatten() {
        assert_eq!(error.plugin(), "ladder");
        let texts = [Some(error.to_string()), error.hint()];
        assert!(texts.into_iter().flatten().all(|text| !text.ends_with('.')), "{error}");
    }
}

#[test]
fn what_a_plugin_says_cannot_act_on_a_terminal() {
    let evil = || "\x1b[2J\u{202e}".to_owned();
    let errors = [
        HostError::NotAFile { plugin: evil(), path: evil().into(), found: "a pipe" },
        HostError::LoaderRefused { plugin: evil(), detail: evil() },
        HostError::Ended {
            plugin: evil(),
            status: evil(),
            stderr: vec![evil(); 3],
            given_up: false,
        },
        HostError::PinMismatch { plugin: evil(), expected: pin("a"), found: pin("b") },
        HostError::Untrusted {
            plugin: evil(),
            findings: vec![Finding {
                path: evil().into(),
                exposure: Exposure::WritableByOthers { mode: 0o777 },
            }],
        },
    ];
    for error in errors {
        let text = format!("{error} {}", error.hint().unwrap_or_default());
        assert!(!text.chars().any(|c| c == '\x1b' || c == '\u{202e}'), "{text:?}");
    }
}

#[test]
fn a_flood_on_stderr_is_cut_to_its_last_lines() {
    let stderr: Vec<String> = (1..=30).map(|line| format!("line {line}")).collect();
    let error =
        HostError::Ended { plugin: "x".into(), status: "exit 1".into(), stderr, given_up: false };
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1 + STDERR_LINES_MAX);
    assert!(text.contains("\n  line 11\n") && text.ends_with("\n  line 30"), "{text}");
}

#[test]
fn an_error_is_small_enough_to_be_returned() {
    assert!(size_of::<HostError>() <= 128, "{}", size_of::<HostError>());
}

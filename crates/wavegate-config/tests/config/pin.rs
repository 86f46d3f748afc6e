//! A pin is written where it belongs, and nothing else is touched.

use crate::support::{Over, SHOP, request};
use proptest::prelude::*;
use wavegate_config::{Draft, PinError, set_plugin_pin};

const TARGET: &str = "x86_64-unknown-linux-gnu";
const PIN: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OLD: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Writes a pin; in the texts, `OLD` and `PIN` stand for checksums.
#[track_caller]
fn check(profile: Option<&str>, before: &str, after: &str) {
    let full = |text: &str| text.replace("OLD", OLD).replace("PIN", PIN);
    let (before, after) = (full(before), full(after));
    let pinned = set_plugin_pin(&before, profile, "ladder", TARGET, PIN).unwrap();
    assert_eq!(pinned, after);
    assert_eq!(set_plugin_pin(&pinned, profile, "ladder", TARGET, PIN).unwrap(), after, "again");
}

#[test]
fn a_pin_that_is_there_is_replaced_in_place() {
    for (before, after) in [
        (
            "[plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = \"OLD\" # mine\naarch64-apple-darwin = \"OLD\"\n",
            "[plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = \"PIN\" # mine\naarch64-apple-darwin = \"OLD\"\n",
        ),
        (
            "[plugins.ladder]\nsha256 = { \"x86_64-unknown-linux-gnu\"='OLD' }\n",
            "[plugins.ladder]\nsha256 = { \"x86_64-unknown-linux-gnu\"=\"PIN\" }\n",
        ),
        (
            "[plugins]\nladder.sha256.x86_64-unknown-linux-gnu = 5",
            "[plugins]\nladder.sha256.x86_64-unknown-linux-gnu = \"PIN\"",
        ),
        (
            "plugins = { ladder = { path = \"x\", sha256.x86_64-unknown-linux-gnu = \"OLD\" } }\n",
            "plugins = { ladder = { path = \"x\", sha256.x86_64-unknown-linux-gnu = \"PIN\" } }\n",
        ),
        (
            "[plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = 'PIN'\n",
            "[plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = 'PIN'\n",
        ),
    ] {
        check(None, before, after);
    }
}

#[test]
fn a_pin_joins_those_that_are_there() {
    for (before, after) in [
        (
            "[plugins.ladder.sha256]\naarch64-apple-darwin = \"OLD\" # mac\n\n# next\n[local]\n",
            "[plugins.ladder.sha256]\naarch64-apple-darwin = \"OLD\" # mac\nx86_64-unknown-linux-gnu = \"PIN\"\n\n# next\n[local]\n",
        ),
        (
            "[plugins.ladder.sha256] # none yet\n[plugins.ladder]\npath = \"x\"",
            "[plugins.ladder.sha256] # none yet\nx86_64-unknown-linux-gnu = \"PIN\"\n[plugins.ladder]\npath = \"x\"",
        ),
        (
            "[plugins.ladder]\nsha256.aarch64-apple-darwin = \"OLD\"\npath = \"x\"\n",
            "[plugins.ladder]\nsha256.aarch64-apple-darwin = \"OLD\"\nsha256.x86_64-unknown-linux-gnu = \"PIN\"\npath = \"x\"\n",
        ),
        (
            "plugins.'ladder'.sha256.aarch64-apple-darwin = \"OLD\"",
            "plugins.'ladder'.sha256.aarch64-apple-darwin = \"OLD\"\nplugins.'ladder'.sha256.x86_64-unknown-linux-gnu = \"PIN\"",
        ),
        (
            "[plugins.ladder]\nsha256 = { aarch64-apple-darwin = \"OLD\" }\n",
            "[plugins.ladder]\nsha256 = { aarch64-apple-darwin = \"OLD\", x86_64-unknown-linux-gnu = \"PIN\" }\n",
        ),
        (
            "[plugins.ladder]\nsha256 = {}\n",
            "[plugins.ladder]\nsha256 = { x86_64-unknown-linux-gnu = \"PIN\" }\n",
        ),
        (
            "[plugins.ladder]\nsha256 = { }\n",
            "[plugins.ladder]\nsha256 = { x86_64-unknown-linux-gnu = \"PIN\" }\n",
        ),
        (
            "[plugins.ladder]\nsha256 = {\n  aarch64-apple-darwin = \"OLD\", # mac\n}\n",
            "[plugins.ladder]\nsha256 = {\n  aarch64-apple-darwin = \"OLD\", x86_64-unknown-linux-gnu = \"PIN\", # mac\n}\n",
        ),
        (
            "[plugins]\nladder = { path = \"x\", sha256.aarch64-apple-darwin = \"OLD\", builtin = true }\n",
            "[plugins]\nladder = { path = \"x\", sha256.aarch64-apple-darwin = \"OLD\", sha256.x86_64-unknown-linux-gnu = \"PIN\", builtin = true }\n",
        ),
    ] {
        check(None, before, after);
    }
}

#[test]
fn the_first_pin_comes_right_behind_its_plugin() {
    for (before, after) in [
        (
            "[plugins.ladder] # climbs\npath = \"x\" # here\n# env = []\n\n[plugins.other]\npath = \"y\"\n",
            "[plugins.ladder] # climbs\npath = \"x\" # here\n[plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = \"PIN\"\n# env = []\n\n[plugins.other]\npath = \"y\"\n",
        ),
        (
            "[ plugins . \"ladder\" ]\nenv = [\n  \"A\", # a\n]\npath = \"\"\"\nx\"\"\"",
            "[ plugins . \"ladder\" ]\nenv = [\n  \"A\", # a\n]\npath = \"\"\"\nx\"\"\"\n[ plugins . \"ladder\".sha256]\nx86_64-unknown-linux-gnu = \"PIN\"",
        ),
        (
            "  [plugins.ladder]\r\n  path = \"x\"\r\n[local]\r\n",
            "  [plugins.ladder]\r\n  path = \"x\"\r\n  [plugins.ladder.sha256]\r\n  x86_64-unknown-linux-gnu = \"PIN\"\r\n[local]\r\n",
        ),
        (
            "\u{feff}[plugins.ladder]\n",
            "\u{feff}[plugins.ladder]\n[plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = \"PIN\"\n",
        ),
        (
            "[plugins]\nladder.path = \"x\"\nother.path = \"y\"\n",
            "[plugins]\nladder.path = \"x\"\nladder.sha256.x86_64-unknown-linux-gnu = \"PIN\"\nother.path = \"y\"\n",
        ),
        (
            "plugins.ladder.path = \"x\"\n[app]\n",
            "plugins.ladder.path = \"x\"\nplugins.ladder.sha256.x86_64-unknown-linux-gnu = \"PIN\"\n[app]\n",
        ),
        (
            "[plugins]\nladder = { path = \"x\" }\n",
            "[plugins]\nladder = { path = \"x\", sha256 = { x86_64-unknown-linux-gnu = \"PIN\" } }\n",
        ),
        (
            "plugins = {ladder.path = \"x\", other.path = \"y\"}",
            "plugins = {ladder.path = \"x\", ladder.sha256 = { x86_64-unknown-linux-gnu = \"PIN\" }, other.path = \"y\"}",
        ),
    ] {
        check(None, before, after);
    }
}

#[test]
fn a_pin_goes_beside_the_path_that_it_belongs_to() {
    let (base, pinned) = (
        "[plugins.ladder]\npath = \"x\"\n",
        "[plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = \"PIN\"\n",
    );
    let pinned_prod = "[profiles.prod.plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = \"PIN\"\n";
    for (laid, goes_to_profile) in [
        ("[profiles.prod.plugins.ladder]\npath = \"y\"\n", true),
        ("[profiles.prod.plugins.ladder]\nmemory = \"2GB\"\n", false),
        ("[profiles.test.plugins.ladder]\npath = \"y\"\n", false),
    ] {
        let chosen = if goes_to_profile {
            format!("{base}{laid}{pinned_prod}")
        } else {
            format!("{base}{pinned}{laid}")
        };
        check(Some("prod"), &format!("{base}{laid}"), &chosen);
        check(None, &format!("{base}{laid}"), &format!("{base}{pinned}{laid}"));
    }
    // A pin in the profile would win over one below it.
    let laid = pinned_prod.replace("PIN", "OLD");
    check(Some("prod"), &format!("{base}{laid}"), &format!("{base}{pinned_prod}"));
}

#[test]
fn a_plugin_of_a_profile_alone_is_pinned_there() {
    let text = "[profiles.\"p.1\".plugins.ladder]\npath = \"x\"\n";
    let pinned = format!(
        "{text}[profiles.\"p.1\".plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = \"PIN\"\n"
    );
    check(Some("p.1"), text, &pinned);
    let error = set_plugin_pin(text, None, "ladder", TARGET, PIN).unwrap_err();
    assert_eq!(error, PinError::NoPlugin { plugin: "ladder".to_owned() });
}

#[test]
fn what_cannot_be_pinned_is_said() {
    let pin = |text: &str, target: &str, digest: &str| {
        set_plugin_pin(text, None, "ladder", target, digest).unwrap_err().to_string()
    };
    let good = "[plugins.ladder]\npath = \"x\"\n";
    for (text, target, digest, expected) in [
        (
            "a = 1 2",
            TARGET,
            PIN,
            "the manifest is not TOML: string values must be quoted, expected literal string",
        ),
        ("[plugins.other]\n", TARGET, PIN, "the manifest has no table [plugins.ladder]"),
        (
            "[[plugins]]\nladder.path = \"x\"\n",
            TARGET,
            PIN,
            "the manifest has no table [plugins.ladder]",
        ),
        ("plugins.ladder = 5\n", TARGET, PIN, "the manifest has no table [plugins.ladder]"),
        (
            "plugins.ladder.sha256 = \"x\"\n",
            TARGET,
            PIN,
            "`sha256` of plugin `ladder` is in the way of the pin",
        ),
        (
            "[plugins.ladder.sha256.x86_64-unknown-linux-gnu]\n",
            TARGET,
            PIN,
            "`sha256.x86_64-unknown-linux-gnu` of plugin `ladder` is in the way of the pin",
        ),
        (good, "x\"\ny", PIN, "`x\"\\u{a}y` is not a target triple"),
        (good, TARGET, "x", "the checksum is not a SHA-256 of 64 lower-case hexadecimal digits"),
        (
            good,
            TARGET,
            &PIN.to_uppercase(),
            "the checksum is not a SHA-256 of 64 lower-case hexadecimal digits",
        ),
    ] {
        assert_eq!(pin(text, target, digest), expected, "{text}");
    }
}

/// Texts that a manifest of the shop may hold its plugin in.
const FORMS: [&str; 8] = [
    "[plugins.ladder]\npath = \"x\"\n",
    "[plugins.ladder]\npath = \"x\"\n[plugins.ladder.sha256]\naarch64-apple-darwin = \"OLD\"\n",
    "[plugins.ladder]\npath = \"x\"\nsha256 = { x86_64-unknown-linux-gnu = \"OLD\" }\n",
    "[plugins]\nladder = { path = \"x\" }\n",
    "[plugins]\nladder.path = \"x\"\nladder.sha256.aarch64-apple-darwin = \"OLD\"\n",
    "[plugins.ladder.sha256]\n[plugins.ladder]\npath = \"x\"\n",
    "[plugins.ladder]\n# c\nenv = [\n\"A\"\n]\npath = 'x' # é\n",
    "[plugins]\nladder = { sha256 = {}, path = \"x\" } # end",
];

/// What makes the texts of tables more interesting than random characters would.
const SHARDS: [&str; 16] = [
    "[plugins.ladder]\n",
    "[plugins.ladder.sha256]\n",
    "[plugins]\n",
    "plugins.",
    "ladder.",
    "sha256.x86_64-unknown-linux-gnu = 1\n",
    "sha256 = {}\n",
    "x = 1",
    "{",
    "}",
    ",",
    "\n",
    "\r\n",
    " # é\n",
    "\"",
    "",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_pin_is_read_as_it_was_written_and_all_else_stays(
        form in prop::sample::select(&FORMS[..]),
        is_first in any::<bool>(),
        is_from_windows in any::<bool>(),
        digest in "[0-9a-f]{64}",
    ) {
        let form = form.replace("OLD", OLD);
        let mut text = if is_first { form + SHOP } else { SHOP.to_owned() + &form };
        if is_from_windows {
            text = text.replace('\n', "\r\n");
        }
        let pinned = set_plugin_pin(&text, None, "ladder", TARGET, &digest).unwrap();

        let (_dir, request) = request(&pinned, &Over::default());
        let draft = Draft::read(&request).unwrap();
        prop_assert_eq!(&draft.plugins()["ladder"].sha256[TARGET], &digest);

        let (old, new) = (text.as_bytes(), pinned.as_bytes());
        let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        let (old, new) = (&old[start..], &new[start..]);
        let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
        let lost = &old[..old.len() - end];
        prop_assert!(lost.iter().all(|byte| *byte == b'0'), "{}", String::from_utf8_lossy(lost));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_answered_and_what_is_written_can_be_read(
        form in prop::sample::select(&FORMS[..]),
        edits in prop::collection::vec((0_usize..80, 0_usize..12, prop::sample::select(&SHARDS[..])), 0..4),
    ) {
        let mut chars: Vec<char> = form.chars().collect();
        for (at, length, shard) in edits {
            let at = at.min(chars.len());
            let end = (at + length).min(chars.len());
            chars.splice(at..end, shard.chars());
        }
        let text: String = chars.into_iter().collect();
        if let Ok(pinned) = set_plugin_pin(&text, None, "ladder", TARGET, PIN) {
            prop_assert_eq!(set_plugin_pin(&pinned, None, "ladder", TARGET, PIN), Ok(pinned));
        }
    }
}

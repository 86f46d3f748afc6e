//! `[plugins.NAME]`: what it means, and that its problems are told with all others.

use std::time::Duration;

use crate::support::{Over, SHOP, components, load_text, render_in, request};
use wavegate_config::{Components, Draft, Isolation, Manifest, Place, Problem, Problems, Target};

const PIN: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The shop with a strategy of a plugin's.
fn shop(plugin: &str) -> String {
    SHOP.replace("use = \"canary\"", "use = \"ladder\"") + plugin
}

const LADDER: &str = "[plugins.ladder]\npath = \"plugins/ladder\"\n";

/// Reads and checks a text in two steps, with what is found between them.
fn checked(
    text: &str,
    over: &Over,
    between: impl FnOnce(&Draft) -> (Components, Vec<Problem>),
) -> Result<Manifest, (Problems, String)> {
    let (dir, request) = request(text, over);
    let draft = Draft::read(&request).unwrap();
    let (components, more) = between(&draft);
    draft.check(&components, more).map_err(|problems| {
        let shown = render_in(dir.path(), &problems);
        (problems, shown)
    })
}

/// The components of the ladder beside those that ship with wavegate.
fn with_ladder() -> Components {
    let mut components = components();
    components.strategies.push("ladder".to_owned());
    components
}

fn codes(problems: &Problems) -> Vec<&str> {
    problems.iter().map(|problem| problem.code).collect()
}

#[test]
fn a_small_plugin_has_the_defaults() {
    let (dir, request) = request(&shop(LADDER), &Over::default());
    let draft = Draft::read(&request).unwrap();
    assert_eq!((draft.dir(), draft.target()), (dir.path(), Target::Local));
    let plugin = &draft.plugins()["ladder"];
    assert_eq!(plugin.name, "ladder");
    assert_eq!(plugin.path, dir.path().join("plugins/ladder"));
    assert_eq!((plugin.isolation, plugin.builtin), (Isolation::Process, false));
    assert_eq!(plugin.timeout, Duration::from_secs(10));
    assert_eq!((plugin.max_in_flight, plugin.memory_bytes), (1024, 1 << 30));
    assert!(plugin.env.is_empty() && plugin.sha256.is_empty());
    let plugin = plugin.clone();
    let manifest = draft.check(&with_ladder(), Vec::new()).unwrap();
    assert_eq!(manifest.plugins["ladder"], plugin);
    assert_eq!(manifest.warnings, []);
}

#[test]
fn every_key_of_a_plugin_is_understood() {
    let keys = format!(
        "{LADDER}isolation = \"process\"\nenv = [\"AWS_REGION\", \"_x1\", \"AWS_REGION\"]\n\
         timeout = \"45s\"\nmax_in_flight = 7\nmemory = \"256MB\"\nbuiltin = true\n\
         [plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = \"{PIN}\"\n\"thumbv8m.main-none-eabi\" = \"{PIN}\"\n"
    );
    let manifest =
        checked(&shop(&keys), &Over::default(), |_| (with_ladder(), Vec::new())).unwrap();
    let plugin = &manifest.plugins["ladder"];
    assert_eq!(plugin.env, ["AWS_REGION", "_x1"]);
    assert_eq!(plugin.timeout, Duration::from_secs(45));
    assert_eq!((plugin.max_in_flight, plugin.memory_bytes), (7, 256 << 20));
    assert!(plugin.builtin);
    assert_eq!(plugin.sha256["thumbv8m.main-none-eabi"], PIN);
    let warnings: Vec<_> = manifest.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(warnings, ["WG131"], "a variable that is listed twice");
}

#[test]
fn a_path_is_relative_to_the_manifest_and_never_searched_for() {
    for (path, expected) in [
        ("ladder", "ladder"),
        ("./plugins/ladder", "plugins/ladder"),
        ("../shared/ladder", "../shared/ladder"),
        ("/opt/ladder", "/opt/ladder"),
    ] {
        let text = shop(&LADDER.replace("plugins/ladder", path));
        let (dir, request) = request(&text, &Over::default());
        let draft = Draft::read(&request).unwrap();
        assert_eq!(draft.plugins()["ladder"].path, dir.path().join(expected), "{path}");
    }
}

#[test]
fn profiles_variables_and_flags_lie_over_plugins() {
    let text = shop(LADDER)
        + "isolation = \"in-process\"\n[profiles.prod.plugins.ladder]\nisolation = \"process\"\nmemory = \"2GB\"\n\
           [profiles.prod.plugins.other]\npath = \"other\"\n";
    let over = Over {
        profile: Some("prod"),
        env: vec![
            ("WAVEGATE_PLUGINS__LADDER__TIMEOUT", "3s"),
            ("WAVEGATE_PLUGINS__LADDER__ENV", "A, B"),
            ("WAVEGATE_PLUGINS__LADDER__BUILTIN", "true"),
        ],
        flags: vec![("plugins.ladder.max_in_flight", "5"), ("plugins.third.path", "third")],
    };
    let (_dir, request) = request(&text, &over);
    let draft = Draft::read(&request).unwrap();
    assert_eq!(draft.target(), Target::Aws);
    assert!(draft.plugins().keys().eq(["ladder", "other", "third"]));
    let ladder = &draft.plugins()["ladder"];
    assert_eq!((ladder.isolation, ladder.memory_bytes), (Isolation::Process, 2 << 30));
    assert_eq!((ladder.timeout, ladder.max_in_flight), (Duration::from_secs(3), 5));
    assert_eq!((&ladder.env[..], ladder.builtin), (&["A".to_owned(), "B".to_owned()][..], true));
    let at = |key: &str| draft.problem("WG301", key, "", None).place;
    assert!(
        matches!(at("plugins.ladder.timeout"), Place::Variable(name) if name.ends_with("TIMEOUT"))
    );
    assert!(matches!(at("plugins.third"), Place::Flag(key) if key == "plugins.third.path"));
}

#[test]
fn a_pin_is_located_where_it_stands_or_should_stand() {
    let pinned = format!(
        "{LADDER}[plugins.ladder.sha256]\nx86_64-unknown-linux-gnu = \"{PIN}\"\n\"thumbv8m.main-none-eabi\" = '{PIN}'\n"
    );
    let shown = |plugin: &str, target: &str| {
        let text = shop(plugin);
        let (_dir, request) = request(&text, &Over::default());
        let draft = Draft::read(&request).unwrap();
        let key = draft.plugins()["ladder"].pin_key(target);
        text[draft.problem("WG304", &key, "", None).place.span().unwrap()].to_owned()
    };
    assert_eq!(shown(&pinned, "x86_64-unknown-linux-gnu"), format!("\"{PIN}\""));
    assert_eq!(shown(&pinned, "thumbv8m.main-none-eabi"), format!("'{PIN}'"));
    assert_eq!(shown(&pinned, "aarch64-apple-darwin"), "sha256");
    assert_eq!(shown(LADDER, "x86_64-unknown-linux-gnu"), "ladder");
}

#[test]
fn what_the_loader_finds_is_told_with_what_the_manifest_has_and_in_its_order() {
    let text = shop(LADDER)
        .replace("timeout = \"10s\"", "timeuot = \"10s\"")
        .replace("depends_on = [\"auth\"]", "depends_on = [\"atuh\"]")
        + "memory = \"lots\"\n[plugins.other]\npath = \"other\"\n[plugins.third]\n";
    let (problems, shown) = checked(&text, &Over::default(), |draft| {
        assert!(draft.plugins().keys().eq(["other"]), "only those that are sound");
        let help = Some("is the path relative to deploy.toml?");
        let message = "the plugin `other` cannot be read";
        let more = vec![draft.problem("WG301", "plugins.other.path", message, help)];
        (Components { incomplete: true, ..components() }, more)
    })
    .unwrap_err();
    assert_eq!(codes(&problems), ["WG102", "WG121", "WG113", "WG301", "WG104"]);
    insta::assert_snapshot!(shown);
}

#[test]
fn a_warning_of_the_loaders_stops_nothing_and_is_kept() {
    let manifest = checked(&shop(LADDER), &Over::default(), |draft| {
        let doubt = draft.problem("WG301", "plugins.ladder", "doubtful", None).as_warning();
        (with_ladder(), vec![doubt])
    })
    .unwrap();
    assert_eq!(manifest.warnings.len(), 1);
}

#[test]
fn a_component_that_may_be_one_of_a_plugin_that_is_not_there_is_no_problem() {
    // Every kind of component, and the one that a name of AWS's stands for.
    let text = shop(LADDER)
        .replace("use = \"command\"", "use = \"pager\"")
        .replace("use = \"cloudwatch-alarm\"", "use = \"graphite\"");
    let none = || Components { incomplete: true, ..Components::default() };
    let manifest = checked(&text, &Over::default(), |_| (none(), Vec::new())).unwrap();
    let careful = manifest.app.functions.values().find(|f| f.strategy.name == "careful").unwrap();
    assert_eq!(careful.strategy.component, "ladder");
    // What a component has no say in is still looked at.
    let text = text.replace("strategy = \"careful\"", "strategy = \"carefull\"");
    let (problems, shown) = checked(&text, &Over::default(), |_| (none(), Vec::new())).unwrap_err();
    assert_eq!(codes(&problems), ["WG124"], "{shown}");
}

#[test]
fn a_plugin_whose_table_is_broken_may_be_the_one_that_is_meant() {
    for broken in [
        "[plugins.ladder]\npath = 5\n",
        "[plugins.ladder]\npath = \"\"\n",
        "[plugins.ladder]\npath = \"${env:NOT_SET}/ladder\"\n",
        "[plugins.ladder]\npath = \"x\"\ncolour = \"red\"\n",
        "[plugins]\nladder = \"x\"\n",
        "[[plugins]]\npath = \"x\"\n",
        "[plugins.\"l a\"]\npath = \"x\"\n",
        "[plugins.ladder]\npath = \"x\"\nsha256.x86_64-unknown-linux-gnu = \"x\"\n",
    ] {
        let (problems, shown) = checked(&shop(broken), &Over::default(), |draft| {
            assert!(draft.plugins().is_empty(), "{broken}");
            (components(), Vec::new())
        })
        .unwrap_err();
        assert_eq!(problems.iter().count(), 1, "{shown}");
    }
    // A sound one that nobody loads is not.
    let (problems, _) = load_text(&shop(LADDER), &Over::default()).unwrap_err();
    assert_eq!(codes(&problems), ["WG127"]);
}

#[test]
fn values_of_the_environment_show_in_no_plugin() {
    const SECRET: &str = "hunter2-s3cr3t";
    let over = Over { env: vec![("SECRET", SECRET)], ..Over::default() };
    let text = shop(&LADDER.replace("plugins/", "${env:SECRET}/"));
    let (_dir, request) = request(&text, &over);
    let draft = Draft::read(&request).unwrap();
    let plugin = &draft.plugins()["ladder"];
    assert!(plugin.path.ends_with("hunter2-s3cr3t/ladder"));
    assert!(!format!("{draft:?} {plugin:?}").contains(SECRET));
    let message = format!("no file at {SECRET}/ladder");
    let problem = draft.problem("WG301", "plugins.ladder.path", message, Some(SECRET));
    assert_eq!(problem.message, "no file at …/ladder");
    assert_eq!(problem.help.as_deref(), Some("…"));

    // Not even that only its case is wrong.
    let pin = PIN.to_uppercase();
    let over = Over { env: vec![("SECRET", pin.clone().leak())], ..Over::default() };
    let keys = "sha256 = { x86_64-unknown-linux-gnu = \"${env:SECRET}\" }\nenv = [\"${env:SECRET} \"]\n\
                memory = \"${env:SECRET}\"\ntimeout = \"${env:SECRET}\"\nisolation = \"${env:SECRET}\"\n";
    let text = shop(&format!("{LADDER}{keys}").replace("plugins/ladder", "${env:SECRET}/"));
    let (problems, shown) = load_text(&text, &over).unwrap_err();
    assert_eq!(problems.iter().count(), 6, "{shown}");
    assert!(!shown.contains(&pin) && !shown.contains("lower case"), "{shown}");
}

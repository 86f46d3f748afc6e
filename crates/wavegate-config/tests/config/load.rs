//! What a manifest means: layers, defaults, places, secrets.

use std::path::Path;
use std::time::Duration;

use crate::support::{Over, SHOP, load_text};
use proptest::prelude::*;
use wavegate_config::{LOCAL_ROLE, Manifest, Place, Target, find};
use wavegate_core::name::FunctionName;
use wavegate_core::spec::{CodeSource, FunctionSpec, IfAlreadyAlarming, OnFailure, RollbackScope};

#[track_caller]
fn loaded(text: &str, over: &Over) -> Manifest {
    load_text(text, over).unwrap_or_else(|(_, shown)| panic!("{shown}"))
}

#[track_caller]
fn function<'a>(manifest: &'a Manifest, name: &str) -> &'a FunctionSpec {
    &manifest.app.functions[&FunctionName::new(name).unwrap()]
}

const SMALL: &str = "[app]\nname = \"a\"\n[functions.f]\ncode = \"functions/auth\"\nruntime = \"r\"\nhandler = \"h\"\n";

#[test]
fn a_small_manifest_has_the_defaults() {
    let manifest = loaded(SMALL, &Over::default());
    assert_eq!(manifest.app.alias.as_str(), "live");
    assert_eq!(manifest.target, Target::Local);
    assert_eq!(manifest.app.on_failure, OnFailure::Rollback);
    assert_eq!(manifest.app.rollback_scope, RollbackScope::App);
    assert_eq!((manifest.app.max_parallel, manifest.app.keep_versions), (16, 3));
    assert_eq!(manifest.requests_per_second, None);
    assert_eq!((manifest.local.time_scale, manifest.local.traffic_rps), (1.0, None));
    assert!(!manifest.local.check_roles);
    assert!(manifest.warnings.is_empty());
    let f = function(&manifest, "f");
    assert_eq!((f.config.memory_mb, f.config.timeout_s), (128, 3));
    assert_eq!((f.config.ephemeral_storage_mb, f.config.tracing), (512, false));
    assert_eq!((f.config.role.as_str(), f.config.architecture.as_str()), (LOCAL_ROLE, "x86_64"));
    assert_eq!(
        (f.strategy.name.as_str(), f.strategy.component.as_str()),
        ("AllAtOnce", "all-at-once")
    );
    assert_eq!(f.bake, Duration::ZERO);
}

#[test]
fn the_shop_is_understood() {
    let manifest = loaded(SHOP, &Over::default());
    assert_eq!(manifest.warnings, []);
    let auth = function(&manifest, "auth");
    assert_eq!((auth.config.memory_mb, auth.config.timeout_s), (256, 10));
    let environment: Vec<(&str, &str)> = auth
        .config
        .environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    // Maps merge: STAGE comes from the defaults, LOG_LEVEL from the function.
    assert_eq!(
        environment,
        [("LOG_LEVEL", "debug"), ("RETRIES", "3"), ("STAGE", "dev"), ("VERBOSE", "true")]
    );
    assert_eq!(auth.strategy.config.0, r#"{"bake":"5m","percent":10}"#);
    assert_eq!(auth.bake, Duration::from_mins(1), "alarms and no bake");
    assert_eq!(auth.code, CodeSource::Path(manifest.dir.join("functions/auth")));
    let checkout = function(&manifest, "checkout");
    assert_eq!(
        (checkout.strategy.name.as_str(), checkout.strategy.component.as_str()),
        ("careful", "canary")
    );
    // `use` is not the component's: the rest is, as it was written.
    assert_eq!(checkout.strategy.config.0, r#"{"bake":"10m","percent":10}"#);
    let alarms: Vec<_> =
        checkout.alarms.iter().map(|a| (a.alarm.name.as_str(), a.if_already_alarming)).collect();
    assert_eq!(
        alarms,
        [("errors", IfAlreadyAlarming::Fail), ("checkout-5xx", IfAlreadyAlarming::Wait)]
    );
    let smoke = &checkout.hooks.pre_traffic[0];
    assert_eq!(smoke.timeout, Duration::from_mins(2));
    assert_eq!(smoke.hook.config.0, r#"{"function":"checkout-smoke"}"#);
    assert_eq!(
        checkout.hooks.post_traffic[0].hook.config.0,
        r#"{"command":["pytest","-q","smoke"]}"#
    );
    assert_eq!(checkout.bake, Duration::from_mins(5));
    let mail = function(&manifest, "mail");
    assert_eq!(mail.lambda_name.as_str(), "shop-mail");
    assert!(matches!(&mail.code, CodeSource::Image(uri) if uri.ends_with("mail:7")));
    assert_eq!(
        (mail.config.runtime.as_ref(), mail.config.handler.as_ref()),
        (None, None),
        "images bring their own"
    );
    assert!(mail.alarms.is_empty(), "lists replace");
    assert_eq!(mail.bake, Duration::ZERO);
    assert_eq!((mail.config.architecture.as_str(), mail.config.tracing), ("arm64", true));
    assert_eq!(mail.depends_on.len(), 2);
    assert_eq!((manifest.local.time_scale, manifest.local.traffic_rps), (60.0, Some(20.0)));
    assert!(manifest.local.check_roles);
}

#[test]
fn each_layer_wins_over_the_ones_below() {
    let region = |over: &Over| loaded(&text_with_region(), over).region.unwrap();
    let mut over = Over::default();
    assert_eq!(region(&over), "file-1");
    over.profile = Some("prod");
    assert_eq!(region(&over), "profile-1");
    over.env =
        vec![("WAVEGATE_APP__REGION", "env-1"), ("WAVEGATE_LOG", "debug"), ("OTHER__X", "y")];
    assert_eq!(region(&over), "env-1");
    over.flags = vec![("app.region", "flag-1"), ("app.region", "flag-2")];
    assert_eq!(region(&over), "flag-2");
}

fn text_with_region() -> String {
    SMALL.replace("[functions", "region = \"file-1\"\n[functions")
        + "[profiles.prod.app]\nregion = \"profile-1\"\n"
}

#[test]
fn variables_and_flags_are_read_by_the_type_of_their_key() {
    let over = Over {
        env: vec![
            ("WAVEGATE_APP__NAME", "123"),
            ("WAVEGATE_APP__MAX_PARALLEL", "4"),
            ("WAVEGATE_LOCAL__TRAFFIC__RPS", "2.5"),
            ("WAVEGATE_FUNCTIONS__CHECKOUT__ALARMS", "errors, checkout-5xx"),
            ("WAVEGATE_ALARMS__CHECKOUT_5XX__IF_ALREADY_ALARMING", "ignore"),
            ("WAVEGATE_DEFAULTS__ENVIRONMENT__STAGE", "7"),
            ("WAVEGATE_DEFAULTS__ENVIRONMENT__NEW_ONE", "x"),
        ],
        flags: vec![
            ("strategies.careful.percent", "25"),
            ("functions.mail.depends_on", "[\"auth\"]"),
        ],
        ..Over::default()
    };
    let manifest = loaded(SHOP, &over);
    assert_eq!(manifest.app.name.as_str(), "123");
    assert_eq!(manifest.app.max_parallel, 4);
    assert_eq!(manifest.local.traffic_rps, Some(2.5));
    let checkout = function(&manifest, "checkout");
    assert_eq!(checkout.alarms[1].if_already_alarming, IfAlreadyAlarming::Ignore);
    assert_eq!(checkout.config.environment["STAGE"].expose(), "7");
    assert_eq!(checkout.config.environment["NEW_ONE"].expose(), "x");
    assert_eq!(checkout.strategy.config.0, r#"{"bake":"10m","percent":25}"#);
    assert_eq!(function(&manifest, "mail").depends_on.len(), 1);
    assert!(
        matches!(manifest.locate("strategies.careful.percent"), Place::Flag(key) if key == "strategies.careful.percent")
    );
    assert!(
        matches!(manifest.locate("app.max_parallel"), Place::Variable(name) if name == "WAVEGATE_APP__MAX_PARALLEL")
    );
}

#[test]
fn aws_has_a_budget_of_requests_and_a_profile_can_choose_it() {
    let manifest = loaded(SHOP, &Over { profile: Some("prod"), ..Over::default() });
    assert_eq!((manifest.target, manifest.requests_per_second), (Target::Aws, Some(15)));
    assert_eq!(function(&manifest, "auth").config.environment["STAGE"].expose(), "prod");
    assert_eq!(function(&manifest, "auth").config.environment["LOG_LEVEL"].expose(), "debug");
}

#[test]
fn a_key_is_located_where_it_was_written_or_inherited_from() {
    let manifest = loaded(SHOP, &Over::default());
    let line = |key: &str| {
        let place = manifest.locate(key);
        let line = place.line().unwrap();
        (SHOP.lines().nth(line - 1).unwrap(), place.span().map(|span| &SHOP[span]).unwrap())
    };
    assert_eq!(line("strategies.careful.percent"), ("percent = 10", "10"));
    assert_eq!(line("functions.auth.timeout"), ("timeout = \"10s\"", "\"10s\""));
    // Inherited.
    assert_eq!(line("functions.checkout.runtime"), ("runtime = \"python3.13\"", "\"python3.13\""));
    // An element.
    assert_eq!(line("functions.checkout.alarms[1]").1, "\"checkout-5xx\"");
    // Missing: the table above it.
    assert_eq!(line("strategies.careful.colour"), ("[strategies.careful]", "careful"));
    assert_eq!(line("hooks.verify"), ("[hooks.verify]", "verify"));
    // Built in: nobody wrote it but the function's table is near.
    assert_eq!(line("functions.mail.timeout"), ("[functions.mail]", "mail"));
    assert_eq!(line("functions.auth.environment.STAGE").1, "\"${env:STAGE:-dev}\"");
    assert_eq!(manifest.locate("nonsense..key").line(), Some(1));
}

#[test]
fn a_component_hangs_its_problem_on_the_place_of_its_key() {
    let manifest = loaded(SHOP, &Over { env: vec![("STAGE", "top-secret")], ..Over::default() });
    let problem = manifest.problem(
        "WG201",
        "strategies.careful.percent",
        "must be 1 to 9, not top-secret",
        Some("write 5"),
    );
    assert_eq!(problem.message, "must be 1 to 9, not …");
    assert_eq!(problem.help.as_deref(), Some("write 5"));
    assert!(crate::support::render(&problem).contains("percent = 10"));
}

#[test]
fn values_of_the_environment_never_show() {
    const SECRET: &str = "hunter2-s3cr3t";
    let names = ["region", "alias", "artifact_bucket", "on_failure"];
    let keys = [
        "role",
        "memory",
        "timeout",
        "strategy",
        "bake",
        "dead_letter",
        "ephemeral_storage",
        "architecture",
        "code",
        "handler",
        "name",
    ];
    let lists = ["layers", "depends_on", "alarms"];
    let assign = |keys: &[&str]| -> String {
        let line = |key: &&str| format!("{key} = \"${{env:SECRET}} !\"\n");
        keys.iter().map(line).collect::<Vec<_>>().concat()
    };
    let lists = lists.map(|key| format!("{key} = [\"${{env:SECRET}} !\"]\n")).concat();
    let mut text = String::from("[app]\nname = \"${env:SECRET} x\"\n") + &assign(&names);
    text += "[functions.f]\nruntime = \"r\"\n";
    text += &assign(&keys);
    text += &lists;
    text += "hooks = { pre_traffic = [\"${env:SECRET}\"] }\nenvironment = { AWS_REGION = \"${env:SECRET}\" }\n";
    text += "[strategies.s]\nuse = \"${env:SECRET}\"\n[hooks.h]\nuse = \"command\"\ntimeout = \"${env:SECRET}\"\n";
    let over =
        Over { env: vec![("SECRET", SECRET), ("WAVEGATE_LOCAL__PORT", SECRET)], ..Over::default() };
    let (problems, shown) = load_text(&text, &over).unwrap_err();
    assert!(problems.iter().count() > 15, "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(!format!("{problems:?}").contains(SECRET));

    let good = SHOP
        .replace("checkout-smoke", "${env:SECRET}")
        .replace("LOG_LEVEL = \"info\"", "KEY = \"${env:SECRET}\"");
    let manifest = loaded(&good, &over_with(SECRET));
    assert_eq!(function(&manifest, "auth").config.environment["KEY"].expose(), SECRET);
    assert!(!format!("{manifest:?}").contains(SECRET));
    let request =
        wavegate_config::Request { env: vec![("A".into(), SECRET.into())], ..Default::default() };
    assert!(!format!("{request:?}").contains(SECRET));
}

fn over_with(secret: &'static str) -> Over {
    Over { env: vec![("SECRET", secret)], ..Over::default() }
}

#[test]
fn not_even_a_hint_at_a_value_of_a_variable_is_given() {
    // Each value is close to a word that would be right, which a hint would give away.
    let env = vec![
        ("WAVEGATE_APP__TARGET", "awz"),
        ("WAVEGATE_DEFAULTS__STRATEGY", "canary"),
        ("WAVEGATE_FUNCTIONS__CHECKOUT__ALARMS", "erorrs"),
        ("WAVEGATE_FUNCTIONS__CHECKOUT__DEPENDS_ON", "auht"),
        ("WAVEGATE_HOOKS__SMOKE__USE", "lambada"),
        ("WAVEGATE_FUNCTIONS__CHECKOUT__CODE", "functions/chekout"),
    ];
    let (problems, shown) =
        load_text(SHOP, &Over { env: env.clone(), ..Over::default() }).unwrap_err();
    assert_eq!(
        problems.iter().filter(|problem| !problem.is_warning()).count(),
        env.len(),
        "{shown}"
    );
    for (_, value) in env {
        assert!(!shown.contains(&format!("`{value}`")), "{value} in {shown}");
    }
    assert!(!shown.contains("did you mean"), "{shown}");
}

#[test]
fn a_value_that_another_layer_replaces_is_not_interpolated() {
    let text = SMALL.replace("[functions", "region = \"${env:NOT_SET}\"\n[functions");
    let over = Over { flags: vec![("app.region", "eu-west-1")], ..Over::default() };
    assert_eq!(loaded(&text, &over).region.as_deref(), Some("eu-west-1"));
    // Nor is a profile that is not chosen.
    let text = format!(
        "{SMALL}[profiles.prod.app]\nregion = \"${{env:NOT_SET}}\"\ntarget = \"${{env:NOT_SET}}\"\n"
    );
    assert_eq!(loaded(&text, &Over::default()).region, None);
}

#[test]
fn a_function_that_brings_code_or_an_image_drops_the_other_default() {
    let text = format!(
        "{SMALL}[functions.g]\nimage = \"x:1\"\n[defaults]\ncode = \"functions/mail\"\nlayers = []\n"
    );
    let manifest = loaded(&text, &Over::default());
    assert_eq!(function(&manifest, "g").code, CodeSource::Image("x:1".to_owned()));
    let text = format!("{SMALL}[defaults]\nimage = \"x:1\"\n");
    assert!(matches!(function(&loaded(&text, &Over::default()), "f").code, CodeSource::Path(_)));
}

#[test]
fn zips_and_urls_are_code_too() {
    for (code, expected) in [
        ("bundle.zip", None),
        (
            "s3://my-bucket/a/b.zip",
            Some(CodeSource::S3 { bucket: "my-bucket".into(), key: "a/b.zip".into() }),
        ),
        ("functions/../functions/auth", None),
    ] {
        let manifest = loaded(&SMALL.replace("functions/auth", code), &Over::default());
        let expected = expected.unwrap_or_else(|| CodeSource::Path(manifest.dir.join(code)));
        assert_eq!(function(&manifest, "f").code, expected);
    }
}

#[test]
fn problems_come_in_the_order_of_the_file() {
    let text = SMALL.replace("\"r\"", "5") + "timeout = \"x\"\nmemory = \"y\"\n[local]\nport = 0\n";
    let (problems, shown) = load_text(&text, &Over::default()).unwrap_err();
    let lines: Vec<_> = problems.iter().map(|problem| problem.place.line().unwrap()).collect();
    assert_eq!(lines, [5, 7, 8, 10], "{shown}");
}

#[test]
fn two_cycles_are_two_problems() {
    let function = |name: &str, needs: &str| {
        format!(
            "[functions.{name}]\ncode = \"functions/auth\"\nruntime = \"r\"\nhandler = \"h\"\ndepends_on = [\"{needs}\"]\n"
        )
    };
    let text = [
        "[app]\nname = \"x\"\n".to_owned(),
        function("a", "b"),
        function("b", "a"),
        function("c", "d"),
        function("d", "c"),
    ];
    let (problems, _) = load_text(&text.concat(), &Over::default()).unwrap_err();
    let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "functions depend on each other in a circle: a -> b -> a",
            "functions depend on each other in a circle: c -> d -> c",
        ]
    );
}

#[test]
fn the_manifest_is_found_from_below() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    assert_eq!(find(&deep).filter(|path| path.starts_with(dir.path())), None);
    let path = dir.path().join("deploy.toml");
    std::fs::write(&path, "").unwrap();
    assert_eq!(find(&deep), Some(path));
    assert_eq!(find(Path::new("")), None);
}

/// Words that make broken files more interesting than random characters would.
const SHARDS: [&str; 24] = [
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\n",
    "=",
    ".",
    ",",
    "[functions.auth]",
    "[[app]]",
    "name = 5",
    "use",
    "\u{1b}",
    "é",
    "${env:STAGE}",
    "${env:",
    "[profiles.prod.app]",
    "9999999999999999999",
    "nan",
    "1979-05-27",
    "[plugins]",
    "''",
    "#",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_mutation_of_a_valid_file_is_answered(
        edits in prop::collection::vec((0_usize..1600, 0_usize..40, 0_usize..SHARDS.len(), any::<bool>()), 1..5),
        profile in any::<bool>(),
    ) {
        let mut chars: Vec<char> = SHOP.chars().collect();
        for (at, length, shard, swap) in edits {
            let at = at.min(chars.len());
            let end = (at + length).min(chars.len());
            let cut: Vec<char> = chars.splice(at..end, SHARDS[shard].chars()).collect();
            if swap {
                let at = at.min(chars.len() / 2);
                chars.splice(at..at, cut);
            }
        }
        let text: String = chars.into_iter().collect();
        let over = Over { profile: profile.then_some("prod"), ..Over::default() };
        if let Err((problems, shown)) = load_text(&text, &over) {
            prop_assert!(problems.iter().any(|problem| !problem.is_warning()));
            let steers = shown.contains('\u{1b}');
            prop_assert!(!steers);
        }
    }

    #[test]
    fn any_override_is_answered(
        name in "(APP|FUNCTIONS|LOCAL|HOOKS|ALARMS|STRATEGIES|DEFAULTS)(__[A-Z_]{1,9}){0,4}",
        key in "(app|functions|local|hooks)(\\.[a-z\\[\\]\"]{1,6}){0,3}",
        value in "[a-z0-9\\[\\]{}=,. \"]{0,16}",
    ) {
        let name: &'static str = format!("WAVEGATE_{name}").leak();
        let (key, value): (&'static str, &'static str) = (key.leak(), value.leak());
        let over = Over { env: vec![(name, value)], flags: vec![(key, value)], ..Over::default() };
        let _ = load_text(SHOP, &over);
    }
}

#[test]
fn depth_never_overflows() {
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}1{}", "[".repeat(5000), "]".repeat(5000)),
        format!("[{}a]", "a.".repeat(50_000)),
        format!("{}a = 1", "a.".repeat(50_000)),
        format!("[strategies.a]\nx = {}1{}", "[".repeat(70), "]".repeat(70)),
    ] {
        assert!(load_text(&text, &Over::default()).is_err());
    }
}

//! `engine = "codedeploy"`: whom it is for, and which deployment group each function gets.

use crate::support::{Over, load_text};
use wavegate_config::{LOCAL_SERVICE_ROLE, Manifest};
use wavegate_core::codedeploy::{Group, Trigger};
use wavegate_core::name::FunctionName;
use wavegate_core::spec::FunctionSpec;

const APP: &str = r#"
[app]
name = "shop"
alias = "blue"
engine = "codedeploy"

[codedeploy]
role = "arn:aws:iam::123456789012:role/codedeploy"
ignore_unreadable_alarms = true
triggers = [{ name = "failed", topic = "arn:aws:sns:eu-west-1:123456789012:t", events = ["DeploymentFailure", "DeploymentStop"] }]

[defaults]
runtime = "python3.13"
handler = "app.handler"

[functions.auth]
name = "prod-auth"
code = "functions/auth"
alarms = ["5xx", "again", "fix", "metric"]
hooks = { pre_traffic = ["script", "smoke"], post_traffic = ["verify"], on_rollback = ["smoke", "verify"] }

[functions.checkout]
code = "functions/checkout"
codedeploy = { application = "stack", group = "CheckoutGroup", ignore_unreadable_alarms = false }

[functions.mail]
code = "functions/mail"
engine = "native"
hooks = { pre_traffic = ["smoke"] }

[hooks.smoke]
use = "lambda"
function = "auth"
[hooks.verify]
use = "lambda"
function = "arn:aws:lambda:eu-west-1:123456789012:function:CodeDeployHook_verify"
[hooks.script]
use = "command"
command = ["true"]

[alarms.5xx]
use = "cloudwatch-alarm"
alarm = "shop-5xx"
[alarms.again]
use = "cloudwatch-alarm"
alarm = "shop-5xx"
if_already_alarming = "wait"
[alarms.fix]
use = "cloudwatch-alarm"
alarm = "shop-errors"
if_already_alarming = "ignore"
[alarms.metric]
use = "cloudwatch-metric"
metric = "Errors"
max = 0

[profiles.native.app]
engine = "native"
[profiles.other.codedeploy]
application = "shop"
triggers = []
"#;

#[track_caller]
fn loaded(text: &str, over: &Over) -> Manifest {
    load_text(text, over).unwrap_or_else(|(_, shown)| panic!("{shown}"))
}

#[track_caller]
fn function<'a>(manifest: &'a Manifest, name: &str) -> &'a FunctionSpec {
    &manifest.app.functions[&FunctionName::new(name).unwrap()]
}

#[track_caller]
fn group<'a>(manifest: &'a Manifest, name: &str) -> &'a Group {
    function(manifest, name).engine.group().expect("codedeploy")
}

/// Warnings as code, line and message.
fn warnings(manifest: &Manifest) -> Vec<(&str, Option<usize>, &str)> {
    let one = |problem| {
        let wavegate_config::Problem { code, place, message, .. }: &wavegate_config::Problem =
            problem;
        (*code, place.line(), message.as_str())
    };
    manifest.warnings.iter().map(one).collect()
}

fn line(text: &str, needle: &str) -> Option<usize> {
    text.lines().position(|line| line.contains(needle)).map(|at| at + 1)
}

#[test]
fn each_function_has_a_group_of_its_own_in_the_apps_application() {
    let manifest = loaded(APP, &Over::default());
    let topic = "arn:aws:sns:eu-west-1:123456789012:t".to_owned();
    let events = ["DeploymentFailure", "DeploymentStop"].map(str::to_owned).to_vec();
    let expected = Group {
        application: "wavegate-shop".to_owned(),
        name: "prod-auth-blue".to_owned(),
        is_own: true,
        role: Some("arn:aws:iam::123456789012:role/codedeploy".to_owned()),
        // Each once; one that may be red at the start is wavegate's alone.
        alarms: vec!["shop-5xx".to_owned()],
        ignores_unreadable_alarms: true,
        triggers: vec![Trigger { name: "failed".to_owned(), topic, events }],
        // A key of this app is its name in Lambda.
        before: Some("prod-auth".to_owned()),
        after: Some(
            "arn:aws:lambda:eu-west-1:123456789012:function:CodeDeployHook_verify".to_owned(),
        ),
    };
    assert_eq!(group(&manifest, "auth"), &expected);
    assert!(warnings(&manifest).is_empty(), "{:?}", manifest.warnings);
}

#[test]
fn what_codedeploy_calls_is_no_hook_of_wavegates_and_all_else_stays() {
    let manifest = loaded(APP, &Over::default());
    let auth = function(&manifest, "auth");
    let names = |uses: &[wavegate_core::spec::HookUse]| -> Vec<String> {
        uses.iter().map(|used| used.hook.name.clone()).collect()
    };
    assert_eq!(names(&auth.hooks.pre_traffic), ["script"]);
    assert!(auth.hooks.post_traffic.is_empty());
    assert_eq!(names(&auth.hooks.on_rollback), ["smoke", "verify"]);
    // wavegate watches all alarms as well.
    assert_eq!(auth.alarms.len(), 4);
    let mail = function(&manifest, "mail");
    assert_eq!(
        (mail.engine.group(), names(&mail.hooks.pre_traffic)),
        (None, vec!["smoke".to_owned()])
    );
}

#[test]
fn a_group_that_is_named_is_somebody_elses() {
    let manifest = loaded(APP, &Over::default());
    let expected = Group {
        application: "stack".to_owned(),
        name: "CheckoutGroup".to_owned(),
        ..Group::default()
    };
    assert_eq!(group(&manifest, "checkout"), &expected);
}

#[test]
fn engine_and_codedeploy_come_in_layers() {
    let native = loaded(APP, &Over { profile: Some("native"), ..Over::default() });
    assert!(native.app.functions.values().all(|function| function.engine.group().is_none()));
    let other = loaded(APP, &Over { profile: Some("other"), ..Over::default() });
    let auth = group(&other, "auth");
    assert_eq!((auth.application.as_str(), auth.triggers.as_slice()), ("shop", [].as_slice()));
    let over = Over {
        env: vec![
            ("WAVEGATE_CODEDEPLOY__APPLICATION", "from-env"),
            ("WAVEGATE_FUNCTIONS__MAIL__ENGINE", "codedeploy"),
        ],
        flags: vec![("codedeploy.ignore_unreadable_alarms", "false")],
        ..Over::default()
    };
    let outside = loaded(APP, &over);
    let mail = group(&outside, "mail");
    assert_eq!((mail.application.as_str(), mail.ignores_unreadable_alarms), ("from-env", false));
    // The nearest counts: function, defaults, app.
    let text = APP
        .replace(
            "[defaults]\n",
            "[defaults]\nengine = \"native\"\ncodedeploy = { application = \"below\" }\n",
        )
        .replace("[functions.auth]\n", "[functions.auth]\nengine = \"codedeploy\"\n");
    let manifest = loaded(&text, &Over::default());
    assert_eq!(group(&manifest, "auth").application, "below");
    assert!(function(&manifest, "checkout").engine.group().is_none());
}

#[test]
fn the_local_cloud_needs_no_service_role_and_a_foreign_group_none_anywhere() {
    let text = APP.replace("role = \"arn:aws:iam::123456789012:role/codedeploy\"\n", "");
    assert_eq!(
        group(&loaded(&text, &Over::default()), "auth").role.as_deref(),
        Some(LOCAL_SERVICE_ROLE)
    );
    let role = "arn:aws:iam::123456789012:role/shop";
    let text = text
        .replace("engine = \"codedeploy\"\n", "")
        .replace("[functions.checkout]\n", "[functions.checkout]\nengine = \"codedeploy\"\n")
        .replace("[defaults]\n", &format!("[defaults]\nrole = \"{role}\"\n"));
    let manifest = loaded(&text, &Over { flags: vec![("app.target", "aws")], ..Over::default() });
    assert_eq!(group(&manifest, "checkout").role, None);
}

#[test]
fn keys_that_no_function_makes_use_of_are_told() {
    let text = APP.replace("engine = \"codedeploy\"\n", "");
    let manifest = loaded(&text, &Over::default());
    let at = |needle| line(&text, needle);
    let message = |key: &str| format!("`{key}` has no effect: CodeDeploy moves no traffic with it");
    let expected = [
        (at("role = \"arn"), message("role")),
        (at("ignore_unreadable_alarms = true"), message("ignore_unreadable_alarms")),
        (at("triggers = [{"), message("triggers")),
        (at("CheckoutGroup"), message("application")),
        (at("CheckoutGroup"), message("group")),
        (at("CheckoutGroup"), message("ignore_unreadable_alarms")),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(line, text)| ("WG140", *line, text.as_str())).collect();
    assert_eq!(warnings(&manifest), expected);
}

#[test]
fn what_a_foreign_group_says_itself_is_told_if_no_other_group_takes_it() {
    let text = APP
        .replace("engine = \"codedeploy\"\n", "")
        .replace("[functions.checkout]\n", "[functions.checkout]\nengine = \"codedeploy\"\n");
    let manifest = loaded(&text, &Over::default());
    let why = "a deployment group that is named stays as it is";
    let all = warnings(&manifest);
    let foreign: Vec<_> = all.iter().filter(|(_, _, text)| text.ends_with(why)).collect();
    let lines: Vec<_> = foreign.iter().map(|(_, line, _)| *line).collect();
    assert_eq!(lines, [line(&text, "role = \"arn"), line(&text, "triggers = [{")], "{all:?}");
}

#[test]
fn a_timeout_counts_for_the_hooks_that_wavegate_runs() {
    let with =
        |hook: &str, timeout: &str| APP.replace(hook, &format!("{hook}timeout = \"{timeout}\"\n"));
    let only_called = |text: &str| text.replace(", on_rollback = [\"smoke\", \"verify\"]", "");
    let verify = "[hooks.verify]\n";
    let text = only_called(&with(verify, "5m"));
    let manifest = loaded(&text, &Over::default());
    let message = "`timeout` has no effect: CodeDeploy gives a hook one hour";
    assert_eq!(warnings(&manifest), [("WG140", line(&text, "timeout = \"5m\""), message)]);
    for sound in [
        // It says what CodeDeploy does anyway.
        only_called(&with(verify, "60m")),
        // wavegate runs it on the way back, or for a function of its own.
        with(verify, "5m"),
        only_called(&with("[hooks.smoke]\n", "5m")),
    ] {
        let manifest = loaded(&sound, &Over::default());
        assert!(warnings(&manifest).is_empty(), "{:?}\n{sound}", manifest.warnings);
    }
}

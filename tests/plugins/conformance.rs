//! The plugins that ship with wavegate keep the laws that everybody's must keep.

use serde_json::json;
use wavegate_plugin_testkit::{Conformance, Hooks, Law, Outcome, Report, conformance};

/// All laws hold.
#[track_caller]
fn keeps_the_laws(tried: Conformance) -> Report {
    let report = tried.report().expect("it is linked in");
    assert!(report.is_ok(), "{report}");
    report
}

/// A law was not skipped for a component.
#[track_caller]
fn was_tried(report: &Report, component: &str, sentence: &str) {
    let is_it = |law: &&Law| law.law == sentence && law.component.as_deref() == Some(component);
    let law = report.laws.iter().find(is_it).expect("there is such a law");
    assert!(matches!(law.outcome, Outcome::Held { .. }), "{sentence}: {report}");
}

#[test]
fn all_at_once_keeps_the_laws() {
    let report = keeps_the_laws(conformance(&wavegate_plugin_all_at_once::PLUGIN));
    was_tried(&report, "strategy all-at-once", "while an alarm fires it goes back or pauses");
}

#[test]
fn canary_keeps_the_laws() {
    let report = keeps_the_laws(conformance(&wavegate_plugin_canary::PLUGIN));
    was_tried(&report, "strategy canary", "a weight is kept for as long as its outline says");
}

#[test]
fn linear_keeps_the_laws() {
    let report = keeps_the_laws(conformance(&wavegate_plugin_linear::PLUGIN));
    was_tried(&report, "strategy linear", "a weight is kept for as long as its outline says");
}

#[test]
fn steps_keeps_the_laws_of_pauses_too() {
    let report = keeps_the_laws(conformance(&wavegate_plugin_steps::PLUGIN));
    was_tried(&report, "strategy steps", "a pause ends when a person says go on");
    was_tried(&report, "strategy steps", "a pause says the same as long as it lasts");
}

#[test]
fn the_hooks_keep_the_laws_that_can_be_tried_without_running_them() {
    const UNKNOWN_KEY: &str = "a key that it does not know is rejected by its name";
    let command = conformance(&wavegate_plugin_command_hook::PLUGIN)
        .config("command", json!({"command": ["true"]}));
    was_tried(&keeps_the_laws(command), "hook command", UNKNOWN_KEY);
    let http = conformance(&wavegate_plugin_http_hook::PLUGIN);
    was_tried(&keeps_the_laws(http), "hook http", UNKNOWN_KEY);
    let lambda = conformance(&wavegate_plugin_lambda_hook::PLUGIN)
        .config("lambda", json!({"function": "checkout-smoke"}));
    was_tried(&keeps_the_laws(lambda), "hook lambda", UNKNOWN_KEY);
}

#[test]
fn a_hook_is_over_at_its_deadline_and_when_it_is_cancelled() {
    let sleeps = conformance(&wavegate_plugin_command_hook::PLUGIN)
        .config("command", json!({"command": ["sleep", "5"]}))
        .run_hooks(Hooks::Run);
    let report = keeps_the_laws(sleeps);
    was_tried(&report, "hook command", "a call is replied to once, and soon");
    was_tried(&report, "hook command", "a call ends at its deadline");
    was_tried(&report, "hook command", "a call ends soon after it is cancelled");
}

#[test]
fn the_alarm_providers_keep_the_laws_when_nobody_answers_them() {
    let cloudwatch = conformance(&wavegate_plugin_cloudwatch::PLUGIN)
        .config("cloudwatch-alarm", json!({"alarm": "checkout-5xx"}))
        .config("cloudwatch-metric", json!({"metric": "Errors", "max": "1%", "period": "1m"}));
    let cloudwatch = keeps_the_laws(cloudwatch);
    let prometheus = keeps_the_laws(conformance(&wavegate_plugin_prometheus::PLUGIN));
    for (report, component) in [
        (&cloudwatch, "alarm cloudwatch-alarm"),
        (&cloudwatch, "alarm cloudwatch-metric"),
        (&prometheus, "alarm prometheus"),
    ] {
        was_tried(report, component, "an alarm whose source is out of reach is never ok");
        was_tried(report, component, "a call ends soon after it is cancelled");
        was_tried(report, component, "a call ends at its deadline");
        was_tried(report, component, "1000 calls at once are replied to once each");
    }
}

//! Plans from specifications and inventories made by hand.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::codedeploy::{Engine, Group, Routing};
use crate::inventory::{ExtraVersion, Latest, ObservedFunction, ObservedVersion};
use crate::name::{Nonce, ReleaseId};
use crate::spec::{FunctionSpec, Hooks, Opaque, Secret};
use crate::token::{LockPhase, Position};

fn f(name: &str) -> FunctionName {
    FunctionName::new(name).unwrap()
}

fn function(name: &str, needs: &[&str]) -> FunctionSpec {
    FunctionSpec {
        name: f(name),
        lambda_name: f(name),
        code: CodeSource::Path(PathBuf::from(name)),
        config: FunctionConfig {
            runtime: Some("python3.13".into()),
            handler: Some("app.handler".into()),
            role: "arn:aws:iam::1:role/r".into(),
            memory_mb: 128,
            timeout_s: 3,
            environment: [("TOKEN".to_owned(), Secret::new("hunter2"))].into(),
            architecture: "x86_64".into(),
            layers: vec![],
            ephemeral_storage_mb: 512,
            ..FunctionConfig::default()
        },
        depends_on: needs.iter().map(|need| f(need)).collect(),
        strategy: ComponentUse {
            name: "careful".into(),
            component: "canary".into(),
            config: Opaque("{}".into()),
        },
        engine: crate::codedeploy::Engine::Native,
        hooks: Hooks::default(),
        alarms: vec![AlarmUse {
            alarm: ComponentUse {
                name: "errors".into(),
                component: "cloudwatch-metric".into(),
                config: Opaque("{}".into()),
            },
            if_already_alarming: IfAlreadyAlarming::Fail,
        }],
        bake: Duration::ZERO,
    }
}

fn spec(functions: &[(&str, &[&str])]) -> AppSpec {
    AppSpec {
        name: AppName::new("shop").unwrap(),
        alias: AliasName::new("live").unwrap(),
        on_failure: OnFailure::Rollback,
        rollback_scope: RollbackScope::App,
        on_blind: OnBlind::Rollback,
        max_parallel: 4,
        keep_versions: 3,
        functions: functions.iter().map(|(n, needs)| (f(n), function(n, needs))).collect(),
    }
}

fn alias(name: &str, version: &str, description: &str) -> AliasState {
    AliasState {
        name: name.into(),
        version: version.into(),
        extra: None,
        description: description.into(),
        revision: "r1".into(),
    }
}

/// Everything in `spec` deployed as it is wanted, with code `1`.
fn deployed(spec: &AppSpec) -> Inventory {
    let functions = spec.functions.values().map(|function| {
        let observed = ObservedFunction {
            arn: format!("arn:{}", function.name),
            aliases: vec![alias("live", "1", "")],
            served: ObservedVersion {
                version: Some(VersionId(1)),
                code_sha256: "1".into(),
                image_uri: None,
                config: function.config.clone(),
            },
            latest: Latest::Unasked,
        };
        (function.name.clone(), observed)
    });
    Inventory { taken_at_ms: 0, account: None, functions: functions.collect() }
}

fn zip(sha: &str) -> Artifact {
    Artifact::Zip {
        code_sha256: sha.into(),
        zipped_bytes: 1,
        unzipped_bytes: 1,
        path: PathBuf::new(),
    }
}

fn canary() -> Outline {
    let step = OutlineStep {
        weight: Weight::from_bp(1000).unwrap(),
        bake_min: Duration::from_mins(10),
        bake_max: Duration::from_mins(10),
    };
    Outline { steps: vec![step], longest: Duration::from_mins(10) }
}

/// Plans `spec` with new code for `changed`.
fn planned(spec: &AppSpec, inventory: &Inventory, changed: &[&str]) -> (Option<Plan>, PlanReport) {
    planned_with(spec, inventory, changed, &BTreeMap::new(), None)
}

fn planned_with(
    spec: &AppSpec,
    inventory: &Inventory,
    changed: &[&str],
    alarms: &BTreeMap<(FunctionName, String), AlarmSnapshot>,
    only: Option<&BTreeSet<FunctionName>>,
) -> (Option<Plan>, PlanReport) {
    let (artifacts, outlines) = packaged(spec, changed);
    plan(Facts { spec, inventory, artifacts: &artifacts, outlines: &outlines, alarms, only })
}

type Packaged = (BTreeMap<FunctionName, Artifact>, BTreeMap<FunctionName, Outline>);

fn packaged(spec: &AppSpec, changed: &[&str]) -> Packaged {
    let sha = |name: &FunctionName| if changed.contains(&name.as_str()) { "2" } else { "1" };
    let artifacts = spec.functions.keys().map(|n| (n.clone(), zip(sha(n)))).collect();
    let outlines = spec.functions.keys().map(|n| (n.clone(), canary())).collect();
    (artifacts, outlines)
}

fn codes(report: &PlanReport) -> Vec<&'static str> {
    report.problems.iter().map(|problem| problem.code).collect()
}

const DIAMOND: &[(&str, &[&str])] = &[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"])];

#[test]
fn what_is_served_already_is_left_alone() {
    let spec = spec(DIAMOND);
    let (plan, report) = planned(&spec, &deployed(&spec), &[]);
    assert!(plan.unwrap().functions.is_empty());
    assert!(report.functions.values().all(|s| *s == Standing::Unchanged(VersionId(1))));
}

#[test]
fn the_first_deploy_has_everything_in_it() {
    let spec = spec(DIAMOND);
    let (plan, _) = planned(&spec, &Inventory::default(), &[]);
    let plan = plan.unwrap();
    assert_eq!(plan.waves.len(), 3);
    assert_eq!(plan.number, 1);
    assert!(plan.functions.values().all(|p| p.action == Action::First { exists: false }));
}

#[test]
fn a_dependency_through_an_unchanged_function_still_counts() {
    let spec = spec(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]);
    let (plan, _) = planned(&spec, &deployed(&spec), &["a", "c"]);
    let plan = plan.unwrap();
    assert_eq!(plan.functions[&f("c")].depends_on, [f("a")].into());
    assert_eq!(plan.waves, [vec![f("a")], vec![f("c")]]);
}

#[test]
fn values_of_the_environment_are_never_shown() {
    let spec1 = spec(&[("a", &[])]);
    let inventory = deployed(&spec1);
    let mut spec2 = spec1;
    let environment = &mut spec2.functions.get_mut(&f("a")).unwrap().config.environment;
    environment.insert("TOKEN".into(), Secret::new("hunter3"));
    let (plan, report) = planned(&spec2, &inventory, &[]);
    let Standing::Changed(changes) = &report.functions[&f("a")] else { panic!("{report:?}") };
    assert_eq!(changes[0].to_string(), "environment TOKEN changed");
    let everything = format!("{plan:?}{report:?}{inventory:?}");
    assert!(!everything.contains("hunter"), "{everything}");
}

#[test]
fn a_secret_that_changed_changes_the_fingerprint() {
    let mut spec1 = spec(&[("a", &[])]);
    let (first, _) = planned(&spec1, &Inventory::default(), &[]);
    let environment = &mut spec1.functions.get_mut(&f("a")).unwrap().config.environment;
    environment.insert("TOKEN".into(), Secret::new("hunter3"));
    let (second, _) = planned(&spec1, &Inventory::default(), &[]);
    assert_ne!(first.unwrap().fingerprint, second.unwrap().fingerprint);
}

#[test]
fn every_problem_is_reported_at_once() {
    let mut spec = spec(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &[]), ("e", &[])]);
    let mut inventory = deployed(&spec);
    let mut live = |name: &str, state: AliasState| {
        inventory.functions.get_mut(&f(name)).unwrap().aliases = vec![state];
    };
    let extra = ExtraVersion { version: VersionId(2), weight: Weight::from_bp(500).unwrap() };
    live("a", AliasState { extra: Some(extra), ..alias("live", "1", "") });
    live("b", alias("live", "$LATEST", ""));
    spec.functions.get_mut(&f("c")).unwrap().config.role = "arn:aws:iam::1:role/other".into();
    let snapshot = |status| AlarmSnapshot { status, detail: "so it says".into() };
    let alarms = [
        ((f("d"), "errors".to_owned()), snapshot(AlarmStatus::Missing)),
        ((f("e"), "errors".to_owned()), snapshot(AlarmStatus::Firing)),
    ];
    let (plan, report) =
        planned_with(&spec, &inventory, &["a", "b", "c", "d", "e"], &alarms.into(), None);
    assert!(plan.is_none());
    assert_eq!(codes(&report), ["WG405", "WG404", "WG406", "WG412", "WG413"]);
    assert!(report.problems.iter().all(|problem| problem.hint.is_some()));
}

#[test]
fn an_alarm_that_is_red_already_may_be_told_not_to_count() {
    let mut spec = spec(&[("a", &[])]);
    let alarm = &mut spec.functions.get_mut(&f("a")).unwrap().alarms[0];
    alarm.if_already_alarming = IfAlreadyAlarming::Ignore;
    let red = AlarmSnapshot { status: AlarmStatus::Firing, detail: "since noon".into() };
    let alarms = [((f("a"), "errors".to_owned()), red)].into();
    let (plan, report) = planned_with(&spec, &deployed(&spec), &["a"], &alarms, None);
    assert!(plan.unwrap().functions[&f("a")].alarms[0].already_red);
    assert_eq!(codes(&report), ["WG414"]);
    assert!(!report.is_blocked());
}

fn lock(phase: LockPhase) -> LockRecord {
    LockRecord {
        app: AppName::new("shop").unwrap(),
        release: ReleaseId(5),
        number: 41,
        epoch: 9,
        phase,
        owner: "bob@ci".into(),
        heartbeat: 3,
        claimed: 1,
        functions: 1,
        on_failure: OnFailure::Rollback,
        scope: RollbackScope::App,
        is_switch: false,
        is_paused: false,
        request: None,
        answered: None,
        plan: 1,
        nonce: Nonce(1),
    }
}

#[test]
fn a_held_lock_refuses_and_names_its_owner() {
    let spec = spec(&[("a", &[]), ("b", &[])]);
    for (phase, code) in [
        (LockPhase::Running, Some("WG401")),
        (LockPhase::Aborting, Some("WG401")),
        (LockPhase::Held, Some("WG402")),
        (LockPhase::Stuck, Some("WG402")),
        (LockPhase::Done, None),
        (LockPhase::RolledBack, None),
    ] {
        let mut inventory = deployed(&spec);
        let record = alias("wavegate-live", "$LATEST", &lock(phase).encode());
        inventory.functions.get_mut(&f("b")).unwrap().aliases.push(record);
        let (plan, report) = planned(&spec, &inventory, &["a"]);
        assert_eq!(codes(&report).first().copied(), code, "{phase:?}");
        if let Some(plan) = plan {
            assert_eq!(plan.number, 42);
            assert_eq!(plan.anchor, f("b"), "the lock stays where it is");
        } else if code == Some("WG401") {
            assert!(report.problems[0].message.contains("bob@ci"));
        }
    }
}

#[test]
fn a_split_that_a_running_release_made_is_its_own_affair() {
    let spec = spec(&[("a", &[])]);
    let mut inventory = deployed(&spec);
    let weight = Weight::from_bp(1000).unwrap();
    let token = Token {
        app: AppName::new("shop").unwrap(),
        release: ReleaseId(5),
        epoch: 9,
        sequence: 2,
        position: Position::Forward,
        stable: Some(VersionId(1)),
        candidate: VersionId(2),
        weight,
        nonce: Nonce(2),
        plan: 1,
    };
    let mut live = alias("live", "1", &token.encode(""));
    live.extra = Some(ExtraVersion { version: VersionId(2), weight });
    let mut with_lock = |phase| {
        let record = alias("wavegate-live", "$LATEST", &lock(phase).encode());
        inventory.functions.get_mut(&f("a")).unwrap().aliases = vec![live.clone(), record];
        codes(&planned(&spec, &inventory, &["a"]).1)
    };
    assert_eq!(with_lock(LockPhase::Running), ["WG401"]);
    assert_eq!(with_lock(LockPhase::Held), ["WG402"]);
    assert_eq!(with_lock(LockPhase::Done), ["WG405"]);
}

#[test]
fn a_function_of_another_app_is_refused() {
    let spec = spec(&[("a", &[])]);
    let mut inventory = deployed(&spec);
    let mut other = lock(LockPhase::Done);
    other.app = AppName::new("blog").unwrap();
    let record = alias("wavegate-live", "$LATEST", &other.encode());
    inventory.functions.get_mut(&f("a")).unwrap().aliases.push(record);
    let (_, report) = planned(&spec, &inventory, &["a"]);
    assert_eq!(codes(&report), ["WG403"]);
}

#[test]
fn what_is_not_selected_is_left_out_and_said_so() {
    let spec = spec(DIAMOND);
    let only = [f("b")].into();
    let (plan, report) =
        planned_with(&spec, &deployed(&spec), &["a", "b"], &BTreeMap::new(), Some(&only));
    assert_eq!(plan.unwrap().order, [f("b")]);
    assert_eq!(report.functions[&f("a")], Standing::NotSelected);
}

#[test]
fn going_back_reverses_every_dependency() {
    let spec = spec(&[("a", &[]), ("b", &["a"])]);
    let inventory = deployed(&spec);
    let targets = [(f("a"), VersionId(7)), (f("b"), VersionId(8))].into();
    let (plan, _) = switch_plan(&spec, &inventory, &targets);
    let plan = plan.unwrap();
    assert_eq!(plan.order, [f("b"), f("a")]);
    let action = Action::Switch { stable: VersionId(1), target: VersionId(7) };
    assert_eq!(plan.functions[&f("a")].action, action);
}

#[test]
fn what_an_interrupted_release_left_is_found_from_the_aliases_alone() {
    let spec = spec(&[("a", &[]), ("b", &["a"])]);
    let mut inventory = deployed(&spec);
    let token = Token {
        app: AppName::new("shop").unwrap(),
        release: ReleaseId(5),
        epoch: 9,
        sequence: 2,
        position: Position::Promoted,
        stable: Some(VersionId(1)),
        candidate: VersionId(2),
        weight: Weight::FULL,
        nonce: Nonce(2),
        plan: 1,
    };
    let a = inventory.functions.get_mut(&f("a")).unwrap();
    a.aliases = vec![
        alias("live", "2", &token.encode("")),
        alias("wavegate-live", "$LATEST", &lock(LockPhase::Running).encode()),
    ];
    let (plan, record) = put_back_plan(&spec, &inventory).unwrap();
    assert_eq!(record.number, 41);
    let action = Action::Switch { stable: VersionId(1), target: VersionId(2) };
    assert_eq!(plan.functions[&f("a")].action, action);
    let is_left = Action::Switch { stable: VersionId(1), target: VersionId(1) };
    assert_eq!(plan.functions[&f("b")].action, is_left, "what carries no record is looked at only");
}

#[test]
fn the_plan_of_a_release_in_the_middle_is_the_one_it_was_begun_with() {
    let spec = spec(&[("a", &[]), ("b", &["a"]), ("new", &["b"])]);
    let mut inventory = deployed(&spec);
    inventory.functions.remove(&f("new"));
    let (begun, _) = planned(&spec, &inventory, &["b"]);
    let begun = begun.unwrap();
    // b shifts, and the new function has been created and got its alias.
    let left = LockRecord { plan: begun.fingerprint, ..lock(LockPhase::Running) };
    let token = |stable, position| Token {
        app: AppName::new("shop").unwrap(),
        release: left.release,
        epoch: left.epoch,
        sequence: 2,
        position,
        stable,
        candidate: VersionId(2),
        weight: Weight::from_bp(1000).unwrap(),
        nonce: Nonce(2),
        plan: begun.fingerprint,
    };
    let forward = token(Some(VersionId(1)), Position::Forward).encode("");
    let b = inventory.functions.get_mut(&f("b")).unwrap();
    b.aliases = vec![AliasState {
        extra: Some(ExtraVersion { version: VersionId(2), weight: Weight::from_bp(1000).unwrap() }),
        ..alias("live", "1", &forward)
    }];
    let mut new = inventory.functions[&f("a")].clone();
    new.aliases = vec![alias("live", "1", &token(None, Position::Promoted).encode(""))];
    inventory.functions.insert(f("new"), new);
    inventory.functions.get_mut(&f("a")).unwrap().aliases.push(alias(
        "wavegate-live",
        "$LATEST",
        &left.encode(),
    ));
    let was = before(&spec, &inventory, &left);
    let (artifacts, outlines) = packaged(&spec, &["b"]);
    let alarms = BTreeMap::new();
    let facts = Facts {
        spec: &spec,
        inventory: &was,
        artifacts: &artifacts,
        outlines: &outlines,
        alarms: &alarms,
        only: None,
    };
    let (again, report) = resume_plan(facts, &left);
    let again = again.unwrap_or_else(|| panic!("{report:?}"));
    assert_eq!((again.fingerprint, again.number), (begun.fingerprint, left.number));
    assert_eq!(again.functions[&f("new")].action, Action::First { exists: true });
    let b = &again.functions[&f("b")];
    assert_eq!((b.action, b.live.as_ref().unwrap().extra), (begun.functions[&f("b")].action, None));
}

#[test]
fn what_codedeploy_moves_is_planned_with_its_schedule_or_refused() {
    let mut spec = spec(&[("a", &[]), ("new", &[])]);
    let group = Group { after: Some("verify".to_owned()), ..Group::default() };
    for function in spec.functions.values_mut() {
        function.engine = Engine::CodeDeploy(Box::new(group.clone()));
    }
    let mut inventory = deployed(&spec);
    inventory.functions.remove(&f("new"));
    let (native, _) = planned(&spec_native(&spec), &inventory, &["a"]);
    let (plan, report) = planned(&spec, &inventory, &["a"]);
    assert_eq!(
        codes(&report),
        ["WG416", "WG417"],
        "a foreign name, and an alarm of wavegate's own"
    );
    let plan = plan.unwrap();
    let routing = Routing::Canary { percent: 10, minutes: 10 };
    assert_eq!(plan.functions[&f("a")].delegation, Some(Delegation { group, routing }));
    assert_eq!(plan.functions[&f("new")].delegation, None, "there is nothing to shift from");
    assert_ne!(plan.fingerprint, native.unwrap().fingerprint);
    let (artifacts, mut outlines) = packaged(&spec, &["a"]);
    outlines.get_mut(&f("a")).unwrap().steps[0].bake_max += Duration::from_secs(1);
    let facts = Facts {
        spec: &spec,
        inventory: &inventory,
        artifacts: &artifacts,
        outlines: &outlines,
        alarms: &BTreeMap::new(),
        only: None,
    };
    let (plan, report) = super::plan(facts);
    assert!(plan.is_none() && codes(&report).contains(&"WG415"), "{report:?}");
}

/// `shop`, whose traffic CodeDeploy moves and which `hook` judges, and `judge` before it.
fn judged(hook: &str) -> AppSpec {
    let mut spec = spec(&[("judge", &[]), ("shop", &["judge"])]);
    let group = Group { before: Some(hook.to_owned()), ..Group::default() };
    spec.functions.get_mut(&f("shop")).unwrap().engine = Engine::CodeDeploy(Box::new(group));
    spec
}

/// Everything as it is wanted, but for the `$LATEST` of `judge`.
fn strayed(spec: &AppSpec, change: impl Fn(&mut ObservedVersion)) -> Inventory {
    let mut inventory = deployed(spec);
    let judge = inventory.functions.get_mut(&f("judge")).unwrap();
    let mut held = ObservedVersion { version: None, ..judge.served.clone() };
    change(&mut held);
    judge.latest = Latest::Holds(Box::new(held));
    inventory
}

fn other_code(held: &mut ObservedVersion) {
    held.code_sha256 = "failed".into();
}

#[test]
fn a_hook_that_codedeploy_calls_is_in_the_plan_if_what_it_calls_is_not_what_is_served() {
    type Case = (&'static str, fn(&mut ObservedVersion));
    let spec = judged("judge");
    let cases: [Case; 2] = [
        ("$LATEST holds other code than its alias serves", other_code),
        ("$LATEST has another configuration than its alias serves", |held| {
            held.config.memory_mb += 64;
        }),
    ];
    for (words, change) in cases {
        let (plan, report) = planned(&spec, &strayed(&spec, change), &["shop"]);
        let Standing::Changed(changes) = &report.functions[&f("judge")] else {
            panic!("{report:?}")
        };
        let reason = format!("{words}, and CodeDeploy calls this hook by name");
        assert_eq!(changes[0].to_string(), reason);
        let plan = plan.unwrap();
        assert_eq!(plan.order, [f("judge"), f("shop")]);
        let judge = &plan.functions[&f("judge")];
        assert_eq!(judge.action, Action::Update { stable: VersionId(1) });
        assert!(judge.artifact.is_some(), "its code is written again");
    }
}

#[test]
fn a_hook_whose_latest_runs_what_is_served_is_left_alone() {
    let spec = judged("judge");
    // A version may have been given a description of its own.
    let inventory = strayed(&spec, |held| held.config.description = "unpublished".into());
    let (plan, report) = planned(&spec, &inventory, &[]);
    assert!(plan.unwrap().functions.is_empty(), "{report:?}");
}

#[test]
fn a_hook_that_changes_anyway_has_its_changes_for_a_reason() {
    let spec = judged("judge");
    let (_, report) = planned(&spec, &strayed(&spec, other_code), &["judge"]);
    let Standing::Changed(changes) = &report.functions[&f("judge")] else { panic!("{report:?}") };
    assert_eq!(changes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["code"]);
}

#[test]
fn codedeploy_calls_a_function_by_its_name_or_its_arn() {
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:judge";
    for hook in ["judge", "123456789012:function:judge", arn] {
        assert!(judged(hook).called_by_codedeploy().has(arn), "{hook}");
    }
    let elsewhere = "arn:aws:lambda:eu-west-1:999999999999:function:judge";
    for hook in ["other-judge", "jud", elsewhere] {
        assert!(!judged(hook).called_by_codedeploy().has(arn), "{hook}");
    }
    assert!(!spec_native(&judged("judge")).called_by_codedeploy().has(arn), "wavegate asks it");
}

#[test]
fn putting_a_hook_right_is_no_part_of_what_makes_two_plans_the_same() {
    let mut spec = judged("judge");
    // The order goes through the hook, also where it is left alone.
    spec.functions.insert(f("base"), function("base", &[]));
    spec.functions.get_mut(&f("judge")).unwrap().depends_on = [f("base")].into();
    let changed = ["base", "shop"];
    let (with, _) = planned(&spec, &strayed(&spec, other_code), &changed);
    let (without, _) = planned(&spec, &deployed(&spec), &changed);
    let (with, without) = (with.unwrap(), without.unwrap());
    assert_eq!((with.functions.len(), without.functions.len()), (3, 2));
    assert_eq!(with.functions[&f("shop")].depends_on, [f("judge")].into());
    assert_eq!(without.functions[&f("shop")].depends_on, [f("base")].into());
    assert_eq!(with.fingerprint, without.fingerprint);
    let (other, _) = planned(&spec, &strayed(&spec, other_code), &["shop"]);
    assert_ne!(with.fingerprint, other.unwrap().fingerprint, "all the rest of it is");
}

#[test]
fn a_release_that_put_a_hook_right_goes_on_with_it() {
    let spec = judged("judge");
    let (begun, _) = planned(&spec, &strayed(&spec, other_code), &["shop"]);
    let begun = begun.unwrap();
    let past = LockRecord { plan: begun.fingerprint, ..lock(LockPhase::Held) };
    let early = LockRecord { claimed: 0, functions: 2, ..past.clone() };
    let token = Token {
        app: AppName::new("shop").unwrap(),
        release: past.release,
        epoch: past.epoch,
        sequence: 2,
        position: Position::Promoted,
        stable: Some(VersionId(1)),
        candidate: VersionId(3),
        weight: Weight::FULL,
        nonce: Nonce(2),
        plan: past.plan,
    };
    let has_judge = |left: &LockRecord, is_claimed: bool, change: fn(&mut ObservedVersion)| {
        let mut inventory = strayed(&spec, change);
        if is_claimed {
            inventory.functions.get_mut(&f("judge")).unwrap().aliases =
                vec![alias("live", "3", &token.encode(""))];
        }
        let was = before(&spec, &inventory, left);
        let (artifacts, outlines) = packaged(&spec, &["shop"]);
        let alarms = BTreeMap::new();
        let facts = Facts {
            spec: &spec,
            inventory: &was,
            artifacts: &artifacts,
            outlines: &outlines,
            alarms: &alarms,
            only: None,
        };
        let (plan, report) = resume_plan(facts, left);
        let plan = plan.unwrap_or_else(|| panic!("{report:?}"));
        assert_eq!(plan.fingerprint, begun.fingerprint);
        plan.functions.contains_key(&f("judge"))
    };
    let right: fn(&mut ObservedVersion) = |_| {};
    assert!(has_judge(&past, true, right), "it has its record, and is to be given up or ended");
    assert!(has_judge(&early, true, right));
    assert!(!has_judge(&past, false, right), "it served what was wanted");
    assert!(!has_judge(&early, false, right), "what it holds is right by now");
    assert!(has_judge(&early, false, other_code), "it was not prepared yet");
    assert!(!has_judge(&past, false, other_code), "whoever changed it since was somebody else");
}

#[test]
fn a_hook_that_is_left_out_and_would_judge_as_something_else_is_told() {
    let spec = judged("judge");
    let none = BTreeMap::new();
    let only = [f("shop")].into();
    let told = |inventory: &Inventory, only| {
        codes(&planned_with(&spec, inventory, &["shop"], &none, only).1)
    };
    let strayed = strayed(&spec, other_code);
    assert_eq!(told(&strayed, Some(&only)), ["WG416", "WG418", "WG417"]);
    assert_eq!(told(&deployed(&spec), Some(&only)), ["WG416", "WG417"]);
    assert_eq!(told(&strayed, None), ["WG416", "WG417"], "it is put right");
}

fn spec_native(spec: &AppSpec) -> AppSpec {
    let mut spec = spec.clone();
    spec.functions.values_mut().for_each(|function| function.engine = Engine::Native);
    spec
}

#[test]
fn the_schedule_follows_the_graph() {
    let spec = spec(&[("a", &[]), ("b", &["a"])]);
    let (plan, _) = planned(&spec, &deployed(&spec), &["a", "b"]);
    let schedule = schedule(&plan.unwrap());
    let one = Duration::from_mins(10) + crate::release::limits::SETTLE;
    assert_eq!(schedule.functions[&f("b")], (one, one * 2));
    assert_eq!(schedule.expected, one * 2);
    assert!(schedule.worst >= schedule.expected);
}

proptest! {
    #[test]
    fn a_plan_exists_exactly_when_the_graph_has_no_cycle(
        needs in proptest::collection::btree_map(
            "[a-g]", proptest::collection::btree_set("[a-g]", 0..3), 1..7),
    ) {
        let mut app = spec(&[]);
        for (name, deps) in &needs {
            let mut one = function(name, &[]);
            one.depends_on = deps.iter().filter(|d| needs.contains_key(*d)).map(|d| f(d)).collect();
            app.functions.insert(f(name), one);
        }
        let (plan, report) = planned(&app, &Inventory::default(), &[]);
        prop_assert_eq!(plan.is_none(), codes(&report).contains(&"WG122"));
        if let Some(plan) = plan {
            let place = |name: &FunctionName| plan.order.iter().position(|o| o == name).unwrap();
            prop_assert_eq!(plan.order.len(), app.functions.len());
            for planned in plan.functions.values() {
                for need in &planned.depends_on {
                    prop_assert!(place(need) < place(&planned.name));
                }
            }
        }
    }
}

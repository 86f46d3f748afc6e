//! Plans, as people read them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wavegate_core::codedeploy::{Engine, Group};
use wavegate_core::inventory::{
    AliasState, Artifact, Inventory, Latest, ObservedFunction, ObservedVersion,
};
use wavegate_core::name::{AliasName, AppName, VersionId};
use wavegate_core::plan::{AlarmSnapshot, AlarmStatus, Facts, plan, schedule};
use wavegate_core::spec::{
    AlarmUse, AppSpec, CodeSource, ComponentUse, FunctionConfig, FunctionSpec, Hooks, Opaque,
    Secret,
};
use wavegate_core::weight::Weight;

use super::*;
use crate::plan_json;
use crate::style::{Charset, Color};

const MINUTE: Duration = Duration::from_mins(1);

/// A shop: `auth` is new, `checkout` changes and needs it, `catalog` stays.
struct Shop {
    spec: AppSpec,
    inventory: Inventory,
    artifacts: BTreeMap<FunctionName, Artifact>,
    outlines: BTreeMap<FunctionName, Outline>,
    alarms: BTreeMap<(FunctionName, String), AlarmSnapshot>,
    only: Option<BTreeSet<FunctionName>>,
}

fn name(text: &str) -> FunctionName {
    FunctionName::new(text).unwrap()
}

fn component(name: &str, component: &str) -> ComponentUse {
    let config = Opaque("{\"password\":\"hunter2\"}".to_owned());
    ComponentUse { name: name.to_owned(), component: component.to_owned(), config }
}

fn config(memory_mb: u32) -> FunctionConfig {
    FunctionConfig {
        runtime: Some("python3.13".to_owned()),
        handler: Some("app.handler".to_owned()),
        role: "arn:aws:iam::123456789012:role/shop".to_owned(),
        memory_mb,
        timeout_s: 10,
        environment: BTreeMap::from([("TOKEN".to_owned(), Secret::new("hunter2"))]),
        architecture: "x86_64".to_owned(),
        ephemeral_storage_mb: 512,
        ..FunctionConfig::default()
    }
}

fn function(key: &str, needs: &[&str]) -> FunctionSpec {
    let hook = |name: &str, use_: &str| HookUse { hook: component(name, use_), timeout: MINUTE };
    FunctionSpec {
        name: name(key),
        lambda_name: name(key),
        code: CodeSource::Path("code".into()),
        config: config(256),
        depends_on: needs.iter().map(|n| name(n)).collect(),
        strategy: component("careful", "canary"),
        engine: wavegate_core::codedeploy::Engine::Native,
        hooks: Hooks {
            pre_traffic: vec![hook("smoke", "lambda")],
            post_traffic: vec![hook("verify", "command"), hook("load", "command")],
            on_rollback: vec![hook("page", "command")],
        },
        alarms: vec![AlarmUse {
            alarm: component("errors", "cloudwatch-metric"),
            if_already_alarming: IfAlreadyAlarming::Fail,
        }],
        bake: MINUTE * 10,
    }
}

fn zip(hash: &str) -> Artifact {
    Artifact::Zip {
        code_sha256: hash.to_owned(),
        zipped_bytes: 1000,
        unzipped_bytes: 3000,
        path: "x.zip".into(),
    }
}

fn observed(version: u64, memory_mb: u32, hash: &str) -> ObservedFunction {
    ObservedFunction {
        arn: "arn".to_owned(),
        aliases: vec![AliasState {
            name: "live".to_owned(),
            version: version.to_string(),
            extra: None,
            description: String::new(),
            revision: "r".to_owned(),
        }],
        served: ObservedVersion {
            version: Some(VersionId(version)),
            code_sha256: hash.to_owned(),
            image_uri: None,
            config: config(memory_mb),
        },
        latest: Latest::Unasked,
    }
}

fn step(percent: u16, bake: Duration) -> OutlineStep {
    let weight = Weight::from_bp(percent * 100).unwrap();
    OutlineStep { weight, bake_min: bake, bake_max: bake }
}

fn shop() -> Shop {
    let functions = [
        function("auth", &[]),
        function("catalog", &[]),
        function("checkout", &["auth", "catalog"]),
    ];
    let outline = Outline { steps: vec![step(10, MINUTE * 5)], longest: MINUTE * 5 };
    Shop {
        spec: AppSpec {
            name: AppName::new("shop").unwrap(),
            alias: AliasName::new("live").unwrap(),
            on_failure: OnFailure::Rollback,
            rollback_scope: RollbackScope::App,
            on_blind: wavegate_core::spec::OnBlind::Rollback,
            max_parallel: 16,
            keep_versions: 3,
            functions: functions.into_iter().map(|f| (f.name.clone(), f)).collect(),
        },
        inventory: Inventory {
            functions: BTreeMap::from([
                (name("catalog"), observed(4, 256, "same")),
                (name("checkout"), observed(8, 128, "old")),
            ]),
            ..Inventory::default()
        },
        artifacts: ["auth", "catalog", "checkout"].map(|n| (name(n), zip("same"))).into(),
        outlines: ["auth", "checkout"].map(|n| (name(n), outline.clone())).into(),
        alarms: BTreeMap::new(),
        only: None,
    }
}

impl Shop {
    fn planned(&self) -> (Option<Plan>, PlanReport, Schedule) {
        let facts = Facts {
            spec: &self.spec,
            inventory: &self.inventory,
            artifacts: &self.artifacts,
            outlines: &self.outlines,
            alarms: &self.alarms,
            only: self.only.as_ref(),
        };
        let (plan, report) = plan(facts);
        let schedule = plan.as_ref().map(schedule).unwrap_or_default();
        (plan, report, schedule)
    }

    fn text(&self, style: Style) -> String {
        let (plan, report, schedule) = self.planned();
        plan_text(plan.as_ref(), &report, &schedule, style)
    }

    fn red(mut self, status: AlarmStatus, policy: IfAlreadyAlarming) -> Self {
        let snapshot = AlarmSnapshot { status, detail: "Errors 4% > 1%".to_owned() };
        self.alarms.insert((name("checkout"), "errors".to_owned()), snapshot);
        let checkout = self.spec.functions.get_mut(&name("checkout")).unwrap();
        checkout.alarms[0].if_already_alarming = policy;
        self
    }
}

#[test]
fn a_plan() {
    insta::assert_snapshot!(shop().text(Style::PLAIN), @r"
    Plan for shop r1, alias live: 1 new and 1 changed in 2 waves; 1 unchanged
    takes 15m10s if hooks answer at once, at worst 21m10s; 16 at a time

    wave 1
      + auth  new: create the function, publish it, create alias live
          traffic   all at once: there is no version to shift from
          before    hook smoke (at most 1m)
          after     hook verify (at most 1m), hook load (at most 1m)
          if undone hook page (at most 1m)
          alarms    errors
          when      starts at once

    wave 2
      ~ checkout  v8 -> a new version
          ~ code
          ~ memory 128MB -> 256MB
          traffic   canary (careful): 10% for 5m, then 100%
          before    hook smoke (at most 1m)
          after     hook verify (at most 1m), hook load (at most 1m)
          if undone hook page (at most 1m)
          alarms    errors
          bake      10m with alarms watched, after promotion
          needs     auth
          when      starts at once, done after 15m10s

    left alone
      = catalog  stays on v4

    if it fails: everything this release changed is put back
    ");
}

#[test]
fn what_codedeploy_does_is_said() {
    let mut shop = shop();
    let checkout = shop.spec.functions.get_mut(&name("checkout")).unwrap();
    checkout.engine = Engine::CodeDeploy(Box::new(Group {
        application: "wavegate-shop".to_owned(),
        name: "checkout-live".to_owned(),
        alarms: vec!["checkout-5xx".to_owned()],
        before: Some("CodeDeployHook_smoke".to_owned()),
        ..Group::default()
    }));
    let text = shop.text(Style::PLAIN);
    let said: Vec<&str> = text.lines().filter(|line| line.contains("CodeDeploy")).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    CodeDeploy moves the traffic: CodeDeployDefault.LambdaCanary10Percent5Minutes, by group checkout-live of application wavegate-shop
    before    CodeDeployHook_smoke, called by CodeDeploy
    ");
    let (plan, report, schedule) = shop.planned();
    let json = plan_json(plan.as_ref(), &report, &schedule);
    assert_eq!(
        json["plan"]["functions"]["checkout"]["codedeploy"]["config"],
        "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    );
}

#[test]
fn a_plan_with_a_warning() {
    let shop = shop().red(AlarmStatus::Firing, IfAlreadyAlarming::Ignore);
    let text = shop.text(Style::PLAIN);
    insta::assert_snapshot!(&text[text.find("alarms    errors (").unwrap()..], @r"
    alarms    errors (red already: counts once it has been quiet)
          bake      10m with alarms watched, after promotion
          needs     auth
          when      starts at once, done after 15m10s

    left alone
      = catalog  stays on v4

    if it fails: everything this release changed is put back

    warning[WG414] checkout: alarm `errors` is red already: Errors 4% > 1%
      note: it counts once it has been quiet
    ");
}

#[test]
fn a_blocked_plan_says_what_and_how_to_mend_it() {
    let mut shop = shop().red(AlarmStatus::Missing, IfAlreadyAlarming::Fail);
    let checkout = shop.inventory.functions.get_mut(&name("checkout")).unwrap();
    checkout.served.config.role = "arn:aws:iam::123456789012:role/old".to_owned();
    insta::assert_snapshot!(shop.text(Style::PLAIN), @r#"
    No plan: 2 problems
      + auth      new
      ! checkout  blocked: WG406, WG412
          ~ code
          ~ role arn:aws:iam::123456789012:role/old -> arn:aws:iam::123456789012:role/shop
          ~ memory 128MB -> 256MB
      = catalog  stays on v4

    error[WG406] checkout: its role changes, and Lambda does not split traffic between versions whose role differs
      fix: release this change with `strategy = "AllAtOnce"`

    error[WG412] checkout: alarm `errors` does not exist: Errors 4% > 1%
      fix: create it, or correct its name: an alarm that is not there guards nothing
    "#);
}

#[test]
fn a_plan_of_nothing() {
    let mut shop = shop();
    shop.only = Some(BTreeSet::from([name("catalog")]));
    insta::assert_snapshot!(shop.text(Style::PLAIN), @r"
    Nothing to change: every function serves what the manifest says.

    left alone
      = auth      left out by --only
      = catalog   stays on v4
      = checkout  left out by --only
    ");
}

#[test]
fn colour_repeats_what_words_say() {
    let colored = shop().text(Style { charset: Charset::Unicode, color: Color::Always });
    let plain = shop().text(Style { charset: Charset::Unicode, color: Color::Never });
    assert_ne!(colored, plain);
    // A line ends where its last visible character does, coloured or not.
    assert_eq!(crate::safe_text(&colored), plain);
}

#[test]
fn strategies_read_as_words() {
    let outline = |steps: Vec<OutlineStep>| Outline { steps, longest: MINUTE };
    let linear = (1..10).map(|i| step(i * 10, MINUTE)).collect();
    let ranged = OutlineStep { bake_max: MINUTE * 4, ..step(25, MINUTE) };
    let uneven = (1..10).map(|i| step(i * i, MINUTE)).collect();
    for (outline, words) in [
        (outline(vec![]), "100% at once"),
        (outline(vec![step(10, MINUTE * 5)]), "10% for 5m, then 100%"),
        (outline(vec![step(5, MINUTE), ranged]), "5% for 1m, 25% for 1m to 4m, then 100%"),
        (outline(linear), "10% more every 1m, up to 90%, then 100%"),
        (
            outline(uneven),
            "1% for 1m, 4% for 1m, 9% for 1m, 16% for 1m, 25% for 1m, 36% for 1m, 3 more up to 81%, then 100%",
        ),
    ] {
        assert_eq!(outline_words(&outline), words);
    }
}

#[test]
fn no_secret_is_shown() {
    let (plan, report, schedule) = shop().planned();
    let json = plan_json(plan.as_ref(), &report, &schedule).to_string();
    assert!(json.contains("TOKEN") && !json.contains("hunter2"));
    assert!(!shop().text(Style::PLAIN).contains("hunter2"));
}

#[test]
fn the_plan_for_machines() {
    let (plan, report, schedule) = shop().planned();
    let mut json = plan_json(plan.as_ref(), &report, &schedule);
    // Whether a JSON object keeps its order depends on what else is compiled in.
    json.sort_all_objects();
    json["plan"]["fingerprint"] = "00000000".into();
    let mut functions = json["plan"]["functions"].take();
    insta::assert_snapshot!(json, @r#"{"blocked":false,"functions":{"auth":{"blocked":false,"changes":null,"standing":"new","version":null},"catalog":{"blocked":false,"changes":null,"standing":"unchanged","version":4},"checkout":{"blocked":false,"changes":[{"from":null,"to":null,"what":"code"},{"from":"128MB","to":"256MB","what":"memory"}],"standing":"changed","version":null}},"plan":{"alias":"live","anchor":"auth","app":"shop","expected_ms":910000,"fingerprint":"00000000","functions":null,"keep_versions":3,"max_parallel":16,"number":1,"on_failure":"rollback","rollback_scope":"app","waves":[["auth"],["checkout"]],"worst_ms":1270000},"problems":[],"v":1}"#);
    let checkout = functions["checkout"].take();
    let rows: Vec<String> = checkout
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    action: "update"
    alarms: [{"already_red":false,"component":"cloudwatch-metric","if_already_alarming":"fail","name":"errors"}]
    artifact: {"code_sha256":"same","kind":"zip","unzipped_bytes":3000,"zipped_bytes":1000}
    bake_ms: 600000
    changes: [{"from":null,"to":null,"what":"code"},{"from":"128MB","to":"256MB","what":"memory"}]
    codedeploy: null
    config: {"architecture":"x86_64","dead_letter":null,"description":"","environment_keys":["TOKEN"],"ephemeral_storage_mb":512,"handler":"app.handler","layers":[],"memory_mb":256,"role":"arn:aws:iam::123456789012:role/shop","runtime":"python3.13","timeout_s":10,"tracing":false,"vpc":null}
    depends_on: ["auth"]
    done_ms: 910000
    hooks: {"on_rollback":[{"component":"command","name":"page","timeout_ms":60000}],"post_traffic":[{"component":"command","name":"verify","timeout_ms":60000},{"component":"command","name":"load","timeout_ms":60000}],"pre_traffic":[{"component":"lambda","name":"smoke","timeout_ms":60000}]}
    lambda_name: "checkout"
    outline: {"longest_ms":300000,"steps":[{"bake_max_ms":300000,"bake_min_ms":300000,"weight_bp":1000}],"words":"10% for 5m, then 100%"}
    stable: 8
    start_ms: 0
    strategy: {"component":"canary","name":"careful"}
    target: null
    "#);
}

#[test]
fn a_blocked_plan_is_null_to_machines() {
    let (plan, report, schedule) =
        shop().red(AlarmStatus::Missing, IfAlreadyAlarming::Fail).planned();
    let json = plan_json(plan.as_ref(), &report, &schedule);
    assert_eq!(json["blocked"], true);
    assert!(json["plan"].is_null());
    assert_eq!(json["functions"]["checkout"]["blocked"], true);
    assert_eq!(json["problems"][0]["code"], "WG412");
}

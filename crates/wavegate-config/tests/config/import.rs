//! Templates of other tools: what comes of them, and that it is a sound manifest.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use wavegate_config::import::{self, Engine, Fate, Imported, Report, Request};
use wavegate_config::{Manifest, Problems};
use wavegate_core::codedeploy::Group;

use crate::support::{components, render_in};

/// Imports a template as `template.yaml`.
fn sam(text: &str, parameters: &[(&str, &str)]) -> Result<Imported, Problems> {
    import::sam(&template(text, parameters))
}

fn template(text: &str, parameters: &[(&str, &str)]) -> Request {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Request {
        path: "template.yaml".into(),
        text: text.to_owned(),
        parameters: parameters.iter().map(owned).collect(),
        app: "shop".to_owned(),
        ..Request::default()
    }
}

/// The report as one reads it.
fn told(report: &Report) -> String {
    let mut text = String::new();
    for entry in &report.entries {
        let (line, fate) = (entry.line.expect("a line"), entry.fate.as_str());
        text.extend([format!("{line:>4} {fate:<10} {}", entry.property)]);
        text.extend(entry.key.iter().map(|key| format!(" -> {key}")));
        text.extend(entry.reason.iter().map(|reason| format!("\n{:16}{reason}", "")));
        text.push('\n');
    }
    for variable in &report.variables {
        let on_aws = if variable.only_on_aws { ", on AWS" } else { "" };
        let lines: Vec<usize> = variable.uses.iter().filter_map(|(line, _)| *line).collect();
        let name = &variable.name;
        text.extend([format!("set {name} = {}{on_aws} (lines {lines:?})\n", variable.stands_for)]);
    }
    text
}

fn shown(imported: &Imported) -> String {
    let files = imported.files.iter().map(|(path, text)| format!("--- {path}\n{text}"));
    let files: String = files.collect();
    format!("{}\n{files}--- report\n{}", imported.manifest, told(&imported.report))
}

/// Loads what was imported beside the code that it names, with every variable set to something that
/// fits.
fn loaded(imported: &Imported, profile: Option<&str>) -> Result<Manifest, String> {
    let dir = tempfile::tempdir().unwrap();
    for code in ["hello_world", "hooks", "src/checkout", "service"] {
        fs::create_dir_all(dir.path().join(code)).unwrap();
    }
    fs::create_dir_all(dir.path().join("build")).unwrap();
    fs::write(dir.path().join("build/auth.zip"), "").unwrap();
    for (path, text) in &imported.files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let path = dir.path().join("deploy.toml");
    fs::write(&path, &imported.manifest).unwrap();
    let variables = imported.report.variables.iter();
    let fitting = |name: &str| match name {
        name if name.ends_with("ROLE_ARN") => "arn:aws:iam::123456789012:role/x",
        name if name.contains("ACCOUNT_ID") => "123456789012",
        name if name.contains("REGION") => "eu-west-1",
        name if name.ends_with("LAYER") => "arn:aws:lambda:eu-west-1:123456789012:layer:shared:1",
        name if name.ends_with("TOPIC") => "arn:aws:sns:eu-west-1:123456789012:topic",
        name if name.ends_with("STRATEGY") => "Canary10Percent5Minutes",
        _ => "a-value",
    };
    let env = variables.map(|one| (one.name.clone(), fitting(&one.name).to_owned()));
    let request = wavegate_config::Request {
        path,
        profile: profile.map(str::to_owned),
        env: env.collect(),
        flags: Vec::new(),
        components: components(),
    };
    wavegate_config::load(&request).map_err(|problems| render_in(dir.path(), &problems))
}

#[track_caller]
fn sound(imported: &Imported) -> Manifest {
    for profile in [Some("aws"), None] {
        match loaded(imported, profile) {
            Ok(manifest) if profile.is_none() => return manifest,
            Ok(_) => {}
            Err(problems) => panic!("{profile:?}\n{problems}\n{}", imported.manifest),
        }
    }
    unreachable!("the second one is returned")
}

const HELLO: &str = include_str!("import/hello.yaml");
const EVERYTHING: &str = include_str!("import/everything.yaml");

#[test]
fn the_hello_world_of_sam_is_a_manifest() {
    let imported = sam(HELLO, &[]).unwrap();
    insta::assert_snapshot!(shown(&imported));
    let manifest = sound(&imported);
    assert!(manifest.warnings.is_empty(), "{:?}", manifest.warnings);
    assert_eq!(manifest.app.functions.len(), 3);
}

#[test]
fn everything_that_a_function_can_have_is_in_the_manifest_or_in_the_report() {
    let imported = sam(EVERYTHING, &[]).unwrap();
    insta::assert_snapshot!(shown(&imported));
    sound(&imported);
}

#[test]
fn parameters_decide_conditions_and_fill_what_was_open() {
    let parameters = [
        ("Stage", "prod"),
        ("LogLevel", "info"),
        ("AWS::Region", "eu-west-1"),
        ("AWS::AccountId", "123456789012"),
        ("AWS::StackName", "shop-prod"),
    ];
    let imported = sam(EVERYTHING, &parameters).unwrap();
    insta::assert_snapshot!(imported.manifest);
    let manifest = sound(&imported);
    assert_eq!(manifest.app.name.as_str(), "shop-prod");
    assert_eq!(manifest.region.as_deref(), Some("eu-west-1"));
}

#[test]
fn all_problems_of_a_template_are_told_at_once() {
    let text = include_str!("import/broken.yaml");
    let problems = sam(text, &[("Sateg", "x"), ("Nothing", "y")]).unwrap_err();
    insta::assert_snapshot!(render_in(Path::new("/nowhere"), &problems));
}

#[test]
fn what_is_no_template_is_said() {
    for (name, text) in [
        ("not_yaml", "Resources:\n  A: [\n"),
        ("not_a_map", "- a\n- b\n"),
        ("the_other_tool", "service: x\nfunctions: {}\n"),
        ("no_functions", "Resources:\n  T: {Type: AWS::SNS::Topic}\n"),
    ] {
        let problems = sam(text, &[]).unwrap_err();
        insta::assert_snapshot!(name, render_in(Path::new("/nowhere"), &problems));
    }
}

/// The paths of everything that the properties of functions hold.
#[test]
fn no_property_of_a_function_goes_without_a_line() {
    let imported = sam(EVERYTHING, &[]).unwrap();
    let told: BTreeSet<&str> =
        imported.report.entries.iter().map(|entry| entry.property.as_str()).collect();
    let lines = EVERYTHING.lines().map(str::trim_end);
    let mut function = None;
    let mut seen = 0;
    for line in lines.skip_while(|line| *line != "Resources:").skip(1) {
        match line.strip_prefix("  ") {
            Some(name) if !name.starts_with(' ') => {
                function = name.strip_suffix(':').map(str::to_owned);
            }
            Some(rest) => {
                let Some(property) =
                    rest.strip_prefix("    ").filter(|rest| !rest.starts_with([' ', '-']))
                else {
                    continue;
                };
                let (Some(function), Some((property, _))) = (&function, property.split_once(':'))
                else {
                    continue;
                };
                // Alarms, roles and configs of their own are told as a whole.
                if !["Auth", "Checkout", "Mail", "Judge", "Plain"].contains(&function.as_str()) {
                    continue;
                }
                let path = format!("{function}.{property}");
                let is_told = told.iter().any(|told| told.starts_with(&path));
                assert!(is_told, "{path} is not told");
                seen += 1;
            }
            None => function = None,
        }
    }
    assert!(seen > 40, "{seen}");
    for entry in &imported.report.entries {
        assert_eq!(entry.reason.is_none(), entry.fate == Fate::Taken, "{entry:?}");
        assert_eq!(entry.key.is_none(), entry.fate == Fate::LeftOut, "{entry:?}");
    }
}

#[test]
fn a_secret_of_the_template_is_in_neither_the_manifest_nor_the_report() {
    let imported = sam(EVERYTHING, &[("Password", "correct-horse")]).unwrap();
    let all = shown(&imported);
    assert!(!all.contains("hunter2") && !all.contains("correct-horse"), "{all}");
    assert!(imported.manifest.contains("PASSWORD = \"${env:PASSWORD}\""));
}

#[test]
fn json_is_taken_as_yaml_is() {
    let yaml = "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Runtime: python3.13\n      \
                Handler: a.b\n      Role: arn:aws:iam::123456789012:role/x\n      Code: service\n";
    let json = r#"{"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "python3.13",
        "Handler": "a.b", "Role": "arn:aws:iam::123456789012:role/x", "Code": "service"}}}}"#;
    let (yaml, json) = (sam(yaml, &[]).unwrap(), sam(json, &[]).unwrap());
    assert_eq!(yaml.manifest, json.manifest);
    sound(&yaml);
}

#[test]
fn a_circle_of_references_is_opened_and_told() {
    let text = "Transform: AWS::Serverless-2016-10-31\nGlobals: {Function: {Runtime: python3.13, Handler: a.b, CodeUri: service}}\n\
                Resources:\n  A:\n    Type: AWS::Serverless::Function\n    DependsOn: B\n  B:\n    \
                Type: AWS::Serverless::Function\n    Properties:\n      Environment: {Variables: {A_FN: !Ref A}}\n";
    let imported = sam(text, &[]).unwrap();
    sound(&imported);
    let left = imported
        .report
        .entries
        .iter()
        .find(|entry| entry.fate == Fate::LeftOut && entry.property.starts_with("B."));
    assert!(
        left.is_some_and(|entry| entry.reason.as_deref().unwrap().contains("no circles")),
        "{}",
        told(&imported.report)
    );
}

#[test]
fn the_same_template_gives_the_same_manifest() {
    assert_eq!(sam(EVERYTHING, &[]).unwrap(), sam(EVERYTHING, &[]).unwrap());
}

/// Imports the file of a service.
fn serverless(text: &str, options: &[(&str, &str)]) -> Result<Imported, Problems> {
    import::serverless(&service(text, options))
}

fn service(text: &str, options: &[(&str, &str)]) -> Request {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Request {
        path: "serverless.yml".into(),
        text: text.to_owned(),
        options: options.iter().map(owned).collect(),
        app: "other".to_owned(),
        ..Request::default()
    }
}

const SERVICE: &str = include_str!("import/serverless.yml");

#[test]
fn a_service_is_a_manifest() {
    let imported = serverless(SERVICE, &[]).unwrap();
    insta::assert_snapshot!(shown(&imported));
    sound(&imported);
}

#[test]
fn options_of_a_service_decide_what_its_variables_are() {
    let imported = serverless(SERVICE, &[("stage", "prod")]).unwrap();
    let manifest = sound(&imported);
    let hello = manifest.app.functions.values().find(|one| one.name.as_str() == "hello").unwrap();
    assert_eq!(hello.lambda_name.as_str(), "shop-prod-hello");
    assert_eq!(hello.config.memory_mb, 512);
    assert!(imported.manifest.contains("TABLE = \"orders-prod\""));
    // A stage that the plugin is not enabled for has no canaries.
    let imported = serverless(SERVICE, &[("stage", "dev2")]).unwrap_err();
    assert!(imported.iter().any(|problem| problem.message.contains("custom.memory")));
}

#[test]
fn a_stage_without_canaries_moves_all_at_once() {
    let text = SERVICE.replace("stages: [dev, prod]", "stages: [prod]");
    let imported = serverless(&text, &[]).unwrap();
    let manifest = sound(&imported);
    let at_once = |one: &wavegate_core::spec::FunctionSpec| one.strategy.component == "all-at-once";
    assert!(manifest.app.functions.values().all(at_once));
}

#[test]
fn all_problems_of_a_service_are_told_at_once() {
    let problems = serverless(include_str!("import/broken-serverless.yml"), &[]).unwrap_err();
    insta::assert_snapshot!(render_in(Path::new("/nowhere"), &problems));
}

#[test]
fn what_is_no_service_is_said() {
    for (name, text) in [
        ("a_template", "Resources: {}\n"),
        ("another_provider", "service: x\nprovider: {name: google}\nfunctions: {}\n"),
        (
            "no_functions_of_its_own",
            "service: x\nprovider: {name: aws}\nfunctions: ${file(functions.yml)}\n",
        ),
    ] {
        let problems = serverless(text, &[]).unwrap_err();
        insta::assert_snapshot!(name, render_in(Path::new("/nowhere"), &problems));
    }
}

#[test]
fn what_comes_to_nothing_is_as_if_it_were_not_there() {
    let text = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      \
                FunctionName: !Ref AWS::NoValue\n      Role: !Ref AWS::NoValue\n      CodeUri: !Ref AWS::NoValue\n      \
                Runtime: python3.13\n      Handler: a.b\n  G:\n    Type: AWS::Serverless::Function\n    Properties:\n      \
                CodeUri: service\n      Runtime: python3.13\n      Handler: a.b\n      Environment: {Variables: {F_NAME: !Ref F}}\n";
    let imported = sam(text, &[]).unwrap();
    sound(&imported);
    for part in ["code = \".\"", "F_NAME = \"F\"", "role = \"${env:F_ROLE_ARN}\""] {
        assert!(imported.manifest.contains(part), "{part} in\n{}", imported.manifest);
    }
}

#[test]
fn a_truth_is_spelt_as_the_other_tool_spells_it() {
    let sam_text = "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Runtime: python3.13\n      \
                    Handler: a.b\n      Code: service\n      Environment: {Variables: {A1: yes, B1: 'yes', C1: True, D1: off}}\n";
    let manifest = sam(sam_text, &[]).unwrap().manifest;
    for line in ["A1 = \"true\"", "B1 = \"yes\"", "C1 = \"true\"", "D1 = \"false\""] {
        assert!(manifest.contains(line), "{line} in\n{manifest}");
    }
    let text = "service: x\nprovider: {name: aws, runtime: python3.13}\nfunctions:\n  \
                f: {handler: a.b, environment: {A1: yes, C1: True}}\n";
    let manifest = serverless(text, &[]).unwrap().manifest;
    assert!(manifest.contains("A1 = \"yes\"") && manifest.contains("C1 = \"true\""), "{manifest}");
}

#[test]
fn what_stands_in_other_files_is_told() {
    let text = "service: x\nprovider: {name: aws, runtime: python3.13}\ncustom: ${file(c.yml)}\nfunctions:\n  \
                - ${file(more.yml)}\n  - hello: {handler: a.b}\n    other: ${file(o.yml):other}\nresources:\n  - ${file(r.yml)}\n";
    let imported = serverless(text, &[]).unwrap();
    sound(&imported);
    let told = imported.report.entries.iter().filter(|entry| entry.fate == Fate::LeftOut);
    let told: Vec<&str> = told.map(|entry| entry.property.as_str()).collect();
    for property in ["custom", "functions.0", "functions.1.other", "resources.0"] {
        assert!(told.contains(&property), "{property} in {told:?}");
    }
}

proptest! {
    #[test]
    fn any_mutation_of_a_template_is_answered(at in 0_usize..10_000, length in 0_usize..40, with in "[a-zA-Z!$&*:{}\\[\\],'\" \n-]{0,8}") {
        for text in [HELLO, EVERYTHING, SERVICE] {
            let at = at % text.len();
            let end = (at + length).min(text.len());
            let text = format!("{}{with}{}", &text[..at], &text[end..]);
            let _ = (sam(&text, &[]), serverless(&text, &[]));
        }
    }
}

/// The deployment group of a function, if CodeDeploy moves its traffic.
fn group<'a>(manifest: &'a Manifest, name: &str) -> Option<&'a Group> {
    let mut functions = manifest.app.functions.values();
    functions.find(|function| function.name.as_str() == name).expect("the function").engine.group()
}

#[test]
fn without_codedeploy_wavegate_moves_all_traffic() {
    let native = |request| Request { engine: Engine::Native, ..request };
    for (name, imported) in [
        ("native_hello", import::sam(&native(template(HELLO, &[])))),
        ("native_everything", import::sam(&native(template(EVERYTHING, &[])))),
        ("native_service", import::serverless(&native(service(SERVICE, &[])))),
    ] {
        let imported = imported.unwrap();
        insta::assert_snapshot!(name, shown(&imported));
        let manifest = sound(&imported);
        assert!(manifest.app.functions.values().all(|one| one.engine.group().is_none()));
    }
}

#[test]
fn what_codedeploy_moves_is_moved_by_it_and_calls_the_same_hooks() {
    let manifest = sound(&sam(HELLO, &[]).unwrap());
    let hello = group(&manifest, "HelloWorldFunction").expect("codedeploy");
    assert_eq!(hello.before.as_deref(), Some("CodeDeployHook_preTrafficHook"));
    assert_eq!(hello.after.as_deref(), Some("CodeDeployHook_postTrafficHook"));
    assert!(hello.is_own);
    // Without a deployment preference that is enabled, CodeDeploy had nothing to do with it.
    assert_eq!(group(&manifest, "PreTrafficHook"), None);
}

/// Two functions with the same preference, and what each says beside it.
fn two(preference: &str, a: &str, b: &str) -> String {
    format!(
        "Transform: AWS::Serverless-2016-10-31\nGlobals:\n  Function:\n    Runtime: python3.13\n    Handler: a.b\n    \
         CodeUri: service\n    AutoPublishAlias: live\n    DeploymentPreference: {{Type: AllAtOnce{preference}}}\n\
         Resources:\n  Topic: {{Type: AWS::SNS::Topic}}\n  A: {{Type: AWS::Serverless::Function, Properties: \
         {{DeploymentPreference: {{{a}}}}}}}\n  B: {{Type: AWS::Serverless::Function, Properties: \
         {{DeploymentPreference: {{{b}}}}}}}\n"
    )
}

const TRIGGER: &str = "TriggerConfigurations: [{TriggerName: failed, TriggerTargetArn: \
                       'arn:aws:sns:eu-west-1:123456789012:t', TriggerEvents: [DeploymentFailure]}]";

#[test]
fn what_all_functions_tell_codedeploy_is_said_once() {
    let role = ", Role: 'arn:aws:iam::123456789012:role/deploy'";
    let imported = sam(&two(&format!("{role}, {TRIGGER}"), "", ""), &[]).unwrap();
    let manifest = sound(&imported);
    for (part, count) in [("engine = ", 1), ("role/deploy", 1), ("triggers = ", 1)] {
        assert_eq!(imported.manifest.matches(part).count(), count, "{part}\n{}", imported.manifest);
    }
    for name in ["A", "B"] {
        let group = group(&manifest, name).expect("codedeploy");
        assert_eq!(group.role.as_deref(), Some("arn:aws:iam::123456789012:role/deploy"));
        assert_eq!(group.triggers.len(), 1);
    }
}

#[test]
fn what_functions_tell_codedeploy_each_in_its_own_way_is_said_by_each() {
    let role = "Role: 'arn:aws:iam::123456789012:role/deploy'";
    let imported = sam(&two("", role, TRIGGER), &[]).unwrap();
    insta::assert_snapshot!(imported.manifest);
    let manifest = sound(&imported);
    let (a, b) = (group(&manifest, "A").unwrap(), group(&manifest, "B").unwrap());
    assert_eq!((a.triggers.len(), b.triggers.len()), (0, 1));
    assert_eq!(a.role.as_deref(), Some("arn:aws:iam::123456789012:role/deploy"));
    // The one that SAM made is needed on AWS alone.
    assert_eq!(b.role.as_deref(), Some(wavegate_config::LOCAL_SERVICE_ROLE));
}

#[test]
fn the_same_trigger_of_globals_and_function_is_one() {
    let imported = sam(&two(&format!(", {TRIGGER}"), TRIGGER, TRIGGER), &[]).unwrap();
    assert_eq!(group(&sound(&imported), "A").unwrap().triggers.len(), 1);
}

#[test]
fn what_codedeploy_would_refuse_is_told() {
    let trigger = |keys: &str| format!("TriggerConfigurations: [{{{keys}}}]");
    let b = trigger("TriggerName: n, TriggerTargetArn: nowhere, TriggerEvents: [DeploymentFailed]");
    let text = two(", Role: deploy", &trigger("TriggerName: n, TriggerEvents: []"), &b);
    let problems = sam(&text, &[]).unwrap_err();
    let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["WG157", "WG155", "WG157", "WG157"], "{problems:?}");
    // wavegate asks nothing of CodeDeploy, so nothing of it is refused.
    let native = Request { engine: Engine::Native, ..template(&text, &[]) };
    sound(&import::sam(&native).unwrap());
}

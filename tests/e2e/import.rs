//! Other tools' files: what they become is checked, and deployed with the real code.

use wavegate_tests::binary::{Project, repository};

/// SAM's hello world with a canary, an alarm and both hooks.
const HELLO: &str = "crates/wavegate-config/tests/config/import/hello.yaml";

fn template(project: &Project) {
    let text = std::fs::read_to_string(repository().join(HELLO)).expect("the fixture");
    project.write("template.yaml", &text);
    project.write(
        "hello_world/app.py",
        "def lambda_handler(event, context):\n    return {\"message\": \"hello\"}\n",
    );
    let judge = "def handler(event, context):\n    return {\"hookStatus\": \"SUCCEEDED\"}\n";
    project.write("hooks/pre.py", judge);
    project.write("hooks/post.py", judge);
}

#[test]
fn the_hello_world_of_sam_is_imported_checked_and_deployed() {
    let mut project = Project::new();
    template(&project);
    let imported = project.run(&["import", "sam", "--engine", "native"]).expect(0);
    assert!(imported.stderr.contains("wrote deploy.toml"), "{}", imported.stderr);
    // What the report names, and no more, has to be set.
    assert!(project.run(&["check"]).expect(2).stderr.contains("WG107"));
    project.set("HELLO_WORLD_FUNCTION_VERSION", "none");
    let _ = project.run(&["check"]).expect(0);
    project.set("HELLO_WORLD_FUNCTION_ROLE_ARN", "arn:aws:iam::123456789012:role/hello");
    project.set("PRE_TRAFFIC_HOOK_ROLE_ARN", "arn:aws:iam::123456789012:role/pre");
    project.set("POST_TRAFFIC_HOOK_ROLE_ARN", "arn:aws:iam::123456789012:role/post");
    let _ = project.run(&["check", "--profile", "aws"]).expect(0);
    let first = project.deploy().expect(0);
    assert_eq!(first.outcome(), "done");
    // A canary with its alarm, between both of its hooks.
    project.edit("hello_world/app.py", "hello", "hello again");
    let second = project.deploy().expect(0);
    assert_eq!(second.outcome(), "done");
    assert_eq!(project.status().serves("HelloWorldFunction"), Some(2));
}

#[test]
fn what_codedeploy_deployed_stays_with_it_unless_said_otherwise() {
    let mut project = Project::new();
    template(&project);
    let _ = project.run(&["import", "sam"]).expect(0);
    let manifest = project.read("deploy.toml");
    assert_eq!(manifest.matches("engine = \"codedeploy\"").count(), 1, "{manifest}");
    project.set("HELLO_WORLD_FUNCTION_VERSION", "none");
    let checked = project.run(&["check"]).expect(0);
    assert!(!checked.stderr.contains("WG140"), "{}", checked.stderr);
    // Only AWS needs roles, CodeDeploy's among them.
    project.set("HELLO_WORLD_FUNCTION_ROLE_ARN", "arn:aws:iam::123456789012:role/hello");
    project.set("PRE_TRAFFIC_HOOK_ROLE_ARN", "arn:aws:iam::123456789012:role/pre");
    project.set("POST_TRAFFIC_HOOK_ROLE_ARN", "arn:aws:iam::123456789012:role/post");
    let missing = project.run(&["check", "--profile", "aws"]).expect(2);
    assert!(missing.stderr.contains("CODE_DEPLOY_SERVICE_ROLE_ARN"), "{}", missing.stderr);
    project.set("CODE_DEPLOY_SERVICE_ROLE_ARN", "arn:aws:iam::123456789012:role/codedeploy");
    let _ = project.run(&["check", "--profile", "aws"]).expect(0);
    let _ = project.run(&["import", "sam", "--engine", "native", "--force"]).expect(0);
    assert!(!project.read("deploy.toml").contains("codedeploy"));
}

#[test]
fn what_was_not_forced_is_left_as_it_was() {
    let project = Project::new();
    template(&project);
    project.write("deploy.toml", "mine");
    let refused = project.run(&["import", "sam"]).expect(2);
    assert!(refused.has_code("WG615"), "{}", refused.stderr);
    assert_eq!(project.read("deploy.toml"), "mine");
    let _ = project.run(&["import", "sam", "--force"]).expect(0);
    assert!(project.read("deploy.toml").contains("[functions.HelloWorldFunction]"));
}

#[test]
fn a_manifest_elsewhere_names_the_code_from_there() {
    let project = Project::new();
    template(&project);
    project.write("there/notes.txt", "");
    let _ = project.run(&["import", "sam", "--out", "there/deploy.toml"]).expect(0);
    assert!(project.read("there/deploy.toml").contains("code = \"../hello_world\""));
}

#[test]
fn the_report_is_data_for_programs() {
    let project = Project::new();
    template(&project);
    let report = project.run(&["import", "sam", "--out", "-", "--output", "json"]).expect(0).json();
    assert_eq!((&report["ok"], &report["functions"]), (&true.into(), &3.into()));
    assert!(report["written"].is_null() && !project.path("deploy.toml").exists());
    assert!(report["manifest"].as_str().unwrap().contains("[functions.PreTrafficHook]"));
    let entries = report["entries"].as_array().unwrap();
    for fate in ["taken", "changed", "unresolved", "left_out"] {
        assert!(entries.iter().any(|entry| entry["fate"] == fate), "{fate}");
    }
    let variables = report["variables"].as_array().unwrap().iter();
    let variables: Vec<&str> = variables.map(|one| one["name"].as_str().unwrap()).collect();
    assert!(variables.contains(&"HELLO_WORLD_FUNCTION_VERSION"), "{variables:?}");
    project
        .write("broken.yaml", "Resources: {F: {Type: \"AWS::Lambda::Function\", Properties: 5}}");
    let problems =
        project.run(&["import", "sam", "broken.yaml", "--output", "json"]).expect(2).json();
    assert_eq!((&problems["ok"], &problems["problems"][0]["line"]), (&false.into(), &1.into()));
}

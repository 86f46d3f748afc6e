//! `iam`: the permissions that this very manifest needs, as policies.
//!
//! Nothing is asked: no cloud, no credentials, no plugin. What cannot be known without them is `*` in
//! its place, and is said.

use serde_json::{Map, json};
use wavegate_aws::policy::{MANAGED_POLICY_MAX, Place, Policy, Purpose};
use wavegate_config::{Manifest, Target};

use crate::Context;
use crate::args::{IamArgs, PurposeArg};
use crate::console;
use crate::environment::Environment;
use crate::error::CliError;
use crate::manifest;

/// Every purpose with its name and what it is for.
const PURPOSES: [(Purpose, PurposeArg, &str, &str); 3] = [
    (Purpose::Plan, PurposeArg::Plan, "plan", "to look: `plan`, `status`"),
    (Purpose::Deploy, PurposeArg::Deploy, "deploy", "to release: `deploy`, and everything else"),
    (
        Purpose::Recover,
        PurposeArg::Recover,
        "recover",
        "to put back, for whoever is on call: it can neither publish nor pass a role",
    ),
];

/// How the local cloud is named in ARNs, unless the manifest gives a region.
const LOCAL: (&str, &str) = ("us-east-1", "000000000000");

pub(crate) fn run(context: &Context, args: &IamArgs) -> Result<(), CliError> {
    let manifest = manifest::load_alone(&context.global, &context.environment, context.console)?;
    let place = place(&manifest, &context.environment);
    let bucket = manifest.artifact_bucket.as_deref();
    for note in notes(&manifest, &place) {
        console::note(&note);
    }
    let wanted = PURPOSES
        .into_iter()
        .filter(|(_, asked, ..)| args.purpose == PurposeArg::All || args.purpose == *asked);
    let mut all = Map::new();
    for (purpose, _, name, what_for) in wanted {
        let policy = Policy::of(&manifest.app, &place, bucket, purpose);
        if let Some(note) = too_long(name, policy.length()) {
            console::note(&note);
        }
        if context.console.is_json() {
            all.insert(name.to_owned(), json!(policy));
        } else {
            console::say(&format!("# {name}: {what_for}"));
            let text = serde_json::to_string_pretty(&policy)
                .map_err(|error| CliError::bug("a policy has no JSON form").caused_by(&error))?;
            console::data(&format!("{text}\n"))?;
        }
    }
    if context.console.is_json() {
        let app = manifest.app.name.as_str();
        console::json(&json!({ "v": 1, "app": app, "policies": all }))?;
    }
    Ok(())
}

fn place(manifest: &Manifest, environment: &Environment) -> Place {
    let named = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| environment.get(name));
    let region = manifest.region.clone().or_else(|| match manifest.target {
        Target::Local => Some(LOCAL.0.to_owned()),
        // It becomes a part of an ARN: what is no region must not widen the policy.
        Target::Aws => named.filter(|text| is_region(text)).map(str::to_owned),
    });
    match manifest.target {
        Target::Local => {
            Place { partition: "aws".to_owned(), region, account: Some(LOCAL.1.to_owned()) }
        }
        Target::Aws => Place::of(&manifest.app, region),
    }
}

fn is_region(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// What a reader of the policies has to know.
fn notes(manifest: &Manifest, place: &Place) -> Vec<String> {
    let mut notes = Vec::new();
    if manifest.target == Target::Local {
        notes.push(
            "these are for the local cloud, to rehearse with `wavegate local start --policy`; \
             --target aws, or a profile, gives those for AWS"
                .to_owned(),
        );
    }
    if place.region.is_none() {
        notes.push(
            "the region is not known here, so `*` stands in its place: give `region` under [app], \
             or set AWS_REGION"
                .to_owned(),
        );
    }
    if place.account.is_none() {
        notes.push(
            "the account is not known here, because the roles do not name one: `*` stands in its \
             place"
                .to_owned(),
        );
    }
    let mut hooks = manifest.app.functions.values().flat_map(|function| {
        let hooks = &function.hooks;
        hooks.pre_traffic.iter().chain(&hooks.post_traffic).chain(&hooks.on_rollback)
    });
    if hooks.any(|used| used.hook.component == "command") {
        notes.push(
            "`command` hooks run with your credentials: what their commands ask of AWS is not in here"
                .to_owned(),
        );
    }
    if !manifest.plugins.is_empty() {
        let names: Vec<&str> = manifest.plugins.keys().map(String::as_str).collect();
        notes.push(format!("what these plugins ask of AWS is not in here: {}", names.join(", ")));
    }
    notes
}

fn too_long(name: &str, length: usize) -> Option<String> {
    (length > MANAGED_POLICY_MAX).then(|| {
        format!(
            "the policy `{name}` has {length} characters, and IAM takes {MANAGED_POLICY_MAX} in a \
             managed policy: split it, or let a prefix that your functions share stand for their \
             names"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::args::Global;
    use crate::console::Console;

    fn loaded(text: &str) -> Manifest {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(wavegate_config::FILE_NAME);
        std::fs::write(&path, text).unwrap();
        let global = Global { config: Some(path), ..Global::default() };
        let environment = Environment::of(&[]);
        let console = Console::new(&global, &environment);
        manifest::load_alone(&global, &environment, console).unwrap()
    }

    const PLAIN: &str = r#"
[app]
name = "shop"
target = "aws"
region = "eu-west-1"
[defaults]
runtime = "python3.13"
handler = "app.handler"
role = "arn:aws:iam::123456789012:role/shop"
strategy = "AllAtOnce"
[functions.auth]
name = "shop-auth"
code = "."
[functions.checkout]
code = "."
"#;

    fn policy_for(manifest: &Manifest, purpose: Purpose) -> Value {
        let place = place(manifest, &Environment::of(&[]));
        let bucket = manifest.artifact_bucket.as_deref();
        json!(Policy::of(&manifest.app, &place, bucket, purpose))
    }

    /// Each action with each resource it is allowed on.
    fn pairs(policy: &Value) -> BTreeSet<(String, String)> {
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let mut pairs = BTreeSet::new();
        for statement in policy["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            for action in texts(&statement["Action"]) {
                for resource in texts(&statement["Resource"]) {
                    pairs.insert((action.clone(), resource));
                }
            }
        }
        pairs
    }

    fn added(more: &str) -> BTreeSet<(String, String)> {
        let with = pairs(&policy_for(&loaded(&format!("{PLAIN}\n{more}")), Purpose::Deploy));
        let without = pairs(&policy_for(&loaded(PLAIN), Purpose::Deploy));
        assert!(with.is_superset(&without), "{more}");
        with.difference(&without).cloned().collect()
    }

    fn set(all: &[(&str, &str)]) -> BTreeSet<(String, String)> {
        all.iter().map(|(action, on)| ((*action).to_owned(), (*on).to_owned())).collect()
    }

    #[test]
    fn a_plain_app_may_do_what_it_needs_on_its_own_functions() {
        let manifest = loaded(PLAIN);
        let base = "arn:aws:lambda:eu-west-1:123456789012:function";
        let plan = pairs(&policy_for(&manifest, Purpose::Plan));
        let mut expected = BTreeSet::new();
        for name in ["shop-auth", "checkout"] {
            let (function, versions) = (format!("{base}:{name}"), format!("{base}:{name}:*"));
            expected.extend(set(&[
                ("lambda:GetFunction", &function),
                ("lambda:ListAliases", &function),
                ("lambda:GetFunction", &versions),
            ]));
        }
        assert_eq!(plan, expected);
        let deploy = pairs(&policy_for(&manifest, Purpose::Deploy));
        assert!(deploy.is_superset(&plan));
        let role = "arn:aws:iam::123456789012:role/shop";
        assert!(deploy.contains(&("iam:PassRole".to_owned(), role.to_owned())));
        for (action, resource) in &deploy {
            let own = action == "iam:PassRole" && resource == role;
            assert!(own || resource.starts_with(base), "{action} on {resource}");
            // A version can be deleted, a function never.
            assert!(action != "lambda:DeleteFunction" || resource.ends_with(":*"), "{resource}");
        }
        let recover = pairs(&policy_for(&manifest, Purpose::Recover));
        let more: BTreeSet<_> = recover.difference(&deploy).cloned().collect();
        // Without a manifest nobody knows where an app's functions are.
        assert_eq!(more, set(&[("lambda:ListFunctions", "*"), ("lambda:ListAliases", "*")]));
        for (action, _) in &recover {
            for never in ["Create", "Publish", "Code", "Configuration", "Pass", "DeleteFunction"] {
                let alias = action == "lambda:CreateAlias";
                assert!(alias || !action.contains(never), "{action}");
            }
        }
    }

    #[test]
    fn a_role_is_passed_to_lambda_alone() {
        let deploy = policy_for(&loaded(PLAIN), Purpose::Deploy);
        let statements = deploy["Statement"].as_array().unwrap();
        let pass = statements.iter().find(|one| one["Action"][0] == "iam:PassRole").unwrap();
        let condition =
            json!({ "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } });
        assert_eq!(pass["Condition"], condition);
    }

    #[test]
    fn what_a_manifest_uses_is_allowed_and_what_it_does_not_use_is_not() {
        let judge = "arn:aws:lambda:eu-west-1:123456789012:function:judge";
        let live = "arn:aws:lambda:eu-west-1:123456789012:function:shop-auth:live";
        let layer = "arn:aws:lambda:eu-west-1:123456789012:layer:l:3";
        for (keys, tables, expected) in [
            ("", "[profiles.x.app]\nname = \"y\"", set(&[])),
            (
                "alarms = [\"a\"]",
                "[alarms.a]\nuse = \"cloudwatch-alarm\"\nalarm = \"x\"",
                set(&[("cloudwatch:DescribeAlarms", "*")]),
            ),
            (
                "alarms = [\"a\"]",
                "[alarms.a]\nuse = \"cloudwatch-metric\"\nmetric = \"Errors\"\nmax = 1",
                set(&[("cloudwatch:GetMetricData", "*")]),
            ),
            // There, and used by nobody.
            ("", "[alarms.a]\nuse = \"cloudwatch-alarm\"\nalarm = \"x\"", set(&[])),
            (
                "hooks = { pre_traffic = [\"h\"] }",
                "[hooks.h]\nuse = \"lambda\"\nfunction = \"auth\"\nqualifier = \"live\"",
                set(&[("lambda:InvokeFunction", live)]),
            ),
            (
                "hooks = { on_rollback = [\"h\"] }",
                "[hooks.h]\nuse = \"lambda\"\nfunction = \"judge\"",
                set(&[("lambda:InvokeFunction", judge)]),
            ),
            (
                "layers = [\"arn:aws:lambda:eu-west-1:123456789012:layer:l:3\"]",
                "",
                set(&[("lambda:GetLayerVersion", layer)]),
            ),
            (
                "vpc = { subnets = [\"subnet-1\"], security_groups = [\"sg-1\"] }",
                "",
                set(&[
                    ("ec2:DescribeSecurityGroups", "*"),
                    ("ec2:DescribeSubnets", "*"),
                    ("ec2:DescribeVpcs", "*"),
                ]),
            ),
        ] {
            assert_eq!(added(&format!("{keys}\n{tables}\n")), expected, "{keys} {tables}");
        }
        let elsewhere = PLAIN.replacen("code = \".\"", "code = \"s3://artifacts/k.zip\"", 1);
        let with = pairs(&policy_for(&loaded(&elsewhere), Purpose::Deploy));
        assert!(
            with.contains(&("s3:GetObject".to_owned(), "arn:aws:s3:::artifacts/k.zip".to_owned()))
        );
        assert!(with.iter().all(|(action, _)| action != "s3:PutObject"));
        let bucket =
            PLAIN.replace("target = \"aws\"", "target = \"aws\"\nartifact_bucket = \"artifacts\"");
        let with = pairs(&policy_for(&loaded(&bucket), Purpose::Deploy));
        for action in ["s3:PutObject", "s3:GetObject"] {
            let object = "arn:aws:s3:::artifacts/wavegate/shop-auth/*".to_owned();
            assert!(with.contains(&(action.to_owned(), object)), "{with:?}");
        }
        let recover = policy_for(&loaded(&bucket), Purpose::Recover);
        assert!(pairs(&recover).iter().all(|(action, _)| !action.starts_with("s3:")));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let manifest = loaded(&PLAIN.replace("region = \"eu-west-1\"\n", ""));
        let nowhere = place(&manifest, &Environment::of(&[]));
        assert_eq!(nowhere.region, None);
        assert!(notes(&manifest, &nowhere)[0].contains("AWS_REGION"));
        let named = place(&manifest, &Environment::of(&[("AWS_REGION", "eu-west-3")]));
        assert_eq!(named.region.as_deref(), Some("eu-west-3"));
        assert_eq!(notes(&manifest, &named), Vec::<String>::new());
        assert_eq!(place(&manifest, &Environment::of(&[("AWS_REGION", "*")])).region, None);
        let command = format!(
            "{PLAIN}hooks = {{ pre_traffic = [\"h\"] }}\n[hooks.h]\nuse = \"command\"\ncommand = [\"true\"]\n"
        );
        let manifest = loaded(&command);
        assert!(notes(&manifest, &named).iter().any(|note| note.contains("`command` hooks")));
    }

    #[test]
    fn a_policy_that_iam_would_not_take_is_said_to_be_too_long() {
        let manifest = loaded(PLAIN);
        let place = place(&manifest, &Environment::of(&[]));
        let length = Policy::of(&manifest.app, &place, None, Purpose::Deploy).length();
        assert_eq!(length, policy_for(&manifest, Purpose::Deploy).to_string().len());
        assert_eq!(too_long("deploy", length), None);
        assert!(too_long("deploy", MANAGED_POLICY_MAX + 1).unwrap().contains("split it"));
    }
}

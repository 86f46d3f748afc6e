//! The permissions that an app's releases need: as IAM policies, exactly for one manifest.
//!
//! This stands beside the calls themselves: a call that is added to [`crate::AwsCloud`] or to a plugin
//! that ships with wavegate is added here, and the tests that run whole releases under these policies
//! notice if it is not.
//!
//! Invariants: functions and roles are named, never matched by a prefix; only what takes no resource, or
//! is asked of a whole account, is on `*`; nothing is allowed that only another manifest would need.
//! Deliberately absent: what plugins of others and `command` hooks do with AWS, which only they know.

mod codedeploy;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use wavegate_core::spec::{AppSpec, CodeSource};

/// Characters that IAM takes for a managed policy, spaces apart. Source: IAM's quotas.
pub const MANAGED_POLICY_MAX: usize = 6_144;

/// The version of IAM's policy language.
const LANGUAGE: &str = "2012-10-17";

/// What one may want to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To look: `plan`, `status`, `watch`.
    Plan,
    /// To release: `deploy`, and all the others.
    Deploy,
    /// To put back, for those who are on call: `rollback`, `recover`, `abort`. Code is neither uploaded
    /// nor published, and no role is passed.
    Recover,
}

/// Where the app's functions are, as far as that is known; `None` is told as `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The region.
    pub region: Option<String>,
    /// The twelve digits of the account.
    pub account: Option<String>,
}

impl Place {
    /// Where functions with these roles are: Lambda takes roles of its own account only.
    pub fn of(app: &AppSpec, region: Option<String>) -> Self {
        let roles: Vec<Vec<&str>> =
            app.functions.values().map(|f| f.config.role.split(':').collect()).collect();
        let same = |part: usize| {
            let found: BTreeSet<&str> =
                roles.iter().filter_map(|role| role.get(part).copied()).collect();
            let only = found.first().copied().filter(|text| !text.is_empty());
            only.filter(|_| found.len() == 1).map(str::to_owned)
        };
        Self { partition: same(1).unwrap_or_else(|| "aws".to_owned()), region, account: same(4) }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let known = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        let (region, account) = (known(&self.region), known(&self.account));
        format!("arn:{}:{service}:{region}:{account}:{resource}", self.partition)
    }

    fn function(&self, name: &str) -> String {
        self.arn("lambda", &format!("function:{name}"))
    }

    fn object(&self, bucket: &str, key: &str) -> String {
        format!("arn:{}:s3:::{bucket}/{key}", self.partition)
    }
}

/// An identity-based policy. Its JSON is a policy document, in the order in which people write one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    #[serde(rename = "Version")]
    version: &'static str,
    #[serde(rename = "Statement")]
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

/// Which service a role may be passed to: the only condition there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    string_equals: PassedTo,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct PassedTo {
    #[serde(rename = "iam:PassedToService")]
    service: &'static str,
}

impl Policy {
    /// The policy for one purpose.
    pub fn of(
        app: &AppSpec,
        place: &Place,
        artifact_bucket: Option<&str>,
        purpose: Purpose,
    ) -> Self {
        let mut statements = vec![functions(app, place, purpose), versions(app, place, purpose)];
        statements.extend(search(purpose));
        statements.extend(alarms(app, purpose));
        statements.extend(judges(app, place, purpose));
        statements.extend(codedeploy::statements(app, place, purpose));
        if purpose == Purpose::Deploy {
            statements.push(roles(app));
            statements.extend(artifacts(app, place, artifact_bucket));
            statements.extend(sources(app, place));
            statements.extend(images(app, place));
            statements.extend(layers(app));
            statements.extend(networks(app));
        }
        Self { version: LANGUAGE, statements }
    }

    /// How long IAM finds it: the spaces between its parts do not count.
    pub fn length(&self) -> usize {
        serde_json::to_string(self).map_or(0, |text| text.chars().count())
    }
}

fn allow<S: AsRef<str>>(
    sid: &'static str,
    actions: &[&'static str],
    resources: impl IntoIterator<Item = S>,
) -> Statement {
    let resource = resources.into_iter().map(|resource| resource.as_ref().to_owned()).collect();
    Statement { sid, effect: "Allow", action: actions.to_vec(), resource, condition: None }
}

fn lambda_names(app: &AppSpec) -> impl Iterator<Item = &str> {
    app.functions.values().map(|function| function.lambda_name.as_str())
}

/// What acts on a function as a whole.
fn functions(app: &AppSpec, place: &Place, purpose: Purpose) -> Statement {
    let actions: &[&str] = match purpose {
        Purpose::Plan => &["lambda:GetFunction", "lambda:ListAliases"],
        Purpose::Recover => &[
            "lambda:GetFunction",
            "lambda:ListAliases",
            "lambda:GetAlias",
            "lambda:CreateAlias",
            "lambda:UpdateAlias",
            "lambda:DeleteAlias",
        ],
        Purpose::Deploy => &[
            "lambda:GetFunction",
            "lambda:ListAliases",
            "lambda:ListVersionsByFunction",
            "lambda:GetAlias",
            "lambda:CreateAlias",
            "lambda:UpdateAlias",
            "lambda:DeleteAlias",
            "lambda:CreateFunction",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
            "lambda:PublishVersion",
        ],
    };
    allow("Functions", actions, lambda_names(app).map(|name| place.function(name)))
}

/// What acts on single versions. Deleting is allowed here alone, so that no function can be deleted.
fn versions(app: &AppSpec, place: &Place, purpose: Purpose) -> Statement {
    let actions: &[&str] = match purpose {
        Purpose::Plan | Purpose::Recover => &["lambda:GetFunction"],
        Purpose::Deploy => &["lambda:GetFunction", "lambda:DeleteFunction"],
    };
    allow("Versions", actions, lambda_names(app).map(|name| place.function(&format!("{name}:*"))))
}

/// Without its manifest (`--app`) an app is found by the records in its aliases, so all are listed.
fn search(purpose: Purpose) -> Option<Statement> {
    let actions = ["lambda:ListFunctions", "lambda:ListAliases"];
    (purpose == Purpose::Recover).then(|| allow("FindByName", &actions, ["*"]))
}

/// The alarms that are used. CloudWatch gives these actions no resource that names would fit.
///
/// The metric of a candidate is asked for when there is a candidate: a plan has none. No alarm is asked
/// on the way back.
fn alarms(app: &AppSpec, purpose: Purpose) -> Option<Statement> {
    let all = app.functions.values().flat_map(|function| &function.alarms);
    let used: BTreeSet<&str> = all.map(|used| used.alarm.component.as_str()).collect();
    let reads = [
        ("cloudwatch-alarm", "cloudwatch:DescribeAlarms"),
        ("cloudwatch-metric", "cloudwatch:GetMetricData"),
    ];
    let needed = reads.into_iter().filter(|(component, _)| {
        used.contains(component) && (purpose != Purpose::Plan || *component != "cloudwatch-metric")
    });
    let actions: Vec<&str> = needed.map(|(_, action)| action).collect();
    let is_needed = purpose != Purpose::Recover && !actions.is_empty();
    is_needed.then(|| allow("Watch", &actions, ["*"]))
}

/// The functions that judge: those of `lambda` hooks. The way back asks nobody but its own.
fn judges(app: &AppSpec, place: &Place, purpose: Purpose) -> Option<Statement> {
    let hooks = app.functions.values().map(|function| &function.hooks);
    let hooks = hooks
        .flat_map(|hooks| match purpose {
            Purpose::Plan => Vec::new(),
            Purpose::Deploy => vec![&hooks.pre_traffic, &hooks.post_traffic, &hooks.on_rollback],
            Purpose::Recover => vec![&hooks.on_rollback],
        })
        .flatten()
        .filter(|used| used.hook.component == "lambda");
    let judges = hooks.filter_map(|used| {
        let config: Value = serde_json::from_str(&used.hook.config.0).ok()?;
        judge(place, config["function"].as_str()?, config["qualifier"].as_str())
    });
    let judges: BTreeSet<String> = judges.collect();
    (!judges.is_empty()).then(|| allow("Judge", &["lambda:InvokeFunction"], judges))
}

/// The ARN of a function by one of the names that Lambda takes: `fn`, `fn:live`,
/// `123456789012:function:fn`, `arn:aws:lambda:...:function:fn`, each with or without a qualifier.
/// `None` for what is no name: a text of a manifest must not widen a policy.
fn judge(place: &Place, name: &str, qualifier: Option<&str>) -> Option<String> {
    let is_exact = |text: &str| !text.is_empty() && !text.contains(['*', '?', '{']);
    if !is_exact(name) || qualifier.is_some_and(|qualifier| !is_exact(qualifier)) {
        return None;
    }
    let arn = if name.starts_with("arn:") {
        name.to_owned()
    } else if let Some((account, rest)) = name.split_once(":function:") {
        Place { account: Some(account.to_owned()), ..place.clone() }.function(rest)
    } else {
        place.function(name.strip_prefix("function:").unwrap_or(name))
    };
    Some(match qualifier {
        Some(qualifier) => format!("{arn}:{qualifier}"),
        None => arn,
    })
}

fn roles(app: &AppSpec) -> Statement {
    let roles = app.functions.values().map(|function| function.config.role.as_str());
    let to_lambda = Condition { string_equals: PassedTo { service: "lambda.amazonaws.com" } };
    Statement { condition: Some(to_lambda), ..allow("GiveTheRole", &["iam:PassRole"], roles) }
}

/// Packages that are too large for a request: wavegate puts them there, Lambda reads them with the
/// caller's permissions.
fn artifacts(app: &AppSpec, place: &Place, bucket: Option<&str>) -> Option<Statement> {
    let bucket = bucket?;
    let packaged =
        app.functions.values().filter(|function| matches!(function.code, CodeSource::Path(_)));
    let objects: Vec<String> = packaged
        .map(|function| place.object(bucket, &format!("wavegate/{}/*", function.lambda_name)))
        .collect();
    let actions = ["s3:PutObject", "s3:GetObject"];
    (!objects.is_empty()).then(|| allow("Artifacts", &actions, objects))
}

fn sources(app: &AppSpec, place: &Place) -> Option<Statement> {
    let codes = app.functions.values().map(|function| &function.code);
    let objects: Vec<String> = codes
        .filter_map(|code| match code {
            CodeSource::S3 { bucket, key } => Some(place.object(bucket, key)),
            CodeSource::Path(_) | CodeSource::Image(_) => None,
        })
        .collect();
    (!objects.is_empty()).then(|| allow("Code", &["s3:GetObject"], objects))
}

fn images(app: &AppSpec, place: &Place) -> Option<Statement> {
    let codes = app.functions.values().map(|function| &function.code);
    let repositories: Vec<String> = codes
        .filter_map(|code| match code {
            CodeSource::Image(uri) => Some(repository(place, uri)),
            CodeSource::Path(_) | CodeSource::S3 { .. } => None,
        })
        .collect();
    let actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
    (!repositories.is_empty()).then(|| allow("Images", &actions, repositories))
}

/// The repository of `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG`.
fn repository(place: &Place, uri: &str) -> String {
    let (host, path) = uri.split_once('/').unwrap_or(("", uri));
    let path = path.split('@').next().unwrap_or_default();
    let name = path.rsplit_once(':').map_or(path, |(name, _)| name);
    let parts: Vec<&str> = host.split('.').collect();
    let place = match parts.as_slice() {
        [account, "dkr", "ecr", region, ..] => Place {
            region: Some((*region).to_owned()),
            account: Some((*account).to_owned()),
            ..place.clone()
        },
        _ => place.clone(),
    };
    place.arn("ecr", &format!("repository/{name}"))
}

fn layers(app: &AppSpec) -> Option<Statement> {
    let layers: Vec<&String> =
        app.functions.values().flat_map(|function| &function.config.layers).collect();
    (!layers.is_empty()).then(|| allow("Layers", &["lambda:GetLayerVersion"], layers))
}

fn networks(app: &AppSpec) -> Option<Statement> {
    let uses_vpc = app.functions.values().any(|function| function.config.vpc.is_some());
    let actions = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"];
    uses_vpc.then(|| allow("Networks", &actions, ["*"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Place {
        Place {
            partition: "aws".to_owned(),
            region: Some("eu-west-1".to_owned()),
            account: Some("123456789012".to_owned()),
        }
    }

    #[test]
    fn a_judge_is_named_whole_whatever_way_it_was_written() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:judge";
        for (name, qualifier, expected) in [
            ("judge", None, arn.to_owned()),
            ("judge", Some("live"), format!("{arn}:live")),
            ("judge:live", None, format!("{arn}:live")),
            ("judge", Some("$LATEST"), format!("{arn}:$LATEST")),
            ("function:judge", None, arn.to_owned()),
            ("123456789012:function:judge", None, arn.to_owned()),
            (
                "arn:aws:lambda:us-east-1:1:function:x",
                None,
                "arn:aws:lambda:us-east-1:1:function:x".to_owned(),
            ),
        ] {
            assert_eq!(judge(&here(), name, qualifier), Some(expected), "{name}");
        }
        for (name, qualifier) in
            [("*", None), ("judge*", None), ("", None), ("judge", Some("*")), ("${aws:x}", None)]
        {
            assert_eq!(judge(&here(), name, qualifier), None, "{name} {qualifier:?}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_place_is_a_star_in_its_own_part_alone() {
        let nowhere = Place { region: None, account: None, ..here() };
        assert_eq!(nowhere.function("fn"), "arn:aws:lambda:*:*:function:fn");
        let china = Place { partition: "aws-cn".to_owned(), ..here() };
        assert_eq!(china.object("b", "k"), "arn:aws-cn:s3:::b/k");
    }

    #[test]
    fn an_image_lies_in_one_repository() {
        for (uri, expected) in [
            (
                "1.dkr.ecr.us-east-1.amazonaws.com/team/shop:v1",
                "arn:aws:ecr:us-east-1:1:repository/team/shop",
            ),
            (
                "1.dkr.ecr.us-east-1.amazonaws.com/shop@sha256:ab",
                "arn:aws:ecr:us-east-1:1:repository/shop",
            ),
            ("elsewhere/shop:v1", "arn:aws:ecr:eu-west-1:123456789012:repository/shop"),
        ] {
            assert_eq!(repository(&here(), uri), expected);
        }
    }
}

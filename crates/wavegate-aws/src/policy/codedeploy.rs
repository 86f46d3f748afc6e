//! What it takes to let CodeDeploy move traffic, of the functions whose engine it is.
//!
//! A deployment's config depends on what its strategy promises, which no policy knows: configs are
//! the one thing that is allowed by how its name begins.

use std::collections::BTreeSet;

use wavegate_core::codedeploy::{CONFIG_PREFIX, Group};
use wavegate_core::spec::AppSpec;

use super::{Condition, PassedTo, Place, Purpose, Statement, allow};

/// Begins the names of AWS's own configs for Lambda.
const PREDEFINED: &str = "CodeDeployDefault.Lambda";

/// The service that acts with a group's role.
const SERVICE: &str = "codedeploy.amazonaws.com";

/// What is asked about a deployment by its id, which takes no resource, or of the whole account: an
/// app without its manifest has no groups to ask about.
const ON_THE_WAY_BACK: [&str; 3] =
    ["codedeploy:ListDeployments", "codedeploy:BatchGetDeployments", "codedeploy:StopDeployment"];

/// What is asked by who only looks.
const LOOKING: [&str; 2] = ["codedeploy:ListDeployments", "codedeploy:BatchGetDeployments"];

/// What is asked besides, while a deployment is followed or looked at.
const FOLLOWING: [&str; 2] =
    ["codedeploy:ListDeploymentTargets", "codedeploy:BatchGetDeploymentTargets"];

/// Nothing, unless a function of the app uses the engine.
pub(super) fn statements(app: &AppSpec, place: &Place, purpose: Purpose) -> Vec<Statement> {
    let groups: Vec<&Group> = app.functions.values().filter_map(|f| f.engine.group()).collect();
    if groups.is_empty() {
        return Vec::new();
    }
    match purpose {
        // A plan goes by the manifest alone; a status shows what CodeDeploy has in hand.
        Purpose::Plan => {
            let actions = [&LOOKING[..], &FOLLOWING].concat();
            vec![allow("Deployments", &actions, ["*"])]
        }
        Purpose::Recover => vec![allow("Deployments", &ON_THE_WAY_BACK, ["*"])],
        Purpose::Deploy => {
            let actions = [&ON_THE_WAY_BACK[..], &FOLLOWING].concat();
            let mut statements = vec![allow("Deployments", &actions, ["*"]), used(&groups, place)];
            statements.extend(own(&groups, place));
            statements.push(configs(place));
            statements
        }
    }
}

/// What is done to every group. Alarms that are sent with a deployment are a change of its group to
/// CodeDeploy.
fn used(groups: &[&Group], place: &Place) -> Statement {
    let mut actions = vec!["codedeploy:GetDeploymentGroup", "codedeploy:CreateDeployment"];
    if groups.iter().any(|group| group.is_own || !group.alarms.is_empty()) {
        actions.push("codedeploy:UpdateDeploymentGroup");
    }
    let groups = groups.iter().map(|group| group_arn(group, place));
    allow("DeploymentGroups", &actions, groups)
}

/// What it takes to make wavegate's own groups: the application, the group, and the role that
/// CodeDeploy is to act with.
fn own(groups: &[&Group], place: &Place) -> Vec<Statement> {
    let own: Vec<&Group> = groups.iter().copied().filter(|group| group.is_own).collect();
    if own.is_empty() {
        return Vec::new();
    }
    let applications = own.iter().map(|group| {
        let name = format!("application:{}", group.application);
        place.arn("codedeploy", &name)
    });
    let made = own.iter().map(|group| group_arn(group, place));
    let mut statements = vec![
        allow("Applications", &["codedeploy:CreateApplication"], applications),
        allow("OwnDeploymentGroups", &["codedeploy:CreateDeploymentGroup"], made),
    ];
    let roles: BTreeSet<&String> = own.iter().filter_map(|group| group.role.as_ref()).collect();
    if !roles.is_empty() {
        let to_codedeploy = Condition { string_equals: PassedTo { service: SERVICE } };
        let give = allow("GiveTheServiceRole", &["iam:PassRole"], roles);
        statements.push(Statement { condition: Some(to_codedeploy), ..give });
    }
    statements
}

/// Whoever starts a deployment must be able to read how it shifts; configs that AWS does not have
/// are made, and deleted when no group uses them any more.
fn configs(place: &Place) -> Statement {
    let actions = [
        "codedeploy:GetDeploymentConfig",
        "codedeploy:CreateDeploymentConfig",
        "codedeploy:DeleteDeploymentConfig",
    ];
    let names = [CONFIG_PREFIX, PREDEFINED];
    let names = names.map(|prefix| place.arn("codedeploy", &format!("deploymentconfig:{prefix}*")));
    allow("DeploymentConfigs", &actions, names)
}

fn group_arn(group: &Group, place: &Place) -> String {
    let name = format!("deploymentgroup:{}/{}", group.application, group.name);
    place.arn("codedeploy", &name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde_json::{Value, json};
    use wavegate_core::codedeploy::Engine;
    use wavegate_core::name::{AliasName, AppName, FunctionName};
    use wavegate_core::spec::{
        CodeSource, ComponentUse, FunctionConfig, FunctionSpec, Hooks, OnBlind, OnFailure, Opaque,
        RollbackScope,
    };

    use super::*;

    fn group() -> Group {
        Group { application: "shop".to_owned(), name: "auth".to_owned(), ..Group::default() }
    }

    fn app(engine: Engine) -> AppSpec {
        let name = FunctionName::new("auth").unwrap();
        let function = FunctionSpec {
            name: name.clone(),
            lambda_name: name.clone(),
            code: CodeSource::Image("x".to_owned()),
            config: FunctionConfig::default(),
            depends_on: BTreeSet::new(),
            strategy: ComponentUse {
                name: "x".to_owned(),
                component: "x".to_owned(),
                config: Opaque("{}".to_owned()),
            },
            engine,
            hooks: Hooks::default(),
            alarms: Vec::new(),
            bake: Duration::ZERO,
        };
        AppSpec {
            name: AppName::new("shop").unwrap(),
            alias: AliasName::new("live").unwrap(),
            on_failure: OnFailure::Rollback,
            rollback_scope: RollbackScope::App,
            on_blind: OnBlind::Rollback,
            max_parallel: 1,
            keep_versions: 3,
            functions: BTreeMap::from([(name, function)]),
        }
    }

    fn allowed(engine: Engine, purpose: Purpose) -> Vec<Value> {
        let place = Place {
            partition: "aws".to_owned(),
            region: Some("r".to_owned()),
            account: Some("1".to_owned()),
        };
        let statements = statements(&app(engine), &place, purpose);
        statements.iter().map(|statement| serde_json::to_value(statement).unwrap()).collect()
    }

    fn by(group: Group) -> Engine {
        Engine::CodeDeploy(Box::new(group))
    }

    fn actions(statements: &[Value]) -> BTreeSet<&str> {
        let all = statements.iter().flat_map(|one| one["Action"].as_array().unwrap());
        all.map(|action| action.as_str().unwrap()).collect()
    }

    #[test]
    fn an_app_that_moves_its_traffic_itself_needs_nothing_of_codedeploy() {
        for purpose in [Purpose::Plan, Purpose::Deploy, Purpose::Recover] {
            assert!(allowed(Engine::Native, purpose).is_empty(), "{purpose:?}");
        }
    }

    #[test]
    fn who_only_looks_may_change_nothing() {
        let looks = allowed(by(group()), Purpose::Plan);
        let reads = |action: &str| {
            let (_, verb) = action.split_once(':').expect("a service");
            verb.starts_with("List") || verb.starts_with("BatchGet")
        };
        assert!(actions(&looks).into_iter().all(reads), "{looks:?}");
    }

    #[test]
    fn a_group_of_somebody_elses_is_neither_made_nor_changed() {
        let used = allowed(by(group()), Purpose::Deploy);
        let actions = actions(&used);
        for action in [
            "codedeploy:CreateApplication",
            "codedeploy:CreateDeploymentGroup",
            "codedeploy:UpdateDeploymentGroup",
            "iam:PassRole",
        ] {
            assert!(!actions.contains(action), "{action}");
        }
        assert!(actions.contains("codedeploy:CreateDeployment"));
        // Alarms that go with a deployment change its group, to CodeDeploy.
        let alarmed = Group { alarms: vec!["red".to_owned()], ..group() };
        let alarmed = allowed(by(alarmed), Purpose::Deploy);
        assert!(self::actions(&alarmed).contains("codedeploy:UpdateDeploymentGroup"));
    }

    #[test]
    fn an_own_group_is_named_and_its_role_is_given_to_codedeploy_alone() {
        let role = "arn:aws:iam::1:role/deploy";
        let own = Group { is_own: true, role: Some(role.to_owned()), ..group() };
        let statements = allowed(by(own), Purpose::Deploy);
        let of = |sid: &str| statements.iter().find(|one| one["Sid"] == sid).unwrap();
        assert_eq!(
            of("Applications")["Resource"],
            json!(["arn:aws:codedeploy:r:1:application:shop"])
        );
        assert_eq!(
            of("OwnDeploymentGroups")["Resource"],
            json!(["arn:aws:codedeploy:r:1:deploymentgroup:shop/auth"])
        );
        let give = of("GiveTheServiceRole");
        assert_eq!(give["Resource"], json!([role]));
        assert_eq!(
            give["Condition"],
            json!({ "StringEquals": { "iam:PassedToService": "codedeploy.amazonaws.com" } })
        );
    }

    #[test]
    fn on_the_way_back_deployments_are_found_and_stopped_and_none_is_made() {
        let back = allowed(by(group()), Purpose::Recover);
        assert_eq!(actions(&back), BTreeSet::from(ON_THE_WAY_BACK));
    }
}

//! `--app NAME`: an app that is known from the cloud alone.
//!
//! Its functions are found by the records in their aliases. What only a manifest knows is not there:
//! the graph, so that all go back at once, and hooks and alarms, which the way back does not need.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wavegate_config::{Manifest, Target};
use wavegate_core::name::{AliasName, AppName, BadName, FunctionName};
use wavegate_core::spec::{
    AppSpec, CodeSource, ComponentUse, FunctionConfig, FunctionSpec, Hooks, OnBlind, OnFailure,
    Opaque, RollbackScope,
};

use crate::Context;
use crate::args::{AppArgs, TargetArg};
use crate::error::{CliError, ErrorKind};
use crate::fault;
use crate::interrupt::Interrupts;
use crate::target::Stage;

/// A name that is none.
const BAD_NAME: &str = "WG681";
/// No function of the account carries the app's aliases.
const NOTHING_FOUND: &str = "WG682";

/// The app as the cloud knows it, and its target, opened.
pub(super) async fn open(
    context: &Context,
    name: &str,
    args: &AppArgs,
    interrupts: &mut Interrupts,
) -> Result<(Manifest, Stage), CliError> {
    let bad = |error: BadName| CliError::usage(BAD_NAME, error.to_string());
    let (name, alias) = (AppName::new(name), AliasName::new(args.alias.as_str()));
    let (name, alias) = (name.map_err(bad)?, alias.map_err(bad)?);
    let target = match context.global.target {
        Some(TargetArg::Local) => Target::Local,
        Some(TargetArg::Aws) | None => Target::Aws,
    };
    let manifest = |functions: BTreeSet<FunctionName>| {
        let app = spec(name.clone(), alias.clone(), functions);
        Manifest::of_cloud(app, target, args.region.clone(), context.environment.cwd.clone())
    };
    let bare = manifest(BTreeSet::new());
    let stage = interrupts.guard(Stage::open_bare(&bare, &context.environment)).await?;
    let finding = async {
        let found = stage.engine.discover(&name, &alias).await;
        found.map_err(|error| fault::engine(&error, &stage.endpoint))
    };
    match interrupts.guard(finding).await {
        Ok(found) if !found.is_empty() => Ok((manifest(found), stage)),
        Ok(_) => {
            let message =
                format!("no function at {} carries an alias of app `{name}`", stage.endpoint);
            stage.close().await;
            Err(CliError::new(ErrorKind::Refused, NOTHING_FOUND, message)
                .hint("check the account, --region, --alias and the app's name"))
        }
        Err(error) => {
            stage.close().await;
            Err(error)
        }
    }
}

pub(super) fn spec(name: AppName, alias: AliasName, functions: BTreeSet<FunctionName>) -> AppSpec {
    let functions: BTreeMap<FunctionName, FunctionSpec> =
        functions.into_iter().map(|name| (name.clone(), function(name))).collect();
    AppSpec {
        name,
        alias,
        on_failure: OnFailure::Rollback,
        rollback_scope: RollbackScope::App,
        on_blind: OnBlind::Rollback,
        max_parallel: functions.len().max(1),
        keep_versions: 0,
        functions,
    }
}

/// A function of which nothing is wanted: whatever it is, it stays.
fn function(name: FunctionName) -> FunctionSpec {
    FunctionSpec {
        lambda_name: name.clone(),
        name,
        code: CodeSource::Image(String::new()),
        config: FunctionConfig::default(),
        depends_on: BTreeSet::new(),
        strategy: ComponentUse {
            name: "AllAtOnce".to_owned(),
            component: "all-at-once".to_owned(),
            config: Opaque("{}".to_owned()),
        },
        engine: wavegate_core::codedeploy::Engine::Native,
        hooks: Hooks::default(),
        alarms: Vec::new(),
        bake: Duration::ZERO,
    }
}

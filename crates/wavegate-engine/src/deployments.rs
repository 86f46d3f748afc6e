//! What CodeDeploy has in hand of a release, for whoever looks at it.

mod tag;

use std::collections::BTreeMap;

pub(crate) use tag::Tag;

use futures_util::future::join_all;
use wavegate_core::inventory::Inventory;
use wavegate_core::name::{FunctionName, ReleaseId, VersionId};
use wavegate_core::release::Priority;
use wavegate_core::spec::{AppSpec, FunctionSpec};
use wavegate_core::token::{Position, Token};

use crate::Engine;
use crate::caller::{Quota, Retry};
use crate::ports::CloudError;

/// A deployment that moves, or moved, the traffic of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InHand {
    /// Its id.
    pub id: String,
    /// `Created`, `InProgress`, `Succeeded`, `Failed`, `Stopped`, …
    pub status: String,
    /// The lifecycle event that is in progress: `BeforeAllowTraffic`, `AllowTraffic`, …
    pub step: Option<String>,
}

/// The deployments of functions whose alias says that CodeDeploy has it in hand, as far as there is one.
pub(crate) async fn in_hand(
    engine: &Engine,
    app: &AppSpec,
    inventory: &Inventory,
) -> Result<BTreeMap<FunctionName, InHand>, CloudError> {
    let delegated = app.functions.values().filter_map(|function| {
        let live = inventory.functions.get(&function.name)?.alias(&app.alias)?;
        let token = Token::decode(&live.description)?;
        (token.position == Position::Delegated).then_some((function, token))
    });
    let looks = delegated.map(|(function, token)| async move {
        let found = deployment(engine, function, token.release, token.candidate).await;
        found.map(|found| found.map(|found| (function.name.clone(), found)))
    });
    let found: Result<Vec<_>, CloudError> = join_all(looks).await.into_iter().collect();
    Ok(found?.into_iter().flatten().collect())
}

async fn deployment(
    engine: &Engine,
    function: &FunctionSpec,
    release: ReleaseId,
    candidate: VersionId,
) -> Result<Option<InHand>, CloudError> {
    let (port, caller) = (&engine.world.deployments, &engine.caller);
    let (quota, poll) = (Quota::CodeDeploy, Priority::Poll);
    let group = function.engine.group();
    let of = group.map(|group| (group.application.as_str(), group.name.as_str()));
    // Where the manifest names no group any more, only what is active can be found in time.
    let list = || port.list_deployments(of, 0, of.is_none());
    let ids = caller.call(quota, "ListDeployments", poll, Retry::Safe, list).await?;
    if ids.is_empty() {
        return Ok(None);
    }
    let get = || port.deployments(&ids);
    let views = caller.call(quota, "BatchGetDeployments", poll, Retry::Safe, get).await?;
    let tag = Tag { release, function: function.lambda_name.clone(), candidate };
    let Some(view) = views.into_iter().find(|view| tag.is_of(view)) else { return Ok(None) };
    let show = || port.target(&view.id);
    let target = caller.call(quota, "BatchGetDeploymentTargets", poll, Retry::Safe, show).await?;
    let events = target.into_iter().flat_map(|target| target.events);
    let step = events.into_iter().find(|event| event.status == "InProgress");
    Ok(Some(InHand { id: view.id, status: view.status, step: step.map(|event| event.name) }))
}

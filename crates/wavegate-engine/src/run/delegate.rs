//! Traffic that CodeDeploy moves: a deployment of this release, found or made, followed, stopped.
//!
//! A deployment is known by its tag alone ([`Tag`]), which stands in its description: whoever runs the
//! release finds the one that was made by whoever ran it before. So it is looked for before it is made,
//! and again whenever it is not known whether it was made.
//!
//! Invariants: no more than one deployment is made of one version in one release; none is made once the
//! release goes back; what CodeDeploy does is ended by CodeDeploy alone, and an answer that did not come
//! is never taken for an end.
//! Deliberately absent: any write of an alias. What follows from an end is the release machine's.

mod follow;
mod group;
mod halt;
mod standing;
#[cfg(test)]
pub(super) mod tests;
mod told;

use std::time::Duration;

use wavegate_core::codedeploy::Group;
use wavegate_core::name::{FunctionName, VersionId};
use wavegate_core::plan::{Delegation, FunctionPlan};
use wavegate_core::release::{Input, Priority, limits};
use wavegate_core::time::{human, millis};

use super::Context;
use crate::caller::{Quota, Retry};
use crate::deployments::Tag;
use crate::ports::{CloudError, DeploymentView, FaultKind, NewDeployment};

pub(super) use halt::run as halt;

/// What nobody has answered for yet may still come to be seen so long: a deployment whose maker is gone,
/// or CodeDeploy's own rollback. Far longer than a request takes that was sent at all.
const LATE: Duration = Duration::from_secs(10);

/// How old a deployment of a running release may be. A release may be paused for a week and have moved
/// before; more than that costs a page of a group's list and nothing else.
const LOOK_BACK: Duration = Duration::from_hours(30 * 24);

/// CodeDeploy's code for a second deployment in a group, or one too many in the account.
const LIMIT: &str = "DeploymentLimitExceededException";

/// Lets CodeDeploy move a function's traffic to `candidate` and tells the machine how that ended.
pub(super) async fn run(context: Context, function: FunctionName, ask: u64, candidate: VersionId) {
    let planned = context.plan.functions.get(&function).and_then(|plan| {
        let (delegation, stable) = (plan.delegation.as_ref()?, plan.action.stable()?);
        Some(Shift { context: &context, plan, delegation, stable, candidate })
    });
    let result = match planned {
        Some(shift) => shift.perform().await,
        None => Some(Err(format!("the plan hands nothing of {function} to CodeDeploy"))),
    };
    // Stopped in the middle: whoever stopped it does not wait for an answer.
    if let Some(result) = result {
        context.tell(Input::Delegated { function, ask, result });
    }
}

/// One function's shift by CodeDeploy.
struct Shift<'a> {
    context: &'a Context,
    plan: &'a FunctionPlan,
    delegation: &'a Delegation,
    stable: VersionId,
    candidate: VersionId,
}

/// Whether the deployment is there.
#[derive(Debug, PartialEq)]
enum Found {
    /// This one is to be followed.
    There(String),
    /// It is not, and may be asked for; why it is not, if it was asked for already.
    Absent(String),
    /// Nobody can tell now.
    Unseen(String),
    /// It is not, and will not be.
    Refused(String),
}

impl Shift<'_> {
    /// To the end; `None`: forward work was stopped before.
    async fn perform(&self) -> Option<Result<(), String>> {
        let work = &self.context.work;
        if let Err(why) = work.run_until_cancelled(self.prepare_group()).await? {
            return Some(Err(why));
        }
        let id = match self.find_or_create().await? {
            Ok(id) => id,
            Err(why) => return Some(Err(why)),
        };
        work.run_until_cancelled(self.follow(&id)).await
    }

    async fn find_or_create(&self) -> Option<Result<String, String>> {
        let (context, work) = (self.context, &self.context.work);
        let give_up_ms = context.now_ms().saturating_add(millis(limits::FORWARD));
        let mut found = work.run_until_cancelled(self.look_for_it()).await?;
        loop {
            let is_late = context.now_ms() > give_up_ms;
            found = match found {
                Found::There(id) => return Some(Ok(id)),
                Found::Refused(why) => return Some(Err(why)),
                Found::Absent(why) | Found::Unseen(why) if is_late => {
                    let limit = human(limits::FORWARD);
                    return Some(Err(format!("no deployment could be made within {limit}: {why}")));
                }
                Found::Absent(_) => match self.create().await? {
                    Ok(id) => return Some(Ok(id)),
                    Err(error) => work.run_until_cancelled(self.judge(error)).await?,
                },
                Found::Unseen(_) => {
                    work.run_until_cancelled(context.pause(LATE)).await?;
                    work.run_until_cancelled(self.look_for_it()).await?
                }
            };
        }
    }

    /// Looks for the deployment of this release, function and version.
    async fn look_for_it(&self) -> Found {
        let tag = self.tag();
        match self.context.group_deployments(&self.delegation.group, Kept::All).await {
            Ok(views) => match views.into_iter().find(|view| tag.is_of(view)) {
                Some(view) => Found::There(view.id),
                None => Found::Absent(String::new()),
            },
            Err(error) => self.blind(&error),
        }
    }

    fn blind(&self, error: &CloudError) -> Found {
        if self.context.is_weather(error) {
            Found::Unseen(error.to_string())
        } else {
            Found::Refused(error.to_string())
        }
    }

    /// Asks for the deployment, once; `None`: the release goes back.
    ///
    /// Not dropped in the middle: a request that was sent is answered for, or a halt would not know of
    /// what it made.
    async fn create(&self) -> Option<Result<String, CloudError>> {
        let context = self.context;
        let _under_way = context.creating.read().await;
        let (plan, group) = (self.plan, &self.delegation.group);
        let new = &NewDeployment {
            group: group.clone(),
            config: self.delegation.routing.config_name(),
            function: plan.lambda_name.to_string(),
            alias: context.plan.alias.to_string(),
            current: self.stable,
            target: self.candidate,
            description: self.tag().describe(&context.plan.app, context.plan.number, self.stable),
        };
        let create = || async move {
            // Asked when the call's turn has come: it may have waited long.
            if context.work.is_cancelled() {
                return Err(super::perform::not_sent("CreateDeployment", "the release goes back"));
            }
            context.engine.world.deployments.create_deployment(new).await
        };
        let caller = &context.engine.caller;
        let (quota, forward) = (Quota::CodeDeploy, Priority::Forward);
        let made = caller.call(quota, "CreateDeployment", forward, Retry::Once, create).await;
        (!context.work.is_cancelled()).then_some(made)
    }

    /// What follows from a creation that was not answered with an id.
    async fn judge(&self, error: CloudError) -> Found {
        let is_full = error.code.as_deref() == Some(LIMIT);
        if !is_full && !self.context.is_weather(&error) {
            return Found::Refused(error.to_string());
        }
        // It may have been made all the same, and not be listed yet.
        self.context.pause(LATE).await;
        match self.look_for_it().await {
            Found::Absent(_) if is_full => self.conflict(&error).await,
            Found::Absent(_) => Found::Absent(error.to_string()),
            found => found,
        }
    }

    /// Who is in the way, after a creation that was one too many.
    async fn conflict(&self, error: &CloudError) -> Found {
        let group = &self.delegation.group;
        match self.context.group_deployments(group, Kept::Active).await {
            // It ended meanwhile; or the account is full.
            Ok(active) if active.is_empty() => Found::Absent(error.to_string()),
            Ok(active) => Found::Refused(conflict_words(group, &active)),
            Err(look) => self.blind(&look),
        }
    }

    fn tag(&self) -> Tag {
        Tag {
            release: self.context.release,
            function: self.plan.lambda_name.clone(),
            candidate: self.candidate,
        }
    }
}

/// Which deployments a list is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Those of the last weeks, ended or not.
    All,
    /// Those that have not ended.
    Active,
}

impl Context {
    /// The deployments of a group, newest first.
    async fn group_deployments(
        &self,
        group: &Group,
        kept: Kept,
    ) -> Result<Vec<DeploymentView>, CloudError> {
        let of = Some((group.application.as_str(), group.name.as_str()));
        let ids = self.list(of, kept, Priority::Forward).await?;
        let mut views = self.views(&ids, Priority::Forward).await?;
        views.sort_by_key(|view| ids.iter().position(|id| *id == view.id));
        Ok(views)
    }

    /// The ids of deployments of a group, or of the whole account, newest first.
    async fn list(
        &self,
        of: Option<(&str, &str)>,
        kept: Kept,
        priority: Priority,
    ) -> Result<Vec<String>, CloudError> {
        let since_s = self.now_ms().saturating_sub(millis(LOOK_BACK)) / 1000;
        let (port, caller) = (&self.engine.world.deployments, &self.engine.caller);
        let list = || port.list_deployments(of, since_s, kept == Kept::Active);
        caller.call(Quota::CodeDeploy, "ListDeployments", priority, Retry::Safe, list).await
    }

    /// Deployments by their ids: all of them, or an error.
    async fn views(
        &self,
        ids: &[String],
        priority: Priority,
    ) -> Result<Vec<DeploymentView>, CloudError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (port, caller) = (&self.engine.world.deployments, &self.engine.caller);
        let (operation, get) = ("BatchGetDeployments", || port.deployments(ids));
        let views = caller.call(Quota::CodeDeploy, operation, priority, Retry::Safe, get).await?;
        match ids.iter().find(|id| views.iter().all(|view| view.id != **id)) {
            Some(missing) => Err(not_shown(missing)),
            None => Ok(views),
        }
    }

    /// Whether time alone may mend a failure, of a service that was reached before.
    fn is_weather(&self, error: &CloudError) -> bool {
        error.kind == FaultKind::Unreachable || self.engine.caller.is_passing(error)
    }

    /// Waits on the release's clock.
    async fn pause(&self, span: Duration) {
        let until_ms = self.now_ms().saturating_add(millis(span));
        self.engine.world.clock.sleep_until(until_ms).await;
    }
}

/// A deployment that was listed is missing in an answer: that proves nothing.
fn not_shown(id: &str) -> CloudError {
    CloudError {
        operation: "BatchGetDeployments",
        kind: FaultKind::Unknown,
        code: None,
        message: format!("the answer does not show {id}"),
        request_id: None,
        retry_after: None,
    }
}

/// Who is in the way, in words.
fn conflict_words(group: &Group, active: &[DeploymentView]) -> String {
    let who = active.iter().map(|view| match view.description.as_str() {
        "" => view.id.clone(),
        description => format!("{} ({description})", view.id),
    });
    let who = who.collect::<Vec<_>>().join(", ");
    format!("a conflicting deployment of group {} is in progress: {who}", group.name)
}

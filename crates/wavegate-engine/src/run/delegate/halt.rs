//! Stopping what CodeDeploy does for one function in the name of a release.

use std::collections::BTreeSet;

use wavegate_core::name::FunctionName;
use wavegate_core::plan::FunctionPlan;
use wavegate_core::release::{Input, Priority, limits};
use wavegate_core::time::{human, millis};

use super::told::Told;
use super::{Context, Kept, LATE};
use crate::caller::{Quota, Retry};
use crate::deployments::Tag;
use crate::ports::{CloudError, DeploymentView, FaultKind};

/// Stops a function's deployments and tells the machine once nothing of them is under way.
pub(in super::super) async fn run(context: Context, function: FunctionName) {
    let result = match context.plan.functions.get(&function) {
        Some(plan) => {
            let halt = Halt { context: &context, plan, told: Told::new(function.as_str()) };
            halt.perform().await
        }
        None => Err(format!("{function} is not part of the plan")),
    };
    context.tell(Input::Halted { function, result });
}

struct Halt<'a> {
    context: &'a Context,
    plan: &'a FunctionPlan,
    told: Told,
}

/// What a look asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    /// These are to be stopped.
    Stop(Vec<String>),
    /// These are to be waited for.
    Wait(Vec<String>),
    /// Nothing is under way.
    Quiet,
}

/// `ours` are deployments of the release and what puts them back, `stopped` those that were asked to
/// stop.
fn next(ours: &[DeploymentView], stopped: &BTreeSet<String>) -> Next {
    let ids = |is_meant: &dyn Fn(&&DeploymentView) -> bool| -> Vec<String> {
        let active = ours.iter().filter(|view| !view.has_ended());
        active.filter(is_meant).map(|view| view.id.clone()).collect()
    };
    // What puts back is never stopped.
    let to_stop = ids(&|view| view.puts_back.is_none() && !stopped.contains(&view.id));
    if !to_stop.is_empty() {
        return Next::Stop(to_stop);
    }
    let active = ids(&|_| true);
    if active.is_empty() { Next::Quiet } else { Next::Wait(active) }
}

impl Halt<'_> {
    async fn perform(mut self) -> Result<(), String> {
        let context = self.context;
        // A creation of this very process is answered for first.
        drop(context.creating.write().await);
        let give_up_ms = context.now_ms().saturating_add(millis(limits::BACK));
        let mut known = BTreeSet::new();
        let mut stopped = BTreeSet::new();
        let mut was_quiet = false;
        loop {
            let seen = self.look(&known).await;
            let open = match &seen {
                Ok(ours) => {
                    let news = ours.iter().filter_map(|view| self.told.deployment(view));
                    news.for_each(|event| context.say(event));
                    known.extend(ours.iter().map(|view| view.id.clone()));
                    next(ours, &stopped)
                }
                Err(error) if context.is_weather(error) => Next::Wait(Vec::new()),
                Err(error) => return Err(format!("CodeDeploy cannot be asked: {error}")),
            };
            let span = match &open {
                // What a dead owner asked for last, or a rollback, may come to be seen only now.
                Next::Quiet if was_quiet => return Ok(()),
                Next::Quiet => LATE,
                Next::Wait(_) => limits::POLL,
                Next::Stop(ids) => {
                    for id in ids {
                        if self.stop(id).await? {
                            stopped.insert(id.clone());
                        }
                    }
                    LATE
                }
            };
            was_quiet = open == Next::Quiet;
            if context.now_ms() > give_up_ms {
                return Err(given_up(&open, seen.err().as_ref()));
            }
            context.pause(span).await;
        }
    }

    /// The deployments of this release and function, and what puts them back, as far as either is
    /// active or `known` from an earlier look.
    async fn look(&self, known: &BTreeSet<String>) -> Result<Vec<DeploymentView>, CloudError> {
        let active = self.active().await?;
        let ids: BTreeSet<String> = active.into_iter().chain(known.iter().cloned()).collect();
        let mut views = self.context.views(&Vec::from_iter(ids), Priority::Back).await?;
        let related = related(&views);
        views.extend(self.context.views(&related, Priority::Back).await?);
        Ok(self.ours(views))
    }

    async fn active(&self) -> Result<Vec<String>, CloudError> {
        let group = self.plan.delegation.as_ref().map(|delegation| &delegation.group);
        // Without the manifest no group is known: then it is looked for in the whole account.
        let of = group.map(|group| (group.application.as_str(), group.name.as_str()));
        match self.context.list(of, Kept::Active, Priority::Back).await {
            // No group, no deployment of it.
            Err(error) if error.kind == FaultKind::NotFound => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// What puts back is ours if what it puts back is.
    fn ours(&self, mut views: Vec<DeploymentView>) -> Vec<DeploymentView> {
        let tagged = views.iter().filter(|view| self.is_tagged(view));
        let tagged: BTreeSet<String> = tagged.map(|view| view.id.clone()).collect();
        views.retain(|view| {
            tagged.contains(&view.id)
                || view.puts_back.as_ref().is_some_and(|id| tagged.contains(id))
        });
        views
    }

    /// Of whatever version: an abort without the manifest knows none.
    fn is_tagged(&self, view: &DeploymentView) -> bool {
        Tag::read(&view.description).is_some_and(|tag| {
            tag.release == self.context.release && tag.function == self.plan.lambda_name
        })
    }

    /// `Ok(false)`: it may not have been heard, and is to be told again.
    async fn stop(&self, id: &str) -> Result<bool, String> {
        let (port, caller) = (&self.context.engine.world.deployments, &self.context.engine.caller);
        let (operation, stop) = ("StopDeployment", || port.stop(id));
        match caller.call(Quota::CodeDeploy, operation, Priority::Back, Retry::Safe, stop).await {
            Ok(()) => Ok(true),
            Err(error) if self.context.is_weather(&error) => Ok(false),
            Err(error) => Err(format!("CodeDeploy's deployment {id} cannot be stopped: {error}")),
        }
    }
}

/// Who puts a deployment back, and what a deployment puts back, where that is not among `views`.
fn related(views: &[DeploymentView]) -> Vec<String> {
    let shown: BTreeSet<&String> = views.iter().map(|view| &view.id).collect();
    let named = views.iter().flat_map(|view| [&view.puts_back, &view.rolled_back_by]).flatten();
    let missing: BTreeSet<&String> = named.filter(|id| !shown.contains(id)).collect();
    missing.into_iter().cloned().collect()
}

/// Why a halt has not come to its end in time.
fn given_up(open: &Next, error: Option<&CloudError>) -> String {
    let span = human(limits::BACK);
    match (open, error) {
        (_, Some(error)) => format!("CodeDeploy could not be asked for {span}: {error}"),
        (Next::Stop(ids) | Next::Wait(ids), None) => {
            format!("CodeDeploy is still busy after {span}: {}", ids.join(", "))
        }
        (Next::Quiet, None) => format!("CodeDeploy has only just ended, after {span}"),
    }
}

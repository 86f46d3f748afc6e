//! Lets deployments work: time passes, aliases are written, hooks are asked, failures are put back.

use std::collections::{BTreeMap, VecDeque};

use super::deployment::Revision;
use super::deployment::{
    Alias, Belongs, Creator, Deployment, Effect, Event, Input, Lifecycle, POLL_MS, Phase, Source,
    World,
};
use super::fault::{Fault, FaultKind};
use super::routing::{DEFAULT, Routing};
use super::{CodeDeploy, appspec, name};
use crate::cloudwatch::AlarmState;
use crate::ids::Ids;
use crate::lambda::input::{RoutingConfig, UpdateAlias};
use crate::lambda::model::Lambda;

/// A hook that is to be asked: the edge invokes the function with both ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// The function, as the AppSpec file names it.
    pub(crate) function: String,
    /// The deployment that asks.
    pub(crate) deployment: String,
    /// What the answer is given under.
    pub(crate) execution: String,
}

impl Question {
    /// What CodeDeploy sends to the function, and nothing else.
    pub(crate) fn payload(&self) -> String {
        serde_json::json!({
            "DeploymentId": self.deployment,
            "LifecycleEventHookExecutionId": self.execution,
        })
        .to_string()
    }
}

impl CodeDeploy {
    /// Brings every deployment to where it is at `now`; answers when the next thing is due.
    pub(crate) fn advance(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        lambda: &mut Lambda,
        alarms: &BTreeMap<String, AlarmState>,
    ) -> Option<i64> {
        // Deployments that put others back are made on the way.
        let mut waiting: VecDeque<String> = self.under_way();
        while let Some(id) = waiting.pop_front() {
            waiting.extend(self.advance_one(now, ids, lambda, alarms, &id));
        }
        self.next_due(now)
    }

    /// Hooks to be asked, once the state that says so is saved.
    pub(crate) fn take_questions(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.questions)
    }

    /// Hooks that were asked and have not reported: asked once more by a cloud that was restarted,
    /// because the events it had in memory are gone. AWS as well delivers events at least once.
    pub(crate) fn open_questions(&self) -> Vec<Question> {
        let asked = self
            .deployments
            .values()
            .filter_map(|deployment| self.question(&deployment.id, deployment.asked()?));
        asked.collect()
    }

    /// Whether a hook is still waited for.
    pub(crate) fn is_open(&self, question: &Question) -> bool {
        let deployment = self.deployments.get(&question.deployment);
        deployment.is_some_and(|deployment| {
            let event = deployment.event_of(&question.execution);
            event.is_some() && event == deployment.asked()
        })
    }

    /// A hook could not be asked.
    pub(crate) fn unasked(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        question: &Question,
        why: String,
    ) {
        if self.is_open(question) {
            // It is waited for, so the input is legal.
            let _ = self.feed(now, ids, None, &question.deployment, Input::Unasked(why));
        }
    }

    fn under_way(&self) -> VecDeque<String> {
        let open = self.deployments.values().filter(|deployment| !deployment.is_over());
        let mut open: Vec<(u64, String)> = open.map(|it| (it.number, it.id.clone())).collect();
        open.sort();
        open.into_iter().map(|(_, id)| id).collect()
    }

    fn next_due(&self, now: i64) -> Option<i64> {
        let due = self.deployments.values().filter_map(|deployment| {
            let due = deployment.due_ms()?;
            Some(if deployment.is_watched() { due.min(now.saturating_add(POLL_MS)) } else { due })
        });
        due.min()
    }

    /// Lets one deployment go on as far as it can now; the ids of deployments made on the way.
    fn advance_one(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        lambda: &mut Lambda,
        alarms: &BTreeMap<String, AlarmState>,
        id: &str,
    ) -> Vec<String> {
        let mut made = Vec::new();
        // Each round brings it from one phase to another, of which there are few; what is watched is
        // looked at even if nothing is due.
        let mut is_looked_at = false;
        while let Some(deployment) = self.deployments.get(id) {
            let is_due = deployment.due_ms().is_some_and(|due| due <= now);
            if !is_due && (is_looked_at || !deployment.is_watched()) {
                break;
            }
            is_looked_at = true;
            lambda.advance(now);
            let world = self.world(deployment, lambda, alarms);
            match self.feed(now, ids, Some(&mut *lambda), id, Input::Time(&world)) {
                Ok(new) => made.extend(new),
                // Time is legal wherever something is due.
                Err(fault) => {
                    tracing::error!(%fault, "a deployment stands still");
                    break;
                }
            }
        }
        made
    }

    fn world<'a>(
        &self,
        deployment: &Deployment,
        lambda: &Lambda,
        alarms: &'a BTreeMap<String, AlarmState>,
    ) -> World<'a> {
        let is_put_back = deployment.rolls_back.is_some();
        let belongs = if is_put_back {
            Belongs::There
        } else if !self.applications.contains_key(&deployment.application) {
            Belongs::ApplicationGone
        } else if !self.groups.contains_key(&deployment.group_id) {
            Belongs::GroupGone
        } else {
            Belongs::There
        };
        let mut world = World { belongs, alias: Alias::NoFunction, absent: Vec::new(), alarms };
        let Some(spec) = &deployment.spec else { return world };
        let target = lambda.home().resolve(&spec.function, None).ok();
        let Some(function) = target.and_then(|target| lambda.record(&target.name)) else {
            return world;
        };
        let versions = [&spec.current, &spec.target].into_iter();
        world.absent =
            versions.filter(|version| function.version(version).is_none()).cloned().collect();
        world.alias = match function.aliases.get(&spec.alias) {
            None => Alias::Absent,
            Some(alias) => Alias::Routes {
                main: alias.function_version.clone(),
                // What an alias with provisioned concurrency is leaving is no second version of it.
                additional: alias.additional.clone().filter(|_| alias.settling.is_none()),
                settles_ms: alias.settling.as_ref().map(|settling| settling.done_at_ms),
            },
        };
        world
    }

    /// Gives a deployment an input and performs what comes of it; the ids of deployments made.
    ///
    /// Only time and its consequences write aliases, so the other inputs need no Lambda.
    pub(super) fn feed(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        mut lambda: Option<&mut Lambda>,
        id: &str,
        input: Input<'_>,
    ) -> Result<Vec<String>, Fault> {
        let mut effects: VecDeque<Effect> = self.step(now, id, input)?.into();
        let mut made = Vec::new();
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Ask(event) => self.questions.extend(self.question(id, event)),
                Effect::RollBack => made.extend(self.roll_back(now, ids, id)),
                Effect::Route { main, additional } => {
                    let outcome = match (lambda.as_deref_mut(), self.deployments.get(id)) {
                        (Some(lambda), Some(deployment)) => {
                            route(now, ids, lambda, deployment, main, additional)
                        }
                        _ => Err("Lambda is out of reach".to_owned()),
                    };
                    let came = outcome.map_or_else(Input::Refused, |()| Input::Moved);
                    effects.extend(self.step(now, id, came)?);
                }
            }
        }
        Ok(made)
    }

    fn step(&mut self, now: i64, id: &str, input: Input<'_>) -> Result<Vec<Effect>, Fault> {
        self.deployments
            .update(id, |deployment| deployment.step(now, input))
            .ok_or_else(|| Fault::internal(format!("there is no deployment {id}")))?
            .map_err(|illegal| Fault::internal(illegal.to_string()))
    }

    fn question(&self, id: &str, event: Event) -> Option<Question> {
        let deployment = self.deployments.get(id)?;
        let [before, after] = &deployment.executions;
        let execution = if event == Event::BeforeAllowTraffic { before } else { after };
        Some(Question {
            function: deployment.hook(event)?.to_owned(),
            deployment: id.to_owned(),
            execution: execution.clone(),
        })
    }

    /// Makes the deployment that puts `id` back: at once, with no hooks and no alarms, which would
    /// only keep it from doing so. It redeploys the last revision that led to the version which is
    /// gone back to, or one made up for it if there is none.
    fn roll_back(&mut self, now: i64, ids: &mut dyn Ids, id: &str) -> Option<String> {
        let failed = self.deployments.get(id)?.clone();
        let spec = failed.spec.as_ref()?;
        let back = appspec::AppSpec {
            function: spec.function.clone(),
            alias: spec.alias.clone(),
            current: spec.target.clone(),
            target: spec.current.clone(),
            before: None,
            after: None,
        };
        let last_good = self.last_successful(&failed.group_id).filter(|good| {
            good.spec.as_ref().is_some_and(|it| {
                (&it.function, &it.alias, &it.target) == (&back.function, &back.alias, &back.target)
            })
        });
        let revision = last_good.map_or_else(
            || Revision::of_text(Source::AppSpecContent, appspec::write(&back)),
            |good| good.revision.clone(),
        );
        let back_id = self.free_id(ids);
        let deployment = Deployment {
            id: back_id.clone(),
            number: self.next_number(),
            config: DEFAULT.to_owned(),
            routing: Routing::AllAtOnce,
            previous: Some(failed.revision.clone()),
            revision,
            spec: Some(back),
            executions: [ids.uuid(), ids.uuid()],
            description: format!("Rolls the deployment {id} back"),
            creator: Creator::CodeDeployRollback,
            watch: super::deployment::Watch::default(),
            has_own_watch: false,
            created_ms: now,
            started_ms: None,
            ended_ms: None,
            updated_ms: now,
            phase: Phase::Created { start_ms: now },
            has_begun: false,
            weight: 0,
            lifecycle: Lifecycle::default(),
            failure: None,
            rolled_back_by: None,
            rolls_back: Some(id.to_owned()),
            ..failed
        };
        self.keep(deployment);
        self.deployments.get_mut(id)?.rolled_back_by = Some(back_id.clone());
        Some(back_id)
    }

    /// The number of the next deployment.
    pub(super) fn next_number(&self) -> u64 {
        self.deployments.values().map(|it| it.number).max().map_or(0, |last| last + 1)
    }

    /// An id that no deployment has.
    pub(super) fn free_id(&self, ids: &mut dyn Ids) -> String {
        loop {
            let id = name::new_id(ids);
            if !self.deployments.contains_key(&id) {
                return id;
            }
        }
    }

    /// The newest deployment of a group that succeeded.
    pub(super) fn last_successful(&self, group_id: &str) -> Option<&Deployment> {
        self.deployments
            .values()
            .filter(|it| it.group_id == group_id && it.phase == Phase::Succeeded)
            .max_by_key(|it| it.number)
    }

    /// A deployment that is not over yet, as stopping and reporting need it.
    pub(super) fn running(&self, id: &str, over: FaultKind) -> Result<&Deployment, Fault> {
        let deployment = self.deployment(id)?;
        if deployment.is_over() {
            return Err(Fault::new(over, format!("The deployment {id} is already complete")));
        }
        Ok(deployment)
    }
}

fn route(
    now: i64,
    ids: &mut dyn Ids,
    lambda: &mut Lambda,
    deployment: &Deployment,
    main: String,
    additional: Option<(String, u8)>,
) -> Result<(), String> {
    let Some(spec) = &deployment.spec else { return Err("there is no AppSpec file".to_owned()) };
    let weights = additional
        .map(|(version, percent)| (version, f64::from(percent) / 100.0))
        .into_iter()
        .collect();
    let input = UpdateAlias {
        function_version: Some(main),
        description: None,
        routing_config: Some(RoutingConfig { additional_version_weights: Some(weights) }),
        revision_id: None,
    };
    lambda
        .update_alias(now, ids, &spec.function, &spec.alias, input)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

//! A CodeDeploy of a few lines, on the release's clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use wavegate_core::codedeploy::{Group, Routing};
use wavegate_core::time::millis;
use wavegate_core::weight::Weight;

use crate::clock::ScaledClock;
use crate::ports::{
    Clock as _, CloudError, DeploymentView, Deployments, FaultKind, GroupView, LifecycleEvent,
    NewDeployment, TargetView,
};

/// How deployments go that are made from now on.
#[derive(Clone)]
pub(crate) struct Course {
    /// How long it goes on, unless it is stopped.
    pub(crate) takes: Duration,
    /// How it ends then.
    pub(crate) status: &'static str,
    /// When a rollback comes to be seen after an end that is none, and how long it takes.
    pub(crate) rollback: Option<(Duration, Duration)>,
}

/// One deployment.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) id: String,
    pub(super) group: (String, String),
    pub(super) description: String,
    pub(super) puts_back: Option<String>,
    pub(super) created_ms: u64,
    pub(super) course: Course,
    pub(super) stopped_ms: Option<u64>,
}

impl Made {
    fn ended_ms(&self, now_ms: u64) -> Option<u64> {
        let end = self.created_ms + millis(self.course.takes);
        Some(self.stopped_ms.unwrap_or(end)).filter(|end| *end <= now_ms)
    }

    fn status(&self, now_ms: u64) -> &'static str {
        match self.ended_ms(now_ms) {
            None => "InProgress",
            Some(_) if self.stopped_ms.is_some() => "Stopped",
            Some(_) => self.course.status,
        }
    }
}

/// What becomes of the next call of an operation.
pub(super) struct Failure {
    pub(super) operation: &'static str,
    pub(super) kind: FaultKind,
    /// The answer is lost, and not the request.
    pub(super) is_done: bool,
}

pub(super) struct State {
    pub(super) groups: BTreeMap<(String, String), GroupView>,
    pub(super) configs: BTreeSet<String>,
    pub(super) made: Vec<Made>,
    pub(super) course: Course,
    pub(super) failures: VecDeque<Failure>,
    /// Nothing is answered before.
    pub(super) down_until_ms: u64,
    /// A creation takes so long.
    pub(super) creation: Duration,
    /// One that appears later: what a dead owner asked for.
    pub(super) late: Option<(u64, Made)>,
    pub(super) calls: Vec<&'static str>,
}

/// CodeDeploy as a test wants it.
pub(crate) struct Fake {
    pub(super) clock: ScaledClock,
    state: Mutex<State>,
}

impl Fake {
    pub(crate) fn new(clock: ScaledClock) -> Self {
        let course = Course { takes: Duration::from_mins(5), status: "Succeeded", rollback: None };
        let state = State {
            groups: BTreeMap::new(),
            configs: BTreeSet::new(),
            made: Vec::new(),
            course,
            failures: VecDeque::new(),
            down_until_ms: 0,
            creation: Duration::ZERO,
            late: None,
            calls: Vec::new(),
        };
        Self { clock, state: Mutex::new(state) }
    }

    /// The state as it is now.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap();
        let now_ms = self.clock.now_ms();
        if let Some((_, late)) = state.late.take_if(|(at_ms, _)| *at_ms <= now_ms) {
            state.made.push(late);
        }
        for at in 0..state.made.len() {
            let made = state.made[at].clone();
            let Some((late, takes)) = made.course.rollback else { continue };
            let is_there = state.made.iter().any(|it| it.puts_back.as_ref() == Some(&made.id));
            let seen = made.ended_ms(now_ms).is_some_and(|end| end + millis(late) <= now_ms);
            if made.status(now_ms) != "Succeeded" && seen && !is_there {
                let course = Course { takes, status: "Succeeded", rollback: None };
                let id = format!("{}-back", made.id);
                let description = "by CodeDeploy".to_owned();
                let puts_back = Some(made.id.clone());
                state.made.push(Made {
                    id,
                    description,
                    puts_back,
                    course,
                    created_ms: now_ms,
                    stopped_ms: None,
                    ..made
                });
            }
        }
        state
    }

    /// A deployment that begins now.
    pub(super) fn begin(&self, id: &str, description: &str) -> Made {
        Made {
            id: id.to_owned(),
            group: ("shop".to_owned(), "auth".to_owned()),
            description: description.to_owned(),
            puts_back: None,
            created_ms: self.clock.now_ms(),
            course: self.state().course.clone(),
            stopped_ms: None,
        }
    }

    /// Counts a call, and fails it if it is to fail. `Ok(Some)`: it fails when it was done.
    fn called(&self, operation: &'static str) -> Result<Option<CloudError>, CloudError> {
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        state.calls.push(operation);
        if now_ms < state.down_until_ms {
            return Err(error(operation, FaultKind::Unknown, None));
        }
        let is_next = |failure: &mut Failure| failure.operation == operation;
        match state.failures.pop_front_if(is_next) {
            None => Ok(None),
            Some(failure) => {
                let error = error(operation, failure.kind, None);
                if failure.is_done { Ok(Some(error)) } else { Err(error) }
            }
        }
    }
}

fn error(operation: &'static str, kind: FaultKind, code: Option<&str>) -> CloudError {
    CloudError {
        operation,
        kind,
        code: code.map(str::to_owned),
        message: "no".to_owned(),
        request_id: None,
        retry_after: None,
    }
}

fn key(application: &str, group: &str) -> (String, String) {
    (application.to_owned(), group.to_owned())
}

#[async_trait]
impl Deployments for Fake {
    async fn create_application(&self, _: &str) -> Result<(), CloudError> {
        self.called("CreateApplication").map(drop)
    }

    async fn create_config(&self, routing: Routing) -> Result<(), CloudError> {
        self.called("CreateDeploymentConfig")?;
        self.state().configs.insert(routing.config_name());
        Ok(())
    }

    async fn delete_config(&self, name: &str) -> Result<bool, CloudError> {
        self.called("DeleteDeploymentConfig")?;
        let mut state = self.state();
        let is_used = state.groups.values().any(|group| group.config == name);
        Ok(!is_used && state.configs.remove(name))
    }

    async fn group(&self, application: &str, name: &str) -> Result<Option<GroupView>, CloudError> {
        self.called("GetDeploymentGroup")?;
        Ok(self.state().groups.get(&key(application, name)).cloned())
    }

    async fn create_group(&self, group: &Group, config: &str) -> Result<(), CloudError> {
        self.called("CreateDeploymentGroup")?;
        let group = Group { is_own: false, ..group.clone() };
        let at = key(&group.application, &group.name);
        let view = GroupView { group, config: config.to_owned(), rolls_back: true };
        self.state().groups.insert(at, view);
        Ok(())
    }

    async fn update_group(&self, group: &Group, config: &str) -> Result<(), CloudError> {
        self.called("UpdateDeploymentGroup")?;
        let view = GroupView { group: group.clone(), config: config.to_owned(), rolls_back: true };
        self.state().groups.insert(key(&group.application, &group.name), view);
        Ok(())
    }

    async fn create_deployment(&self, new: &NewDeployment) -> Result<String, CloudError> {
        let takes = self.state().creation;
        self.clock.sleep_until(self.clock.now_ms() + millis(takes)).await;
        let lost = self.called("CreateDeployment")?;
        let now_ms = self.clock.now_ms();
        let group = key(&new.group.application, &new.group.name);
        let busy = |made: &Made| made.group == group && made.ended_ms(now_ms).is_none();
        if self.state().made.iter().any(busy) {
            let code = "DeploymentLimitExceededException";
            return Err(error("CreateDeployment", FaultKind::Invalid, Some(code)));
        }
        let id = format!("d-{}", self.state().made.len() + 1);
        let made = Made { group, ..self.begin(&id, &new.description) };
        self.state().made.push(made);
        lost.map_or(Ok(id), Err)
    }

    async fn list_deployments(
        &self,
        of: Option<(&str, &str)>,
        since_s: u64,
        active_only: bool,
    ) -> Result<Vec<String>, CloudError> {
        self.called("ListDeployments")?;
        let now_ms = self.clock.now_ms();
        let state = self.state();
        let listed = state.made.iter().rev().filter(|made| {
            of.is_none_or(|(application, group)| made.group == key(application, group))
                && made.created_ms / 1000 >= since_s
                && !(active_only && made.ended_ms(now_ms).is_some())
        });
        Ok(listed.map(|made| made.id.clone()).collect())
    }

    async fn deployments(&self, ids: &[String]) -> Result<Vec<DeploymentView>, CloudError> {
        self.called("BatchGetDeployments")?;
        let now_ms = self.clock.now_ms();
        let state = self.state();
        let asked = state.made.iter().filter(|made| ids.contains(&made.id));
        let views = asked.map(|made| {
            let status = made.status(now_ms);
            let back = state.made.iter().find(|it| it.puts_back.as_ref() == Some(&made.id));
            DeploymentView {
                id: made.id.clone(),
                application: made.group.0.clone(),
                group: made.group.1.clone(),
                description: made.description.clone(),
                status: status.to_owned(),
                error: (status == "Failed").then(|| ("TIMEOUT".to_owned(), "too late".to_owned())),
                rolled_back_by: back.map(|back| back.id.clone()),
                rollback_message: None,
                puts_back: made.puts_back.clone(),
            }
        });
        Ok(views.collect())
    }

    async fn target(&self, deployment: &str) -> Result<Option<TargetView>, CloudError> {
        self.called("BatchGetDeploymentTargets")?;
        let now_ms = self.clock.now_ms();
        let state = self.state();
        let made = state.made.iter().find(|made| made.id == deployment);
        Ok(made.map(|made| {
            let status = made.status(now_ms);
            let weight = if status == "Succeeded" { 10_000 } else { 1000 };
            let event = LifecycleEvent {
                name: "AllowTraffic".to_owned(),
                status: status.to_owned(),
                message: None,
            };
            let weight = Weight::from_bp(weight);
            TargetView { status: status.to_owned(), weight, events: vec![event] }
        }))
    }

    async fn stop(&self, deployment: &str) -> Result<(), CloudError> {
        self.called("StopDeployment")?;
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        let active = |made: &&mut Made| made.id == deployment && made.ended_ms(now_ms).is_none();
        if let Some(made) = state.made.iter_mut().find(active) {
            made.stopped_ms = Some(now_ms);
        }
        Ok(())
    }
}

//! One deployment: a state machine without I/O.
//!
//! [`Deployment::step`] takes the time and one input and answers with the effects to perform; what came
//! of an effect comes back as an input. Records are also the format on disk (inside the versioned state
//! file): fields may be added with defaults, never renamed or removed.
//!
//! Invariants:
//! - the alarms are looked at at the start and before every shift, so one that is red before the first
//!   keeps the target version from any traffic;
//! - between two shifts no less than the interval passes, however late the first of them was;
//! - an alias that is not as the deployment left it is not written to;
//! - a deployment that is over stays as it is, but for the deployment that it is put back by.

mod lifecycle;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use lifecycle::{Diagnosis, Event, Lifecycle, Stage};

use super::appspec::AppSpec;
use super::routing::Routing;
use crate::cloudwatch::AlarmState;

/// AWS: a hook that has not reported after this time has failed.
pub(crate) const HOOK_MS: i64 = 3_600_000;
/// Between two looks at the alarms of a deployment under way. AWS does not document its own.
pub(crate) const POLL_MS: i64 = 10_000;
/// Between `CreateDeployment` and the start. AWS takes a few seconds.
pub(crate) const START_MS: i64 = 1_000;

/// AWS's words for an AppSpec file that says nothing it can do.
const NO_SPEC: &str = "The deployment failed because the AppSpec file that specifies the AWS Lambda \
                       deployment configuration is missing or has an invalid configuration.";

/// What makes a deployment put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum RollbackEvent {
    #[serde(rename = "DEPLOYMENT_FAILURE")]
    Failure,
    #[serde(rename = "DEPLOYMENT_STOP_ON_ALARM")]
    StopOnAlarm,
    #[serde(rename = "DEPLOYMENT_STOP_ON_REQUEST")]
    StopOnRequest,
}

/// `AutoRollbackConfiguration`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AutoRollback {
    pub(crate) enabled: bool,
    pub(crate) events: Vec<RollbackEvent>,
}

/// `AlarmConfiguration`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Watch {
    pub(crate) enabled: bool,
    pub(crate) ignore_poll_alarm_failure: bool,
    pub(crate) alarms: Vec<String>,
}

/// Who made a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Creator {
    User,
    CodeDeployRollback,
}

/// Why a deployment did not succeed; names are AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ErrorCode {
    AlarmActive,
    ApplicationMissing,
    /// The local cloud's choice for alarms that do not exist: AWS documents that a deployment stops
    /// then, not under which code.
    CodedeployResourceCannotBeFound,
    DeploymentGroupMissing,
    HookExecutionFailure,
    InvalidLambdaConfiguration,
    InvalidLambdaFunction,
    InvalidRevision,
    ManualStop,
}

/// `ErrorInformation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

/// Where a revision came from, and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revision {
    pub(crate) source: Source,
    pub(crate) content: String,
    /// Of the content, in hexadecimal.
    pub(crate) sha256: String,
}

/// `RevisionLocationType` and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Source {
    AppSpecContent,
    String,
    S3 { bucket: String, key: String, bundle_type: String },
}

/// Where a deployment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub(crate) enum Phase {
    /// It waits for its start.
    Created { start_ms: i64 },
    /// A function was asked, and has until then.
    Hook { event: Event, until_ms: i64 },
    /// It waits for the next shift.
    Shifting { next_ms: i64 },
    /// The alias is being written; the weight it then has.
    Moving { weight: u8 },
    /// The alias names the target version alone, and it waits until that serves: with provisioned
    /// concurrency AWS stays on the other one until the new one's is ready.
    Settling { next_ms: i64 },
    /// All traffic is on the target version.
    Succeeded,
    /// It could not go on.
    Failed,
    /// It was stopped, by an alarm or by request.
    Stopped,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    /// Counts deployments: lists are in its order, as times may be equal.
    pub(crate) number: u64,
    pub(crate) application: String,
    pub(crate) group: String,
    pub(crate) group_id: String,
    pub(crate) config: String,
    pub(crate) routing: Routing,
    pub(crate) revision: Revision,
    pub(crate) previous: Option<Revision>,
    /// What the revision says; absent if it says nothing that can be done.
    pub(crate) spec: Option<AppSpec>,
    /// What hooks report their results under: before, and after.
    pub(crate) executions: [String; 2],
    pub(crate) description: String,
    pub(crate) creator: Creator,
    pub(crate) rollback: AutoRollback,
    pub(crate) watch: Watch,
    /// The alarms were given with the deployment, not by its group.
    pub(crate) has_own_watch: bool,
    pub(crate) created_ms: i64,
    pub(crate) started_ms: Option<i64>,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) updated_ms: i64,
    pub(crate) phase: Phase,
    /// It was found sound and has begun: from then on there is something to put back.
    pub(crate) has_begun: bool,
    /// The target version's share, in percent.
    pub(crate) weight: u8,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) failure: Option<Failure>,
    /// The deployment that puts this one back.
    pub(crate) rolled_back_by: Option<String>,
    /// The deployment that this one puts back.
    pub(crate) rolls_back: Option<String>,
}

/// What the world looks like to a deployment.
#[derive(Debug)]
pub(crate) struct World<'a> {
    /// What it belongs to.
    pub(crate) belongs: Belongs,
    /// The alias.
    pub(crate) alias: Alias,
    /// Versions of the function that do not exist, of the two that the deployment is about.
    pub(crate) absent: Vec<String>,
    /// All alarms.
    pub(crate) alarms: &'a BTreeMap<String, AlarmState>,
}

/// Whether what a deployment belongs to is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belongs {
    There,
    ApplicationGone,
    GroupGone,
}

/// The alias of a deployment, as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Alias {
    NoFunction,
    Absent,
    Routes {
        main: String,
        additional: Option<(String, f64)>,
        /// Until then AWS stays on the version that it has left.
        settles_ms: Option<i64>,
    },
}

/// What happens to a deployment.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// Time has passed.
    Time(&'a World<'a>),
    /// A hook has reported.
    Hooked(Verdict),
    /// A hook could not be asked.
    Unasked(String),
    /// The alias was written.
    Moved,
    /// The alias could not be written.
    Refused(String),
    /// Somebody wants it stopped, and says whether it is put back; else the configuration does.
    Stop { rolls_back: Option<bool> },
}

/// What a hook reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Succeeded,
    Failed,
}

/// What is to be done for a deployment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Ask the function of that event.
    Ask(Event),
    /// Let the alias route so.
    Route { main: String, additional: Option<(String, u8)> },
    /// Make the deployment that puts this one back.
    RollBack,
}

/// An input that makes no sense where the deployment stands: a bug, or a request that came too late.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("deployment {id} is {phase:?} and takes no {input}")]
pub(crate) struct Illegal {
    id: String,
    phase: Phase,
    input: &'static str,
}

impl Deployment {
    /// Takes an input in, and says what is to be done.
    pub(crate) fn step(&mut self, now: i64, input: Input<'_>) -> Result<Vec<Effect>, Illegal> {
        match (self.phase.clone(), input) {
            (Phase::Created { start_ms }, Input::Time(_)) if now < start_ms => Ok(Vec::new()),
            (Phase::Created { .. }, Input::Time(world)) => Ok(self.start(now, world)),
            (Phase::Hook { event, until_ms }, Input::Time(world)) => {
                Ok(match self.alarm(world.alarms) {
                    Some(failure) => self.stop(now, failure, RollbackEvent::StopOnAlarm, None),
                    None if now < until_ms => Vec::new(),
                    None => self.unheard(now, event),
                })
            }
            (Phase::Shifting { next_ms }, Input::Time(world)) => {
                Ok(match self.alarm(world.alarms) {
                    Some(failure) => self.stop(now, failure, RollbackEvent::StopOnAlarm, None),
                    None if now < next_ms => Vec::new(),
                    None => self.shift(now, world),
                })
            }
            (Phase::Settling { next_ms }, Input::Time(world)) => {
                Ok(match self.alarm(world.alarms) {
                    Some(failure) => self.stop(now, failure, RollbackEvent::StopOnAlarm, None),
                    None if now < next_ms => Vec::new(),
                    None => self.settle(now, world),
                })
            }
            (Phase::Hook { event, .. }, Input::Hooked(Verdict::Succeeded)) => {
                self.lifecycle.succeed(event, now);
                Ok(self.after(now, event))
            }
            (Phase::Hook { event, .. }, Input::Hooked(Verdict::Failed)) => {
                let message = format!("The function of {event} reported the status Failed");
                Ok(self.hook_failed(now, event, Diagnosis::Failed, message))
            }
            (Phase::Hook { event, .. }, Input::Unasked(why)) => {
                let message = format!("The function of {event} could not be invoked: {why}");
                Ok(self.hook_failed(now, event, Diagnosis::Missing, message))
            }
            (Phase::Moving { weight }, Input::Moved) => Ok(self.moved(now, weight)),
            (Phase::Moving { .. }, Input::Refused(why)) => {
                let message = format!("The alias could not be updated: {why}");
                Ok(self.fail(now, ErrorCode::InvalidLambdaConfiguration, message))
            }
            (
                Phase::Created { .. }
                | Phase::Hook { .. }
                | Phase::Shifting { .. }
                | Phase::Settling { .. },
                Input::Stop { rolls_back },
            ) => {
                let message = "The deployment was stopped by request.".to_owned();
                let failure = Failure { code: ErrorCode::ManualStop, message };
                let event = RollbackEvent::StopOnRequest;
                Ok(self.stop(now, failure, event, rolls_back))
            }
            (phase, input) => Err(Illegal { id: self.id.clone(), phase, input: input.name() }),
        }
    }

    /// When time alone brings it on; `None` when it is over.
    pub(crate) fn due_ms(&self) -> Option<i64> {
        match self.phase {
            Phase::Created { start_ms } => Some(start_ms),
            Phase::Hook { until_ms, .. } => Some(until_ms),
            Phase::Shifting { next_ms } | Phase::Settling { next_ms } => Some(next_ms),
            Phase::Moving { .. } | Phase::Succeeded | Phase::Failed | Phase::Stopped => None,
        }
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed | Phase::Stopped)
    }

    /// Whether alarms can stop it now.
    pub(crate) fn is_watched(&self) -> bool {
        let is_waiting = matches!(
            self.phase,
            Phase::Hook { .. } | Phase::Shifting { .. } | Phase::Settling { .. }
        );
        self.watch.enabled && is_waiting
    }

    /// The hook that is being waited for.
    pub(crate) fn asked(&self) -> Option<Event> {
        match self.phase {
            Phase::Hook { event, .. } => Some(event),
            _ => None,
        }
    }

    /// The function of an event.
    pub(crate) fn hook(&self, event: Event) -> Option<&str> {
        let spec = self.spec.as_ref()?;
        match event {
            Event::BeforeAllowTraffic => spec.before.as_deref(),
            Event::AfterAllowTraffic => spec.after.as_deref(),
            Event::Start | Event::AllowTraffic | Event::End => None,
        }
    }

    /// The event whose function reports under that id.
    pub(crate) fn event_of(&self, execution: &str) -> Option<Event> {
        let [before, after] = &self.executions;
        match execution {
            id if id == before => Some(Event::BeforeAllowTraffic),
            id if id == after => Some(Event::AfterAllowTraffic),
            _ => None,
        }
    }

    fn start(&mut self, now: i64, world: &World<'_>) -> Vec<Effect> {
        self.started_ms = Some(now);
        self.updated_ms = now;
        self.lifecycle.begin(Event::Start, now);
        if let Err(failure) = self.soundness(world) {
            return self.fail(now, failure.code, failure.message);
        }
        self.has_begun = true;
        self.lifecycle.succeed(Event::Start, now);
        if let Some(failure) = self.alarm(world.alarms) {
            return self.stop(now, failure, RollbackEvent::StopOnAlarm, None);
        }
        self.ask_or_go_on(now, Event::BeforeAllowTraffic)
    }

    /// What keeps it from starting.
    fn soundness(&self, world: &World<'_>) -> Result<(), Failure> {
        let because = |code, message: String| Err(Failure { code, message });
        match world.belongs {
            Belongs::ApplicationGone => {
                let message = format!("The application {} was deleted", self.application);
                return because(ErrorCode::ApplicationMissing, message);
            }
            Belongs::GroupGone => {
                let message = format!("The deployment group {} was deleted", self.group);
                return because(ErrorCode::DeploymentGroupMissing, message);
            }
            Belongs::There => {}
        }
        let Some(spec) = &self.spec else {
            return because(ErrorCode::InvalidRevision, NO_SPEC.to_owned());
        };
        let (function, alias) = (&spec.function, &spec.alias);
        match &world.alias {
            Alias::NoFunction => {
                let message = format!("The Lambda function {function} does not exist");
                because(ErrorCode::InvalidLambdaFunction, message)
            }
            Alias::Absent => {
                let message = format!("The Lambda function {function} has no alias {alias}");
                because(ErrorCode::InvalidLambdaConfiguration, message)
            }
            Alias::Routes { .. } if !world.absent.is_empty() => {
                let versions = world.absent.join(" and ");
                let message = format!("The Lambda function {function} has no version {versions}");
                because(ErrorCode::InvalidLambdaConfiguration, message)
            }
            Alias::Routes { main, additional, .. } => self.placed(spec, main, additional.as_ref()),
        }
    }

    /// Whether the alias is where the deployment may take it on.
    fn placed(
        &self,
        spec: &AppSpec,
        main: &str,
        additional: Option<&(String, f64)>,
    ) -> Result<(), Failure> {
        let because =
            |message: String| Err(Failure { code: ErrorCode::InvalidLambdaConfiguration, message });
        // What is put back stands anywhere between the two versions, and nowhere else.
        let is_ours = |version: &str| version == spec.current || version == spec.target;
        let is_put_back = self.rolls_back.is_some()
            && is_ours(main)
            && additional.is_none_or(|(version, _)| is_ours(version));
        match additional {
            _ if is_put_back => Ok(()),
            _ if main != spec.current => because(
                "The Lambda function alias version does not match the current version in AppSpec \
                 file."
                    .to_owned(),
            ),
            Some((extra, _)) => because(format!(
                "The Lambda function alias {} references two versions, {main} and {extra}.",
                spec.alias
            )),
            None => Ok(()),
        }
    }

    /// The next thing after `event` has come to a good end.
    fn after(&mut self, now: i64, event: Event) -> Vec<Effect> {
        self.updated_ms = now;
        match event {
            Event::Start => self.ask_or_go_on(now, Event::BeforeAllowTraffic),
            Event::BeforeAllowTraffic => {
                self.lifecycle.begin(Event::AllowTraffic, now);
                self.phase = Phase::Shifting { next_ms: now };
                Vec::new()
            }
            Event::AllowTraffic => self.ask_or_go_on(now, Event::AfterAllowTraffic),
            Event::AfterAllowTraffic | Event::End => {
                self.lifecycle.begin(Event::End, now);
                self.lifecycle.succeed(Event::End, now);
                self.phase = Phase::Succeeded;
                self.ended_ms = Some(now);
                Vec::new()
            }
        }
    }

    fn ask_or_go_on(&mut self, now: i64, event: Event) -> Vec<Effect> {
        self.lifecycle.begin(event, now);
        if self.hook(event).is_some() {
            self.phase = Phase::Hook { event, until_ms: now.saturating_add(HOOK_MS) };
            return vec![Effect::Ask(event)];
        }
        self.lifecycle.succeed(event, now);
        self.after(now, event)
    }

    fn shift(&mut self, now: i64, world: &World<'_>) -> Vec<Effect> {
        let Some(spec) = self.spec.clone() else {
            return self.fail(now, ErrorCode::InvalidRevision, NO_SPEC.to_owned());
        };
        if let Err(failure) = self.undisturbed(&spec, &world.alias) {
            return self.fail(now, failure.code, failure.message);
        }
        let weight = self.routing.next(self.weight);
        self.phase = Phase::Moving { weight };
        vec![match weight {
            100 => Effect::Route { main: spec.target, additional: None },
            part => Effect::Route { main: spec.current, additional: Some((spec.target, part)) },
        }]
    }

    /// Whether the alias is as the deployment left it.
    fn undisturbed(&self, spec: &AppSpec, alias: &Alias) -> Result<(), Failure> {
        let Alias::Routes { main, additional, .. } = alias else {
            return Err(Failure {
                code: ErrorCode::InvalidLambdaConfiguration,
                message: format!(
                    "The Lambda function {} has no alias {} any more",
                    spec.function, spec.alias
                ),
            });
        };
        if self.weight == 0 {
            return self.placed(spec, main, additional.as_ref());
        }
        let left = f64::from(self.weight) / 100.0;
        let is_left = additional
            .as_ref()
            .is_some_and(|(version, share)| *version == spec.target && (share - left).abs() < 1e-9);
        if *main == spec.current && is_left {
            return Ok(());
        }
        Err(Failure {
            code: ErrorCode::InvalidLambdaConfiguration,
            message: format!(
                "The Lambda function alias {} was changed by somebody else during the deployment.",
                spec.alias
            ),
        })
    }

    fn moved(&mut self, now: i64, weight: u8) -> Vec<Effect> {
        self.weight = weight;
        self.updated_ms = now;
        if weight < 100 {
            self.phase = Phase::Shifting { next_ms: now.saturating_add(self.routing.pause_ms()) };
            return Vec::new();
        }
        self.phase = Phase::Settling { next_ms: now };
        Vec::new()
    }

    fn settle(&mut self, now: i64, world: &World<'_>) -> Vec<Effect> {
        if let Alias::Routes { settles_ms: Some(at_ms), .. } = &world.alias
            && *at_ms > now
        {
            self.phase = Phase::Settling { next_ms: *at_ms };
            return Vec::new();
        }
        self.lifecycle.succeed(Event::AllowTraffic, now);
        self.after(now, Event::AllowTraffic)
    }

    /// What the alarms hold against it.
    fn alarm(&self, alarms: &BTreeMap<String, AlarmState>) -> Option<Failure> {
        if !self.watch.enabled {
            return None;
        }
        let named = |holds: &dyn Fn(Option<&AlarmState>) -> bool| {
            let found = self.watch.alarms.iter().filter(|name| holds(alarms.get(*name)));
            found.map(String::as_str).collect::<Vec<_>>().join(", ")
        };
        let red = named(&|state| state == Some(&AlarmState::Alarm));
        if !red.is_empty() {
            return Some(Failure {
                code: ErrorCode::AlarmActive,
                message: format!(
                    "One or more alarms have been activated according to the Amazon CloudWatch \
                     metrics you selected, and the affected deployments have been stopped. Activated \
                     alarms: <{red}>"
                ),
            });
        }
        let absent = named(&|state| state.is_none());
        if absent.is_empty() || self.watch.ignore_poll_alarm_failure {
            return None;
        }
        Some(Failure {
            code: ErrorCode::CodedeployResourceCannotBeFound,
            message: format!(
                "The state of one or more alarms could not be retrieved from Amazon CloudWatch, and \
                 the affected deployments have been stopped. Alarms: <{absent}>"
            ),
        })
    }

    fn unheard(&mut self, now: i64, event: Event) -> Vec<Effect> {
        let message = format!(
            "The function of {event} did not report a status within {} minutes",
            HOOK_MS / 60_000
        );
        self.hook_failed(now, event, Diagnosis::TimedOut, message)
    }

    fn hook_failed(
        &mut self,
        now: i64,
        event: Event,
        diagnosis: Diagnosis,
        message: String,
    ) -> Vec<Effect> {
        self.lifecycle.fail(event, now, Some((diagnosis, message.clone())));
        self.fail(now, ErrorCode::HookExecutionFailure, message)
    }

    fn fail(&mut self, now: i64, code: ErrorCode, message: String) -> Vec<Effect> {
        self.end(now, Phase::Failed, Failure { code, message });
        self.put_back(self.rolls_back_on(RollbackEvent::Failure))
    }

    fn stop(
        &mut self,
        now: i64,
        failure: Failure,
        event: RollbackEvent,
        wish: Option<bool>,
    ) -> Vec<Effect> {
        self.end(now, Phase::Stopped, failure);
        self.put_back(wish.unwrap_or_else(|| self.rolls_back_on(event)))
    }

    fn end(&mut self, now: i64, phase: Phase, failure: Failure) {
        self.lifecycle.cut_off(now);
        self.phase = phase;
        self.failure = Some(failure);
        self.ended_ms = Some(now);
        self.updated_ms = now;
    }

    fn rolls_back_on(&self, event: RollbackEvent) -> bool {
        self.rollback.enabled && self.rollback.events.contains(&event)
    }

    /// What puts back is not put back itself, and where nothing has begun nothing is to be.
    fn put_back(&self, is_wanted: bool) -> Vec<Effect> {
        let is_possible = self.has_begun && self.rolls_back.is_none();
        if is_wanted && is_possible { vec![Effect::RollBack] } else { Vec::new() }
    }
}

impl Input<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Time(_) => "passing of time",
            Self::Hooked(_) => "report of a hook",
            Self::Unasked(_) => "refusal of a hook",
            Self::Moved => "written alias",
            Self::Refused(_) => "refusal of an alias",
            Self::Stop { .. } => "stop",
        }
    }
}

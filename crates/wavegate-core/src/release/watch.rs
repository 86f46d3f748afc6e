//! Watching: alarms, the pulse that renews the lock and looks at what moves.

use super::machine::{Release, Stage, TimerFor};
use super::register::Purpose;
use super::rollout::AlarmSeen;
use super::{AlarmSubject, Effect, Event, Illegal, Object, Reading, limits};
use crate::name::FunctionName;
use crate::plan::AlarmStatus;
use crate::spec::IfAlreadyAlarming;

/// What a question about alarms is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AskFor {
    /// The pulse.
    Watch,
    /// A decision waits for it.
    Gate(FunctionName),
    /// The first shift waits for alarms that were red before the release.
    Quiet(FunctionName),
}

/// What is known of an alarm that its provider says nothing about.
const NO_ANSWER: &str = "nothing was answered about it";

fn firing(alarm: &str, detail: &str) -> String {
    format!("alarm `{alarm}` is firing: {detail}")
}

impl Release {
    pub(super) fn ask_alarms(&mut self, purpose: AskFor, functions: &[FunctionName]) {
        let subjects: Vec<AlarmSubject> =
            functions.iter().filter_map(|f| self.subject(f)).collect();
        if subjects.is_empty() {
            return;
        }
        let ask = self.next_id();
        if let AskFor::Gate(name) | AskFor::Quiet(name) = &purpose
            && let Some(rollout) = self.rollouts.get_mut(name)
        {
            rollout.gate = Some(ask);
            rollout.gate_at = self.now;
            rollout.ask = None;
        }
        self.asks.insert(ask, purpose);
        self.effects.push(Effect::ReadAlarms { ask, subjects });
    }

    pub(super) fn subject(&self, name: &FunctionName) -> Option<AlarmSubject> {
        let rollout = self.rollouts.get(name)?;
        Some(AlarmSubject {
            function: name.clone(),
            stable: self.plan.functions.get(name)?.action.stable(),
            candidate: rollout.version()?,
            since: rollout.since.unwrap_or(self.now),
        })
    }

    pub(super) fn alarms_read(
        &mut self,
        ask: u64,
        result: Result<Vec<Reading>, String>,
    ) -> Result<(), Illegal> {
        let Some(purpose) = self.asks.remove(&ask) else { return Ok(()) };
        if self.is_going_back() {
            return Ok(());
        }
        let (readings, blind) = match result {
            Ok(readings) => (readings, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        if let Some(reason) = blind.clone() {
            self.report(Event::Blind { reason });
        }
        for reading in &readings {
            self.hear(ask, reading)?;
            if self.is_going_back() {
                return Ok(());
            }
        }
        let (AskFor::Gate(name) | AskFor::Quiet(name)) = &purpose else { return Ok(()) };
        let Some(rollout) = self.rollouts.get_mut(name).filter(|r| r.gate == Some(ask)) else {
            return Ok(()); // Asked again since then: that answer counts.
        };
        rollout.gate = None;
        self.forget_alarms(ask, name, &readings, blind.as_deref().unwrap_or(NO_ANSWER));
        match purpose {
            AskFor::Watch => Ok(()),
            AskFor::Gate(name) => self.past_gate(&name),
            AskFor::Quiet(name) => self.past_quiet(&name, blind.is_some()),
        }
    }

    /// What an alarm said before does not count when it cannot be read now. An alarm that was red
    /// before the release stays excused: not knowing is not quiet.
    fn forget_alarms(&mut self, ask: u64, name: &FunctionName, readings: &[Reading], why: &str) {
        let Some(function) = self.plan.functions.get(name) else { return };
        let Some(rollout) = self.rollouts.get_mut(name) else { return };
        for planned in &function.alarms {
            let alarm = &planned.alarm.alarm.name;
            if readings.iter().any(|r| r.function == *name && r.alarm == *alarm) {
                continue;
            }
            let baselined =
                rollout.alarms.get(alarm).map_or(planned.already_red, |seen| seen.baselined);
            let detail = why.to_owned();
            let status = AlarmStatus::Unknown;
            let seen = AlarmSeen { status, detail, baselined, is_unread: true, ask };
            rollout.alarms.insert(alarm.clone(), seen);
        }
    }

    fn hear(&mut self, ask: u64, reading: &Reading) -> Result<(), Illegal> {
        let Some(function) = self.plan.functions.get(&reading.function) else { return Ok(()) };
        let Some(planned) = function.alarms.iter().find(|a| a.alarm.alarm.name == reading.alarm)
        else {
            return Ok(());
        };
        let baseline = planned.already_red;
        let waits = planned.alarm.if_already_alarming == IfAlreadyAlarming::Wait;
        let Some(rollout) = self.rollouts.get_mut(&reading.function) else { return Ok(()) };
        let is_watched = rollout.since.is_some();
        // The answer to an earlier question, long on its way: bad news counts, good news is old. But
        // what was quiet then and is red by now has turned red since.
        if reading.status == AlarmStatus::Ok
            && let Some(seen) = rollout.alarms.get_mut(&reading.alarm)
            && seen.ask > ask
        {
            let is_breach = seen.baselined && seen.status == AlarmStatus::Firing;
            seen.baselined = false;
            if is_breach && (is_watched || !waits) {
                let reason = firing(&reading.alarm, &seen.detail);
                return self.fail(Some(&reading.function), reason);
            }
            return Ok(());
        }
        let before = rollout.alarms.get(&reading.alarm).cloned();
        let was_baselined = before.as_ref().map_or(baseline, |seen| seen.baselined);
        let is_baselined = was_baselined && reading.status != AlarmStatus::Ok;
        let seen = AlarmSeen {
            status: reading.status,
            detail: reading.detail.clone(),
            baselined: is_baselined,
            is_unread: false,
            ask,
        };
        rollout.alarms.insert(reading.alarm.clone(), seen);
        if before.is_none_or(|before| before.status != reading.status) {
            self.report(Event::Alarm {
                function: reading.function.clone(),
                alarm: reading.alarm.clone(),
                status: reading.status,
                detail: reading.detail.clone(),
            });
        }
        let excused = is_baselined || (waits && !is_watched);
        if reading.status == AlarmStatus::Firing && !excused {
            let reason = firing(&reading.alarm, &reading.detail);
            return self.fail(Some(&reading.function), reason);
        }
        Ok(())
    }

    /// The first shift waits for alarms that were red before the release.
    pub(super) fn past_quiet(
        &mut self,
        name: &FunctionName,
        is_blind: bool,
    ) -> Result<(), Illegal> {
        let Some(function) = self.plan.functions.get(name) else { return Ok(()) };
        let Some(rollout) = self.rollouts.get_mut(name) else { return Ok(()) };
        let red: Vec<&str> = function
            .alarms
            .iter()
            .filter(|a| a.alarm.if_already_alarming == IfAlreadyAlarming::Wait)
            .map(|a| a.alarm.alarm.name.as_str())
            .filter(|alarm| {
                // A metric of a candidate that takes no traffic yet cannot tell, and need not; an
                // alarm that could not be read was not seen to be quiet.
                is_blind
                    || rollout.alarms.get(*alarm).is_some_and(|s| s.status == AlarmStatus::Firing)
            })
            .collect();
        if red.is_empty() {
            // This wait is not the strategy's: its clock starts with its first question, and
            // stands still while a later one is held.
            if rollout.asks == 0 {
                rollout.in_force = rollout.gate_at;
            } else if let Some(since) = rollout.red_since {
                rollout.in_force = rollout.in_force + rollout.gate_at.since(since);
            }
            rollout.red_since = None;
            return self.decide(name);
        }
        let what = red.join(", ");
        let now = self.now;
        let since = *rollout.red_since.get_or_insert(now);
        if now.since(since) > limits::QUIET {
            let span = crate::time::human(limits::QUIET);
            let reason = format!("alarm {what} has not been quiet for {span}");
            return self.fail(Some(name), reason);
        }
        if since == now {
            let on = format!("alarm {what}: not quiet before the first shift");
            self.report(Event::Held { function: name.clone(), on });
        }
        self.wake_at(name, now + limits::POLL);
        Ok(())
    }

    pub(super) fn start_heartbeat(&mut self) {
        if !self.has_heartbeat {
            self.has_heartbeat = true;
            self.next_heartbeat();
        }
    }

    pub(super) fn next_heartbeat(&mut self) {
        let id = self.next_timer(TimerFor::Heartbeat);
        let at = self.now + limits::POLL;
        self.effects.push(Effect::Timer { id, at });
    }

    /// Renews the lock, looks at moving aliases and at their alarms.
    pub(super) fn heartbeat(&mut self) -> Result<(), Illegal> {
        if matches!(self.stage, Stage::Closing | Stage::Tidying | Stage::Over) {
            self.has_heartbeat = false;
            return Ok(());
        }
        self.next_heartbeat();
        // A write on the lock meets requests as a look at it does: every other pulse writes.
        if !self.is_lease_fresh() && !self.lock.is_lost {
            self.want_renewal();
        } else {
            self.look_at_lock();
        }
        if self.is_going_back() || self.stage == Stage::Entering {
            return Ok(());
        }
        self.judge_pause()?;
        if self.is_going_back() {
            return Ok(());
        }
        let watched: Vec<FunctionName> = self
            .rollouts
            .iter()
            .filter(|(_, r)| r.since.is_some() && r.phase.is_moving())
            .map(|(name, _)| name.clone())
            // A first deploy has nothing to compare with and nothing to go back to.
            .filter(|name| {
                self.plan.functions.get(name).is_some_and(|f| f.action.stable().is_some())
            })
            .collect();
        for name in &watched {
            let object = Object::Live(name.clone());
            let is_sure = self.rollouts.get(name).is_some_and(|r| r.suspect.is_none() && !r.fences);
            if is_sure && self.is_idle(&object) {
                self.read(&object, Purpose::Watch);
            }
        }
        let alarmed: Vec<FunctionName> = watched
            .into_iter()
            .filter(|name| self.plan.functions.get(name).is_some_and(|f| !f.alarms.is_empty()))
            .collect();
        self.ask_alarms(AskFor::Watch, &alarmed);
        Ok(())
    }

    pub(super) fn wake_patience(&mut self) {
        let id = self.next_timer(TimerFor::Patience);
        let at = self.now + limits::POLL;
        self.effects.push(Effect::Timer { id, at });
    }
}

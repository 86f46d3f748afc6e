//! The climb: rungs of weight, and what must be over at each before the next.
//!
//! Where a rollout stands follows from the weight in force, from how long it has been, and from how
//! often a person said "go on" at it. Only *when* an approval came is in none of these, and a bake
//! that follows it begins then: that is what [`State`] remembers. Without it (a new owner), or when
//! the time at the weight has begun again (somebody was at the alias), the rung begins again: a
//! host asks its people again then. An approval that a host has kept all the same counts from the
//! moment its turn comes: later than it was, never earlier.

use serde::{Deserialize, Serialize};
use wavegate_plugin_sdk::config::{HumanDuration, Percent};
use wavegate_plugin_sdk::{Decision, Observation, Outline, OutlineStep, WeightBp, strategy};

use crate::{Config, OnTimeout};

/// How long an approval is waited for unless the config says otherwise: long enough for a team that
/// has gone home, and an end.
const TIMEOUT_MS: u64 = 24 * 60 * 60 * 1000;

/// The rungs, the lowest first: no traffic, then the weights of the steps.
pub(crate) struct Climb<'a>(Vec<Rung<'a>>);

/// One weight, and what must be over before the next.
pub(crate) struct Rung<'a> {
    weight_bp: WeightBp,
    stops: Vec<Stop<'a>>,
}

enum Stop<'a> {
    Bake(u64),
    Approve(Approval<'a>),
}

/// A person's word that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Approval<'a> {
    text: &'a str,
    timeout_ms: u64,
    on_timeout: OnTimeout,
}

/// Where a rollout stands on its rung.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stand<'a> {
    /// It is baked for so long still.
    Bakes {
        /// In milliseconds, never 0.
        rest_ms: u64,
    },
    /// It waits for a person.
    Asks(Approval<'a>),
    /// No person came in time.
    Unanswered(Approval<'a>),
    /// Everything on it is over.
    Over,
}

/// What is remembered between two decisions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The weight that the rest is about.
    weight_bp: WeightBp,
    /// How long it had been in force when it was last looked at, in milliseconds.
    looked_ms: u64,
    /// When the approvals at this weight were over, given or not, in milliseconds since it came
    /// into force.
    over_ms: Vec<u64>,
    /// How many of them a person gave.
    given: u32,
}

impl<'a> Climb<'a> {
    /// The climb of a config. A weight that validation refuses (not above the one before, or all
    /// of the traffic) is no rung: what is said of it belongs to the rung below.
    pub(crate) fn of(config: &'a Config) -> Self {
        let mut rungs = vec![Rung { weight_bp: WeightBp::NONE, stops: Vec::new() }];
        let mut top = WeightBp::NONE;
        for step in &config.steps {
            let weight = step.weight.map(Percent::weight);
            if let Some(weight_bp) = weight.filter(|bp| top < *bp && *bp < WeightBp::FULL) {
                top = weight_bp;
                rungs.push(Rung { weight_bp, stops: Vec::new() });
            }
            let bake = step.bake.map(|bake| Stop::Bake(bake.millis()));
            let approve = step.approve.as_deref().map(|text| {
                Stop::Approve(Approval {
                    text,
                    timeout_ms: step.timeout.map_or(TIMEOUT_MS, HumanDuration::millis),
                    on_timeout: step.on_timeout.unwrap_or_default(),
                })
            });
            if let Some(rung) = rungs.last_mut() {
                rung.stops.extend([bake, approve].into_iter().flatten());
            }
        }
        Self(rungs)
    }

    pub(crate) fn outline(&self) -> Outline {
        let steps = self.0.iter().filter(|rung| rung.weight_bp > WeightBp::NONE);
        Outline {
            steps: steps.map(Rung::promise).collect(),
            duration_ms_max: self.0.iter().map(Rung::longest_ms).fold(0, u64::saturating_add),
        }
    }

    /// The rung of a weight; of one between two rungs, the lower.
    pub(crate) fn rung(&self, weight_bp: WeightBp) -> &Rung<'a> {
        self.0.iter().rfind(|rung| rung.weight_bp <= weight_bp).unwrap_or(&self.0[0])
    }

    /// What follows when everything on the rung is over.
    pub(crate) fn up(&self, seen: &Observation) -> Decision {
        if seen.alarms_unknown > 0 {
            return Decision::Wait { millis: strategy::UNKNOWN_RECHECK_MS };
        }
        match self.0.iter().find(|rung| rung.weight_bp > seen.weight_bp) {
            Some(next) => Decision::Shift { weight_bp: next.weight_bp },
            None => Decision::Promote,
        }
    }
}

impl Rung<'_> {
    fn promise(&self) -> OutlineStep {
        OutlineStep {
            weight_bp: self.weight_bp,
            bake_ms_min: self.shortest_ms(),
            bake_ms_max: self.longest_ms(),
        }
    }

    fn shortest_ms(&self) -> u64 {
        let bakes = self.stops.iter().map(|stop| match stop {
            Stop::Bake(ms) => *ms,
            Stop::Approve(_) => 0,
        });
        bakes.fold(0, u64::saturating_add)
    }

    fn longest_ms(&self) -> u64 {
        let stops = self.stops.iter().map(|stop| match stop {
            Stop::Bake(ms) => *ms,
            Stop::Approve(approval) => approval.timeout_ms,
        });
        stops.fold(0, u64::saturating_add)
    }
}

impl Approval<'_> {
    /// What a person is asked, the same every time.
    pub(crate) fn question(&self) -> String {
        let end = match self.on_timeout {
            OnTimeout::Rollback => "it goes back",
            OnTimeout::Continue => "it goes on",
        };
        format!("{} (within {}, else {end})", self.text, self.timeout())
    }

    /// Why it goes back.
    pub(crate) fn unanswered(&self) -> String {
        format!("nobody approved within {}: {}", self.timeout(), self.text)
    }

    fn timeout(&self) -> HumanDuration {
        HumanDuration::from_millis(self.timeout_ms)
    }
}

impl State {
    /// Where the rollout stands on its rung, given what is seen now.
    pub(crate) fn stand<'a>(&mut self, rung: &Rung<'a>, seen: &Observation) -> Stand<'a> {
        self.look(seen);
        let now = seen.bake_elapsed_ms;
        // When the stop that is looked at began.
        let mut since = 0_u64;
        let mut approvals = 0;
        for stop in &rung.stops {
            match stop {
                Stop::Bake(ms) => {
                    since = since.saturating_add(*ms);
                    if now < since {
                        return Stand::Bakes { rest_ms: since - now };
                    }
                }
                Stop::Approve(approval) => {
                    since = match self.over_ms.get(approvals) {
                        Some(over) => since.max(*over),
                        None => match self.ask(*approval, since, seen) {
                            Ok(over) => over,
                            Err(stand) => return stand,
                        },
                    };
                    approvals += 1;
                }
            }
        }
        Stand::Over
    }

    /// Forgets what was about another weight, or about a time that has begun again.
    fn look(&mut self, seen: &Observation) {
        let goes_on = self.weight_bp == seen.weight_bp
            && self.looked_ms <= seen.bake_elapsed_ms
            && self.given <= seen.approvals;
        if !goes_on {
            *self = Self { weight_bp: seen.weight_bp, ..Self::default() };
        }
        self.looked_ms = seen.bake_elapsed_ms;
    }

    /// When an approval is over that began `since` then. A person who comes late, before it was
    /// noticed that the time is up, comes in time.
    fn ask<'a>(
        &mut self,
        approval: Approval<'a>,
        since: u64,
        seen: &Observation,
    ) -> Result<u64, Stand<'a>> {
        let now = seen.bake_elapsed_ms;
        let end = since.saturating_add(approval.timeout_ms);
        let over = if seen.approvals > self.given {
            self.given += 1;
            now
        } else if now < end {
            return Err(Stand::Asks(approval));
        } else if approval.on_timeout == OnTimeout::Rollback {
            return Err(Stand::Unanswered(approval));
        } else {
            end
        };
        self.over_ms.push(over);
        Ok(over)
    }
}

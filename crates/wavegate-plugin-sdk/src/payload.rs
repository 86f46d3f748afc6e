//! What judges outside are told.

use serde::Serialize;

use crate::{CallContext, HookEvent};

/// What a hook sends to whoever judges for it: a function, a server. Fields may be added; none goes.
#[derive(Debug, Serialize)]
pub struct HookPayload<'a> {
    /// The app's name.
    pub app: &'a str,
    /// The release's id.
    pub release: &'a str,
    /// The release's number, counted per app.
    pub release_number: u64,
    /// The name in AWS of the function that is judged.
    pub function: &'a str,
    /// The alias whose traffic moves.
    pub alias: &'a str,
    /// `pre_traffic`, `post_traffic` or `on_rollback`.
    pub phase: &'static str,
    /// The version being replaced; null on a first deploy.
    pub stable_version: Option<&'a str>,
    /// Its qualified ARN.
    pub stable_arn: Option<&'a str>,
    /// The version being rolled out.
    pub candidate_version: &'a str,
    /// Its qualified ARN: what a smoke test invokes.
    pub candidate_arn: &'a str,
    /// The candidate's share of traffic now, in percent.
    pub weight: f64,
    /// The same in basis points, without fractions.
    pub weight_bp: u16,
    /// Why the rollout goes back; null unless it does.
    pub reason: Option<&'a str>,
    /// The same for every attempt at this hook: one key, one effect.
    pub idempotency_key: &'a str,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

impl<'a> HookPayload<'a> {
    /// What is known of this call and of what it is about.
    pub fn of(cx: &'a CallContext, event: &'a HookEvent) -> Self {
        let stable = event.stable.as_ref();
        Self {
            app: &event.app,
            release: &event.release,
            release_number: event.release_number,
            function: &event.function,
            alias: &event.alias,
            phase: event.phase.as_str(),
            stable_version: stable.map(|stable| stable.version.as_str()),
            stable_arn: stable.map(|stable| stable.arn.as_str()),
            candidate_version: &event.candidate.version,
            candidate_arn: &event.candidate.arn,
            weight: event.weight_bp.percent(),
            weight_bp: event.weight_bp.get(),
            reason: event.reason.as_deref(),
            idempotency_key: &cx.idempotency_key,
            attempt: cx.attempt,
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and finite numbers are JSON")
    }
}

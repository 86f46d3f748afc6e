//! Events and plans for people and machines: a live tree, one-line events, JSON lines, a summary,
//! the plan, records of releases, and rollouts that were only played.
//!
//! Invariants:
//! - A reporter never changes what a release does: a terminal that went away or a full disk costs
//!   output, never a rollout.
//! - Every text that came from outside passes [`safe_line`] or [`safe_text`] before a terminal
//!   sees it.
//! - Meaning is in words; colours and icons repeat it.
//!
//! Deliberately absent: printing (the caller gives the writer), the clock (the caller passes the
//! time), looking at the environment or the terminal (the caller passes charset, colour and size).

mod history;
mod json;
mod lines;
mod moment;
mod plan_json;
mod plan_text;
pub mod records;
mod safe;
mod sentence;
mod simulation;
mod sink;
pub mod state;
mod style;
mod summary;
mod tree;
mod veil;

#[cfg(test)]
mod script;

pub use history::{HISTORY_FORMAT, history_json, history_text, requests_text};
pub use json::JsonLines;
pub use lines::Lines;
pub use moment::{elapsed, utc};
pub use plan_json::{PLAN_FORMAT, plan_json};
pub use plan_text::plan_text;
pub use safe::{LINE_MAX, TEXT_MAX, safe_json, safe_line, safe_log, safe_text};
pub use simulation::{SIMULATION_FORMAT, simulation_json, simulation_text};
pub use state::State;
pub use style::{Charset, Color, Style};
pub use summary::summary;
pub use tree::{Screen, Tree, frame};
pub use veil::Veil;

use wavegate_engine::event::Record;

/// What is told about a release while it runs.
///
/// Times are milliseconds on the clock of [`Record::at_ms`], virtual under a time scale.
pub trait Reporter {
    /// Takes one event.
    fn event(&mut self, record: &Record);

    /// Lets time pass: countdowns move on.
    fn tick(&mut self, now_ms: u64);

    /// No more events come: what is held back goes out.
    fn finish(&mut self);

    /// The first write that failed. Nothing was written after it.
    fn error(&self) -> Option<&std::io::Error>;
}

//! One story, from its seed to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::catalogue::Counts;
use crate::machine::word;
use crate::weather::Knobs;
use crate::world::{Broken, World};

/// Which story: a seed, and what is different from its own weather.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Story {
    /// The seed.
    pub seed: u64,
    /// What is different.
    pub knobs: Knobs,
}

/// How a story went.
#[derive(Debug, Clone)]
pub struct Report {
    /// The law that was broken, if one was.
    pub broken: Option<Broken>,
    /// How its machines ended.
    pub ends: Vec<&'static str>,
    /// What went wrong in it.
    pub counts: Counts,
    /// A fingerprint of everything that happened.
    pub hash: u64,
    /// How many things happened.
    pub steps: u64,
    /// How many calls were made.
    pub calls: u64,
    /// Everything that happened, in words, if it was asked for.
    pub trace: Vec<String>,
}

/// Tells a story.
pub fn run(story: &Story, is_traced: bool) -> Report {
    let mut world = World::of(story.seed, &story.knobs);
    world.is_traced = is_traced;
    tell(world)
}

pub(crate) fn tell(mut world: World) -> Report {
    let panicked = catch_unwind(AssertUnwindSafe(|| world.run())).err();
    if let Some(panic) = panicked {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let about = text.unwrap_or_else(|| "a panic without words".to_owned());
        world.law(false, "no panic", || about);
    }
    Report {
        ends: world.machines.iter().map(|m| m.outcome.as_ref().map_or("died", word)).collect(),
        calls: world.machines.iter().map(|machine| machine.calls).sum(),
        broken: world.broken,
        counts: world.counts,
        hash: world.hash,
        steps: world.steps,
        trace: world.trace,
    }
}

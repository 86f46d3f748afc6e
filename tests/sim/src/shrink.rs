//! Shrinking: of a story that breaks a law, as much is taken away as can be while it still does.

use crate::run::{Story, run};
use crate::weather::{Class, Knobs, Weather};

/// How often a rate is halved before it is left.
const HALVES: u32 = 4;

/// The smallest story that still breaks the same law: fewer classes of faults, then lower rates,
/// then fewer functions. A story that breaks none is left as it is.
pub fn shrink(story: &Story) -> Story {
    let law = |story: &Story| run(story, false).broken.map(|broken| broken.law);
    let Some(wanted) = law(story) else { return story.clone() };
    let mut smallest = story.clone();
    let attempt = |smallest: &mut Story, change: &dyn Fn(&mut Knobs)| {
        let mut smaller = smallest.clone();
        change(&mut smaller.knobs);
        if smaller != *smallest && law(&smaller) == Some(wanted) {
            *smallest = smaller;
            return true;
        }
        false
    };
    let present: Vec<Class> = Weather::of(story.seed, &story.knobs).present().collect();
    // What could not go at first may go once something else is gone.
    while present.iter().any(|class| {
        attempt(&mut smallest, &|knobs| {
            knobs.without.insert(*class);
        })
    }) {}
    for class in Weather::of(story.seed, &smallest.knobs).present().collect::<Vec<_>>() {
        for halves in 1..=HALVES {
            if !attempt(&mut smallest, &|knobs| {
                knobs.halved.insert(class, halves);
            }) {
                break;
            }
        }
    }
    for functions in 1..=8 {
        if attempt(&mut smallest, &|knobs| knobs.functions = Some(functions)) {
            break;
        }
    }
    smallest
}

//! What is wrong with a list of steps: every wrong step, by its place.

use wavegate_plugin_sdk::config::Percent;
use wavegate_plugin_sdk::{Diagnostics, WeightBp};

use crate::{Config, Step};

/// The most steps: each is a line of the plan, and more than anybody reads.
const STEPS_MAX: usize = 100;

/// The longest that one approval may be waited for, in milliseconds. A release that pauses keeps
/// its lock, and its machine, for so long.
const TIMEOUT_MAX_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Everything that is wrong with a config.
pub(crate) fn config(config: &Config) -> Diagnostics {
    let mut found = Diagnostics::none();
    match config.steps.len() {
        0 => {
            found
                .error("steps", "no steps")
                .hint("write at least one, or use the strategy `all-at-once`");
        }
        1..=STEPS_MAX => {}
        many => {
            found
                .error("steps", format!("{many} steps are more than {STEPS_MAX}"))
                .hint("use the strategy `linear` for many equal steps");
        }
    }
    let mut below = WeightBp::NONE;
    for (at, step) in config.steps.iter().enumerate() {
        let place = Place(at);
        shape(step, place, &mut found);
        weight(step, place, &mut below, &mut found);
        bake(step, place, below, &mut found);
        approval(step, place, &mut found);
    }
    unbaked(config, &mut found);
    found
}

/// Which step.
#[derive(Clone, Copy)]
struct Place(usize);

impl Place {
    fn step(self) -> String {
        format!("steps[{}]", self.0)
    }

    fn key(self, key: &str) -> String {
        format!("steps[{}].{key}", self.0)
    }
}

fn shape(step: &Step, place: Place, found: &mut Diagnostics) {
    let approves = step.approve.is_some();
    if step.weight.is_none() && step.bake.is_none() && !approves {
        found
            .error(place.step(), "this step says nothing to do")
            .hint("write `weight`, `bake` or `approve`");
    }
    if approves && (step.weight.is_some() || step.bake.is_some()) {
        found
            .error(place.key("approve"), "one step leaves open what comes first")
            .hint("write the approval as a step of its own, where its turn is");
    }
    for (key, is_there) in
        [("timeout", step.timeout.is_some()), ("on_timeout", step.on_timeout.is_some())]
    {
        if is_there && !approves {
            found
                .error(place.key(key), format!("`{key}` belongs to an approval"))
                .hint("add `approve = \"...\"`, or remove it");
        }
    }
}

fn weight(step: &Step, place: Place, below: &mut WeightBp, found: &mut Diagnostics) {
    let Some(weight) = step.weight.map(Percent::weight) else { return };
    let path = place.key("weight");
    if weight == WeightBp::FULL {
        found
            .error(path, "100% of the traffic is the promotion")
            .hint("remove it: the promotion follows the last step by itself");
    } else if weight == WeightBp::NONE {
        found.error(path, "0% of the traffic is no step").hint("write a share between 0 and 100");
    } else if weight <= *below {
        found
            .error(path, format!("{weight} is not above the {below} before it"))
            .hint("weights only go up; what fails goes back by itself");
    } else {
        *below = weight;
    }
}

fn bake(step: &Step, place: Place, weight: WeightBp, found: &mut Diagnostics) {
    let Some(bake) = step.bake else { return };
    if bake.is_zero() {
        found
            .error(place.key("bake"), "a bake of no time proves nothing")
            .hint("write how long to watch, such as \"10m\", or remove it");
    }
    if step.weight.is_none() && weight == WeightBp::NONE {
        found
            .error(place.key("bake"), "there is no traffic to watch before the first weight")
            .hint("put a step with a `weight` before it");
    }
}

fn approval(step: &Step, place: Place, found: &mut Diagnostics) {
    if step.approve.as_ref().is_some_and(|text| text.trim().is_empty()) {
        found
            .error(place.key("approve"), "an approval that does not say what to judge")
            .hint("write what the person should look at");
    }
    let Some(timeout) = step.timeout else { return };
    if timeout.is_zero() {
        found
            .error(place.key("timeout"), "nobody can approve in no time")
            .hint("write how long to wait, such as \"2h\"");
    } else if timeout.millis() > TIMEOUT_MAX_MS {
        found
            .error(place.key("timeout"), format!("{timeout} is longer than 7d"))
            .hint("a release that waits keeps the app's lock; write at most \"7d\"");
    }
}

/// Weights that the next step follows at once.
fn unbaked(config: &Config, found: &mut Diagnostics) {
    for (at, step) in config.steps.iter().enumerate() {
        let stops = step.bake.is_some() || step.approve.is_some();
        let next = config.steps.get(at + 1);
        let is_left_at_once = next.is_none_or(|next| next.weight.is_some());
        if let Some(weight) = step.weight.filter(|_| !stops && is_left_at_once) {
            found
                .warning(
                    Place(at).key("weight"),
                    format!("nothing is watched at {weight}: what follows it follows at once"),
                )
                .hint("add a `bake`");
        }
    }
}

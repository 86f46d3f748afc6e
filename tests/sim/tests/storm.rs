//! Stories in hostile weather: those that once broke a law, then fresh ones, then everything that
//! can happen to a small app.

use std::path::Path;
use std::time::SystemTime;

use wavegate_sim::exhaustive::{self, Tally};
use wavegate_sim::survey::{Survey, survey};
use wavegate_sim::weather::Knobs;
use wavegate_sim::{Story, run, shrink, words};

/// How many fresh stories are told, by count and not by time: a slow machine tells as many.
/// `cargo xtask sim --seeds N` tells any number.
const FRESH: u64 = 20_000;

/// Of all pairs of deaths and faults, one in so many is tried here; `cargo xtask sim --exhaustive`
/// tries all.
const SAMPLE: u64 = 29;

#[test]
fn stories_that_once_broke_a_law_break_none() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for regression in words::regressions(&kept).unwrap() {
        let report = run(&regression.story, false);
        assert_eq!(report.broken, None, "{}", regression.name);
    }
}

#[test]
fn no_fresh_story_breaks_a_law() {
    #[expect(clippy::disallowed_methods, reason = "every run tells other stories")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    // Numbers that nobody has told before, and that still can be written down.
    let from = now.as_secs() * 1_000;
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let knobs = Knobs::default();
    let asked = Survey { from, seeds: FRESH, knobs, jobs, within: None, stops: false };
    let results = survey(&asked);
    println!(
        "seeds {from}..{}: {} per core-minute",
        from + results.told,
        results.per_core_minute(jobs)
    );
    let broken: Vec<String> = results
        .laws()
        .into_iter()
        .map(|(law, (times, seed, about))| {
            let story = shrink::shrink(&Story { seed, knobs: asked.knobs.clone() });
            let arguments = words::arguments(&story);
            format!("{law}, {times} times: {about}\n  cargo xtask sim {arguments} --trace")
        })
        .collect();
    assert!(broken.is_empty(), "from {from}:\n{}", broken.join("\n"));
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in 1..100 {
        let story = Story { seed, ..Story::default() };
        let (one, other) = (run(&story, true), run(&story, true));
        assert_eq!(one.trace, other.trace, "{seed}");
        assert_eq!(one.hash, other.hash, "{seed}");
    }
}

fn holds(tally: &Tally) {
    assert!(tally.told > 0);
    assert_eq!(tally.broken, Vec::<String>::new(), "of {}", tally.told);
}

#[test]
fn a_death_at_any_moment_of_any_call_is_survived() {
    holds(&exhaustive::deaths());
}

#[test]
fn a_second_death_is_survived() {
    holds(&exhaustive::pairs_of_deaths(0, SAMPLE));
}

#[test]
fn no_fault_of_any_call_puts_a_release_back() {
    holds(&exhaustive::faults());
}

#[test]
fn no_two_faults_put_a_release_back() {
    holds(&exhaustive::pairs_of_faults(0, SAMPLE));
}

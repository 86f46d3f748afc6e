//! Many stories on several cores, and what became of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::catalogue::Counts;
use crate::run::{Story, run};
use crate::weather::Knobs;
use crate::world::Broken;

/// One story in so many is told twice: the same seed is the same story.
const TWICE: u64 = 100;

/// Which stories.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// What is different from each seed's own weather.
    pub knobs: Knobs,
    /// How many threads.
    pub jobs: usize,
    /// No new story is begun after this.
    pub within: Option<Duration>,
    /// No new story is begun once one has broken a law.
    pub stops: bool,
}

/// What became of them.
#[derive(Debug, Default)]
pub struct Results {
    /// Stories told.
    pub told: u64,
    /// The stories that broke a law, with the law, by seed.
    pub broken: BTreeMap<u64, Broken>,
    /// How the first machine of each ended, and with how many others.
    pub ends: BTreeMap<String, u64>,
    /// What was injected.
    pub counts: Counts,
    /// Calls made.
    pub calls: u64,
    /// Things that happened.
    pub steps: u64,
    /// How long it took.
    pub took: Duration,
}

impl Results {
    /// Laws that were broken: how often, and the first seed of each.
    pub fn laws(&self) -> BTreeMap<&'static str, (u64, u64, &str)> {
        let mut laws = BTreeMap::new();
        for (seed, broken) in &self.broken {
            let entry = laws.entry(broken.law).or_insert((0, *seed, broken.about.as_str()));
            entry.0 += 1;
        }
        laws
    }

    /// Stories per minute of one core.
    pub fn per_core_minute(&self, jobs: usize) -> u64 {
        let jobs = u64::try_from(jobs).unwrap_or(1);
        let took = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        self.told * 60_000 / (took * jobs).max(1)
    }

    fn add(&mut self, other: Self) {
        self.told += other.told;
        self.broken.extend(other.broken);
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
        self.counts.add(&other.counts);
        self.calls += other.calls;
        self.steps += other.steps;
    }
}

/// Tells them all.
pub fn survey(survey: &Survey) -> Results {
    #[expect(clippy::disallowed_methods, reason = "how long the survey takes is real time")]
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let all = Mutex::new(Results::default());
    std::thread::scope(|scope| {
        for _ in 0..survey.jobs.max(1) {
            scope.spawn(|| {
                let mut results = Results::default();
                while !is_over.load(Ordering::Relaxed)
                    && survey.within.is_none_or(|within| began.elapsed() < within)
                {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= survey.seeds {
                        break;
                    }
                    tell(survey, survey.from + number, &mut results);
                    if survey.stops && !results.broken.is_empty() {
                        is_over.store(true, Ordering::Relaxed);
                    }
                }
                if let Ok(mut all) = all.lock() {
                    all.add(results);
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_default();
    all.took = began.elapsed();
    all
}

fn tell(survey: &Survey, seed: u64, results: &mut Results) {
    let story = Story { seed, knobs: survey.knobs.clone() };
    let report = run(&story, false);
    results.told += 1;
    results.calls += report.calls;
    results.steps += report.steps;
    results.counts.add(&report.counts);
    let others = report.ends.len().saturating_sub(1);
    let end =
        format!("{} (and {others} others)", report.ends.first().copied().unwrap_or("refused"));
    *results.ends.entry(end).or_default() += 1;
    if seed.is_multiple_of(TWICE) && run(&story, false).hash != report.hash {
        let about = "the same seed told another story".to_owned();
        results.broken.insert(seed, Broken { law: "I30", about });
    }
    if let Some(broken) = report.broken {
        results.broken.insert(seed, broken);
    }
}

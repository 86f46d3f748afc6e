//! Random cases that follow from a seed, and the shortest one that breaks a law.

use std::cell::RefCell;

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Handle;

use crate::report::{Breach, Unheld, Verdict};

/// How long a broken case is made shorter, in milliseconds. One that makes a plugin hang takes
/// seconds each time.
const SHRINK_MS: u32 = 20_000;

/// How often a broken case is made shorter.
const SHRINKS: u32 = 2_000;

/// How cases are found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    pub(crate) seed: u64,
    pub(crate) cases: u32,
}

impl Search {
    /// Tries `test` on random cases, on a thread where it may block. `make` says how they are made;
    /// it is called there, because not every strategy can change threads.
    pub(crate) async fn run<S, M, F, Fut>(&self, law: &str, make: M, test: F) -> Verdict
    where
        S: Strategy,
        M: FnOnce() -> S + Send + 'static,
        F: Fn(S::Value) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), Breach>>,
    {
        let mut runner = self.runner(law);
        let Self { seed, cases } = *self;
        let runtime = Handle::current();
        let searching = tokio::task::spawn_blocking(move || {
            let last = RefCell::new(None);
            let result = runner.run(&make(), |case| match runtime.block_on(test(case)) {
                Ok(()) => Ok(()),
                Err(breach) => {
                    last.replace(Some(breach));
                    Err(TestCaseError::fail("broken"))
                }
            });
            match (result, last.into_inner()) {
                (Ok(()), _) => Ok(u64::from(cases)),
                // The last one that failed is the shortest.
                (Err(TestError::Fail(..)), Some(breach)) => {
                    Err(Unheld::Broken(Breach { seed: Some(seed), ..breach }))
                }
                (Err(error), _) => Err(Unheld::broken(format!("no cases were found: {error}"))),
            }
        });
        searching.await.unwrap_or_else(|stopped| Err(Unheld::broken(stopped.to_string())))
    }

    /// So many values of `strategy`.
    pub(crate) fn sample<S: Strategy>(
        &self,
        what: &str,
        strategy: &S,
        count: usize,
    ) -> Vec<S::Value> {
        let mut runner = self.runner(what);
        // A value that the strategy itself gives up on is no value.
        (0..count)
            .filter_map(|_| strategy.new_tree(&mut runner).ok())
            .map(|tree| tree.current())
            .collect()
    }

    /// Each law has cases of its own, which do not change when another law is added.
    fn runner(&self, law: &str) -> TestRunner {
        let config = Config {
            cases: self.cases,
            max_shrink_time: SHRINK_MS,
            max_shrink_iters: SHRINKS,
            failure_persistence: None,
            ..Config::default()
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&fnv(law).to_le_bytes());
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
    }
}

/// FNV-1a: the same on every machine and in every version of Rust.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;

    use super::*;

    const SEARCH: Search = Search { seed: 7, cases: 64 };

    #[test]
    fn the_same_seed_finds_the_same_cases_and_another_law_others() {
        let cases = |search: Search, law| search.sample(law, &(0..u64::MAX), 8);
        assert_eq!(cases(SEARCH, "a"), cases(SEARCH, "a"));
        assert_ne!(cases(SEARCH, "a"), cases(SEARCH, "b"));
        assert_ne!(cases(SEARCH, "a"), cases(Search { seed: 8, ..SEARCH }, "a"));
    }

    #[tokio::test]
    async fn a_breach_is_told_by_its_shortest_case() {
        let verdict = SEARCH.run(
            "sums",
            || vec(0_u32..100, 0..20),
            async |numbers: Vec<u32>| {
                let sum: u32 = numbers.iter().sum();
                if sum < 200 { Ok(()) } else { Err(Breach::new(format!("{numbers:?}"))) }
            },
        );
        let Err(Unheld::Broken(breach)) = verdict.await else { panic!("it is broken") };
        assert_eq!(breach.seed, Some(7));
        // No number can go, and none can be smaller.
        let numbers: Vec<u32> =
            breach.words.trim_matches(['[', ']']).split(", ").map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers.iter().sum::<u32>(), 200, "{numbers:?}");
        assert!(!numbers.contains(&0), "{numbers:?}");
    }
}

//! Random cases that follow from a seed, and the shortest one that breaks a law.

use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::report::{Breach, Unheld, Verdict};

/// How long a broken case is made shorter. One that breaks the plugin down costs a new start each
/// time.
const SHRINK_WITHIN: Duration = Duration::from_secs(10);

/// How often a broken case is made shorter.
const SHRINKS: usize = 2_000;

/// How cases are found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    pub(crate) seed: u64,
    pub(crate) cases: u32,
}

impl Search {
    /// Tries `test` on random cases, on a thread where it may block. `make` says how they are made;
    /// it is called there, because not every strategy can change threads. Once it `is_over`, a
    /// broken case is not made shorter any more.
    pub(crate) async fn run<S, M, F, Fut, O>(
        &self,
        law: &str,
        make: M,
        test: F,
        is_over: O,
    ) -> Verdict
    where
        S: Strategy,
        M: FnOnce() -> S + Send + 'static,
        F: Fn(S::Value) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), Breach>>,
        O: Fn() -> bool + Send + 'static,
    {
        let mut runner = self.runner(law);
        let Self { seed, cases } = *self;
        let runtime = Handle::current();
        let searching = tokio::task::spawn_blocking(move || {
            let strategy = make();
            let test = |case| runtime.block_on(test(case));
            for _ in 0..cases {
                let tree = strategy
                    .new_tree(&mut runner)
                    .map_err(|why| Unheld::broken(format!("no cases were found: {why}")))?;
                if let Err(breach) = test(tree.current()) {
                    let breach = shortest(tree, breach, test, is_over);
                    return Err(Breach { seed: Some(seed), ..breach }.into());
                }
            }
            Ok(u64::from(cases))
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
        let config = Config { failure_persistence: None, verbose: 0, ..Config::default() };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&fnv(law).to_le_bytes());
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
    }
}

/// The shortest case that is still broken, of those that can be had in time. Not proptest's own
/// loop, because that tells standard error when it is cut short.
fn shortest<T: ValueTree>(
    mut tree: T,
    mut breach: Breach,
    test: impl Fn(T::Value) -> Result<(), Breach>,
    is_over: impl Fn() -> bool,
) -> Breach {
    let began = Instant::now();
    let mut goes_on = tree.simplify();
    for _ in 0..SHRINKS {
        if !goes_on || is_over() || began.elapsed() > SHRINK_WITHIN {
            break;
        }
        goes_on = match test(tree.current()) {
            Ok(()) => tree.complicate(),
            Err(shorter) => {
                breach = shorter;
                tree.simplify()
            }
        };
    }
    breach
}

/// FNV-1a: the same on every machine and in every version of Rust.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

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
            || false,
        );
        let Err(Unheld::Broken(breach)) = verdict.await else { panic!("it is broken") };
        assert_eq!(breach.seed, Some(7));
        // No number can go, and none can be smaller.
        let numbers: Vec<u32> =
            breach.words.trim_matches(['[', ']']).split(", ").map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers.iter().sum::<u32>(), 200, "{numbers:?}");
        assert!(!numbers.contains(&0), "{numbers:?}");
    }

    #[tokio::test]
    async fn a_case_after_which_nothing_can_be_tried_is_told_as_it_is() {
        let tried = Arc::new(AtomicUsize::new(0));
        let (counted, seen) = (Arc::clone(&tried), Arc::clone(&tried));
        let verdict = SEARCH.run(
            "hangs",
            || 0_u32..100,
            move |number| {
                counted.fetch_add(1, Ordering::Relaxed);
                async move { Err(Breach::new(number.to_string())) }
            },
            move || seen.load(Ordering::Relaxed) > 0,
        );
        assert!(matches!(verdict.await, Err(Unheld::Broken(_))));
        assert_eq!(tried.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_case_that_can_always_be_shorter_is_made_so_for_a_while() {
        /// Has no end.
        struct Endless(u64);
        impl ValueTree for Endless {
            type Value = u64;

            fn current(&self) -> u64 {
                self.0
            }

            fn simplify(&mut self) -> bool {
                self.0 += 1;
                true
            }

            fn complicate(&mut self) -> bool {
                false
            }
        }
        let broken = |number: u64| Err(Breach::new(number.to_string()));
        let breach = shortest(Endless(0), Breach::new("0"), broken, || false);
        assert_eq!(breach.words, SHRINKS.to_string());
    }
}

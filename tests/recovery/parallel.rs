//! Many trials at a time: each spends most of its time waiting.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sample::say;

/// Trials at a time for each core, unless `WAVEGATE_RECOVERY_JOBS` says how many in all.
const PER_CORE: usize = 3;

/// After so many one more line tells how far it is: all of them take an hour.
const TOLD_EVERY: usize = 200;

/// Tries every one; what came of it, and what was wrong with those that failed.
pub(crate) fn each<C: Display + Sync, T: Send>(
    cases: &[C],
    try_one: impl Fn(&C) -> T + Sync,
) -> (Vec<Option<T>>, Vec<String>) {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<T, String>>>> =
        cases.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..jobs().min(cases.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { return };
                    if index > 0 && index.is_multiple_of(TOLD_EVERY) {
                        say(&format!("{index} of {}", cases.len()));
                    }
                    let tried = catch_unwind(AssertUnwindSafe(|| try_one(case)));
                    let result = tried.map_err(|panic| format!("{case}:\n{}", words(&*panic)));
                    *results[index].lock().expect("no panic holds it") = Some(result);
                }
            });
        }
    });
    let mut failures = Vec::new();
    let ends = results.into_iter().map(|result| {
        match result.into_inner().expect("no panic holds it").expect("every case is tried") {
            Ok(end) => Some(end),
            Err(words) => {
                failures.push(words);
                None
            }
        }
    });
    let ends = ends.collect();
    (ends, failures)
}

fn jobs() -> usize {
    let told = std::env::var("WAVEGATE_RECOVERY_JOBS").ok().and_then(|jobs| jobs.parse().ok());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    told.unwrap_or(cores * PER_CORE).max(1)
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}

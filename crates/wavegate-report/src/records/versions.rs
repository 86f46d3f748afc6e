//! What releases tell about the versions that were served. Whether they still exist only the cloud
//! knows.

use std::collections::{BTreeMap, BTreeSet};

use super::Release;

/// Of releases of one app, newest first, those on `target` as it is now. Epochs never go back: where
/// they do, the target began anew (a local cloud that was reset).
pub fn era(releases: Vec<Release>, target: impl Fn(&str) -> bool) -> Vec<Release> {
    let mut lowest: BTreeMap<String, u64> = BTreeMap::new();
    let mut over = BTreeSet::new();
    let mut kept = Vec::new();
    for release in releases.into_iter().filter(|release| target(&release.target)) {
        // Releases that never had the lock have none of its epochs.
        if let Some(epoch) = release.epoch {
            let before = lowest.insert(release.target.clone(), epoch);
            if before.is_some_and(|before| epoch >= before) {
                over.insert(release.target.clone());
            }
        }
        if !over.contains(&release.target) {
            kept.push(release);
        }
    }
    kept
}

/// The version each function served after release `number`, as far as `releases` tell, newest
/// first: what the last release up to it promoted, or what the first successful one after it
/// replaced. `None`: no release of that number is known to be done.
pub fn versions_after(releases: &[Release], number: u64) -> Option<BTreeMap<String, u64>> {
    releases.iter().find(|release| release.number == number && release.is_done())?;
    let done = || releases.iter().rev().filter(|release| release.is_done());
    let mut versions = BTreeMap::new();
    for release in done().filter(|release| release.number <= number) {
        for (name, function) in &release.functions {
            if let Some(candidate) = function.candidate {
                versions.insert(name.clone(), candidate);
            }
        }
    }
    let mut seen = BTreeSet::new();
    for release in done().filter(|release| release.number > number) {
        for (name, function) in &release.functions {
            // Only the first release after it tells: later ones replaced what came between.
            if let (true, Some(stable)) = (seen.insert(name), function.stable) {
                versions.entry(name.clone()).or_insert(stable);
            }
        }
    }
    Some(versions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Versions;

    fn release(
        number: u64,
        outcome: &str,
        functions: &[(&str, Option<u64>, Option<u64>)],
    ) -> Release {
        let versions = |(name, stable, candidate): &(&str, Option<u64>, Option<u64>)| {
            ((*name).to_owned(), Versions { stable: *stable, candidate: *candidate })
        };
        Release {
            number,
            outcome: Some(outcome.to_owned()),
            epoch: Some(number),
            functions: functions.iter().map(versions).collect(),
            ..Release::default()
        }
    }

    #[test]
    fn a_rollback_finds_what_was_served_after_a_release() {
        let mut releases = vec![
            release(1, "done", &[("auth", None, Some(1)), ("cart", None, Some(1))]),
            release(2, "done", &[("auth", Some(1), Some(2))]),
            release(3, "rolled_back", &[("auth", Some(2), Some(3))]),
            release(4, "done", &[("auth", Some(2), Some(4)), ("old", Some(7), Some(8))]),
            release(5, "done", &[("late", None, Some(1))]),
            release(6, "done", &[("late", Some(1), Some(2))]),
        ];
        releases.reverse();
        let at = |number| {
            let versions = versions_after(&releases, number)?;
            Some(versions.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(at(1).as_deref(), Some("auth=1 cart=1 old=7"));
        assert_eq!(at(2).as_deref(), Some("auth=2 cart=1 old=7"));
        assert_eq!(at(3), None);
        assert_eq!(at(4).as_deref(), Some("auth=4 cart=1 old=8"));
    }

    #[test]
    fn history_ends_where_the_target_began_anew() {
        let one = |epoch: Option<u64>, target: &str| Release {
            epoch,
            target: target.to_owned(),
            ..Release::default()
        };
        let newest_first = vec![
            one(Some(2), "local cloud"),
            one(None, "local cloud"),
            one(Some(8), "AWS, eu-west-1"),
            one(Some(1), "local cloud"),
            one(Some(1), "local cloud"),
            one(Some(7), "AWS, eu-west-1"),
        ];
        let epochs: Vec<_> =
            era(newest_first.clone(), |_| true).into_iter().map(|r| r.epoch).collect();
        assert_eq!(epochs, [Some(2), None, Some(8), Some(1), Some(7)]);
        assert_eq!(era(newest_first, |target| target.starts_with("AWS")).len(), 2);
    }
}

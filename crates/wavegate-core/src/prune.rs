//! Which old versions may be deleted after a success.

use std::collections::BTreeSet;

use crate::inventory::AliasState;
use crate::name::VersionId;

/// The versions to delete: all but the newest `keep`, never one that an alias routes to or names,
/// and never one of `protected` (the version just replaced and the one just promoted).
///
/// Deleting a version right after traffic left it gives callers 502 for a while
/// (DataBiosphere/azul issue 7883), hence `protected`.
pub fn victims(
    versions: &[VersionId],
    aliases: &[AliasState],
    keep: usize,
    protected: &BTreeSet<VersionId>,
) -> Vec<VersionId> {
    let named: BTreeSet<VersionId> = aliases
        .iter()
        .flat_map(|alias| [alias.main(), alias.extra.map(|extra| extra.version)])
        .flatten()
        .collect();
    let mut sorted: Vec<VersionId> = versions.to_vec();
    sorted.sort_unstable();
    let old = sorted.len().saturating_sub(keep);
    sorted.truncate(old);
    sorted.retain(|version| !named.contains(version) && !protected.contains(version));
    sorted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::inventory::ExtraVersion;
    use crate::weight::Weight;

    fn alias(main: u64, extra: Option<u64>) -> AliasState {
        AliasState {
            name: "live".into(),
            version: main.to_string(),
            extra: extra.map(|v| ExtraVersion {
                version: VersionId(v),
                weight: Weight::from_bp(1).unwrap(),
            }),
            description: String::new(),
            revision: String::new(),
        }
    }

    #[test]
    fn the_newest_stay() {
        let versions: Vec<_> = (1..=6).map(VersionId).collect();
        let gone = victims(&versions, &[alias(6, None), alias(2, None)], 3, &[VersionId(5)].into());
        assert_eq!(gone, [VersionId(1), VersionId(3)]);
    }

    proptest! {
        #[test]
        fn nothing_named_or_protected_is_deleted(
            versions in proptest::collection::btree_set(1..30_u64, 0..20),
            mains in proptest::collection::vec((1..30_u64, proptest::option::of(1..30_u64)), 0..4),
            guarded in proptest::collection::btree_set(1..30_u64, 0..4),
            keep in 0..6_usize,
        ) {
            let versions: Vec<_> = versions.into_iter().map(VersionId).collect();
            let aliases: Vec<_> = mains.iter().map(|(m, e)| alias(*m, *e)).collect();
            let protected: BTreeSet<_> = guarded.into_iter().map(VersionId).collect();
            let gone = victims(&versions, &aliases, keep, &protected);
            prop_assert!(versions.len() - gone.len() >= keep.min(versions.len()));
            for version in gone {
                prop_assert!(!protected.contains(&version));
                for (m, e) in &mains {
                    prop_assert!(version.0 != *m && Some(version.0) != *e);
                }
            }
        }
    }
}

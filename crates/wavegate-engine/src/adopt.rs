//! Functions that exist and that no manifest tells of: which ones are meant, and what they are.
//!
//! What a function *is* means here what it means everywhere: the version that its alias serves. Only
//! where there is no alias, `$LATEST` stands for it.
//!
//! Invariants: nothing is written; all names that lead to nothing are told at once; what can be done
//! without and cannot be read costs that part alone. Deliberately absent: what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::join;
use futures_util::{StreamExt as _, TryStreamExt as _};
use wavegate_core::doctor::Mapping;
use wavegate_core::inventory::AliasState;
use wavegate_core::name::{AliasName, AppName, FunctionName, VersionId};
use wavegate_core::release::Priority;
use wavegate_core::token::LockRecord;

use crate::caller::{Quota, Retry};
use crate::observe::LOOKS_AT_ONCE;
use crate::ports::{CloudError, Existing, FetchedCode, Surroundings, WholeFunction};
use crate::{Engine, EngineError};

/// The alias that is looked for unless somebody names one: the manifest's default.
const ALIAS: &str = "live";

/// Which functions are meant: all that any part of it means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// These.
    pub names: BTreeSet<FunctionName>,
    /// Those whose names begin so.
    pub prefixes: BTreeSet<String>,
    /// Those that carry such a tag.
    pub tags: BTreeSet<Tag>,
}

/// A tag that a function may carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value; `None`: any.
    pub value: Option<String>,
}

impl Tag {
    fn is_on(&self, tags: &BTreeMap<String, String>) -> bool {
        let found = tags.get(&self.key);
        found.is_some_and(|found| self.value.as_ref().is_none_or(|value| value == found))
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Adoption {
    /// The alias that the functions are described by.
    pub alias: AliasName,
    /// Whether it is another one than the usual one, because no function has that.
    pub is_found: bool,
    /// The app that released them before, by its lock: under another name it would be another app's.
    pub app: Option<AppName>,
    /// The functions by name.
    pub functions: BTreeMap<FunctionName, Adopted>,
    /// Why the event source mappings, of all functions, could not be read.
    pub mappings_unseen: Option<CloudError>,
}

/// One function.
#[derive(Debug, Clone, PartialEq)]
pub struct Adopted {
    /// The alias, if it has that.
    pub alias: Option<AliasState>,
    /// The version that is described; `None`: `$LATEST`.
    pub version: Option<VersionId>,
    /// What that version is.
    pub whole: WholeFunction,
    /// The event sources that call the function, or a qualifier of it.
    pub mappings: Vec<Mapping>,
    /// Whether the function itself has a URL, or why that could not be read.
    pub has_url: Result<bool, CloudError>,
}

/// Why functions cannot be adopted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdoptError {
    /// A call failed, after everything that could be tried.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// These parts of the selection mean no function.
    #[error("a part of the selection means no function")]
    Nothing {
        /// Names, prefixes and tags, each as its part of the selection.
        missing: Selection,
    },
}

/// The ways to look.
#[derive(Clone, Copy)]
pub struct Eyes<'a> {
    /// At functions.
    pub existing: &'a dyn Existing,
    /// At what stands around them.
    pub around: &'a dyn Surroundings,
}

impl Engine {
    /// Finds the functions of a selection and looks at each: three reads per function, in parallel,
    /// inside the budget, and one list for all. A prefix or a tag lists the account's functions, and a
    /// tag reads each of them once.
    ///
    /// Without `alias` it is `live`; if no function has that, the one that most of them have.
    ///
    /// # Errors
    /// [`AdoptError`].
    pub async fn adopt(
        &self,
        selection: &Selection,
        alias: Option<&AliasName>,
        eyes: Eyes<'_>,
    ) -> Result<Adoption, AdoptError> {
        let (names, mut missing) = self.select(selection, eyes.existing).await?;
        let aliases = self.aliases_of(names).await?;
        for (name, found) in &aliases {
            if found.is_none() {
                missing.names.insert(name.clone());
            }
        }
        // A function that a prefix or a tag found and that is gone meanwhile is missing as well.
        if missing != Selection::default() {
            return Err(AdoptError::Nothing { missing });
        }
        let aliases: BTreeMap<_, _> =
            aliases.into_iter().map(|(name, found)| (name, found.unwrap_or_default())).collect();
        let (alias, is_found) = choose(alias, aliases.values().flatten())?;
        let app = released_by(&alias, aliases.values().flatten());
        let looks = aliases.into_iter().map(|(name, aliases)| {
            let live = aliases.into_iter().find(|known| known.name == alias.as_str());
            self.adopted(name, live, eyes)
        });
        let looks = futures_util::stream::iter(looks)
            .buffer_unordered(LOOKS_AT_ONCE)
            .try_collect::<Vec<_>>();
        let read = || eyes.around.mappings();
        let mappings = self.caller.call(
            Quota::Control,
            "ListEventSourceMappings",
            Priority::Poll,
            Retry::Few,
            read,
        );
        let (seen, mappings) = join(looks, mappings).await;
        let (mut mappings, mappings_unseen) = match mappings {
            Ok(mappings) => (mappings, None),
            Err(error) => (BTreeMap::new(), Some(error)),
        };
        let mut functions = BTreeMap::new();
        for (name, adopted) in seen? {
            let Some(mut adopted) = adopted else {
                missing.names.insert(name);
                continue;
            };
            adopted.mappings = mappings.remove(name.as_str()).unwrap_or_default();
            functions.insert(name, adopted);
        }
        if missing != Selection::default() {
            return Err(AdoptError::Nothing { missing });
        }
        Ok(Adoption { alias, is_found, app, functions, mappings_unseen })
    }

    /// Fetches the code of a function's version, or of `$LATEST`, to `to`. `Ok(None)`: it is gone.
    ///
    /// # Errors
    /// [`EngineError::Cloud`], after a few tries.
    pub async fn fetch_code(
        &self,
        function: &FunctionName,
        version: Option<VersionId>,
        existing: &dyn Existing,
        to: &Path,
    ) -> Result<Option<FetchedCode>, EngineError> {
        let fetch = || existing.fetch_code(function, version, to);
        self.caller
            .call(Quota::Get, "GetFunction", Priority::Poll, Retry::Few, fetch)
            .await
            .map_err(failed(format!("could not fetch the code of function `{function}`")))
    }

    /// The functions that are meant, of which those that were named need not be there; and the
    /// prefixes and tags that mean none.
    async fn select(
        &self,
        selection: &Selection,
        existing: &dyn Existing,
    ) -> Result<(BTreeSet<FunctionName>, Selection), EngineError> {
        let mut names = selection.names.clone();
        let mut missing = Selection::default();
        if selection.prefixes.is_empty() && selection.tags.is_empty() {
            return Ok((names, missing));
        }
        let cloud = &self.world.cloud;
        let list = || cloud.list_functions();
        let all = self
            .caller
            .call(Quota::Control, "ListFunctions", Priority::Poll, Retry::Safe, list)
            .await
            .map_err(failed("could not list the functions".to_owned()))?;
        for prefix in &selection.prefixes {
            let found: Vec<_> =
                all.iter().filter(|name| name.as_str().starts_with(prefix)).cloned().collect();
            if found.is_empty() {
                missing.prefixes.insert(prefix.clone());
            }
            names.extend(found);
        }
        if selection.tags.is_empty() {
            return Ok((names, missing));
        }
        let tags = self.tags_of(all, existing).await?;
        for tag in &selection.tags {
            let found: Vec<_> =
                tags.iter().filter(|(_, tags)| tag.is_on(tags)).map(|(name, _)| name).collect();
            if found.is_empty() {
                missing.tags.insert(tag.clone());
            }
            names.extend(found.into_iter().cloned());
        }
        Ok((names, missing))
    }

    async fn tags_of(
        &self,
        functions: Vec<FunctionName>,
        existing: &dyn Existing,
    ) -> Result<Vec<(FunctionName, BTreeMap<String, String>)>, EngineError> {
        let looks = functions.into_iter().map(|name| async move {
            let whole = self.whole(&name, None, existing).await?;
            let tags = match whole {
                Some(whole) => whole
                    .tags
                    .map_err(failed(format!("could not read the tags of function `{name}`")))?,
                None => BTreeMap::new(),
            };
            Ok::<_, EngineError>((name, tags))
        });
        futures_util::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).try_collect().await
    }

    /// The aliases of each function; `None`: it is not there.
    async fn aliases_of(
        &self,
        names: BTreeSet<FunctionName>,
    ) -> Result<Vec<(FunctionName, Option<Vec<AliasState>>)>, EngineError> {
        let cloud = &self.world.cloud;
        let looks = names.into_iter().map(|name| async move {
            let read = || cloud.list_aliases(&name);
            let found = self
                .caller
                .call(Quota::Control, "ListAliases", Priority::Poll, Retry::Safe, read)
                .await
                .map_err(failed(format!("could not look at function `{name}`")))?;
            Ok::<_, EngineError>((name, found))
        });
        futures_util::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).try_collect().await
    }

    async fn adopted(
        &self,
        name: FunctionName,
        alias: Option<AliasState>,
        eyes: Eyes<'_>,
    ) -> Result<(FunctionName, Option<Adopted>), EngineError> {
        let version = alias.as_ref().and_then(AliasState::main);
        let read = || eyes.around.url(&name);
        let url = self.caller.call(
            Quota::Control,
            "GetFunctionUrlConfig",
            Priority::Poll,
            Retry::Few,
            read,
        );
        let (whole, url) = join(self.whole(&name, version, eyes.existing), url).await;
        let adopted = whole?.map(|whole| Adopted {
            alias,
            version,
            whole,
            mappings: Vec::new(),
            has_url: url.map(|url| url.is_some()),
        });
        Ok((name, adopted))
    }

    async fn whole(
        &self,
        name: &FunctionName,
        version: Option<VersionId>,
        existing: &dyn Existing,
    ) -> Result<Option<WholeFunction>, EngineError> {
        let read = || existing.whole_function(name, version);
        self.caller
            .call(Quota::Get, "GetFunction", Priority::Poll, Retry::Safe, read)
            .await
            .map_err(failed(format!("could not look at function `{name}`")))
    }
}

fn failed(what: String) -> impl FnOnce(CloudError) -> EngineError {
    move |source| EngineError::Cloud { what, source: Box::new(source) }
}

/// The alias of the app, and whether it had to be found. Aliases that wavegate makes beside it are
/// nobody's choice.
fn choose<'a>(
    wanted: Option<&AliasName>,
    aliases: impl Iterator<Item = &'a AliasState>,
) -> Result<(AliasName, bool), EngineError> {
    if let Some(wanted) = wanted {
        return Ok((wanted.clone(), false));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for alias in aliases.filter(|alias| AliasName::new(alias.name.as_str()).is_ok()) {
        *counts.entry(alias.name.as_str()).or_default() += 1;
    }
    // The first by name of the most frequent ones.
    let most = counts.iter().rev().max_by_key(|(_, count)| **count).map(|(name, _)| *name);
    let (name, is_found) = match most {
        Some(most) if !counts.contains_key(ALIAS) => (most, true),
        _ => (ALIAS, false),
    };
    let name = AliasName::new(name).map_err(|error| EngineError::Bug(error.to_string()))?;
    Ok((name, is_found))
}

/// The app whose lock is on one of the functions; `None` if there is none, or more than one.
fn released_by<'a>(
    alias: &AliasName,
    aliases: impl Iterator<Item = &'a AliasState>,
) -> Option<AppName> {
    let lock = alias.lock();
    let locks = aliases.filter(|known| known.name == lock.as_str());
    let apps: BTreeSet<AppName> =
        locks.filter_map(|lock| Some(LockRecord::decode(&lock.description)?.app)).collect();
    let mut apps = apps.into_iter();
    apps.next().filter(|_| apps.next().is_none())
}

#[cfg(test)]
mod tests {
    use wavegate_core::name::{Nonce, ReleaseId};
    use wavegate_core::spec::{OnFailure, RollbackScope};
    use wavegate_core::token::LockPhase;

    use super::*;

    fn alias(name: &str) -> AliasState {
        AliasState {
            name: name.to_owned(),
            version: "1".to_owned(),
            extra: None,
            description: String::new(),
            revision: "r".to_owned(),
        }
    }

    fn chosen(wanted: Option<&str>, aliases: &[&str]) -> (String, bool) {
        let wanted = wanted.map(|name| AliasName::new(name).unwrap());
        let aliases: Vec<AliasState> = aliases.iter().map(|name| alias(name)).collect();
        let (name, is_found) = choose(wanted.as_ref(), aliases.iter()).unwrap();
        (name.to_string(), is_found)
    }

    #[test]
    fn another_alias_is_taken_only_where_nobody_has_the_usual_one() {
        for (wanted, aliases, expected) in [
            (None, &[][..], ("live", false)),
            (None, &["prod", "live", "prod"], ("live", false)),
            (None, &["beta", "prod", "prod"], ("prod", true)),
            (None, &["prod", "beta"], ("beta", true)),
            (None, &["wavegate-prod", "wavegate-prod-prev"], ("live", false)),
            (Some("blue"), &["prod", "prod"], ("blue", false)),
        ] {
            let (name, is_found) = chosen(wanted, aliases);
            assert_eq!((name.as_str(), is_found), expected, "{wanted:?} {aliases:?}");
        }
    }

    #[test]
    fn a_tag_without_a_value_takes_any() {
        let tags = BTreeMap::from([("app".to_owned(), "shop".to_owned())]);
        let tag = |value: Option<&str>| Tag { key: "app".to_owned(), value: value.map(Into::into) };
        assert!(tag(None).is_on(&tags) && tag(Some("shop")).is_on(&tags));
        assert!(!tag(Some("other")).is_on(&tags));
        assert!(!Tag { key: "team".to_owned(), value: None }.is_on(&tags));
    }

    #[test]
    fn an_app_keeps_the_name_under_which_it_was_released() {
        let lock = |app: &str| {
            let record = LockRecord {
                app: AppName::new(app).unwrap(),
                release: ReleaseId(1),
                number: 1,
                epoch: 1,
                phase: LockPhase::Done,
                owner: "ana@laptop".to_owned(),
                heartbeat: 1,
                claimed: 0,
                functions: 0,
                on_failure: OnFailure::Rollback,
                scope: RollbackScope::App,
                is_paused: false,
                is_switch: false,
                request: None,
                answered: None,
                plan: 1,
                nonce: Nonce(1),
            };
            AliasState { description: record.encode(), ..alias("wavegate-live") }
        };
        let live = AliasName::new("live").unwrap();
        let by =
            |aliases: &[AliasState]| released_by(&live, aliases.iter()).map(|app| app.to_string());
        assert_eq!(by(&[alias("live"), lock("shop")]).as_deref(), Some("shop"));
        assert_eq!(by(&[lock("shop"), lock("other")]), None);
        assert_eq!(by(&[alias("live")]), None);
    }
}

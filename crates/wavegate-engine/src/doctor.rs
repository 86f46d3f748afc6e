//! A doctor's hands: looks at everything that `wavegate_core::doctor` judges, and performs what it
//! found to be right.
//!
//! Invariants: a part that cannot be read costs that part alone, and is told; a heal is written
//! under the revision id of the very state that was judged, and counts only once it was read back.
//! Deliberately absent: any judgement.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join;
use futures_util::{StreamExt as _, TryStreamExt as _};
use wavegate_core::doctor::{Exam, Heal, Lock, Owner, Patient, Unseen, VersionState, Write};
use wavegate_core::inventory::{AliasState, ExtraVersion, Inventory, Latest, ObservedFunction};
use wavegate_core::name::{FunctionName, VersionId};
use wavegate_core::plan::find_lock;
use wavegate_core::release::{Priority, limits};
use wavegate_core::spec::{AppSpec, FunctionSpec};
use wavegate_core::token::LockRecord;
use wavegate_core::weight::Weight;

use crate::caller::{Quota, Retry};
use crate::observe::{LOOKS_AT_ONCE, failed, served};
use crate::ports::{AliasUpdate, CloudError, FaultKind, FunctionView, NewAlias, Surroundings};
use crate::{Engine, EngineError};

/// How often a lock is looked at while its owner is listened for: several times per heartbeat.
const LISTEN_EVERY: Duration = Duration::from_secs(10);

/// How often a heal is sent or looked for before it counts as not proven. With the pauses between
/// them this is longer than any read was seen to be stale.
const HEAL_TRIES: u32 = 8;

/// The first pause between two of those; it doubles up to the longest.
const HEAL_PAUSE: Duration = Duration::from_millis(500);
const HEAL_PAUSE_MAX: Duration = Duration::from_secs(8);

/// Why something was not healed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HealError {
    /// Somebody else was faster; nothing was overwritten.
    #[error("somebody changed it meanwhile{}: nothing was overwritten", now(seen.as_deref()))]
    Changed {
        /// What is there now; `None`: the alias is gone.
        seen: Option<Box<AliasState>>,
    },
    /// The service refuses.
    #[error("it is refused")]
    Refused(#[source] Box<CloudError>),
    /// It may have been written, and no read has shown it.
    #[error("it was sent, and no look has shown it yet")]
    NotProven,
}

fn now(seen: Option<&AliasState>) -> String {
    match seen {
        None => " (the alias is gone)".to_owned(),
        Some(alias) => match alias.extra {
            Some(extra) => format!(
                " (now version {}, and {} on version {})",
                alias.version, extra.weight, extra.version
            ),
            None => format!(" (now version {})", alias.version),
        },
    }
}

impl Engine {
    /// Looks at all that a doctor judges: per function eight reads at most, and one list for all,
    /// in parallel, inside the budget.
    ///
    /// # Errors
    /// [`EngineError::Cloud`] if aliases or functions cannot be read. Everything else that cannot
    /// is in [`Exam::unseen`].
    pub async fn examine(
        &self,
        spec: &AppSpec,
        around: &dyn Surroundings,
    ) -> Result<(Inventory, Exam), EngineError> {
        let taken_at_ms = self.world.clock.now_ms();
        let looks = spec.functions.values().map(|function| self.look_at(spec, function, around));
        let looks = futures_util::stream::iter(looks)
            .buffer_unordered(LOOKS_AT_ONCE)
            .try_collect::<Vec<_>>();
        let mut unseen = Vec::new();
        let mappings =
            self.part(None, "the event source mappings", "ListEventSourceMappings", || {
                around.mappings()
            });
        let (seen, mappings) = join(looks, mappings).await;
        let mappings = told(mappings, &mut unseen);
        let mut inventory = Inventory { taken_at_ms, ..Inventory::default() };
        let mut functions = BTreeMap::new();
        for look in seen?.into_iter().flatten() {
            let Look { function, observed, mut patient, unseen: parts } = look;
            let name = function.lambda_name.as_str();
            patient.mappings =
                mappings.as_ref().map(|all| all.get(name).cloned().unwrap_or_default());
            unseen.extend(parts);
            inventory.functions.insert(function.name.clone(), observed);
            functions.insert(function.name.clone(), patient);
        }
        let lock =
            find_lock(spec, &inventory).map(|(_, _, record)| Lock { record, owner: Owner::Silent });
        unseen.sort_by(|a, b| (&a.function, a.what).cmp(&(&b.function, b.what)));
        Ok((inventory, Exam { functions, lock, unseen }))
    }

    /// Listens for the owner of a release that has not ended, for a lease at most: a heartbeat is
    /// any write of its own on the lock.
    ///
    /// # Errors
    /// [`EngineError::Cloud`] if the lock cannot be read.
    pub async fn listen_for_owner(
        &self,
        spec: &AppSpec,
        inventory: &Inventory,
    ) -> Result<Owner, EngineError> {
        let Some((anchor, _, known)) = find_lock(spec, inventory) else { return Ok(Owner::Silent) };
        let Some(function) = spec.functions.get(&anchor) else { return Ok(Owner::Silent) };
        let (clock, alias) = (&self.world.clock, spec.alias.lock());
        let until = inventory.taken_at_ms.saturating_add(millis(limits::LEASE));
        loop {
            let cloud = &self.world.cloud;
            let read = || cloud.get_alias(&function.lambda_name, &alias);
            let seen = self
                .caller
                .call(Quota::Control, "GetAlias", Priority::Poll, Retry::Safe, read)
                .await
                .map_err(|source| failed(function, source))?;
            // A request of somebody else's changes the lock too, and keeps the owner's nonce.
            let record = seen.and_then(|seen| LockRecord::decode(&seen.description));
            if record.is_none_or(|record| record.nonce != known.nonce) {
                return Ok(Owner::Alive);
            }
            if clock.now_ms() >= until {
                return Ok(Owner::Silent);
            }
            clock.sleep_until(clock.now_ms().saturating_add(millis(LISTEN_EVERY)).min(until)).await;
        }
    }

    /// Performs one heal and reads it back.
    ///
    /// # Errors
    /// [`HealError`]; what was seen to be somebody else's change is never overwritten.
    pub async fn heal(&self, heal: &Heal) -> Result<AliasState, HealError> {
        let mut pause = HEAL_PAUSE;
        let mut is_written = false;
        for _ in 0..HEAL_TRIES {
            let mut missing = None;
            if !is_written {
                match self.write(heal).await {
                    Ok(()) => is_written = true,
                    // The alias, or the version that it is to name.
                    Err(error) if error.kind == FaultKind::NotFound => missing = Some(error),
                    // What a read shows decides; until then it is sent again, which the revision
                    // id makes safe.
                    Err(error) if is_passing(&error) || is_lost_race(&error) => {}
                    Err(error) => return Err(HealError::Refused(Box::new(error))),
                }
            }
            let seen = self.read(heal).await?;
            if seen.as_ref().is_some_and(|seen| is_healed(heal, seen)) {
                return seen.ok_or(HealError::NotProven);
            }
            if !is_as_judged(heal, seen.as_ref()) {
                return Err(HealError::Changed { seen: seen.map(Box::new) });
            }
            if let Some(error) = missing {
                return Err(HealError::Refused(Box::new(error)));
            }
            let clock = &self.world.clock;
            let wait = millis(pause.mul_f64(clock.scale()));
            clock.sleep_until(clock.now_ms().saturating_add(wait)).await;
            pause = (pause * 2).min(HEAL_PAUSE_MAX);
        }
        Err(HealError::NotProven)
    }

    async fn write(&self, heal: &Heal) -> Result<(), CloudError> {
        let cloud = &self.world.cloud;
        let (function, alias) = (&heal.lambda_name, &heal.alias);
        match &heal.write {
            Write::Update { base, version, description } => {
                let update = AliasUpdate {
                    base: base.revision.clone(),
                    routing: version.map(|version| (version, None)),
                    description: description.clone(),
                };
                let send = || cloud.update_alias(function, alias, &update);
                self.once("UpdateAlias", send).await.map(drop)
            }
            Write::Create { version, description } => {
                let new = NewAlias {
                    name: alias.clone(),
                    version: Some(*version),
                    description: description.clone(),
                };
                self.once("CreateAlias", || cloud.create_alias(function, &new)).await.map(drop)
            }
        }
    }

    async fn once<T, Fut>(
        &self,
        operation: &'static str,
        send: impl Fn() -> Fut + Send,
    ) -> Result<T, CloudError>
    where
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        self.caller.call(Quota::Control, operation, Priority::Back, Retry::Once, send).await
    }

    async fn read(&self, heal: &Heal) -> Result<Option<AliasState>, HealError> {
        let cloud = &self.world.cloud;
        let read = || cloud.get_alias(&heal.lambda_name, &heal.alias);
        self.caller
            .call(Quota::Control, "GetAlias", Priority::Back, Retry::Safe, read)
            .await
            .map_err(|error| HealError::Refused(Box::new(error)))
    }

    async fn look_at<'a>(
        &self,
        spec: &AppSpec,
        function: &'a FunctionSpec,
        around: &dyn Surroundings,
    ) -> Result<Option<Look<'a>>, EngineError> {
        let name = &function.lambda_name;
        let cloud = &self.world.cloud;
        let aliases = self
            .caller
            .call(Quota::Control, "ListAliases", Priority::Poll, Retry::Safe, || {
                cloud.list_aliases(name)
            })
            .await
            .map_err(|source| failed(function, source))?;
        let Some(aliases) = aliases else { return Ok(None) };
        let live = aliases.iter().find(|alias| alias.name == spec.alias.as_str());
        let main = live.and_then(AliasState::main);
        let extra = live.and_then(|live| live.extra).map(|extra| extra.version);
        let mut view = self.function(function, main).await?;
        let mut states = BTreeMap::new();
        states.extend(main.zip(view.as_ref().map(state)));
        if view.is_none() && main.is_some() {
            // The version is gone; the function may still be there.
            view = self.function(function, None).await?;
        }
        let Some(view) = view else { return Ok(None) };
        if let Some(version) = extra {
            let seen = self.function(function, Some(version)).await?;
            states.extend(seen.as_ref().map(|seen| (version, state(seen))));
        }
        let (arn, served) = served(view, main);
        let mut look = Look {
            function,
            patient: Patient { aliases: aliases.clone(), states, ..Patient::default() },
            observed: ObservedFunction { arn, aliases, served, latest: Latest::Unasked },
            unseen: Vec::new(),
        };
        self.look_around(spec, &mut look, around).await;
        Ok(Some(look))
    }

    async fn look_around(&self, spec: &AppSpec, look: &mut Look<'_>, around: &dyn Surroundings) {
        let name = &look.function.lambda_name;
        let whose = Some(&look.function.name);
        let (versions, url) = join(
            self.part(whose, "its published versions", "ListVersionsByFunction", || {
                around.published(name)
            }),
            self.part(whose, "its function URL", "GetFunctionUrlConfig", || around.url(name)),
        )
        .await;
        let (policy, provisioned) = join(
            self.part(whose, "its resource policy", "GetPolicy", || around.policy(name, None)),
            self.part(
                whose,
                "its provisioned concurrency",
                "ListProvisionedConcurrencyConfigs",
                || around.provisioned(name),
            ),
        )
        .await;
        let unseen = &mut look.unseen;
        look.patient.versions = told(versions, unseen);
        look.patient.url = told(url, unseen);
        look.patient.policy = told(policy, unseen);
        look.patient.provisioned = told(provisioned, unseen);
        let has_live = look.patient.aliases.iter().any(|alias| alias.name == spec.alias.as_str());
        let has_policy = look.patient.policy.as_ref().is_some_and(|policy| !policy.is_empty());
        if has_live && has_policy {
            let read = || around.policy(name, Some(&spec.alias));
            let policy =
                self.part(whose, "the resource policy of its alias", "GetPolicy", read).await;
            look.patient.alias_policy = told(policy, unseen);
        }
    }

    async fn function(
        &self,
        function: &FunctionSpec,
        version: Option<VersionId>,
    ) -> Result<Option<FunctionView>, EngineError> {
        let cloud = &self.world.cloud;
        let read = || cloud.get_function(&function.lambda_name, version);
        self.caller
            .call(Quota::Get, "GetFunction", Priority::Poll, Retry::Safe, read)
            .await
            .map_err(|source| failed(function, source))
    }

    /// Reads a part that can be done without.
    async fn part<T, Fut>(
        &self,
        function: Option<&FunctionName>,
        what: &'static str,
        operation: &'static str,
        read: impl Fn() -> Fut + Send,
    ) -> Result<T, Unseen>
    where
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        self.caller
            .call(Quota::Control, operation, Priority::Poll, Retry::Few, read)
            .await
            .map_err(|error| Unseen { function: function.cloned(), what, why: error.to_string() })
    }
}

/// What one function showed.
struct Look<'a> {
    function: &'a FunctionSpec,
    observed: ObservedFunction,
    patient: Patient,
    unseen: Vec<Unseen>,
}

fn told<T>(part: Result<T, Unseen>, unseen: &mut Vec<Unseen>) -> Option<T> {
    part.map_err(|part| unseen.push(part)).ok()
}

fn state(view: &FunctionView) -> VersionState {
    VersionState { state: view.state.clone(), reason: view.state_reason.clone() }
}

/// Whether an alias is as the heal wants it.
fn is_healed(heal: &Heal, seen: &AliasState) -> bool {
    match &heal.write {
        Write::Update { base, version, description } => {
            let is_routed = match version {
                Some(version) => {
                    let is_whole = seen.extra.is_none_or(|extra| is_detour(base, extra));
                    seen.main() == Some(*version) && is_whole
                }
                None => (&seen.version, &seen.extra) == (&base.version, &base.extra),
            };
            is_routed && seen.description == *description
        }
        Write::Create { version, description } => {
            seen.main() == Some(*version)
                && seen.extra.is_none()
                && seen.description == *description
        }
    }
}

/// After a change of version AWS itself still routes everything to the one that was left, until
/// provisioned concurrency is ready.
fn is_detour(base: &AliasState, extra: ExtraVersion) -> bool {
    extra.weight == Weight::FULL && base.main() == Some(extra.version)
}

/// Whether an alias still is what was judged: the write has not landed, or the read is old.
fn is_as_judged(heal: &Heal, seen: Option<&AliasState>) -> bool {
    match (&heal.write, seen) {
        (Write::Update { base, .. }, Some(seen)) => {
            seen.revision == base.revision && seen.same_content(base)
        }
        (Write::Create { .. }, seen) => seen.is_none(),
        (Write::Update { .. }, None) => false,
    }
}

fn is_passing(error: &CloudError) -> bool {
    matches!(
        error.kind,
        FaultKind::Throttled
            | FaultKind::Unknown
            | FaultKind::Unreachable
            | FaultKind::UpdateInProgress
    )
}

fn is_lost_race(error: &CloudError) -> bool {
    matches!(error.kind, FaultKind::Precondition | FaultKind::AlreadyExists)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

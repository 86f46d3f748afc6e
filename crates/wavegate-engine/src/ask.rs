//! Asking: a request is written into the lock of a release that runs somewhere, and its answer
//! awaited.
//!
//! The request goes onto the owner's record under the lock's revision id, so that it can neither
//! take the place of what the owner wrote meanwhile nor be lost in it. Whether it landed, where no
//! answer told, is judged by looking for its id.

use std::time::Duration;

use wavegate_core::control::{self, Fate, Refusal, Request};
use wavegate_core::inventory::AliasState;
use wavegate_core::name::{AliasName, FunctionName};
use wavegate_core::release::{Priority, limits};
use wavegate_core::time::millis;
use wavegate_core::token::LockRecord;

use crate::Engine;
use crate::caller::{Quota, Retry};
use crate::ports::{AliasUpdate, CloudError, FaultKind};

/// How often the lock is looked at for an answer, on the release's clock: an owner that was nudged
/// answers within a call's time, any other with its next pulse.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The same on this machine's own clock, so that a sped-up clock does not make it a flood.
const LOOK_EVERY_WALL: Duration = Duration::from_millis(100);

/// How often a request is written anew because somebody wrote first. The owner writes every thirty
/// seconds, and others ask once: more than this is a fault.
const TRIES_MAX: u32 = 10;

/// Which alias of which function is a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockAt {
    /// The function's name in Lambda.
    pub function: FunctionName,
    /// The lock alias.
    pub alias: AliasName,
}

/// Why nothing could be asked, or no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It makes no sense to ask.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no lock, or it holds no record.
    #[error("there is no lock: nothing was ever deployed")]
    NoLock,
    /// The owner has written nothing for a lease.
    #[error(
        "{owner}, who runs release r{number}, has been silent for {}",
        wavegate_core::time::human(limits::LEASE)
    )]
    Silent {
        /// Who runs it, or ran it.
        owner: String,
        /// The release.
        number: u64,
    },
    /// A call failed.
    #[error("the lock could not be reached")]
    Cloud(#[source] Box<CloudError>),
}

impl From<CloudError> for AskError {
    fn from(error: CloudError) -> Self {
        Self::Cloud(Box::new(error))
    }
}

pub(crate) async fn ask(
    engine: &Engine,
    at: &LockAt,
    request: Request,
    told: impl FnOnce(&LockRecord) + Send,
) -> Result<Fate, AskError> {
    let id = request.id;
    let asked = write(engine, at, request).await?;
    told(&asked);
    follow(engine, at, |now| match control::fate(&asked, now, id) {
        Fate::Waits => None,
        fate => Some(fate),
    })
    .await
}

pub(crate) async fn await_end(
    engine: &Engine,
    at: &LockAt,
    asked: &LockRecord,
) -> Result<LockRecord, AskError> {
    follow(engine, at, |now| {
        let is_over = now.phase.is_over() || now.phase.is_ownerless();
        (is_over || now.release != asked.release).then(|| now.clone())
    })
    .await
}

/// Writes the request into the lock; answers with the record that it stands in.
async fn write(engine: &Engine, at: &LockAt, request: Request) -> Result<LockRecord, AskError> {
    let mut tries = 0;
    loop {
        let (state, record) = read(engine, at).await?;
        // An answer that was lost: it stands there, or was taken up already.
        let stands = record.request.as_ref().is_some_and(|r| r.id == request.id);
        if stands || record.answered.is_some_and(|answered| answered.id == request.id) {
            return Ok(record);
        }
        let wanted = control::ask(&record, request.clone())?;
        let update =
            AliasUpdate { base: state.revision, routing: None, description: wanted.encode() };
        let cloud = &engine.world.cloud;
        let written = engine
            .caller
            .call(Quota::Control, "UpdateAlias", Priority::Back, Retry::Once, || {
                cloud.update_alias(&at.function, &at.alias, &update)
            })
            .await;
        let Err(error) = written else { return Ok(wanted) };
        tries += 1;
        let is_passing = matches!(
            error.kind,
            FaultKind::Precondition | FaultKind::Throttled | FaultKind::Unknown
        );
        if !is_passing || tries >= TRIES_MAX {
            return Err(error.into());
        }
        rest(engine).await;
    }
}

/// Looks at the lock again and again until `found` finds what it looks for, or the owner has written
/// nothing for a lease.
async fn follow<T>(
    engine: &Engine,
    at: &LockAt,
    found: impl Fn(&LockRecord) -> Option<T>,
) -> Result<T, AskError> {
    let clock = &engine.world.clock;
    let mut seen = (String::new(), clock.now_ms());
    loop {
        rest(engine).await;
        let (state, record) = read(engine, at).await?;
        if let Some(found) = found(&record) {
            return Ok(found);
        }
        if state.revision != seen.0 {
            seen = (state.revision, clock.now_ms());
        }
        if clock.now_ms().saturating_sub(seen.1) > millis(limits::LEASE) {
            return Err(AskError::Silent { owner: record.owner, number: record.number });
        }
    }
}

async fn read(engine: &Engine, at: &LockAt) -> Result<(AliasState, LockRecord), AskError> {
    let cloud = &engine.world.cloud;
    let state = engine
        .caller
        .call(Quota::Control, "GetAlias", Priority::Back, Retry::Safe, || {
            cloud.get_alias(&at.function, &at.alias)
        })
        .await?;
    let state = state.ok_or(AskError::NoLock)?;
    let record = LockRecord::decode(&state.description).ok_or(AskError::NoLock)?;
    Ok((state, record))
}

async fn rest(engine: &Engine) {
    let clock = &engine.world.clock;
    let wall = LOOK_EVERY_WALL.mul_f64(clock.scale());
    clock.sleep_until(clock.now_ms().saturating_add(millis(LOOK_EVERY.max(wall)))).await;
}

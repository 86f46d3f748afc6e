//! A release that is recorded on this machine: every event, replayed and then as it is written.

use std::time::Duration;

use wavegate_core::name::FunctionName;
use wavegate_core::release::limits::LEASE;
use wavegate_core::token::LockRecord;
use wavegate_engine::event::{Event, Record};
use wavegate_report::records::{Records, RecordsError};
use wavegate_report::{State, summary};

use super::{End, Watch, history};
use crate::console;
use crate::error::CliError;
use crate::reporting::Face;

/// How often the records are looked at, in wall time: a person sees no delay, and a look is one
/// small query.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often the lock is read, on the release's clock: to notice that its owner is gone.
const LOCK_EVERY_MS: u64 = 15_000;

/// Looks at the lock that say what the records do not, before the records are given up: the last
/// events may be on their way.
const PATIENCE: u32 = 2;

impl Watch<'_> {
    /// Follows a release by its records. `None`: it is not recorded here, or not to its end.
    pub(super) async fn follow(
        &self,
        anchor: &FunctionName,
        lock: &LockRecord,
    ) -> Result<Option<End>, CliError> {
        // What is wrong with records stops nobody from asking the cloud.
        let records = match history::open(self.manifest) {
            Ok(records) => records,
            Err(error) => {
                self.console.warning(&error);
                None
            }
        };
        let id = lock.release.to_string();
        let is_running = |records: &Records| {
            records.release(&id).is_ok_and(|r| r.is_some_and(|r| r.outcome.is_none()))
        };
        let Some(records) = records.filter(is_running) else { return Ok(None) };
        let follow = Follow {
            watch: self,
            records,
            id,
            face: Face::new(self.console, self.stage.clock.scale()),
            state: State::default(),
            last: None,
            place: 0,
            owner: Owner { heartbeat: lock.heartbeat, epoch: lock.epoch, ..Owner::default() },
        };
        follow.run(anchor).await
    }
}

struct Follow<'a> {
    watch: &'a Watch<'a>,
    records: Records,
    id: String,
    face: Face,
    state: State,
    last: Option<Record>,
    place: u64,
    owner: Owner,
}

/// What the lock says of who runs the release.
#[derive(Debug, Default)]
struct Owner {
    heartbeat: u64,
    epoch: u64,
    /// Since when it has said the same.
    since_ms: u64,
    is_silent: bool,
    /// How often it said that the records are behind.
    doubts: u32,
}

impl Follow<'_> {
    async fn run(mut self, anchor: &FunctionName) -> Result<Option<End>, CliError> {
        let clock = &self.watch.stage.clock;
        let mut beat = tokio::time::interval(LOOK_EVERY);
        let mut locked_ms = clock.now_ms();
        self.owner.since_ms = locked_ms;
        loop {
            beat.tick().await;
            if let Some(end) = self.look().unwrap_or_else(|error| {
                self.watch.console.warning(&crate::journal::problem(&error));
                self.owner.doubts = PATIENCE;
                None
            }) {
                self.face.finish();
                if !self.watch.console.is_json() {
                    console::data(&summary(&self.state))?;
                }
                return Ok(Some(end));
            }
            let now_ms = clock.now_ms();
            self.face.tick(now_ms);
            if self.owner.doubts < PATIENCE && now_ms.saturating_sub(locked_ms) >= LOCK_EVERY_MS {
                locked_ms = now_ms;
                self.ask(anchor, now_ms).await;
            }
            if self.owner.doubts >= PATIENCE {
                self.note("the records end here: watching the cloud instead");
                self.face.finish();
                return Ok(None);
            }
        }
    }

    /// Shows what was written since the last look. `Some`: the release has ended.
    fn look(&mut self) -> Result<Option<End>, RecordsError> {
        // Asked first: what was written before an end is then read for sure.
        let ended = self.records.release(&self.id)?.is_some_and(|r| r.outcome.is_some());
        for line in self.records.events(&self.id, self.place)? {
            self.place = line.place;
            // An event of a newer version says nothing to this one.
            let Ok(record) = line.record() else { continue };
            self.state.apply(&record);
            self.face.event(&record);
            self.last = Some(record);
            self.owner.doubts = 0;
        }
        let Some(Event::Finished { outcome, reason, .. }) = self.last.as_ref().map(|r| &r.event)
        else {
            return Ok(None);
        };
        // The end of an owner that was overtaken is not the release's.
        if !ended || matches!(outcome.as_str(), "fenced" | "interrupted") {
            return Ok(None);
        }
        Ok(Some(End { outcome: outcome.clone(), reason: reason.clone() }))
    }

    /// Asks the lock whether somebody still runs the release. What cannot be asked is asked again.
    async fn ask(&mut self, anchor: &FunctionName, now_ms: u64) {
        let watch = self.watch;
        let name = watch.lambda_name(anchor);
        let asked = watch.stage.cloud.get_alias(&name, &watch.manifest.app.alias.lock()).await;
        let Some(lock) = asked.ok().flatten().and_then(|a| LockRecord::decode(&a.description))
        else {
            return;
        };
        let known = self.state.lock.as_ref().map_or(0, |(_, epoch)| *epoch);
        let is_over = lock.phase.is_over() || lock.phase == super::LockPhase::Held;
        if lock.release.to_string() != self.id
            || is_over
            || lock.epoch > known.max(self.owner.epoch)
        {
            self.owner.doubts += 1;
            return;
        }
        if (lock.heartbeat, lock.epoch) != (self.owner.heartbeat, self.owner.epoch) {
            self.owner = Owner {
                heartbeat: lock.heartbeat,
                epoch: lock.epoch,
                since_ms: now_ms,
                ..Owner::default()
            };
        } else if !self.owner.is_silent
            && u128::from(now_ms.saturating_sub(self.owner.since_ms)) >= LEASE.as_millis()
        {
            self.owner.is_silent = true;
            self.note(super::poll::SILENT);
        }
    }

    /// Something of our own, between the events of the release.
    fn note(&mut self, text: &str) {
        match &self.last {
            // Programs are told events of the release only.
            Some(last) if !self.watch.console.is_json() => {
                let event = Event::Note { text: text.to_owned() };
                self.face.event(&Record { event, ..last.clone() });
            }
            _ => console::note(text),
        }
    }
}

//! A release that runs elsewhere: its lock and its aliases, a few reads every few seconds, told as
//! the events that its own machine would tell.

use std::collections::BTreeMap;

use wavegate_core::control::{Request, Verb};
use wavegate_core::inventory::AliasState;
use wavegate_core::name::{FunctionName, ReleaseId, VersionId};
use wavegate_core::release::limits::LEASE;
use wavegate_core::token::{LockPhase, LockRecord, Position, Token};
use wavegate_core::weight::Weight;
use wavegate_engine::event::{Event, FORMAT, Record};
use wavegate_engine::ports::CloudError;

use super::{End, Watch, outcome_of};
use crate::error::{CliError, ErrorKind};
use crate::fault;
use crate::reporting::Face;

/// How often the cloud is asked, on the release's clock.
const EVERY_MS: u64 = 5_000;

/// The most aliases that are read each time: the release itself needs most of Lambda's quota. Of a
/// larger app each is read in its turn.
const LOOKS_MAX: usize = 8;

/// Reads that fail one after the other before watching is given up: five minutes.
const FAILURES_MAX: u32 = 60;

/// The watched release ended and another one began between two looks.
const UNSEEN: &str = "WG659";

/// The owner may be dead.
pub(super) const SILENT: &str = "its owner has said nothing for a whole lease: if it is dead, \
                                 `wavegate recover` puts the release back";

/// What stands at the head of every event.
#[derive(Debug, Clone)]
pub(super) struct Head {
    app: String,
    number: u64,
    release: String,
    began_ms: u64,
    seq: u64,
    now_ms: u64,
}

impl Head {
    pub(super) fn new(lock: &LockRecord, now_ms: u64) -> Self {
        Self {
            app: lock.app.to_string(),
            number: lock.number,
            release: lock.release.to_string(),
            began_ms: now_ms,
            seq: 0,
            now_ms,
        }
    }

    fn record(&mut self, event: Event) -> Record {
        self.seq += 1;
        Record {
            v: FORMAT,
            seq: self.seq,
            at_ms: self.now_ms,
            elapsed_ms: self.now_ms.saturating_sub(self.began_ms),
            app: self.app.clone(),
            number: self.number,
            release: self.release.clone(),
            event,
        }
    }

    /// The last event of a release that stands as its lock says. `reason` is why it went back.
    pub(super) fn finished(
        &mut self,
        lock: &LockRecord,
        reason: Option<String>,
        aliases: BTreeMap<String, String>,
    ) -> Record {
        self.record(Event::Finished {
            outcome: outcome_of(lock).to_owned(),
            reason: reason.filter(|_| lock.phase != LockPhase::Done),
            todo: Vec::new(),
            calls: BTreeMap::new(),
            aliases,
        })
    }
}

/// The watched release, as far as the cloud tells.
pub(super) struct Poll<'a> {
    watch: &'a Watch<'a>,
    anchor: FunctionName,
    lock: LockRecord,
    head: Head,
    face: Face,
    seen: BTreeMap<FunctionName, Seen>,
    /// The function whose turn it is.
    turn: usize,
    beat_ms: u64,
    is_silent: bool,
    /// The last request that stood in the lock.
    asked: Option<Request>,
}

/// One alias as it was last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    stable: Option<VersionId>,
    candidate: VersionId,
    /// What was wanted of the candidate, and what it has.
    wanted: Weight,
    share: Weight,
    is_back: bool,
}

impl Seen {
    /// What an alias is, by the release's token in it. `None`: there is none.
    fn by_token(alias: &AliasState, release: ReleaseId) -> Option<Self> {
        let token = Token::decode(&alias.description).filter(|token| token.release == release)?;
        Some(Self {
            stable: token.stable,
            candidate: token.candidate,
            wanted: match token.position {
                Position::Forward => token.weight,
                Position::Promoted => Weight::FULL,
                Position::Back => Weight::ZERO,
                // What CodeDeploy wants is what is there.
                Position::Delegated => alias.share_of(token.candidate),
            },
            share: alias.share_of(token.candidate),
            is_back: token.position == Position::Back,
        })
    }

    /// What it is when the release has given its description back.
    fn without_token(self, alias: Option<&AliasState>) -> Self {
        let share = alias.map_or(Weight::ZERO, |alias| alias.share_of(self.candidate));
        let main = alias.and_then(AliasState::main);
        let is_alone = alias.is_none_or(|alias| alias.extra.is_none());
        Self { wanted: share, share, is_back: is_alone && main == self.stable, ..self }
    }
}

impl<'a> Poll<'a> {
    pub(super) fn new(watch: &'a Watch<'a>, anchor: FunctionName, lock: &LockRecord) -> Self {
        let now_ms = watch.stage.clock.now_ms();
        Self {
            watch,
            anchor,
            lock: lock.clone(),
            head: Head::new(lock, now_ms),
            face: Face::new(watch.console, watch.stage.clock.scale()),
            seen: BTreeMap::new(),
            turn: 0,
            beat_ms: now_ms,
            is_silent: false,
            asked: lock.request.clone(),
        }
    }

    /// Watches to the end of the release.
    pub(super) async fn run(mut self) -> Result<End, CliError> {
        self.begin();
        let clock = &self.watch.stage.clock;
        let mut failures = 0;
        loop {
            self.head.now_ms = clock.now_ms();
            match self.look().await {
                Ok(Some(end)) => {
                    self.face.finish();
                    return end;
                }
                Ok(None) => failures = 0,
                Err(error) if failures == FAILURES_MAX => {
                    self.face.finish();
                    let what = "the release cannot be watched any more";
                    return Err(fault::cloud(what, &error, &self.watch.stage.endpoint));
                }
                Err(error) => {
                    if failures == 0 {
                        self.note(format!("the cloud does not answer: {error}"));
                    }
                    failures += 1;
                }
            }
            self.face.tick(clock.now_ms());
            clock.sleep_until(clock.now_ms() + EVERY_MS).await;
        }
    }

    fn begin(&mut self) {
        self.note(format!(
            "r{} of {} is not recorded here: watching its lock and its aliases",
            self.lock.number, self.lock.owner
        ));
        let (anchor, epoch) = (self.anchor.to_string(), self.lock.epoch);
        self.tell(Event::Locked { anchor, epoch });
        if self.lock.phase == LockPhase::Aborting {
            self.aborting();
        }
    }

    /// One look. `Some`: the release has ended.
    async fn look(&mut self) -> Result<Option<Result<End, CliError>>, CloudError> {
        let watch = self.watch;
        let spec = &watch.manifest.app;
        let anchor = watch.lambda_name(&self.anchor);
        let alias = watch.stage.cloud.get_alias(&anchor, &spec.alias.lock()).await?;
        let lock = alias.and_then(|alias| LockRecord::decode(&alias.description));
        // A lock that cannot be read is read again: somebody mends it, or the release ends.
        let Some(lock) = lock else { return Ok(None) };
        if lock.release != self.lock.release {
            return Ok(Some(Err(self.unseen(&lock))));
        }
        self.hear(lock);
        let is_over = self.lock.phase.is_over() || self.lock.phase == LockPhase::Held;
        let functions: Vec<FunctionName> = spec.functions.keys().cloned().collect();
        let count = if is_over { functions.len() } else { functions.len().min(LOOKS_MAX) };
        let mut aliases = BTreeMap::new();
        for step in 0..count {
            let function = &functions[(self.turn + step) % functions.len()];
            let name = watch.lambda_name(function);
            let alias = watch.stage.cloud.get_alias(&name, &spec.alias).await?;
            self.see(function, alias.as_ref());
            aliases.extend(alias.map(|alias| (function.to_string(), words(&alias))));
        }
        self.turn = (self.turn + count) % functions.len().max(1);
        if !is_over {
            return Ok(None);
        }
        let record = self.head.finished(&self.lock, self.abort_words(), aliases);
        let end = match &record.event {
            Event::Finished { outcome, reason, .. } => {
                End { outcome: outcome.clone(), reason: reason.clone() }
            }
            _ => return Ok(None),
        };
        self.face.event(&record);
        Ok(Some(Ok(end)))
    }

    /// What the lock says now.
    fn hear(&mut self, lock: LockRecord) {
        let now_ms = self.head.now_ms;
        if (lock.heartbeat, lock.epoch) != (self.lock.heartbeat, self.lock.epoch) {
            (self.beat_ms, self.is_silent) = (now_ms, false);
        } else if !self.is_silent
            && u128::from(now_ms.saturating_sub(self.beat_ms)) >= LEASE.as_millis()
        {
            self.is_silent = true;
            self.note(SILENT.to_owned());
        }
        let before = std::mem::replace(&mut self.lock, lock);
        if self.lock.epoch != before.epoch {
            self.note(format!("{} has taken it over", self.lock.owner));
            let (anchor, epoch) = (self.anchor.to_string(), self.lock.epoch);
            self.tell(Event::Locked { anchor, epoch });
        }
        if let Some(request) =
            self.lock.request.clone().filter(|now| self.asked.as_ref() != Some(now))
        {
            self.note(format!("{} is asked for{}", request.verb, words_of(&request)));
            self.asked = Some(request);
        }
        if self.lock.is_paused != before.is_paused {
            let verb = if self.lock.is_paused { Verb::Pause } else { Verb::Resume };
            // What was asked between two looks is not known.
            let asked = self.asked.clone().filter(|request| request.verb == verb);
            let (by, reason) = asked.map_or_else(
                || ("somebody".to_owned(), String::new()),
                |request| (request.by, request.reason),
            );
            self.tell(Event::Ordered { verb: verb.to_string(), function: None, by, reason });
        }
        let is_claimed = |lock: &LockRecord| lock.functions > 0 && lock.claimed == lock.functions;
        if is_claimed(&self.lock) && !is_claimed(&before) {
            self.tell(Event::Barrier);
        }
        let goes_back = matches!(self.lock.phase, LockPhase::Aborting | LockPhase::RolledBack);
        if before.phase == LockPhase::Running && goes_back {
            self.aborting();
        }
    }

    fn aborting(&mut self) {
        let reason = self.abort_words().unwrap_or_else(|| "its lock says so".to_owned());
        self.tell(Event::Aborting { culprit: None, reason });
    }

    /// Who asked for the way back, if that was seen.
    fn abort_words(&self) -> Option<String> {
        let asked = self.asked.as_ref().filter(|request| request.is_abort())?;
        Some(format!("an abort was asked for{}", words_of(asked)))
    }

    /// What one alias is now.
    fn see(&mut self, function: &FunctionName, alias: Option<&AliasState>) {
        let before = self.seen.get(function).copied();
        let by_token = alias.and_then(|alias| Seen::by_token(alias, self.lock.release));
        let now = by_token.or_else(|| before.map(|before| before.without_token(alias)));
        let Some(now) = now else { return };
        self.seen.insert(function.clone(), now);
        let name = || function.to_string();
        if before.is_none() {
            let (stable, candidate) = (now.stable.map(|v| v.0), now.candidate.0);
            self.tell(Event::Published { function: name(), stable, candidate });
        }
        let before_share = before.map_or(Weight::ZERO, |seen| seen.share);
        if now.is_back {
            if before.is_none_or(|before| !before.is_back) && self.lock.phase != LockPhase::Running
            {
                self.tell(Event::PutBack { function: name(), to: now.stable.map(|v| v.0) });
            }
        } else if now.share != before_share {
            self.tell(Event::Weight {
                function: name(),
                set_bp: now.wanted.bp(),
                actual_bp: now.share.bp(),
                before_bp: before_share.bp(),
                bake_ms: None,
            });
        }
    }

    fn unseen(&mut self, next: &LockRecord) -> CliError {
        let message = format!(
            "release {} r{} ended unseen: r{} of {} has the app now",
            self.lock.app, self.lock.number, next.number, next.owner
        );
        CliError::new(ErrorKind::Interrupted, UNSEEN, message).hint(
            "`wavegate watch` again follows the new one; `wavegate status` shows what is served",
        )
    }

    fn note(&mut self, text: String) {
        self.tell(Event::Note { text });
    }

    fn tell(&mut self, event: Event) {
        let record = self.head.record(event);
        self.face.event(&record);
    }
}

/// Who asks, and why.
fn words_of(request: &Request) -> String {
    match request.reason.as_str() {
        "" => format!(" by {}", request.by),
        reason => format!(" by {}: {reason}", request.by),
    }
}

fn words(alias: &AliasState) -> String {
    match alias.extra {
        None => format!("version {}", alias.version),
        Some(extra) => {
            format!("version {}, and {} on version {}", alias.version, extra.weight, extra.version)
        }
    }
}

#[cfg(test)]
mod tests {
    use wavegate_core::inventory::ExtraVersion;
    use wavegate_core::name::{AppName, Nonce};

    use super::*;

    fn alias(version: u64, extra: Option<(u64, u16)>, description: &str) -> AliasState {
        AliasState {
            name: "live".to_owned(),
            version: version.to_string(),
            extra: extra.map(|(version, bp)| ExtraVersion {
                version: VersionId(version),
                weight: Weight::from_bp(bp).unwrap(),
            }),
            description: description.to_owned(),
            revision: String::new(),
        }
    }

    fn token(position: Position) -> String {
        Token {
            app: AppName::new("shop").unwrap(),
            release: ReleaseId(7),
            epoch: 1,
            sequence: 1,
            position,
            stable: Some(VersionId(1)),
            candidate: VersionId(2),
            weight: Weight::from_bp(2500).unwrap(),
            nonce: Nonce(1),
            plan: 0,
        }
        .encode("")
    }

    #[test]
    fn what_an_alias_serves_is_told_from_its_routing_and_its_token() {
        let seen = |alias: &AliasState| Seen::by_token(alias, ReleaseId(7)).unwrap();
        let shifting = seen(&alias(1, Some((2, 2500)), &token(Position::Forward)));
        assert_eq!(
            (shifting.wanted.bp(), shifting.share.bp(), shifting.is_back),
            (2500, 2500, false)
        );
        // What is wanted and what is there may differ: somebody else was there, or will be told so.
        let other = seen(&alias(1, Some((2, 500)), &token(Position::Forward)));
        assert_eq!((other.wanted.bp(), other.share.bp()), (2500, 500));
        let promoted = seen(&alias(2, None, &token(Position::Promoted)));
        assert_eq!((promoted.share, promoted.is_back), (Weight::FULL, false));
        assert!(seen(&alias(1, None, &token(Position::Back))).is_back);
        assert_eq!(Seen::by_token(&alias(1, None, "mine"), ReleaseId(7)), None);
        assert_eq!(Seen::by_token(&alias(1, None, &token(Position::Back)), ReleaseId(8)), None);

        assert!(shifting.without_token(Some(&alias(1, None, "mine"))).is_back);
        assert_eq!(shifting.without_token(Some(&alias(2, None, "mine"))).share, Weight::FULL);
        let first = Seen { stable: None, ..shifting };
        assert!(first.without_token(None).is_back && !shifting.without_token(None).is_back);
    }
}

//! Control: what anybody may ask of a release that runs, from any machine.
//!
//! A request is written into the app's lock alias under its revision id, as a part of the owner's
//! own record, and the owner's next write on the lock meets it: the owner takes it out, says that it
//! did, and only then does it. So a request is heard at most once, needs nothing but the right to
//! update one alias, and can be neither lost in silence nor heard by a dead owner: whoever asked
//! looks whether it was answered.
//!
//! Deliberately absent: queues. One request stands at a time; a request to abort takes the place of
//! any other, and none takes its place.

use std::fmt;

use crate::name::FunctionName;
use crate::token::{LockPhase, LockRecord, plain};

/// Room that the shortest request needs in a record: the key, verb, id, function, a separator.
pub(crate) const ROOM_MIN: usize = 4 + 1 + 8 + 8 + 1;

/// Longest name of whoever asks.
const BY_MAX: usize = 32;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Put everything back.
    Abort,
    /// Let nothing go up until further notice.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Go on from where a function stands: an approval, or the end of what is being baked.
    Promote,
    /// Give the candidate everything, leaving out the steps between.
    PromoteFully,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 5] =
        [Self::Abort, Self::Pause, Self::Resume, Self::Promote, Self::PromoteFully];

    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Promote => "promote",
            Self::PromoteFully => "promote --full",
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Abort => 'A',
            Self::Pause => 'P',
            Self::Resume => 'R',
            Self::Promote => 'G',
            Self::PromoteFully => 'F',
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One request in a lock record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Drawn at random by whoever asks: by it they find the answer.
    pub id: u32,
    /// What is asked.
    pub verb: Verb,
    /// About which function, by the checksum of its name: a record has no room for names.
    pub function: Option<u32>,
    /// Who asks; cut short where there is no room.
    pub by: String,
    /// Why; cut short where there is no room.
    pub reason: String,
}

impl Request {
    /// A request, with what a record can hold of who and why.
    pub fn new(
        id: u32,
        verb: Verb,
        function: Option<&FunctionName>,
        by: &str,
        reason: &str,
    ) -> Self {
        // `0` stands for none: a request must be told from no request.
        let id = id.max(1);
        let by = plain(by, BY_MAX).replace(',', "_");
        let reason = words(reason);
        Self { id, verb, function: function.map(checksum), by, reason }
    }

    /// A request to abort of a record that kept no id.
    pub(crate) fn to_abort(by: &str, reason: &str) -> Self {
        Self::new(1, Verb::Abort, None, by, reason)
    }

    /// Whether it asks for the way back.
    pub fn is_abort(&self) -> bool {
        self.verb == Verb::Abort
    }

    /// Whether it is about a function.
    pub fn is_about(&self, name: &FunctionName) -> bool {
        self.function.is_none_or(|function| function == checksum(name))
    }

    pub(crate) fn encode(&self, room: usize) -> String {
        let function =
            self.function.map_or_else(|| "-".repeat(8), |function| format!("{function:08x}"));
        let head = format!("{}{:08x}{function},", self.verb.letter(), self.id);
        let tail = format!("{},{}", self.by, self.reason);
        let room = room.saturating_sub(head.len());
        head + &tail.chars().take(room).collect::<String>()
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let (head, tail) = text.split_once(',')?;
        let letter = head.chars().next()?;
        let verb = Verb::ALL.into_iter().find(|verb| verb.letter() == letter)?;
        let (id, function) = (head.get(1..9)?, head.get(9..17)?);
        if head.len() != 17 {
            return None;
        }
        let (by, reason) = tail.split_once(',').unwrap_or((tail, ""));
        Some(Self {
            id: u32::from_str_radix(id, 16).ok()?,
            verb,
            function: match function {
                "--------" => None,
                sum => Some(u32::from_str_radix(sum, 16).ok()?),
            },
            by: by.to_owned(),
            reason: reason.to_owned(),
        })
    }
}

/// A request that the owner took out of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Which.
    pub id: u32,
    /// Whether there was anything to do: an approval needs something that waits for one.
    pub was_done: bool,
}

impl Answered {
    pub(crate) fn encode(self) -> String {
        format!("{:08x}{}", self.id, if self.was_done { '+' } else { '-' })
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let id = u32::from_str_radix(text.get(..8)?, 16).ok()?;
        let was_done = match text.get(8..)? {
            "+" => true,
            "-" => false,
            _ => return None,
        };
        Some(Self { id, was_done })
    }
}

/// Why nothing can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No release runs.
    #[error("release r{number} is over: there is nothing to {verb}")]
    Over {
        /// The last release.
        number: u64,
        /// What was asked.
        verb: Verb,
    },
    /// It stands still, and nobody runs it.
    #[error("release r{number} stopped in the middle, and nobody runs it")]
    Held {
        /// The release.
        number: u64,
    },
    /// It goes back already.
    #[error("release r{number} is going back already")]
    GoingBack {
        /// The release.
        number: u64,
    },
    /// Somebody asks for something else, and was not answered yet.
    #[error("{by} asks it to {verb}, and was not answered yet")]
    Busy {
        /// Who.
        by: String,
        /// For what.
        verb: Verb,
    },
}

/// The record that asks: the owner's own, with the request in it.
///
/// # Errors
/// [`Refusal`], if it makes no sense to ask.
pub fn ask(record: &LockRecord, request: Request) -> Result<LockRecord, Refusal> {
    let number = record.number;
    match record.phase {
        LockPhase::Done | LockPhase::RolledBack => {
            return Err(Refusal::Over { number, verb: request.verb });
        }
        LockPhase::Held | LockPhase::Stuck => return Err(Refusal::Held { number }),
        LockPhase::Aborting => return Err(Refusal::GoingBack { number }),
        LockPhase::Running => {}
    }
    match &record.request {
        Some(other) if other.is_abort() => return Err(Refusal::GoingBack { number }),
        Some(other) if !request.is_abort() => {
            return Err(Refusal::Busy { by: other.by.clone(), verb: other.verb });
        }
        _ => {}
    }
    Ok(LockRecord { request: Some(request), ..record.clone() })
}

/// What became of a request, as a later look at the lock tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stands there still.
    Waits,
    /// It was heard and done.
    Done,
    /// It was heard, and there was nothing to do.
    NothingToDo,
    /// The release ended, or has another owner: what became of it, its end tells.
    Ended,
    /// It is gone without an answer: somebody asked for the way back instead.
    Replaced,
}

/// What became of request `id` on the release that `asked` was read of.
pub fn fate(asked: &LockRecord, now: &LockRecord, id: u32) -> Fate {
    if now.answered.is_some_and(|answered| answered.id == id) {
        let was_done = now.answered.is_some_and(|answered| answered.was_done);
        return if was_done { Fate::Done } else { Fate::NothingToDo };
    }
    if now.release != asked.release || now.phase.is_over() || now.phase.is_ownerless() {
        return Fate::Ended;
    }
    match &now.request {
        Some(request) if request.id == id => Fate::Waits,
        _ if now.phase == LockPhase::Aborting => Fate::Ended,
        _ => Fate::Replaced,
    }
}

/// The checksum that a record knows a function by.
fn checksum(name: &FunctionName) -> u32 {
    crc32fast::hash(name.as_str().as_bytes())
}

/// A reason that a record can hold: words and spaces stay readable.
fn words(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars()
        .map(|c| if (c.is_ascii_graphic() && !";|=".contains(c)) || c == ' ' { c } else { '_' })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::name::{AppName, Nonce, ReleaseId};
    use crate::spec::{OnFailure, RollbackScope};

    pub(crate) fn any_request() -> impl Strategy<Value = Request> {
        (any::<u32>(), 0..5_usize, proptest::option::of("[a-z]{1,64}"), "\\PC{0,40}", "\\PC{0,300}")
            .prop_map(|(id, verb, function, by, reason)| {
                let function = function.map(|name| FunctionName::new(name).unwrap());
                Request::new(id, Verb::ALL[verb], function.as_ref(), &by, &reason)
            })
    }

    fn record() -> LockRecord {
        LockRecord {
            app: AppName::new("shop").unwrap(),
            release: ReleaseId(7),
            number: 4,
            epoch: 9,
            phase: LockPhase::Running,
            owner: "ana@desk".into(),
            heartbeat: 3,
            claimed: 2,
            functions: 2,
            on_failure: OnFailure::Rollback,
            scope: RollbackScope::App,
            is_switch: false,
            is_paused: false,
            request: None,
            answered: None,
            plan: 1,
            nonce: Nonce(5),
        }
    }

    fn request(verb: Verb) -> Request {
        Request::new(77, verb, None, "bob", "it burns, says the pager")
    }

    #[test]
    fn a_request_is_a_part_of_the_owners_own_record() {
        let asked = ask(&record(), request(Verb::Pause)).unwrap();
        assert_eq!(LockRecord { request: None, ..asked.clone() }, record());
        let read = LockRecord::decode(&asked.encode()).unwrap();
        assert_eq!(read, asked);
        assert_eq!(read.request.unwrap().reason, "it burns, says the pager");
    }

    #[test]
    fn one_request_stands_at_a_time_and_none_takes_the_place_of_an_abort() {
        let paused = ask(&record(), request(Verb::Pause)).unwrap();
        let busy = Refusal::Busy { by: "bob".into(), verb: Verb::Pause };
        assert_eq!(ask(&paused, request(Verb::Promote)), Err(busy));
        let aborted = ask(&paused, request(Verb::Abort)).unwrap();
        for verb in Verb::ALL {
            assert_eq!(ask(&aborted, request(verb)), Err(Refusal::GoingBack { number: 4 }));
        }
    }

    #[test]
    fn nothing_is_asked_of_a_release_that_nobody_runs() {
        for (phase, refusal) in [
            (LockPhase::Done, Refusal::Over { number: 4, verb: Verb::Abort }),
            (LockPhase::RolledBack, Refusal::Over { number: 4, verb: Verb::Abort }),
            (LockPhase::Held, Refusal::Held { number: 4 }),
            (LockPhase::Stuck, Refusal::Held { number: 4 }),
            (LockPhase::Aborting, Refusal::GoingBack { number: 4 }),
        ] {
            let record = LockRecord { phase, ..record() };
            assert_eq!(ask(&record, request(Verb::Abort)), Err(refusal));
        }
    }

    #[test]
    fn whoever_asked_learns_what_became_of_it() {
        let asked = ask(&record(), request(Verb::Promote)).unwrap();
        let answered =
            |id, was_done| LockRecord { answered: Some(Answered { id, was_done }), ..record() };
        for (now, expected) in [
            (asked.clone(), Fate::Waits),
            (answered(77, true), Fate::Done),
            (answered(77, false), Fate::NothingToDo),
            (answered(5, true), Fate::Replaced),
            (LockRecord { phase: LockPhase::Done, ..record() }, Fate::Ended),
            (LockRecord { phase: LockPhase::Aborting, ..record() }, Fate::Ended),
            (LockRecord { release: ReleaseId(8), ..record() }, Fate::Ended),
            (ask(&asked, Request::new(6, Verb::Abort, None, "eve", "")).unwrap(), Fate::Replaced),
        ] {
            assert_eq!(fate(&asked, &now, 77), expected, "{now:?}");
        }
    }

    #[test]
    fn a_record_of_format_1_is_read_and_so_is_its_request_to_abort() {
        // As wavegate wrote it before requests had a place of their own.
        let old = "wgL1;a=shop;r=000000000000h;m=4;e=9;ph=R;own=ana@desk;hb=3;k=2;N=2;s=a;ab=bob;h=00000001;x=000000000000h";
        let sum = crc32fast::hash(old.as_bytes());
        let read = LockRecord::decode(&format!("{old};c={sum:08x}")).unwrap();
        assert!(read.is_abort_asked() && read.epoch == 9 && read.is_past_barrier());
    }
}

//! The calls to one plugin that are under way, and who waits for each.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::HostError;

/// What comes of a call: the reply's bytes.
pub(crate) type Outcome = Result<Vec<u8>, HostError>;

/// Calls by id. Ids count up from 1 and are never used twice, so a reply to one that is not here was
/// given before, or was never asked for.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    slots: HashMap<u64, Slot>,
    /// Why no more calls are taken.
    over: Option<HostError>,
}

#[derive(Debug)]
enum Slot {
    Waiting(oneshot::Sender<Outcome>),
    /// Nobody waits any more, and the reply is still owed.
    Abandoned,
}

/// What a reply was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The one that was owed.
    Owed,
    /// One that nobody asked for, or that was given already.
    Unasked,
}

impl Calls {
    /// A new call.
    ///
    /// # Errors
    /// Why there are no more.
    pub(crate) fn open(&self) -> Result<(u64, oneshot::Receiver<Outcome>), HostError> {
        let mut inner = self.lock();
        if let Some(error) = &inner.over {
            return Err(error.clone());
        }
        inner.last += 1;
        let id = inner.last;
        let (sender, receiver) = oneshot::channel();
        inner.slots.insert(id, Slot::Waiting(sender));
        Ok((id, receiver))
    }

    /// The reply to a call has come, or it is known that it will not.
    pub(crate) fn settle(&self, id: u64, outcome: Outcome) -> Settled {
        // The lock is gone before anybody is woken.
        let slot = self.lock().slots.remove(&id);
        match slot {
            Some(Slot::Waiting(waiter)) => {
                // Whoever waited may just have gone.
                let _ = waiter.send(outcome);
                Settled::Owed
            }
            Some(Slot::Abandoned) => Settled::Owed,
            None => Settled::Unasked,
        }
    }

    /// The call will not be begun, so no reply is owed.
    pub(crate) fn forget(&self, id: u64) {
        self.lock().slots.remove(&id);
    }

    /// The call is about to begin; `false` if nobody waits for it any more, and then it is settled.
    pub(crate) fn begins(&self, id: u64) -> bool {
        let mut inner = self.lock();
        let is_wanted = matches!(inner.slots.get(&id), Some(Slot::Waiting(_)));
        if !is_wanted {
            inner.slots.remove(&id);
        }
        is_wanted
    }

    /// Nobody waits for the call any more. Whether its reply is still owed.
    pub(crate) fn abandon(&self, id: u64) -> bool {
        match self.lock().slots.get_mut(&id) {
            Some(slot) => {
                *slot = Slot::Abandoned;
                true
            }
            None => false,
        }
    }

    /// Whether the call's reply is still owed.
    pub(crate) fn owes(&self, id: u64) -> bool {
        self.lock().slots.contains_key(&id)
    }

    /// How many replies are owed that nobody waits for any more.
    pub(crate) fn abandoned(&self) -> usize {
        self.lock().slots.values().filter(|slot| matches!(slot, Slot::Abandoned)).count()
    }

    /// Fails all calls, and those to come. The first reason stays.
    pub(crate) fn end(&self, error: &HostError) {
        let slots = {
            let mut inner = self.lock();
            inner.over.get_or_insert_with(|| error.clone());
            std::mem::take(&mut inner.slots)
        };
        for slot in slots.into_values() {
            if let Slot::Waiting(waiter) = slot {
                let _ = waiter.send(Err(error.clone()));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change above is one statement: the table is valid after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> HostError {
        HostError::BrokeProtocol { plugin: "p".into(), what: "x".into() }
    }

    #[test]
    fn a_call_is_settled_once_and_a_second_reply_is_noticed() {
        let calls = Calls::default();
        let (id, mut waiter) = calls.open().unwrap();
        assert_eq!(calls.settle(id, Ok(vec![1])), Settled::Owed);
        assert_eq!(waiter.try_recv().unwrap(), Ok(vec![1]));
        assert_eq!(calls.settle(id, Ok(vec![2])), Settled::Unasked);
        assert_eq!(calls.settle(99, Ok(vec![])), Settled::Unasked);
    }

    #[test]
    fn a_late_reply_to_an_abandoned_call_is_no_breach() {
        let calls = Calls::default();
        let (id, waiter) = calls.open().unwrap();
        drop(waiter);
        assert!(calls.abandon(id) && calls.owes(id));
        assert_eq!(calls.abandoned(), 1);
        assert_eq!(calls.settle(id, Ok(vec![])), Settled::Owed);
        assert!(!calls.owes(id) && !calls.abandon(id));
    }

    #[test]
    fn a_call_that_nobody_waits_for_does_not_begin() {
        let calls = Calls::default();
        let ((first, _waiter), (second, _)) = (calls.open().unwrap(), calls.open().unwrap());
        assert!(calls.begins(first));
        calls.abandon(second);
        assert!(!calls.begins(second) && !calls.owes(second));
    }

    #[test]
    fn an_end_fails_what_is_under_way_and_what_would_come() {
        let calls = Calls::default();
        let (_, mut waiter) = calls.open().unwrap();
        calls.end(&error());
        assert_eq!(waiter.try_recv().unwrap(), Err(error()));
        assert_eq!(calls.open().unwrap_err(), error());
        let other = HostError::Wedged { plugin: "p".into(), calls: 1 };
        calls.end(&other);
        assert_eq!(calls.open().unwrap_err(), error());
    }
}

//! Places among events: by their time, and then in the order in which they came.

use super::{Refusal, invalid};

/// Digits of the two parts of a place in a token.
const TIME_DIGITS: usize = 20;
const NUMBER_DIGITS: usize = 36;

/// The place of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) at_ms: i64,
    pub(super) number: i64,
}

impl Place {
    /// Before every event.
    pub(super) const START: Self = Self { at_ms: 0, number: 0 };
    /// Behind every event.
    pub(super) const END: Self = Self { at_ms: i64::MAX, number: i64::MAX };

    /// The place just before.
    pub(super) fn before(self) -> Self {
        Self { number: self.number.saturating_sub(1), ..self }
    }

    /// As an event's id.
    pub(super) fn id(self) -> String {
        let Self { at_ms, number } = self;
        format!("{at_ms:0TIME_DIGITS$}{number:0NUMBER_DIGITS$}")
    }

    /// Reads an id.
    pub(super) fn parse(id: &str) -> Result<Self, Refusal> {
        let wrong = || invalid("The specified nextToken is invalid.");
        let is_id = id.len() == TIME_DIGITS + NUMBER_DIGITS;
        if !is_id || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let (at_ms, number) = id.split_at(TIME_DIGITS);
        let place = |text: &str| text.parse().map_err(|_| wrong());
        Ok(Self { at_ms: place(at_ms)?, number: place(number)? })
    }
}

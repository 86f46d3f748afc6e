//! Pins: the SHA-256 that the manifest gives for a plugin, one for each target triple.
//!
//! Deliberately absent: any second way to write a pin. A checker that takes two forms can be made
//! to take the wrong one.

use std::fmt;
use std::str::FromStr;

/// The target triple this wavegate was built for: the key of a pin.
pub fn host_target() -> &'static str {
    env!("WAVEGATE_TARGET")
}

/// The SHA-256 of a plugin's file: exactly 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pin([u8; 32]);

impl Pin {
    pub(crate) fn of_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        if text.len() != 64 {
            return Err(PinError::Length { found: text.chars().count() });
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

/// Why a text is not a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Not 64 characters.
    #[error("a pin is 64 hexadecimal digits, this has {found} characters")]
    Length {
        /// How many it has.
        found: usize,
    },
    /// Something else than `0` to `9` and `a` to `f`.
    #[error("a pin is 64 hexadecimal digits in lower case, this has something else in it")]
    Digit,
}

fn nibble(digit: u8) -> Result<u8, PinError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(PinError::Digit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(digest: [u8; 32]) {
            let pin = Pin::of_digest(digest);
            prop_assert_eq!(pin.to_string().parse(), Ok(pin));
        }

        #[test]
        fn a_pin_has_one_form(text in "\\PC{0,70}|[0-9a-fA-F]{64}") {
            if let Ok(pin) = text.parse::<Pin>() {
                prop_assert_eq!(pin.to_string(), text);
            }
        }
    }

    #[test]
    fn nothing_but_64_lower_case_digits_is_a_pin() {
        let parse = str::parse::<Pin>;
        assert_eq!(parse(""), Err(PinError::Length { found: 0 }));
        assert_eq!(parse(&"a".repeat(63)), Err(PinError::Length { found: 63 }));
        assert_eq!(parse(&"a".repeat(65)), Err(PinError::Length { found: 65 }));
        assert_eq!(parse(&"A".repeat(64)), Err(PinError::Digit));
        assert_eq!(parse(&format!("sha256:{}", "a".repeat(57))), Err(PinError::Digit));
        assert_eq!(parse(&"\u{e4}".repeat(32)), Err(PinError::Digit));
    }

    #[test]
    fn the_target_is_a_triple_of_this_machine() {
        assert!(host_target().starts_with(std::env::consts::ARCH) || cfg!(target_arch = "x86"));
        assert!(host_target().split('-').count() >= 3);
    }
}

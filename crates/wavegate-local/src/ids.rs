//! Ids and randomness: passed into the pure model, so that a seed repeats a run.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Where ids and choices come from.
pub trait Ids: Send {
    /// A fresh id in the form AWS prints request and revision ids in.
    fn uuid(&mut self) -> String;
    /// A number in `[0, 1)`, evenly spread; picks the version of a weighted alias.
    fn unit(&mut self) -> f64;
}

/// Ids and choices from a seeded generator.
#[derive(Debug)]
pub struct SeededIds {
    rng: StdRng,
}

impl SeededIds {
    /// A generator that repeats itself for the same seed.
    pub fn from_seed(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed) }
    }

    /// A generator seeded by the operating system.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn from_system() -> Result<Self, getrandom::Error> {
        let mut seed = [0_u8; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self { rng: StdRng::from_seed(seed) })
    }

    /// Another generator, whose ids are others and follow from this one's.
    pub(crate) fn fork(&mut self) -> Self {
        Self { rng: StdRng::from_rng(&mut self.rng) }
    }
}

impl Ids for SeededIds {
    fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid().to_string()
    }

    fn unit(&mut self) -> f64 {
        self.rng.random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut a, mut b) = (SeededIds::from_seed(7), SeededIds::from_seed(7));
        assert_eq!(a.uuid(), b.uuid());
        assert_eq!(a.unit().to_bits(), b.unit().to_bits());
        assert_ne!(a.uuid(), a.uuid());
    }
}

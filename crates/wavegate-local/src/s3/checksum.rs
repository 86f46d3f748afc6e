//! Checksums: what S3 counts over contents, and how those of parts become one's of the whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, checksum_combine};
use md5::Md5;
use serde_json::{Map, Value};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::wire::Fault;

/// A way of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// Of zips and of Ethernet.
    Crc32,
    /// Castagnoli's.
    Crc32c,
    /// Of NVMe: what S3 counts when nobody asks for another.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// AWS: the refusal of any other.
const UNSUPPORTED: &str = "Checksum algorithm provided is unsupported. Please try again with any of the valid \
                           types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";

impl Algorithm {
    /// All of them.
    pub(super) const ALL: [Self; 5] =
        [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// Its name in requests.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The member of AWS's model that has its value.
    pub(super) fn member(self) -> String {
        format!("Checksum{}", self.name())
    }

    /// Its name in headers and messages.
    pub(super) fn lower(self) -> String {
        self.name().to_ascii_lowercase()
    }

    /// The header that has its value.
    pub(super) fn header(self) -> String {
        format!("x-amz-checksum-{}", self.lower())
    }

    /// By its name.
    pub(super) fn named(name: &str) -> Result<Self, Fault> {
        let found = Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| Fault::new("InvalidRequest", UNSUPPORTED))
    }

    /// By the header that has its value.
    pub(super) fn of_header(header: &str) -> Option<Self> {
        let name = header.strip_prefix("x-amz-checksum-")?;
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of a value.
    fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Whether the values of parts add up to that of the whole.
    pub(super) fn adds_up(self) -> bool {
        self.crc().is_some()
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// A value as a header has it.
    pub(super) fn read(self, text: &str) -> Result<Vec<u8>, Fault> {
        let value = STANDARD.decode(text).ok().filter(|value| value.len() == self.length());
        value.ok_or_else(|| {
            let message = format!("Value for {} header is invalid.", self.header());
            Fault::new("InvalidRequest", message)
        })
    }

    /// The value of one piece.
    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        let mut sum = Sum::new(self);
        sum.update(bytes);
        sum.finish()
    }

    /// The value of a whole from those of its parts and their sizes; nothing if they do not add up.
    pub(super) fn combine(self, parts: &[(Vec<u8>, u64)]) -> Option<Vec<u8>> {
        let crc = self.crc()?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        let whole = parts.iter().fold(None, |before, (value, size)| match before {
            None => Some(number(value)),
            Some(before) => Some(checksum_combine(crc, before, number(value), *size)),
        })?;
        Some(self.bytes(whole))
    }

    fn bytes(self, number: u64) -> Vec<u8> {
        number.to_be_bytes()[8 - self.length()..].to_vec()
    }
}

/// A value that is being counted.
#[derive(Debug)]
struct Sum {
    algorithm: Algorithm,
    state: State,
}

#[derive(Debug)]
enum State {
    Crc(Box<crc_fast::Digest>),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Sum {
    fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm.crc() {
            Some(crc) => State::Crc(Box::new(crc_fast::Digest::new(crc))),
            None if algorithm == Algorithm::Sha1 => State::Sha1(Sha1::new()),
            None => State::Sha256(Sha256::new()),
        };
        Self { algorithm, state }
    }

    fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(bytes),
            State::Sha1(digest) => digest.update(bytes),
            State::Sha256(digest) => digest.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self.state {
            State::Crc(digest) => self.algorithm.bytes(digest.finalize()),
            State::Sha1(digest) => digest.finalize().to_vec(),
            State::Sha256(digest) => digest.finalize().to_vec(),
        }
    }
}

/// The MD5 of a content and some checksums, counted in one pass.
#[derive(Debug)]
pub(super) struct Counter {
    md5: Md5,
    sums: Vec<Sum>,
}

impl Counter {
    /// Counts the MD5 and those.
    pub(super) fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut sums: Vec<Sum> = Vec::new();
        for algorithm in algorithms {
            if sums.iter().all(|sum| sum.algorithm != algorithm) {
                sums.push(Sum::new(algorithm));
            }
        }
        Self { md5: Md5::new(), sums }
    }

    /// What comes next.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sums.iter_mut().for_each(|sum| sum.update(bytes));
    }

    /// The values.
    pub(super) fn finish(self) -> Counted {
        Counted {
            md5: self.md5.finalize().to_vec(),
            sums: self.sums.into_iter().map(|sum| (sum.algorithm, sum.finish())).collect(),
        }
    }
}

/// What was counted over a content.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    /// The MD5.
    pub(super) md5: Vec<u8>,
    sums: Vec<(Algorithm, Vec<u8>)>,
}

impl Counted {
    /// A value, if it was counted.
    pub(super) fn get(&self, algorithm: Algorithm) -> Option<&[u8]> {
        self.sums.iter().find(|(it, _)| *it == algorithm).map(|(_, value)| value.as_slice())
    }
}

/// A checksum as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checksum {
    /// How it was counted.
    pub(super) algorithm: Algorithm,
    /// Base64; of parts that do not add up with their number behind it.
    pub(super) value: String,
    /// Whether it is counted over the checksums of parts.
    pub(super) is_composite: bool,
}

impl Checksum {
    /// Of a content as a whole.
    pub(super) fn of_whole(algorithm: Algorithm, value: &[u8]) -> Self {
        Self { algorithm, value: STANDARD.encode(value), is_composite: false }
    }

    /// Of parts, over their values.
    pub(super) fn of_parts(algorithm: Algorithm, parts: &[(Vec<u8>, u64)]) -> Self {
        let values: Vec<u8> = parts.iter().flat_map(|(value, _)| value.iter().copied()).collect();
        let value = format!("{}-{}", STANDARD.encode(algorithm.of(&values)), parts.len());
        Self { algorithm, value, is_composite: true }
    }

    /// The one among members by the names of AWS's model.
    pub(super) fn among(members: &Map<String, Value>) -> Option<Self> {
        let is_composite = members.get("ChecksumType").is_some_and(|it| it == "COMPOSITE");
        Algorithm::ALL.into_iter().find_map(|algorithm| {
            let value = members.get(&algorithm.member())?.as_str()?.to_owned();
            Some(Self { algorithm, value, is_composite })
        })
    }

    /// `COMPOSITE` or `FULL_OBJECT`.
    pub(super) fn kind(&self) -> &'static str {
        if self.is_composite { "COMPOSITE" } else { "FULL_OBJECT" }
    }

    /// Shows it among members.
    pub(super) fn show(&self, members: &mut Map<String, Value>) {
        members.insert(self.algorithm.member(), self.value.as_str().into());
        members.insert("ChecksumType".to_owned(), self.kind().into());
    }
}

/// Takes all checksums out of members.
pub(super) fn strip(members: &mut Map<String, Value>) {
    for algorithm in Algorithm::ALL {
        members.remove(&algorithm.member());
    }
    members.remove("ChecksumType");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_those_that_everybody_counts() {
        for (algorithm, wanted) in [
            (Algorithm::Crc32, "y/Q5Jg=="),
            (Algorithm::Crc32c, "4waSgw=="),
            (Algorithm::Crc64Nvme, "rosUhgp5mIg="),
            (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ] {
            let value = algorithm.of(b"123456789");
            assert_eq!(Checksum::of_whole(algorithm, &value).value, wanted);
            assert_eq!(algorithm.read(wanted).unwrap(), value);
        }
        assert!(Algorithm::Crc32.read("AA==").is_err());
        assert!(Algorithm::named("TEST").is_err());
    }

    #[test]
    fn what_adds_up_is_that_of_the_whole() {
        let parts = ["one ", "two ", "", "three"];
        for algorithm in Algorithm::ALL {
            let values: Vec<_> = parts
                .iter()
                .map(|part| (algorithm.of(part.as_bytes()), part.len() as u64))
                .collect();
            let whole = algorithm.adds_up().then(|| algorithm.of(parts.concat().as_bytes()));
            assert_eq!(algorithm.combine(&values), whole, "{algorithm:?}");
        }
    }
}

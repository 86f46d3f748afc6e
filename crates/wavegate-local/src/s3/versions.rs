//! Versions of objects: their ids, and which one a request means.

use base64::Engine as _;
use base64::alphabet::Alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use rusqlite::Connection;

use super::checksum::Algorithm;
use super::refusal::{Refusal, argument};
use super::rows::{Bucket, NULL, Version};
use super::store::{Objects, random};
use crate::wire::Fault;
use crate::wire::time::{http, seconds};

/// Bytes of an id that are random.
const RANDOM: usize = 12;
/// Bytes that say which it is among all changes, so that a listing can go on behind a version that is gone.
const SEQUENCE: usize = 8;

/// The characters of AWS's ids.
const CHARACTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

fn engine() -> Result<GeneralPurpose, Refusal> {
    let alphabet =
        Alphabet::new(CHARACTERS).map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(GeneralPurpose::new(&alphabet, NO_PAD))
}

/// An id that no version has. At its end stands a checksum: as on AWS, an id that was never given out can be
/// told from one whose version is gone.
pub(super) fn new_id(sequence: i64) -> Result<String, Refusal> {
    let mut bytes = random::<RANDOM>()?.to_vec();
    bytes.extend(sequence.to_be_bytes());
    let check = Algorithm::Crc32c.of(&bytes);
    bytes.extend(check);
    Ok(engine()?.encode(bytes))
}

/// Which an id is among all changes; none if it was never given out.
fn sequence(id: &str) -> Result<Option<i64>, Refusal> {
    let Ok(bytes) = engine()?.decode(id) else { return Ok(None) };
    let Some((said, check)) = bytes.split_at_checked(RANDOM + SEQUENCE) else { return Ok(None) };
    if check != Algorithm::Crc32c.of(said) {
        return Ok(None);
    }
    Ok(<[u8; SEQUENCE]>::try_from(&said[RANDOM..]).ok().map(i64::from_be_bytes))
}

/// Refuses an id that no version ever had.
pub(super) fn check_id(id: &str) -> Result<(), Refusal> {
    if id == NULL || sequence(id)?.is_some() {
        return Ok(());
    }
    Err(argument("versionId", id, "Invalid version id specified").into())
}

/// Where in the order of changes a version was, be it gone.
pub(super) fn place_of(
    index: &Connection,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<i64, Refusal> {
    check_id(id)?;
    match Version::find(index, bucket, key, id)? {
        Some(version) => Ok(version.sequence),
        None => Ok(sequence(id)?.unwrap_or_default()),
    }
}

/// AWS's refusal of a key that is not there.
pub(super) fn no_key(key: &str) -> Fault {
    Fault::front(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
}

/// AWS's refusal of a version that is not there.
pub(super) fn no_version(key: &str, id: &str) -> Fault {
    Fault::front(404, "NoSuchVersion", "The specified version does not exist.")
        .with("Key", key)
        .with("VersionId", id)
}

/// AWS's refusal to do that with a delete marker.
pub(super) fn is_marker(method: &str) -> Fault {
    let message = "The specified method is not allowed against this resource.";
    Fault::front(405, "MethodNotAllowed", message)
        .with("Method", method)
        .with("ResourceType", "DeleteMarker")
}

impl Objects {
    /// The version that a request means, which has a content.
    pub(super) fn version(
        &self,
        index: &Connection,
        bucket: &Bucket,
        key: &str,
        id: Option<&str>,
        method: &str,
    ) -> Result<Version, Refusal> {
        let version = self.any_version(index, bucket, key, id)?;
        if !version.is_marker() {
            return Ok(version);
        }
        let refusal = match id {
            None => Refusal::from(no_key(key)),
            Some(_) => Refusal::from(is_marker(method))
                .with_header("last-modified", http(seconds(version.modified_ms)))
                .with_header("allow", "DELETE"),
        };
        Err(refusal
            .with_header("x-amz-delete-marker", "true")
            .with_header("x-amz-version-id", version.id))
    }

    /// The version that a request means, be it a delete marker.
    pub(super) fn any_version(
        &self,
        index: &Connection,
        bucket: &Bucket,
        key: &str,
        id: Option<&str>,
    ) -> Result<Version, Refusal> {
        let current = self.current(index, &bucket.name, key)?;
        let Some(id) = id else {
            return current.ok_or_else(|| no_key(key).into());
        };
        check_id(id)?;
        let found = Version::find(index, &bucket.name, key, id)?;
        found.ok_or_else(|| no_version(key, id).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_given_out_is_known_as_one() {
        let id = new_id(7).unwrap();
        assert_eq!((id.len(), sequence(&id).unwrap()), (32, Some(7)));
        assert!(check_id(&id).is_ok() && check_id(NULL).is_ok());
        for wrong in ["", "x", "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD", "no id"] {
            assert!(check_id(wrong).is_err(), "{wrong}");
        }
    }
}

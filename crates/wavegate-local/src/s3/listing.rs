//! Listings of a bucket's objects and versions: by prefix, with what lies below a delimiter as one, page by
//! page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::params;
use serde_json::{Map, Value, json};

use super::checksum::Checksum;
use super::refusal::{Refusal, argument};
use super::rows::Version;
use super::show::{class, moment, owner, quoted};
use super::store::Objects;
use super::versions::place_of;
use super::{Call, Done, buckets};
use crate::wire::Fault;

/// AWS: items of a page.
const PAGE: usize = 1000;

/// What becomes of a key on the way through a listing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is an item.
    Item,
    /// It is the first below a common prefix, which is an item.
    Prefix(String),
    /// It was told already, on this page or on an earlier one.
    Told,
    /// The page is full: it is the first of the next one.
    Full,
}

/// A way through keys in their order, to fill a page.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// The last key or common prefix of the page before.
    after: &'a str,
    max: usize,
    count: usize,
    common: Option<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(call: &Call<'a>, after: &'a str, max: usize) -> Self {
        Self {
            prefix: call.text("Prefix").unwrap_or_default(),
            delimiter: call.text("Delimiter").filter(|delimiter| !delimiter.is_empty()),
            after,
            max,
            count: 0,
            common: None,
        }
    }

    /// Takes the next key with the prefix.
    pub(super) fn step(&mut self, key: &str) -> Step {
        let rest = key.strip_prefix(self.prefix).unwrap_or_default();
        let common = self
            .delimiter
            .and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()))
            .map(|end| &key[..self.prefix.len() + end]);
        if let Some(common) = common
            && (self.common.as_deref() == Some(common) || self.after.starts_with(common))
        {
            return Step::Told;
        }
        if self.count == self.max {
            return Step::Full;
        }
        self.count += 1;
        self.common = common.map(ToOwned::to_owned);
        self.common.clone().map_or(Step::Item, Step::Prefix)
    }
}

/// A page of a listing.
#[derive(Debug, Default)]
struct Page {
    contents: Vec<Value>,
    prefixes: Vec<String>,
    /// The last item, if there are more.
    last: Option<String>,
    /// Where the bucket is.
    headers: Vec<(String, String)>,
}

impl Objects {
    pub(super) fn list_objects(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let marker = call.text("Marker").unwrap_or_default();
        let (mut shown, page) = self.list(call, marker, true)?;
        shown["Marker"] = encoded(call, marker).into();
        // AWS: without a delimiter the last key is the marker, and is not told twice.
        if let Some(last) = page.last.filter(|_| call.text("Delimiter").is_some()) {
            shown["NextMarker"] = encoded(call, &last).into();
        }
        Ok(Done { headers: page.headers, ..Done::of(shown) })
    }

    pub(super) fn list_objects_v2(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let start = call.text("StartAfter").unwrap_or_default();
        let token = call.text("ContinuationToken");
        let after = match token {
            Some(token) => read(token).ok_or_else(|| {
                let message = "The continuation token provided is incorrect";
                Fault::front(400, "InvalidArgument", message)
                    .with("ArgumentName", "continuation-token")
            })?,
            None => start.to_owned(),
        };
        let with_owner = call.input.get("FetchOwner").and_then(Value::as_bool) == Some(true);
        let (mut shown, page) = self.list(call, &after, with_owner)?;
        shown["KeyCount"] = (page.contents.len() + page.prefixes.len()).into();
        match token {
            Some(token) => shown["ContinuationToken"] = token.into(),
            None if start.is_empty() => {}
            None => shown["StartAfter"] = encoded(call, start).into(),
        }
        if let Some(last) = page.last {
            shown["NextContinuationToken"] = token_of(&last).into();
        }
        shown["Contents"] = page.contents.into();
        Ok(Done { headers: page.headers, ..Done::of(shown) })
    }

    fn list(
        &self,
        call: &Call<'_>,
        after: &str,
        with_owner: bool,
    ) -> Result<(Value, Page), Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        check_encoding(call)?;
        let max = limit(call, "MaxKeys", "max-keys", PAGE)?;
        let mut walk = Walk::new(call, after, max);
        let mut statement = index.prepare_cached(
            "select key, version, file, size, etag, modified_ms, members, sequence from object
             where bucket = ?1 and key >= ?2 and key > ?3 and file is not null and sequence =
                 (select max(sequence) from object as newer
                  where newer.bucket = object.bucket and newer.key = object.key)
             order by key",
        )?;
        let mut rows = statement.query([bucket.name.as_str(), walk.prefix, after])?;
        let mut page = Page::default();
        let region = buckets::region(call, &bucket).to_owned();
        page.headers.push(("x-amz-bucket-region".to_owned(), region));
        let mut last = None;
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            if !key.starts_with(walk.prefix) {
                break;
            }
            match walk.step(&key) {
                Step::Told => {}
                Step::Full => {
                    page.last = last;
                    break;
                }
                Step::Prefix(prefix) => {
                    last = Some(prefix.clone());
                    page.prefixes.push(prefix);
                }
                Step::Item => {
                    let mut item = show(call, &key, &Version::read_at(row, 1)?);
                    if with_owner {
                        item["Owner"] = json!({ "ID": owner(call.account) });
                    }
                    page.contents.push(item);
                    last = Some(key);
                }
            }
        }
        let mut shown = frame(call, &bucket.name, &page.prefixes);
        shown["MaxKeys"] = max.into();
        shown["IsTruncated"] = page.last.is_some().into();
        shown["Contents"] = page.contents.clone().into();
        Ok((shown, page))
    }

    pub(super) fn list_versions(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        check_encoding(call)?;
        let max = limit(call, "MaxKeys", "max-keys", PAGE)?;
        let after = call.text("KeyMarker").unwrap_or_default();
        let id = call.text("VersionIdMarker").filter(|id| !id.is_empty());
        let before = version_marker(&index, call, after, id)?;
        let mut walk = Walk::new(call, after, max);
        let mut statement = index.prepare_cached(
            "select key, version, file, size, etag, modified_ms, members, sequence, sequence =
                 (select max(sequence) from object as newer
                  where newer.bucket = object.bucket and newer.key = object.key)
             from object
             where bucket = ?1 and key >= ?2 and (key > ?3 or key = ?3 and sequence < ?4)
             order by key, sequence desc",
        )?;
        let mut rows = statement.query(params![bucket.name, walk.prefix, after, before])?;
        let (mut versions, mut markers, mut prefixes) = (Vec::new(), Vec::new(), Vec::new());
        let mut last: Option<(String, Option<String>)> = None;
        let mut is_truncated = false;
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            if !key.starts_with(walk.prefix) {
                break;
            }
            match walk.step(&key) {
                Step::Told => {}
                Step::Full => {
                    is_truncated = max > 0;
                    break;
                }
                Step::Prefix(prefix) => {
                    last = Some((prefix.clone(), None));
                    prefixes.push(prefix);
                }
                Step::Item => {
                    let version = Version::read_at(row, 1)?;
                    let mut item = show(call, &key, &version);
                    item["VersionId"] = version.id.as_str().into();
                    item["IsLatest"] = row.get::<_, bool>(8)?.into();
                    item["Owner"] = json!({ "ID": owner(call.account) });
                    if version.is_marker() { &mut markers } else { &mut versions }.push(item);
                    last = Some((key, Some(version.id)));
                }
            }
        }
        let mut shown = frame(call, &bucket.name, &prefixes);
        shown["MaxKeys"] = max.into();
        shown["KeyMarker"] = encoded(call, after).into();
        shown["VersionIdMarker"] = id.unwrap_or_default().into();
        shown["IsTruncated"] = is_truncated.into();
        shown["Versions"] = versions.into();
        shown["DeleteMarkers"] = markers.into();
        if let Some((key, id)) = last.filter(|_| is_truncated) {
            shown["NextKeyMarker"] = encoded(call, &key).into();
            if let Some(id) = id {
                shown["NextVersionIdMarker"] = id.into();
            }
        }
        Ok(Done::of(shown))
    }
}

/// Behind which version of the marker's key a page begins: none, if only the key is told.
fn version_marker(
    index: &rusqlite::Connection,
    call: &Call<'_>,
    key: &str,
    id: Option<&str>,
) -> Result<i64, Refusal> {
    let Some(id) = id else { return Ok(0) };
    if key.is_empty() {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(argument("version-id-marker", id, message).into());
    }
    place_of(index, call.bucket(), key, id)
}

/// What all listings of a bucket say.
fn frame(call: &Call<'_>, bucket: &str, prefixes: &[String]) -> Value {
    let prefix = call.text("Prefix").unwrap_or_default();
    let mut shown = json!({ "Name": bucket, "Prefix": encoded(call, prefix) });
    frame_prefixes(call, &mut shown, prefixes);
    shown
}

/// What all listings say of their items' prefixes.
pub(super) fn frame_prefixes(call: &Call<'_>, shown: &mut Value, prefixes: &[String]) {
    if let Some(delimiter) = call.text("Delimiter").filter(|delimiter| !delimiter.is_empty()) {
        shown["Delimiter"] = encoded(call, delimiter).into();
    }
    if let Some(encoding) = call.text("EncodingType") {
        shown["EncodingType"] = encoding.into();
    }
    let prefixes = prefixes.iter().map(|prefix| json!({ "Prefix": encoded(call, prefix) }));
    shown["CommonPrefixes"] = prefixes.collect();
}

fn show(call: &Call<'_>, key: &str, version: &Version) -> Value {
    let mut shown = Map::new();
    shown.insert("Key".to_owned(), encoded(call, key).into());
    shown.insert("LastModified".to_owned(), moment(version.modified_ms).into());
    if !version.is_marker() {
        shown.insert("ETag".to_owned(), quoted(&version.etag).into());
        shown.insert("Size".to_owned(), version.size.into());
        shown.insert("StorageClass".to_owned(), class(&version.members).into());
        if let Some(checksum) = Checksum::among(&version.members) {
            let algorithm = json!([checksum.algorithm.name()]);
            shown.insert("ChecksumAlgorithm".to_owned(), algorithm);
            shown.insert("ChecksumType".to_owned(), checksum.kind().into());
        }
    }
    Value::Object(shown)
}

/// What a client says to go on behind an item.
pub(super) fn token_of(item: &str) -> String {
    URL_SAFE_NO_PAD.encode(item)
}

/// The item that a token stands for.
pub(super) fn read(token: &str) -> Option<String> {
    let token = Some(token).filter(|token| !token.is_empty())?;
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// How many items a page may have.
pub(super) fn limit(
    call: &Call<'_>,
    member: &str,
    parameter: &str,
    page: usize,
) -> Result<usize, Fault> {
    let Some(max) = call.number(member) else { return Ok(page) };
    let max = usize::try_from(max).map_err(|_| {
        let message = format!("Argument {parameter} must be an integer between 0 and 2147483647");
        argument(parameter, max.to_string(), message)
    })?;
    Ok(max.min(page))
}

pub(super) fn check_encoding(call: &Call<'_>) -> Result<(), Fault> {
    let Some(encoding) = call.text("EncodingType").filter(|encoding| *encoding != "url") else {
        return Ok(());
    };
    let message = "Invalid Encoding Method specified in Request";
    Err(argument("encoding-type", encoding, message))
}

/// Percent-encodes a key for clients that ask for it, because XML cannot hold every character.
pub(super) fn encoded(call: &Call<'_>, text: &str) -> String {
    if call.text("EncodingType") != Some("url") {
        return text.to_owned();
    }
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace("%2F", "/")
}

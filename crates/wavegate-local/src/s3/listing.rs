//! Listings of a bucket's objects: by prefix, with what lies below a delimiter as one, page by page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::store::{Objects, in_index};
use super::{Done, text};
use crate::wire::Fault;
use crate::wire::time::seconds;

/// AWS: items in a page.
const PAGE: usize = 1000;

/// A page of a listing.
#[derive(Debug, Default)]
struct Page {
    contents: Vec<Value>,
    prefixes: Vec<String>,
    /// The last item, if there are more.
    last: Option<String>,
}

impl Objects {
    pub(super) fn list_objects(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        let marker = text(input, "Marker").unwrap_or_default();
        let (mut shown, page) = self.list(input, marker)?;
        shown["Marker"] = encoded(input, marker).into();
        // AWS: without a delimiter the last key is the marker, and is not told twice.
        if let Some(last) = page.last.filter(|_| text(input, "Delimiter").is_some()) {
            shown["NextMarker"] = encoded(input, &last).into();
        }
        Ok(Done::of(shown))
    }

    pub(super) fn list_objects_v2(&self, input: &Map<String, Value>) -> Result<Done, Fault> {
        let start = text(input, "StartAfter").unwrap_or_default();
        let token = text(input, "ContinuationToken");
        let after = match token {
            Some(token) => read(token).ok_or_else(|| {
                let message = "The continuation token provided is incorrect";
                Fault::front(400, "InvalidArgument", message)
            })?,
            None => start.to_owned(),
        };
        let (mut shown, page) = self.list(input, &after)?;
        shown["KeyCount"] = (page.contents.len() + page.prefixes.len()).into();
        if !start.is_empty() {
            shown["StartAfter"] = encoded(input, start).into();
        }
        if let Some(token) = token {
            shown["ContinuationToken"] = token.into();
        }
        if let Some(last) = page.last {
            shown["NextContinuationToken"] = URL_SAFE_NO_PAD.encode(last).into();
        }
        Ok(Done::of(shown))
    }

    fn list(&self, input: &Map<String, Value>, after: &str) -> Result<(Value, Page), Fault> {
        let bucket = text(input, "Bucket").unwrap_or_default();
        self.check_bucket(bucket)?;
        if text(input, "EncodingType").is_some_and(|encoding| encoding != "url") {
            let message = "Invalid Encoding Method specified in Request";
            return Err(Fault::front(400, "InvalidArgument", message));
        }
        let prefix = text(input, "Prefix").unwrap_or_default();
        let delimiter = text(input, "Delimiter").filter(|delimiter| !delimiter.is_empty());
        let max = input.get("MaxKeys").and_then(Value::as_u64);
        let max = max.and_then(|max| usize::try_from(max).ok()).unwrap_or(PAGE).min(PAGE);
        let mut page = self
            .page(input, bucket, (prefix, delimiter), after, max)
            .map_err(|error| in_index(&error))?;
        let mut shown = json!({
            "Name": bucket,
            "Prefix": encoded(input, prefix),
            "MaxKeys": max,
            "IsTruncated": page.last.is_some(),
            "Contents": std::mem::take(&mut page.contents),
        });
        if let Some(delimiter) = delimiter {
            shown["Delimiter"] = encoded(input, delimiter).into();
        }
        if let Some(encoding) = text(input, "EncodingType") {
            shown["EncodingType"] = encoding.into();
        }
        let prefixes = page.prefixes.iter();
        let prefixes = prefixes.map(|prefix| json!({ "Prefix": encoded(input, prefix) }));
        shown["CommonPrefixes"] = prefixes.collect();
        page.contents = shown["Contents"].as_array().cloned().unwrap_or_default();
        Ok((shown, page))
    }

    fn page(
        &self,
        input: &Map<String, Value>,
        bucket: &str,
        (prefix, delimiter): (&str, Option<&str>),
        after: &str,
        max: usize,
    ) -> rusqlite::Result<Page> {
        let index = self.index();
        let mut statement = index.prepare_cached(
            "select key, size, etag, modified_ms from object
             where bucket = ?1 and key >= ?2 and key > ?3 order by key",
        )?;
        let mut rows = statement.query([bucket, prefix, after])?;
        let mut page = Page::default();
        let mut last = String::new();
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            let Some(rest) = key.strip_prefix(prefix) else { break };
            let common = delimiter
                .and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()))
                .map(|end| &key[..prefix.len() + end]);
            // All below one prefix are one item, on whichever page that was shown.
            if common.is_some_and(|common| common == last || after.starts_with(common)) {
                continue;
            }
            if page.contents.len() + page.prefixes.len() == max {
                page.last = Some(last).filter(|_| max > 0);
                break;
            }
            common.unwrap_or(&key).clone_into(&mut last);
            match common {
                Some(common) => page.prefixes.push(common.to_owned()),
                None => page.contents.push(json!({
                    "Key": encoded(input, &key),
                    "LastModified": seconds(row.get(3)?),
                    "ETag": format!("\"{}\"", row.get::<_, String>(2)?),
                    "Size": row.get::<_, i64>(1)?,
                    "StorageClass": "STANDARD",
                })),
            }
        }
        Ok(page)
    }
}

fn read(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// Percent-encodes a key for clients that ask for it, because XML cannot hold every character.
pub(super) fn encoded(input: &Map<String, Value>, text_of: &str) -> String {
    if text(input, "EncodingType") != Some("url") {
        return text_of.to_owned();
    }
    let encoded: String = form_urlencoded::byte_serialize(text_of.as_bytes()).collect();
    encoded.replace("%2F", "/")
}

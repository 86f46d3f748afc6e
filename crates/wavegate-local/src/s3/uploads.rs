//! Listings of uploads that are under way, and of their parts.

use rusqlite::params;
use serde_json::{Value, json};

use super::listing::{Step, Walk, check_encoding, encoded, frame_prefixes, limit};
use super::parts::{self, Part, Upload};
use super::refusal::{Refusal, argument};
use super::show::{class, moment, owner, quoted};
use super::store::Objects;
use super::{Call, Done, buckets};

/// AWS: items of a page.
const PAGE: usize = 1000;

impl Objects {
    pub(super) fn list_parts(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let upload = parts::upload(&index, call)?;
        let after = call.number("PartNumberMarker").unwrap_or(0);
        let max = limit(call, "MaxParts", "max-parts", PAGE)?;
        let mut page = parts::parts(&index, &upload.id)?;
        page.retain(|part| part.number > after);
        let is_truncated = page.len() > max;
        page.truncate(max);
        let shown: Vec<Value> = page.iter().map(|part| show_part(&upload, part)).collect();
        let mut answer = json!({
            "Bucket": call.bucket(), "Key": upload.key, "UploadId": upload.id,
            "PartNumberMarker": after,
            "NextPartNumberMarker": page.last().map_or(0, |part| part.number),
            "MaxParts": max, "IsTruncated": is_truncated, "Parts": shown,
            "StorageClass": class(&upload.members), "Owner": { "ID": owner(call.account) },
            "Initiator": initiator(call),
        });
        show_counting(&upload, &mut answer);
        Ok(Done::of(answer))
    }

    /// AWS: uploads of one key stand in the order of their beginnings, and a marker of an upload counts
    /// only beside that of its key.
    pub(super) fn list_uploads(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        check_encoding(call)?;
        let max = limit(call, "MaxUploads", "max-uploads", PAGE)?;
        let after = call.text("KeyMarker").unwrap_or_default();
        let id = call.text("UploadIdMarker").filter(|id| !id.is_empty() && !after.is_empty());
        let columns = Upload::COLUMNS;
        let mut statement = index.prepare_cached(&format!(
            "select {columns} from upload where bucket = ?1 and key >= ?2 and key >= ?3
             order by key, created_ms, rowid"
        ))?;
        let mut walk = Walk::new(call, after, max);
        let prefix = call.text("Prefix").unwrap_or_default();
        let all = statement.query_map(params![bucket.name, prefix, after], Upload::read)?;
        let mut all: Vec<Upload> = all.collect::<Result<_, _>>()?;
        let begin = match id {
            Some(id) => {
                let is_marker = |upload: &Upload| upload.key == after && upload.id == id;
                let marker = all
                    .iter()
                    .position(is_marker)
                    .ok_or_else(|| argument("upload-id-marker", id, "Invalid uploadId marker"))?;
                marker + 1
            }
            None => all.iter().take_while(|upload| upload.key == after).count(),
        };
        let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
        let mut next = (String::new(), String::new());
        let mut is_truncated = false;
        for upload in all.drain(begin..).take_while(|upload| upload.key.starts_with(prefix)) {
            match walk.step(&upload.key) {
                Step::Told => {}
                Step::Full => {
                    is_truncated = max > 0;
                    break;
                }
                // AWS: a page that ends with a prefix does not say where the next one begins.
                Step::Prefix(prefix) => {
                    prefixes.push(prefix);
                    next = (String::new(), String::new());
                }
                Step::Item => {
                    uploads.push(show_upload(call, &upload));
                    next = (upload.key, upload.id);
                }
            }
        }
        let mut answer = json!({
            "Bucket": bucket.name, "KeyMarker": encoded(call, after),
            "UploadIdMarker": id.unwrap_or_default(), "NextKeyMarker": encoded(call, &next.0),
            "NextUploadIdMarker": next.1, "MaxUploads": max, "IsTruncated": is_truncated,
            "Uploads": uploads,
        });
        if !prefix.is_empty() {
            answer["Prefix"] = encoded(call, prefix).into();
        }
        frame_prefixes(call, &mut answer, &prefixes);
        Ok(Done::of(answer))
    }
}

fn initiator(call: &Call<'_>) -> Value {
    json!({ "ID": owner(call.account), "DisplayName": "wavegate" })
}

fn show_counting(upload: &Upload, shown: &mut Value) {
    if let (Some(algorithm), Some(kind)) = (upload.algorithm(), upload.kind()) {
        shown["ChecksumAlgorithm"] = algorithm.name().into();
        shown["ChecksumType"] = kind.into();
    }
}

fn show_upload(call: &Call<'_>, upload: &Upload) -> Value {
    let mut shown = json!({
        "Key": encoded(call, &upload.key), "UploadId": upload.id,
        "Initiated": moment(upload.created_ms), "StorageClass": class(&upload.members),
        "Owner": { "ID": owner(call.account) }, "Initiator": initiator(call),
    });
    show_counting(upload, &mut shown);
    shown
}

/// AWS: checksums of parts are shown where the client said how they are counted.
fn show_part(upload: &Upload, part: &Part) -> Value {
    let mut shown = json!({
        "PartNumber": part.number, "LastModified": moment(part.modified_ms),
        "ETag": quoted(&part.etag), "Size": part.size,
    });
    if let Some(algorithm) = upload.algorithm()
        && let Some(sum) = part.sum(algorithm)
    {
        shown[algorithm.member()] = sum.into();
    }
    shown
}

//! Objects: put and read.

use std::fs::File;

use serde_json::{Value, json};

use super::checksum::{Algorithm, Checksum};
use super::conditions::{self, Verdict};
use super::ranges::{self, Part};
use super::receive::{Announced, CONTENT_MAX, Given, Intake};
use super::refusal::{Refusal, invalid};
use super::rows::{Bucket, NULL, Version, Versioning};
use super::show::{self, check_archive, check_key, kept, quoted};
use super::store::{Content, Objects};
use super::{Call, Done, buckets};
use crate::code::hex;

impl Objects {
    /// Judges a request before its content is taken in, and prepares for that.
    pub(super) fn admit(
        &self,
        call: &Call<'_>,
        announced: Announced,
    ) -> Result<(Intake<File>, Content), Refusal> {
        buckets::check_owner(&self.index(), call)?;
        let wanted = if call.text("UploadId").is_some() {
            self.admit_part(call, announced.algorithm())?
        } else {
            let index = self.index();
            let bucket = buckets::bucket(&index, call.bucket())?;
            check_key(call.key())?;
            kept(call, &index, &bucket)?;
            conditions::check_write(call)?;
            announced.algorithm().unwrap_or(Algorithm::Crc64Nvme)
        };
        let content = self.new_content(call.bucket())?;
        let file = content.create()?;
        Ok((announced.begin(file, CONTENT_MAX, Some(wanted))?, content))
    }

    pub(super) fn put_object(&self, call: &Call<'_>, given: Given) -> Result<Done, Refusal> {
        let Given { content, received } = given;
        let algorithm = received.algorithm.unwrap_or(Algorithm::Crc64Nvme);
        let mut index = self.index();
        let bucket = buckets::bucket(&index, call.bucket())?;
        let mut members = kept(call, &index, &bucket)?;
        if let Some(value) = received.counted.get(algorithm) {
            Checksum::of_whole(algorithm, value).show(&mut members);
        }
        let current = self.current(&index, &bucket.name, call.key())?;
        conditions::of_write(call, current.as_ref())?;
        let version = Version {
            id: NULL.to_owned(),
            file: Some(content.name.clone()),
            size: received.size,
            etag: hex(&received.counted.md5),
            modified_ms: call.now_ms,
            members,
            sequence: 0,
        };
        let mut shown = show::encryption(&version.members);
        shown["ETag"] = quoted(&version.etag).into();
        if let (Some(checksum), Some(shown)) =
            (Checksum::among(&version.members), shown.as_object_mut())
        {
            checksum.show(shown);
        }
        let id = self.put_version(&mut index, &bucket, call.key(), version, None)?;
        content.keep();
        if bucket.versioning == Versioning::Enabled {
            shown["VersionId"] = id.into();
        }
        Ok(Done::of(shown))
    }

    pub(super) fn get_object(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let (bucket, version, parts, file) = {
            // While the index is held nothing is removed, and what is open stays readable.
            let index = self.index();
            let (bucket, version, parts) = self.wanted(call, &index)?;
            check_archive(&version.members)?;
            let name = version.file.as_deref().unwrap_or_default();
            let file = File::open(self.place(&bucket.name, name))?;
            (bucket, version, parts, file)
        };
        let mut done = read(call, &bucket, &version, &parts)?;
        if done.status != Some(304) {
            show::override_head(call, &mut done.output.members)?;
            let range = ranges::part(call, &version, &parts)?.range();
            done.content = Some((file, range));
        }
        Ok(done)
    }

    pub(super) fn head_object(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let (bucket, version, parts) = self.wanted(call, &self.index())?;
        let mut done = read(call, &bucket, &version, &parts)?;
        show::override_head(call, &mut done.output.members)?;
        Ok(done)
    }

    /// The version that is to be read, with its parts as far as they matter.
    fn wanted(
        &self,
        call: &Call<'_>,
        index: &rusqlite::Connection,
    ) -> Result<(Bucket, Version, Vec<Value>), Refusal> {
        let bucket = buckets::bucket(index, call.bucket())?;
        let version = self.version(index, &bucket, call.key(), call.text("VersionId"), "GET")?;
        let parts = match call.number("PartNumber") {
            Some(_) => version.parts(index)?,
            None => Vec::new(),
        };
        Ok((bucket, version, parts))
    }
}

/// Everything of an answer to a read but the content.
fn read(
    call: &Call<'_>,
    bucket: &Bucket,
    version: &Version,
    parts: &[Value],
) -> Result<Done, Refusal> {
    if call.text("Range").is_some() && call.number("PartNumber").is_some() {
        return Err(
            invalid("Cannot specify both Range header and partNumber query parameter").into()
        );
    }
    if let Verdict::Known(_) = conditions::of_read(call, version)? {
        let shown = json!({ "ETag": quoted(&version.etag) });
        return Ok(Done { status: Some(304), ..Done::of(shown) });
    }
    let part = ranges::part(call, version, parts)?;
    let range = part.range();
    let mut shown = show::head(bucket, version);
    shown.insert("ContentLength".to_owned(), (range.end - range.start).into());
    let mut status = None;
    if !matches!(part, Part::Whole(_)) {
        let last = range.end.saturating_sub(1);
        let place = format!("bytes {}-{last}/{}", range.start, version.size);
        shown.insert("ContentRange".to_owned(), place.into());
        status = Some(206);
    }
    let wants_sum =
        call.text("ChecksumMode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"));
    let of_object = Checksum::among(&version.members);
    if let Part::Uploaded(_, part) = part {
        shown.insert("PartsCount".to_owned(), parts.len().into());
        let of_part = part.as_object().and_then(Checksum::among);
        // A part's own checksum stands for what the object's was counted over.
        if wants_sum && of_object.as_ref().is_some_and(|checksum| checksum.is_composite) {
            let of_part = of_part.map(|checksum| Checksum { is_composite: true, ..checksum });
            of_part.inspect(|checksum| checksum.show(&mut shown));
            return Ok(Done { status, ..Done::of(Value::Object(shown)) });
        }
    }
    if let Some(checksum) = of_object.filter(|_| wants_sum && range == (0..version.size)) {
        checksum.show(&mut shown);
    }
    Ok(Done { status, ..Done::of(Value::Object(shown)) })
}

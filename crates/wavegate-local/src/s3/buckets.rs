//! Buckets, and what is set for them as a whole.

use rusqlite::{Connection, OptionalExtension as _};
use serde_json::{Value, json};

use super::listing::{self, limit};
use super::refusal::{Refusal, malformed};
use super::rows::{Bucket, Versioning};
use super::show::{moment, owner};
use super::store::Objects;
use super::{Call, Done, settings, tags};
use crate::private;
use crate::wire::Fault;
use crate::wire::model::{Kind, S3};

/// The region that has no name among locations.
const FIRST_REGION: &str = "us-east-1";
/// AWS: buckets of a page.
const PAGE: usize = 10_000;

impl Objects {
    pub(super) fn list_buckets(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let prefix = call.text("Prefix").unwrap_or_default();
        let region = call.text("BucketRegion");
        let max = limit(call, "MaxBuckets", "max-buckets", PAGE)?;
        if let Some(region) =
            region.filter(|region| *region != FIRST_REGION && !is_location(region))
        {
            let message = format!("Argument value {region} is not a valid AWS Region");
            let fault = Fault::front(400, "InvalidArgument", message);
            return Err(fault.with("ArgumentName", "bucket-region").into());
        }
        let after = call.text("ContinuationToken").and_then(listing::read).unwrap_or_default();
        let index = self.index();
        let all = Bucket::list(&index, &after)?;
        let mut fitting = all.into_iter().filter(|bucket| {
            bucket.name.starts_with(prefix)
                && is_of(call, bucket)
                && region.is_none_or(|region| region == self::region(call, bucket))
        });
        let page: Vec<Bucket> = fitting.by_ref().take(max).collect();
        let shown = page.iter().map(|bucket| {
            json!({
                "Name": bucket.name, "CreationDate": moment(bucket.created_ms),
                "BucketRegion": self::region(call, bucket), "BucketArn": arn(&bucket.name),
            })
        });
        let mut answer =
            json!({ "Buckets": shown.collect::<Value>(), "Owner": { "ID": owner(call.account) } });
        if !prefix.is_empty() {
            answer["Prefix"] = prefix.into();
        }
        if let (Some(_), Some(last)) = (fitting.next(), page.last()) {
            answer["ContinuationToken"] = listing::token_of(&last.name).into();
        }
        Ok(Done::of(answer))
    }

    /// AWS: in the first region who makes a bucket that is their own has it; elsewhere that is refused.
    pub(super) fn create_bucket(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let name = call.bucket();
        check_name(name)?;
        let configuration = call.input.get("CreateBucketConfiguration").unwrap_or(&Value::Null);
        let region = location(call, configuration)?;
        let tags = match configuration.get("Tags") {
            Some(tags) => tags::checked_of_new_bucket(tags)?,
            None => json!([]),
        };
        let mut index = self.index();
        let shown = json!({ "Location": address(call, name, &region), "BucketArn": arn(name) });
        if let Some(bucket) = Bucket::find(&index, name)? {
            if !is_of(call, &bucket) {
                let message = "The requested bucket name is not available. The bucket namespace is shared \
                               by all users of the system. Please select a different name and try again.";
                let fault = Fault::front(409, "BucketAlreadyExists", message);
                return Err(fault.with("BucketName", name).into());
            }
            let is_first =
                call.region == FIRST_REGION && self::region(call, &bucket) == call.region;
            if is_first && tags.as_array().is_none_or(Vec::is_empty) {
                return Ok(Done::of(shown));
            }
            let message = "Your previous request to create the named bucket succeeded and you already own it.";
            let fault = Fault::front(409, "BucketAlreadyOwnedByYou", message);
            return Err(fault.with("BucketName", name).into());
        }
        let set = settings::of_new_bucket(call)?;
        private::directory(&self.place(name, ""))?;
        let bucket = Bucket {
            name: name.to_owned(),
            created_ms: call.now_ms,
            region,
            owner: call.account.to_owned(),
            versioning: if settings::locks(call) { Versioning::Enabled } else { Versioning::Never },
            tags,
        };
        let change = index.transaction()?;
        bucket.save(&change)?;
        for (setting, value) in set {
            settings::save(&change, name, setting, &value)?;
        }
        change.commit()?;
        Ok(Done::of(shown))
    }

    pub(super) fn head_bucket(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let bucket = self::bucket(&self.index(), call.bucket())?;
        Ok(Done::of(json!({
            "BucketRegion": region(call, &bucket), "BucketArn": arn(&bucket.name),
            "AccessPointAlias": false,
        })))
    }

    pub(super) fn get_location(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let bucket = self::bucket(&self.index(), call.bucket())?;
        // What was asked for may be a name of before regions had theirs.
        let named = if bucket.region.is_empty() { call.region } else { &bucket.region };
        Ok(Done::of(match named {
            FIRST_REGION => json!({}),
            named => json!({ "LocationConstraint": named }),
        }))
    }

    pub(super) fn delete_bucket(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let bucket = self::bucket(&index, call.bucket())?;
        let is_used = index
            .query_row("select 1 from object where bucket = ?1 limit 1", [&bucket.name], |_| Ok(()))
            .optional()?
            .is_some();
        if is_used {
            return Err(not_empty(&bucket).into());
        }
        // Contents of uploads that were never completed go with it.
        self.forget_uploads(&index, &bucket.name)?;
        std::fs::remove_dir(self.place(&bucket.name, "")).map_err(|error| match error.kind() {
            std::io::ErrorKind::DirectoryNotEmpty => Refusal::from(not_empty(&bucket)),
            _ => Refusal::from(error),
        })?;
        index.execute("delete from bucket where name = ?1", [&bucket.name])?;
        Ok(Done::of(Value::Null))
    }

    pub(super) fn get_versioning(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let bucket = self::bucket(&self.index(), call.bucket())?;
        Ok(Done::of(match bucket.versioning.name() {
            Some(name) => json!({ "Status": name }),
            None => json!({}),
        }))
    }

    pub(super) fn put_versioning(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let index = self.index();
        let mut bucket = self::bucket(&index, call.bucket())?;
        let configuration = call.input.get("VersioningConfiguration").unwrap_or(&Value::Null);
        let Some(status) = configuration["Status"].as_str().filter(|status| !status.is_empty())
        else {
            let message = "The Versioning element must be specified";
            let code = "IllegalVersioningConfigurationException";
            return Err(Fault::front(400, code, message).into());
        };
        bucket.versioning = Versioning::named(status).ok_or_else(malformed)?;
        if bucket.versioning == Versioning::Suspended {
            settings::check_suspension(&index, &bucket)?;
        }
        bucket.save(&index)?;
        Ok(Done::of(json!({})))
    }
}

/// Refuses a request that means a bucket of another owner.
pub(super) fn check_owner(index: &Connection, call: &Call<'_>) -> Result<(), Refusal> {
    let Some(owner) = call.text("ExpectedBucketOwner") else { return Ok(()) };
    if owner.len() != 12 || !owner.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!(
            "The value of the expected bucket owner parameter must be an AWS Account ID... [{owner}]"
        );
        return Err(Fault::front(400, "InvalidBucketOwnerAWSAccountID", message).into());
    }
    let is_owner = Bucket::find(index, call.bucket())?.is_none_or(|bucket| {
        owner == if bucket.owner.is_empty() { call.account } else { &bucket.owner }
    });
    if is_owner { Ok(()) } else { Err(Fault::front(403, "AccessDenied", "Access Denied").into()) }
}

/// A bucket that is there.
pub(super) fn bucket(index: &Connection, name: &str) -> Result<Bucket, Refusal> {
    check_name(name)?;
    Bucket::find(index, name)?.ok_or_else(|| {
        let message = "The specified bucket does not exist";
        Fault::front(404, "NoSuchBucket", message).with("BucketName", name).into()
    })
}

fn arn(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

/// Whether a bucket is the own of who asks.
fn is_of(call: &Call<'_>, bucket: &Bucket) -> bool {
    bucket.owner.is_empty() || bucket.owner == call.account
}

/// Where a bucket is.
pub(super) fn region<'a>(call: &Call<'a>, bucket: &'a Bucket) -> &'a str {
    match bucket.region.as_str() {
        "" => call.region,
        "EU" => "eu-west-1",
        region => region,
    }
}

/// AWS: elsewhere than in the first region the answer says the host.
fn address(call: &Call<'_>, name: &str, region: &str) -> String {
    if region == FIRST_REGION {
        return format!("/{name}");
    }
    let host = call.origin.strip_prefix("http://").unwrap_or(call.origin);
    // Numbers have no hosts below them.
    if host.starts_with(|first: char| first.is_ascii_digit() || first == '[') {
        format!("http://{host}/{name}")
    } else {
        format!("http://{name}.{host}/")
    }
}

/// Where a new bucket is to be. AWS: its place in the first region cannot be said, and elsewhere must be.
fn location(call: &Call<'_>, configuration: &Value) -> Result<String, Fault> {
    let asked = configuration["LocationConstraint"].as_str().filter(|asked| !asked.is_empty());
    let is_first = call.region == FIRST_REGION;
    let is_place = |asked: &str| asked != FIRST_REGION && is_location(asked);
    match asked {
        None if is_first => Ok(FIRST_REGION.to_owned()),
        Some(asked) if is_first && !is_place(asked) => {
            let message = "The specified location-constraint is not valid";
            Err(Fault::front(400, "InvalidLocationConstraint", message)
                .with("LocationConstraint", asked))
        }
        Some(asked) if is_first || asked == call.region => Ok(asked.to_owned()),
        Some("EU") if call.region == "eu-west-1" => Ok("EU".to_owned()),
        asked => {
            let asked = asked.unwrap_or("unspecified");
            let message = format!(
                "The {asked} location constraint is incompatible for the region specific endpoint this \
                 request was sent to."
            );
            Err(Fault::front(400, "IllegalLocationConstraintException", message))
        }
    }
}

/// Whether AWS's model knows a place.
fn is_location(name: &str) -> bool {
    let operation = S3.operations.get("GetBucketLocation").and_then(|it| it.output);
    let member = operation.and_then(|output| S3.shape(output).member("LocationConstraint"));
    member.is_none_or(|member| match S3.shape_of(member).kind {
        Kind::Text => S3.shape_of(member).choices.iter().any(|choice| choice == name),
        _ => true,
    })
}

fn check_name(name: &str) -> Result<(), Fault> {
    let legal =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let is_name = (3..=63).contains(&name.len())
        && name.bytes().all(legal)
        && name.as_bytes()[0].is_ascii_alphanumeric();
    if is_name {
        return Ok(());
    }
    let fault = Fault::front(400, "InvalidBucketName", "The specified bucket is not valid.");
    Err(fault.with("BucketName", name))
}

fn not_empty(bucket: &Bucket) -> Fault {
    let message = match bucket.versioning {
        Versioning::Never => "The bucket you tried to delete is not empty",
        Versioning::Enabled | Versioning::Suspended => {
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
        }
    };
    Fault::front(409, "BucketNotEmpty", message).with("BucketName", bucket.name.as_str())
}

//! What AWS refuses of settings that have few rules, and adds to them.

use serde_json::{Value, json};

use super::super::refusal::{Refusal, invalid, malformed};
use super::super::rows::{Bucket, Versioning};
use super::super::{buckets, grants};
use super::table::Put;
use super::{each, identify};
use crate::wire::Fault;

/// Where no name is said in an address.
const FIRST_REGION: &str = "us-east-1";

pub(super) fn encryption(_: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    let rules = value["Rules"].as_array_mut().filter(|rules| rules.len() == 1);
    for rule in rules.ok_or_else(malformed)? {
        let default = &rule["ApplyServerSideEncryptionByDefault"];
        let is_kms = default["SSEAlgorithm"].as_str().is_some_and(|it| it.starts_with("aws:kms"));
        if default["KMSMasterKeyID"].is_string() && !is_kms {
            let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms \
                           or aws:kms:dsse";
            let fault = Fault::front(400, "InvalidArgument", message);
            return Err(fault.with("ArgumentName", "ApplyServerSideEncryptionByDefault").into());
        }
        if rule["BucketKeyEnabled"].is_null() {
            rule["BucketKeyEnabled"] = false.into();
        }
    }
    Ok(())
}

/// What is not said is not blocked.
pub(super) fn public_access(value: &mut Value) {
    for name in
        ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
    {
        if value[name].is_null() {
            value[name] = false.into();
        }
    }
}

pub(super) fn ownership(put: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    if each(&value["Rules"]).count() != 1 {
        return Err(malformed().into());
    }
    if value["Rules"][0]["ObjectOwnership"] == super::ENFORCED {
        grants::check_owners_alone(put.call, put.index, put.bucket)?;
    }
    Ok(())
}

pub(super) fn cors(_: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];
    for method in each(&value["CORSRules"]).flat_map(|rule| each(&rule["AllowedMethods"])) {
        let method = method.as_str().unwrap_or_default();
        if !METHODS.contains(&method) {
            let message = format!(
                "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            );
            return Err(invalid(message).into());
        }
    }
    Ok(())
}

/// AWS: logs go to a bucket that is there, in the same region.
pub(super) fn logging(put: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    let Some(target) = value["LoggingEnabled"]["TargetBucket"].as_str() else { return Ok(()) };
    let Some(found) = Bucket::find(put.index, target)? else {
        let message = "The target bucket for logging does not exist";
        let fault = Fault::front(400, "InvalidTargetBucketForLogging", message);
        return Err(fault.with("TargetBucket", target).into());
    };
    let (from, to) = (buckets::region(put.call, put.bucket), buckets::region(put.call, &found));
    if from == to {
        return Ok(());
    }
    // The space stands in AWS's message, and the letter in its code.
    let message = "Cross S3 location logging not allowed. ";
    let mut fault = Fault::front(403, "CrossLocationLoggingProhibitted", message)
        .with("TargetBucketLocation", to);
    if from != FIRST_REGION {
        fault = fault.with("SourceBucketLocation", from);
    }
    Err(fault.into())
}

pub(super) fn acceleration(put: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    if put.bucket.name.contains('.') {
        let message =
            "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names";
        return Err(invalid(message).into());
    }
    if value["Status"].is_null() { Err(malformed().into()) } else { Ok(()) }
}

pub(super) fn replication(put: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    if each(&value["Rules"]).next().is_none() {
        return Err(malformed().into());
    }
    if put.bucket.versioning != Versioning::Enabled {
        let message =
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration";
        return Err(invalid(message).into());
    }
    for rule in each(&value["Rules"]) {
        let target = rule["Destination"]["Bucket"].as_str().unwrap_or_default();
        let target = target.rsplit(':').next().unwrap_or_default();
        let found = Bucket::find(put.index, target)?;
        if found.is_none_or(|found| found.versioning != Versioning::Enabled) {
            return Err(invalid("Destination bucket must have versioning enabled.").into());
        }
    }
    identify(&mut value["Rules"], "ID")
}

pub(super) fn lock(put: &Put<'_>, value: &mut Value) -> Result<(), Refusal> {
    let rule = &value["Rule"];
    let retention = &rule["DefaultRetention"];
    let is_rule = rule.is_null()
        || (retention["Mode"].is_string()
            && retention["Days"].is_null() != retention["Years"].is_null());
    if value["ObjectLockEnabled"] != json!("Enabled") || !is_rule {
        return Err(malformed().into());
    }
    if put.bucket.versioning != Versioning::Enabled {
        let message =
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
        return Err(Fault::front(409, "InvalidBucketState", message).into());
    }
    Ok(())
}

//! The table of settings.
//!
//! What their operations take and give stands in AWS's model, so a row has only what the model does not
//! say: what a bucket has where nothing was set, and what AWS refuses beside what the model does.

use rusqlite::Connection;
use serde_json::Value;

use self::Unset::{Always, AtFirst, Nothing};
use super::super::Call;
use super::super::refusal::Refusal;
use super::super::rows::Bucket;
use super::{document, find, lifecycle, notification, rules, website};
use crate::wire::Fault;
use crate::wire::model::{Kind, Operation, S3, Shape};

/// A setting.
#[derive(Debug)]
pub(super) struct Setting {
    /// What its operations are called behind `Get` and `Put`.
    pub(super) name: &'static str,
    /// And behind `Delete`, if that is otherwise.
    pub(super) deleted_as: Option<&'static str>,
    pub(super) unset: Unset,
    pub(super) check: Check,
}

/// Refuses what AWS's model allows and AWS does not, and says what AWS adds.
pub(super) type Check = fn(&Put<'_>, &mut Value) -> Result<(), Refusal>;

/// What a bucket has where nothing was set.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unset {
    /// Nothing, which is an error: its code and message.
    Nothing(&'static str, &'static str),
    /// This.
    Always(&'static str),
    /// This, until it is deleted; then there is nothing.
    AtFirst(&'static str, &'static str, &'static str),
}

/// What an operation does with a setting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Get,
    Put,
    Delete,
}

/// What is asked when something is set.
#[derive(Debug)]
pub(super) struct Put<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) index: &'a Connection,
    pub(super) bucket: &'a Bucket,
}

pub(super) const ENCRYPTION: Setting = Setting::new(
    "BucketEncryption",
    Always(
        r#"{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"},"BucketKeyEnabled":false}]}"#,
    ),
    rules::encryption,
);

/// AWS: as long as nobody says otherwise, all objects are the bucket's owner's.
pub(super) const OWNERSHIP: Setting = Setting::new(
    "BucketOwnershipControls",
    AtFirst(
        r#"{"Rules":[{"ObjectOwnership":"BucketOwnerEnforced"}]}"#,
        "OwnershipControlsNotFoundError",
        "The bucket ownership controls were not found",
    ),
    rules::ownership,
);

pub(super) const POLICY: Setting = Setting::new(
    "BucketPolicy",
    Nothing("NoSuchBucketPolicy", "The bucket policy does not exist"),
    document::check,
);

pub(super) const LOCK: Setting = Setting::new(
    "ObjectLockConfiguration",
    Nothing(
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    rules::lock,
);

/// All of them.
pub(super) static ALL: [Setting; 13] = [
    ENCRYPTION,
    Setting::new(
        "PublicAccessBlock",
        AtFirst(
            r#"{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":true}"#,
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
        |_, value| {
            rules::public_access(value);
            Ok(())
        },
    ),
    OWNERSHIP,
    POLICY,
    Setting {
        deleted_as: Some("BucketLifecycle"),
        ..Setting::new(
            "BucketLifecycleConfiguration",
            Nothing("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
            lifecycle::check,
        )
    },
    Setting::new(
        "BucketCors",
        Nothing("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
        rules::cors,
    ),
    Setting::new(
        "BucketWebsite",
        Nothing(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
        website::check,
    ),
    Setting::new("BucketLogging", Always("{}"), rules::logging),
    Setting::new("BucketNotificationConfiguration", Always("{}"), notification::check),
    Setting::new("BucketAccelerateConfiguration", Always("{}"), rules::acceleration),
    Setting::new("BucketRequestPayment", Always(r#"{"Payer":"BucketOwner"}"#), |_, _| Ok(())),
    Setting::new(
        "BucketReplication",
        Nothing(
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ),
        rules::replication,
    ),
    LOCK,
];

impl Setting {
    const fn new(name: &'static str, unset: Unset, check: Check) -> Self {
        Self { name, deleted_as: None, unset, check }
    }

    /// Which one an operation is for, and what it does with it.
    pub(super) fn of_operation(operation: &str) -> Option<(&'static Self, Verb)> {
        ALL.iter().find_map(|setting| {
            let verb = match operation.split_at_checked(3)? {
                ("Get", name) if name == setting.name => Verb::Get,
                ("Put", name) if name == setting.name => Verb::Put,
                _ if operation.strip_prefix("Delete")?
                    == setting.deleted_as.unwrap_or(setting.name) =>
                {
                    Verb::Delete
                }
                _ => return None,
            };
            Some((setting, verb))
        })
    }

    /// What a bucket has; none is an error.
    pub(super) fn of(&self, index: &Connection, bucket: &Bucket) -> Result<Value, Refusal> {
        let nothing = |code, message| {
            let fault = Fault::front(404, code, message);
            Err(fault.with("BucketName", bucket.name.as_str()).into())
        };
        match (find(index, &bucket.name, self.name)?, self.unset) {
            (Some(kept), _) if !kept.is_null() => Ok(kept),
            (_, Always(text)) | (None, AtFirst(text, ..)) => {
                Ok(serde_json::from_str(text).unwrap_or_default())
            }
            (_, Nothing(code, message) | AtFirst(_, code, message)) => nothing(code, message),
        }
    }

    pub(super) fn put(&self) -> Option<&'static Operation> {
        S3.operations.get(&format!("Put{}", self.name))
    }

    /// The member of a request that has it.
    pub(super) fn member(&self) -> &'static str {
        match self.put().and_then(|put| put.input).map(|id| &S3.shape(id).kind) {
            Some(Kind::Structure { payload: Some(name), .. }) => name,
            _ => self.name,
        }
    }

    /// The shape of what an operation gives.
    pub(super) fn shown(operation: &str) -> Option<&'static Shape> {
        Some(S3.shape(S3.operations.get(operation)?.output?))
    }
}

//! Preparation: from an artifact to a published, active version. Moves no traffic.
//!
//! Order: configuration first, code and publication last, because `UpdateFunctionCode` can publish
//! in the same call. Every write carries the revision id that was read after the previous one had
//! settled; a lost answer is judged by reading.

use wavegate_core::inventory::Artifact;
use wavegate_core::name::VersionId;
use wavegate_core::plan::{FunctionPlan, same_config};
use wavegate_core::release::{Prepared, Priority};

use crate::Engine;
use crate::caller::{Quota, Retry};
use crate::ports::{CloudError, FaultKind, FunctionView};

/// How long a function or version may take to settle. SnapStart snapshots take minutes; AWS's own
/// waiter for published versions gives up after 26 minutes.
const SETTLE_FOR_MS: u64 = 26 * 60 * 1000;

/// How long to wait between two looks at something that settles: quick at first, because most
/// updates take a second or two, then less often.
const LOOK_EVERY_MS: [u64; 5] = [250, 500, 1_000, 1_500, 2_000];

/// How often a write is begun again because somebody else changed the function in between.
const CONFLICTS_MAX: u32 = 4;

/// How often one write may be throttled before the release fails.
const THROTTLES_MAX: u32 = 30;

/// How long credentials that expired may stay so: a pipeline refreshes them within seconds, a person
/// logs in again within minutes.
const CREDENTIALS_FOR_MS: u64 = 5 * 60 * 1000;

/// How long a role that was made a moment ago may be unknown to Lambda: IAM takes some seconds to
/// tell everybody. Terraform and SAM wait in the same way.
const ROLE_FOR_MS: u64 = 60_000;

/// The longest pause between two tries meanwhile, in half seconds.
const PAUSES_MAX: u32 = 10;

/// A version has the function's own description: another one would be a change that every later plan
/// finds and no release can make.
const OWN_TEXT: &str = "";

/// Says what is being done, in words.
pub(crate) type Say<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Publishes the version that the plan wants.
pub(crate) async fn prepare(
    engine: &Engine,
    function: &FunctionPlan,
    say: Say<'_>,
) -> Result<Prepared, String> {
    let job = Job { engine, function, say };
    job.run().await.map_err(|error| error.to_string())
}

impl From<CloudError> for PrepareError {
    fn from(error: CloudError) -> Self {
        Self::Cloud(Box::new(error))
    }
}

struct Job<'a> {
    engine: &'a Engine,
    function: &'a FunctionPlan,
    say: Say<'a>,
}

#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error("{0}")]
    Cloud(Box<CloudError>),
    #[error("version {version} is {state}: {reason}")]
    Broken { version: String, state: String, reason: String },
    #[error("{what} did not settle within {minutes} minutes")]
    Slow { what: String, minutes: u64 },
    #[error("Lambda has code {theirs}, but {ours} was sent: somebody else deploys this function")]
    OtherCode { ours: String, theirs: String },
    #[error("nothing to deploy: the plan has no artifact")]
    NoArtifact,
    #[error("`{bucket}` took the package, but: {source}")]
    Bucket { bucket: String, source: Box<CloudError> },
}

impl Job<'_> {
    async fn run(&self) -> Result<Prepared, PrepareError> {
        let code = self.code().await?;
        let mut conflicts = 0;
        loop {
            let result = match self.latest().await? {
                None => self.create(&code).await,
                Some(latest) => self.update(&code, latest).await,
            };
            match result {
                // Lambda moves the revision id itself when an update settles, and somebody else
                // may have been at work: look again and begin again, a few times.
                Err(PrepareError::Cloud(error))
                    if matches!(
                        error.kind,
                        FaultKind::Precondition
                            | FaultKind::AlreadyExists
                            | FaultKind::UpdateInProgress
                            | FaultKind::Unknown
                    ) && conflicts < CONFLICTS_MAX =>
                {
                    conflicts += 1;
                    (self.say)(&format!("{error}; looking again"));
                    self.pause(conflicts).await;
                }
                result => return result,
            }
        }
    }

    /// The artifact as Lambda takes it: large packages go through S3.
    async fn code(&self) -> Result<Artifact, PrepareError> {
        let artifact = self.function.artifact.clone().ok_or(PrepareError::NoArtifact)?;
        let Artifact::Zip { code_sha256, zipped_bytes, path, .. } = &artifact else {
            return Ok(artifact);
        };
        let Some(bucket) =
            self.engine.settings.artifact_bucket.as_ref().filter(|_| *zipped_bytes > DIRECT_MAX)
        else {
            return Ok(artifact);
        };
        // Base 64 has characters that keys should not have.
        let hash: String =
            code_sha256.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let key = format!("wavegate/{}/{hash}.zip", self.function.lambda_name);
        (self.say)(&format!("uploading {} to s3://{bucket}/{key}", megabytes(*zipped_bytes)));
        let cloud = &self.engine.world.cloud;
        self.engine
            .caller
            .call(Quota::Free, "PutObject", Priority::Forward, Retry::Safe, || {
                cloud.put_artifact(bucket, &key, path)
            })
            .await
            .map_err(|source| PrepareError::Bucket {
                bucket: bucket.clone(),
                source: Box::new(source),
            })?;
        Ok(Artifact::S3 { bucket: bucket.clone(), key })
    }

    async fn create(&self, code: &Artifact) -> Result<Prepared, PrepareError> {
        let (name, config) = (&self.function.lambda_name, &self.function.config);
        (self.say)(&self.upload_words("creating"));
        let cloud = &self.engine.world.cloud;
        let created = self
            .once(Quota::Control, "CreateFunction", || cloud.create_function(name, config, code))
            .await?;
        self.check_code(code, &created)?;
        self.settle_version(&created).await
    }

    async fn update(
        &self,
        code: &Artifact,
        latest: FunctionView,
    ) -> Result<Prepared, PrepareError> {
        let (name, wanted) = (&self.function.lambda_name, &self.function.config);
        let cloud = &self.engine.world.cloud;
        // An update that failed before this release is no reason to stop: this one may mend it.
        let mut latest = match standing(&latest) {
            Standing::Broken(..) => latest,
            _ => self.settle_latest(latest).await?,
        };
        // The architecture belongs to the code's update.
        let mut was = latest.config.clone();
        was.architecture.clone_from(&wanted.architecture);
        if !same_config(&was, wanted) {
            (self.say)("updating the configuration");
            let base = latest.revision.clone();
            let updated = self
                .once(Quota::Control, "UpdateFunctionConfiguration", || {
                    cloud.update_config(name, wanted, base.as_deref())
                })
                .await?;
            latest = self.settle_latest(updated).await?;
        }
        let has_code = match code {
            Artifact::Zip { code_sha256, .. } => {
                *code_sha256 == latest.code_sha256
                    && latest.config.architecture == wanted.architecture
            }
            // What an object or a tag holds is not known before Lambda has read it.
            Artifact::S3 { .. } | Artifact::Image { .. } => false,
        };
        let base = latest.revision.clone();
        let published = if has_code {
            (self.say)("publishing");
            let sha = Some(latest.code_sha256.as_str()).filter(|sha| !sha.is_empty());
            self.once(Quota::Control, "PublishVersion", || {
                cloud.publish_version(name, sha, base.as_deref(), OWN_TEXT)
            })
            .await?
        } else {
            (self.say)(&self.upload_words("uploading"));
            let updated = self
                .once(Quota::Control, "UpdateFunctionCode", || {
                    cloud.update_code(name, code, &wanted.architecture, base.as_deref(), true)
                })
                .await?;
            self.check_code(code, &updated)?;
            updated
        };
        self.settle_version(&published).await
    }

    /// What Lambda took must be what was sent.
    fn check_code(&self, code: &Artifact, view: &FunctionView) -> Result<(), PrepareError> {
        // A package that went through S3 is still the one that was hashed here.
        let ((Artifact::Zip { code_sha256: sent, .. }, _)
        | (_, Some(Artifact::Zip { code_sha256: sent, .. }))) = (code, &self.function.artifact)
        else {
            return Ok(());
        };
        if view.code_sha256.is_empty() || view.code_sha256 == *sent {
            return Ok(());
        }
        Err(PrepareError::OtherCode { ours: sent.clone(), theirs: view.code_sha256.clone() })
    }

    async fn latest(&self) -> Result<Option<FunctionView>, PrepareError> {
        let (cloud, name) = (&self.engine.world.cloud, &self.function.lambda_name);
        Ok(self
            .engine
            .caller
            .call(Quota::Get, "GetFunction", Priority::Forward, Retry::Safe, || {
                cloud.get_function(name, None)
            })
            .await?)
    }

    /// Waits until `$LATEST` may be changed.
    async fn settle_latest(&self, view: FunctionView) -> Result<FunctionView, PrepareError> {
        self.settle(view, None).await
    }

    /// Waits until a published version may take traffic.
    async fn settle_version(&self, view: &FunctionView) -> Result<Prepared, PrepareError> {
        let Some(version) = VersionId::parse(&view.version) else {
            // Published without saying so: ask again; nothing is published twice.
            let (cloud, name) = (&self.engine.world.cloud, &self.function.lambda_name);
            let view = self.settle_latest(view.clone()).await?;
            let base = view.revision.clone();
            let sha = Some(view.code_sha256.as_str()).filter(|sha| !sha.is_empty());
            let published = self
                .once(Quota::Control, "PublishVersion", || {
                    cloud.publish_version(name, sha, base.as_deref(), OWN_TEXT)
                })
                .await?;
            let version =
                VersionId::parse(&published.version).ok_or_else(|| PrepareError::Broken {
                    version: published.version.clone(),
                    state: "not a version".to_owned(),
                    reason: "the cloud published nothing".to_owned(),
                })?;
            let view = self.settle(published, Some(version)).await?;
            return Ok(Prepared { version, arn: view.arn });
        };
        let view = self.settle(view.clone(), Some(version)).await?;
        Ok(Prepared { version, arn: view.arn })
    }

    async fn settle(
        &self,
        mut view: FunctionView,
        version: Option<VersionId>,
    ) -> Result<FunctionView, PrepareError> {
        let (cloud, name) = (&self.engine.world.cloud, &self.function.lambda_name);
        let clock = &self.engine.world.clock;
        let began = clock.now_ms();
        let what = version.map_or_else(|| "$LATEST".to_owned(), |v| format!("version {v}"));
        let mut looks = 0;
        loop {
            match standing(&view) {
                Standing::Ready => return Ok(view),
                Standing::Broken(state, reason) => {
                    return Err(PrepareError::Broken { version: view.version, state, reason });
                }
                Standing::Moving(words) => (self.say)(&format!("{what} is {words}")),
            }
            if clock.now_ms().saturating_sub(began) > SETTLE_FOR_MS {
                return Err(PrepareError::Slow { what, minutes: SETTLE_FOR_MS / 60_000 });
            }
            let pause = LOOK_EVERY_MS[looks.min(LOOK_EVERY_MS.len() - 1)];
            looks += 1;
            clock.sleep_until(clock.now_ms() + pause).await;
            let seen = self
                .engine
                .caller
                .call(Quota::Get, "GetFunction", Priority::Forward, Retry::Safe, || {
                    cloud.get_function(name, version)
                })
                .await?;
            view = seen.ok_or_else(|| PrepareError::Broken {
                version: what.clone(),
                state: "gone".to_owned(),
                reason: "somebody deleted it".to_owned(),
            })?;
        }
    }

    async fn once<T, F, Fut>(
        &self,
        quota: Quota,
        operation: &'static str,
        call: F,
    ) -> Result<T, PrepareError>
    where
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        // A write that was throttled was not applied, so it may be sent again as it is, and so was
        // one whose role Lambda does not know yet, and one whose credentials have expired; anything
        // else that fails is judged by looking.
        let mut throttled = 0;
        let mut early = 0;
        let began = self.engine.world.clock.now_ms();
        let so_far = || self.engine.world.clock.now_ms().saturating_sub(began);
        loop {
            match self
                .engine
                .caller
                .call(quota, operation, Priority::Forward, Retry::Once, &call)
                .await
            {
                Err(error) if error.kind == FaultKind::Throttled && throttled < THROTTLES_MAX => {
                    throttled += 1;
                    (self.say)(&format!("{operation} was throttled"));
                    self.pause(throttled).await;
                }
                Err(error) if is_role_unknown(&error) && so_far() < ROLE_FOR_MS => {
                    early = (early + 1).min(PAUSES_MAX);
                    (self.say)("its role is not known to Lambda yet; trying again");
                    self.pause(early).await;
                }
                Err(error)
                    if error.kind == FaultKind::Credentials
                        && self.engine.caller.is_passing(&error)
                        && so_far() < CREDENTIALS_FOR_MS =>
                {
                    early = (early + 1).min(PAUSES_MAX);
                    (self.say)(&format!("{error}; trying again"));
                    self.pause(early).await;
                }
                result => return Ok(result?),
            }
        }
    }

    async fn pause(&self, tries: u32) {
        let clock = &self.engine.world.clock;
        clock.sleep_until(clock.now_ms() + 500 * u64::from(tries)).await;
    }

    fn upload_words(&self, verb: &str) -> String {
        match &self.function.artifact {
            Some(Artifact::Zip { zipped_bytes, .. }) => {
                format!("{verb}, {}", megabytes(*zipped_bytes))
            }
            Some(Artifact::S3 { bucket, key }) => format!("{verb} from s3://{bucket}/{key}"),
            Some(Artifact::Image { uri }) => format!("{verb} from {uri}"),
            None => verb.to_owned(),
        }
    }
}

/// The largest zip that `UpdateFunctionCode` takes in the request. Source: Lambda's quotas, 50 MB.
const DIRECT_MAX: u64 = 50 * 1024 * 1024;

fn megabytes(bytes: u64) -> String {
    if bytes < 1024 * 1024 {
        return format!("{} KB", bytes.div_ceil(1024));
    }
    format!("{}.{} MB", bytes / (1024 * 1024), bytes % (1024 * 1024) * 10 / (1024 * 1024))
}

/// Whether Lambda refused because it does not know a role, or what the role may do, yet. It says
/// the same of a role that is wrong, so this is waited for only so long.
/// Source: terraform-provider-aws, `retryFunctionOp`.
fn is_role_unknown(error: &CloudError) -> bool {
    const WORDS: [&str; 3] = [
        "cannot be assumed by Lambda",
        "execution role does not have permissions",
        "KMS key is invalid for CreateGrant",
    ];
    error.code.as_deref() == Some("InvalidParameterValueException")
        && WORDS.iter().any(|words| error.message.contains(words))
}

enum Standing {
    Ready,
    Moving(String),
    Broken(String, String),
}

fn standing(view: &FunctionView) -> Standing {
    let reason =
        |text: &Option<String>| text.clone().unwrap_or_else(|| "no reason given".to_owned());
    match (view.state.as_str(), view.last_update_status.as_str()) {
        ("Failed", _) => Standing::Broken("Failed".to_owned(), reason(&view.state_reason)),
        (_, "Failed") => {
            Standing::Broken("not updated".to_owned(), reason(&view.last_update_reason))
        }
        (_, "InProgress") => Standing::Moving("being updated".to_owned()),
        // Inactive: idle for long; it wakes up when it is called. Managed instances have a $LATEST
        // that is active and cannot be called.
        ("Active" | "Inactive" | "ActiveNonInvocable" | "", _) => Standing::Ready,
        (state, _) => Standing::Moving(state.to_owned()),
    }
}

//! Does an endpoint behave as wavegate's protocol needs it? Ten questions, asked of one throw-away
//! function.
//!
//! Some of what the protocol leans on is documented nowhere; whoever has an account can measure it
//! there. The same questions are asked of the local cloud, so that the two can be held against each
//! other.
//!
//! Invariants: nothing but the throw-away function is written, and its type says which that is;
//! what cannot be measured is "not shown", with the reason, and never guessed; no call that may have
//! been applied is repeated behind a measurement's back. Deliberately absent: printing, and the clean-up after an interrupt,
//! which is the caller's ([`Bench::clean_up`] is there for it).

mod checks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wavegate_core::inventory::{AliasState, Artifact};
use wavegate_core::name::{AliasName, BadName, FunctionName, ReleaseId, VersionId};
use wavegate_core::release::Priority;
use wavegate_core::spec::FunctionConfig;

use crate::caller::{Caller, Quota, Retry};
use crate::ports::{Clock, Cloud, CloudError, FaultKind, FunctionView, NewAlias};

/// How long a version may take until it can be used.
const READY_WITHIN: Duration = Duration::from_mins(5);

/// How often it is asked whether something is ready.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// How often a call is sent once more that the quota refused, and after how long if the service does
/// not say.
const QUOTA_TRIES: u32 = 5;
const QUOTA_PAUSE: Duration = Duration::from_secs(1);

/// `GetAlias` while something is waited for, in the counts.
const POLL: &str = "GetAlias, polling";

/// The operations that only wait.
const POLLING: [&str; 3] = ["GetFunction", "GetProvisionedConcurrencyConfig", POLL];

/// A function that exists to be tried on, and may be deleted for that reason alone: its name can be
/// made in no other way than here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrowAway(FunctionName);

impl ThrowAway {
    /// `PREFIX-conformance-RANDOM`.
    ///
    /// # Errors
    /// [`BadName`] if the prefix leaves no legal name.
    pub fn new(prefix: &str, random: u64) -> Result<Self, BadName> {
        FunctionName::new(format!("{prefix}-conformance-{}", ReleaseId(random))).map(Self)
    }

    /// Its name.
    pub fn name(&self) -> &FunctionName {
        &self.0
    }
}

/// What is done to the throw-away function beyond what a release does.
#[async_trait]
pub trait TestBench: Cloud {
    /// `DeleteFunction`, all of it. Absent is success.
    async fn delete_function(&self, function: &ThrowAway) -> Result<(), CloudError>;

    /// `Invoke` of an alias, synchronously: the answer's text.
    async fn invoke(&self, function: &ThrowAway, alias: &AliasName) -> Result<String, CloudError>;

    /// `AddPermission` on an alias.
    async fn add_permission(
        &self,
        function: &ThrowAway,
        alias: &AliasName,
    ) -> Result<(), CloudError>;

    /// `PutFunctionEventInvokeConfig` on an alias.
    async fn put_event_invoke(
        &self,
        function: &ThrowAway,
        alias: &AliasName,
    ) -> Result<(), CloudError>;

    /// `PutProvisionedConcurrencyConfig` of one environment on an alias.
    async fn put_provisioned(
        &self,
        function: &ThrowAway,
        alias: &AliasName,
    ) -> Result<(), CloudError>;

    /// `GetProvisionedConcurrencyConfig` of an alias: its status.
    async fn provisioned_status(
        &self,
        function: &ThrowAway,
        alias: &AliasName,
    ) -> Result<String, CloudError>;
}

/// A question. The order is the one they are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Does a read after a write show the write?
    Staleness,
    /// Does exactly one of two updates under one revision id succeed?
    CompareAndSwap,
    /// Which calls change the revision id of an alias?
    RevisionChanges,
    /// What does AWS do to an alias with provisioned concurrency when its version changes?
    Detour,
    /// Does a new description disturb running environments?
    DataPlane,
    /// How many aliases may a function have?
    AliasLimit,
    /// When is `UpdateAlias` throttled?
    Throttling,
    /// Does `UpdateAlias` fail for a main version that is the new one?
    InternalError,
    /// How long may a description be, and is it kept as it is?
    Description,
    /// Can `UpdateAlias` be allowed for one alias alone?
    Permission,
}

impl Question {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Staleness,
        Self::CompareAndSwap,
        Self::RevisionChanges,
        Self::Detour,
        Self::DataPlane,
        Self::AliasLimit,
        Self::Throttling,
        Self::InternalError,
        Self::Description,
        Self::Permission,
    ];

    /// A short name for programs.
    pub fn key(self) -> &'static str {
        match self {
            Self::Staleness => "staleness",
            Self::CompareAndSwap => "compare_and_swap",
            Self::RevisionChanges => "revision_changes",
            Self::Detour => "provisioned_detour",
            Self::DataPlane => "data_plane",
            Self::AliasLimit => "alias_limit",
            Self::Throttling => "throttling",
            Self::InternalError => "internal_error",
            Self::Description => "description",
            Self::Permission => "permission",
        }
    }

    /// The question in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Staleness => "does a read after UpdateAlias show it?",
            Self::CompareAndSwap => {
                "of two updates under one RevisionId, does exactly one succeed?"
            }
            Self::RevisionChanges => "which calls change an alias's RevisionId?",
            Self::Detour => {
                "what happens to an alias with provisioned concurrency when its version changes?"
            }
            Self::DataPlane => "does a new description disturb running environments?",
            Self::AliasLimit => "how many aliases may a function have?",
            Self::Throttling => "when is UpdateAlias throttled?",
            Self::InternalError => {
                "does UpdateAlias fail with the new version as the main one and the old one at 95%?"
            }
            Self::Description => "how long may a description be, and is it kept as it is?",
            Self::Permission => "can UpdateAlias be allowed for one alias alone?",
        }
    }

    /// What wavegate relies on, if it relies on the answer.
    pub fn relied_on(self) -> Option<&'static str> {
        match self {
            Self::Staleness => Some("a write is shown within 20 s"),
            Self::CompareAndSwap => Some("exactly one; a stale RevisionId is refused"),
            Self::RevisionChanges => Some("UpdateAlias does, even if it changes nothing else"),
            Self::Detour => {
                Some("at most {old: 1.0} for a while, and a description leaves it alone")
            }
            Self::Description => Some("256 characters, `;=|` among them, come back as they were"),
            _ => None,
        }
    }
}

/// What a question brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// It was measured.
    Seen {
        /// The outcome in a few fixed words: the same for the same behaviour.
        verdict: String,
        /// How it was seen, with figures.
        detail: String,
        /// Whether it is what wavegate relies on; `None` if it does not.
        holds: Option<bool>,
    },
    /// It was not, and why.
    NotShown(String),
}

impl Shown {
    fn seen(verdict: impl Into<String>, detail: String, holds: Option<bool>) -> Self {
        Self::Seen { verdict: verdict.into(), detail, holds }
    }

    /// The outcome, if there is one.
    pub fn verdict(&self) -> Option<&str> {
        match self {
            Self::Seen { verdict, .. } => Some(verdict),
            Self::NotShown(_) => None,
        }
    }

    /// Whether it is known to be other than what wavegate relies on.
    pub fn breaks(&self) -> bool {
        matches!(self, Self::Seen { holds: Some(false), .. })
    }
}

/// The function to be made.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name.
    pub function: ThrowAway,
    /// Its configuration.
    pub config: FunctionConfig,
    /// Two packages that differ. Their handler answers with a text that is its environment's own.
    pub code: [Artifact; 2],
}

/// A place to ask the questions, on one endpoint.
pub struct Bench {
    cloud: Arc<dyn TestBench>,
    clock: Arc<dyn Clock>,
    caller: Caller,
    subject: Subject,
    alias: AliasName,
}

impl Bench {
    /// A bench that has done nothing yet. `clock` is the wall's: answers are in its seconds.
    ///
    /// # Errors
    /// Never; the alias's own name is legal.
    pub fn new(
        cloud: Arc<dyn TestBench>,
        clock: Arc<dyn Clock>,
        requests_per_second: Option<u32>,
        subject: Subject,
    ) -> Result<Self, BadName> {
        let caller = Caller::new(Arc::clone(&clock), requests_per_second);
        Ok(Self { cloud, clock, caller, subject, alias: AliasName::new("conformance")? })
    }

    /// Makes the function and asks everything, in the order that disturbs least. What was answered
    /// goes to `tell` at once.
    ///
    /// # Errors
    /// The call that failed before there was anything to ask.
    pub async fn run(
        &self,
        mut tell: impl FnMut(Question, &Shown) + Send,
    ) -> Result<Vec<(Question, Shown)>, CloudError> {
        let versions = self.set_up().await?;
        let mut answers = Vec::new();
        for question in ORDER {
            let shown = match self.ask(question, versions).await {
                Ok(shown) => shown,
                Err(error) => Shown::NotShown(error.to_string()),
            };
            tell(question, &shown);
            answers.push((question, shown));
        }
        answers.sort_by_key(|(question, _)| *question);
        Ok(answers)
    }

    /// Deletes the function, whether or not it was made.
    ///
    /// # Errors
    /// The last failure of several tries.
    pub async fn clean_up(&self) -> Result<(), CloudError> {
        let function = &self.subject.function;
        self.caller
            .call(Quota::Control, "DeleteFunction", Priority::Back, Retry::Safe, || {
                self.cloud.delete_function(function)
            })
            .await
    }

    /// The name of the function.
    pub fn function(&self) -> &FunctionName {
        self.subject.function.name()
    }

    /// Calls made so far, by operation: those that ask or change something, and those that only wait
    /// until something is ready.
    pub fn calls(&self) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
        let is_polling = |operation: &String| POLLING.contains(&operation.as_str());
        let (polling, asking) =
            self.caller.counts().into_iter().partition(|(operation, _)| is_polling(operation));
        (asking, polling)
    }

    async fn ask(&self, question: Question, versions: [VersionId; 2]) -> Result<Shown, CloudError> {
        match question {
            Question::Staleness => self.staleness().await,
            Question::CompareAndSwap => self.compare_and_swap().await,
            Question::RevisionChanges => self.revision_changes().await,
            Question::Detour => self.detour(versions).await,
            Question::DataPlane => self.data_plane().await,
            Question::Throttling => self.throttling().await,
            Question::InternalError => self.internal_error(versions).await,
            Question::Description => self.description().await,
            Question::AliasLimit => Ok(Shown::NotShown(
                "it would take thousands of calls; Lambda's quotas name no limit, and wavegate needs three aliases per function".to_owned(),
            )),
            Question::Permission => Ok(Shown::NotShown(
                "one set of credentials cannot tell what another would be refused; AWS's authorization reference names the function as the resource of UpdateAlias".to_owned(),
            )),
        }
    }

    /// Two versions, and an alias on the first.
    async fn set_up(&self) -> Result<[VersionId; 2], CloudError> {
        let name = self.function();
        let [first, second] = &self.subject.code;
        let config = &self.subject.config;
        let made = self
            .caller
            .call(Quota::Control, "CreateFunction", Priority::Forward, Retry::Once, || {
                self.cloud.create_function(name, config, first)
            })
            .await?;
        let stable = self.ready(&made).await?;
        self.settled().await?;
        let architecture = config.architecture.as_str();
        let updated = self
            .once("UpdateFunctionCode", || {
                self.cloud.update_code(name, second, architecture, None, true)
            })
            .await?;
        let candidate = self.ready(&updated).await?;
        self.settled().await?;
        let alias = NewAlias {
            name: self.alias.clone(),
            version: Some(stable),
            description: "made to be tried on; may be deleted".to_owned(),
        };
        self.once("CreateAlias", || self.cloud.create_alias(name, &alias)).await?;
        Ok([stable, candidate])
    }

    /// Waits until a version that was published can be used.
    async fn ready(&self, view: &FunctionView) -> Result<VersionId, CloudError> {
        let version = VersionId::parse(&view.version).ok_or_else(|| CloudError {
            operation: "PublishVersion",
            kind: FaultKind::Unknown,
            code: None,
            message: format!("version `{}` is not a number", view.version),
            request_id: None,
            retry_after: None,
        })?;
        self.wait(Some(version)).await.map(|()| version)
    }

    async fn settled(&self) -> Result<(), CloudError> {
        self.wait(None).await
    }

    async fn wait(&self, version: Option<VersionId>) -> Result<(), CloudError> {
        let name = self.function();
        let until = self.clock.now_ms().saturating_add(millis(READY_WITHIN));
        loop {
            let seen = self
                .caller
                .call(Quota::Get, "GetFunction", Priority::Poll, Retry::Safe, || {
                    self.cloud.get_function(name, version)
                })
                .await?;
            let is_ready = |view: &FunctionView| {
                view.state == "Active" && view.last_update_status == "Successful"
            };
            // A version that is not ready after all this fails the first question in AWS's words.
            if seen.as_ref().is_some_and(is_ready) || self.clock.now_ms() >= until {
                return Ok(());
            }
            self.sleep(ASK_EVERY).await;
        }
    }

    /// One call, inside the budget. Only a refusal by the quota is repeated: nothing was applied.
    async fn once<T, Fut>(
        &self,
        operation: &'static str,
        call: impl Fn() -> Fut + Send + Sync,
    ) -> Result<T, CloudError>
    where
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        for _ in 0..QUOTA_TRIES {
            let quota = Quota::Control;
            let outcome =
                self.caller.call(quota, operation, Priority::Forward, Retry::Once, &call).await;
            match outcome {
                Err(error) if error.kind == FaultKind::Throttled => {
                    self.sleep(error.retry_after.unwrap_or(QUOTA_PAUSE)).await;
                }
                outcome => return outcome,
            }
        }
        self.caller.call(Quota::Control, operation, Priority::Forward, Retry::Once, call).await
    }

    async fn read(&self) -> Result<AliasState, CloudError> {
        self.read_as("GetAlias").await
    }

    /// The same while something is waited for.
    async fn poll(&self) -> Result<AliasState, CloudError> {
        self.read_as(POLL).await
    }

    async fn read_as(&self, operation: &'static str) -> Result<AliasState, CloudError> {
        let read = || self.cloud.get_alias(self.function(), &self.alias);
        let seen =
            self.caller.call(Quota::Control, operation, Priority::Poll, Retry::Safe, read).await?;
        seen.ok_or_else(|| CloudError {
            operation: "GetAlias",
            kind: FaultKind::NotFound,
            code: None,
            message: "the alias is gone".to_owned(),
            request_id: None,
            retry_after: None,
        })
    }

    async fn sleep(&self, span: Duration) {
        let span = millis(span.mul_f64(self.clock.scale()));
        self.clock.sleep_until(self.clock.now_ms().saturating_add(span)).await;
    }
}

/// The quick ones first; what makes the endpoint throttle, and what takes minutes, last.
const ORDER: [Question; 10] = [
    Question::Description,
    Question::Staleness,
    Question::CompareAndSwap,
    Question::RevisionChanges,
    Question::InternalError,
    Question::DataPlane,
    Question::AliasLimit,
    Question::Permission,
    Question::Detour,
    Question::Throttling,
];

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

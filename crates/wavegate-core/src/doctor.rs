//! What is wrong with an app between its releases, and what may be done about it.
//!
//! [`diagnose`] is a pure function of what was read: it says everything at once, each finding with
//! a cause and the exact way out. Where the right state is known, a finding carries a [`Heal`]: one
//! compare-and-swap on one alias, based on the very state that was judged.
//!
//! Invariants: nothing is healed while a release is under way, nor where the right state would be
//! a guess; a part that could not be read is a finding and never taken for healthy. Deliberately
//! absent: healing of triggers and of concurrency. They belong to the tool that made them, which
//! would put them back, and moving one moves production traffic past every strategy.

mod aliases;
mod beside;
mod command;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::inventory::AliasState;
use crate::name::{AliasName, FunctionName, ReleaseId, VersionId};
use crate::plan::{Problem, Severity};
use crate::spec::{AppSpec, FunctionSpec};
use crate::token::{LockPhase, LockRecord};

/// Traffic is split, and no release owns that.
pub const SPLIT: &str = "WG665";
/// A record of a release that is over, or of another app, is left in an alias.
pub const LEFT_RECORD: &str = "WG666";
/// A release has not ended.
pub const UNFINISHED: &str = "WG667";
/// The alias is not on a published version.
pub const UNPUBLISHED: &str = "WG668";
/// A version that traffic goes to is not there, or does not start.
pub const BAD_VERSION: &str = "WG669";
/// What keeps the version to go back to is missing or wrong.
pub const PIN: &str = "WG670";
/// Something calls the function past its alias.
pub const BYPASS: &str = "WG671";
/// Lambda would refuse to split traffic between these versions.
pub const UNSPLITTABLE: &str = "WG672";
/// Provisioned concurrency where it does harm or nothing.
pub const CONCURRENCY: &str = "WG673";
/// Something could not be looked at.
pub const NOT_SEEN: &str = "WG679";

/// Everything that was read of an app.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exam {
    /// The functions that exist, by manifest key.
    pub functions: BTreeMap<FunctionName, Patient>,
    /// The app's lock, and what became of its owner.
    pub lock: Option<Lock>,
    /// What could not be read.
    pub unseen: Vec<Unseen>,
}

/// The app's lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// Its record.
    pub record: LockRecord,
    /// Whether its owner was seen to live; only asked of a release that has not ended.
    pub owner: Owner,
}

/// Whether somebody works on a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Its heartbeat was seen.
    Alive,
    /// Nothing was heard for a whole lease.
    Silent,
}

/// One part of a function that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// Whose; `None`: of all functions.
    pub function: Option<FunctionName>,
    /// What was to be read, in words: `its resource policy`.
    pub what: &'static str,
    /// Why it could not be.
    pub why: String,
}

/// What was read of one function. `None`: that part could not be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patient {
    /// Its aliases.
    pub aliases: Vec<AliasState>,
    /// Its published versions.
    pub versions: Option<Vec<PublishedVersion>>,
    /// The states of the versions that the live alias routes to, as far as they were read.
    pub states: BTreeMap<VersionId, VersionState>,
    /// The event source mappings that call it, whatever qualifier they name.
    pub mappings: Option<Vec<Mapping>>,
    /// The authorization type of the URL of the function itself, past every alias.
    pub url: Option<Option<String>>,
    /// The resource policy of the function itself.
    pub policy: Option<Vec<Statement>>,
    /// The resource policy of the live alias; only read if the function itself has one.
    pub alias_policy: Option<Vec<Statement>>,
    /// Its provisioned concurrency.
    pub provisioned: Option<Vec<Provisioned>>,
}

/// One published version, as far as a doctor cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedVersion {
    /// Its number.
    pub version: VersionId,
    /// Its execution role.
    pub role: String,
    /// Its dead-letter target, if any.
    pub dead_letter: Option<String>,
}

/// How a version is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionState {
    /// `Pending`, `Active`, `Inactive`, `Failed`.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
}

/// An event source mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Its id.
    pub id: String,
    /// The qualifier it calls; `None`: the function itself.
    pub qualifier: Option<String>,
    /// The source's ARN, or what stands for it.
    pub source: String,
    /// `Enabled`, `Disabled` and what lies between.
    pub state: String,
}

/// One statement of a resource policy that allows something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Statement {
    /// Its id.
    pub id: String,
    /// What it allows: `lambda:InvokeFunction`.
    pub action: String,
    /// To whom, as `add-permission` takes it.
    pub principal: String,
    /// From which resource.
    pub source_arn: Option<String>,
    /// From which account.
    pub source_account: Option<String>,
}

/// Provisioned concurrency of one qualifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// A version or an alias.
    pub qualifier: String,
    /// How many environments.
    pub requested: u32,
}

/// Which side of a split gets all of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// The alias's main version.
    #[default]
    Stable,
    /// The additional version.
    Candidate,
}

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Code, function, what is wrong and what a person can do. A warning is only worth knowing.
    pub problem: Problem,
    /// What `--heal` does, where it can.
    pub heal: Option<Heal>,
}

/// One write that heals.
#[derive(Debug, Clone, PartialEq)]
pub struct Heal {
    /// The manifest's function.
    pub function: FunctionName,
    /// Its name in Lambda.
    pub lambda_name: FunctionName,
    /// The alias that is written.
    pub alias: AliasName,
    /// The write.
    pub write: Write,
    /// What it does, in words: `all traffic to version 3`.
    pub words: String,
}

/// How an alias is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Under the revision id of what was judged.
    Update {
        /// What was judged.
        base: AliasState,
        /// The version that gets everything; `None` leaves the routing out of the request.
        version: Option<VersionId>,
        /// The description.
        description: String,
    },
    /// Made new.
    Create {
        /// The version it points at.
        version: VersionId,
        /// The description.
        description: String,
    },
}

/// Judges everything that was read. Findings come in the order of the manifest's functions, those
/// of the whole app first.
pub fn diagnose(spec: &AppSpec, exam: &Exam, side: Side) -> Vec<Finding> {
    let mut findings: Vec<Finding> = exam.lock.as_ref().and_then(unfinished).into_iter().collect();
    findings.extend(exam.unseen.iter().filter(|part| part.function.is_none()).map(not_seen));
    let under_way = exam.lock.as_ref().map(|lock| &lock.record).filter(|r| !r.phase.is_over());
    for (name, function) in &spec.functions {
        let Some(patient) = exam.functions.get(name) else { continue };
        let case = Case { spec, function, patient, under_way: under_way.map(|r| r.release), side };
        findings.extend(aliases::findings(&case));
        findings.extend(beside::findings(&case));
        let unseen = exam.unseen.iter().filter(|part| part.function.as_ref() == Some(name));
        findings.extend(unseen.map(not_seen));
    }
    if under_way.is_some() {
        for finding in &mut findings {
            finding.heal = None;
        }
    }
    findings
}

/// One function and all that it is judged by.
struct Case<'a> {
    spec: &'a AppSpec,
    function: &'a FunctionSpec,
    patient: &'a Patient,
    /// The release that has not ended.
    under_way: Option<ReleaseId>,
    side: Side,
}

impl Case<'_> {
    fn alias(&self, name: &AliasName) -> Option<&AliasState> {
        self.patient.aliases.iter().find(|alias| alias.name == name.as_str())
    }

    fn live(&self) -> Option<&AliasState> {
        self.alias(&self.spec.alias)
    }

    /// Whether a version is there. What was not read is not judged.
    fn exists(&self, version: VersionId) -> bool {
        let versions = self.patient.versions.as_ref();
        versions.is_none_or(|all| all.iter().any(|found| found.version == version))
    }

    /// Why a version cannot serve, if it cannot.
    fn ailment(&self, version: VersionId) -> Option<String> {
        if !self.exists(version) {
            return Some("does not exist".to_owned());
        }
        let seen = self.patient.states.get(&version)?;
        // An idle function sleeps as `Inactive` and wakes up with its next call.
        if matches!(seen.state.as_str(), "Active" | "Inactive") {
            return None;
        }
        let reason = seen.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        Some(format!("is {}{reason}", seen.state))
    }

    fn finding(&self, code: &'static str, message: String, hint: String) -> Finding {
        let function = Some(self.function.name.clone());
        let severity = Severity::Error;
        let problem = Problem { code, severity, function, message, hint: Some(hint) };
        Finding { problem, heal: None }
    }

    fn note(&self, code: &'static str, message: String, hint: String) -> Finding {
        let mut finding = self.finding(code, message, hint);
        finding.problem.severity = Severity::Warning;
        finding
    }

    fn heal(&self, alias: AliasName, write: Write, words: String) -> Heal {
        Heal {
            function: self.function.name.clone(),
            lambda_name: self.function.lambda_name.clone(),
            alias,
            write,
            words,
        }
    }
}

fn unfinished(lock: &Lock) -> Option<Finding> {
    let record = &lock.record;
    if record.phase.is_over() {
        return None;
    }
    let release = format!("release {} r{}", record.app, record.number);
    let (severity, message, hint) = match (record.phase, lock.owner) {
        (LockPhase::Held, _) => (
            Severity::Error,
            format!("{release} stopped in the middle, and nobody owns it"),
            "`wavegate recover` brings it to an end, from any machine; then look again".to_owned(),
        ),
        (_, Owner::Silent) => (
            Severity::Error,
            format!("{release} has not ended, and nothing is heard of its owner {}", record.owner),
            "`wavegate recover` brings it to an end, from any machine; then look again".to_owned(),
        ),
        (_, Owner::Alive) => (
            Severity::Warning,
            format!("{release} is under way (owner {}): nothing is healed meanwhile", record.owner),
            "look again when it has ended; `wavegate status` shows where it is".to_owned(),
        ),
    };
    let problem = Problem { code: UNFINISHED, severity, function: None, message, hint: Some(hint) };
    Some(Finding { problem, heal: None })
}

fn not_seen(part: &Unseen) -> Finding {
    let problem = Problem {
        code: NOT_SEEN,
        severity: Severity::Error,
        function: part.function.clone(),
        message: format!("{} could not be looked at: {}", part.what, part.why),
        hint: Some("nothing is said about it; allow the call, and look again".to_owned()),
    };
    Finding { problem, heal: None }
}

//! Everything a plan can be refused for, each with a code, the cause and the fix.

use super::{AlarmSnapshot, AlarmStatus, Outline};
use crate::codedeploy::{Group, NotLowered};
use crate::graph::Cycle;
use crate::inventory::{AliasState, Inventory};
use crate::name::{AliasName, FunctionName, ReleaseId};
use crate::spec::{AlarmUse, AppSpec, FunctionConfig, FunctionSpec, IfAlreadyAlarming};
use crate::token::{LockPhase, LockRecord, Token};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Warning,
    /// The release is refused.
    Error,
}

/// One thing that is wrong or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The stable code, such as `WG401`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The function it is about, if it is about one.
    pub function: Option<FunctionName>,
    /// What is wrong: lower case, no period.
    pub message: String,
    /// How to fix it.
    pub hint: Option<String>,
}

impl Problem {
    fn error(
        code: &'static str,
        function: Option<&FunctionName>,
        message: String,
        hint: String,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            function: function.cloned(),
            message,
            hint: Some(hint),
        }
    }
}

pub(super) fn cycle(cycle: &Cycle) -> Problem {
    let hint = "remove one of these `depends_on`".to_owned();
    Problem::error("WG122", None, format!("dependencies form a cycle: {cycle}"), hint)
}

/// Problems of the lock: somebody owns it, nobody does but it is not over, another app's.
pub(super) fn lock(
    spec: &AppSpec,
    lock: Option<&(FunctionName, AliasState, LockRecord)>,
    inventory: &Inventory,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some((function, _, record)) = lock {
        problems.extend(busy(spec, function, record));
    }
    problems.extend(foreign_locks(&spec.alias, spec, inventory));
    problems
}

fn busy(spec: &AppSpec, anchor: &FunctionName, record: &LockRecord) -> Option<Problem> {
    let release = format!("{} r{}", spec.name, record.number);
    match record.phase {
        LockPhase::Done | LockPhase::RolledBack => None,
        LockPhase::Running | LockPhase::Aborting => {
            let doing =
                if record.phase == LockPhase::Running { "is running" } else { "is going back" };
            Some(Problem::error(
                "WG401",
                None,
                format!(
                    "release {release} {doing}, owned by {} (lock alias `{}` on `{anchor}`, epoch {}, heartbeat {})",
                    record.owner,
                    spec.alias.lock(),
                    record.epoch,
                    record.heartbeat
                ),
                "wait until it ends, or ask it to go back with `wavegate abort`; if its machine is gone, `wavegate recover` takes over"
                    .to_owned(),
            ))
        }
        LockPhase::Held | LockPhase::Stuck => Some(Problem::error(
            "WG402",
            None,
            format!("release {release} stopped in the middle and waits for a person"),
            "`wavegate status` shows where it stands; `wavegate recover` puts it back".to_owned(),
        )),
    }
}

fn foreign_locks(alias: &AliasName, spec: &AppSpec, inventory: &Inventory) -> Vec<Problem> {
    let lock = alias.lock();
    inventory
        .functions
        .iter()
        .filter_map(|(function, observed)| {
            let record = LockRecord::decode(&observed.alias(&lock)?.description)?;
            (record.app != spec.name).then(|| {
                Problem::error(
                    "WG403",
                    Some(function),
                    format!("`{function}` carries the lock of another app, `{}`", record.app),
                    "one function belongs to one app: rename the function or the app".to_owned(),
                )
            })
        })
        .collect()
}

/// Problems of a live alias that a release cannot start from.
///
/// `under_way` is the release that holds the lock, if one does.
pub(super) fn alias(
    spec: &AppSpec,
    function: &FunctionName,
    alias: &AliasState,
    under_way: Option<ReleaseId>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let token = Token::decode(&alias.description);
    if let Some(token) = token.as_ref().filter(|token| token.app != spec.name) {
        problems.push(Problem::error(
            "WG403",
            Some(function),
            format!("alias `{}` is claimed by another app, `{}`", alias.name, token.app),
            "one function belongs to one app: rename the function or the app".to_owned(),
        ));
    }
    if alias.main().is_none() {
        problems.push(Problem::error(
            "WG404",
            Some(function),
            format!("alias `{}` points at `{}`, which cannot be split", alias.name, alias.version),
            format!(
                "publish a version and point the alias at it: aws lambda update-alias --function-name {function} --name {} --function-version N",
                alias.name
            ),
        ));
    }
    // What the release that holds the lock is doing is no split that somebody left behind.
    let is_under_way = token.is_some_and(|token| under_way == Some(token.release));
    if let Some(extra) = alias.extra.filter(|_| !is_under_way) {
        problems.push(Problem::error(
            "WG405",
            Some(function),
            format!(
                "alias `{}` is split already: version {} and {} of traffic on version {}",
                alias.name, alias.version, extra.weight, extra.version
            ),
            format!(
                "somebody else left it so; choose one: aws lambda update-alias --function-name {function} --name {} --function-version N --routing-config 'AdditionalVersionWeights={{}}'",
                alias.name
            ),
        ));
    }
    problems
}

/// Lambda splits traffic only between versions with the same role and the same dead-letter queue.
pub(super) fn split(
    function: &FunctionName,
    spec: &FunctionSpec,
    served: &FunctionConfig,
    outline: &Outline,
) -> Vec<Problem> {
    if outline.steps.is_empty() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let mut refuse = |what: &str| {
        problems.push(Problem::error(
            "WG406",
            Some(function),
            format!("its {what} changes, and Lambda does not split traffic between versions whose {what} differs"),
            "release this change with `strategy = \"AllAtOnce\"`".to_owned(),
        ));
    };
    if spec.config.role != served.role {
        refuse("role");
    }
    if spec.config.dead_letter != served.dead_letter {
        refuse("dead-letter target");
    }
    problems
}

pub(super) fn package_type(function: &FunctionName, was_image: bool) -> Problem {
    let (from, to) = if was_image { ("image", "zip") } else { ("zip", "image") };
    Problem::error(
        "WG407",
        Some(function),
        format!("its package type changes from {from} to {to}, which Lambda does not allow"),
        "give the new one another name, or delete the function first".to_owned(),
    )
}

pub(super) fn alarm(
    function: &FunctionName,
    alarm: &AlarmUse,
    seen: &AlarmSnapshot,
) -> Option<Problem> {
    let name = &alarm.alarm.name;
    match (seen.status, alarm.if_already_alarming) {
        (AlarmStatus::Missing, _) => Some(Problem::error(
            "WG412",
            Some(function),
            format!("alarm `{name}` does not exist: {}", seen.detail),
            "create it, or correct its name: an alarm that is not there guards nothing".to_owned(),
        )),
        (AlarmStatus::Firing, IfAlreadyAlarming::Fail) => Some(Problem::error(
            "WG413",
            Some(function),
            format!("alarm `{name}` is red already: {}", seen.detail),
            format!(
                "if this release is the fix, set `if_already_alarming = \"ignore\"` (or \"wait\") in [alarms.{name}]"
            ),
        )),
        (AlarmStatus::Firing, policy) => Some(Problem {
            code: "WG414",
            severity: Severity::Warning,
            function: Some(function.clone()),
            message: format!("alarm `{name}` is red already: {}", seen.detail),
            hint: Some(match policy {
                IfAlreadyAlarming::Wait => "the first shift waits until it is quiet".to_owned(),
                _ => "it counts once it has been quiet".to_owned(),
            }),
        }),
        (AlarmStatus::Ok | AlarmStatus::Unknown, _) => None,
    }
}

/// A strategy that CodeDeploy cannot follow.
pub(super) fn not_lowered(function: &FunctionName, strategy: &str, reason: &NotLowered) -> Problem {
    Problem::error(
        "WG415",
        Some(function),
        format!("its strategy `{strategy}` {reason}"),
        "choose a canary or linear strategy of whole percents and minutes, or let wavegate move its traffic with `engine = \"native\"`"
            .to_owned(),
    )
}

/// The policy that AWS has for CodeDeploy's service role lets it call functions of one name only.
const HOOK_PREFIX: &str = "CodeDeployHook_";

/// Hooks that CodeDeploy may not be allowed to call.
pub(super) fn hook_names(function: &FunctionName, group: &Group) -> Option<Problem> {
    let is_strange = |hook: &&str| {
        // A name, a partial or a full ARN: the function is what follows `function:`.
        let name = hook.rsplit_once("function:").map_or(*hook, |(_, name)| name);
        !name.starts_with(HOOK_PREFIX)
    };
    let hooks: Vec<String> = group.hooks().filter(is_strange).map(str::to_owned).collect();
    (!hooks.is_empty()).then(|| Problem {
        code: "WG416",
        severity: Severity::Warning,
        function: Some(function.clone()),
        message: format!(
            "CodeDeploy calls `{}`, and AWS's own policy for its service role allows `{HOOK_PREFIX}*` only",
            hooks.join("` and `")
        ),
        hint: Some(format!(
            "name hooks `{HOOK_PREFIX}…`, or give the service role `lambda:InvokeFunction` on them"
        )),
    })
}

/// Hooks of the app that are left out, and would not judge as the app has them.
pub(super) fn hooks_left_out(function: &FunctionName, hooks: &[&FunctionName]) -> Option<Problem> {
    let (first, more) = hooks.split_first()?;
    let names = more.iter().fold(first.to_string(), |names, hook| format!("{names}` and `{hook}"));
    Some(Problem {
        code: "WG418",
        severity: Severity::Warning,
        function: Some(function.clone()),
        message: format!(
            "CodeDeploy calls `{names}` by name, whose $LATEST holds something else than its alias serves"
        ),
        hint: Some(
            "name it with `--only`, too: then it is put right before it is called".to_owned(),
        ),
    })
}

/// Alarms that only wavegate watches, where CodeDeploy goes on without it.
pub(super) fn unwatched(function: &FunctionSpec, group: &Group) -> Option<Problem> {
    (group.alarms.is_empty() && !function.alarms.is_empty()).then(|| Problem {
        code: "WG417",
        severity: Severity::Warning,
        function: Some(function.name.clone()),
        message:
            "CodeDeploy can watch none of its alarms: while wavegate is not there, nobody does"
                .to_owned(),
        hint: Some("give it an alarm that exists, with `use = \"cloudwatch-alarm\"`".to_owned()),
    })
}

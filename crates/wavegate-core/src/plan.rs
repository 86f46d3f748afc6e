//! The plan: what a release will do, and why each function is in it, left alone or blocked.
//!
//! Planning is pure and total: it reports every problem at once and yields a plan only if none of
//! them blocks. A [`Plan`] is immutable; execution chooses nothing except a strategy inside its
//! [`Outline`].

mod diff;
mod problem;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use diff::{Change, Diff, diff, same_config};
pub use problem::{Problem, Severity};
pub use schedule::{Schedule, schedule};

use crate::codedeploy::{Called, Group, Routing};
use crate::graph::Graph;
use crate::inventory::{AliasState, Artifact, Inventory, Latest};
use crate::name::{AliasName, AppName, FunctionName, ReleaseId, VersionId};
use crate::spec::{
    AlarmUse, AppSpec, CodeSource, ComponentUse, FunctionConfig, FunctionSpec, HookUse,
    IfAlreadyAlarming, OnBlind, OnFailure, RollbackScope,
};
use crate::token::{LockRecord, Position, Token};
use crate::weight::Weight;

/// What a strategy promises before it starts, and the fence around what it may decide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    /// The weights it will set, in order, below 100 %.
    pub steps: Vec<OutlineStep>,
    /// The longest it takes if nothing goes wrong.
    pub longest: Duration,
}

/// An outline that is none, in words that follow "its outline".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOutline {
    /// A step that gives the candidate all traffic, or none.
    #[error("has a step to {weight}, which is not between 0% and 100%")]
    NoShare {
        /// The weight.
        weight: Weight,
    },
    /// A step that is not above the one before.
    #[error("has a step to {weight}, which is not above the {before} before it")]
    NotUp {
        /// The weight.
        weight: Weight,
        /// The weight before it.
        before: Weight,
    },
    /// The shortest time at a weight is longer than the longest.
    #[error("bakes {weight} for at least {} and at most {}", crate::time::human(*min), crate::time::human(*max))]
    Bake {
        /// The weight.
        weight: Weight,
        /// The shortest time.
        min: Duration,
        /// The longest time.
        max: Duration,
    },
}

impl Outline {
    /// Whether a release could follow it.
    ///
    /// # Errors
    /// The first step that it could not.
    pub fn check(&self) -> Result<(), BadOutline> {
        let mut before = Weight::ZERO;
        for step in &self.steps {
            let weight = step.weight;
            if weight == Weight::ZERO || weight == Weight::FULL {
                return Err(BadOutline::NoShare { weight });
            }
            if weight <= before {
                return Err(BadOutline::NotUp { weight, before });
            }
            if step.bake_min > step.bake_max {
                return Err(BadOutline::Bake { weight, min: step.bake_min, max: step.bake_max });
            }
            before = weight;
        }
        Ok(())
    }
}

/// One step of an outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutlineStep {
    /// The weight.
    pub weight: Weight,
    /// The shortest time at it.
    pub bake_min: Duration,
    /// The longest time at it.
    pub bake_max: Duration,
}

/// What a release will do. Made by [`plan`] or [`switch_plan`].
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The app.
    pub app: AppName,
    /// The alias behind which traffic moves.
    pub alias: AliasName,
    /// The release's number: one more than the last one the lock knows.
    pub number: u64,
    /// The function that carries the lock alias.
    pub anchor: FunctionName,
    /// The anchor's name in Lambda.
    pub anchor_lambda_name: FunctionName,
    /// The lock alias as it was observed; `None`: there is none yet.
    pub lock: Option<AliasState>,
    /// The functions that change, by name.
    pub functions: BTreeMap<FunctionName, FunctionPlan>,
    /// Dependencies before dependants.
    pub order: Vec<FunctionName>,
    /// The functions that change, layer by layer.
    pub waves: Vec<Vec<FunctionName>>,
    /// What a failure does.
    pub on_failure: OnFailure,
    /// How far a rollback reaches.
    pub scope: RollbackScope,
    /// What alarms that cannot tell for too long do.
    pub on_blind: OnBlind,
    /// How many functions may move at once.
    pub max_parallel: usize,
    /// How many versions of each changed function are kept.
    pub keep_versions: usize,
    /// A fingerprint of everything above.
    pub fingerprint: u32,
}

/// What happens to one function.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionPlan {
    /// Its key.
    pub name: FunctionName,
    /// Its name in Lambda.
    pub lambda_name: FunctionName,
    /// Its ARN, unqualified; empty if it does not exist yet.
    pub arn: String,
    /// What is done.
    pub action: Action,
    /// What is different, for people.
    pub changes: Vec<Change>,
    /// The functions of this plan that must be done first.
    pub depends_on: BTreeSet<FunctionName>,
    /// How its traffic moves.
    pub strategy: ComponentUse,
    /// What the strategy promised.
    pub outline: Outline,
    /// What CodeDeploy does, if it moves the traffic. A first alias has none to move, and a way back
    /// to a version that exists is wavegate's own.
    pub delegation: Option<Delegation>,
    /// Its pre-traffic hooks.
    pub pre_traffic: Vec<HookUse>,
    /// Its post-traffic hooks.
    pub post_traffic: Vec<HookUse>,
    /// Its rollback hooks.
    pub on_rollback: Vec<HookUse>,
    /// Its alarms.
    pub alarms: Vec<PlannedAlarm>,
    /// How long its alarms are watched after promotion.
    pub bake: Duration,
    /// The live alias as it was observed.
    pub live: Option<AliasState>,
    /// The pin alias as it was observed.
    pub pin: Option<AliasState>,
    /// The wanted configuration.
    pub config: FunctionConfig,
    /// The wanted code; `None` for a switch to a version that exists.
    pub artifact: Option<Artifact>,
}

/// What CodeDeploy does for a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The deployment group.
    pub group: Group,
    /// The schedule.
    pub routing: Routing,
}

/// An alarm of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedAlarm {
    /// The alarm.
    pub alarm: AlarmUse,
    /// It was red before the release, and was told not to count until it has been quiet once.
    pub already_red: bool,
}

/// What is done to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It has no alias yet: create it or update it, then create the alias.
    First {
        /// Whether the function itself exists.
        exists: bool,
    },
    /// Publish a version and move the alias to it.
    Update {
        /// The version that the alias serves.
        stable: VersionId,
    },
    /// Move the alias to a version that exists: a rollback after the fact.
    Switch {
        /// The version that the alias serves.
        stable: VersionId,
        /// The version to serve.
        target: VersionId,
    },
}

impl Action {
    /// The version being replaced, unless there is none.
    pub fn stable(self) -> Option<VersionId> {
        match self {
            Self::First { .. } => None,
            Self::Update { stable } | Self::Switch { stable, .. } => Some(stable),
        }
    }
}

/// How one alarm looked before anything was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmSnapshot {
    /// Its state.
    pub status: AlarmStatus,
    /// The provider's words.
    pub detail: String,
}

/// What an alarm says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmStatus {
    /// Quiet.
    Ok,
    /// It cannot tell. Never taken for quiet.
    Unknown,
    /// Red.
    Firing,
    /// There is no such alarm.
    Missing,
}

/// Why each function is in the plan or not, and every problem.
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use = "an unread report is not actionable"]
pub struct PlanReport {
    /// One entry per function of the app.
    pub functions: BTreeMap<FunctionName, Standing>,
    /// Everything that is wrong or worth knowing.
    pub problems: Vec<Problem>,
}

/// Where a function stands in a plan report.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It is deployed for the first time.
    New,
    /// It changes.
    Changed(Vec<Change>),
    /// The alias serves what is wanted already.
    Unchanged(VersionId),
    /// It was left out by `--only`, though it may have changed.
    NotSelected,
}

impl PlanReport {
    /// Whether a problem blocks the release.
    pub fn is_blocked(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// What [`plan`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What is wanted.
    pub spec: &'a AppSpec,
    /// What was observed.
    pub inventory: &'a Inventory,
    /// What was packaged, for every function.
    pub artifacts: &'a BTreeMap<FunctionName, Artifact>,
    /// What the strategies promise, for every function that changes.
    pub outlines: &'a BTreeMap<FunctionName, Outline>,
    /// How the alarms look, by function and alarm name, for every function that changes.
    pub alarms: &'a BTreeMap<(FunctionName, String), AlarmSnapshot>,
    /// The functions to look at; `None`: all.
    pub only: Option<&'a BTreeSet<FunctionName>>,
}

/// Plans a release: pure, and every problem at once.
///
/// The plan is `None` if a problem blocks it. A plan without functions is a deploy of nothing.
pub fn plan(facts: Facts<'_>) -> (Option<Plan>, PlanReport) {
    plan_under(facts, None)
}

/// The plan of a release that was left in the middle, made anew: the same fingerprint, and it is the
/// same plan. `facts.inventory` is what [`before`] makes of what is there now.
pub fn resume_plan(facts: Facts<'_>, left: &LockRecord) -> (Option<Plan>, PlanReport) {
    plan_under(facts, Some(left))
}

/// Plans; where a release was left, as that release.
fn plan_under(facts: Facts<'_>, left: Option<&LockRecord>) -> (Option<Plan>, PlanReport) {
    let spec = facts.spec;
    let diff = diff(spec, facts.inventory, facts.artifacts, facts.only);
    let mut report =
        PlanReport { functions: diff.standings.clone(), problems: diff.problems.clone() };
    let graph = match Graph::new(spec.functions.iter().map(|(n, f)| (n, &f.depends_on))) {
        Ok(graph) => graph,
        Err(cycles) => {
            report.problems.extend(cycles.iter().map(problem::cycle));
            return (None, report);
        }
    };
    let lock = find_lock(spec, facts.inventory);
    if left.is_none() {
        report.problems.extend(problem::lock(spec, lock.as_ref(), facts.inventory));
    }
    let changed: BTreeSet<FunctionName> = diff.changed().cloned().collect();
    let depends = graph.contract(&changed);
    let mut functions = BTreeMap::new();
    for name in &changed {
        let (planned, problems) =
            function_plan(facts, &diff, name, depends.get(name), under_way(lock.as_ref()));
        report.problems.extend(problems);
        functions.extend(planned.map(|planned| (name.clone(), planned)));
    }
    if report.is_blocked() {
        return (None, report);
    }
    let anchor = anchor(spec, facts.inventory, lock.as_ref(), &graph, &changed);
    let Some(anchor) = anchor else { return (None, report) };
    let number = left.map_or_else(|| next_number(lock.as_ref()), |left| left.number);
    let mut plan = assemble(spec, anchor, lock.map(|(_, alias, _)| alias), number, functions);
    if !diff.put_right.is_empty() {
        plan.fingerprint = lasting_fingerprint(&plan, &graph, &diff.put_right);
    }
    (Some(plan), report)
}

/// The fingerprint of a plan without what it only puts right. Whether a `$LATEST` is as it should be
/// changes while the release prepares: whoever goes on with it, or tries it once more, has the same
/// plan all the same.
fn lasting_fingerprint(plan: &Plan, graph: &Graph, put_right: &BTreeSet<FunctionName>) -> u32 {
    let mut lasting = plan.clone();
    lasting.functions.retain(|name, _| !put_right.contains(name));
    let names: BTreeSet<FunctionName> = lasting.functions.keys().cloned().collect();
    for (name, needs) in graph.contract(&names) {
        if let Some(function) = lasting.functions.get_mut(&name) {
            function.depends_on = needs;
        }
    }
    lasting.waves = waves(&lasting.functions);
    fingerprint(&lasting)
}

/// A plan that moves aliases to versions that exist: the whole app back to where it was. What
/// depended on others goes back first, so every dependency is reversed.
pub fn switch_plan(
    spec: &AppSpec,
    inventory: &Inventory,
    targets: &BTreeMap<FunctionName, VersionId>,
) -> (Option<Plan>, PlanReport) {
    let mut report = PlanReport::default();
    let Ok(graph) = Graph::new(spec.functions.iter().map(|(n, f)| (n, &f.depends_on))) else {
        return (None, report);
    };
    let lock = find_lock(spec, inventory);
    report.problems.extend(problem::lock(spec, lock.as_ref(), inventory));
    let mut functions = BTreeMap::new();
    for (name, function) in &spec.functions {
        let Some(observed) = inventory.functions.get(name) else { continue };
        let Some(live) = observed.alias(&spec.alias) else { continue };
        let Some(stable) = live.main() else { continue };
        let Some(target) = targets.get(name).copied().filter(|target| *target != stable) else {
            report.functions.insert(name.clone(), Standing::Unchanged(stable));
            continue;
        };
        report.problems.extend(problem::alias(spec, name, live, under_way(lock.as_ref())));
        let change = Change::new("version", stable, target);
        report.functions.insert(name.clone(), Standing::Changed(vec![change.clone()]));
        let action = Action::Switch { stable, target };
        let switched = FunctionPlan {
            changes: vec![change],
            arn: observed.arn.clone(),
            live: Some(live.clone()),
            pin: observed.alias(&spec.alias.pin()).cloned(),
            ..bare(function, action)
        };
        functions.insert(name.clone(), switched);
    }
    if report.is_blocked() {
        return (None, report);
    }
    let changed: BTreeSet<FunctionName> = functions.keys().cloned().collect();
    for (name, needs) in graph.contract(&changed) {
        for need in needs {
            if let Some(function) = functions.get_mut(&need) {
                function.depends_on.insert(name.clone());
            }
        }
    }
    let Some(anchor) = anchor(spec, inventory, lock.as_ref(), &graph, &changed) else {
        return (None, report);
    };
    let number = next_number(lock.as_ref());
    (Some(assemble(spec, anchor, lock.map(|(_, alias, _)| alias), number, functions)), report)
}

/// What was there before the release that a lock tells of touched it: every alias that carries its
/// token as the version that it replaced, alone, with the user's own description; no alias where
/// there was none. What each function served then is to be looked at anew: `served` must be the view
/// of that version. Of what it held unpublished, no more is known than who has written it.
pub fn before(spec: &AppSpec, inventory: &Inventory, left: &LockRecord) -> Inventory {
    let mut inventory = inventory.clone();
    for observed in inventory.functions.values_mut() {
        let pin = observed.alias(&spec.alias.pin()).cloned();
        let is_live = |alias: &AliasState| alias.name == spec.alias.as_str();
        let Some(at) = observed.aliases.iter().position(is_live) else { continue };
        let Some(live) = observed.aliases.get_mut(at) else { continue };
        let token = Token::decode(&live.description).filter(|t| t.release == left.release);
        observed.latest = match std::mem::take(&mut observed.latest) {
            Latest::Holds(_) if token.is_some() => Latest::Written,
            // Whatever the release was to move carries its record by now.
            _ if left.is_past_barrier() => Latest::Unasked,
            latest => latest,
        };
        match token.map(|token| token.stable) {
            None => {}
            Some(None) => drop(observed.aliases.remove(at)),
            Some(Some(stable)) => {
                live.description = crate::release::user_text(live, pin.as_ref());
                live.version = stable.to_string();
                live.extra = None;
            }
        }
    }
    inventory
}

/// What a token says is done to its function.
pub(crate) fn action_of(token: &Token) -> Action {
    match token.stable {
        Some(stable) => Action::Switch { stable, target: token.candidate },
        None => Action::First { exists: true },
    }
}

/// What an unfinished release left, as a plan for [`crate::release::Release::put_back`]: every
/// function that exists, judged by the tokens alone. `None`: the lock is free.
pub fn put_back_plan(spec: &AppSpec, inventory: &Inventory) -> Option<(Plan, LockRecord)> {
    let (anchor, lock, record) = find_lock(spec, inventory)?;
    if record.phase.is_over() {
        return None;
    }
    let graph = Graph::new(spec.functions.iter().map(|(n, f)| (n, &f.depends_on))).ok()?;
    let mut functions = BTreeMap::new();
    for (name, function) in &spec.functions {
        // One that was not there yet when it was looked may be by the time the lock is taken.
        let observed = inventory.functions.get(name);
        let live = observed.and_then(|observed| observed.alias(&spec.alias));
        let token = live
            .and_then(|live| Token::decode(&live.description))
            .filter(|token| token.release == record.release);
        let (action, changes) = match (&token, live.and_then(AliasState::main)) {
            (Some(token), _) => {
                let to = token.stable.map_or_else(|| "none".to_owned(), |v| v.to_string());
                let changes = vec![Change::new("version", token.candidate, to)];
                (action_of(token), changes)
            }
            // Its first write may be under way still: it is looked at, and fenced.
            (None, Some(main)) => (Action::Switch { stable: main, target: main }, Vec::new()),
            (None, None) if live.is_none() => {
                (Action::First { exists: observed.is_some() }, Vec::new())
            }
            (None, None) => continue,
        };
        let left = FunctionPlan {
            arn: observed.map(|observed| observed.arn.clone()).unwrap_or_default(),
            changes,
            pin: observed.and_then(|observed| observed.alias(&spec.alias.pin())).cloned(),
            live: live.cloned(),
            on_rollback: function.hooks.on_rollback.clone(),
            ..bare(function, action)
        };
        functions.insert(name.clone(), left);
    }
    let changed: BTreeSet<FunctionName> = functions.keys().cloned().collect();
    for (name, needs) in graph.contract(&changed) {
        for need in needs {
            // What moved in reverse goes back in reverse of that.
            let (first, then) =
                if record.is_switch { (&name, need) } else { (&need, name.clone()) };
            if let Some(function) = functions.get_mut(&then) {
                function.depends_on.insert(first.clone());
            }
        }
    }
    let mut plan = assemble(spec, anchor, Some(lock), record.number, functions);
    plan.on_failure = OnFailure::Rollback;
    plan.scope = RollbackScope::App;
    Some((plan, record))
}

/// A function that moves at once, unwatched.
fn bare(function: &FunctionSpec, action: Action) -> FunctionPlan {
    FunctionPlan {
        name: function.name.clone(),
        lambda_name: function.lambda_name.clone(),
        arn: String::new(),
        action,
        changes: Vec::new(),
        depends_on: BTreeSet::new(),
        strategy: ComponentUse {
            name: "AllAtOnce".to_owned(),
            component: "all-at-once".to_owned(),
            config: crate::spec::Opaque("{}".to_owned()),
        },
        outline: Outline::default(),
        delegation: None,
        pre_traffic: Vec::new(),
        post_traffic: Vec::new(),
        on_rollback: Vec::new(),
        alarms: Vec::new(),
        bake: Duration::ZERO,
        live: None,
        pin: None,
        config: function.config.clone(),
        artifact: None,
    }
}

/// The app's lock: the function that carries it, the alias and the record. Where two functions
/// carry one (the anchor was changed by hand), the later epoch counts.
pub fn find_lock(
    spec: &AppSpec,
    inventory: &Inventory,
) -> Option<(FunctionName, AliasState, LockRecord)> {
    let name = spec.alias.lock();
    inventory
        .functions
        .iter()
        .filter_map(|(function, observed)| {
            let alias = observed.alias(&name)?;
            let record = LockRecord::decode(&alias.description)?;
            (record.app == spec.name).then(|| (function.clone(), alias.clone(), record))
        })
        .max_by_key(|(_, _, record)| record.epoch)
}

/// Whether CodeDeploy has, or had, traffic of the release that a lock tells of in hand: then it may go
/// on, or have come to its end, without whoever ran the release.
pub fn is_delegated(spec: &AppSpec, inventory: &Inventory, left: &LockRecord) -> bool {
    let live = inventory.functions.values().filter_map(|observed| observed.alias(&spec.alias));
    !left.phase.is_going_back()
        && live
            .filter_map(|alias| Token::decode(&alias.description))
            .any(|token| token.release == left.release && token.position == Position::Delegated)
}

/// The release that holds the lock, if one does.
fn under_way(lock: Option<&(FunctionName, AliasState, LockRecord)>) -> Option<ReleaseId> {
    lock.filter(|(_, _, record)| !record.phase.is_over()).map(|(_, _, record)| record.release)
}

fn next_number(lock: Option<&(FunctionName, AliasState, LockRecord)>) -> u64 {
    lock.map_or(1, |(_, _, record)| record.number + 1)
}

/// Where the lock is or will be: where it is, else on the first function of the graph, so that two
/// who begin with a new app at once choose the same one whatever exists by then; else, where that one
/// neither exists nor is deployed now, on the first that exists or will be created.
fn anchor(
    spec: &AppSpec,
    inventory: &Inventory,
    lock: Option<&(FunctionName, AliasState, LockRecord)>,
    graph: &Graph,
    changed: &BTreeSet<FunctionName>,
) -> Option<FunctionName> {
    let is_there =
        |name: &&FunctionName| inventory.functions.contains_key(*name) || changed.contains(*name);
    lock.map(|(function, _, _)| function.clone())
        .or_else(|| graph.order().first().filter(is_there).cloned())
        .or_else(|| inventory.functions.keys().find(|f| spec.functions.contains_key(*f)).cloned())
        .or_else(|| graph.order().iter().find(|name| changed.contains(*name)).cloned())
        .or_else(|| graph.order().first().cloned())
}

fn function_plan(
    facts: Facts<'_>,
    diff: &Diff,
    name: &FunctionName,
    depends_on: Option<&BTreeSet<FunctionName>>,
    under_way: Option<ReleaseId>,
) -> (Option<FunctionPlan>, Vec<Problem>) {
    let spec = facts.spec;
    let Some(function) = spec.functions.get(name) else { return (None, Vec::new()) };
    let observed = facts.inventory.functions.get(name);
    let live = observed.and_then(|o| o.alias(&spec.alias)).cloned();
    let mut problems = Vec::new();
    let action = match (&live, observed) {
        (None, _) => Action::First { exists: observed.is_some() },
        (Some(alias), _) => {
            problems.extend(problem::alias(spec, name, alias, under_way));
            match alias.main() {
                Some(stable) => Action::Update { stable },
                None => return (None, problems),
            }
        }
    };
    let outline = facts.outlines.get(name).cloned().unwrap_or_default();
    if let Some(observed) = observed.filter(|_| live.is_some()) {
        problems.extend(problem::split(name, function, &observed.served.config, &outline));
        let was_image = observed.served.image_uri.is_some();
        if was_image != matches!(function.code, CodeSource::Image(_)) {
            problems.push(problem::package_type(name, was_image));
        }
    }
    let delegation = match (function.engine.group(), action) {
        (Some(group), Action::Update { .. }) => match Routing::lower(&outline) {
            Ok(routing) => {
                problems.extend(problem::hook_names(name, group));
                problems.extend(problem::hooks_left_out(name, &hooks_left_out(facts, diff, group)));
                problems.extend(problem::unwatched(function, group));
                Some(Delegation { group: group.clone(), routing })
            }
            Err(reason) => {
                problems.push(problem::not_lowered(name, &function.strategy.name, &reason));
                None
            }
        },
        _ => None,
    };
    let mut alarms = Vec::new();
    for alarm in &function.alarms {
        let snapshot = facts.alarms.get(&(name.clone(), alarm.alarm.name.clone()));
        problems.extend(snapshot.and_then(|seen| problem::alarm(name, alarm, seen)));
        let already_red = alarm.if_already_alarming == IfAlreadyAlarming::Ignore
            && snapshot.is_some_and(|seen| seen.status == AlarmStatus::Firing);
        alarms.push(PlannedAlarm { alarm: alarm.clone(), already_red });
    }
    let changes = match diff.standings.get(name) {
        Some(Standing::Changed(changes)) => changes.clone(),
        _ => Vec::new(),
    };
    let planned = FunctionPlan {
        name: name.clone(),
        lambda_name: function.lambda_name.clone(),
        arn: observed.map(|observed| observed.arn.clone()).unwrap_or_default(),
        action,
        changes,
        depends_on: depends_on.cloned().unwrap_or_default(),
        strategy: function.strategy.clone(),
        outline,
        delegation,
        pre_traffic: function.hooks.pre_traffic.clone(),
        post_traffic: function.hooks.post_traffic.clone(),
        on_rollback: function.hooks.on_rollback.clone(),
        alarms,
        bake: function.bake,
        pin: observed.and_then(|o| o.alias(&spec.alias.pin())).cloned(),
        live,
        config: function.config.clone(),
        artifact: facts.artifacts.get(name).cloned(),
    };
    (Some(planned), problems)
}

/// The functions of the app that CodeDeploy calls for a group, that were left out and hold something
/// else unpublished than their aliases serve.
fn hooks_left_out<'a>(facts: Facts<'a>, diff: &Diff, group: &Group) -> Vec<&'a FunctionName> {
    if facts.only.is_none() {
        return Vec::new();
    }
    let is_left_out =
        |name: &FunctionName| matches!(diff.standings.get(name), Some(Standing::NotSelected));
    let called: Called<'_> = std::iter::once(group).collect();
    let functions = facts.inventory.functions.iter();
    let hooks = functions.filter(|(name, observed)| {
        is_left_out(name) && called.has(&observed.arn) && diff::has_strayed(observed)
    });
    hooks.map(|(name, _)| name).collect()
}

fn assemble(
    spec: &AppSpec,
    anchor: FunctionName,
    lock: Option<AliasState>,
    number: u64,
    functions: BTreeMap<FunctionName, FunctionPlan>,
) -> Plan {
    let waves = waves(&functions);
    let anchor_lambda_name =
        spec.functions.get(&anchor).map_or_else(|| anchor.clone(), |f| f.lambda_name.clone());
    let mut plan = Plan {
        app: spec.name.clone(),
        alias: spec.alias.clone(),
        number,
        anchor,
        anchor_lambda_name,
        lock,
        order: waves.iter().flatten().cloned().collect(),
        functions,
        waves,
        on_failure: spec.on_failure,
        scope: spec.rollback_scope,
        on_blind: spec.on_blind,
        max_parallel: spec.max_parallel.max(1),
        keep_versions: spec.keep_versions,
        fingerprint: 0,
    };
    plan.fingerprint = fingerprint(&plan);
    plan
}

/// The layers of the functions that change.
fn waves(functions: &BTreeMap<FunctionName, FunctionPlan>) -> Vec<Vec<FunctionName>> {
    // Contracting an acyclic graph, or reversing it, leaves it acyclic.
    let graph = Graph::new(functions.iter().map(|(name, function)| (name, &function.depends_on)));
    graph.map(|graph| graph.waves()).unwrap_or_default()
}

/// What makes two plans the same: what is released, in which order, how. Not when, nor under which
/// revision ids, so that the same manifest gives the same plan on another machine.
fn fingerprint(plan: &Plan) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let rules = (plan.on_failure, plan.scope, plan.on_blind);
    let head = format!("{:?}", (&plan.app, &plan.alias, rules, &plan.waves));
    hasher.update(head.as_bytes());
    for function in plan.functions.values() {
        let code = match &function.artifact {
            Some(Artifact::Zip { code_sha256, .. }) => code_sha256.clone(),
            Some(Artifact::S3 { bucket, key }) => format!("s3://{bucket}/{key}"),
            Some(Artifact::Image { uri }) => uri.clone(),
            None => String::new(),
        };
        let body = format!(
            "{:?}",
            (
                &function.lambda_name,
                // Whether the function of a first deploy exists changes while it is deployed.
                function.action.stable(),
                matches!(function.action, Action::Switch { .. }),
                &function.depends_on,
                &function.strategy,
                (&function.pre_traffic, &function.post_traffic, &function.on_rollback),
                // Whether one was red already is a look, not a part of what is planned.
                function.alarms.iter().map(|alarm| &alarm.alarm).collect::<Vec<_>>(),
                function.bake,
                &function.config,
                code,
            )
        );
        hasher.update(body.as_bytes());
        if let Some(delegation) = &function.delegation {
            hasher.update(format!("{delegation:?}").as_bytes());
        }
        // `Debug` hides secrets and component configs; the fingerprint must still see a change.
        let hooks = [&function.pre_traffic, &function.post_traffic, &function.on_rollback];
        let components = std::iter::once(&function.strategy)
            .chain(hooks.into_iter().flatten().map(|hook| &hook.hook))
            .chain(function.alarms.iter().map(|alarm| &alarm.alarm.alarm));
        for component in components {
            hasher.update(component.config.0.as_bytes());
        }
        for (key, value) in &function.config.environment {
            hasher.update(key.as_bytes());
            hasher.update(value.expose().as_bytes());
        }
    }
    hasher.finalize()
}

/// Whether a lock leaves the app free for the next release.
pub fn is_free(lock: Option<&LockRecord>) -> bool {
    lock.is_none_or(|record| record.phase.is_over())
}

/// Whether a lock says that a release stopped in the middle and nobody owns it.
pub fn is_held(lock: Option<&LockRecord>) -> bool {
    lock.is_some_and(|record| record.phase.is_ownerless())
}

#[cfg(test)]
mod tests;

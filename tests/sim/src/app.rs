//! The app of one seed: its functions and their graph, what is there before the release, how each
//! rollout is meant to go, and what its alarms and hooks will say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use wavegate_core::inventory::Artifact;
use wavegate_core::name::{AliasName, AppName, FunctionName, VersionId};
use wavegate_core::plan::{AlarmSnapshot, AlarmStatus, Outline, OutlineStep};
use wavegate_core::spec::{
    AlarmUse, AppSpec, CodeSource, ComponentUse, FunctionConfig, FunctionSpec, HookUse, Hooks,
    IfAlreadyAlarming, OnBlind, OnFailure, Opaque, RollbackScope,
};
use wavegate_core::weight::Weight;

use crate::rng::Rng;
use crate::weather::{Class, Knobs, Weather};

/// The version that nobody planned. It was there before the stable one.
pub(crate) const ODD: VersionId = VersionId(1);
/// The version that serves when the story begins.
pub(crate) const STABLE: VersionId = VersionId(2);

/// What there is of a function before the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// The function, without an alias.
    Bare,
    /// It serves.
    Serving,
}

/// What the release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// New code.
    Deploy,
    /// Back to the version before.
    Switch,
}

/// One function, beside its specification.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) before: Before,
    /// Publishing gives the version that serves already.
    pub(crate) is_same: bool,
    pub(crate) outline: Outline,
    /// When its alarm fires.
    pub(crate) fires: Vec<(u64, u64)>,
    /// When its alarm cannot tell.
    pub(crate) cannot_tell: Vec<(u64, u64)>,
    /// The phases whose hooks fail: pre-traffic, post-traffic, rollback.
    pub(crate) hook_fails: [bool; 3],
    /// Its version cannot be published.
    pub(crate) is_unpublishable: bool,
}

/// The app.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) spec: AppSpec,
    pub(crate) parts: BTreeMap<FunctionName, Part>,
    pub(crate) kind: Kind,
    /// Strategies pause at every weight until a person says "go on".
    pub(crate) pauses: bool,
}

/// A function's name by its place.
fn name(place: usize) -> FunctionName {
    FunctionName::new(format!("f{place:02}")).expect("a legal name")
}

fn component(text: &str) -> ComponentUse {
    ComponentUse { name: text.into(), component: text.into(), config: Opaque("{}".into()) }
}

fn weight(bp: u16) -> Weight {
    Weight::from_bp(bp).unwrap_or(Weight::ZERO)
}

/// Some moment of a release that begins at `from`, early ones more often.
pub(crate) fn moment(rng: &mut Rng, from: u64) -> u64 {
    let most = [2_000, 20_000, 200_000, 600_000, 1_800_000][rng.index(5)];
    from + rng.below(most)
}

impl App {
    /// The app of a seed.
    pub(crate) fn of(seed: u64, knobs: &Knobs, weather: &mut Weather, begins: u64) -> Self {
        let mut rng = Rng::of(seed, 2);
        let count = match rng.below(100) {
            0 => rng.between(9, 50),
            1..=15 => rng.between(4, 8),
            _ => rng.between(1, 3),
        };
        let count = usize::try_from(count).unwrap_or(1);
        let pauses = weather.strikes(Class::Pauses);
        let kind = if rng.one_in(6) { Kind::Switch } else { Kind::Deploy };
        let freshness = rng.below(4);
        let mut app = Self::empty(kind, pauses);
        let spec = &mut app.spec;
        spec.max_parallel = usize::try_from(rng.between(1, 8)).unwrap_or(1);
        spec.rollback_scope =
            [RollbackScope::App, RollbackScope::Dependents, RollbackScope::Function][rng.index(3)];
        spec.on_failure = if rng.one_in(8) { OnFailure::Freeze } else { OnFailure::Rollback };
        spec.on_blind = if rng.one_in(4) { OnBlind::Pause } else { OnBlind::Rollback };
        spec.keep_versions = rng.index(4);
        for place in 0..count {
            // A source for each: fewer functions leave those that stay as they were.
            let mut rng = Rng::of(seed, 100 + u64::try_from(place).unwrap_or(0));
            let needs: BTreeSet<FunctionName> = (0..place)
                .filter(|_| rng.one_in(if count > 8 { 9 } else { 3 }))
                .map(name)
                .collect();
            let function = function(&mut rng, name(place), needs);
            let part = part(&mut rng, weather, begins, freshness, kind, &function);
            let is_kept = knobs.functions.is_none_or(|most| place < most);
            if is_kept {
                app.parts.insert(function.name.clone(), part);
                app.spec.functions.insert(function.name.clone(), function);
            }
        }
        app
    }

    fn empty(kind: Kind, pauses: bool) -> Self {
        let spec = AppSpec {
            name: AppName::new("shop").expect("a legal name"),
            alias: AliasName::new("live").expect("a legal name"),
            on_failure: OnFailure::Rollback,
            rollback_scope: RollbackScope::App,
            on_blind: OnBlind::Rollback,
            max_parallel: 16,
            keep_versions: 3,
            functions: BTreeMap::new(),
        };
        Self { spec, parts: BTreeMap::new(), kind, pauses }
    }

    /// A small fixed app for the exhaustive modes: two functions, one of which needs the other, one
    /// canary step each, hooks and alarms.
    pub(crate) fn small() -> Self {
        let mut app = Self::empty(Kind::Deploy, false);
        for (place, needs) in [(0, None), (1, Some(name(0)))] {
            let mut function = bare(name(place), needs.into_iter().collect());
            function.hooks.pre_traffic.push(hook());
            function.hooks.post_traffic.push(hook());
            function.hooks.on_rollback.push(hook());
            let step = OutlineStep {
                weight: weight(1_000),
                bake_min: Duration::from_mins(1),
                bake_max: Duration::from_mins(1),
            };
            let part = Part {
                before: Before::Serving,
                is_same: false,
                outline: Outline { steps: vec![step], longest: Duration::from_mins(2) },
                fires: Vec::new(),
                cannot_tell: Vec::new(),
                hook_fails: [false; 3],
                is_unpublishable: false,
            };
            app.parts.insert(function.name.clone(), part);
            app.spec.functions.insert(function.name.clone(), function);
        }
        app
    }

    /// The code of each function; another revision is other code.
    pub(crate) fn artifacts(&self, revision: &str) -> BTreeMap<FunctionName, Artifact> {
        let artifact = |(key, part): (&FunctionName, &Part)| {
            let artifact = if part.is_same {
                // What is in an object is known only when Lambda has read it.
                Artifact::S3 { bucket: "b".to_owned(), key: code(key, "stable") }
            } else {
                Artifact::Zip {
                    code_sha256: code(key, revision),
                    zipped_bytes: 1_000,
                    unzipped_bytes: 3_000,
                    path: PathBuf::new(),
                }
            };
            (key.clone(), artifact)
        };
        self.parts.iter().map(artifact).collect()
    }

    /// What the strategies promise.
    pub(crate) fn outlines(&self) -> BTreeMap<FunctionName, Outline> {
        self.parts.iter().map(|(key, part)| (key.clone(), part.outline.clone())).collect()
    }

    /// What an alarm says at a moment.
    pub(crate) fn alarm(&self, function: &FunctionName, now: u64) -> AlarmStatus {
        let Some(part) = self.parts.get(function) else { return AlarmStatus::Missing };
        let within = |spans: &[(u64, u64)]| spans.iter().any(|(a, b)| *a <= now && now < *b);
        match (within(&part.fires), within(&part.cannot_tell)) {
            (true, _) => AlarmStatus::Firing,
            (_, true) => AlarmStatus::Unknown,
            _ => AlarmStatus::Ok,
        }
    }

    /// How the alarms look, for the plan.
    pub(crate) fn snapshot(&self, now: u64) -> BTreeMap<(FunctionName, String), AlarmSnapshot> {
        let mut snapshot = BTreeMap::new();
        for (key, function) in &self.spec.functions {
            for alarm in &function.alarms {
                let status = self.alarm(key, now);
                let seen = AlarmSnapshot { status, detail: String::new() };
                snapshot.insert((key.clone(), alarm.alarm.name.clone()), seen);
            }
        }
        snapshot
    }
}

/// The made-up hash of some code: the model keeps hashes, not code.
pub(crate) fn code(function: &FunctionName, revision: &str) -> String {
    format!("{function}-{revision}")
}

fn hook() -> HookUse {
    HookUse { hook: component("smoke"), timeout: Duration::from_mins(10) }
}

fn bare(name: FunctionName, depends_on: BTreeSet<FunctionName>) -> FunctionSpec {
    FunctionSpec {
        lambda_name: name.clone(),
        code: CodeSource::Path(PathBuf::new()),
        config: config(),
        depends_on,
        strategy: component("scripted"),
        engine: wavegate_core::codedeploy::Engine::Native,
        hooks: Hooks::default(),
        alarms: vec![AlarmUse {
            alarm: component("errors"),
            if_already_alarming: IfAlreadyAlarming::Fail,
        }],
        bake: Duration::ZERO,
        name,
    }
}

fn function(rng: &mut Rng, name: FunctionName, needs: BTreeSet<FunctionName>) -> FunctionSpec {
    let mut function = bare(name, needs);
    function.bake = Duration::from_secs(rng.below(3) * 40);
    let hooks = &mut function.hooks;
    for hooks in [&mut hooks.pre_traffic, &mut hooks.post_traffic, &mut hooks.on_rollback] {
        hooks.extend((0..rng.below(8).saturating_sub(5)).map(|_| hook()));
    }
    match rng.below(4) {
        0 => function.alarms.clear(),
        1 => function.alarms[0].if_already_alarming = IfAlreadyAlarming::Wait,
        2 => function.alarms[0].if_already_alarming = IfAlreadyAlarming::Ignore,
        _ => {}
    }
    function
}

fn part(
    rng: &mut Rng,
    weather: &mut Weather,
    begins: u64,
    freshness: u64,
    kind: Kind,
    function: &FunctionSpec,
) -> Part {
    let is_new = kind == Kind::Deploy && (freshness == 0 || (freshness == 1 && rng.one_in(3)));
    let before = match (is_new, rng.one_in(2)) {
        (false, _) => Before::Serving,
        (true, true) => Before::Nothing,
        (true, false) => Before::Bare,
    };
    let steps = [weight(1_000), weight(3_000), weight(6_000)];
    let bake = Duration::from_secs(rng.between(0, 4) * 40);
    let longest = Duration::from_hours(3);
    let steps = steps[..rng.index(4)].iter().map(|weight| OutlineStep {
        weight: *weight,
        bake_min: bake,
        bake_max: longest,
    });
    let is_same = before == Before::Serving && rng.one_in(10);
    let outline = Outline { steps: steps.collect(), longest };
    let mut part = Part {
        before,
        is_same,
        outline,
        fires: Vec::new(),
        cannot_tell: Vec::new(),
        hook_fails: [false; 3],
        is_unpublishable: weather.strikes(Class::Publishing),
    };
    for fails in &mut part.hook_fails {
        *fails = weather.strikes(Class::Hooks);
    }
    alarms(&mut part, rng, weather, begins, function);
    part
}

fn alarms(
    part: &mut Part,
    rng: &mut Rng,
    weather: &mut Weather,
    begins: u64,
    function: &FunctionSpec,
) {
    if weather.strikes(Class::Alarms) {
        let from = moment(rng, begins);
        part.fires.push((from, from + rng.below(600_000)));
    }
    if weather.strikes(Class::Alarms) {
        // It flaps.
        let from = moment(rng, begins);
        part.fires.extend((0..4).map(|time| (from + time * 50_000, from + time * 50_000 + 20_000)));
    }
    let policy = function.alarms.first().map(|alarm| alarm.if_already_alarming);
    let may_be_red = policy.is_some_and(|policy| policy != IfAlreadyAlarming::Fail);
    if may_be_red && weather.strikes(Class::Alarms) {
        part.fires.push((0, moment(rng, begins)));
    }
    if weather.strikes(Class::Alarms) {
        let from = moment(rng, begins);
        part.cannot_tell.push((from, from + rng.below(900_000)));
    }
    let is_fail = policy == Some(IfAlreadyAlarming::Fail);
    // Such a release is refused, which is no story.
    part.fires.retain(|(from, _)| !is_fail || *from > begins);
}

/// Every function's configuration: none changes, so that only code does.
pub(crate) fn config() -> FunctionConfig {
    FunctionConfig {
        runtime: Some("python3.13".to_owned()),
        handler: Some("app.handler".to_owned()),
        role: "arn:aws:iam::000000000000:role/test".to_owned(),
        memory_mb: 128,
        timeout_s: 3,
        architecture: "x86_64".to_owned(),
        ephemeral_storage_mb: 512,
        ..FunctionConfig::default()
    }
}

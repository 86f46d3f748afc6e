//! `engine` and `codedeploy`: who moves a function's traffic, and the deployment group if that is
//! AWS CodeDeploy.
//!
//! What is said for the whole app lies under what a function says ([`spread`]), so a function's own
//! table is all there is to read. CodeDeploy calls one function before it moves traffic and one after:
//! those are taken out of the function's hooks, and are judged here, because no component sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use wavegate_core::codedeploy::{Engine, Group, Trigger};
use wavegate_core::name::{AliasName, AppName, FunctionName};
use wavegate_core::spec::{AlarmUse, HookUse, Hooks, IfAlreadyAlarming};

use crate::check::{Scope, lambda_name, section};
use crate::code;
use crate::findings::Findings;
use crate::node::{Data, Node, Origin, Part};
use crate::problem::{Place, Problem};
use crate::{Target, raw, units};

/// The service role of deployment groups of the local cloud, which looks at none.
pub const LOCAL_SERVICE_ROLE: &str = "arn:aws:iam::000000000000:role/wavegate-codedeploy";

/// Begins the name of the application that wavegate makes for an app.
const APPLICATION_PREFIX: &str = "wavegate-";

/// Characters of a name. Source: `ApplicationName` and `DeploymentGroupName` of CodeDeploy's API model.
const NAME_MAX: usize = 100;

/// Triggers of a group. Source: CodeDeploy's quotas.
const TRIGGERS_MAX: usize = 10;

/// What CodeDeploy gives a hook, always. Source: its user guide, on lifecycle event hooks.
const HOOK_TIME: Duration = Duration::from_hours(1);

/// The hook that CodeDeploy calls itself.
const HOOK: &str = "lambda";

/// The alarm provider whose alarms CodeDeploy can watch.
const ALARM: &str = "cloudwatch-alarm";

/// Keys that a deployment group of somebody else's leaves nothing to do.
const OF_OWN_GROUPS: [&str; 2] = ["role", "triggers"];

/// Lays the app's `engine` and `[codedeploy]` under those of every function.
pub(crate) fn spread(tree: &mut Node) {
    let below =
        [("engine", tree.get(&["app", "engine"])), ("codedeploy", tree.get(&["codedeploy"]))];
    let below = below.map(|(key, node)| (key, node.cloned()));
    let Some(functions) = tree.table_mut().and_then(|sections| sections.get_mut("functions"))
    else {
        return;
    };
    for function in functions.table_mut().into_iter().flat_map(BTreeMap::values_mut) {
        let Some(keys) = function.table_mut() else { continue };
        for (key, node) in &below {
            let Some(mut node) = node.clone() else { continue };
            if let Some(own) = keys.remove(*key) {
                node.merge(own);
            }
            keys.insert((*key).to_owned(), node);
        }
    }
}

/// A function, as far as its engine asks for it.
pub(crate) struct Subject<'a> {
    /// Its key.
    pub(crate) key: &'a str,
    /// Its table.
    pub(crate) node: &'a Node,
    pub(crate) scope: &'a Scope<'a>,
    pub(crate) lambda_name: Option<FunctionName>,
}

/// What becomes of a key of `codedeploy`; the greatest of several functions counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    /// wavegate moves the traffic.
    NotAsked,
    /// The group is somebody else's, and stays as it is.
    NotOwn,
    Counts,
}

/// What is known of deployment groups while the functions are read.
pub(crate) struct Groups<'a> {
    app: Option<&'a AppName>,
    alias: Option<&'a AliasName>,
    /// The first function of each application and group.
    taken: BTreeMap<(String, String), String>,
    /// Keys that somebody wrote, and what becomes of them. Functions may have inherited the same one.
    keys: Vec<(&'a Origin, String, Effect)>,
    /// The `[hooks.NAME]` tables that CodeDeploy calls, and those that wavegate asks.
    called: BTreeSet<String>,
    asked: BTreeSet<String>,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(app: Option<&'a AppName>, alias: Option<&'a AliasName>) -> Self {
        Self {
            app,
            alias,
            taken: BTreeMap::new(),
            keys: Vec::new(),
            called: BTreeSet::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Who moves a function's traffic. The hooks that CodeDeploy calls are taken out; `None` where
    /// something is wrong, which has been reported.
    pub(crate) fn engine(
        &mut self,
        function: &Subject<'a>,
        mut hooks: Option<&mut Hooks>,
        alarms: Option<&[AlarmUse]>,
        findings: &mut Findings,
    ) -> Option<Engine> {
        let group = self.group(function, hooks.as_deref_mut(), alarms, findings);
        let asked = hooks.iter().flat_map(|hooks| every(hooks)).map(|used| used.hook.name.clone());
        self.asked.extend(asked);
        group
    }

    fn group(
        &mut self,
        function: &Subject<'a>,
        hooks: Option<&mut Hooks>,
        alarms: Option<&[AlarmUse]>,
        findings: &mut Findings,
    ) -> Option<Engine> {
        let path = ["functions", function.key, "codedeploy"];
        let raw: raw::CodeDeploy = section(function.scope.tree, &path, findings);
        let is_sound = function.are_values_sound(&raw, findings);
        let is_own = raw.group.is_none() && !function.is_spoilt(&["group"], findings);
        let Some(engine) = function.node.child("engine") else {
            // The app's is always there, unless it was reported.
            self.mark(function, |_| Effect::Counts);
            return None;
        };
        if !matches!(&engine.data, Data::Text(word) if word == "codedeploy") {
            self.mark(function, |_| Effect::NotAsked);
            return Some(Engine::Native);
        }
        self.mark(function, |key| {
            let is_idle = !is_own && OF_OWN_GROUPS.contains(&key);
            if is_idle { Effect::NotOwn } else { Effect::Counts }
        });
        // Where one is missing, that has been reported, and the release does not come to it.
        let role = if is_own { function.role(&raw, findings) } else { None };
        let (before, after) = match hooks {
            Some(hooks) => (
                self.take_hook(function, "pre_traffic", &mut hooks.pre_traffic, findings),
                self.take_hook(function, "post_traffic", &mut hooks.post_traffic, findings),
            ),
            None => (None, None),
        };
        let (application, name) = self.names(function, &raw, findings)?;
        self.claim(function, &application, &name, findings);
        let triggers = if is_own { triggers(&raw) } else { Vec::new() };
        let group = Group {
            application,
            name,
            is_own,
            role,
            alarms: watched(alarms?),
            ignores_unreadable_alarms: raw.ignore_unreadable_alarms.unwrap_or(false),
            triggers,
            before,
            after,
        };
        is_sound.then(|| Engine::CodeDeploy(Box::new(group)))
    }

    /// Notes what becomes of a function's keys.
    fn mark(&mut self, function: &Subject<'a>, effect: impl Fn(&str) -> Effect) {
        let table = function.node.child("codedeploy").and_then(Node::table);
        for (key, node) in table.into_iter().flatten() {
            let now = effect(key);
            let mut known = self.keys.iter_mut();
            match known.find(|(origin, name, _)| *origin == &node.origin && name == key) {
                Some((.., before)) => *before = now.max(*before),
                None => self.keys.push((&node.origin, key.clone(), now)),
            }
        }
    }

    /// The application's and the group's name.
    fn names(
        &self,
        function: &Subject<'_>,
        raw: &raw::CodeDeploy,
        findings: &mut Findings,
    ) -> Option<(String, String)> {
        if let (Some(group), None) = (&raw.group, &raw.application) {
            if !function.is_spoilt(&["application"], findings) {
                let place = function.place("group", Part::Value, findings);
                let quoted = function.quoted("group");
                let message =
                    format!("{quoted} is a deployment group of an application that is not named");
                let problem = Problem::new(code::DEPLOYMENT_GROUP, place, message)
                    .with_label("of which application?")
                    .with_help("add `application = \"…\"` beside it: the one that holds the group");
                findings.push(problem);
            }
            return Some((String::new(), group.clone()));
        }
        let application = match &raw.application {
            Some(name) => name.clone(),
            None => format!("{APPLICATION_PREFIX}{}", self.app?),
        };
        let group = match &raw.group {
            Some(name) => name.clone(),
            None => own_name(function.lambda_name.as_ref()?, self.alias?),
        };
        Some((application, group))
    }

    /// CodeDeploy runs one deployment of a group at a time.
    fn claim(
        &mut self,
        function: &Subject<'_>,
        application: &str,
        name: &str,
        findings: &mut Findings,
    ) {
        let group = (application.to_owned(), name.to_owned());
        let Some(other) = self.taken.insert(group, function.key.to_owned()) else { return };
        let locate = |key: &str| {
            let path = ["functions", key, "codedeploy", "group"];
            function.scope.tree.locate(findings.source(), &path, Part::Value)
        };
        let key = function.key;
        let message = format!("functions `{other}` and `{key}` have the same deployment group");
        let (again, first) = (locate(key), locate(&other));
        // Both may have inherited it from one place.
        let is_inherited = again.span() == first.span();
        let problem = Problem::new(code::DEPLOYMENT_GROUP, again, message)
            .with_label("the same group")
            .with_help(
                "CodeDeploy runs one deployment of a group at a time: name another, or none",
            );
        let problem = if is_inherited { problem } else { problem.and_at(&first, "taken here") };
        findings.push(problem);
    }

    /// Takes out the hook that CodeDeploy calls in a phase, and tells its function.
    fn take_hook(
        &mut self,
        function: &Subject<'_>,
        phase: &str,
        uses: &mut Vec<HookUse>,
        findings: &mut Findings,
    ) -> Option<String> {
        let is_called = |used: &HookUse| used.hook.component == HOOK;
        let places: Vec<usize> =
            uses.iter().enumerate().filter(|(_, used)| is_called(used)).map(|(at, _)| at).collect();
        let (first, more) = places.split_first()?;
        for (at, used) in more.iter().map(|at| (at, &uses[*at])) {
            let locate = |at: &usize| {
                let path = ["functions", function.key, "hooks", phase, &at.to_string()];
                function.scope.tree.locate(findings.source(), &path, Part::Value)
            };
            let name = &used.hook.name;
            let message =
                format!("CodeDeploy calls one function in `{phase}`, and `{name}` is one more");
            let problem = Problem::new(code::DEPLOYMENT_HOOK, locate(at), message)
                .with_label("one more")
                .and_at(&locate(first), "the first one")
                .with_help("let one function judge all of it, or ask with a hook of another kind: wavegate runs those");
            findings.push(problem);
        }
        let name = uses.remove(*first).hook.name;
        uses.retain(|used| !is_called(used));
        let judging = function.judge(&name, findings);
        self.called.insert(name);
        judging
    }

    /// Warns of what no function makes use of, now that all of them were read.
    pub(crate) fn warn_of_idle(self, scope: &Scope<'_>, findings: &mut Findings) {
        for (origin, key, effect) in &self.keys {
            let (why, help) = match effect {
                Effect::NotAsked => (
                    "CodeDeploy moves no traffic with it",
                    "set `engine = \"codedeploy\"`, or take it out",
                ),
                Effect::NotOwn => (
                    "a deployment group that is named stays as it is",
                    "take it out, or let wavegate make the group: without `group`",
                ),
                Effect::Counts => continue,
            };
            // What is built in has no place, and nobody to take it out.
            let Some(place) = origin.place(findings.source(), Part::Key) else { continue };
            findings.push(no_effect(place, format!("`{key}` has no effect: {why}"), help));
        }
        for name in self.called.difference(&self.asked) {
            let path = ["hooks", name.as_str(), "timeout"];
            let Some(Data::Text(text)) = scope.tree.get(&path).map(|node| &node.data) else {
                continue;
            };
            if units::duration(text) == Some(HOOK_TIME) {
                continue;
            }
            let place = scope.tree.locate(findings.source(), &path, Part::Key);
            let message = "`timeout` has no effect: CodeDeploy gives a hook one hour".to_owned();
            findings.push(no_effect(place, message, "take it out, or write \"1h\""));
        }
    }
}

impl Subject<'_> {
    /// The place of a key of the function's `codedeploy`, or of what says which engine it has.
    fn place(&self, key: &str, part: Part, findings: &Findings) -> Place {
        let path = ["functions", self.key, "codedeploy", key];
        let path: &[&str] = if self.scope.tree.get(&path).is_some() {
            &path
        } else {
            &["functions", self.key, "engine"]
        };
        self.scope.tree.locate(findings.source(), path, part)
    }

    fn quoted(&self, key: &str) -> String {
        let node = self.node.get(&["codedeploy", key]);
        node.map_or_else(|| format!("`{key}`"), Node::quoted)
    }

    /// Whether what is below `codedeploy` was reported, wherever it can be said.
    fn is_spoilt(&self, path: &[&str], findings: &Findings) -> bool {
        let tables = [
            &["functions", self.key, "codedeploy"][..],
            &["defaults", "codedeploy"],
            &["codedeploy"],
        ];
        tables.iter().any(|table| findings.is_spoilt(&[table, path].concat()))
    }

    /// The service role of a group that wavegate makes.
    fn role(&self, raw: &raw::CodeDeploy, findings: &mut Findings) -> Option<String> {
        if let Some(role) = &raw.role {
            return Some(role.clone());
        }
        if self.is_spoilt(&["role"], findings) {
            return None;
        }
        if self.scope.target == Target::Local {
            return Some(LOCAL_SERVICE_ROLE.to_owned());
        }
        let place = self.place("role", Part::Value, findings);
        let problem =
            Problem::new(code::SERVICE_ROLE, place, "CodeDeploy has no service role to act with")
                .with_label("CodeDeploy moves the traffic")
                .with_help(format!("add `role = \"{}\"` to [codedeploy]", units::ROLE_FORM));
        findings.push(problem);
        None
    }

    /// Reports values that CodeDeploy would refuse, also if nobody asks it.
    fn are_values_sound(&self, raw: &raw::CodeDeploy, findings: &mut Findings) -> bool {
        let mut is_sound = true;
        if raw.role.as_deref().is_some_and(|role| !units::is_role_arn(role)) {
            let place = self.place("role", Part::Value, findings);
            let message = format!("{} is not a role's ARN", self.quoted("role"));
            let problem =
                Problem::new(code::BAD_ARN, place, message).with_label("not a role's ARN");
            findings.push(problem.with_help(format!("write it like \"{}\"", units::ROLE_FORM)));
            is_sound = false;
        }
        for (key, name) in [("application", &raw.application), ("group", &raw.group)] {
            if name.as_deref().is_some_and(|name| !is_name(name)) {
                let place = self.place(key, Part::Value, findings);
                let message = format!("{} is not a legal name in CodeDeploy", self.quoted(key));
                let rule = "1 to 100 letters, digits or `+=,.@_-`";
                let problem = Problem::new(code::BAD_NAME, place, message);
                findings.push(problem.with_label("not a legal name").with_help(rule));
                is_sound = false;
            }
        }
        let triggers = raw.triggers.as_deref().unwrap_or_default();
        if triggers.len() > TRIGGERS_MAX {
            let place = self.place("triggers", Part::Key, findings);
            let message = format!("{} triggers are more than CodeDeploy takes", triggers.len());
            let help = format!("a deployment group has {TRIGGERS_MAX} triggers at most");
            findings.push(Problem::new(code::TOO_MANY, place, message).with_help(help));
            is_sound = false;
        }
        let mut names = BTreeSet::new();
        for (at, trigger) in triggers.iter().enumerate() {
            is_sound &= self.is_trigger_sound(at, trigger, &mut names, findings);
        }
        is_sound
    }

    fn is_trigger_sound<'t>(
        &self,
        at: usize,
        trigger: &'t raw::Trigger,
        names: &mut BTreeSet<&'t str>,
        findings: &mut Findings,
    ) -> bool {
        let at = at.to_string();
        let path = |key: &'static str| ["functions", self.key, "codedeploy", "triggers", &at, key];
        let locate = |key| self.scope.tree.locate(findings.source(), &path(key), Part::Value);
        let quoted = |key| self.scope.tree.get(&path(key)).map_or_else(String::new, Node::quoted);
        let mut found = Vec::new();
        let needed = [
            ("name", trigger.name.is_some(), "\"failed\""),
            (
                "topic",
                trigger.topic.is_some(),
                "\"arn:aws:sns:eu-west-1:123456789012:deployments\"",
            ),
            ("events", trigger.events.is_some(), "[\"DeploymentFailure\"]"),
        ];
        for (key, is_there, example) in needed {
            if is_there || self.is_spoilt(&["triggers", &at, key], findings) {
                continue;
            }
            let message = format!("a trigger has no `{key}`");
            let problem = Problem::new(code::MISSING_KEY, locate(key), message)
                .with_label(format!("`{key}` is missing"))
                .with_help(format!("add `{key} = {example}`"));
            found.push(problem);
        }
        if trigger.name.as_deref().is_some_and(|name| !names.insert(name)) {
            let message = format!("two triggers have the name {}", quoted("name"));
            let problem = Problem::new(code::BAD_VALUE, locate("name"), message);
            found.push(problem.with_label("again").with_help("give one of them another name"));
        }
        if trigger.topic.as_deref().is_some_and(|topic| !units::is_topic_arn(topic)) {
            let message = format!("{} is not the ARN of a topic", quoted("topic"));
            let help = "write it like \"arn:aws:sns:eu-west-1:123456789012:deployments\"";
            found.push(Problem::new(code::BAD_ARN, locate("topic"), message).with_help(help));
        }
        if trigger.events.as_deref().is_some_and(<[_]>::is_empty) {
            let problem =
                Problem::new(code::BAD_VALUE, locate("events"), "a trigger tells of no event");
            found.push(problem.with_help("name events, such as \"DeploymentFailure\""));
        }
        let is_sound = found.is_empty();
        findings.extend(found);
        is_sound
    }

    /// The function of a hook that CodeDeploy calls. The component is not asked, so what it would say
    /// is said here, and what CodeDeploy has nothing for.
    fn judge(&self, hook: &str, findings: &mut Findings) -> Option<String> {
        let tree = self.scope.tree;
        let table = tree.get(&["hooks", hook]).and_then(Node::table);
        for (key, node) in table.into_iter().flatten() {
            let place = findings.place(&node.origin, Part::Key);
            match key.as_str() {
                "use" | "timeout" | "function" => {}
                "qualifier" => {
                    let message = "CodeDeploy calls what is unpublished: it knows no `qualifier`";
                    let problem = Problem::new(code::DEPLOYMENT_HOOK, place, message);
                    findings.push(problem.with_help("take it out"));
                }
                _ => {
                    let message = format!("unknown key `{key}` in hook `{hook}`");
                    let problem = Problem::new(code::UNKNOWN_KEY, place, message);
                    let help = "a hook that CodeDeploy calls has `use`, `function` and `timeout`";
                    findings.push(problem.with_label("unknown key").with_help(help));
                }
            }
        }
        let path = ["hooks", hook, "function"];
        let is_strange = |c: char| c.is_whitespace() || c.is_control();
        let function = tree.get(&path);
        match function.map(|node| &node.data) {
            Some(Data::Text(name)) if !name.is_empty() && !name.contains(is_strange) => {
                Some(lambda_name(tree, name).to_owned())
            }
            Some(_) => {
                let place = tree.locate(findings.source(), &path, Part::Value);
                let message =
                    format!("`function` of hook `{hook}` is not the name or the ARN of a function");
                let problem = Problem::new(code::BAD_VALUE, place, message);
                findings.push(problem.with_help("write a name such as \"CodeDeployHook_smoke\""));
                None
            }
            None => {
                if !findings.is_spoilt(&path) {
                    let place = tree.locate(findings.source(), &path, Part::Key);
                    let message = format!("hook `{hook}` does not say which function judges");
                    let problem = Problem::new(code::MISSING_KEY, place, message)
                        .with_label("`function` is missing")
                        .with_help("add `function = \"CodeDeployHook_smoke\"`");
                    findings.push(problem);
                }
                None
            }
        }
    }
}

fn no_effect(place: Place, message: String, help: &str) -> Problem {
    Problem::new(code::NO_EFFECT, place, message)
        .with_label("no effect")
        .with_help(help)
        .as_warning()
}

fn every(hooks: &Hooks) -> impl Iterator<Item = &HookUse> {
    hooks.pre_traffic.iter().chain(&hooks.post_traffic).chain(&hooks.on_rollback)
}

/// The name of a group that wavegate makes: one that is too long ends with a checksum of the whole.
fn own_name(function: &FunctionName, alias: &AliasName) -> String {
    let whole = format!("{function}-{alias}");
    if whole.len() <= NAME_MAX {
        return whole;
    }
    let sum = format!("-{:08x}", crc32fast::hash(whole.as_bytes()));
    format!("{}{sum}", &whole[..NAME_MAX - sum.len()])
}

fn is_name(name: &str) -> bool {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(is_legal)
}

/// The alarms that CodeDeploy watches, each once: those that stand in CloudWatch. One that may be red
/// when the release starts is wavegate's alone: CodeDeploy would not start under it.
fn watched(alarms: &[AlarmUse]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for used in alarms {
        let is_watched =
            used.alarm.component == ALARM && used.if_already_alarming != IfAlreadyAlarming::Ignore;
        let config: Option<Value> =
            serde_json::from_str(&used.alarm.config.0).ok().filter(|_| is_watched);
        // A table without a name is the component's to refuse.
        let name = config.as_ref().and_then(|config| config["alarm"].as_str());
        if let Some(name) = name.filter(|name| names.iter().all(|known| known != name)) {
            names.push(name.to_owned());
        }
    }
    names
}

fn triggers(raw: &raw::CodeDeploy) -> Vec<Trigger> {
    let whole = |trigger: &raw::Trigger| {
        let events = trigger.events.iter().flatten().map(|event| event.as_str().to_owned());
        Some(Trigger {
            name: trigger.name.clone()?,
            topic: trigger.topic.clone()?,
            events: events.collect(),
        })
    };
    raw.triggers.iter().flatten().filter_map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_group_is_legal_however_long_function_and_alias_are() {
        let name = |function: &str, alias: &str| {
            own_name(&FunctionName::new(function).unwrap(), &AliasName::new(alias).unwrap())
        };
        assert_eq!(name("shop-auth", "live"), "shop-auth-live");
        let (function, alias) = ("f".repeat(64), "a".repeat(100));
        let long = name(&function, &alias);
        assert!(is_name(&long) && long.len() == NAME_MAX, "{long}");
        // Two that differ behind the cut are two.
        let other = name(&function, &format!("{}b", "a".repeat(99)));
        assert!(long != other && long[..NAME_MAX - 9] == other[..NAME_MAX - 9], "{long} {other}");
        assert_eq!(long, name(&function, &alias));
    }
}

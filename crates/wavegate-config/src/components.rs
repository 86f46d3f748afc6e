//! `[strategies.NAME]`, `[hooks.NAME]` and `[alarms.NAME]`, and the references to them.
//!
//! Of a component's config only the keys that are wavegate's are looked at. The others are carried as
//! JSON and judged by the component, which hangs its problems on places with
//! [`crate::Manifest::problem`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wavegate_core::spec::{AlarmUse, ComponentUse, HookUse, IfAlreadyAlarming, Opaque};

use crate::aws_name::{self, Reading};
use crate::check::{Dots, Scope, is_table_name, own_keys, section, suggest};
use crate::code;
use crate::findings::Findings;
use crate::nearest::nearest;
use crate::node::{Data, Node, Part};
use crate::problem::Problem;
use crate::{raw, values};

/// The three kinds of component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Strategy,
    Hook,
    Alarm,
}

impl Sort {
    fn section(self) -> &'static str {
        match self {
            Self::Strategy => "strategies",
            Self::Hook => "hooks",
            Self::Alarm => "alarms",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Hook => "hook",
            Self::Alarm => "alarm",
        }
    }

    fn known<'a>(self, scope: &Scope<'a>) -> &'a [String] {
        match self {
            Self::Strategy => &scope.components.strategies,
            Self::Hook => &scope.components.hooks,
            Self::Alarm => &scope.components.alarms,
        }
    }

    fn unknown_name(self) -> &'static str {
        match self {
            Self::Strategy => code::UNKNOWN_STRATEGY,
            Self::Hook => code::UNKNOWN_HOOK,
            Self::Alarm => code::UNKNOWN_ALARM,
        }
    }
}

/// The tables by name. One that cannot be used is `None`: it has been reported, and so have the
/// references to it.
pub(crate) struct Tables {
    strategies: BTreeMap<String, Option<ComponentUse>>,
    hooks: BTreeMap<String, Option<HookUse>>,
    alarms: BTreeMap<String, Option<AlarmUse>>,
    used: BTreeSet<(Sort, String)>,
    /// Sorts with a name that does not exist: it may be what an unused table is meant by.
    in_doubt: BTreeSet<Sort>,
}

impl Tables {
    pub(crate) fn read(scope: &Scope<'_>, findings: &mut Findings) -> Self {
        Self {
            strategies: read_all(Sort::Strategy, scope, findings, strategy),
            hooks: read_all(Sort::Hook, scope, findings, hook),
            alarms: read_all(Sort::Alarm, scope, findings, alarm),
            used: BTreeSet::new(),
            in_doubt: BTreeSet::new(),
        }
    }

    /// The strategies, used or not.
    pub(crate) fn into_strategies(self) -> BTreeMap<String, ComponentUse> {
        let sound = self.strategies.into_iter();
        sound.filter_map(|(name, strategy)| Some((name, strategy?))).collect()
    }

    /// The strategy that a function's `strategy` names.
    pub(crate) fn strategy(
        &mut self,
        node: &Node,
        scope: &Scope<'_>,
        findings: &mut Findings,
    ) -> Option<ComponentUse> {
        let Data::Text(name) = &node.data else { return None };
        if let Some(found) = self.strategies.get(name) {
            self.used.insert((Sort::Strategy, name.clone()));
            return found.clone();
        }
        let place = findings.place(&node.origin, Part::Value);
        match aws_name::read(name) {
            Reading::Strategy(strategy) => {
                let component = strategy.component();
                let known = &scope.components.strategies;
                if scope.incomplete || known.iter().any(|id| id == component) {
                    return Some(strategy.into_use(name));
                }
                let message = format!(
                    "{} needs the strategy `{component}`, which is not here",
                    node.quoted()
                );
                let problem = Problem::new(code::UNKNOWN_COMPONENT, place, message);
                findings.push(problem.with_help(format!("there are: {}", known.join(", "))));
            }
            Reading::Malformed(reason) => {
                let message = format!("{} is not a deployment config of Lambda", node.quoted());
                let problem = Problem::new(code::BAD_AWS_NAME, place, message);
                findings.push(problem.with_label("malformed").with_help(reason));
            }
            Reading::Other => {
                let problem = unknown(Sort::Strategy, node, &self.strategies, scope, findings);
                self.in_doubt.insert(Sort::Strategy);
                findings.push(problem);
            }
        }
        None
    }

    /// The hook that an element of a list names.
    pub(crate) fn hook(
        &mut self,
        node: &Node,
        scope: &Scope<'_>,
        findings: &mut Findings,
    ) -> Option<HookUse> {
        self.mark(Sort::Hook, node, |tables, name| tables.hooks.contains_key(name));
        lookup(Sort::Hook, node, &self.hooks, scope, findings)
    }

    /// The alarm that an element of a list names.
    pub(crate) fn alarm(
        &mut self,
        node: &Node,
        scope: &Scope<'_>,
        findings: &mut Findings,
    ) -> Option<AlarmUse> {
        self.mark(Sort::Alarm, node, |tables, name| tables.alarms.contains_key(name));
        lookup(Sort::Alarm, node, &self.alarms, scope, findings)
    }

    fn mark(&mut self, sort: Sort, node: &Node, has: impl Fn(&Self, &str) -> bool) {
        let Some(name) = text(node) else { return };
        if has(self, &name) {
            self.used.insert((sort, name));
        } else {
            self.in_doubt.insert(sort);
        }
    }

    /// Warns of tables that no function names.
    pub(crate) fn warn_of_unused(&self, scope: &Scope<'_>, findings: &mut Findings) {
        let names = |sort, names: Vec<&String>| {
            names.into_iter().map(move |name| (sort, name.clone())).collect::<Vec<_>>()
        };
        let all = [
            names(Sort::Strategy, self.strategies.keys().collect()),
            names(Sort::Hook, self.hooks.keys().collect()),
            names(Sort::Alarm, self.alarms.keys().collect()),
        ];
        for (sort, name) in all.into_iter().flatten() {
            if self.in_doubt.contains(&sort) || self.used.contains(&(sort, name.clone())) {
                continue;
            }
            let place = scope.tree.locate(findings.source(), &[sort.section(), &name], Part::Key);
            let message = format!("no function uses the {} `{name}`", sort.word());
            let problem = Problem::new(code::UNUSED, place, message)
                .with_label("unused")
                .with_help("name it in a function or in [defaults], or take the table out")
                .as_warning();
            findings.push(problem);
        }
    }
}

fn text(node: &Node) -> Option<String> {
    if let Data::Text(text) = &node.data { Some(text.clone()) } else { None }
}

fn lookup<T: Clone>(
    sort: Sort,
    node: &Node,
    tables: &BTreeMap<String, Option<T>>,
    scope: &Scope<'_>,
    findings: &mut Findings,
) -> Option<T> {
    if let Some(found) = text(node).and_then(|name| tables.get(&name)) {
        return found.clone();
    }
    findings.push(unknown(sort, node, tables, scope, findings));
    None
}

fn unknown<T>(
    sort: Sort,
    node: &Node,
    tables: &BTreeMap<String, Option<T>>,
    scope: &Scope<'_>,
    findings: &Findings,
) -> Problem {
    let (word, section) = (sort.word(), sort.section());
    let place = findings.place(&node.origin, Part::Value);
    let message = format!("there is no {word} {}", node.quoted());
    let problem =
        Problem::new(sort.unknown_name(), place, message).with_label(format!("no such {word}"));
    let name = text(node).unwrap_or_default();
    if !node.is_secret() && sort.known(scope).contains(&name) {
        let help = format!(
            "`{name}` is a component: add a table [{section}.{name}] with `use = \"{name}\"`"
        );
        return problem.with_help(help);
    }
    if sort == Sort::Strategy {
        const AWS: [&str; 3] =
            ["AllAtOnce", "Canary10Percent5Minutes", "Linear10PercentEvery1Minute"];
        let known = tables.keys().map(String::as_str).chain(AWS);
        return problem.with_help(suggest(node, known, section));
    }
    problem.with_help(suggest(node, tables.keys().map(String::as_str), section))
}

fn read_all<T>(
    sort: Sort,
    scope: &Scope<'_>,
    findings: &mut Findings,
    read: impl Fn(&str, ComponentUse, &Scope<'_>, &mut Findings) -> Option<T>,
) -> BTreeMap<String, Option<T>> {
    let mut tables: BTreeMap<String, Option<T>> =
        findings.spoilt_in(sort.section()).map(|name| (name.to_owned(), None)).collect();
    let entries = scope.tree.get(&[sort.section()]).and_then(Node::table);
    for (name, node) in entries.into_iter().flatten() {
        let is_named = is_legal_name(sort, name, scope, findings);
        let component = component(sort, name, node, scope, findings);
        let table = component.and_then(|component| read(name, component, scope, findings));
        tables.insert(name.clone(), table.filter(|_| is_named));
    }
    tables
}

fn is_legal_name(sort: Sort, name: &str, scope: &Scope<'_>, findings: &mut Findings) -> bool {
    let table = (sort.section(), name);
    if !is_table_name(scope.tree, table, sort.word(), Dots::Legal, findings) {
        return false;
    }
    if sort == Sort::Strategy && aws_name::read(name) != Reading::Other {
        let place = scope.tree.locate(findings.source(), &[sort.section(), name], Part::Key);
        let message = format!("`{name}` is a name of AWS's");
        let problem = Problem::new(code::TAKEN_NAME, place, message)
            .with_label("taken")
            .with_help("give the table another name");
        findings.push(problem);
        return false;
    }
    true
}

/// Keys of component tables that are wavegate's own.
fn our_keys(sort: Sort) -> &'static [&'static str] {
    match sort {
        Sort::Strategy => &["use"],
        Sort::Hook => &["use", "timeout"],
        Sort::Alarm => &["use", "if_already_alarming"],
    }
}

fn component(
    sort: Sort,
    name: &str,
    node: &Node,
    scope: &Scope<'_>,
    findings: &mut Findings,
) -> Option<ComponentUse> {
    let path = [sort.section(), name, "use"];
    let Some(used) = node.child("use") else {
        if !findings.is_spoilt(&path) {
            let place = scope.tree.locate(findings.source(), &path, Part::Key);
            let example = sort.known(scope).first().map_or("…", String::as_str);
            let message = format!("{} `{name}` does not say which component it uses", sort.word());
            let problem = Problem::new(code::MISSING_KEY, place, message)
                .with_label("`use` is missing")
                .with_help(format!("add `use = \"{example}\"`"));
            findings.push(problem);
        }
        return None;
    };
    let Data::Text(id) = &used.data else { return None };
    let known = sort.known(scope);
    if !scope.incomplete && !known.contains(id) {
        let place = findings.place(&used.origin, Part::Value);
        let message = format!("there is no {} component {}", sort.word(), used.quoted());
        let near = nearest(id, known.iter().map(String::as_str)).filter(|_| !used.is_secret());
        let help = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("there are: {}", known.join(", ")),
        };
        let problem = Problem::new(code::UNKNOWN_COMPONENT, place, message);
        findings.push(problem.with_label("no such component").with_help(help));
        return None;
    }
    Some(ComponentUse {
        name: name.to_owned(),
        component: id.clone(),
        config: Opaque(own_keys(node, our_keys(sort)).to_string()),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "one of three readers of tables")]
fn strategy(
    _: &str,
    component: ComponentUse,
    _: &Scope<'_>,
    _: &mut Findings,
) -> Option<ComponentUse> {
    Some(component)
}

fn hook(
    name: &str,
    hook: ComponentUse,
    scope: &Scope<'_>,
    findings: &mut Findings,
) -> Option<HookUse> {
    /// As the schema says.
    const DEFAULT: Duration = Duration::from_mins(1);
    let path = ["hooks", name, "timeout"];
    let Some(node) = scope.tree.get(&path) else {
        return (!findings.is_spoilt(&path)).then_some(HookUse { hook, timeout: DEFAULT });
    };
    Some(HookUse { hook, timeout: values::nonzero_duration(node, &path, findings)? })
}

fn alarm(
    name: &str,
    alarm: ComponentUse,
    scope: &Scope<'_>,
    findings: &mut Findings,
) -> Option<AlarmUse> {
    let raw: raw::Alarm = section(scope.tree, &["alarms", name], findings);
    if findings.is_spoilt(&["alarms", name, "if_already_alarming"]) {
        return None;
    }
    let if_already_alarming = match raw.if_already_alarming {
        Some(raw::IfAlreadyAlarming::Ignore) => IfAlreadyAlarming::Ignore,
        Some(raw::IfAlreadyAlarming::Wait) => IfAlreadyAlarming::Wait,
        Some(raw::IfAlreadyAlarming::Fail) | None => IfAlreadyAlarming::Fail,
    };
    Some(AlarmUse { alarm, if_already_alarming })
}

//! The manifest and the report while they are made: what all importers do alike.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use wavegate_core::name::AliasName;

use crate::aws_name::{self, Reading};
use crate::code;
use crate::function::refused_variable;
use crate::import::alarm::AlarmUse;
use crate::import::cfn::Template;
use crate::import::edges::{self, Edge, Why};
use crate::import::report::Ledger;
use crate::import::value::{Data, Text, Unknown, Value, variable};
use crate::import::write::{self, App, Item, Table};
use crate::units;

/// How long a hook may take unless said otherwise, in seconds: the manifest's default.
const HOOK_TIMEOUT_S: u32 = 60;

/// An alias that a function asks for.
pub(crate) struct Alias {
    /// `None`: the function publishes none.
    pub(crate) name: Option<Text>,
    pub(crate) span: Range<usize>,
    pub(crate) property: String,
}

/// What an importer has so far.
pub(crate) struct Draft<'a> {
    pub(crate) template: &'a Template<'a>,
    pub(crate) ledger: Ledger,
    pub(crate) app: App,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) edges: Vec<Edge>,
    /// Hooks and the functions that they judge.
    pub(crate) judges: Vec<(String, String)>,
    pub(crate) alarms: BTreeMap<String, AlarmUse>,
    /// Logical ids of resources that became a part of the manifest.
    pub(crate) used: Vec<String>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(template: &'a Template<'a>, ledger: Ledger) -> Self {
        Self {
            template,
            ledger,
            app: App::default(),
            aliases: Vec::new(),
            edges: Vec::new(),
            judges: Vec::new(),
            alarms: BTreeMap::new(),
            used: Vec::new(),
        }
    }

    /// The function under way.
    pub(crate) fn it(&mut self, id: &str) -> &mut write::Function {
        let at = self.app.functions.iter().position(|function| function.key == id);
        let at = at.unwrap_or_default();
        &mut self.app.functions[at]
    }

    /// Whether the function has a key.
    pub(crate) fn has(&self, id: &str, key: &str) -> bool {
        let mut functions = self.app.functions.iter();
        functions.any(|function| function.key == id && function.get(key).is_some())
    }

    /// Sets a key, and tells whether all of it is known.
    pub(crate) fn put(
        &mut self,
        id: &str,
        at: (&Range<usize>, &str),
        key: &'static str,
        item: Item,
    ) {
        let full = format!("functions.{}.{key}", write::key(id));
        let unknowns = unknowns(&item);
        self.it(id).set(key, item);
        self.told(at, &full, &unknowns);
    }

    /// Tells of a key with these holes.
    pub(crate) fn told(
        &mut self,
        (span, property): (&Range<usize>, &str),
        key: &str,
        unknowns: &[Rc<Unknown>],
    ) {
        // With a default it means the same there as here.
        let open: Vec<_> = unknowns.iter().filter(|one| one.default.is_none()).cloned().collect();
        if open.is_empty() {
            self.ledger.taken(span, property, key);
        } else {
            self.ledger.unresolved(span, property, key, &open);
        }
    }

    /// A single value; a problem if it is none.
    pub(crate) fn single(&self, value: &Value, property: &str) -> Option<Text> {
        let text = value.as_text().cloned();
        if text.is_none() {
            let message =
                format!("`{property}` takes a single value, and this is {}", value.kind());
            self.template.problem(code::TEMPLATE_SHAPE, &value.span, &message, "");
        }
        text
    }

    /// A whole number with a unit; a problem if it is none.
    pub(crate) fn quantity(&self, value: &Value, property: &str, unit: &str) -> Option<Text> {
        let text = self.single(value, property)?;
        match text.as_known() {
            Some(known) if known.parse::<u32>().is_err() => {
                let message = format!("`{property}` takes a whole number, and this is `{known}`");
                self.template.problem(code::TEMPLATE_VALUE, &value.span, &message, "");
                None
            }
            _ => Some(text.then(unit)),
        }
    }

    /// A list of single values; one alone counts as a list.
    pub(crate) fn texts(&self, value: &Value, property: &str) -> Vec<Text> {
        match &value.data {
            Data::List(list) => {
                list.iter().filter_map(|element| self.single(element, property)).collect()
            }
            _ => self.single(value, property).into_iter().collect(),
        }
    }

    /// The entries of a map; a problem if it is none. A hole in its place is left out with its reason.
    pub(crate) fn entries<'v>(
        &mut self,
        value: &'v Value,
        property: &str,
    ) -> &'v [(String, Value)] {
        match &value.data {
            Data::Map(entries) => entries,
            Data::Text(text) if text.unknowns().next().is_some() => {
                let said = text
                    .unknowns()
                    .next()
                    .map(|unknown| format!("{}: {}", unknown.said, unknown.reason));
                let why = format!("it is not known ({})", said.unwrap_or_default());
                self.ledger.left_out(&value.span, property, &why);
                &[]
            }
            _ => {
                let message = format!("`{property}` takes a map, and this is {}", value.kind());
                self.template.problem(code::TEMPLATE_SHAPE, &value.span, &message, "");
                &[]
            }
        }
    }

    /// A property that no key is for.
    pub(crate) fn unknown_property(&mut self, span: &Range<usize>, property: &str) {
        self.ledger.left_out(span, property, "the manifest has no key for it");
    }

    /// A role that the template does not tell: only AWS needs it.
    pub(crate) fn role_on_aws(
        &mut self,
        id: &str,
        property: &str,
        span: &Range<usize>,
        role: Text,
    ) {
        let unknowns: Vec<_> = role.unknowns().cloned().collect();
        let key = format!("{}functions.{}.role", write::AWS_PROFILE, write::key(id));
        self.ledger.unresolved(span, property, &key, &unknowns);
        self.it(id).role_on_aws = Some(role);
    }

    /// An execution role; one that is not known is only needed on AWS.
    pub(crate) fn role(&mut self, id: &str, property: &str, value: &Value) {
        let Some(text) = self.single(value, property) else { return };
        match text.as_known() {
            Some(known) if units::is_role_arn(&known) => {
                self.put(id, (&value.span, property), "role", Item::Text(text));
            }
            Some(known) => {
                let message = format!("`{known}` is not a role's ARN");
                let help = "write it like \"arn:aws:iam::123456789012:role/NAME\"";
                self.template.problem(code::TEMPLATE_VALUE, &value.span, &message, help);
            }
            None => self.role_on_aws(id, property, &value.span, text),
        }
    }

    /// Layers.
    pub(crate) fn layers(&mut self, id: &str, property: &str, value: &Value) {
        let layers = self.texts(value, property);
        for known in layers.iter().filter_map(Text::as_known) {
            if !units::is_layer_arn(&known) {
                let message = format!("`{known}` is not the ARN of a layer version");
                self.template.problem(code::TEMPLATE_VALUE, &value.span, &message, "");
            }
        }
        self.put(id, (&value.span, property), "layers", Item::List(layers));
    }

    /// A VPC: both lists, or none.
    pub(crate) fn vpc(&mut self, id: &str, property: &str, value: &Value) {
        let mut table = Vec::new();
        for (name, value) in self.entries(value, property).to_vec() {
            let property = format!("{property}.{name}");
            let key = match name.to_ascii_lowercase().as_str() {
                "subnetids" => "subnets",
                "securitygroupids" => "security_groups",
                _ => {
                    self.unknown_property(&value.span, &property);
                    continue;
                }
            };
            let texts = self.texts(&value, &property);
            let unknowns: Vec<_> = texts.iter().flat_map(Text::unknowns).cloned().collect();
            let full = format!("functions.{}.vpc.{key}", write::key(id));
            self.told((&value.span, &property), &full, &unknowns);
            if !texts.is_empty() {
                table.push((key.to_owned(), Item::List(texts)));
            }
        }
        match table.len() {
            0 => {}
            2 => self.it(id).set("vpc", Item::Table(table)),
            _ => {
                let message = format!(
                    "`{property}` has subnets or security groups, and Lambda takes both or none"
                );
                self.template.problem(code::TEMPLATE_VALUE, &value.span, &message, "");
            }
        }
    }

    /// Environment variables.
    pub(crate) fn variables(&mut self, id: &str, property: &str, value: &Value) {
        let mut table = Vec::new();
        for (name, value) in self.entries(value, property) {
            let property = format!("{property}.{name}");
            if let Some(why) = refused_variable(name) {
                let why = format!("Lambda refuses it: {why}");
                self.ledger.left_out(&value.span, &property, &why);
            } else if let Some(text) = self.single(value, &property) {
                let key = format!("functions.{}.environment.{}", write::key(id), write::key(name));
                let unknowns: Vec<_> = text.unknowns().cloned().collect();
                self.told((&value.span, &property), &key, &unknowns);
                table.push((name.clone(), Item::Text(text)));
            }
        }
        if !table.is_empty() {
            self.it(id).set("environment", Item::Table(table));
        }
    }

    /// A table of a component, once.
    pub(crate) fn table(&mut self, tables: fn(&mut App) -> &mut Vec<Table>, table: Table) {
        let tables = tables(&mut self.app);
        if tables.iter().all(|known| known.name != table.name) {
            tables.push(table);
        }
    }

    /// How traffic moves, by a name that may be CodeDeploy's or somebody's own.
    pub(crate) fn strategy(&mut self, id: &str, at: (&Range<usize>, &str), text: &Text) {
        let known = text.as_known();
        let strategy = match known.as_deref().map(|known| (known, aws_name::read(known))) {
            None | Some((_, Reading::Strategy(_))) => text.clone(),
            Some((known, _)) => {
                let said = format!("the strategy that does what `{known}` does");
                let reason = "a deployment config of one's own, whose steps the file does not tell; an AWS name \
                              such as Canary10Percent5Minutes, or the name of a [strategies.NAME] table";
                let name = format!("{}_STRATEGY", variable(known));
                Text::unknown(&self.template.hole(&said, &name, &said, reason))
            }
        };
        self.put(id, at, "strategy", Item::Text(strategy));
    }

    /// A hook that is a function of the app, by its key: it comes before the one that it judges.
    pub(crate) fn own_hook(
        &mut self,
        id: &str,
        hook: &str,
        timeout_s: Option<u32>,
        (span, property): (&Range<usize>, &str),
    ) {
        let mut keys = vec![("use", Item::text("lambda")), ("function", Item::text(hook))];
        // A hook that may run longer than hooks do by default gets the time that it has. CodeDeploy
        // gives all of them an hour.
        let timeout_s = timeout_s.filter(|_| !self.is_delegated(id));
        if let Some(seconds) = timeout_s.filter(|seconds| *seconds > HOOK_TIMEOUT_S) {
            keys.push(("timeout", Item::text(&format!("{seconds}s"))));
        }
        self.table(|app| &mut app.hooks, Table { name: hook.to_owned(), keys });
        self.judges.push((hook.to_owned(), id.to_owned()));
        self.edges.push(Edge {
            from: id.to_owned(),
            to: hook.to_owned(),
            why: Why::Hook,
            span: span.clone(),
            property: property.to_owned(),
        });
    }

    /// Writes the edges, without those from a hook to the function that it judges.
    pub(crate) fn settle_edges(&mut self) {
        let judges = std::mem::take(&mut self.judges);
        let mut edges = std::mem::take(&mut self.edges);
        edges.retain(|edge| {
            let is_hooks = judges.contains(&(edge.from.clone(), edge.to.clone()));
            let is_left_out = is_hooks && edge.why == Why::Reference;
            if is_left_out {
                let why = "a hook is there before the function that it judges";
                self.ledger.left_out(&edge.span, &format!("{} (order)", edge.property), why);
            }
            !is_left_out
        });
        edges::settle(edges, &mut self.app.functions, &mut self.ledger);
    }

    /// One alias for the app: the one that most functions ask for.
    pub(crate) fn settle_alias(&mut self) {
        let mut counts: Vec<(&Text, usize)> = Vec::new();
        for name in self.aliases.iter().filter_map(|alias| alias.name.as_ref()) {
            match counts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name, 1)),
            }
        }
        // The first of the most frequent ones.
        let most =
            counts.iter().rev().max_by_key(|(_, count)| *count).map(|(name, _)| (*name).clone());
        let alias = most.unwrap_or_else(|| Text::known("live"));
        for asked in std::mem::take(&mut self.aliases) {
            match &asked.name {
                Some(name) if *name == alias => {
                    let unknowns: Vec<_> = name.unknowns().cloned().collect();
                    self.told((&asked.span, &asked.property), "app.alias", &unknowns);
                }
                Some(name) => {
                    let why = format!(
                        "an app has one alias, and most functions ask for `{}`: callers of `{}` must be told",
                        alias.in_manifest(),
                        name.in_manifest()
                    );
                    self.ledger.changed(&asked.span, &asked.property, "app.alias", &why);
                }
                None => {
                    let why = format!(
                        "the file gives it no alias, and a release needs one: callers that do not name \
                         `{}` stay outside of it",
                        alias.in_manifest()
                    );
                    self.ledger.changed(&asked.span, &asked.property, "app.alias", &why);
                }
            }
            if let Some(known) = asked.name.as_ref().and_then(Text::as_known)
                && let Err(bad) = AliasName::new(known)
            {
                let help = bad.rule;
                self.template.problem(code::TEMPLATE_VALUE, &asked.span, &bad.to_string(), help);
            }
        }
        self.app.alias = alias.in_manifest();
    }
}

pub(crate) fn unknowns(item: &Item) -> Vec<Rc<Unknown>> {
    match item {
        Item::Text(text) => text.unknowns().cloned().collect(),
        Item::List(texts) => texts.iter().flat_map(Text::unknowns).cloned().collect(),
        Item::Table(entries) => entries.iter().flat_map(|(_, item)| unknowns(item)).collect(),
        Item::Tables(tables) => {
            tables.iter().flatten().flat_map(|(_, item)| unknowns(item)).collect()
        }
        Item::Number(_) => Vec::new(),
    }
}

/// A name for a table: letters, digits, `-`, `_` and `.`, at most 64.
pub(crate) fn table_name(text: &str) -> String {
    /// As the manifest's check has it.
    const LENGTH_MAX: usize = 64;
    // What names an ARN's resource is its end.
    let text = text.rsplit(':').next().unwrap_or(text);
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String =
        text.chars().map(|c| if is_legal(c) { c } else { '-' }).take(LENGTH_MAX).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

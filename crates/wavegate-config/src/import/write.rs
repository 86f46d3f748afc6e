//! An app that was imported, as the text of a manifest.
//!
//! What all functions have in common goes into `[defaults]`, and of CodeDeploy into `[codedeploy]`; a
//! key with a hole says behind it what belongs there. Roles and topics with holes go into the profile
//! `aws`, because only AWS needs them: the local cloud runs the app at once.

use std::fmt::Write as _;

use crate::import::value::Text;

/// How dotted keys of the profile begin that is for AWS.
pub(crate) const AWS_PROFILE: &str = "profiles.aws.";

/// A value of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Text(Text),
    /// A number, as TOML writes it.
    Number(String),
    List(Vec<Text>),
    Table(Vec<(String, Item)>),
    Tables(Vec<Vec<(String, Item)>>),
}

impl Item {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(Text::known(text))
    }

    pub(crate) fn names<S: AsRef<str>>(names: &[S]) -> Self {
        Self::List(names.iter().map(|name| Text::known(name.as_ref())).collect())
    }
}

/// A `[functions.NAME]` table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Function {
    pub(crate) key: String,
    pub(crate) keys: Vec<(&'static str, Item)>,
    /// A role with holes.
    pub(crate) role_on_aws: Option<Text>,
    /// The keys of its `codedeploy`, if CodeDeploy moves its traffic.
    pub(crate) codedeploy: Option<Vec<(&'static str, Item)>>,
    /// What is said behind `code`.
    pub(crate) code_note: Option<&'static str>,
}

impl Function {
    /// Sets a key, or takes its place.
    pub(crate) fn set(&mut self, key: &'static str, item: Item) {
        match self.keys.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = item,
            None => self.keys.push((key, item)),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Item> {
        self.keys.iter().find(|(known, _)| *known == key).map(|(_, item)| item)
    }

    /// Its environment variables.
    fn variables(&self) -> &[(String, Item)] {
        match self.get("environment") {
            Some(Item::Table(entries)) => entries,
            _ => &[],
        }
    }

    fn codedeploy_key(&self, key: &str) -> Option<Item> {
        let mut keys = self.codedeploy.iter().flatten();
        keys.find(|(known, _)| *known == key).map(|(_, item)| item.clone())
    }
}

/// A table of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) keys: Vec<(&'static str, Item)>,
}

/// Where an app is at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Home {
    /// On this machine until somebody says `--profile aws`.
    #[default]
    Local,
    /// On AWS, where its functions are.
    Aws,
}

/// Everything that a manifest is written from.
#[derive(Debug, Clone, Default)]
pub(crate) struct App {
    /// What it comes from, as it is named in comments.
    pub(crate) from: String,
    /// The command that wrote it.
    pub(crate) verb: &'static str,
    /// Where the app is deployed unless a profile or a flag says otherwise.
    pub(crate) target: Home,
    pub(crate) name: String,
    pub(crate) alias: String,
    pub(crate) region: Option<String>,
    pub(crate) functions: Vec<Function>,
    pub(crate) strategies: Vec<Table>,
    pub(crate) hooks: Vec<Table>,
    pub(crate) alarms: Vec<Table>,
}

/// The keys of a function, in the order in which people read them.
const ORDER: [&str; 22] = [
    "code",
    "image",
    "name",
    "handler",
    "runtime",
    "role",
    "memory",
    "timeout",
    "description",
    "architecture",
    "layers",
    "ephemeral_storage",
    "tracing",
    "vpc",
    "dead_letter",
    "depends_on",
    "strategy",
    "engine",
    "codedeploy",
    "alarms",
    "hooks",
    "environment",
];

/// The keys that go into `[defaults]` when all functions have the same.
const COMMON: [&str; 12] = [
    "handler",
    "runtime",
    "role",
    "memory",
    "timeout",
    "architecture",
    "layers",
    "ephemeral_storage",
    "tracing",
    "vpc",
    "dead_letter",
    "strategy",
];

/// The manifest.
pub(crate) fn manifest(app: &App) -> String {
    let mut functions = app.functions.clone();
    let deployments = Deployments::settle(&mut functions);
    let defaults = common(&mut functions);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "# Imported from {} by `wavegate {}`. `wavegate schema` prints every key there is.\n",
        app.from, app.verb
    );
    let _ = writeln!(out, "[app]\nname = {}\nalias = {}", quoted(&app.name), quoted(&app.alias));
    let target = match app.target {
        Home::Local => {
            "target = \"local\"     # the cloud on this machine; --profile aws is the real one"
        }
        Home::Aws => "target = \"aws\"       # --target local is the cloud on this machine",
    };
    let _ = writeln!(out, "{target}");
    if let Some(region) = &app.region {
        let _ = writeln!(out, "region = {}", quoted(region));
    }
    if deployments.all {
        let _ = writeln!(out, "engine = \"codedeploy\"");
    }
    if !deployments.shared.is_empty() {
        out.push_str("\n[codedeploy]         # how CodeDeploy moves the traffic\n");
        lines(&mut out, &deployments.shared);
    }
    if !defaults.keys.is_empty() {
        out.push_str("\n[defaults]           # merged under every function\n");
        function_keys(&mut out, "defaults", &defaults);
    }
    for function in &functions {
        let name = format!("functions.{}", key(&function.key));
        let _ = writeln!(out, "\n[{name}]");
        function_keys(&mut out, &name, function);
    }
    for (section, tables) in
        [("strategies", &app.strategies), ("hooks", &app.hooks), ("alarms", &app.alarms)]
    {
        for table in tables {
            let _ = writeln!(out, "\n[{section}.{}]", key(&table.name));
            lines(&mut out, &table.keys);
        }
    }
    out.push_str(
        "\n[local]              # only for target = \"local\"\n\
         time_scale = 60      # five minutes pass in five seconds\n\
         traffic = { rps = 10 }\n",
    );
    if app.target == Home::Local {
        out.push_str("\n[profiles.aws.app]   # for `--profile aws`\ntarget = \"aws\"\n");
    }
    only_on_aws(&mut out, app, &deployments);
    out
}

/// What all functions have, taken out of each.
fn common(functions: &mut [Function]) -> Function {
    let mut defaults = Function::default();
    if functions.len() < 2 {
        return defaults;
    }
    for key in COMMON {
        let Some(common) = functions[0].get(key).cloned() else { continue };
        if functions.iter().all(|function| function.get(key) == Some(&common)) {
            defaults.keys.push((key, common));
            for function in functions.iter_mut() {
                function.keys.retain(|(known, _)| *known != key);
            }
        }
    }
    // Tables merge, so variables are shared one by one.
    let shared: Vec<_> = functions[0].variables().to_vec();
    let is_shared =
        |entry: &(String, Item)| functions.iter().all(|f| f.variables().contains(entry));
    let shared: Vec<_> = shared.into_iter().filter(is_shared).collect();
    for function in functions.iter_mut() {
        let own = function.variables().iter().filter(|entry| !shared.contains(entry));
        let own: Vec<_> = own.cloned().collect();
        function.keys.retain(|(known, _)| *known != "environment");
        if !own.is_empty() {
            function.set("environment", Item::Table(own));
        }
    }
    if !shared.is_empty() {
        defaults.set("environment", Item::Table(shared));
    }
    defaults
}

/// How CodeDeploy's keys are spread: what all of its functions have alike is said once, and the rest
/// is written into the functions.
#[derive(Default)]
struct Deployments {
    /// CodeDeploy moves the traffic of all functions.
    all: bool,
    /// What is said once.
    shared: Vec<(&'static str, Item)>,
    /// What is said once, and has holes.
    shared_on_aws: Vec<(&'static str, Item)>,
    /// What single functions say, and has holes: their keys, and tables.
    on_aws: Vec<(String, Vec<(String, Item)>)>,
}

impl Deployments {
    fn settle(functions: &mut [Function]) -> Self {
        let mut done = Self::default();
        let mut moved: Vec<&mut Function> =
            functions.iter_mut().filter(|function| function.codedeploy.is_some()).collect();
        for key in ["role", "triggers"] {
            let all: Vec<Option<Item>> = moved.iter().map(|one| one.codedeploy_key(key)).collect();
            if let Some(Some(common)) = all.first()
                && all.iter().all(|one| one.as_ref() == Some(common))
            {
                let to = if has_holes(common) { &mut done.shared_on_aws } else { &mut done.shared };
                to.push((key, common.clone()));
                for function in &mut moved {
                    function.codedeploy.iter_mut().for_each(|keys| keys.retain(|(k, _)| *k != key));
                }
            }
        }
        for function in &mut moved {
            let own = function.codedeploy.clone().unwrap_or_default();
            let own = own.into_iter().map(|(key, item)| (key.to_owned(), item));
            let (open, known): (Vec<_>, Vec<_>) = own.partition(|(_, item)| has_holes(item));
            if !known.is_empty() {
                function.set("codedeploy", Item::Table(known));
            }
            if !open.is_empty() {
                done.on_aws.push((function.key.clone(), open));
            }
        }
        let count = moved.len();
        done.all = count > 0 && count == functions.len();
        if !done.all {
            for function in functions.iter_mut().filter(|one| one.codedeploy.is_some()) {
                function.set("engine", Item::text("codedeploy"));
            }
        }
        done
    }
}

/// What only AWS needs.
fn only_on_aws(out: &mut String, app: &App, deployments: &Deployments) {
    if !deployments.shared_on_aws.is_empty() {
        out.push_str("\n[profiles.aws.codedeploy]\n");
        lines(out, &deployments.shared_on_aws);
    }
    let first = app.functions.first().and_then(|function| function.role_on_aws.as_ref());
    let common = first.filter(|role| {
        app.functions.len() > 1
            && app.functions.iter().all(|function| function.role_on_aws.as_ref() == Some(role))
    });
    if let Some(role) = common {
        out.push_str("\n[profiles.aws.defaults]\n");
        line(out, "role", &Item::Text(role.clone()));
    }
    for function in &app.functions {
        let role = function.role_on_aws.as_ref().filter(|_| common.is_none());
        let own = deployments.on_aws.iter().find(|(key, _)| *key == function.key);
        if role.is_none() && own.is_none() {
            continue;
        }
        let _ = writeln!(out, "\n[profiles.aws.functions.{}]", key(&function.key));
        if let Some(role) = role {
            line(out, "role", &Item::Text(role.clone()));
        }
        if let Some((_, keys)) = own {
            line(out, "codedeploy", &Item::Table(keys.clone()));
        }
    }
}

fn function_keys(out: &mut String, table: &str, function: &Function) {
    for name in ORDER {
        match function.get(name) {
            // One variable a line, under a header of its own, which comes last.
            Some(Item::Table(entries)) if name == "environment" => {
                let _ = writeln!(out, "\n[{table}.{name}]");
                for (name, item) in entries {
                    line(out, name, item);
                }
            }
            Some(item) => noted(out, name, item, function.code_note.filter(|_| name == "code")),
            None => {}
        }
    }
}

fn lines(out: &mut String, keys: &[(&'static str, Item)]) {
    for (name, item) in keys {
        line(out, name, item);
    }
}

fn line(out: &mut String, name: &str, item: &Item) {
    noted(out, name, item, None);
}

/// A line with something said behind it, before what its holes stand for.
fn noted(out: &mut String, name: &str, item: &Item, note: Option<&'static str>) {
    let _ = write!(out, "{} = {}", key(name), inline(item));
    let mut said: Vec<&str> = note.into_iter().collect();
    holes(item, &mut |text| {
        for unknown in text.unknowns() {
            if !said.contains(&unknown.said.as_str()) {
                said.push(&unknown.said);
            }
        }
    });
    if !said.is_empty() {
        let _ = write!(out, "   # {}", crate::problem::harmless(&said.join(", ")));
    }
    out.push('\n');
}

/// Every text of an item.
fn holes<'a>(item: &'a Item, each: &mut impl FnMut(&'a Text)) {
    match item {
        Item::Text(text) => each(text),
        Item::Number(_) => {}
        Item::List(texts) => texts.iter().for_each(each),
        Item::Table(entries) => entries.iter().for_each(|(_, item)| holes(item, each)),
        Item::Tables(tables) => {
            tables.iter().flatten().for_each(|(_, item)| holes(item, each));
        }
    }
}

/// Whether there is something in it that the environment has to tell.
fn has_holes(item: &Item) -> bool {
    let mut found = false;
    holes(item, &mut |text| found |= text.unknowns().next().is_some());
    found
}

fn inline(item: &Item) -> String {
    match item {
        Item::Text(text) => quoted(&text.in_manifest()),
        Item::Number(number) => number.clone(),
        Item::List(texts) => {
            let texts: Vec<String> = texts.iter().map(|text| quoted(&text.in_manifest())).collect();
            format!("[{}]", texts.join(", "))
        }
        Item::Table(entries) => inline_table(entries),
        Item::Tables(tables) => {
            let tables: Vec<String> = tables.iter().map(|table| inline_table(table)).collect();
            format!("[{}]", tables.join(", "))
        }
    }
}

fn inline_table(entries: &[(String, Item)]) -> String {
    let entry = |(name, item): &(String, Item)| format!("{} = {}", key(name), inline(item));
    let entries: Vec<String> = entries.iter().map(entry).collect();
    format!("{{ {} }}", entries.join(", "))
}

/// A key as TOML writes it.
pub(crate) fn key(name: &str) -> String {
    let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_comes_back_from_toml(name in ".{0,12}", text in "[\\x00-\\x7f\u{80}-\u{9f}ü\u{2028}]{0,20}") {
            let written = format!("{} = {}\n", key(&name), quoted(&text));
            let document: toml_edit::Document<String> = written.parse().unwrap();
            prop_assert_eq!(document.get(&name).and_then(|item| item.as_str()), Some(text.as_str()));
        }
    }

    #[test]
    fn what_all_functions_have_is_said_once_and_the_rest_where_it_differs() {
        let function = |key: &str, memory: &str| Function {
            key: key.to_owned(),
            keys: vec![("runtime", Item::text("python3.13")), ("memory", Item::text(memory))],
            ..Function::default()
        };
        let app = App {
            functions: vec![function("a", "128MB"), function("b", "256MB")],
            ..App::default()
        };
        let text = manifest(&app);
        assert_eq!(text.matches("runtime").count(), 1, "{text}");
        assert_eq!(text.matches("memory").count(), 2, "{text}");
    }

    #[test]
    fn a_variable_of_all_functions_is_said_once_and_the_others_where_they_are() {
        let function = |key: &str, own: &str| {
            let variables = [("LOG", "info"), (own, "1")];
            let variables = variables.map(|(name, text)| (name.to_owned(), Item::text(text)));
            let keys = vec![("environment", Item::Table(variables.to_vec()))];
            Function { key: key.to_owned(), keys, ..Function::default() }
        };
        let app = App {
            functions: vec![function("a", "LEFT"), function("b", "RIGHT")],
            ..App::default()
        };
        let text = manifest(&app);
        assert_eq!(text.matches("LOG = \"info\"").count(), 1, "{text}");
        assert!(text.contains("[defaults.environment]\nLOG"), "{text}");
        assert!(text.contains("[functions.b.environment]\nRIGHT"), "{text}");
    }
}

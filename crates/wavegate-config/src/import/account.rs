//! Functions that exist in an account, as a manifest.
//!
//! Each is described as what was seen of it; what equals a default of the manifest is left out of it.
//! There is no file to quote, so the report has no lines, and nothing here can be wrong: the service
//! has taken all of it already.
//!
//! Invariant: the value of an environment variable is written only where [`Values::Copied`] asks for
//! it. Deliberately absent: edges, strategies and alarms, of which an account knows nothing.

use std::collections::BTreeMap;

use wavegate_core::name::{AliasName, FunctionName, VersionId};
use wavegate_core::spec::{FunctionConfig, Secret};

use crate::Target;
use crate::function::refused_variable;
use crate::import::report::Ledger;
use crate::import::sam::app_name;
use crate::import::value::{Text, Unknown, Variables};
use crate::import::write::{self, App, Home, Item};
use crate::import::{Imported, value};

/// The manifest's defaults, which need no key. Source: the schema.
const ARCHITECTURE: &str = "x86_64";
const EPHEMERAL_MB: u32 = 512;

/// Why a value is not in the file.
const MAY_BE_SECRET: &str = "it may be a secret, and is copied only with --environment";

/// What is said behind a path at which there is no code yet.
const NOT_THERE: &str = "not downloaded: put the code there";

/// What to describe.
#[derive(Debug, Clone)]
pub struct Account {
    /// Where the functions are, in words: `functions of AWS account 123456789012 in eu-west-1`.
    pub words: String,
    /// Where the app is to be deployed: where its functions are.
    pub target: Target,
    /// The region, where the manifest has to say it.
    pub region: Option<String>,
    /// The app's name, as far as it can be one.
    pub app: String,
    /// The alias of the app.
    pub alias: AliasName,
    /// What becomes of environment variables.
    pub values: Values,
    /// The functions, in the order in which they are written.
    pub functions: Vec<Existing>,
}

/// What becomes of the values of environment variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Each becomes `${env:NAME}`.
    Holes,
    /// They are written into the manifest.
    Copied,
}

/// One function.
#[derive(Debug, Clone)]
pub struct Existing {
    /// Its name in Lambda, which is its key as well.
    pub name: FunctionName,
    /// What the description is of.
    pub served: Served,
    /// Its code.
    pub code: Code,
    /// Its configuration.
    pub config: FunctionConfig,
    /// What else it has.
    pub beside: Vec<Beside>,
}

/// Which state of a function is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// The version that the alias serves.
    Version {
        /// Its number.
        version: VersionId,
        /// Another one that takes a share of the traffic.
        beside: Option<VersionId>,
    },
    /// `$LATEST`, to which the alias points.
    AliasOnLatest,
    /// `$LATEST`, because there is no such alias.
    Latest,
}

/// Where a function's code is, for the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A container image.
    Image(String),
    /// The very zip that the function runs, at this path.
    Kept(String),
    /// What was in that zip, in this directory.
    Unpacked(String),
    /// Nowhere yet; it belongs into this directory.
    Absent(String),
}

/// Something that no key of a manifest is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// A property of the function, by AWS's name, and its value where that says something.
    Setting {
        /// The property.
        property: String,
        /// Its value.
        value: Option<String>,
    },
    /// An event source that calls the function.
    EventSource {
        /// The source.
        source: String,
        /// What it calls: an alias, a version, or the function itself.
        qualifier: Option<String>,
    },
    /// A URL of the function itself.
    Url,
    /// Something that could not be read.
    Unseen {
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
}

/// Describes functions that exist.
pub fn import(account: &Account) -> Imported {
    let shared = shared(&account.functions);
    let mut writer = Writer {
        account,
        shared,
        ledger: Ledger::without_file(),
        variables: Variables::default(),
        app: App {
            from: account.words.clone(),
            verb: "init",
            name: app_name(&account.app),
            alias: account.alias.to_string(),
            region: account.region.clone(),
            target: match account.target {
                Target::Local => Home::Local,
                Target::Aws => Home::Aws,
            },
            ..App::default()
        },
    };
    for function in &account.functions {
        writer.function(function);
    }
    let Writer { ledger, app, .. } = writer;
    let report = ledger.finish(app.functions.len());
    Imported { manifest: write::manifest(&app), files: Vec::new(), report }
}

/// The variables that several functions have, and all of these with the same value: one variable is
/// enough for all of them.
fn shared(functions: &[Existing]) -> Vec<String> {
    let mut seen: BTreeMap<&str, Vec<&Secret>> = BTreeMap::new();
    for function in functions {
        for (name, value) in &function.config.environment {
            seen.entry(name).or_default().push(value);
        }
    }
    let is_shared = |values: &[&Secret]| values.len() > 1 && values.iter().all(|v| *v == values[0]);
    let shared = seen.into_iter().filter(|(_, values)| is_shared(values));
    shared.map(|(name, _)| name.to_owned()).collect()
}

struct Writer<'a> {
    account: &'a Account,
    shared: Vec<String>,
    ledger: Ledger,
    variables: Variables,
    app: App,
}

/// Where something stands in the file: nowhere, because there is none.
const NOWHERE: std::ops::Range<usize> = 0..0;

impl Writer<'_> {
    fn function(&mut self, function: &Existing) {
        let name = function.name.as_str();
        self.app.functions.push(write::Function { key: name.to_owned(), ..Default::default() });
        self.served(name, function.served);
        self.code(name, &function.code);
        let is_image = matches!(function.code, Code::Image(_));
        self.config(name, &function.config, is_image);
        self.environment(name, &function.config);
        for beside in &function.beside {
            self.beside(name, beside);
        }
    }

    fn set(&mut self, key: &'static str, item: Item) {
        if let Some(function) = self.app.functions.last_mut() {
            function.set(key, item);
        }
    }

    /// A key that says the same as the property.
    fn taken(&mut self, function: &str, property: &str, key: &'static str, item: Item) {
        self.set(key, item);
        let property = format!("{function}.{property}");
        self.ledger.taken(&NOWHERE, &property, &full(function, key));
    }

    fn changed(&mut self, function: &str, property: &str, key: &str, why: &str) {
        self.ledger.changed(&NOWHERE, &format!("{function}.{property}"), key, why);
    }

    fn served(&mut self, function: &str, served: Served) {
        let alias = &self.account.alias;
        let why = match served {
            Served::Version { beside: None, .. } => return,
            Served::Version { version, beside: Some(other) } => format!(
                "`{alias}` splits its traffic: described is version {version}, and not version \
                 {other}, which is being shifted to"
            ),
            Served::AliasOnLatest => format!(
                "`{alias}` points to $LATEST, and a release needs a version there: the first one \
                 publishes it"
            ),
            Served::Latest => format!(
                "it has no alias `{alias}`, so $LATEST is described: the first release publishes a \
                 version and makes the alias, and callers must be told of it"
            ),
        };
        self.changed(function, "Alias", "app.alias", &why);
    }

    fn code(&mut self, function: &str, code: &Code) {
        let key = full(function, "code");
        match code {
            Code::Image(uri) => self.taken(function, "ImageUri", "image", Item::text(uri)),
            Code::Kept(path) => self.taken(function, "Code", "code", Item::text(path)),
            Code::Unpacked(path) => {
                self.set("code", Item::text(path));
                let why = "it is zipped anew: unless wavegate made the zip, the hash is another one, and the \
                           first plan shows the code as changed";
                self.changed(function, "Code", &key, why);
            }
            Code::Absent(path) => {
                self.set("code", Item::text(path));
                if let Some(function) = self.app.functions.last_mut() {
                    function.code_note = Some(NOT_THERE);
                }
                let why =
                    "the code was not downloaded: put it there, or do this again with --download";
                self.changed(function, "Code", &key, why);
            }
        }
    }

    fn config(&mut self, function: &str, config: &FunctionConfig, is_image: bool) {
        if let Some(handler) = config.handler.as_deref().filter(|_| !is_image) {
            self.taken(function, "Handler", "handler", Item::text(handler));
        }
        if let Some(runtime) = config.runtime.as_deref().filter(|_| !is_image) {
            self.taken(function, "Runtime", "runtime", Item::text(runtime));
        }
        if !config.role.is_empty() {
            self.taken(function, "Role", "role", Item::text(&config.role));
        }
        let memory = format!("{}MB", config.memory_mb);
        self.taken(function, "MemorySize", "memory", Item::text(&memory));
        let timeout = format!("{}s", config.timeout_s);
        self.taken(function, "Timeout", "timeout", Item::text(&timeout));
        if !config.description.is_empty() {
            let description = Item::text(&config.description);
            self.taken(function, "Description", "description", description);
        }
        if config.architecture != ARCHITECTURE {
            let architecture = Item::text(&config.architecture);
            self.taken(function, "Architectures", "architecture", architecture);
        }
        if !config.layers.is_empty() {
            self.taken(function, "Layers", "layers", Item::names(&config.layers));
        }
        if config.ephemeral_storage_mb != EPHEMERAL_MB {
            let size = format!("{}MB", config.ephemeral_storage_mb);
            self.taken(function, "EphemeralStorage", "ephemeral_storage", Item::text(&size));
        }
        if config.tracing {
            self.taken(function, "TracingConfig", "tracing", Item::text("active"));
        }
        if let Some(vpc) = &config.vpc {
            let list = |ids: &std::collections::BTreeSet<String>| {
                Item::List(ids.iter().map(Text::known).collect())
            };
            let table = vec![
                ("subnets".to_owned(), list(&vpc.subnets)),
                ("security_groups".to_owned(), list(&vpc.security_groups)),
            ];
            self.taken(function, "VpcConfig", "vpc", Item::Table(table));
        }
        if let Some(arn) = &config.dead_letter {
            self.taken(function, "DeadLetterConfig", "dead_letter", Item::text(arn));
        }
    }

    fn environment(&mut self, function: &str, config: &FunctionConfig) {
        let mut table = Vec::new();
        for (name, value) in &config.environment {
            let property = format!("{function}.Environment.{name}");
            if let Some(why) = refused_variable(name) {
                self.ledger.left_out(&NOWHERE, &property, &format!("Lambda refuses it: {why}"));
                continue;
            }
            let key = format!("{}.{}", full(function, "environment"), write::key(name));
            let text = match self.account.values {
                Values::Copied => {
                    self.ledger.taken(&NOWHERE, &property, &key);
                    Text::known(value.expose())
                }
                Values::Holes => {
                    let hole = self.hole(function, name);
                    self.ledger.unresolved(&NOWHERE, &property, &key, std::slice::from_ref(&hole));
                    Text::unknown(&hole)
                }
            };
            table.push((name.clone(), Item::Text(text)));
        }
        if !table.is_empty() {
            self.set("environment", Item::Table(table));
        }
    }

    /// What stands for a value: one variable for all functions that share it.
    fn hole(&mut self, function: &str, name: &str) -> std::rc::Rc<Unknown> {
        if self.shared.iter().any(|shared| shared == name) {
            let said = format!("the value of {name} in all functions that have it");
            return self.variables.hole(name, name, &said, MAY_BE_SECRET);
        }
        let source = format!("{function}.{name}");
        // Two underscores keep the function's words from the variable's.
        let variable = format!("{}__{}", value::variable(function), value::variable(name));
        let said = format!("the value of {name} in {function}");
        self.variables.hole_named(&source, variable, &said, MAY_BE_SECRET)
    }

    fn beside(&mut self, function: &str, beside: &Beside) {
        let (property, why) = match beside {
            Beside::Setting { property, value } => {
                let shown = value.as_ref().map(|value| format!(" ({value})")).unwrap_or_default();
                (format!("{property}{shown}"), stays(property).to_owned())
            }
            Beside::EventSource { source, qualifier } => {
                let why = "wavegate makes no triggers: it stays as it is";
                let calls = self.calls(qualifier.as_deref());
                (format!("EventSource {source}"), format!("{why}{calls}"))
            }
            Beside::Url => {
                let why = "wavegate makes no URLs: it stays as it is";
                ("FunctionUrl".to_owned(), format!("{why}{}", self.calls(None)))
            }
            Beside::Unseen { what, why } => (what.clone(), format!("it could not be read: {why}")),
        };
        self.ledger.left_out(&NOWHERE, &format!("{function}.{property}"), &why);
    }

    /// What there is to say about whom a caller calls.
    fn calls(&self, qualifier: Option<&str>) -> String {
        let alias = &self.account.alias;
        match qualifier {
            Some(called) if called == alias.as_str() => String::new(),
            Some(called) => format!(
                "; it calls `{called}` and not the alias `{alias}`, so no release moves its traffic"
            ),
            None => format!(
                "; it calls the function itself and not the alias `{alias}`, so no release moves its \
                 traffic"
            ),
        }
    }
}

fn full(function: &str, key: &str) -> String {
    format!("functions.{}.{key}", write::key(function))
}

/// Why a property has no key, and what becomes of it.
fn stays(property: &str) -> &'static str {
    match property {
        "ReservedConcurrentExecutions" => {
            "a release does not change concurrency: what is set on the function stays"
        }
        "Tags" => "a release sets no tags: what is on the function stays",
        "KMSKeyArn" | "SourceKMSKeyArn" => "wavegate sets no keys: what is on the function stays",
        "FileSystemConfigs" => "wavegate mounts no file systems: what is on the function stays",
        "LoggingConfig" => "wavegate sets no log groups: what is on the function stays",
        "SigningProfileVersionArn" => {
            "wavegate signs no code: where the function takes signed code only, a release of other \
             code is refused"
        }
        "Ipv6AllowedForDualStack" => {
            "the manifest has no key for it, and a change of the configuration sends the VPC without it"
        }
        _ => "the manifest has no key for it: what is on the function stays",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Fate;

    fn function(name: &str, variables: &[(&str, &str)]) -> Existing {
        let secret = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new(*value));
        Existing {
            name: FunctionName::new(name).unwrap(),
            served: Served::Version { version: VersionId(7), beside: None },
            code: Code::Kept(format!("functions/{name}.zip")),
            config: FunctionConfig {
                runtime: Some("python3.13".to_owned()),
                handler: Some("app.handler".to_owned()),
                role: "arn:aws:iam::123456789012:role/shop".to_owned(),
                memory_mb: 256,
                timeout_s: 10,
                architecture: ARCHITECTURE.to_owned(),
                ephemeral_storage_mb: EPHEMERAL_MB,
                environment: variables.iter().map(secret).collect(),
                ..FunctionConfig::default()
            },
            beside: Vec::new(),
        }
    }

    fn account(functions: Vec<Existing>) -> Account {
        Account {
            words: "functions of AWS account 123456789012 in eu-west-1".to_owned(),
            target: Target::Aws,
            region: Some("eu-west-1".to_owned()),
            app: "shop".to_owned(),
            alias: AliasName::new("live").unwrap(),
            values: Values::Holes,
            functions,
        }
    }

    #[test]
    fn the_manifest_says_what_is_there_and_what_is_common_once() {
        let mut pay = function("shop-pay", &[]);
        pay.config.architecture = "arm64".to_owned();
        pay.config.tracing = true;
        let done = import(&account(vec![function("shop-auth", &[]), pay]));
        assert_eq!(
            done.manifest,
            "# Imported from functions of AWS account 123456789012 in eu-west-1 by `wavegate init`. \
             `wavegate schema` prints every key there is.\n\n\
             [app]\nname = \"shop\"\nalias = \"live\"\n\
             target = \"aws\"       # --target local is the cloud on this machine\n\
             region = \"eu-west-1\"\n\
             \n[defaults]           # merged under every function\n\
             handler = \"app.handler\"\nruntime = \"python3.13\"\n\
             role = \"arn:aws:iam::123456789012:role/shop\"\nmemory = \"256MB\"\ntimeout = \"10s\"\n\
             \n[functions.shop-auth]\ncode = \"functions/shop-auth.zip\"\n\
             \n[functions.shop-pay]\ncode = \"functions/shop-pay.zip\"\n\
             architecture = \"arm64\"\ntracing = \"active\"\n\
             \n[local]              # only for target = \"local\"\n\
             time_scale = 60      # five minutes pass in five seconds\n\
             traffic = { rps = 10 }\n"
        );
    }

    #[test]
    fn no_value_is_written_unless_it_is_asked_for() {
        let functions = vec![
            function("shop-auth", &[("KEY", "s3cret"), ("TABLE", "orders"), ("MODE", "a")]),
            function("shop-pay", &[("TABLE", "orders"), ("MODE", "b")]),
        ];
        let mut account = account(functions);
        let holes = import(&account);
        let told = format!("{holes:?}");
        for value in ["s3cret", "orders", "\"a\""] {
            assert!(!told.contains(value), "{value} in {told}");
        }
        for line in [
            "KEY = \"${env:SHOP_AUTH__KEY}\"",
            "MODE = \"${env:SHOP_PAY__MODE}\"",
            "[defaults.environment]\nTABLE = \"${env:TABLE}\"",
        ] {
            assert!(holes.manifest.contains(line), "{line} in {}", holes.manifest);
        }
        let names: Vec<&str> = holes.report.variables.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["SHOP_AUTH__KEY", "SHOP_AUTH__MODE", "SHOP_PAY__MODE", "TABLE"]);
        account.values = Values::Copied;
        let copied = import(&account);
        assert!(copied.manifest.contains("KEY = \"s3cret\""), "{}", copied.manifest);
        assert!(copied.report.variables.is_empty());
    }

    #[test]
    fn a_value_that_looks_like_a_reference_is_copied_as_it_is() {
        let mut account = account(vec![function("fn", &[("TEXT", "${env:HOME}")])]);
        account.values = Values::Copied;
        assert!(import(&account).manifest.contains("TEXT = \"$${env:HOME}\""));
    }

    #[test]
    fn an_image_says_its_own_handler() {
        let mut image = function("fn", &[]);
        image.code = Code::Image("1.dkr.ecr.eu-west-1.amazonaws.com/fn:7".to_owned());
        let done = import(&account(vec![image]));
        assert!(done.manifest.contains("image = \"1.dkr.ecr.eu-west-1.amazonaws.com/fn:7\""));
        assert!(!done.manifest.contains("handler") && !done.manifest.contains("runtime ="));
    }

    #[test]
    fn what_has_no_key_is_told_with_its_reason() {
        let mut one = function("fn", &[]);
        one.served = Served::Latest;
        one.code = Code::Absent("functions/fn".to_owned());
        one.beside = vec![
            Beside::Setting {
                property: "ReservedConcurrentExecutions".to_owned(),
                value: Some("5".to_owned()),
            },
            Beside::EventSource { source: "queue".to_owned(), qualifier: None },
            Beside::EventSource { source: "stream".to_owned(), qualifier: Some("live".to_owned()) },
            Beside::Url,
            Beside::Unseen { what: "its function URL".to_owned(), why: "denied".to_owned() },
        ];
        let done = import(&account(vec![one]));
        let line = "code = \"functions/fn\"   # not downloaded: put the code there\n";
        assert!(done.manifest.contains(line), "{}", done.manifest);
        let left_out = done.report.entries.iter().filter(|entry| entry.fate == Fate::LeftOut);
        let told: Vec<(&str, &str)> = left_out
            .map(|entry| (entry.property.as_str(), entry.reason.as_deref().unwrap_or_default()))
            .collect();
        let calls_itself = |why: &str| why.contains("calls the function itself");
        assert_eq!(told.len(), 5, "{told:?}");
        assert_eq!(told[0].0, "fn.ReservedConcurrentExecutions (5)");
        assert!(calls_itself(told[1].1) && !calls_itself(told[2].1) && calls_itself(told[3].1));
        let changed = done.report.entries.iter().filter(|entry| entry.fate == Fate::Changed);
        let properties: Vec<&str> = changed.map(|entry| entry.property.as_str()).collect();
        assert_eq!(properties, ["fn.Alias", "fn.Code"]);
        assert!(done.report.entries.iter().all(|entry| entry.line.is_none()));
    }
}

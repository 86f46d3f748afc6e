//! The Serverless Framework: `serverless.yml` to a manifest.
//!
//! Functions with what the provider says under them, and the settings of
//! `serverless-plugin-canary-deployments`: `deploymentSettings` of functions and of `custom`.
//! CloudFormation in `resources` is resolved as in a template. All else stays with the framework.

mod deployment;
mod function;
mod variables;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use wavegate_core::name::FunctionName;

use crate::code;
use crate::import::cfn::{Template, Words};
use crate::import::draft::Draft;
use crate::import::report::Ledger;
use crate::import::sam::app_name;
use crate::import::yaml::{self, Key, Kind, Node};
use crate::import::{Imported, Request, write};
use crate::problem::{Place, Problem, Problems, Source, harmless};

use variables::{Sources, is_hole};

/// Reads the file of a service.
///
/// # Errors
/// Everything that the Serverless Framework would refuse, all at once.
pub fn import(request: &Request) -> Result<Imported, Problems> {
    let source = Source::new(&request.path, &request.text);
    let refuse = |problems| Problems::of("the file", problems);
    let raw = yaml::read(&source, &request.text).map_err(refuse)?;
    if let Some(problem) = misshapen(&source, &raw) {
        return Err(refuse(vec![problem]));
    }
    let mut sources = Sources {
        root: &raw,
        options: request.options.iter().cloned().collect(),
        parameters: request.parameters.iter().cloned().collect(),
        source: &source,
        problems: Vec::new(),
        count: 0,
    };
    let stage = sources.stage(0);
    let root = sources.resolve(&raw);
    let options = std::mem::take(&mut sources.options);
    let mut problems = std::mem::take(&mut sources.problems);
    let service = Service::new(&root, stage, &options);
    let resources = service.as_template();
    let pseudo = request.parameters.iter().filter(|(name, _)| name.starts_with("AWS::")).cloned();
    let region = ("AWS::Region".to_owned(), service.region.clone());
    let given: Vec<(String, String)> = std::iter::once(region).chain(pseudo).collect();
    let mut template = Template::new(&source, &resources, &given, Words::Yaml12);
    for (key, name) in &service.names {
        template.call_function(&logical_id(key), name);
    }
    let mut importer = Importer {
        draft: Draft::new(&template, Ledger::new(&source)),
        request,
        service: &service,
        keys: service
            .functions
            .iter()
            .map(|(key, _)| (logical_id(&key.text), key.text.clone()))
            .collect(),
    };
    for (key, function) in &service.functions {
        importer.function(key, function);
    }
    importer.settle(&root);
    problems.extend(template.take_problems());
    if service.functions.is_empty() {
        let span = root.entry("functions").map_or(0..0, |(key, _)| key.span.clone());
        let place = Place::file(&source, span);
        let problem =
            Problem::new(code::TEMPLATE_EMPTY, place, "the file has no function to deploy");
        problems.push(problem.with_help("functions in other files are not read: put them in here"));
    }
    if !problems.is_empty() {
        return Err(refuse(problems));
    }
    let Draft { app, ledger, .. } = importer.draft;
    let report = ledger.finish(app.functions.len());
    Ok(Imported { manifest: write::manifest(&app), files: Vec::new(), report })
}

fn misshapen(source: &Arc<Source>, root: &Node) -> Option<Problem> {
    let problem = |span: Range<usize>, message: &str, help: &str| {
        let place = Place::file(source, span);
        Some(Problem::new(code::TEMPLATE_SHAPE, place, message).with_help(help))
    };
    if root.map().is_none() {
        let help = "the file is a map with `service`, `provider` and `functions` in it";
        return problem(root.span.clone(), "this is not a file of the Serverless Framework", help);
    }
    if root.get("functions").is_none() && root.get("Resources").is_some() {
        let help = "this is a template of CloudFormation: `wavegate import sam` takes it";
        return problem(0..0, "the file has no `functions`", help);
    }
    match root.at(&["provider", "name"]).and_then(Node::text) {
        Some(name) if name != "aws" && !name.contains("${") => {
            let span = root.at(&["provider", "name"]).map_or(0..0, |node| node.span.clone());
            problem(span, "the provider is not `aws`", "wavegate deploys functions of AWS Lambda")
        }
        _ => None,
    }
}

/// What the file says, with its variables resolved.
struct Service<'n> {
    root: &'n Node,
    name: String,
    stage: String,
    region: String,
    functions: Vec<(Key, Node)>,
    /// The functions' names in Lambda where they are known, by their keys.
    names: BTreeMap<String, String>,
}

impl<'n> Service<'n> {
    fn new(root: &'n Node, stage: String, options: &BTreeMap<String, String>) -> Self {
        let service = root.get("service");
        let name = service.and_then(|node| node.text().or_else(|| node.get("name")?.text()));
        let name = name.unwrap_or("service").to_owned();
        let said = root.at(&["provider", "region"]).and_then(Node::text);
        let region = options.get("region").map(String::as_str).or(said).unwrap_or("us-east-1");
        let mut functions = entries(root.get("functions"));
        functions.retain(|(_, function)| !is_hole(function));
        let of = |(key, node): &(Key, Node)| {
            let own = match node.get("name") {
                Some(own) => own.text()?.to_owned(),
                None => format!("{name}-{stage}-{}", key.text),
            };
            Some((key.text.clone(), own))
        };
        let names = functions.iter().filter_map(of).collect();
        Self { root, name, stage, region: region.to_owned(), functions, names }
    }

    fn provider(&self, path: &[&str]) -> Option<&'n Node> {
        self.root.get("provider")?.at(path)
    }

    /// The resources with the functions as the framework names them, so that references lead there.
    fn as_template(&self) -> Node {
        let span = self.root.span.clone();
        let map = |entries: Vec<(Key, Node)>| Node { kind: Kind::Map(entries), span: span.clone() };
        let key = |text: &str| Key { text: text.to_owned(), span: span.clone() };
        let text = |text: &str| Node {
            kind: Kind::Scalar { text: text.to_owned(), plain: false },
            span: span.clone(),
        };
        let mut sections: BTreeMap<String, Vec<(Key, Node)>> = BTreeMap::new();
        let said = self.root.get("resources");
        let parts = match said.map(|node| &node.kind) {
            Some(Kind::List(parts)) => parts.iter().collect(),
            _ => said.into_iter().collect::<Vec<_>>(),
        };
        let parts = parts.into_iter().filter(|part| !is_hole(part));
        for (name, node) in parts.filter_map(Node::map).flatten() {
            sections.entry(name.text.clone()).or_default().extend(entries(Some(node)));
        }
        let resources = sections.entry("Resources".to_owned()).or_default();
        for (name, function) in &self.functions {
            let named = function.get("name").cloned();
            let named = named.or_else(|| self.names.get(&name.text).map(|name| text(name)));
            let properties = named.map(|named| map(vec![(key("FunctionName"), named)]));
            let mut resource = vec![(key("Type"), text("AWS::Lambda::Function"))];
            resource.extend(properties.map(|properties| (key("Properties"), properties)));
            resources.push((key(&logical_id(&name.text)), map(resource)));
        }
        map(sections.into_iter().map(|(name, entries)| (key(&name), map(entries))).collect())
    }
}

/// The entries of a map, or of a list of maps, as the framework takes both.
fn entries(node: Option<&Node>) -> Vec<(Key, Node)> {
    match node.map(|node| &node.kind) {
        Some(Kind::Map(entries)) if node.is_some_and(|node| !is_hole(node)) => entries.clone(),
        Some(Kind::List(parts)) => parts.iter().flat_map(|part| entries(Some(part))).collect(),
        _ => Vec::new(),
    }
}

/// What the framework calls a function in CloudFormation.
fn logical_id(key: &str) -> String {
    let name = key.replace('-', "Dash").replace('_', "Underscore");
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    format!("{}{}LambdaFunction", first.map(String::from).unwrap_or_default(), letters.as_str())
}

/// The import under way.
struct Importer<'a> {
    draft: Draft<'a>,
    request: &'a Request,
    service: &'a Service<'a>,
    /// Logical ids of functions and their keys.
    keys: BTreeMap<String, String>,
}

impl Importer<'_> {
    fn settle(&mut self, root: &Node) {
        let app = &mut self.draft.app;
        app.from = self
            .request
            .path
            .file_name()
            .map_or_else(String::new, |name| harmless(&name.to_string_lossy()));
        app.verb = "import serverless";
        app.name = app_name(&self.service.name);
        app.region = Some(self.service.region.clone());
        self.draft.settle_alias();
        self.draft.settle_alarms();
        self.draft.settle_edges();
        self.provider(root);
        self.custom(root);
        self.sections(root);
    }

    fn provider(&mut self, root: &Node) {
        if self.service.provider(&["region"]).is_none() {
            let span = root.entry("provider").map_or(0..0, |(key, _)| key.span.clone());
            let why = "nobody says it, so it is the framework's default, or --opt region";
            self.draft.ledger.changed(&span, "provider.region", "app.region", why);
        }
        let provider = root.get("provider").filter(|node| !is_hole(node));
        for (key, node) in provider.and_then(Node::map).unwrap_or_default() {
            let property = format!("provider.{}", key.text);
            let span = key.span.start..node.span.end;
            match key.text.as_str() {
                "name" => self.draft.ledger.taken(&span, &property, "app.target"),
                "region" => self.draft.ledger.taken(&span, &property, "app.region"),
                "stage" => {
                    let why = format!(
                        "stage `{}` is in the names and values of the manifest",
                        self.service.stage
                    );
                    self.draft.ledger.changed(&span, &property, "functions", &why);
                }
                name @ ("runtime" | "memorySize" | "timeout" | "architecture")
                    if self.service.functions.iter().all(|(_, one)| one.get(name).is_some()) =>
                {
                    let why = "every function says its own";
                    self.draft.ledger.left_out(&span, &property, why);
                }
                // The functions have told of these.
                "runtime" | "memorySize" | "timeout" | "environment" | "vpc" | "layers"
                | "architecture" | "role" => {}
                "tracing" => {
                    for (key, _) in node
                        .map()
                        .unwrap_or_default()
                        .iter()
                        .filter(|(key, _)| key.text != "lambda")
                    {
                        let why = "it is not about functions: leave it with the framework";
                        self.draft.ledger.left_out(
                            &key.span,
                            &format!("{property}.{}", key.text),
                            why,
                        );
                    }
                }
                "iam" | "iamRoleStatements" | "iamManagedPolicies" | "rolePermissionsBoundary" => {
                    let why = "wavegate makes no roles: the framework's stays, and `role` names it";
                    self.draft.ledger.left_out(&span, &property, why);
                }
                "tags" | "stackTags" => {
                    let why = "a release sets no tags: what is on the functions stays";
                    self.draft.ledger.left_out(&span, &property, why);
                }
                "deploymentBucket" => {
                    let why = "`artifact_bucket` under [app] names the bucket for packages of more than 50 MB";
                    self.draft.ledger.left_out(&span, &property, why);
                }
                _ => {
                    let why = "it is about the stack or its triggers: leave it with the framework";
                    self.draft.ledger.left_out(&span, &property, why);
                }
            }
        }
    }

    fn custom(&mut self, root: &Node) {
        let custom = root.get("custom").filter(|node| !is_hole(node));
        for (key, node) in custom.and_then(Node::map).unwrap_or_default() {
            let property = format!("custom.{}", key.text);
            if key.text != "deploymentSettings" {
                let why =
                    "what was taken of it by variables is in the manifest; the rest is for plugins";
                self.draft.ledger.left_out(&key.span, &property, why);
                continue;
            }
            for (key, node) in node.map().unwrap_or_default() {
                let span = key.span.start..node.span.end;
                self.global_setting(&span, &format!("{property}.{}", key.text), &key.text);
            }
        }
    }

    fn sections(&mut self, root: &Node) {
        let span = root.entry("service").map(|(key, node)| key.span.start..node.span.end);
        self.draft.ledger.taken(&span.unwrap_or(0..0), "service", "app.name");
        for (key, node) in root.map().unwrap_or_default() {
            let why = match key.text.as_str() {
                "functions" | "provider" | "custom" => {
                    self.holes(&key.text, node);
                    continue;
                }
                "service" => continue,
                "resources" => {
                    self.resources(node);
                    continue;
                }
                "plugins" => "plugins of the framework do not run here",
                "package" => {
                    let why = "all of `code` is packaged: say in .lambdaignore what is not wanted";
                    for (key, _) in node.map().unwrap_or_default() {
                        if key.text != "artifact" {
                            let property = format!("package.{}", key.text);
                            self.draft.ledger.left_out(&key.span, &property, why);
                        }
                    }
                    continue;
                }
                "frameworkVersion"
                | "useDotenv"
                | "variablesResolutionMode"
                | "configValidationMode"
                | "deprecationNotificationMode"
                | "app"
                | "org" => "it is about the framework itself",
                "params" => "what was taken of them by variables is in the manifest",
                "layers" => "wavegate publishes no layers: leave them with the framework",
                _ => "wavegate has nothing for it: leave it with the framework",
            };
            self.draft.ledger.left_out(&key.span, &harmless(&key.text), why);
        }
    }

    /// What a section takes from elsewhere, and nobody has asked for.
    fn holes(&mut self, property: &str, node: &Node) {
        let why = "it stands in another file or service, which is not read: put it in here";
        if is_hole(node) {
            self.draft.ledger.left_out(&node.span, property, why);
        }
        for (at, part) in node.list().unwrap_or_default().iter().enumerate() {
            self.holes(&format!("{property}.{at}"), part);
        }
        for (key, value) in node.map().unwrap_or_default() {
            if is_hole(value) && property.starts_with("functions") {
                self.draft.ledger.left_out(&value.span, &format!("{property}.{}", key.text), why);
            }
        }
    }

    fn resources(&mut self, node: &Node) {
        self.holes("resources", node);
        let parts = node.list().map_or_else(|| vec![node], |list| list.iter().collect());
        let parts = parts.into_iter().filter(|part| !is_hole(part));
        for (section, node) in parts.filter_map(Node::map).flatten() {
            if section.text != "Resources" {
                let property = format!("resources.{}", section.text);
                let why = "it is about the stack: leave it with the framework";
                self.draft.ledger.left_out(&section.span, &property, why);
                continue;
            }
            for (key, resource) in entries(Some(node)) {
                if self.draft.used.contains(&key.text) {
                    continue;
                }
                let kind = resource.get("Type").and_then(Node::text).unwrap_or_default();
                let property = format!("resources.{} ({})", key.text, harmless(kind));
                let why =
                    "wavegate makes functions, versions and aliases: leave it with the framework";
                self.draft.ledger.left_out(&key.span, &property, why);
            }
        }
    }
}

/// Whether a key can be a function's in the manifest.
fn is_name(key: &str) -> bool {
    FunctionName::new(key).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_called_as_the_framework_calls_them() {
        for (key, expected) in [
            ("hello", "HelloLambdaFunction"),
            ("pre-hook", "PreDashhookLambdaFunction"),
            ("a_b", "AUnderscorebLambdaFunction"),
        ] {
            assert_eq!(logical_id(key), expected);
        }
    }
}

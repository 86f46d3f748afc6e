//! AWS SAM: `template.yaml` to a manifest.
//!
//! `AWS::Serverless::Function` and `AWS::Lambda::Function` become functions, alarms that their
//! deployment preferences name become alarms, and so do their hooks. All else stays with SAM.

mod deployment;
mod function;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use wavegate_core::name::{AppName, FunctionName};

use crate::code;
use crate::import::cfn::{Template, Words};
use crate::import::draft::Draft;
use crate::import::physical::{self, type_of};
use crate::import::report::Ledger;
use crate::import::write;
use crate::import::yaml::{self, Kind, Node};
use crate::import::{Engine, Imported, Request, alarm, globals};
use crate::problem::{Place, Problem, Problems, Source, harmless};

/// Lambda's names of functions end here.
const NAME_MAX: usize = 64;

/// Reads a SAM or CloudFormation template.
///
/// # Errors
/// Everything that SAM or CloudFormation would refuse, all at once.
pub fn import(request: &Request) -> Result<Imported, Problems> {
    let source = Source::new(&request.path, &request.text);
    let refuse = |problems| Problems::of("the template", problems);
    let root = yaml::read(&source, &request.text).map_err(refuse)?;
    if let Some(problem) = misshapen(&source, &root) {
        return Err(refuse(vec![problem]));
    }
    let root = globals::spread(root);
    let mut template = Template::new(&source, &root, &request.parameters, Words::Yaml11);
    let mut ledger = Ledger::new(&source);
    let functions = functions(&mut template, &root, &mut ledger);
    let mut importer = Importer {
        draft: Draft::new(&template, ledger),
        request,
        keys: functions.iter().map(|(id, _)| (id.clone(), id.clone())).collect(),
        files: Vec::new(),
    };
    for (id, resource) in &functions {
        importer.function(id, resource);
    }
    importer.settle(&root);
    template.decide_all();
    let mut problems = template.take_problems();
    if functions.is_empty() {
        let span = root.entry("Resources").map_or(0..0, |(key, _)| key.span.clone());
        let message = "the template has no function to deploy";
        let help = "functions are resources of type AWS::Serverless::Function or AWS::Lambda::Function \
                    whose condition holds";
        let problem = Problem::new(code::TEMPLATE_EMPTY, Place::file(&source, span), message);
        problems.push(problem.with_help(help));
    }
    if !problems.is_empty() {
        return Err(refuse(problems));
    }
    let Importer { draft: Draft { app, ledger, .. }, files, .. } = importer;
    let report = ledger.finish(app.functions.len());
    Ok(Imported { manifest: write::manifest(&app), files, report })
}

/// What makes everything else meaningless.
fn misshapen(source: &Arc<Source>, root: &Node) -> Option<Problem> {
    let problem = |span: Range<usize>, message: &str, help: &str| {
        let place = Place::file(source, span);
        Some(Problem::new(code::TEMPLATE_SHAPE, place, message).with_help(help))
    };
    if root.map().is_none() {
        let help = "a template is a map with `Resources` in it";
        return problem(root.span.clone(), "this is not a template", help);
    }
    match root.entry("Resources") {
        Some((_, resources)) if resources.map().is_some() => None,
        Some((key, _)) => problem(
            key.span.clone(),
            "`Resources` is not a map",
            "it maps logical ids to resources",
        ),
        None if root.get("functions").is_some() => {
            let help = "this is the file of the Serverless Framework: `wavegate import serverless` takes it";
            problem(0..0, "the template has no `Resources`", help)
        }
        None => problem(
            0..0,
            "the template has no `Resources`",
            "name a SAM or CloudFormation template",
        ),
    }
}

/// The functions whose conditions hold, in the order of the template; their names are known to the
/// template afterwards.
fn functions<'n>(
    template: &mut Template<'_>,
    root: &'n Node,
    ledger: &mut Ledger,
) -> Vec<(String, &'n Node)> {
    let resources = root.get("Resources").and_then(Node::map).unwrap_or_default();
    let mut found = Vec::new();
    for (key, resource) in resources {
        let id = &key.text;
        // Loops and includes are transforms, which are told of with the other resources.
        if id.starts_with("Fn::") {
            continue;
        }
        if resource.map().is_none() || resource.get("Type").and_then(Node::text).is_none() {
            let message = format!("resource `{id}` has no type");
            template.problem(code::TEMPLATE_SHAPE, &key.span, &message, "give it a `Type`");
            continue;
        }
        if !physical::is_function(Some(resource)) {
            continue;
        }
        if let Some(condition) = resource.get("Condition") {
            let property = format!("{id}.Condition");
            match condition.text().map(|name| (name, template.condition(name, &condition.span))) {
                Some((name, Ok(true))) => {
                    let why =
                        format!("`{name}` holds with these parameters; it is not asked again");
                    ledger.changed(&condition.span, &property, &format!("functions.{id}"), &why);
                }
                Some((name, Ok(false))) => {
                    let why = format!(
                        "the function is not there: `{name}` does not hold with these parameters"
                    );
                    ledger.left_out(&key.span, id, &why);
                    continue;
                }
                Some((name, Err(unknown))) => {
                    let why = format!(
                        "whether `{name}` holds depends on {}; the function is taken as if it did",
                        unknown.said
                    );
                    ledger.changed(&condition.span, &property, &format!("functions.{id}"), &why);
                }
                None => {
                    let message = "`Condition` takes the name of a condition";
                    template.problem(code::TEMPLATE_SHAPE, &condition.span, message, "");
                }
            }
        }
        if id.len() > NAME_MAX || FunctionName::new(id.as_str()).is_err() {
            let message = format!("`{}` is no name for a function", harmless(id));
            let help = "a logical id here has 1 to 64 letters and digits";
            template.problem(code::TEMPLATE_VALUE, &key.span, &message, help);
            continue;
        }
        template.call_function(id, id);
        found.push((id.clone(), resource));
    }
    found
}

/// The import under way.
struct Importer<'a> {
    draft: Draft<'a>,
    request: &'a Request,
    /// Logical ids of functions and their keys in the manifest.
    keys: BTreeMap<String, String>,
    files: Vec<(String, String)>,
}

impl Importer<'_> {
    /// Everything that needs to have seen all functions.
    fn settle(&mut self, root: &Node) {
        self.name_app(root);
        self.draft.settle_alias();
        self.draft.settle_alarms();
        self.draft.settle_edges();
        self.resources(root);
        self.sections(root);
    }

    fn name_app(&mut self, root: &Node) {
        let app = &mut self.draft.app;
        app.from = self
            .request
            .path
            .file_name()
            .map_or_else(String::new, |name| harmless(&name.to_string_lossy()));
        app.verb = "import sam";
        let stack = self.draft.template.pseudo("AWS::StackName");
        let name = stack.unwrap_or(&self.request.app);
        app.name = app_name(name);
        app.region = self.draft.template.pseudo("AWS::Region").map(str::to_owned);
        let span = root.map().and_then(<[_]>::first).map_or(0..0, |(key, _)| key.span.clone());
        let why = match stack {
            Some(_) => "the stack's name".to_owned(),
            None => "a template does not name its stack: this is its directory's name, or --app's"
                .to_owned(),
        };
        self.draft.ledger.changed(&span, "(name of the stack)", "app.name", &why);
    }

    /// The resources that are no part of the manifest.
    fn resources(&mut self, root: &Node) {
        let resources = root.get("Resources").and_then(Node::map).unwrap_or_default();
        for (key, resource) in resources {
            let id = &key.text;
            if self.keys.contains_key(id) || self.draft.used.contains(id) {
                continue;
            }
            let kind = type_of(resource);
            // Those whose condition does not hold have been told.
            if physical::FUNCTIONS.contains(&kind) {
                continue;
            }
            let is_alarm = alarm::TYPES.contains(&kind);
            let why = match kind {
                "AWS::Serverless::StateMachine" => {
                    "aliases and deployment preferences of state machines are not Lambda's: leave it with SAM"
                }
                "AWS::Serverless::Application" | "AWS::CloudFormation::Stack" => {
                    "a nested stack: import its own template"
                }
                "AWS::Lambda::Version" | "AWS::Lambda::Alias" => {
                    "a release publishes versions and makes the alias itself"
                }
                "AWS::CodeDeploy::Application"
                | "AWS::CodeDeploy::DeploymentGroup"
                | "AWS::CodeDeploy::DeploymentConfig" => match self.request.engine {
                    Engine::Native => "no function uses it: wavegate moves the traffic itself",
                    Engine::CodeDeploy => "no function of the manifest uses it: leave it with SAM",
                },
                _ if is_alarm => "no deployment preference names this alarm",
                "" => "Fn::ForEach and other transforms are not run here",
                _ => "wavegate makes functions, versions and aliases: leave it with SAM",
            };
            self.draft.ledger.left_out(&key.span, &format!("{id} ({})", harmless(kind)), why);
        }
    }

    /// The sections of the template beside its resources.
    fn sections(&mut self, root: &Node) {
        for (key, node) in root.map().unwrap_or_default() {
            let why = match key.text.as_str() {
                "Resources" => continue,
                "Globals" => {
                    self.globals(root, node);
                    continue;
                }
                "AWSTemplateFormatVersion" | "Transform" => {
                    "it says how the template is to be read"
                }
                "Parameters" => {
                    "their values are in the manifest; import again with other --parameter values"
                }
                "Mappings" => "what was looked up in them is in the manifest",
                "Conditions" => "they were decided with these parameters",
                "Description" => "a manifest has no description of the app",
                "Metadata" => "wavegate does not read it",
                "Rules" => "they check parameters, which a manifest has not",
                "Hooks" => "they are CodeDeploy's for other things than functions",
                name if name.starts_with("Fn::") => "transforms are not run here",
                "Outputs" => "wavegate exports nothing: leave them with SAM",
                name => {
                    let message = format!("a template has no section `{}`", harmless(name));
                    self.draft.template.problem(code::TEMPLATE_SHAPE, &key.span, &message, "");
                    continue;
                }
            };
            self.draft.ledger.left_out(&key.span, &key.text, why);
        }
    }

    /// What is global for other things than functions.
    fn globals(&mut self, root: &Node, globals: &Node) {
        let mut resources = root.get("Resources").and_then(Node::map).unwrap_or_default().iter();
        let is_used = resources.any(|(_, one)| type_of(one) == globals::FUNCTION);
        for (key, node) in globals.map().unwrap_or_default() {
            if key.text != "Function" {
                let property = format!("Globals.{}", key.text);
                self.draft.ledger.left_out(
                    &key.span,
                    &property,
                    "it is not about functions: leave it with SAM",
                );
            } else if !is_used {
                let why = "no resource is an AWS::Serverless::Function";
                self.draft.ledger.left_out(&key.span, "Globals.Function", why);
            } else if !matches!(node.kind, Kind::Map(_)) {
                let message = "`Globals.Function` is not a map";
                self.draft.template.problem(code::TEMPLATE_SHAPE, &key.span, message, "");
            }
        }
    }
}

/// A name as an app's, as far as it can be one.
pub(crate) fn app_name(name: &str) -> String {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let legal: String =
        name.chars().map(|c| if is_legal(c) { c } else { '-' }).take(AppName::LEN_MAX).collect();
    let legal = legal.trim_matches('-');
    if legal.is_empty() { "app".to_owned() } else { legal.to_owned() }
}

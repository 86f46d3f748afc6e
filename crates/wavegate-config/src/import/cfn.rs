//! CloudFormation's language: parameters, conditions, mappings, references and intrinsic functions.
//!
//! What the template and the parameters that were given tell is resolved; all else becomes a hole
//! with a name ([`Unknown`]) that says what belongs there and why it is not known. What CloudFormation
//! itself would refuse is a problem. Conditions have three answers: yes, no, and not known.

mod condition;
mod functions;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::code;
use crate::import::physical;
use crate::import::value::{Data, Text, Unknown, Value, Variables};
use crate::import::yaml::{Kind, Node};
use crate::nearest::nearest;
use crate::problem::{Place, Problem, Source};

/// References that lead through names of resources end here: a circle of them is no name.
const DEPTH_MAX: usize = 24;

/// Stands for what is not known in a tree that another language was resolved in: how it is said, a
/// name for it, and why. No file can hold this key.
pub(crate) const HOLE: &str = "\0hole";

/// Stands for an environment variable that the file asks for: its name, and a default.
pub(crate) const OWN: &str = "\0own";

/// Which words without quotes are truths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// Those of YAML 1.1, as CloudFormation reads it: `yes`, `on`, `True`.
    Yaml11,
    /// `true` and `false` in any case, as the Serverless Framework reads it.
    Yaml12,
}

impl Words {
    /// What a word comes to: truths have one spelling.
    fn spelt(self, text: &str) -> &str {
        let is_legacy = self == Self::Yaml11;
        match text {
            "True" | "TRUE" => "true",
            "False" | "FALSE" => "false",
            "yes" | "Yes" | "YES" | "on" | "On" | "ON" if is_legacy => "true",
            "no" | "No" | "NO" | "off" | "Off" | "OFF" if is_legacy => "false",
            _ => text,
        }
    }
}

/// How resources are called that SAM or the Serverless Framework make beside those of the template.
const GENERATED: [&str; 6] =
    ["Serverless", "ApiGateway", "HttpApi", "WebsocketsApi", "IamRole", "CodeDeploy"];

/// A parameter of the template.
#[derive(Debug, Clone)]
struct Parameter {
    value: Option<String>,
    is_list: bool,
    /// Why there is no value.
    missing: &'static str,
}

/// A reference from what is being resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The logical id.
    pub(crate) to: String,
    pub(crate) span: Range<usize>,
}

/// A template that can be asked what its values come to.
pub(crate) struct Template<'a> {
    source: Arc<Source>,
    parameters: BTreeMap<String, Parameter>,
    pseudo: BTreeMap<String, String>,
    mappings: Option<&'a Node>,
    conditions: BTreeMap<&'a str, &'a Node>,
    resources: BTreeMap<&'a str, &'a Node>,
    /// Logical ids that stand for functions: what a function's physical name is, if it has none.
    functions: BTreeMap<String, String>,
    variables: RefCell<Variables>,
    problems: RefCell<Vec<Problem>>,
    references: RefCell<Vec<Reference>>,
    asking: RefCell<BTreeSet<String>>,
    words: Words,
}

/// What an intrinsic comes to that is a text or a list.
type Parts = Result<Vec<Text>, Rc<Unknown>>;

impl<'a> Template<'a> {
    /// The template with these parameters, which are checked against those that it declares.
    pub(crate) fn new(
        source: &Arc<Source>,
        root: &'a Node,
        given: &[(String, String)],
        words: Words,
    ) -> Self {
        let section = |name: &str| root.get(name).and_then(Node::map).unwrap_or_default();
        let named = |name: &str| section(name).iter().map(|(key, node)| (key.text.as_str(), node));
        let mut template = Self {
            source: Arc::clone(source),
            parameters: BTreeMap::new(),
            pseudo: BTreeMap::new(),
            mappings: root.get("Mappings"),
            conditions: named("Conditions").collect(),
            resources: named("Resources").collect(),
            functions: BTreeMap::new(),
            variables: RefCell::default(),
            problems: RefCell::default(),
            references: RefCell::default(),
            asking: RefCell::default(),
            words,
        };
        let mut values: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in given {
            if name.starts_with("AWS::") {
                template.pseudo.insert(name.clone(), value.clone());
            } else {
                values.insert(name, value);
            }
        }
        for (name, node) in named("Parameters") {
            let given = values.remove(name);
            let parameter = template.parameter(name, node, given);
            template.parameters.insert(name.to_owned(), parameter);
        }
        for name in values.keys() {
            let known = template.parameters.keys().map(String::as_str);
            let help = match nearest(name, known.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => match known.collect::<Vec<_>>().join(", ") {
                    known if known.is_empty() => "the template has no parameters".to_owned(),
                    known => format!("there are: {known}"),
                },
            };
            let place = Place::Flag(format!("--parameter {name}"));
            let message = format!("the template has no parameter `{name}`");
            let problem = Problem::new(code::TEMPLATE_PARAMETER, place, message);
            template.problems.get_mut().push(problem.with_help(help));
        }
        template
    }

    fn parameter(&self, name: &str, node: &Node, given: Option<&str>) -> Parameter {
        let kind = node.get("Type").and_then(Node::text).unwrap_or("String");
        let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
        let is_secret = node.get("NoEcho").and_then(Node::text).is_some_and(is_true);
        let default = node.get("Default").and_then(scalar);
        if let Some(value) = given.or(default)
            && let Some(allowed) = node.get("AllowedValues").and_then(Node::list)
        {
            let allowed: Vec<&str> = allowed.iter().filter_map(scalar).collect();
            if !is_list && !allowed.contains(&value) {
                let place = match given {
                    Some(_) => Place::Flag(format!("--parameter {name}")),
                    None => Place::file(&self.source, node.span.clone()),
                };
                let message = format!("parameter `{name}` does not allow this value");
                let problem = Problem::new(code::TEMPLATE_PARAMETER, place, message);
                let help = format!("allowed are: {}", allowed.join(", "));
                self.problems.borrow_mut().push(problem.with_help(help));
            }
        }
        let unknown = |missing| Parameter { value: None, is_list, missing };
        if is_secret {
            return unknown("a parameter with NoEcho is a secret, and is not written into a file");
        }
        if let Some(value) = given {
            return Parameter { value: Some(value.to_owned()), is_list, missing: "" };
        }
        if kind.starts_with("AWS::SSM::Parameter::Value") {
            return unknown("its value is kept in SSM's parameter store; give it with --parameter");
        }
        match default {
            Some(value) => Parameter { value: Some(value.to_owned()), is_list, missing: "" },
            None => unknown("the parameter has no default; give it with --parameter"),
        }
    }

    /// Says what a function is called whose name the template does not tell.
    pub(crate) fn call_function(&mut self, logical_id: &str, name: &str) {
        self.functions.insert(logical_id.to_owned(), name.to_owned());
    }

    pub(crate) fn resource(&self, logical_id: &str) -> Option<&'a Node> {
        self.resources.get(logical_id).copied()
    }

    pub(crate) fn pseudo(&self, name: &str) -> Option<&str> {
        self.pseudo.get(name).map(String::as_str)
    }

    /// A problem at a place of the template.
    pub(crate) fn problem(
        &self,
        code: &'static str,
        span: &Range<usize>,
        message: &str,
        help: &str,
    ) {
        let place = Place::file(&self.source, span.clone());
        let problem = Problem::new(code, place, message);
        let problem = if help.is_empty() { problem } else { problem.with_help(help) };
        self.problems.borrow_mut().push(problem);
    }

    pub(crate) fn take_problems(&self) -> Vec<Problem> {
        std::mem::take(&mut self.problems.borrow_mut())
    }

    /// The references that were followed since the last time.
    pub(crate) fn take_references(&self) -> Vec<Reference> {
        std::mem::take(&mut self.references.borrow_mut())
    }

    /// A hole for something that the template does not tell.
    pub(crate) fn hole(&self, source: &str, name: &str, said: &str, reason: &str) -> Rc<Unknown> {
        self.variables.borrow_mut().hole(source, name, said, reason)
    }

    /// What a node comes to.
    pub(crate) fn resolve(&self, node: &Node) -> Value {
        let span = node.span.clone();
        if let Some((name, argument)) = intrinsic(node) {
            return self.call(name, argument, &span);
        }
        let data = match &node.kind {
            Kind::Scalar { .. } if node.is_null() => Data::Nothing,
            Kind::Scalar { text, plain: true } => Data::Text(self.dynamic(self.words.spelt(text))),
            Kind::Scalar { text, .. } => Data::Text(self.dynamic(text)),
            Kind::List(elements) => {
                let elements = elements.iter().map(|element| self.resolve(element));
                Data::List(elements.filter(|value| !value.is_nothing()).collect())
            }
            Kind::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, node)| (key.text.clone(), self.resolve(node)));
                Data::Map(entries.filter(|(_, value)| !value.is_nothing()).collect())
            }
        };
        Value { data, span }
    }

    /// A text in which CloudFormation would put secrets and parameters of other services.
    fn dynamic(&self, text: &str) -> Text {
        const OPEN: &str = "{{resolve:";
        let mut done = Text::default();
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            let Some(end) = rest[at..].find("}}") else { break };
            let (said, path) = (&rest[at..at + end + 2], &rest[at + OPEN.len()..at + end]);
            done.push_known(&rest[..at]);
            let name = path.split(':').skip(1).collect::<Vec<_>>().join("_");
            let reason = "CloudFormation asks another service for it at deployment";
            done.push(&Text::unknown(&self.hole(said, &name, said, reason)));
            rest = &rest[at + end + 2..];
        }
        done.push_known(rest);
        done
    }

    fn call(&self, name: &str, argument: &Node, span: &Range<usize>) -> Value {
        let text = |text: Text| Value::text(text, span.clone());
        match name {
            "Ref" => match argument.text() {
                Some(id) => self.reference(id, span),
                None => self.malformed(name, span),
            },
            "Fn::GetAtt" => match self.attribute(argument) {
                Some((id, attribute)) => text(self.get_att(&id, &attribute, span)),
                None => self.malformed(name, span),
            },
            HOLE | OWN => {
                let parts: Vec<&str> =
                    argument.list().unwrap_or_default().iter().filter_map(scalar).collect();
                let hole = match parts.as_slice() {
                    [said, name, reason] => self.hole(said, name, said, reason),
                    [name, rest @ ..] => {
                        self.variables.borrow_mut().own(name, rest.first().copied())
                    }
                    [] => return self.malformed(name, span),
                };
                text(Text::unknown(&hole))
            }
            "Fn::Sub" => self.sub(argument, span),
            "Fn::Join" => self.join(argument, span),
            "Fn::Select" => self.select(argument, span),
            "Fn::Split" => match self.list(&wrapped(name, argument, span)) {
                Ok(parts) => Value { data: Data::List(values(parts, span)), span: span.clone() },
                Err(unknown) => text(Text::unknown(&unknown)),
            },
            "Fn::FindInMap" => self.find_in_map(argument, span),
            "Fn::If" => self.choose(argument, span),
            "Fn::ImportValue" => {
                let export = self.resolve(argument);
                let name = export.known().unwrap_or_else(|| "imported value".to_owned());
                let said = format!("!ImportValue {name}");
                let reason = "another stack exports it";
                text(Text::unknown(&self.hole(&said, &name, &said, reason)))
            }
            "Fn::Base64" => match self.resolve(argument).data {
                Data::Text(inner) => match inner.as_known() {
                    Some(known) => text(Text::known(BASE64_STANDARD.encode(known))),
                    None => text(Text::unknown(&self.made_of(&inner, "Base64"))),
                },
                _ => self.malformed(name, span),
            },
            "Fn::Length" => match self.list(argument) {
                Ok(parts) => text(Text::known(parts.len().to_string())),
                Err(unknown) => text(Text::unknown(&unknown)),
            },
            "Fn::GetAZs" | "Fn::Cidr" | "Fn::Transform" | "Fn::ToJsonString" => {
                let short = name.trim_start_matches("Fn::");
                let said = format!("!{short}");
                let source = format!("{name} {}", span.start);
                let reason = "CloudFormation works it out at deployment";
                text(Text::unknown(&self.hole(&source, short, &said, reason)))
            }
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" | "Condition" => {
                match self.condition_of(&wrapped(name, argument, span)) {
                    Ok(true) => text(Text::known("true")),
                    Ok(false) => text(Text::known("false")),
                    Err(unknown) => text(Text::unknown(&unknown)),
                }
            }
            _ => {
                let message = format!("there is no intrinsic function `{name}`");
                self.problem(code::TEMPLATE_INTRINSIC, span, &message, "");
                Value { data: Data::Nothing, span: span.clone() }
            }
        }
    }

    pub(super) fn malformed(&self, name: &str, span: &Range<usize>) -> Value {
        let form = match name {
            "Ref" => "`!Ref Name`",
            "Fn::GetAtt" => "`!GetAtt Name.Attribute`",
            "Fn::Sub" => "`!Sub \"text with ${Name}\"`, or a list of the text and a map",
            "Fn::Join" => "`!Join [delimiter, [values]]`",
            "Fn::Select" => "`!Select [index, [values]]`",
            "Fn::Split" => "`!Split [delimiter, text]`",
            "Fn::FindInMap" => "`!FindInMap [Map, Key, Key]`",
            "Fn::If" => "`!If [Condition, then, else]`",
            "Fn::Equals" => "`!Equals [one, other]`",
            "Fn::And" | "Fn::Or" => "a list of two to ten conditions",
            "Fn::Not" => "`!Not [condition]`",
            _ => "as CloudFormation documents it",
        };
        let message = format!("`{name}` is malformed");
        self.problem(code::TEMPLATE_INTRINSIC, span, &message, &format!("the form is {form}"));
        Value { data: Data::Nothing, span: span.clone() }
    }

    pub(crate) fn reference(&self, id: &str, span: &Range<usize>) -> Value {
        let text = |text: Text| Value::text(text, span.clone());
        if id == "AWS::NoValue" {
            return Value { data: Data::Nothing, span: span.clone() };
        }
        if let Some(parameter) = self.parameters.get(id) {
            let Some(value) = &parameter.value else {
                let said = format!("parameter {id}");
                let hole = self.hole(&said, id, &said, parameter.missing);
                return text(Text::unknown(&hole));
            };
            if parameter.is_list {
                let elements = value.split(',').map(|part| Text::known(part.trim())).collect();
                return Value { data: Data::List(values(elements, span)), span: span.clone() };
            }
            return text(self.dynamic(value));
        }
        text(self.named(id, None, span))
    }

    pub(crate) fn get_att(&self, id: &str, attribute: &str, span: &Range<usize>) -> Text {
        self.named(id, Some(attribute), span)
    }

    /// What a reference to a resource, to one of its attributes or to a pseudo parameter comes to.
    fn named(&self, id: &str, attribute: Option<&str>, span: &Range<usize>) -> Text {
        if id.starts_with("AWS::") {
            return self.pseudo_parameter(id, span);
        }
        // SAM's own: `Fn.Version` and `Fn.Alias` are resources that it makes of a function.
        let (id, made) = match id.split_once('.') {
            Some((id, made)) => (id, Some(made)),
            None => (id, None),
        };
        if let Some(resource) = self.resource(id) {
            self.references.borrow_mut().push(Reference { to: id.to_owned(), span: span.clone() });
            return self.physical(id, resource, made, attribute);
        }
        let said = said(id, attribute);
        let is_generated = self.resources.keys().any(|known| id.starts_with(known))
            || GENERATED.iter().any(|start| id.starts_with(start))
            || id.ends_with("LambdaLayer");
        if is_generated {
            let name = [Some(id), attribute].into_iter().flatten().collect::<Vec<_>>().join(".");
            let reason = "the tool makes this resource, and CloudFormation its name, at deployment";
            return Text::unknown(&self.hole(&said, &name, &said, reason));
        }
        let known = self.resources.keys().copied();
        let known = known.chain(self.parameters.keys().map(String::as_str));
        let help = nearest(id, known).map_or_else(
            || "it must be a parameter, a resource or a pseudo parameter".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("the template has no `{id}`");
        self.problem(code::TEMPLATE_REFERENCE, span, &message, &help);
        Text::known("")
    }

    fn pseudo_parameter(&self, id: &str, span: &Range<usize>) -> Text {
        if let Some(value) = self.pseudo.get(id) {
            return Text::known(value.as_str());
        }
        let region = self.pseudo.get("AWS::Region").map_or("", String::as_str);
        let is_china = region.starts_with("cn-");
        match id {
            "AWS::Partition" if region.starts_with("us-gov-") => Text::known("aws-us-gov"),
            "AWS::Partition" => Text::known(if is_china { "aws-cn" } else { "aws" }),
            "AWS::URLSuffix" if is_china => Text::known("amazonaws.com.cn"),
            "AWS::URLSuffix" => Text::known("amazonaws.com"),
            "AWS::Region"
            | "AWS::AccountId"
            | "AWS::StackName"
            | "AWS::StackId"
            | "AWS::NotificationARNs" => {
                let reason = format!(
                    "it depends on where the template is deployed; give it with --parameter {id}=…"
                );
                Text::unknown(&self.hole(id, id, id, &reason))
            }
            _ => {
                let message = format!("there is no pseudo parameter `{id}`");
                self.problem(code::TEMPLATE_REFERENCE, span, &message, "");
                Text::known("")
            }
        }
    }

    /// What CloudFormation's `Ref` or `GetAtt` of a resource is, as far as the template tells it.
    fn physical(
        &self,
        id: &str,
        resource: &Node,
        made: Option<&str>,
        attribute: Option<&str>,
    ) -> Text {
        let key = format!("{id} {made:?} {attribute:?}");
        let mut asking = self.asking.borrow_mut();
        if asking.len() >= DEPTH_MAX || !asking.insert(key.clone()) {
            let said = said(id, attribute);
            let reason = "names lead to each other in a circle";
            return Text::unknown(&self.hole(&said, id, &said, reason));
        }
        drop(asking);
        let found = physical::of(self, id, resource, made, attribute);
        self.asking.borrow_mut().remove(&key);
        found.unwrap_or_else(|| {
            let full = match made {
                Some(made) => format!("{id}.{made}"),
                None => id.to_owned(),
            };
            let said = said(&full, attribute);
            let name = match attribute {
                Some(attribute) => format!("{full}.{attribute}"),
                None => full,
            };
            let reason = "CloudFormation makes it up when the stack is deployed";
            Text::unknown(&self.hole(&said, &name, &said, reason))
        })
    }

    /// The name of a function in Lambda, if anybody says it.
    pub(crate) fn function_name(&self, logical_id: &str) -> Option<&str> {
        self.functions.get(logical_id).map(String::as_str)
    }

    /// A pseudo parameter as a part of an ARN.
    pub(crate) fn pseudo_text(&self, id: &str) -> Text {
        self.pseudo_parameter(id, &(0..0))
    }

    /// The two halves of what `GetAtt` is given.
    fn attribute(&self, argument: &Node) -> Option<(String, String)> {
        if let Some(text) = argument.text() {
            let (id, attribute) = text.split_once('.')?;
            // `Fn.Version.Version`: the first two name a resource of SAM's.
            return match attribute.split_once('.') {
                Some((made, attribute)) if matches!(made, "Version" | "Alias") => {
                    Some((format!("{id}.{made}"), attribute.to_owned()))
                }
                _ => Some((id.to_owned(), attribute.to_owned())),
            };
        }
        let [id, attribute] = argument.list()? else { return None };
        Some((id.text()?.to_owned(), self.resolve(attribute).known()?))
    }
}

/// The name and the argument of an intrinsic function.
pub(crate) fn intrinsic(node: &Node) -> Option<(&str, &Node)> {
    let [(key, argument)] = node.map()? else { return None };
    let is_one = matches!(key.text.as_str(), "Ref" | "Condition" | HOLE | OWN)
        || key.text.starts_with("Fn::");
    is_one.then_some((key.text.as_str(), argument))
}

fn wrapped(name: &str, argument: &Node, span: &Range<usize>) -> Node {
    let key = crate::import::yaml::Key { text: name.to_owned(), span: span.clone() };
    Node { kind: Kind::Map(vec![(key, argument.clone())]), span: span.clone() }
}

fn values(parts: Vec<Text>, span: &Range<usize>) -> Vec<Value> {
    parts.into_iter().map(|part| Value::text(part, span.clone())).collect()
}

/// The text of any scalar, an empty one included.
fn scalar(node: &Node) -> Option<&str> {
    if let Kind::Scalar { text, .. } = &node.kind { Some(text) } else { None }
}

pub(crate) fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text == "yes" || text == "1"
}

fn said(id: &str, attribute: Option<&str>) -> String {
    match attribute {
        Some(attribute) => format!("!GetAtt {id}.{attribute}"),
        None => format!("!Ref {id}"),
    }
}

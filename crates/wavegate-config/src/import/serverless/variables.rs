//! The Serverless Framework's variables: `${self:a.b}`, `${opt:stage, 'dev'}`, `${env:NAME}` and their
//! like, anywhere in a text and in each other.
//!
//! What the file, the options and the parameters tell is put in; `${env:NAME}` stays what it is,
//! because a manifest knows it too. All else becomes a hole for which [`HOLE`] stands in the tree.
//! Source: "Variables" in the framework's documentation, and its `lib/configuration/variables`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::code;
use crate::import::cfn::{HOLE, OWN};
use crate::import::yaml::{Key, Kind, Node};
use crate::interpolate::is_variable_name;
use crate::nearest::nearest;
use crate::problem::{Place, Problem, Source};

/// Variables that lead to variables end here: deeper ones go in circles.
const DEPTH_MAX: usize = 32;

/// A few lines of variables that lead to several each would take forever.
const COUNT_MAX: usize = 20_000;

/// The sources that the framework has itself.
const SOURCES: [&str; 11] =
    ["self", "opt", "env", "param", "sls", "file", "aws", "cf", "ssm", "s3", "strToBool"];

/// What variables may lead to.
pub(crate) struct Sources<'a> {
    pub(crate) root: &'a Node,
    /// `${opt:NAME}`.
    pub(crate) options: BTreeMap<String, String>,
    /// `${param:NAME}`.
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) source: &'a Arc<Source>,
    pub(crate) problems: Vec<Problem>,
    /// How many variables were resolved so far.
    pub(crate) count: usize,
}

/// What a variable comes to.
enum Found {
    Node(Node),
    /// It is not known here: a name for it, and why.
    Hole {
        name: String,
        reason: &'static str,
    },
    /// An environment variable.
    Own(String),
    /// There is no such thing: the next source counts.
    Nothing,
}

impl<'a> Sources<'a> {
    /// The tree with all variables resolved.
    pub(crate) fn resolve(&mut self, node: &Node) -> Node {
        self.resolved(node, 0)
    }

    fn resolved(&mut self, node: &Node, depth: usize) -> Node {
        let kind = match &node.kind {
            Kind::Scalar { text, .. } if text.contains("${") => {
                return self.text(text, node, depth);
            }
            Kind::Scalar { .. } => node.kind.clone(),
            Kind::List(elements) => {
                Kind::List(elements.iter().map(|element| self.resolved(element, depth)).collect())
            }
            Kind::Map(entries) => {
                let entries = entries.iter();
                Kind::Map(
                    entries.map(|(key, node)| (key.clone(), self.resolved(node, depth))).collect(),
                )
            }
        };
        Node { kind, span: node.span.clone() }
    }

    /// A text with variables in it. One that is nothing but a variable becomes whatever that is.
    fn text(&mut self, text: &str, node: &Node, depth: usize) -> Node {
        let mut parts: Vec<Node> = Vec::new();
        let mut rest = text;
        while let Some((before, inside, after)) = variable(rest) {
            // Others are CloudFormation's own, as in a `Sub`.
            let Some(inside) = inside else {
                parts.push(scalar(&rest[..rest.len() - after.len()], &node.span));
                rest = after;
                continue;
            };
            let found = self.variable(inside, &node.span, depth);
            if !before.is_empty() {
                parts.push(scalar(before, &node.span));
            }
            parts.push(found);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(scalar(rest, &node.span));
        }
        match parts.len() {
            0 => scalar("", &node.span),
            1 => parts.remove(0),
            _ => self.joined(parts, &node.span),
        }
    }

    /// Parts as one text; with holes among them, as a `Join` of them.
    fn joined(&mut self, parts: Vec<Node>, span: &Range<usize>) -> Node {
        let texts: Option<String> = parts.iter().map(plain).collect();
        if let Some(text) = texts {
            return scalar(&text, span);
        }
        if parts.iter().any(|part| part.list().is_some()) {
            self.problem(span, "a list cannot be a part of a text", "");
        }
        let list = Node { kind: Kind::List(parts), span: span.clone() };
        let argument = Node { kind: Kind::List(vec![scalar("", span), list]), span: span.clone() };
        call("Fn::Join", argument, span)
    }

    /// What stands between `${` and `}`: sources, the first that there is counts.
    fn variable(&mut self, inside: &str, span: &Range<usize>, depth: usize) -> Node {
        self.count += 1;
        if depth > DEPTH_MAX || self.count > COUNT_MAX {
            let message = format!("`${{{inside}}}` leads to itself");
            self.problem(span, &message, "");
            return scalar("", span);
        }
        let sources = alternatives(inside);
        for (at, source) in sources.iter().enumerate() {
            let Some(address) = self.address(source, span, depth) else {
                return hole(&format!("${{{inside}}}"), inside, "a part of it is not known", span);
            };
            let rest = &sources[at + 1..];
            match self.look(&address, span, depth) {
                Found::Node(node) => return node,
                Found::Own(name) => {
                    let default = rest.first().and_then(|default| literal(default));
                    return own(&name, default.as_deref(), span);
                }
                Found::Hole { name, reason } => {
                    return hole(&format!("${{{address}}}"), &name, reason, span);
                }
                Found::Nothing => {}
            }
        }
        let message = format!("`${{{inside}}}` leads to nothing");
        let help = match sources.iter().find_map(|source| source.strip_prefix("opt:")) {
            Some(option) => format!("give it with --opt {option}=VALUE"),
            None => "name something that is there, or give a default: `${a, 'default'}`".to_owned(),
        };
        self.problem(span, &message, &help);
        scalar("", span)
    }

    /// A source whose own variables are resolved; `None` if one of them is not known.
    fn address(&mut self, source: &str, span: &Range<usize>, depth: usize) -> Option<String> {
        if !source.contains("${") {
            return Some(source.trim().to_owned());
        }
        let node = self.text(source.trim(), &scalar(source, span), depth + 1);
        plain(&node)
    }

    fn look(&mut self, address: &str, span: &Range<usize>, depth: usize) -> Found {
        if let Some(text) = literal(address) {
            return Found::Node(scalar(&text, span));
        }
        let hole = |name: &str, reason| Found::Hole { name: name.to_owned(), reason };
        if let Some(inner) =
            address.strip_prefix("strToBool(").and_then(|rest| rest.strip_suffix(')'))
        {
            let text = inner.trim_matches(['\'', '"']);
            let truth = matches!(text.to_ascii_lowercase().as_str(), "true" | "1");
            return Found::Node(scalar(if truth { "true" } else { "false" }, span));
        }
        let Some((kind, name)) = address.split_once(':') else {
            if address.starts_with("file(") {
                return hole(address, "it stands in another file, which is not read");
            }
            let message = format!("`${{{address}}}` names no source");
            self.problem(span, &message, "sources are self, opt, env, param, sls, file and others");
            return Found::Node(scalar("", span));
        };
        match kind {
            "self" => self.own_path(name, depth),
            "opt" => match self.options.get(name) {
                Some(value) => Found::Node(scalar(value, span)),
                None => Found::Nothing,
            },
            "env" if is_variable_name(name) => Found::Own(name.to_owned()),
            "param" => match self.parameters.get(name) {
                Some(value) => Found::Node(scalar(value, span)),
                None => self.parameter_of_stage(name, depth),
            },
            "sls" if name == "stage" => Found::Node(scalar(&self.stage(depth), span)),
            "sls" => hole(name, "the framework makes it up when it runs"),
            "aws" if name == "region" => self.own_path("provider.region", depth),
            "aws" if name == "accountId" => {
                Found::Node(call("Ref", scalar("AWS::AccountId", span), span))
            }
            _ if kind.starts_with("file(") => {
                hole(name, "it stands in another file, which is not read")
            }
            "cf" | "s3" | "ssm" | "terraform" | "vault" | "aws" | "doppler" | "output" => {
                hole(name, "the framework asks another service for it")
            }
            // `cf(eu-west-1)` and `ssm(raw)` have a detail in brackets.
            _ if kind.contains('(') => hole(name, "the framework asks another service for it"),
            _ => match nearest(kind, SOURCES) {
                Some(near) => {
                    let message = format!("`${{{address}}}` has an unknown source `{kind}`");
                    self.problem(span, &message, &format!("did you mean `{near}`?"));
                    Found::Node(scalar("", span))
                }
                None => hole(name, "a plugin of the framework tells it"),
            },
        }
    }

    fn parameter_of_stage(&mut self, name: &str, depth: usize) -> Found {
        let stage = self.stage(depth);
        for section in [stage.as_str(), "default"] {
            let found = self.own_path(&format!("params.{section}.{name}"), depth);
            if !matches!(found, Found::Nothing) {
                return found;
            }
        }
        Found::Nothing
    }

    /// The stage: the option, what the provider says, or `dev`.
    pub(crate) fn stage(&mut self, depth: usize) -> String {
        if let Some(stage) = self.options.get("stage") {
            return stage.clone();
        }
        let said = self.root.at(&["provider", "stage"]).cloned();
        let said = said.filter(|_| depth < DEPTH_MAX).map(|node| self.resolved(&node, depth + 1));
        said.as_ref()
            .and_then(plain)
            .filter(|stage| !stage.is_empty())
            .unwrap_or_else(|| "dev".to_owned())
    }

    fn own_path(&mut self, path: &str, depth: usize) -> Found {
        let path = path.trim();
        let mut node: Cow<'a, Node> = Cow::Borrowed(self.root);
        for part in path.split('.').filter(|part| !part.is_empty()) {
            // A map on the way may itself be a variable.
            if plain(&node).is_some_and(|text| text.contains("${")) {
                node = Cow::Owned(self.resolved(&node, depth + 1));
            }
            let next = match &node {
                Cow::Borrowed(node) => below(node, part).map(Cow::Borrowed),
                Cow::Owned(node) => below(node, part).cloned().map(Cow::Owned),
            };
            match next {
                Some(next) => node = next,
                None if is_hole(&node) => return Found::Node(node.into_owned()),
                // What the framework says where the file does not.
                None => {
                    return match path {
                        "provider.stage" => Found::Node(scalar(&self.stage(DEPTH_MAX), &(0..0))),
                        "provider.region" => {
                            let region =
                                self.options.get("region").map_or("us-east-1", String::as_str);
                            Found::Node(scalar(region, &(0..0)))
                        }
                        _ => Found::Nothing,
                    };
                }
            }
        }
        Found::Node(self.resolved(&node, depth + 1))
    }

    fn problem(&mut self, span: &Range<usize>, message: &str, help: &str) {
        let place = Place::file(self.source, span.clone());
        let problem = Problem::new(code::TEMPLATE_INTRINSIC, place, message);
        let problem = if help.is_empty() { problem } else { problem.with_help(help) };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// The first variable of a text: what is before it, what is in it, and what is after it. In it is
/// nothing if it is CloudFormation's: `${Name}`, `${AWS::Region}`.
fn variable(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let start = text.find("${")?;
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'{' if bytes[at - 1] == b'$' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    let inside = &text[start + 2..at];
                    let is_ours = (inside.contains(':') || inside.contains('('))
                        && !inside.starts_with("AWS::")
                        && !inside.starts_with('!');
                    return Some((&text[..start], is_ours.then_some(inside), &text[at + 1..]));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The sources of a variable: separated by commas that stand in no quotes, brackets or variables.
fn alternatives(inside: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let (mut depth, mut quote) = (0_usize, None);
    for c in inside.chars() {
        match (c, quote) {
            (',', None) if depth == 0 => {
                all.push(String::new());
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('{' | '(', None) => depth += 1,
            ('}' | ')', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if let Some(last) = all.last_mut() {
            last.push(c);
        }
    }
    all.into_iter().map(|source| source.trim().to_owned()).collect()
}

/// A default that is written out: quoted, a number, true, false or null.
fn literal(text: &str) -> Option<String> {
    let text = text.trim();
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return Some(inner.to_owned());
        }
    }
    let is_plain = matches!(text, "true" | "false" | "null") || text.parse::<f64>().is_ok();
    is_plain.then(|| if text == "null" { String::new() } else { text.to_owned() })
}

fn plain(node: &Node) -> Option<String> {
    if let Kind::Scalar { text, .. } = &node.kind { Some(text.clone()) } else { None }
}

fn scalar(text: &str, span: &Range<usize>) -> Node {
    Node { kind: Kind::Scalar { text: text.to_owned(), plain: false }, span: span.clone() }
}

fn call(name: &str, argument: Node, span: &Range<usize>) -> Node {
    let key = Key { text: name.to_owned(), span: span.clone() };
    Node { kind: Kind::Map(vec![(key, argument)]), span: span.clone() }
}

fn hole(said: &str, name: &str, reason: &str, span: &Range<usize>) -> Node {
    let parts = [said, name, reason].map(|part| scalar(part, span)).to_vec();
    call(HOLE, Node { kind: Kind::List(parts), span: span.clone() }, span)
}

fn own(name: &str, default: Option<&str>, span: &Range<usize>) -> Node {
    // A brace would end the reference in the manifest.
    let default = default.filter(|default| !default.contains(['}', '$']));
    let parts =
        [Some(name), default].into_iter().flatten().map(|part| scalar(part, span)).collect();
    call(OWN, Node { kind: Kind::List(parts), span: span.clone() }, span)
}

/// The element or the value under a part of a path.
fn below<'n>(node: &'n Node, part: &str) -> Option<&'n Node> {
    match &node.kind {
        Kind::List(elements) => part.parse().ok().and_then(|at: usize| elements.get(at)),
        _ => node.get(part),
    }
}

/// Whether something is not known as a whole.
pub(crate) fn is_hole(node: &Node) -> bool {
    matches!(node.map(), Some([(key, _)]) if key.text == HOLE || key.text == OWN)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::import::yaml;

    const FILE: &str = "service: shop\nprovider: {stage: \"${opt:stage, 'qa'}\"}\ncustom:\n  a: {b: [x, y]}\n  \
                        memory: {qa: 256, prod: 512}\n  round: ${self:custom.round}\n  pick: ${self:custom.a}\n";

    fn sources<'a>(
        root: &'a Node,
        source: &'a Arc<Source>,
        options: &[(&str, &str)],
    ) -> Sources<'a> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Sources {
            root,
            options: options.iter().map(owned).collect(),
            parameters: BTreeMap::from([("p".to_owned(), "given".to_owned())]),
            source,
            problems: Vec::new(),
            count: 0,
        }
    }

    fn shown(text: &str, options: &[(&str, &str)]) -> String {
        let source = Source::new(Path::new("serverless.yml"), FILE);
        let root = yaml::read(&source, FILE).unwrap();
        let mut sources = sources(&root, &source, options);
        let node = sources.resolve(&scalar(text, &(0..0)));
        match sources.problems.first() {
            Some(problem) => format!("! {}", problem.message),
            None => plain(&node).unwrap_or_else(|| {
                let [(key, argument)] = node.map().unwrap() else { return format!("{node:?}") };
                let parts = argument.list().unwrap_or_default().iter();
                let parts: Vec<_> = parts.map(|part| plain(part).unwrap_or_default()).collect();
                format!("{} {}", key.text.trim_start_matches('\0'), parts.join("|"))
            }),
        }
    }

    #[test]
    fn variables_are_what_the_framework_makes_of_them() {
        for (text, expected) in [
            ("plain", "plain"),
            ("${self:service}-${sls:stage}", "shop-qa"),
            ("${self:custom.a.b.1}", "y"),
            ("${self:custom.pick.b.0}", "x"),
            ("${self:custom.memory.${opt:stage, self:provider.stage}}", "256"),
            ("${opt:region, 'eu-west-1'}", "eu-west-1"),
            ("${self:custom.none, self:service}", "shop"),
            ("${self:provider.region}", "us-east-1"),
            ("${param:p}", "given"),
            ("${strToBool(true)}", "true"),
            ("${AWS::Region}-${Name}", "${AWS::Region}-${Name}"),
            ("${env:HOME_TOWN}", "own HOME_TOWN"),
            ("${env:TOWN, 'Ulm'}", "own TOWN|Ulm"),
            ("${ssm:/a/b}", "hole ${ssm:/a/b}|/a/b|the framework asks another service for it"),
            ("${self:custom.round}", "! `${self:custom.round}` leads to itself"),
            ("${self:custom.none}", "! `${self:custom.none}` leads to nothing"),
            ("${slef:x}", "! `${slef:x}` has an unknown source `slef`"),
            (
                "${construct:jobs.url}",
                "hole ${construct:jobs.url}|jobs.url|a plugin of the framework tells it",
            ),
            ("${unclosed:x", "${unclosed:x"),
        ] {
            assert_eq!(shown(text, &[]), expected, "{text}");
        }
        assert_eq!(shown("${self:custom.memory.${sls:stage}}", &[("stage", "prod")]), "512");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[${}:,'\"() a-eself.]{0,40}") {
            let _ = shown(&text, &[]);
        }
    }
}

//! The intrinsic functions that make texts and lists of others.

use std::ops::Range;
use std::rc::Rc;

use super::{Parts, Template, intrinsic, scalar};
use crate::code;
use crate::import::physical;
use crate::import::value::{Data, Text, Unknown, Value};
use crate::import::yaml::{Key, Node};

impl Template<'_> {
    pub(super) fn sub(&self, argument: &Node, span: &Range<usize>) -> Value {
        let (template, own) = match argument.list() {
            Some([template, own]) => match own.map() {
                Some(own) => (template, own),
                None => return self.malformed("Fn::Sub", span),
            },
            Some(_) => return self.malformed("Fn::Sub", span),
            None => (argument, &[][..]),
        };
        // A text in which another language left holes is put together of pieces.
        let template = match scalar(template) {
            Some(text) => Text::known(text),
            None if intrinsic(template).is_some() => match self.resolve(template).data {
                Data::Text(text) => text,
                _ => return self.malformed("Fn::Sub", span),
            },
            None => return self.malformed("Fn::Sub", span),
        };
        match template.replaced(|text| self.substitute(text, own, span)) {
            Some(text) => Value::text(text, span.clone()),
            None => self.malformed("Fn::Sub", span),
        }
    }

    /// A text with what stands for each `${name}` in it.
    fn substitute(&self, text: &str, own: &[(Key, Node)], span: &Range<usize>) -> Option<Text> {
        let mut done = Text::default();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let Some(end) = rest[at..].find('}') else { break };
            let name = rest[at + 2..at + end].trim();
            done.push(&self.dynamic(&rest[..at]));
            rest = &rest[at + end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                done.push_known(&format!("${{{literal}}}"));
            } else if let Some((_, node)) = own.iter().find(|(key, _)| key.text == name) {
                done.push(self.resolve(node).as_text()?);
            } else {
                done.push(&self.substituted(name, span)?);
            }
        }
        done.push(&self.dynamic(rest));
        Some(done)
    }

    /// What stands for `${name}` in a `Sub`; `None` for a list.
    pub(super) fn substituted(&self, name: &str, span: &Range<usize>) -> Option<Text> {
        if !self.parameters.contains_key(name)
            && !name.starts_with("AWS::")
            && let Some((id, attribute)) = name.split_once('.')
        {
            let full = match attribute {
                "Version" | "Alias" if physical::is_function(self.resource(id)) => {
                    return Some(self.named(name, None, span));
                }
                attribute => match attribute.split_once('.') {
                    Some((made @ ("Version" | "Alias"), attribute)) => {
                        return Some(self.get_att(&format!("{id}.{made}"), attribute, span));
                    }
                    _ => attribute,
                },
            };
            return Some(self.get_att(id, full, span));
        }
        match self.reference(name, span).data {
            Data::Text(text) => Some(text),
            Data::List(list) => {
                let texts = list.iter().filter_map(Value::known).collect::<Vec<_>>();
                Some(Text::known(texts.join(",")))
            }
            Data::Nothing | Data::Map(_) => None,
        }
    }

    pub(super) fn join(&self, argument: &Node, span: &Range<usize>) -> Value {
        let Some([delimiter, list]) = argument.list() else {
            return self.malformed("Fn::Join", span);
        };
        let delimiter = scalar(delimiter).unwrap_or_default();
        let parts = match self.list(list) {
            Ok(parts) => parts,
            Err(unknown) => return Value::text(Text::unknown(&unknown), span.clone()),
        };
        let mut done = Text::default();
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                done.push_known(delimiter);
            }
            done.push(part);
        }
        Value::text(done, span.clone())
    }

    pub(super) fn select(&self, argument: &Node, span: &Range<usize>) -> Value {
        let Some([index, list]) = argument.list() else {
            return self.malformed("Fn::Select", span);
        };
        let Some(index) = self.resolve(index).known().and_then(|text| text.parse::<usize>().ok())
        else {
            return self.malformed("Fn::Select", span);
        };
        // An element of a list that is written out may be anything.
        if let Some(element) = list.list().and_then(|list| list.get(index)) {
            return Value { span: span.clone(), ..self.resolve(element) };
        }
        let parts = match self.list(list) {
            Ok(parts) => parts,
            Err(unknown) => {
                let unknown = self.made_of(&Text::unknown(&unknown), &index.to_string());
                return Value::text(Text::unknown(&unknown), span.clone());
            }
        };
        if let Some(part) = parts.get(index) {
            return Value::text(part.clone(), span.clone());
        }
        let message = format!("there is no element {index}: the list has {}", parts.len());
        self.problem(code::TEMPLATE_INTRINSIC, span, &message, "the first one is 0");
        Value { data: Data::Nothing, span: span.clone() }
    }

    /// The elements of a list, whether it is written as one or is what an intrinsic comes to.
    pub(super) fn list(&self, node: &Node) -> Parts {
        if let Some(("Fn::Split", argument)) = intrinsic(node) {
            let Some([delimiter, text]) = argument.list() else {
                self.malformed("Fn::Split", &node.span);
                return Ok(Vec::new());
            };
            let delimiter = scalar(delimiter).unwrap_or_default();
            let Data::Text(text) = self.resolve(text).data else {
                self.malformed("Fn::Split", &node.span);
                return Ok(Vec::new());
            };
            return match text.as_known() {
                Some(known) if !delimiter.is_empty() => {
                    Ok(known.split(delimiter).map(Text::known).collect())
                }
                Some(known) => Ok(vec![Text::known(known)]),
                None => Err(self.made_of(&text, "Split")),
            };
        }
        match self.resolve(node).data {
            Data::List(list) => Ok(list
                .iter()
                .filter_map(|value| match &value.data {
                    Data::Text(text) => Some(text.clone()),
                    _ => None,
                })
                .collect()),
            Data::Text(text) => {
                let unknown = text.unknowns().next().cloned();
                unknown.map_or(Ok(vec![text]), Err)
            }
            Data::Nothing | Data::Map(_) => Ok(Vec::new()),
        }
    }

    /// A hole for what is made of another one.
    pub(super) fn made_of(&self, text: &Text, how: &str) -> Rc<Unknown> {
        let parts: Vec<&Rc<Unknown>> = text.unknowns().collect();
        let (name, said, reason) = match parts.as_slice() {
            [first, ..] => (first.variable.clone(), first.said.clone(), first.reason.clone()),
            [] => ("value".to_owned(), "a value".to_owned(), "it is not known".to_owned()),
        };
        let made = if how.bytes().all(|b| b.is_ascii_digit()) {
            format!("element {how} of {said}")
        } else {
            format!("{how} of {said}")
        };
        self.hole(&format!("{how} {text:?}"), &format!("{name}_{how}"), &made, &reason)
    }

    pub(super) fn find_in_map(&self, argument: &Node, span: &Range<usize>) -> Value {
        let (keys, default) = match argument.list() {
            Some([a, b, c]) => ([a, b, c], None),
            Some([a, b, c, options]) => ([a, b, c], options.get("DefaultValue")),
            _ => return self.malformed("Fn::FindInMap", span),
        };
        let mut path = Vec::new();
        for key in keys {
            let Data::Text(text) = self.resolve(key).data else {
                return self.malformed("Fn::FindInMap", span);
            };
            let Some(known) = text.as_known() else {
                let unknown = self.made_of(&text, &format!("Map{}", path.join("")));
                return Value::text(Text::unknown(&unknown), span.clone());
            };
            path.push(known);
        }
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        match (self.mappings.and_then(|mappings| mappings.at(&keys)), default) {
            (Some(found), _) => Value { span: span.clone(), ..self.resolve(found) },
            (None, Some(default)) => self.resolve(default),
            (None, None) => {
                let message = format!("Mappings have no `{}`", keys.join("."));
                let help = "add it, or give another value with --parameter";
                self.problem(code::TEMPLATE_REFERENCE, span, &message, help);
                Value { data: Data::Nothing, span: span.clone() }
            }
        }
    }
}

//! Conditions: yes, no, or not known, and then what they depend on.

use std::ops::Range;
use std::rc::Rc;

use super::{Template, intrinsic};
use crate::code;
use crate::import::value::{Data, Text, Unknown, Value};
use crate::import::yaml::Node;
use crate::nearest::nearest;

impl Template<'_> {
    /// The branch of an `If` that counts, through any number of them; nothing for `AWS::NoValue`.
    pub(crate) fn branch<'n>(&self, node: &'n Node) -> Result<Option<&'n Node>, Rc<Unknown>> {
        match intrinsic(node) {
            Some(("Ref", argument)) if argument.text() == Some("AWS::NoValue") => Ok(None),
            Some(("Fn::If", argument)) => {
                if let Some([name, then, otherwise]) = argument.list()
                    && let Some(name) = name.text()
                {
                    let holds = self.condition(name, &node.span)?;
                    return self.branch(if holds { then } else { otherwise });
                }
                self.malformed("Fn::If", &node.span);
                Ok(None)
            }
            _ if node.is_null() => Ok(None),
            _ => Ok(Some(node)),
        }
    }

    pub(super) fn choose(&self, argument: &Node, span: &Range<usize>) -> Value {
        let Some([name, then, otherwise]) = argument.list() else {
            return self.malformed("Fn::If", span);
        };
        let Some(name) = name.text() else { return self.malformed("Fn::If", span) };
        match self.condition(name, span) {
            Ok(true) => self.resolve(then),
            Ok(false) => self.resolve(otherwise),
            Err(unknown) => {
                let (then, otherwise) = (self.resolve(then), self.resolve(otherwise));
                if then.data == otherwise.data {
                    return then;
                }
                let said = format!("!If {name}");
                let source = format!("{said} {then:?} {otherwise:?}");
                let reason = format!("whether `{name}` holds depends on {}", unknown.said);
                Value::text(Text::unknown(&self.hole(&source, name, &said, &reason)), span.clone())
            }
        }
    }

    /// Whether a condition of the template holds.
    pub(crate) fn condition(&self, name: &str, span: &Range<usize>) -> Result<bool, Rc<Unknown>> {
        let Some(node) = self.conditions.get(name) else {
            let known = self.conditions.keys().copied();
            let help = nearest(name, known).map(|near| format!("did you mean `{near}`?"));
            let message = format!("there is no condition `{name}`");
            self.problem(code::TEMPLATE_REFERENCE, span, &message, &help.unwrap_or_default());
            return Ok(true);
        };
        let key = format!("condition {name}");
        if !self.asking.borrow_mut().insert(key.clone()) {
            let message = format!("condition `{name}` depends on itself");
            self.problem(code::TEMPLATE_REFERENCE, &node.span, &message, "");
            return Ok(true);
        }
        let answer = self.condition_of(node);
        self.asking.borrow_mut().remove(&key);
        answer
    }

    /// Decides all conditions, so that what is wrong with one that nobody uses is said too.
    pub(crate) fn decide_all(&self) {
        for (name, node) in &self.conditions {
            let _ = self.condition(name, &node.span);
        }
    }

    pub(super) fn condition_of(&self, node: &Node) -> Result<bool, Rc<Unknown>> {
        let Some((name, argument)) = intrinsic(node) else {
            if let Some(truth @ ("true" | "false")) = node.text() {
                return Ok(truth == "true");
            }
            self.problem(
                code::TEMPLATE_INTRINSIC,
                &node.span,
                "this is not a condition",
                "conditions are Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition",
            );
            return Ok(true);
        };
        let all = |list: &[Node]| -> Vec<Result<bool, Rc<Unknown>>> {
            list.iter().map(|node| self.condition_of(node)).collect()
        };
        match (name, argument.list()) {
            ("Condition", _) if argument.text().is_some() => {
                self.condition(argument.text().unwrap_or_default(), &node.span)
            }
            ("Fn::Equals", Some([one, other])) => self.equals(one, other),
            ("Fn::And", Some(list)) => decided(all(list), false),
            ("Fn::Or", Some(list)) => decided(all(list), true),
            ("Fn::Not", Some([one])) => self.condition_of(one).map(|holds| !holds),
            ("Condition" | "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not", _) => {
                self.malformed(name, &node.span);
                Ok(true)
            }
            _ => {
                let message = format!("`{name}` is no condition");
                self.problem(code::TEMPLATE_INTRINSIC, &node.span, &message, "");
                Ok(true)
            }
        }
    }

    pub(super) fn equals(&self, one: &Node, other: &Node) -> Result<bool, Rc<Unknown>> {
        let (one, other) = (self.resolve(one), self.resolve(other));
        if one.data == other.data {
            return Ok(true);
        }
        let unknown = |value: &Value| match &value.data {
            Data::Text(text) => text.unknowns().next().cloned(),
            _ => None,
        };
        match unknown(&one).or_else(|| unknown(&other)) {
            Some(unknown) => Err(unknown),
            None => Ok(false),
        }
    }
}

/// `And` is decided by one no, `Or` by one yes; else by what is not known, if there is any.
fn decided(all: Vec<Result<bool, Rc<Unknown>>>, decisive: bool) -> Result<bool, Rc<Unknown>> {
    if all.contains(&Ok(decisive)) {
        return Ok(decisive);
    }
    all.into_iter().try_fold(!decisive, |_, one| one)
}

//! The rules of composite alarms: `ALARM(a) AND NOT (OK("b") OR INSUFFICIENT_DATA(c))`.
//!
//! Invariant: a parsed rule names at most 100 alarms and has at most 500 elements, as the API
//! demands.

use std::collections::BTreeSet;

use super::alarm::State;

/// The most different alarms in a rule.
const MOST_CHILDREN: usize = 100;
/// The most alarms, constants and parentheses in a rule.
const MOST_ELEMENTS: usize = 500;

/// A parsed rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    /// `TRUE` or `FALSE`.
    Constant(bool),
    /// Whether an alarm is in a state; the alarm by name or ARN, as the rule says it.
    Is(State, String),
    /// `NOT r`.
    Not(Box<Rule>),
    /// `r AND s`.
    And(Vec<Rule>),
    /// `r OR s`.
    Or(Vec<Rule>),
    /// `AT_LEAST(2, NOT OK, (a, b, c))`.
    AtLeast(Least),
}

/// How many of some alarms must be in a state, or in any other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Least {
    /// How many, worked out from a percentage if that was given.
    count: usize,
    state: State,
    negated: bool,
    alarms: Vec<String>,
}

impl Least {
    fn holds(&self, state: &dyn Fn(&str) -> Option<State>) -> bool {
        let fits =
            |alarm: &&String| state(alarm).is_some_and(|s| (s == self.state) != self.negated);
        self.alarms.iter().filter(fits).count() >= self.count
    }
}

impl Rule {
    /// Parses a rule.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text, elements: 0, depth: 0 };
        let rule = parser.either()?;
        parser.space();
        if !parser.rest.is_empty() {
            return Err(format!("'{}' was not expected", clip(parser.rest)));
        }
        let children = rule.children().len();
        if children > MOST_CHILDREN {
            return Err(format!("it names {children} alarms, more than {MOST_CHILDREN}"));
        }
        Ok(rule)
    }

    /// The alarms it names, by name or ARN.
    pub(crate) fn children(&self) -> BTreeSet<&str> {
        match self {
            Self::Constant(_) => BTreeSet::new(),
            Self::Is(_, alarm) => BTreeSet::from([alarm.as_str()]),
            Self::Not(inner) => inner.children(),
            Self::And(rules) | Self::Or(rules) => rules.iter().flat_map(Self::children).collect(),
            Self::AtLeast(least) => least.alarms.iter().map(String::as_str).collect(),
        }
    }

    /// Whether it holds, given the state of each alarm. An alarm that is gone is in no state.
    pub(crate) fn holds(&self, state: &dyn Fn(&str) -> Option<State>) -> bool {
        match self {
            Self::Constant(truth) => *truth,
            Self::Is(wanted, alarm) => state(alarm) == Some(*wanted),
            Self::Not(inner) => !inner.holds(state),
            Self::And(rules) => rules.iter().all(|rule| rule.holds(state)),
            Self::Or(rules) => rules.iter().any(|rule| rule.holds(state)),
            Self::AtLeast(least) => least.holds(state),
        }
    }
}

fn clip(text: &str) -> String {
    text.chars().take(20).collect()
}

struct Parser<'a> {
    rest: &'a str,
    elements: usize,
    depth: usize,
}

impl Parser<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes a word, when it stands here as a whole.
    fn word(&mut self, word: &str) -> bool {
        self.space();
        let Some(start) = self.rest.get(..word.len()) else { return false };
        let after = self.rest[word.len()..].chars().next();
        let whole = after.is_none_or(|next| !next.is_ascii_alphanumeric() && next != '_');
        if whole && start.eq_ignore_ascii_case(word) {
            self.rest = &self.rest[word.len()..];
            return true;
        }
        false
    }

    fn symbol(&mut self, symbol: char) -> bool {
        self.space();
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn count(&mut self) -> Result<(), String> {
        self.elements += 1;
        if self.elements > MOST_ELEMENTS {
            return Err(format!("it has more than {MOST_ELEMENTS} elements"));
        }
        Ok(())
    }

    fn either(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.both()?];
        while self.word("OR") {
            rules.push(self.both()?);
        }
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::Or(rules) })
    }

    fn both(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.single()?];
        while self.word("AND") {
            rules.push(self.single()?);
        }
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::And(rules) })
    }

    fn single(&mut self) -> Result<Rule, String> {
        /// Deeper rules than anybody writes; keeps the parser off the stack's end.
        const DEEPEST: usize = 100;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it nests deeper than {DEEPEST} levels"));
        }
        let rule = self.unnested();
        self.depth -= 1;
        rule
    }

    fn unnested(&mut self) -> Result<Rule, String> {
        if self.word("NOT") {
            return Ok(Rule::Not(Box::new(self.single()?)));
        }
        self.count()?;
        if self.symbol('(') {
            let inner = self.either()?;
            return self.close(inner);
        }
        for (word, truth) in [("TRUE", true), ("FALSE", false)] {
            if self.word(word) {
                return Ok(Rule::Constant(truth));
            }
        }
        for state in [State::Alarm, State::InsufficientData, State::Ok] {
            if self.word(state.name()) {
                if !self.symbol('(') {
                    return Err(format!("expected '(' after {}", state.name()));
                }
                let alarm = self.alarm()?;
                return self.close(Rule::Is(state, alarm));
            }
        }
        if self.word("AT_LEAST") {
            let least = self.least()?;
            return self.close(Rule::AtLeast(least));
        }
        if self.rest.is_empty() {
            return Err("it ends where a condition is needed".to_owned());
        }
        Err(format!("'{}' is no condition", clip(self.rest)))
    }

    /// What stands between the parentheses of `AT_LEAST`: a number or a percentage, a state, and the
    /// alarms in parentheses of their own.
    fn least(&mut self) -> Result<Least, String> {
        let expect = |parser: &mut Self, symbol: char| {
            let found = parser.symbol(symbol);
            found.then_some(()).ok_or_else(|| format!("expected '{symbol}' in AT_LEAST"))
        };
        expect(self, '(')?;
        self.space();
        let digits =
            self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: usize = self.rest[..digits]
            .parse()
            .map_err(|_| "AT_LEAST needs a number or a percentage first".to_owned())?;
        self.rest = &self.rest[digits..];
        let is_share = self.symbol('%');
        expect(self, ',')?;
        let negated = self.word("NOT");
        let states = [State::Alarm, State::InsufficientData, State::Ok];
        let state = states.into_iter().find(|state| self.word(state.name()));
        let state = state.ok_or_else(|| "AT_LEAST needs a state".to_owned())?;
        expect(self, ',')?;
        expect(self, '(')?;
        let mut alarms = Vec::new();
        loop {
            self.count()?;
            alarms.push(self.alarm()?);
            if !self.symbol(',') {
                break;
            }
        }
        expect(self, ')')?;
        let count = if is_share { (number * alarms.len()).div_ceil(100) } else { number };
        if count == 0 || count > alarms.len() {
            return Err(format!("AT_LEAST cannot ask for {number} of {} alarms", alarms.len()));
        }
        Ok(Least { count, state, negated, alarms })
    }

    fn close(&mut self, rule: Rule) -> Result<Rule, String> {
        if self.symbol(')') { Ok(rule) } else { Err("a parenthesis is not closed".to_owned()) }
    }

    fn alarm(&mut self) -> Result<String, String> {
        self.space();
        if let Some(quoted) = self.rest.strip_prefix('"') {
            let mut name = String::new();
            let mut characters = quoted.char_indices();
            while let Some((at, character)) = characters.next() {
                match character {
                    '"' => {
                        self.rest = &quoted[at + 1..];
                        return Ok(name);
                    }
                    '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
                    _ => name.push(character),
                }
            }
            return Err("a quoted alarm name is not closed".to_owned());
        }
        let end = self.rest.find([')', ',']).ok_or("a parenthesis is not closed")?;
        let name = self.rest[..end].trim().to_owned();
        self.rest = &self.rest[end..];
        if name.is_empty() { Err("an alarm name is empty".to_owned()) } else { Ok(name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(alarm: &str) -> Option<State> {
        match alarm {
            "red" => Some(State::Alarm),
            "green" => Some(State::Ok),
            "grey one" => Some(State::InsufficientData),
            _ => None,
        }
    }

    #[test]
    fn rules_hold_as_their_operators_say() {
        let rows = [
            ("TRUE", true),
            ("false", false),
            ("ALARM(red)", true),
            ("ALARM(green)", false),
            ("ALARM(\"red\") AND OK(green)", true),
            ("ALARM(green) OR INSUFFICIENT_DATA(\"grey one\")", true),
            ("INSUFFICIENT_DATA( grey one )", true),
            ("NOT ALARM(red)", false),
            ("NOT (ALARM(green) OR OK(red))", true),
            ("FALSE AND FALSE OR TRUE", true),
            ("TRUE OR FALSE AND FALSE", true),
            ("(TRUE OR FALSE) AND FALSE", false),
            ("AT_LEAST(2, ALARM, (red, green, \"grey one\"))", false),
            ("AT_LEAST(2, NOT ALARM, (red, green, \"grey one\"))", true),
            ("AT_LEAST(34%, OK, (red, green, \"grey one\"))", false),
            ("NOT AT_LEAST(33%, OK, (red, green, \"grey one\")) OR TRUE", true),
            ("AT_LEAST(1, NOT OK, (gone))", false),
            ("ALARM(gone) OR OK(gone) OR INSUFFICIENT_DATA(gone)", false),
        ];
        for (text, expected) in rows {
            assert_eq!(Rule::parse(text).map(|rule| rule.holds(&state)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_a_reason() {
        let many: Vec<String> = (0..101).map(|number| format!("ALARM(a{number})")).collect();
        let rows = [
            ("", "ends where a condition"),
            ("ALARM(a) ALARM(b)", "was not expected"),
            ("ALARM(a", "not closed"),
            ("ALARM()", "empty"),
            ("ALARM", "expected '('"),
            ("RED(a)", "is no condition"),
            ("AT_LEAST(2, ALARM, (a))", "2 of 1 alarms"),
            ("AT_LEAST(0%, ALARM, (a))", "0 of 1 alarms"),
            ("AT_LEAST(x, ALARM, (a))", "number or a percentage"),
            ("AT_LEAST(1, RED, (a))", "needs a state"),
            ("AT_LEAST(1, ALARM, a)", "expected '('"),
            (&many.join(" OR "), "names 101 alarms"),
            (&"(".repeat(5_000), "deeper than"),
        ];
        for (text, expected) in rows {
            let reason = Rule::parse(text).unwrap_err();
            assert!(reason.contains(expected), "{text}: {reason}");
        }
    }
}

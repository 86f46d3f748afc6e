//! What came of holding a plugin against the laws: for people, and as JSON for programs.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Every law that was tried on one plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The plugin's name, as it says.
    pub plugin: String,
    /// Its version, as it says.
    pub version: String,
    /// What all random cases follow from: the same seed, the same cases.
    pub seed: u64,
    /// The laws, in the order in which they were tried.
    pub laws: Vec<Law>,
}

/// One law, and whether it held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Law {
    /// The law, as a sentence.
    pub law: String,
    /// Whose law it is: `strategy ladder`; absent if the plugin's as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of trying one law.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It held in every case.
    Held {
        /// How many were tried.
        cases: u64,
    },
    /// It did not.
    Broken(Breach),
    /// It was not tried.
    Skipped {
        /// Why not.
        why: String,
    },
}

/// How a law was broken: the shortest case that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breach {
    /// What was wrong.
    pub words: String,
    /// Repeats the case; absent if nothing about it was random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The component's config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Box<Value>>,
    /// What happened, line by line, up to the breach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<String>,
}

impl Breach {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), seed: None, config: None, trace: Vec::new() }
    }

    pub(crate) fn with_config(self, config: &Value) -> Self {
        Self { config: Some(Box::new(config.clone())), ..self }
    }

    pub(crate) fn with_trace(self, trace: Vec<String>) -> Self {
        Self { trace, ..self }
    }
}

/// Why a law cannot be said to hold.
#[derive(Debug)]
pub(crate) enum Unheld {
    Broken(Breach),
    Skipped(String),
}

impl Unheld {
    pub(crate) fn broken(words: impl Into<String>) -> Self {
        Breach::new(words).into()
    }

    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }
}

impl From<Breach> for Unheld {
    fn from(breach: Breach) -> Self {
        Self::Broken(breach)
    }
}

/// In how many cases a law held, or why it cannot be said to.
pub(crate) type Verdict = Result<u64, Unheld>;

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Ok(cases) => Self::Held { cases },
            Err(Unheld::Broken(breach)) => Self::Broken(breach),
            Err(Unheld::Skipped(why)) => Self::Skipped { why },
        }
    }
}

impl Report {
    /// Whether no law was broken.
    pub fn is_ok(&self) -> bool {
        self.broken().next().is_none()
    }

    /// The laws that were broken.
    pub fn broken(&self) -> impl Iterator<Item = &Law> {
        self.laws.iter().filter(|law| matches!(law.outcome, Outcome::Broken(_)))
    }

    pub(crate) fn add(&mut self, law: &str, component: Option<&str>, outcome: impl Into<Outcome>) {
        let component = component.map(str::to_owned);
        self.laws.push(Law { law: law.to_owned(), component, outcome: outcome.into() });
    }

    fn count(&self, is_counted: impl Fn(&Outcome) -> bool) -> usize {
        self.laws.iter().filter(|law| is_counted(&law.outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut about = None;
        for law in &self.laws {
            let component = law.component.as_deref().unwrap_or("the plugin as a whole");
            if about != Some(component) {
                writeln!(f, "{}", Plain(component))?;
                about = Some(component);
            }
            write!(f, "{law}")?;
        }
        let held = self.count(|outcome| matches!(outcome, Outcome::Held { .. }));
        let skipped = self.count(|outcome| matches!(outcome, Outcome::Skipped { .. }));
        write!(
            f,
            "{} {}: {held} laws held, {} broken, {skipped} skipped (seed {})",
            Plain(&self.plugin),
            Plain(&self.version),
            self.broken().count(),
            self.seed
        )
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let law = Plain(&self.law);
        match &self.outcome {
            Outcome::Held { cases: 1 } => writeln!(f, "  held     {law}"),
            Outcome::Held { cases } => writeln!(f, "  held     {law} ({cases} cases)"),
            Outcome::Skipped { why } => writeln!(f, "  skipped  {law}: {}", Plain(why)),
            Outcome::Broken(breach) => write!(f, "  BROKEN   {law}\n{breach}"),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.words.lines() {
            writeln!(f, "           {}", Plain(line))?;
        }
        if let Some(config) = &self.config {
            writeln!(f, "           with the config {}", Plain(&config.to_string()))?;
        }
        for (number, line) in self.trace.iter().enumerate() {
            writeln!(f, "           {:>3}. {}", number + 1, Plain(line))?;
        }
        match self.seed {
            Some(seed) => writeln!(f, "           again with --seed {seed}"),
            None => Ok(()),
        }
    }
}

/// A text that a plugin may have written: what could act on a terminal is written out.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            // A line or a direction can be changed by more than control characters.
            let acts = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if c.is_control() || acts { write!(f, "{}", c.escape_unicode()) } else { write!(f, "{c}") }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Report {
        let mut report =
            Report { plugin: "ladder".into(), version: "1.0\u{1b}".into(), seed: 7, laws: vec![] };
        report.add("replies once", None, Outcome::Held { cases: 1 });
        let strategy = Some("strategy ladder");
        report.add("never goes up", strategy, Outcome::Held { cases: 128 });
        let breach =
            Breach { seed: Some(7), ..Breach::new("goes up").with_config(&json!({"rungs": [10]})) };
        report.add("ends", strategy, Outcome::Broken(breach.with_trace(vec!["promote".into()])));
        report.add("pauses", strategy, Outcome::Skipped { why: "it never does".into() });
        report
    }

    #[test]
    fn a_report_is_read_by_people_and_nothing_in_it_acts_on_a_terminal() {
        assert_eq!(
            report().to_string(),
            r#"the plugin as a whole
  held     replies once
strategy ladder
  held     never goes up (128 cases)
  BROKEN   ends
           goes up
           with the config {"rungs":[10]}
             1. promote
           again with --seed 7
  skipped  pauses: it never does
ladder 1.0\u{1b}: 2 laws held, 1 broken, 1 skipped (seed 7)"#
        );
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["laws"][2]["outcome"], "broken");
        assert_eq!(json["laws"][2]["words"], "goes up");
        assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report());
    }

    #[test]
    fn one_broken_law_is_enough_and_a_skipped_one_is_not() {
        let mut report = report();
        assert!(!report.is_ok());
        report.laws.remove(2);
        assert!(report.is_ok());
    }
}

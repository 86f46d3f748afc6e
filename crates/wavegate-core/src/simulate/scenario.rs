//! What goes wrong in a rollout that is played, as people write it.

use std::fmt;
use std::time::Duration;

use crate::plan::AlarmStatus;
use crate::time::parse_span;
use crate::weight::Weight;

/// Every form that a scenario may have.
pub const FORMS: &str = "healthy, alarm-at-40%, alarm-at-12m, unknown-at-40%, unknown-at-12m, \
     each of these four with -for-3m behind it, approve-after-10m";

/// What goes wrong, and whether somebody approves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scenario {
    /// What goes wrong: each is one alarm.
    pub troubles: Vec<Trouble>,
    /// How long after it was told a pause is approved; `None`: never.
    pub approves_after: Option<Duration>,
}

/// An alarm that does not stay quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it says: [`AlarmStatus::Firing`] or [`AlarmStatus::Unknown`].
    pub status: AlarmStatus,
    /// From when on.
    pub when: When,
    /// For how long; `None`: to the end.
    pub lasts: Option<Duration>,
}

/// When trouble begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As soon as the candidate has so much of the traffic.
    Weight(Weight),
    /// So long after the first shift.
    After(Duration),
}

/// A word that is no scenario, or one too many.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scenario `{word}`: {why}; the forms are: {FORMS}")]
pub struct WrongScenario {
    /// The word.
    pub word: String,
    /// What is wrong with it.
    pub why: String,
}

impl Scenario {
    /// A scenario of several words, in any order; each may be several with commas between. No
    /// words are `healthy`.
    ///
    /// # Errors
    /// Every word that is wrong.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Vec<WrongScenario>> {
        let words: Vec<&str> =
            words.into_iter().flat_map(|word| word.split(',')).map(str::trim).collect();
        let mut scenario = Self::default();
        let mut wrong = Vec::new();
        for word in &words {
            let added = match *word {
                "healthy" if words.len() > 1 => Err("nothing can be added to it".to_owned()),
                "healthy" => Ok(()),
                word => scenario.add(word),
            };
            if let Err(why) = added {
                wrong.push(WrongScenario { word: (*word).to_owned(), why });
            }
        }
        if wrong.is_empty() { Ok(scenario) } else { Err(wrong) }
    }

    fn add(&mut self, word: &str) -> Result<(), String> {
        if let Some(span) = word.strip_prefix("approve-after-") {
            let span = parsed_span(span)?;
            return match self.approves_after.replace(span) {
                None => Ok(()),
                Some(_) => Err("how soon pauses are approved was said before".to_owned()),
            };
        }
        let (status, rest) = if let Some(rest) = word.strip_prefix("alarm-at-") {
            (AlarmStatus::Firing, rest)
        } else if let Some(rest) = word.strip_prefix("unknown-at-") {
            (AlarmStatus::Unknown, rest)
        } else {
            return Err("not known".to_owned());
        };
        let (when, lasts) = match rest.split_once("-for-") {
            Some((when, lasts)) => (when, Some(parsed_span(lasts)?)),
            None => (rest, None),
        };
        let when = match when.strip_suffix('%') {
            Some(percent) => When::Weight(parsed_percent(percent)?),
            None => When::After(parsed_span(when)?),
        };
        self.troubles.push(Trouble { status, when, lasts });
        Ok(())
    }
}

fn parsed_span(text: &str) -> Result<Duration, String> {
    parse_span(text)
        .ok_or_else(|| format!("`{text}` is not a duration such as `90s`, `10m` or `1h30m`"))
}

/// A share of the traffic, above none, to hundredths of a percent.
fn parsed_percent(text: &str) -> Result<Weight, String> {
    let wrong = || format!("`{text}%` is not a share of the traffic such as `40%` or `0.5%`");
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| {
        !digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if !is_number(whole) || !is_number(part) || part.len() > 2 {
        return Err(wrong());
    }
    let bp = whole.parse::<u16>().ok().zip(format!("{part:0<2}").parse::<u16>().ok());
    let weight = bp.and_then(|(whole, part)| Weight::from_bp(whole.checked_mul(100)? + part));
    weight.filter(|weight| *weight > Weight::ZERO).ok_or_else(wrong)
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.status == AlarmStatus::Firing { "alarm" } else { "unknown" };
        match self.when {
            When::Weight(weight) => write!(f, "{what}-at-{weight}")?,
            When::After(span) => write!(f, "{what}-at-{}", crate::time::human(span))?,
        }
        match self.lasts {
            Some(lasts) => write!(f, "-for-{}", crate::time::human(lasts)),
            None => Ok(()),
        }
    }
}

/// As people write it.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = self.troubles.iter().map(ToString::to_string).collect();
        words.extend(
            self.approves_after.map(|span| format!("approve-after-{}", crate::time::human(span))),
        );
        if words.is_empty() {
            words.push("healthy".to_owned());
        }
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_scenario_is_read_as_it_is_written() {
        let minutes = Duration::from_mins;
        let trouble = |status, when, lasts| Trouble { status, when, lasts };
        let at = |bp| When::Weight(Weight::from_bp(bp).unwrap());
        let (firing, unknown) = (AlarmStatus::Firing, AlarmStatus::Unknown);
        for (words, troubles, approves_after) in [
            (&[][..], vec![], None),
            (&["healthy"], vec![], None),
            (&["alarm-at-40%"], vec![trouble(firing, at(4000), None)], None),
            (&["alarm-at-2.5%"], vec![trouble(firing, at(250), None)], None),
            (&["alarm-at-12m"], vec![trouble(firing, When::After(minutes(12)), None)], None),
            (&["unknown-at-100%"], vec![trouble(unknown, at(10_000), None)], None),
            (
                &["unknown-at-1h30m-for-3m"],
                vec![trouble(unknown, When::After(minutes(90)), Some(minutes(3)))],
                None,
            ),
            (
                &["alarm-at-40%,approve-after-10m", " unknown-at-0s "],
                vec![
                    trouble(firing, at(4000), None),
                    trouble(unknown, When::After(minutes(0)), None),
                ],
                Some(minutes(10)),
            ),
        ] {
            let scenario = Scenario { troubles, approves_after };
            assert_eq!(Scenario::parse(words.iter().copied()), Ok(scenario), "{words:?}");
        }
    }

    #[test]
    fn every_wrong_word_is_named_with_the_forms() {
        for (words, wrong) in [
            (&["sunny"][..], &["not known"][..]),
            (&[""], &["not known"]),
            (&["alarm-at-40"], &["not a duration"]),
            (&["alarm-at-0%"], &["not a share"]),
            (&["alarm-at-101%"], &["not a share"]),
            (&["alarm-at-1.234%"], &["not a share"]),
            (&["alarm-at-%"], &["not a share"]),
            (&["alarm-at-40%-for-ever"], &["not a duration"]),
            (&["approve-after-soon"], &["not a duration"]),
            (&["approve-after-1m", "approve-after-2m"], &["said before"]),
            (&["healthy", "alarm-at-1m", "rain"], &["nothing can be added", "not known"]),
        ] {
            let errors = Scenario::parse(words.iter().copied()).unwrap_err();
            assert_eq!(errors.len(), wrong.len(), "{words:?}: {errors:?}");
            for (error, why) in errors.iter().zip(wrong) {
                let text = error.to_string();
                assert!(text.contains(why) && text.contains("approve-after-10m"), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read_without_panic(words in "[a-z0-9%.,-]{0,40}") {
            let _ = Scenario::parse([words.as_str()]);
        }

        #[test]
        fn what_is_said_is_read_back(minutes in 1_u64..600, bp in 1_u16..=10_000, lasts in 1_u64..60) {
            let lasts = Some(Duration::from_mins(lasts));
            let when = When::Weight(Weight::from_bp(bp).unwrap());
            let scenario = Scenario {
                troubles: vec![
                    Trouble { status: AlarmStatus::Firing, when, lasts },
                    Trouble {
                        status: AlarmStatus::Unknown,
                        when: When::After(Duration::from_mins(minutes)),
                        lasts: None,
                    },
                ],
                approves_after: lasts,
            };
            prop_assert_eq!(Scenario::parse([scenario.to_string().as_str()]), Ok(scenario));
        }
    }
}

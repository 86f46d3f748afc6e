//! Secret values, taken out of events before anybody sees or keeps them.
//!
//! A hook prints what it likes, and services repeat in their errors what they were sent. Only free
//! text is searched: names, versions and targets stay as they are, because people and programs
//! tell releases apart by them.

use wavegate_engine::event::{Event, Record};

/// What stands where a value stood, as in messages about the manifest.
const INSTEAD: &str = "…";

/// Shorter values are no secrets, and hiding them would tear holes in every message.
const LENGTH_MIN: usize = 4;

/// The values that nobody shall see.
#[derive(Clone, Default)]
pub struct Veil {
    /// Longer ones first: one may be part of another.
    values: Vec<String>,
}

impl std::fmt::Debug for Veil {
    /// Without the values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Veil").field("values", &self.values.len()).finish()
    }
}

impl Veil {
    /// Hides these values. Lines of a value of several lines are hidden one by one as well: text is
    /// shown by lines.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all: Vec<String> = values
            .into_iter()
            .flat_map(|value| value.lines().chain([value]))
            .map(str::trim)
            .filter(|value| value.len() >= LENGTH_MIN)
            .map(str::to_owned)
            .collect();
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        Self { values: all }
    }

    /// A text without them.
    pub fn text(&self, text: &mut String) {
        for value in &self.values {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), INSTEAD);
            }
        }
    }

    /// An event without them.
    pub fn event(&self, record: &mut Record) {
        if self.values.is_empty() {
            return;
        }
        match &mut record.event {
            Event::Preparing { step: text, .. }
            | Event::Waiting { on: text, .. }
            | Event::Hook { detail: text, .. }
            | Event::Deployment { message: Some(text), .. }
            | Event::Alarm { detail: text, .. }
            | Event::Blind { reason: text }
            | Event::Suspect { now: text, .. }
            | Event::Contested { now: text, .. }
            | Event::Aborting { reason: text, .. }
            | Event::Retry { reason: text, .. }
            | Event::Entered { before: text, .. }
            | Event::Ordered { reason: text, .. }
            | Event::Note { text } => self.text(text),
            Event::Stuck { reason, todo, .. } => {
                self.text(reason);
                self.text(todo);
            }
            Event::Finished { reason, todo, aliases, .. } => {
                reason.iter_mut().chain(todo).chain(aliases.values_mut()).for_each(|text| {
                    self.text(text);
                });
            }
            Event::Started { .. }
            | Event::Locked { .. }
            | Event::Phase { .. }
            | Event::Published { .. }
            | Event::Unchanged { .. }
            | Event::Barrier
            | Event::Weight { .. }
            | Event::Deployment { message: None, .. }
            | Event::Approved { .. }
            | Event::Touched { .. }
            | Event::Suspended { .. }
            | Event::PutBack { .. }
            | Event::Pruned { .. }
            | Event::Traffic { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json_line;
    use crate::script::Script;

    #[test]
    fn a_secret_is_in_no_free_text() {
        let secret = "hunter2-hunter2";
        let veil = Veil::new([secret, "hunter2-hunter2-long", "abc", "first\nsecond line"]);
        let said = || format!("it said {secret}, {secret}-long and second line");
        let name = || "shop".to_owned();
        let mut script = Script::new("shop", 1);
        script
            .at(0, Event::Preparing { function: name(), step: said() })
            .at(0, Event::Waiting { function: name(), on: said(), approval: false })
            .at(
                0,
                Event::Hook {
                    function: name(),
                    hook: name(),
                    phase: name(),
                    state: name(),
                    detail: said(),
                    took_ms: 1,
                },
            )
            .at(0, Event::Alarm { function: name(), alarm: name(), status: name(), detail: said() })
            .at(
                0,
                Event::Deployment {
                    function: name(),
                    id: name(),
                    step: name(),
                    status: name(),
                    message: Some(said()),
                },
            )
            .at(0, Event::Blind { reason: said() })
            .at(0, Event::Suspect { function: name(), now: said() })
            .at(0, Event::Contested { function: name(), now: said() })
            .at(0, Event::Aborting { culprit: None, reason: said() })
            .at(0, Event::Stuck { function: name(), reason: said(), todo: said() })
            .at(0, Event::Retry { object: name(), reason: said() })
            .at(0, Event::Entered { before: said(), goes_on: true })
            .at(0, Event::Ordered { verb: name(), function: None, by: name(), reason: said() })
            .at(0, Event::Note { text: said() })
            .at(
                0,
                Event::Finished {
                    outcome: name(),
                    reason: Some(said()),
                    todo: vec![said()],
                    calls: std::collections::BTreeMap::new(),
                    aliases: [(name(), said())].into(),
                },
            );
        for record in &mut script.records {
            veil.event(record);
            let line = json_line(record);
            assert!(line.contains("it said …, … and …"), "{line}");
            assert!(!line.contains("hunter2") && !line.contains("second line"), "{line}");
        }
    }

    #[test]
    fn short_values_and_names_stay() {
        let veil = Veil::new(["on", "shop-name"]);
        let mut script = Script::new("shop-name", 1);
        script.at(0, Event::Note { text: "it goes on".to_owned() });
        veil.event(&mut script.records[0]);
        assert!(json_line(&script.records[0]).contains("it goes on"));
        assert_eq!(script.records[0].app, "shop-name");
    }
}

//! YAML to the tree that JSON gives, with texts as its leaves.
//!
//! Aliases are refused: an AppSpec file has no use for them, and a few lines of them unfold to
//! gigabytes. So are documents that are nested deeper than any AppSpec file.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// An AppSpec file is nested six deep.
const DEPTH_MAX: usize = 32;

/// What is being filled.
enum Open {
    Sequence(Vec<Value>),
    /// With the key whose value comes next.
    Mapping(Map<String, Value>, Option<String>),
}

/// Reads the one document of a text.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut document = None;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        let value = match event {
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::Alias(_) => return Err("aliases are not supported".to_owned()),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEPTH_MAX => {
                return Err(format!("it is nested deeper than {DEPTH_MAX}"));
            }
            Event::SequenceStart(..) => {
                open.push(Open::Sequence(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Sequence(items)) => Value::Array(items),
                Some(Open::Mapping(items, _)) => Value::Object(items),
                None => return Err("it closes what was not opened".to_owned()),
            },
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => continue,
        };
        match open.last_mut() {
            Some(Open::Sequence(items)) => items.push(value),
            Some(Open::Mapping(items, key)) => match (key.take(), value) {
                (Some(key), value) => {
                    if items.insert(key.clone(), value).is_some() {
                        return Err(format!("the key {key} is there twice"));
                    }
                }
                (None, Value::String(text)) => *key = Some(text),
                (None, _) => return Err("a key is no text".to_owned()),
            },
            None if document.is_none() => document = Some(value),
            None => return Err("it has more than one document".to_owned()),
        }
    }
    document.ok_or_else(|| "it is empty".to_owned())
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn leaves_are_texts_and_nothing_is_null() {
        let read = parse("a: 1\nb: [x, {c: ~}]\nd:\ne: \"null\"\n");
        assert_eq!(
            read,
            Ok(json!({ "a": "1", "b": ["x", { "c": null }], "d": null, "e": "null" }))
        );
    }

    #[test]
    fn what_would_unfold_or_nest_without_end_is_refused() {
        let bomb = "a: &a [x, x]\nb: [*a, *a]\n";
        assert!(parse(bomb).unwrap_err().contains("aliases"));
        assert!(parse(&"- ".repeat(10_000)).unwrap_err().contains("nested"));
        assert!(parse(&"[".repeat(10_000)).is_err());
        assert!(parse("a: 1\na: 2").unwrap_err().contains("twice"));
        assert!(parse("--- a\n--- b").unwrap_err().contains("more than one"));
    }
}

//! `${env:NAME}` and `${env:NAME:-default}` in strings.
//!
//! As in a shell, the default counts when the variable is missing or empty. `$${env:NAME}` is the
//! text `${env:NAME}` itself. Any other `${…}` is left alone: it is somebody else's syntax.
//! Errors name variables and never values.

/// A string after interpolation.
#[derive(PartialEq, Eq)]
pub(crate) struct Interpolated {
    /// The text.
    pub(crate) text: String,
    /// The values that came from the environment, which must never be shown.
    pub(crate) secrets: Vec<String>,
}

/// Why a string cannot be interpolated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InterpolationError {
    /// The variable is missing and there is no default.
    Missing(String),
    /// There is no closing brace.
    Unterminated,
    /// What stands between the braces is not the name of a variable.
    BadName(String),
}

const OPEN: &str = "${env:";

/// Replaces every reference; `None` if there is nothing to replace.
pub(crate) fn interpolate<'a>(
    text: &str,
    lookup: impl Fn(&str) -> Option<&'a str>,
) -> Result<Option<Interpolated>, Vec<InterpolationError>> {
    if !text.contains(OPEN) {
        return Ok(None);
    }
    let mut done = Interpolated { text: String::with_capacity(text.len()), secrets: Vec::new() };
    let mut errors = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, reference) = rest.split_at(at);
        let inside = &reference[OPEN.len()..];
        if let Some(before) = before.strip_suffix('$') {
            done.text.push_str(before);
            done.text.push_str(OPEN);
            rest = inside;
            continue;
        }
        done.text.push_str(before);
        let Some((inside, after)) = inside.split_once('}') else {
            errors.push(InterpolationError::Unterminated);
            rest = "";
            break;
        };
        match value(inside, &lookup) {
            Ok(Value::Variable(value)) => {
                done.text.push_str(value);
                done.secrets.push(value.to_owned());
            }
            Ok(Value::Default(value)) => done.text.push_str(value),
            Err(error) => errors.push(error),
        }
        rest = after;
    }
    done.text.push_str(rest);
    if errors.is_empty() { Ok(Some(done)) } else { Err(errors) }
}

/// Whether a text is what shells take for a variable's name.
pub(crate) fn is_variable_name(text: &str) -> bool {
    let is_word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    !text.is_empty() && is_word && !text.starts_with(|c: char| c.is_ascii_digit())
}

enum Value<'a, 'b> {
    Variable(&'a str),
    Default(&'b str),
}

fn value<'a, 'b>(
    inside: &'b str,
    lookup: &impl Fn(&str) -> Option<&'a str>,
) -> Result<Value<'a, 'b>, InterpolationError> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_variable_name(name) {
        return Err(InterpolationError::BadName(name.to_owned()));
    }
    match (lookup(name), default) {
        (Some(value), None) => Ok(Value::Variable(value)),
        (Some(value), Some(_)) if !value.is_empty() => Ok(Value::Variable(value)),
        (_, Some(default)) => Ok(Value::Default(default)),
        (None, None) => Err(InterpolationError::Missing(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(name: &str) -> Option<&'static str> {
        match name {
            "A" => Some("alpha"),
            "EMPTY" => Some(""),
            _ => None,
        }
    }

    fn text(text: &str) -> String {
        match interpolate(text, lookup) {
            Ok(Some(done)) => done.text,
            Ok(None) => text.to_owned(),
            Err(errors) => format!("{errors:?}"),
        }
    }

    #[test]
    fn references_are_replaced_as_a_shell_would() {
        for (raw, expected) in [
            ("plain", "plain"),
            ("${env:A}", "alpha"),
            ("x-${env:A}-${env:A}", "x-alpha-alpha"),
            ("${env:B:-b}", "b"),
            ("${env:EMPTY:-b}", "b"),
            ("${env:EMPTY}", ""),
            ("${env:B:-}", ""),
            ("$${env:A}", "${env:A}"),
            ("${aws:region} ${A}", "${aws:region} ${A}"),
            ("${env:A} $${env:B} ${x}", "alpha ${env:B} ${x}"),
            ("${env:B}", "[Missing(\"B\")]"),
            ("${env:B} ${env:C}", "[Missing(\"B\"), Missing(\"C\")]"),
            ("${env:A", "[Unterminated]"),
            ("${env:a b}", "[BadName(\"a b\")]"),
            ("${env:}", "[BadName(\"\")]"),
        ] {
            assert_eq!(text(raw), expected, "{raw}");
        }
    }

    #[test]
    fn only_values_of_variables_are_secrets() {
        let done = interpolate("${env:A} ${env:B:-b}", lookup);
        let Ok(Some(done)) = done else { panic!("not interpolated") };
        assert_eq!(done.secrets, ["alpha"]);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(raw in "(\\$|\\{|\\}|env:|A|:-|é| ){0,20}") {
            let _ = text(&raw);
        }
    }
}

//! Comparisons of a value with what a pattern says of it.

use fancy_regex::Regex;

use super::scan::Scan;

/// What a value must be.
#[derive(Debug)]
pub(super) struct Compare {
    by: By,
    with: With,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
enum With {
    Number(f64),
    /// The parts between asterisks.
    Text(Vec<String>),
    Regex(Box<Regex>),
}

impl Compare {
    /// Reads an operator and what follows it. A value without quotes ends where `is_end` says.
    pub(super) fn parse(
        scan: &mut Scan<'_>,
        is_end: impl Fn(char) -> bool,
    ) -> Result<Self, String> {
        let signs = [
            ("!=", By::Unequal),
            ("<=", By::LessOrEqual),
            (">=", By::GreaterOrEqual),
            ("=", By::Equal),
            ("<", By::Less),
            (">", By::Greater),
        ];
        let found = signs.into_iter().find(|(sign, _)| scan.take(sign));
        let by = found.map(|(_, by)| by).ok_or("Invalid filter pattern: an operator is missing")?;
        let with = match scan.peek() {
            Some('"') => With::Text(parts(&scan.quoted()?)),
            Some('%') => With::Regex(Box::new(scan.regex()?)),
            _ => {
                let word = scan.word(|it| !it.is_whitespace() && !is_end(it));
                if word.is_empty() {
                    return Err("Invalid filter pattern: a value is missing".to_owned());
                }
                match word.parse::<f64>() {
                    Ok(number) if number.is_finite() => With::Number(number),
                    _ => With::Text(parts(word)),
                }
            }
        };
        scan.space();
        let is_order = !matches!(by, By::Equal | By::Unequal);
        if is_order && !matches!(with, With::Number(_)) {
            return Err("Invalid filter pattern: only numbers are larger or smaller".to_owned());
        }
        Ok(Self { by, with })
    }

    /// Whether a text is so.
    pub(super) fn holds(&self, value: &str) -> bool {
        let equals = match &self.with {
            With::Number(wanted) => {
                let Ok(number) = value.parse::<f64>() else { return self.by == By::Unequal };
                return self.ordered(number, *wanted);
            }
            With::Text(parts) => fits(parts, value),
            With::Regex(regex) => regex.is_match(value).unwrap_or(false),
        };
        equals == (self.by == By::Equal)
    }

    #[expect(clippy::float_cmp, reason = "a number is equal when it is the same")]
    fn ordered(&self, number: f64, wanted: f64) -> bool {
        match self.by {
            By::Equal => number == wanted,
            By::Unequal => number != wanted,
            By::Less => number < wanted,
            By::LessOrEqual => number <= wanted,
            By::Greater => number > wanted,
            By::GreaterOrEqual => number >= wanted,
        }
    }
}

fn parts(text: &str) -> Vec<String> {
    text.split('*').map(ToOwned::to_owned).collect()
}

/// Whether a text is these parts with anything in between.
fn fits(parts: &[String], value: &str) -> bool {
    let [first, between @ .., end] = parts else {
        return parts.first().is_some_and(|only| only == value);
    };
    let Some(rest) = value.strip_prefix(first.as_str()) else { return false };
    let Some(mut rest) = rest.strip_suffix(end.as_str()) else { return false };
    for part in between {
        let Some(at) = rest.find(part.as_str()) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

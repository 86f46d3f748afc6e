//! Filter patterns: which events a search finds.
//!
//! Three languages, told by the first character: terms, `{ … }` for events that are JSON ([`json`]), and
//! `[ … ]` for events that are fields with spaces in between ([`fields`]).
//!
//! Where AWS documents nothing: a term is found within a longer word, and optional terms beside others
//! say nothing.

mod compare;
mod fields;
mod json;
mod scan;

use fancy_regex::Regex;

use scan::Scan;

/// A pattern.
#[derive(Debug)]
pub(super) struct Pattern(Language);

#[derive(Debug)]
enum Language {
    /// Every event.
    All,
    /// By words in its text.
    Terms(Terms),
    /// By its members.
    Json(json::Condition),
    /// By its fields.
    Fields(fields::Fields),
}

/// Words that must be there, must not be there, or of which one must be there.
#[derive(Debug, Default)]
struct Terms {
    wanted: Vec<Term>,
    unwanted: Vec<Term>,
    optional: Vec<Term>,
}

#[derive(Debug)]
enum Term {
    Text(String),
    Regex(Box<Regex>),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let language = match text.chars().next() {
            None => Language::All,
            Some('{') => Language::Json(json::parse(text)?),
            Some('[') => Language::Fields(fields::parse(text)?),
            Some(_) => Language::Terms(terms(text)?),
        };
        Ok(Self(language))
    }

    /// Whether it finds an event.
    pub(super) fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Language::All => true,
            Language::Terms(terms) => terms.matches(message),
            Language::Json(condition) => {
                serde_json::from_str(message).is_ok_and(|event| condition.matches(&event))
            }
            Language::Fields(fields) => fields.matches(message),
        }
    }
}

impl Pattern {
    /// What a reference, without its `$`, names in an event: `.a.b` a member, `size` a field of the
    /// pattern's.
    pub(super) fn read(&self, reference: &str, message: &str) -> Option<String> {
        match &self.0 {
            Language::All | Language::Terms(_) => None,
            Language::Json(_) => json::read(reference, &serde_json::from_str(message).ok()?),
            Language::Fields(fields) => fields.read(reference, message),
        }
    }
}

impl Terms {
    fn matches(&self, message: &str) -> bool {
        if self.unwanted.iter().any(|term| term.is_in(message)) {
            return false;
        }
        if self.wanted.is_empty() && self.unwanted.is_empty() {
            return self.optional.iter().any(|term| term.is_in(message));
        }
        self.wanted.iter().all(|term| term.is_in(message))
    }
}

impl Term {
    fn is_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text.as_str()),
            Self::Regex(regex) => regex.is_match(message).unwrap_or(false),
        }
    }
}

fn terms(text: &str) -> Result<Terms, String> {
    let mut scan = Scan::new(text);
    let mut terms = Terms::default();
    while !scan.is_at_end() {
        let list = match scan.peek() {
            Some('-') => &mut terms.unwanted,
            Some('?') => &mut terms.optional,
            _ => &mut terms.wanted,
        };
        if let Some('-' | '?') = scan.peek() {
            scan.next();
        }
        list.push(term(&mut scan)?);
        scan.space();
    }
    Ok(terms)
}

fn term(scan: &mut Scan<'_>) -> Result<Term, String> {
    match scan.peek() {
        Some('"') => scan.quoted().map(Term::Text),
        Some('%') => scan.regex().map(|regex| Term::Regex(Box::new(regex))),
        _ => {
            let word = scan.word(|letter| !letter.is_whitespace());
            if word.is_empty() || !word.chars().all(|it| it.is_alphanumeric() || it == '_') {
                return Err(format!("Invalid character(s) in term '{word}'"));
            }
            Ok(Term::Text(word.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events that a pattern finds, by their place.
    fn found(pattern: &str, events: &[&str]) -> Vec<usize> {
        let pattern = Pattern::parse(pattern).unwrap();
        (0..events.len()).filter(|at| pattern.matches(events[*at])).collect()
    }

    #[test]
    fn terms_are_all_wanted_unless_they_are_optional_or_excluded() {
        let events = ["hello", "world", "hello world", "hello cruel world", "[ERROR] x=1"];
        for (pattern, wanted) in [
            ("", &[0, 1, 2, 3, 4][..]),
            ("hello", &[0, 2, 3]),
            ("world hello", &[2, 3]),
            ("\"hello world\"", &[2]),
            ("hello -cruel", &[0, 2]),
            ("-hello", &[1, 4]),
            ("?cruel ?ERROR", &[3, 4]),
            ("\"x=1\"", &[4]),
            ("%cr[aeu]+l%", &[3]),
            ("HELLO", &[]),
        ] {
            assert_eq!(found(pattern, &events), wanted, "{pattern}");
        }
    }

    #[test]
    fn json_events_are_found_by_their_members() {
        let events = [
            r#"{"level":"ERROR","code":500,"user":{"id":"u-1","tags":["a","b"]},"ok":false}"#,
            r#"{"level":"INFO","code":200,"user":{"id":"u-2","tags":[]},"gone":null,"ok":true}"#,
            "no json",
        ];
        for (pattern, wanted) in [
            (r#"{ $.level = "ERROR" }"#, &[0][..]),
            (r"{ $.level = INFO }", &[1]),
            (r#"{ $.level != "ERROR" }"#, &[1]),
            (r#"{ $.level = "E*R" }"#, &[0]),
            (r"{ $.code >= 500 }", &[0]),
            (r"{ $.code = 2* }", &[1]),
            (r#"{ $.user.id = "u-*" && $.code < 300 }"#, &[1]),
            (r#"{ ($.code = 500) || ($.user.id = "u-2") }"#, &[0, 1]),
            (r#"{ $.user.tags[1] = "b" }"#, &[0]),
            (r"{ $.gone IS NULL }", &[1]),
            (r"{ $.gone NOT EXISTS }", &[0]),
            (r"{ $.ok IS TRUE }", &[1]),
            (r"{ $.level = %^ERR% }", &[0]),
            (r#"{ $['level'] = "INFO" }"#, &[1]),
        ] {
            assert_eq!(found(pattern, &events), wanted, "{pattern}");
        }
    }

    #[test]
    fn fields_are_told_by_spaces_brackets_and_quotes() {
        let events = [
            r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 200 1534"#,
            r#"127.0.0.1 - - [10/Oct/2000:13:25:15 -0700] "GET /gone HTTP/1.0" 404 5"#,
            "REPORT RequestId: 1",
        ];
        for (pattern, wanted) in [
            ("[ip, id, user, time, request, status_code, size]", &[0, 1][..]),
            ("[ip, id, user, time, request, status = 404, size]", &[1]),
            ("[ip, id, user, time, request = *html*, status = 2*, size > 1000]", &[0]),
            ("[..., status = 404 || status = 200, size]", &[0, 1]),
            ("[ip, ..., size < 10]", &[1, 2]),
            ("[w1 = REPORT, ...]", &[2]),
            ("[ip, id, user != frank, ...]", &[1, 2]),
        ] {
            assert_eq!(found(pattern, &events), wanted, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_in_words() {
        for pattern in
            ["foo.bar", "\"open", "{ $.a }", "{ $.a = ", "{ a = 1 }", "[a, b", "[a = ]", "%[%", "-"]
        {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}

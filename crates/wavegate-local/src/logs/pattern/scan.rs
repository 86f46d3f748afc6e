//! Reads the text of a pattern from left to right.

use fancy_regex::Regex;

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut scan = Self { rest: text };
        scan.space();
        scan
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    /// Goes behind spaces.
    pub(super) fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Goes behind a sign, and spaces after it, if it is there.
    pub(super) fn take(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    /// The same, or what is missing.
    pub(super) fn need(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) {
            Ok(())
        } else {
            Err(format!("Invalid filter pattern: {sign} is missing"))
        }
    }

    /// The characters from here on that are of a kind.
    pub(super) fn word(&mut self, is_of_kind: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|it| !is_of_kind(it)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// A text in quotes. A backslash takes the meaning away from the character behind it.
    pub(super) fn quoted(&mut self) -> Result<String, String> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.extend(self.next()),
                Some(letter) => text.push(letter),
                None => return Err("Invalid filter pattern: a quote is not closed".to_owned()),
            }
        }
    }

    /// A regular expression between percent signs.
    pub(super) fn regex(&mut self) -> Result<Regex, String> {
        self.next();
        let text = self.word(|it| it != '%');
        if !self.take("%") {
            return Err("Invalid filter pattern: a regular expression is not closed".to_owned());
        }
        Regex::new(text).map_err(|error| format!("Invalid regular expression {text}: {error}"))
    }
}

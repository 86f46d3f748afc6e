//! Writes a plugin's pin into the text of a manifest.
//!
//! toml_edit says where things stand, and the pin is put there: every other byte stays as it is,
//! whatever the order, the comments, the line ends and the way in which the tables are written.
//! Deliberately absent: files. The text is the caller's to read and to write.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

use crate::node::dotted;
use crate::plugins::{is_digest, is_target};
use crate::problem::harmless;

/// The key of a plugin's pins.
const PINS: &str = "sha256";

/// Why a pin cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// The text is not TOML.
    #[error("the manifest is not TOML: {reason}")]
    Syntax {
        /// The parser's words, on one line.
        reason: String,
    },
    /// The text has no table for the plugin.
    #[error("the manifest has no table [plugins.{plugin}]")]
    NoPlugin {
        /// Which plugin.
        plugin: String,
    },
    /// Something else stands where the pin should.
    #[error("`{key}` of plugin `{plugin}` is in the way of the pin")]
    InTheWay {
        /// Which plugin.
        plugin: String,
        /// What stands there, as a key of the plugin's table.
        key: String,
    },
    /// The target is not a target triple.
    #[error("`{target}` is not a target triple")]
    Target {
        /// What was given.
        target: String,
    },
    /// The checksum is not 64 lower-case hexadecimal digits.
    #[error("the checksum is not a SHA-256 of 64 lower-case hexadecimal digits")]
    Digest,
}

/// The text of a manifest with the pin of a plugin for a target, such as `x86_64-unknown-linux-gnu`,
/// set to `sha256`. With a pin that is there already the text is the same.
///
/// The pin goes beside the path that it belongs to: if `profile` is the one that was chosen and it
/// says the plugin's `path`, or pins it for this target, then into the profile's table.
///
/// # Errors
/// The text is not TOML or has no such plugin, or the target or checksum is malformed.
pub fn set_plugin_pin(
    text: &str,
    profile: Option<&str>,
    plugin: &str,
    target: &str,
    sha256: &str,
) -> Result<String, PinError> {
    if !is_target(target) {
        return Err(PinError::Target { target: harmless(target) });
    }
    if !is_digest(sha256) {
        return Err(PinError::Digest);
    }
    let document = Document::parse(text).map_err(|error| PinError::Syntax {
        reason: harmless(error.message().lines().next().unwrap_or_default()),
    })?;
    let table = plugin_table(text, document.as_table(), profile, plugin, target)
        .ok_or_else(|| PinError::NoPlugin { plugin: harmless(plugin) })?;
    let in_the_way =
        |key: &str| PinError::InTheWay { plugin: harmless(plugin), key: key.to_owned() };
    let key = dotted(&[target]);
    let edit = match (table.table.get(PINS), table.below(PINS)) {
        (None, _) => table.new_pins(&key, sha256).ok_or_else(|| in_the_way(PINS))?,
        (Some(_), None) => return Err(in_the_way(PINS)),
        (Some(_), Some(pins)) => match pins.table.get(target) {
            Some(Item::Value(pin)) if pin.as_str() == Some(sha256) => return Ok(text.to_owned()),
            Some(pin) => {
                let range = pin.as_value().and_then(Value::span);
                let range = range.ok_or_else(|| in_the_way(&dotted(&[PINS, target])))?;
                Edit { range, text: format!("\"{sha256}\"") }
            }
            None => pins.new_entry(&pin(&key, sha256)).ok_or_else(|| in_the_way(PINS))?,
        },
    };
    let mut text = text.to_owned();
    text.replace_range(edit.range, &edit.text);
    Ok(text)
}

/// The table of a plugin that its pin belongs in.
fn plugin_table<'a>(
    text: &'a str,
    root: &'a dyn TableLike,
    profile: Option<&str>,
    plugin: &str,
    target: &str,
) -> Option<Place<'a>> {
    let root = Place { text, table: root, form: Form::Lines, span: None, prefix: String::new() };
    let at = |path: &[&str]| path.iter().try_fold(root.clone(), |place, key| place.below(key));
    let base = at(&["plugins", plugin]);
    let laid = profile.and_then(|profile| at(&["profiles", profile, "plugins", plugin]));
    let decides = |place: &Place<'_>| {
        let pins = place.table.get(PINS).and_then(Item::as_table_like);
        place.table.contains_key("path") || pins.is_some_and(|pins| pins.contains_key(target))
    };
    if base.is_some() { laid.filter(decides).or(base) } else { laid }
}

/// A change of the text.
struct Edit {
    range: Range<usize>,
    text: String,
}

/// How the entries of a table are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Each on lines of its own.
    Lines,
    /// Between braces.
    Inline,
}

/// A table, and where and how it stands in the text.
#[derive(Clone)]
struct Place<'a> {
    text: &'a str,
    table: &'a dyn TableLike,
    form: Form,
    /// Its header or its braces. Tables that dotted keys make have neither.
    span: Option<Range<usize>>,
    /// What dotted keys of its entries begin with, as it is written.
    prefix: String,
}

impl Place<'_> {
    /// The table under `key`; `None` if there is none.
    fn below(&self, key: &str) -> Option<Self> {
        let item = self.table.get(key)?;
        let table = item.as_table_like()?;
        let prefix = if table.is_dotted() {
            format!("{}{}.", self.prefix, &self.text[self.table.key(key)?.span()?])
        } else {
            String::new()
        };
        let form = if item.is_value() { Form::Inline } else { Form::Lines };
        let span = item.span().filter(|_| !table.is_dotted());
        Some(Place { text: self.text, table, form, span, prefix })
    }

    /// Writes the first pin of this plugin's table. `None` if the table is nowhere itself and has only
    /// tables below it.
    fn new_pins(&self, key: &str, sha256: &str) -> Option<Edit> {
        match (self.form, &self.span) {
            (Form::Lines, Some(header)) => {
                // What the header's own brackets hold names the table as its writer does.
                let name = self.text[header.clone()].strip_prefix('[')?.strip_suffix(']')?;
                let indent = indent(self.text, header.start);
                let at = last_entry(self.table).map_or(header.end, |entry| entry.end);
                let lines = [format!("[{}.{PINS}]", name.trim_end()), pin(key, sha256)];
                Some(lines_after(self.text, at, indent, &lines))
            }
            (Form::Lines, None) => self.new_entry(&format!("{PINS}.{}", pin(key, sha256))),
            (Form::Inline, _) => self.new_entry(&format!("{PINS} = {{ {} }}", pin(key, sha256))),
        }
    }

    /// Writes an entry behind the last one of this table.
    fn new_entry(&self, entry: &str) -> Option<Edit> {
        let entry = format!("{}{entry}", self.prefix);
        match (self.form, last_entry(self.table), &self.span) {
            (Form::Lines, Some(last), _) => {
                let indent = indent(self.text, last.start);
                Some(lines_after(self.text, last.end, indent, &[entry]))
            }
            (Form::Lines, None, Some(header)) => {
                let indent = indent(self.text, header.start);
                Some(lines_after(self.text, header.end, indent, &[entry]))
            }
            (Form::Inline, Some(last), _) => {
                Some(Edit { range: last.end..last.end, text: format!(", {entry}") })
            }
            (Form::Inline, None, Some(braces)) => {
                let at = braces.start + 1;
                let space = if self.text[at..].starts_with('}') { " " } else { "" };
                Some(Edit { range: at..at, text: format!(" {entry}{space}") })
            }
            (_, None, None) => None,
        }
    }
}

/// From the key to the value of the last entry of a table, without those under headers of their own.
fn last_entry(table: &dyn TableLike) -> Option<Range<usize>> {
    let range = |(name, item): (&str, &Item)| match item {
        Item::Table(below) if below.is_dotted() => last_entry(below),
        Item::Value(Value::InlineTable(below)) if below.is_dotted() => last_entry(below),
        Item::Value(value) => Some(table.key(name)?.span()?.start..value.span()?.end),
        _ => None,
    };
    table.iter().filter_map(range).max_by_key(|range| range.end)
}

/// The white space that the line of a key or header begins with.
fn indent(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[start..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Puts lines behind the one that `at` is in.
fn lines_after(text: &str, at: usize, indent: &str, lines: &[String]) -> Edit {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<String> = lines.iter().map(|line| format!("{indent}{line}")).collect();
    let lines = lines.join(newline);
    match text[at..].find('\n') {
        Some(end) => {
            let at = at + end + 1;
            Edit { range: at..at, text: lines + newline }
        }
        None => Edit { range: text.len()..text.len(), text: newline.to_owned() + &lines },
    }
}

fn pin(key: &str, sha256: &str) -> String {
    format!("{key} = \"{sha256}\"")
}

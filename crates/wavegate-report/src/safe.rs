//! Text from outside, made safe to show: details of alarms and hooks, AWS's words, names.
//!
//! A hook's output or an error message could otherwise move the cursor, hide lines, or reverse
//! what a person reads. Control characters are written out as escapes (`\x07`, `\u{202e}`), except
//! well-formed colour and title sequences, which only decorate: they are dropped.
//!
//! In a pipeline a line of a log can be an order to the machine that runs it: `::set-env ...` on GitHub,
//! `##vso[...]` on Azure, `##teamcity[...]`. Such lines are broken up by a space, everywhere, because
//! nobody can tell where an output will be read.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The most characters [`safe_text`] lets through: some screens full, never a flood.
pub const TEXT_MAX: usize = 4_096;

/// The most characters [`safe_line`] lets through: more than any sentence or command needs.
pub const LINE_MAX: usize = 1_024;

/// A terminal sequence longer than this is not decoration; it is shown.
const SEQUENCE_MAX: usize = 512;

/// What stands at a cut.
const CUT: &str = "...";

/// Text that may have several lines: newlines stay, everything else that acts is written out.
pub fn safe_text(text: &str) -> Cow<'_, str> {
    let text = if text.chars().any(|c| acts(c) && c != '\n') {
        Cow::Owned(escape(text))
    } else {
        Cow::Borrowed(text)
    };
    let text = if orders(&text) { Cow::Owned(disarm(&text)) } else { text };
    cap(text, TEXT_MAX)
}

/// Text for one line: as [`safe_text`], and lines are joined with ` / `, blank ones left out.
pub fn safe_line(text: &str) -> Cow<'_, str> {
    let text = safe_text(text);
    // What is cut or joined below cannot become an order: its beginning stays, and no `#` is lost.
    if text.contains('\n') {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        cap(Cow::Owned(lines.collect::<Vec<_>>().join(" / ")), LINE_MAX)
    } else {
        cap(text, LINE_MAX)
    }
}

/// JSON text with every character that acts on a terminal as a `\u` escape: the same value to a
/// parser, harmless to a person who looks at the raw lines.
pub fn safe_json(json: &str) -> Cow<'_, str> {
    // A `##` of JSON stands in a string: as an escape it is the same to a parser, and no order.
    let is_order = json.contains("##");
    if !is_order && !json.chars().any(acts) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if acts(c) || (c == '#' && is_order) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a character does something else than stand there: control characters, direction
/// changes, invisible ones, and separators that some terminals take for line ends.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Lines of a log that were laid out already: what acts in them is written out and orders are broken,
/// but line ends stay, and so do colours, which are the log's own.
pub fn safe_log(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    let is_plain = |c: char| !acts(c) || c == '\n';
    while let Some(at) = rest.find(|c| !is_plain(c)) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let colour = colour(from);
        if colour > 0 {
            out.push_str(&from[..colour]);
            rest = &from[colour..];
        } else {
            let c = from.chars().next().unwrap_or_default();
            rest = written_out(c, &from[c.len_utf8()..], &mut out);
        }
    }
    let text = if out.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(out + rest) };
    if orders(&text) { Cow::Owned(disarm(&text)) } else { text }
}

/// How many bytes at the beginning are a sequence that sets colours; none if there is none.
fn colour(text: &str) -> usize {
    let Some(body) = text.strip_prefix("\x1b[") else { return 0 };
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(body.len());
    if body[end..].starts_with('m') { "\x1b[".len() + end + 1 } else { 0 }
}

/// Whether some line could be an order to whatever runs a pipeline.
fn orders(text: &str) -> bool {
    text.contains("##") || text.lines().any(|line| line.trim_start().starts_with("::"))
}

/// The same text with a space in every such order.
fn disarm(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        let order = line.trim_start();
        let line = match order.strip_prefix("::") {
            Some(rest) => {
                out.push_str(&line[..line.len() - order.len()]);
                out.push_str(": :");
                rest
            }
            None => line,
        };
        let mut before = ' ';
        for c in line.chars() {
            if c == '#' && before == '#' {
                out.push(' ');
            }
            out.push(c);
            before = c;
        }
    }
    out
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\x1b' => match sequence(after) {
                Some(behind) => behind,
                None => written_out(c, after, &mut out),
            },
            '\t' => {
                out.push_str("    ");
                after
            }
            '\r' => {
                out.push('\n');
                after.strip_prefix('\n').unwrap_or(after)
            }
            '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                out.push('\n');
                after
            }
            c if acts(c) => written_out(c, after, &mut out),
            c => {
                out.push(c);
                after
            }
        };
    }
    out
}

fn written_out<'a>(c: char, after: &'a str, out: &mut String) -> &'a str {
    let code = u32::from(c);
    let _ =
        if code < 0x100 { write!(out, "\\x{code:02x}") } else { write!(out, "\\u{{{code:x}}}") };
    after
}

/// What comes after a whole terminal sequence whose ESC was just read; `None` if it is not one.
fn sequence(after: &str) -> Option<&str> {
    if let Some(body) = after.strip_prefix('[') {
        let end =
            body.char_indices().take(SEQUENCE_MAX).find(|(_, c)| !matches!(c, '\x20'..='\x3f'))?;
        return matches!(end.1, '\x40'..='\x7e').then(|| &body[end.0 + 1..]);
    }
    let body = after.strip_prefix(']')?;
    let (at, end) = body.char_indices().take(SEQUENCE_MAX).find(|(_, c)| c.is_control())?;
    match end {
        '\x07' => Some(&body[at + 1..]),
        '\x1b' => body[at + 1..].strip_prefix('\\'),
        _ => None,
    }
}

fn cap(text: Cow<'_, str>, max: usize) -> Cow<'_, str> {
    // A text of at most `max` bytes has at most `max` characters.
    if text.len() <= max || text.chars().count() <= max {
        return text;
    }
    let keep = text.char_indices().nth(max - CUT.len()).map_or(text.len(), |(at, _)| at);
    Cow::Owned(format!("{}{CUT}", &text[..keep]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_acts_is_written_out() {
        for (text, safe) in [
            ("plain ünïcode 日本", "plain ünïcode 日本"),
            ("bell\x07", "bell\\x07"),
            ("\x1b[31mred\x1b[0m", "red"),
            ("\x1b]0;title\x07x", "x"),
            ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1bc reset", "\\x1bc reset"),
            ("\x1b]0;no end", "\\x1b]0;no end"),
            ("\x1b[12\n", "\\x1b[12\n"),
            ("\u{9b}31m", "\\x9b31m"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("a\u{2066}b\u{200b}", "a\\u{2066}b\\u{200b}"),
            ("del\x7f", "del\\x7f"),
            ("a\tb", "a    b"),
            ("a\r\nb\rc\nd\u{2028}e", "a\nb\nc\nd\ne"),
            ("::set-env name=A::b", ": :set-env name=A::b"),
            ("a\n  ::add-mask::x\n", "a\n  : :add-mask::x\n"),
            ("\r::error::x", "\n: :error::x"),
            ("\x1b[1m::error::x", ": :error::x"),
            ("a ##vso[task.x]b", "a # #vso[task.x]b"),
            ("##[command]", "# #[command]"),
            ("####teamcity[x]", "# # # #teamcity[x]"),
            ("std::path and # one", "std::path and # one"),
        ] {
            assert_eq!(safe_text(text), safe, "{text:?}");
        }
    }

    #[test]
    fn a_log_keeps_its_lines_and_its_colours_and_nothing_else_that_acts() {
        for (text, safe) in [
            ("a\nb\n", "a\nb\n"),
            ("\x1b[2m12:00\x1b[0m \x1b[38;5;1mx", "\x1b[2m12:00\x1b[0m \x1b[38;5;1mx"),
            ("\x1b[2Jx\x1b", "\\x1b[2Jx\\x1b"),
            ("a\u{9b}1m\rb", "a\\x9b1m\\x0db"),
            ("a\n::error::x ##[y]\n", "a\n: :error::x # #[y]\n"),
        ] {
            assert_eq!(safe_log(text), safe, "{text:?}");
        }
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(safe_line("first\n\n  second \nthird\n"), "first / second / third");
        assert!(matches!(safe_line("nothing to do"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_flood_is_capped() {
        assert_eq!(safe_text(&"x".repeat(10_000)).chars().count(), TEXT_MAX);
        let line = safe_line(&"ü\n".repeat(10_000)).into_owned();
        assert_eq!(line.chars().count(), LINE_MAX);
        assert!(line.ends_with(CUT));
    }

    /// Text as an attacker or a careless hook writes it.
    fn wild() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            (0_u32..0x20).prop_filter_map("char", char::from_u32).prop_map(String::from),
            (0x7f_u32..0xa0).prop_filter_map("char", char::from_u32).prop_map(String::from),
            (0x2000_u32..0x2070).prop_filter_map("char", char::from_u32).prop_map(String::from),
            Just("\x1b[".to_owned()),
            Just("\x1b]0;".to_owned()),
            Just("::".to_owned()),
            Just("##[".to_owned()),
            "[ -~]{0,8}",
        ];
        proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_control_character_gets_through(text in wild()) {
            prop_assert!(!safe_text(&text).chars().any(|c| c != '\n' && acts(c)));
            prop_assert!(!safe_line(&text).chars().any(acts));
            prop_assert!(!orders(&safe_text(&text)) && !orders(&safe_line(&text)));
        }

        #[test]
        fn safe_is_a_fixed_point(text in wild()) {
            let once = safe_text(&text).into_owned();
            prop_assert_eq!(safe_text(&once), once.as_str());
        }

        #[test]
        fn safe_json_is_the_same_value(text in wild()) {
            let json = serde_json::to_string(&text).unwrap();
            let safe = safe_json(&json);
            prop_assert!(!safe.chars().any(acts) && !safe.contains("##"));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }
}

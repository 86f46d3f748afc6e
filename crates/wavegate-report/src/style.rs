//! How text looks: charset, colour, icons, and lines of pieces that know their width.
//!
//! Everything that is shown goes through [`Line`], which makes it safe first.

use std::fmt::{Display, Write as _};

use anstyle::{AnsiColor, Effects};
use unicode_width::UnicodeWidthChar as _;

use crate::safe::safe_line;

/// Which characters the reader's terminal can show. The caller knows the locale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// Box lines and icons.
    #[default]
    Unicode,
    /// ASCII only; anything else in names and details becomes `?`.
    Ascii,
}

/// Whether to colour. The caller knows the terminal and `NO_COLOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// No escape sequences for looks.
    #[default]
    Never,
    /// ANSI colours.
    Always,
}

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Which characters.
    pub charset: Charset,
    /// Whether colours.
    pub color: Color,
}

impl Style {
    /// ASCII without colour: right for every file and pipe.
    pub const PLAIN: Self = Self { charset: Charset::Ascii, color: Color::Never };
}

/// What a piece of text means; colour repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Dim,
    Good,
    Warn,
    Bad,
    Moving,
}

impl Tone {
    fn ansi(self) -> anstyle::Style {
        let style = anstyle::Style::new();
        let color = |color: AnsiColor| style.fg_color(Some(color.into()));
        match self {
            Self::Plain => style,
            Self::Strong => style.effects(Effects::BOLD),
            Self::Dim => style.effects(Effects::DIMMED),
            Self::Good => color(AnsiColor::Green),
            Self::Warn => color(AnsiColor::Yellow),
            Self::Bad => color(AnsiColor::Red),
            Self::Moving => color(AnsiColor::Cyan),
        }
    }
}

/// A state's sign. The word that says the same stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    Waiting,
    Moving,
    Warning,
    Unknown,
    Good,
    Bad,
    Paused,
    Neutral,
    Same,
}

impl Icon {
    pub(crate) fn glyph(self, charset: Charset) -> &'static str {
        let (unicode, ascii) = match self {
            Self::Waiting => ("◷", "."),
            Self::Moving => ("◌", "*"),
            Self::Warning => ("⚠", "!"),
            Self::Unknown => ("?", "?"),
            Self::Good => ("✔", "+"),
            Self::Bad => ("✖", "x"),
            Self::Paused => ("‖", "="),
            Self::Neutral => ("•", "-"),
            Self::Same => ("=", "="),
        };
        match charset {
            Charset::Unicode => unicode,
            Charset::Ascii => ascii,
        }
    }

    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::Moving => Tone::Moving,
            Self::Warning | Self::Unknown | Self::Paused => Tone::Warn,
            Self::Good => Tone::Good,
            Self::Bad => Tone::Bad,
            Self::Waiting | Self::Neutral | Self::Same => Tone::Dim,
        }
    }
}

/// Stands at the end of a name that was cut to its column.
const CLIPPED: &str = "...";

/// One line of pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    pieces: Vec<(Tone, String)>,
    width: usize,
}

impl Line {
    /// An empty line.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Appends text, made safe.
    pub(crate) fn push(&mut self, tone: Tone, text: impl Display) -> &mut Self {
        let text = text.to_string();
        let text = safe_line(&text).into_owned();
        self.width += width(&text);
        self.pieces.push((tone, text));
        self
    }

    /// Appends plain text, made safe.
    pub(crate) fn text(&mut self, text: impl Display) -> &mut Self {
        self.push(Tone::Plain, text)
    }

    /// Puts text, made safe, before everything else.
    pub(crate) fn prepend(&mut self, tone: Tone, text: impl Display) -> &mut Self {
        let text = safe_line(&text.to_string()).into_owned();
        self.width += width(&text);
        self.pieces.insert(0, (tone, text));
        self
    }

    /// How many columns it takes.
    pub(crate) fn columns(&self) -> usize {
        self.width
    }

    /// Cuts off what goes beyond a column, with a mark.
    pub(crate) fn clip(&mut self, column: usize) -> &mut Self {
        if self.width <= column {
            return self;
        }
        let mut room = column.saturating_sub(CLIPPED.len());
        for (_, text) in &mut self.pieces {
            let keep = prefix(text, room).len();
            text.truncate(keep);
            room -= width(text);
        }
        self.pieces.push((Tone::Plain, CLIPPED.to_owned()));
        self.width = self.pieces.iter().map(|(_, text)| width(text)).sum();
        self
    }

    /// Fills up with blanks to a column; at least one blank if the line has come further.
    pub(crate) fn until(&mut self, column: usize) -> &mut Self {
        let blanks = column.saturating_sub(self.width).max(usize::from(self.width > 0));
        self.width += blanks;
        self.pieces.push((Tone::Plain, " ".repeat(blanks)));
        self
    }

    /// The line as text, without a newline and without blanks at its end.
    pub(crate) fn render(&self, style: Style) -> String {
        self.render_cut(style, usize::MAX)
    }

    /// The line in at most `width` columns.
    pub(crate) fn render_cut(&self, style: Style, width: usize) -> String {
        let mark = match style.charset {
            Charset::Unicode => "…",
            Charset::Ascii => "...",
        };
        let mut out = String::new();
        let mut room = width;
        let fits = self.trimmed_width() <= width;
        if !fits {
            room = room.saturating_sub(self::width(mark));
        }
        for (tone, text) in &self.pieces {
            let text = in_charset(text, style.charset);
            let kept = if fits { text.as_str() } else { prefix(&text, room) };
            room = room.saturating_sub(self::width(kept));
            append(&mut out, *tone, kept, style.color);
            if kept.len() < text.len() {
                break;
            }
        }
        if !fits && width >= self::width(mark) {
            out.push_str(mark);
        }
        out.truncate(out.trim_end_matches(' ').len());
        out
    }

    fn trimmed_width(&self) -> usize {
        let blank =
            self.pieces.iter().rev().take_while(|(_, text)| text.trim_end().is_empty()).count();
        self.pieces[..self.pieces.len() - blank].iter().map(|(_, text)| width(text)).sum()
    }
}

/// Lines as text, each with a newline.
pub(crate) fn rendered(lines: &[Line], style: Style) -> String {
    let mut out = String::new();
    for line in lines {
        out.push_str(&line.render(style));
        out.push('\n');
    }
    out
}

fn append(out: &mut String, tone: Tone, text: &str, color: Color) {
    let ansi = tone.ansi();
    if color == Color::Never || text.is_empty() || ansi == anstyle::Style::new() {
        out.push_str(text);
    } else {
        let _ = write!(out, "{}{text}{}", ansi.render(), ansi.render_reset());
    }
}

fn in_charset(text: &str, charset: Charset) -> String {
    match charset {
        Charset::Unicode => text.to_owned(),
        Charset::Ascii => text
            .chars()
            .flat_map(|c| std::iter::repeat_n(if c.is_ascii() { c } else { '?' }, columns(c)))
            .collect(),
    }
}

/// How many columns safe text takes: character by character, as terminals count.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The longest start of `text` in at most `room` columns.
fn prefix(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += columns(c);
        if used > room {
            return &text[..at];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLOR: Style = Style { charset: Charset::Unicode, color: Color::Always };

    #[test]
    fn a_line_is_cut_not_wrapped() {
        let mut line = Line::new();
        line.text("abc").until(6).push(Tone::Bad, "日本語").text(" end");
        let style = Style { charset: Charset::Unicode, color: Color::Never };
        assert_eq!(line.render(style), "abc   日本語 end");
        assert_eq!(line.render_cut(style, 10), "abc   日…");
        assert_eq!(line.render_cut(style, 9), "abc   日…");
        assert_eq!(line.render_cut(style, 0), "");
        assert_eq!(line.render_cut(Style::PLAIN, 10), "abc   ?...");
        assert_eq!(line.render_cut(COLOR, 10), "abc   \x1b[31m日\x1b[0m…");
    }

    #[test]
    fn a_long_name_keeps_to_its_column() {
        let mut line = Line::new();
        line.push(Tone::Dim, "|-- ").text("a-very-long-function-name").clip(12).until(14).text("x");
        assert_eq!(line.render(Style::PLAIN), "|-- a-ver...  x");
    }

    #[test]
    fn text_from_outside_cannot_act() {
        let mut line = Line::new();
        line.text("\x1b[2J\x07a\nb");
        assert_eq!(line.render(Style::PLAIN), "\\x07a / b");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(pieces in proptest::collection::vec(".{0,20}", 0..5), width in 0_usize..60) {
            let mut line = Line::new();
            for piece in &pieces {
                line.text(piece).until(8);
            }
            let unicode = Style { charset: Charset::Unicode, color: Color::Never };
            prop_assert!(super::width(&line.render_cut(unicode, width)) <= width);
            let ascii = line.render_cut(Style::PLAIN, width);
            prop_assert!(ascii.is_ascii() && ascii.len() <= width);
        }
    }
}

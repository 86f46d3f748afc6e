//! The candidate's share of the traffic over time, as a plot of characters.
//!
//! Each change of weight gets a column of its own where there are enough: a peak that went back in
//! the same moment is seen all the same.

use wavegate_core::release::Decision;
use wavegate_core::simulate::{Entry, Story};
use wavegate_core::time::human;
use wavegate_core::weight::Weight;

use crate::style::{Charset, Icon, Line, Tone, width};

/// The row of all traffic; row 0 is none. The rows are 10 % apart.
const TOP: usize = 10;

/// The columns before the plot: `100% |`.
const MARGIN: usize = 6;

/// The fewest and the most columns of the plot itself.
const WIDTH: std::ops::RangeInclusive<usize> = 20..=100;

/// How far the line is drawn on behind the end.
const TAIL: usize = 2;

/// The plot in at most `columns` columns, or in as few as it can be drawn in.
pub(super) fn lines(story: &Story, charset: Charset, columns: usize) -> Vec<Line> {
    let columns = columns.saturating_sub(MARGIN).clamp(*WIDTH.start(), *WIDTH.end());
    let at = places(story, columns);
    let mut lines = curve(&levels(story, &at, columns), &Glyphs::of(charset));
    lines.push(times(story, columns));
    let marks = marks(story, &at, columns);
    if marks.iter().any(Option::is_some) {
        lines.extend(marked(&marks, charset));
    }
    lines
}

struct Glyphs {
    axis: char,
    tick: char,
    corner: char,
    flat: char,
    up: char,
    bottom_of_rise: char,
    top_of_rise: char,
    top_of_fall: char,
    bottom_of_fall: char,
}

impl Glyphs {
    const fn of(charset: Charset) -> Self {
        match charset {
            Charset::Unicode => Self {
                axis: '│',
                tick: '┤',
                corner: '└',
                flat: '─',
                up: '│',
                bottom_of_rise: '┘',
                top_of_rise: '┌',
                top_of_fall: '┐',
                bottom_of_fall: '└',
            },
            Charset::Ascii => Self {
                axis: '|',
                tick: '+',
                corner: '+',
                flat: '-',
                up: '|',
                bottom_of_rise: '+',
                top_of_rise: '+',
                top_of_fall: '+',
                bottom_of_fall: '+',
            },
        }
    }
}

/// The column of every entry: by its time, and behind the change of weight before it.
fn places(story: &Story, columns: usize) -> Vec<usize> {
    let last = columns - 1 - TAIL;
    let took = story.took.as_millis();
    let by_time = |entry: &Entry| {
        let column = (entry.at.as_millis() * last as u128 + took / 2).checked_div(took);
        column.and_then(|column| usize::try_from(column).ok()).unwrap_or(0)
    };
    let moves: Vec<usize> = moves(&story.entries).map(usize::from).collect();
    let mut at: Vec<usize> = story.entries.iter().map(by_time).collect();
    if moves.iter().sum::<usize>() >= columns {
        return at;
    }
    for entry in 1..at.len() {
        at[entry] = at[entry].max(at[entry - 1] + moves[entry]);
    }
    let mut limit = columns - 1;
    for entry in (0..at.len()).rev() {
        at[entry] = at[entry].min(limit);
        limit = at[entry] - moves[entry].min(at[entry]);
    }
    at
}

/// Whether each entry changes the weight.
fn moves(entries: &[Entry]) -> impl Iterator<Item = bool> {
    let before = std::iter::once(Weight::ZERO).chain(entries.iter().map(|entry| entry.weight));
    entries.iter().zip(before).map(|(entry, before)| entry.weight != before)
}

/// The row of the line in every column.
fn levels(story: &Story, at: &[usize], columns: usize) -> Vec<usize> {
    let mut levels = vec![0; columns];
    for (entry, from) in story.entries.iter().zip(at) {
        levels[*from..].fill(row(entry.weight));
    }
    levels
}

/// Some traffic is never drawn as none, nor as all.
fn row(weight: Weight) -> usize {
    let nearest = usize::from(weight.bp().div_ceil(500) / 2);
    match weight {
        Weight::ZERO => 0,
        Weight::FULL => TOP,
        _ => nearest.clamp(1, TOP - 1),
    }
}

/// The rows from the top, and the axis of time.
fn curve(levels: &[usize], glyphs: &Glyphs) -> Vec<Line> {
    let before = levels.first().into_iter().chain(levels);
    let steps: Vec<(usize, usize)> = before.copied().zip(levels.iter().copied()).collect();
    let cell = |row: usize, (from, to): (usize, usize)| match (row == from, row == to) {
        (true, true) => glyphs.flat,
        (true, false) if to > from => glyphs.bottom_of_rise,
        (true, false) => glyphs.top_of_fall,
        (false, true) if to > from => glyphs.top_of_rise,
        (false, true) => glyphs.bottom_of_fall,
        (false, false) if row > from.min(to) && row < from.max(to) => glyphs.up,
        (false, false) => ' ',
    };
    let mut lines: Vec<Line> = (0..=TOP)
        .rev()
        .map(|row| {
            let (label, axis) = match row % 5 {
                0 => (format!("{:>3}%", row * 10), glyphs.tick),
                _ => ("    ".to_owned(), glyphs.axis),
            };
            let cells: String = steps.iter().map(|step| cell(row, *step)).collect();
            let mut line = Line::new();
            line.push(Tone::Dim, format!("{label} {axis}")).push(Tone::Moving, cells);
            line
        })
        .collect();
    let mut axis = Line::new();
    let flat = glyphs.flat.to_string().repeat(levels.len());
    axis.push(Tone::Dim, format!("     {}{flat}", glyphs.corner));
    lines.push(axis);
    lines
}

/// The times below the axis: the beginning, the middle and the end.
fn times(story: &Story, columns: usize) -> Line {
    let last = columns - 1 - TAIL;
    let (middle, end) = (human(story.took / 2).to_string(), human(story.took).to_string());
    let mut line = Line::new();
    line.until(MARGIN).push(Tone::Dim, "0s");
    if !story.took.is_zero() {
        line.until(MARGIN + last / 2 - width(&middle) / 2).push(Tone::Dim, &middle);
        line.until(MARGIN + last + 1 - width(&end)).push(Tone::Dim, &end);
    }
    line
}

/// What is marked in every column: the worst of what was there.
fn marks(story: &Story, at: &[usize], columns: usize) -> Vec<Option<Icon>> {
    let mut marks: Vec<Option<Icon>> = vec![None; columns];
    let ends = at.iter().skip(1).copied().chain([columns - TAIL]);
    for ((entry, from), to) in story.entries.iter().zip(at).zip(ends) {
        let Some(mark) = mark(entry) else { continue };
        for cell in &mut marks[*from..to.max(from + 1)] {
            let is_worse = cell.is_none_or(|known| rank(mark) > rank(known));
            *cell = if is_worse { Some(mark) } else { *cell };
        }
    }
    marks
}

fn mark(entry: &Entry) -> Option<Icon> {
    if entry.alarms.firing > 0 {
        Some(Icon::Bad)
    } else if entry.alarms.unknown > 0 {
        Some(Icon::Unknown)
    } else {
        matches!(entry.decision, Some(Decision::Pause(_))).then_some(Icon::Paused)
    }
}

fn rank(icon: Icon) -> usize {
    [Icon::Paused, Icon::Unknown, Icon::Bad].iter().position(|known| *known == icon).unwrap_or(0)
}

/// The marks, and below them what they mean.
fn marked(marks: &[Option<Icon>], charset: Charset) -> [Line; 2] {
    let mut row = Line::new();
    row.until(MARGIN);
    for mark in marks {
        match mark {
            Some(icon) => row.push(icon.tone(), icon.glyph(charset)),
            None => row.text(" "),
        };
    }
    let mut legend = Line::new();
    legend.until(MARGIN);
    for (icon, words) in [
        (Icon::Bad, "an alarm fires"),
        (Icon::Unknown, "an alarm cannot tell"),
        (Icon::Paused, "a person is waited for"),
    ] {
        if marks.contains(&Some(icon)) {
            legend.push(icon.tone(), icon.glyph(charset)).push(Tone::Dim, format!(" {words}  "));
        }
    }
    [row, legend]
}

//! Repaints a block of lines where it stands, with as little as moves the cursor and writes text.

/// What stands on the terminal, the cursor on the line below it.
#[derive(Debug, Default)]
pub(super) struct Painter {
    lines: Vec<String>,
    /// Rows that the lines take; more than lines once the terminal became narrower than they are.
    rows: usize,
}

impl Painter {
    /// What to write so that `frame` stands where the last one stood, below `above`. Empty if
    /// nothing changed.
    pub(super) fn paint(&mut self, above: &[String], frame: Vec<String>) -> String {
        use std::fmt::Write as _;
        let stands = self.rows == self.lines.len();
        if above.is_empty() && stands && frame == self.lines {
            return String::new();
        }
        let mut out = String::new();
        if self.rows > 0 {
            let _ = write!(out, "\r\x1b[{}A", self.rows);
        }
        if above.is_empty() && stands {
            for (at, line) in frame.iter().enumerate() {
                if self.lines.get(at) != Some(line) {
                    // Cleared before it is written: behind a line as wide as the terminal, some
                    // would clear its last character.
                    out.push_str("\x1b[K");
                    out.push_str(line);
                }
                out.push('\n');
            }
            out.push_str("\x1b[J");
        } else {
            out.push_str("\x1b[J");
            for line in above.iter().chain(&frame) {
                out.push_str(line);
                out.push('\n');
            }
        }
        self.rows = frame.len();
        self.lines = frame;
        out
    }

    /// The cursor stands one line further down: every line is written anew.
    pub(super) fn pushed_down(&mut self) {
        if self.rows > 0 {
            self.rows += 1;
        }
    }

    /// The terminal became `width` columns wide and broke the lines that no longer fit.
    pub(super) fn reflow(&mut self, width: usize) {
        let rows = |line: &String| visible_width(line).div_ceil(width.max(1)).max(1);
        self.rows = self.lines.iter().map(rows).sum();
        // Every line is written anew, whatever became of it.
        if self.rows == self.lines.len() {
            self.lines.iter_mut().for_each(String::clear);
        }
    }
}

/// The columns of a line whose only sequences are colours.
fn visible_width(line: &str) -> usize {
    let mut parts = line.split("\x1b[");
    let first = parts.next().map_or(0, crate::style::width);
    first
        + parts
            .filter_map(|p| p.split_once('m'))
            .map(|(_, t)| crate::style::width(t))
            .sum::<usize>()
}

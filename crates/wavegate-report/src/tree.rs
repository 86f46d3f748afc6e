//! The live tree on a terminal: waves, functions, and beneath a moving function its hooks and
//! alarms. What matters most is also said above it, and stays in the scrollback.
//!
//! [`frame`] is pure; [`Tree`] paints it where it was, at most ten times a second and only what
//! changed. A frame never has more lines than the screen: details go first, then what is settled,
//! then what waits. Deliberately absent: the alternate screen and a hidden cursor, so that nothing
//! must be restored however the process ends.

mod frame;
mod painter;

use std::io::{self, Write};

use wavegate_engine::event::Record;

pub use frame::frame;

use crate::Reporter;
use crate::lines::name_column;
use crate::sentence::{line, sentence};
use crate::sink::Sink;
use crate::state::State;
use crate::style::Style;
use painter::Painter;

/// The least time between two frames, in wall milliseconds.
const FRAME_MS: u64 = 100;

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Default for Screen {
    fn default() -> Self {
        Self { width: 80, height: 24 }
    }
}

/// The live tree.
///
/// It paints when something changed and the last frame is old enough; the caller's ticks, some ten
/// a second, move the countdowns and bring out what a burst of events held back.
#[derive(Debug)]
pub struct Tree<W> {
    sink: Sink<W>,
    style: Style,
    screen: Screen,
    frame_ms: u64,
    state: State,
    painter: Painter,
    now_ms: u64,
    painted_ms: Option<u64>,
    /// Lines that go above the tree with the next frame.
    above: Vec<String>,
}

impl<W: Write> Tree<W> {
    /// Paints on `out`, a terminal of that size. `time_scale` is how much faster than the wall the
    /// release's clock goes: 1 unless time is compressed.
    pub fn new(out: W, style: Style, screen: Screen, time_scale: u32) -> Self {
        Self {
            sink: Sink::new(out),
            style,
            screen,
            frame_ms: FRAME_MS * u64::from(time_scale.max(1)),
            state: State::default(),
            painter: Painter::default(),
            now_ms: 0,
            painted_ms: None,
            above: Vec::new(),
        }
    }

    /// The terminal has another size now.
    pub fn resize(&mut self, screen: Screen) {
        self.painter.reflow(screen.width);
        self.screen = screen;
    }

    /// Somebody typed a line: its end moved the cursor down.
    pub fn line_typed(&mut self) {
        self.painter.pushed_down();
    }

    /// The release as far as its events tell.
    pub fn state(&self) -> &State {
        &self.state
    }

    fn paint_if_due(&mut self) {
        if self.painted_ms.is_none_or(|at| self.now_ms >= at.saturating_add(self.frame_ms)) {
            self.paint();
        }
    }

    fn paint(&mut self) {
        if self.state.release.is_empty() {
            return;
        }
        let frame = frame(&self.state, self.now_ms, self.style, self.screen);
        let bytes = self.painter.paint(&std::mem::take(&mut self.above), frame);
        self.sink.write(&bytes);
        self.painted_ms = Some(self.now_ms);
    }
}

impl<W: Write> Reporter for Tree<W> {
    fn event(&mut self, record: &Record) {
        self.state.apply(record);
        self.now_ms = self.now_ms.max(record.at_ms);
        if let Some(sentence) = sentence(record, &self.state).filter(|s| s.important) {
            let column = name_column(&self.state);
            self.above.push(line(record, &sentence, column).render(self.style));
        }
        self.paint_if_due();
    }

    fn tick(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.paint_if_due();
    }

    fn finish(&mut self) {
        self.paint();
    }

    fn error(&self) -> Option<&io::Error> {
        self.sink.error()
    }
}

#[cfg(test)]
mod tests;

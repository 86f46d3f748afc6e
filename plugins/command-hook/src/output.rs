//! The end of what a command printed, in bounded memory however much that is.

use std::collections::VecDeque;

use wavegate_plugin_sdk::text;

/// How many lines are kept: enough for a failed assertion with its place.
const MAX_LINES: usize = 20;

/// How many bytes of a line are kept while it is read. More than is shown, because colours count.
const MAX_LINE_BYTES: usize = 4_096;

/// How many characters of a line are shown.
const MAX_LINE_CHARS: usize = 300;

/// The last lines of a stream of bytes.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    lines: VecDeque<Vec<u8>>,
    current: Vec<u8>,
    /// A carriage return was read, and nothing after it.
    returned: bool,
}

impl Tail {
    /// Takes the next bytes of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                b'\r' => self.returned = true,
                _ => self.write(*byte),
            }
        }
    }

    /// The last lines, clean and capped.
    pub(crate) fn into_text(mut self) -> String {
        self.end_line();
        let lines: Vec<_> = self.lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        text::last_lines(&lines.join("\n"), MAX_LINES, MAX_LINE_CHARS)
    }

    fn write(&mut self, byte: u8) {
        // As on a terminal: what follows a return overwrites the line, so that of a progress bar
        // its last state stays.
        if std::mem::take(&mut self.returned) {
            self.current.clear();
        }
        if self.current.len() < MAX_LINE_BYTES {
            self.current.push(byte);
        }
    }

    fn end_line(&mut self) {
        self.returned = false;
        let line = std::mem::take(&mut self.current);
        if line.trim_ascii().is_empty() {
            return;
        }
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(chunks: &[&[u8]]) -> String {
        let mut tail = Tail::default();
        for chunk in chunks {
            tail.push(chunk);
        }
        tail.into_text()
    }

    #[test]
    fn lines_are_put_together_over_chunks() {
        assert_eq!(tail(&[b"one\ntw", b"o\n\n  \nthr", b"ee"]), "one\ntwo\nthree");
        assert_eq!(tail(&[b"caf\xc3", b"\xa9 \xff\n"]), "café \u{fffd}");
        assert_eq!(tail(&[]), "");
    }

    #[test]
    fn only_the_last_lines_are_kept_and_long_ones_are_cut() {
        let many = (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let kept = tail(&[many.as_bytes()]);
        assert_eq!(kept.lines().count(), MAX_LINES);
        assert!(kept.starts_with("line 80\n") && kept.ends_with("line 99"));
        let mut endless = Tail::default();
        for _ in 0..1_000 {
            endless.push(&[b'x'; 1_024]);
        }
        assert!(endless.current.len() <= MAX_LINE_BYTES);
        assert_eq!(endless.into_text().len(), MAX_LINE_CHARS + "...".len());
    }

    #[test]
    fn of_a_progress_bar_its_last_state_stays() {
        assert_eq!(tail(&[b"10%\r", b"50%\r100%\r\ndone\r\n"]), "100%\ndone");
        assert_eq!(tail(&[b"waiting\r"]), "waiting");
    }

    #[test]
    fn colours_and_cursor_moves_do_not_get_through() {
        assert_eq!(tail(&[b"\x1b[31mFAILED\x1b[0m\r\n\x1b[2Jx\x07\n"]), "FAILED\nx");
    }
}

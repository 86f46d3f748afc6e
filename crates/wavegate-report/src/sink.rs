//! A writer that may fail once: the first error is kept, and nothing is written after it.

use std::io::{self, Write};

/// See the module.
#[derive(Debug)]
pub(crate) struct Sink<W> {
    out: W,
    error: Option<io::Error>,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, error: None }
    }

    /// Writes and flushes.
    pub(crate) fn write(&mut self, text: &str) {
        if self.error.is_some() || text.is_empty() {
            return;
        }
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        self.error = written.err();
    }

    pub(crate) fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    #[cfg(test)]
    pub(crate) fn out(&self) -> &W {
        &self.out
    }
}

//! Approvals by whoever sits at the terminal: lines that are typed while a release runs.
//!
//! Reading never holds up a release nor stops it: it happens on a thread of its own, and a process
//! that was sent to the background does not read, instead of being stopped by the terminal.
//! Deliberately absent: other ways to say it than on the terminal that the release runs on.

use std::io;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use tokio::sync::mpsc;
use wavegate_core::name::FunctionName;

/// What to type, for people.
pub(crate) const HOW: &str = "type `approve`, or `approve FUNCTION` for one, and Enter";

/// How long a process in the background waits before it tries to read again.
const BACKGROUND: Duration = Duration::from_secs(1);

/// What a typed line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Nothing.
    Blank,
    /// Go on: one function, or all that wait.
    Approve(Option<FunctionName>),
    /// Something else, with what to say about it.
    Other(String),
}

/// The lines that are typed.
#[derive(Debug)]
pub(crate) struct Lines(Option<mpsc::UnboundedReceiver<String>>);

impl Lines {
    /// Nobody types.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Reads stdin, a terminal, from now on. The thread that does is left behind at the end: a read
    /// that waits for a person cannot be given up.
    pub(crate) fn of_terminal() -> Self {
        let (lines, typed) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new().name("typed lines".to_owned());
        match thread.spawn(move || read(&lines)) {
            Ok(_) => Self(Some(typed)),
            // The release goes on; its strategies' timeouts decide.
            Err(_) => Self::none(),
        }
    }

    /// Whether somebody can type.
    pub(crate) fn are_read(&self) -> bool {
        self.0.is_some()
    }

    /// What the next line says; never, if there is none to come. Nothing is lost if the future is
    /// dropped.
    pub(crate) async fn next(&mut self) -> Typed {
        if let Some(lines) = &mut self.0 {
            if let Some(line) = lines.recv().await {
                return parse(&line);
            }
            self.0 = None;
        }
        std::future::pending().await
    }
}

/// What a line says.
fn parse(line: &str) -> Typed {
    let mut words = line.split_whitespace();
    let (Some(verb), name, None) = (words.next(), words.next(), words.next()) else {
        return if line.trim().is_empty() { Typed::Blank } else { not_understood(line) };
    };
    match (verb, name.map(FunctionName::new)) {
        ("approve", None) => Typed::Approve(None),
        ("approve", Some(Ok(name))) => Typed::Approve(Some(name)),
        _ => not_understood(line),
    }
}

fn not_understood(line: &str) -> Typed {
    Typed::Other(format!("`{}` is not understood: {HOW}", line.trim()))
}

fn read(lines: &mpsc::UnboundedSender<String>) {
    // Blocked, the signal that would stop a background process turns into an error of the read.
    let is_safe = SigSet::from(Signal::SIGTTIN).thread_block().is_ok();
    while is_safe && !lines.is_closed() {
        let mut line = String::new();
        match io::stdin().read_line(&mut line) {
            Ok(0) => return,
            Ok(_) if lines.send(line).is_err() => return,
            Ok(_) => {}
            // Not text, and nothing that anybody meant to say.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(_) => std::thread::sleep(BACKGROUND),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_approves_one_function_or_all_that_wait() {
        let name = FunctionName::new("checkout").unwrap();
        for (line, typed) in [
            ("approve\n", Typed::Approve(None)),
            ("  approve   checkout \n", Typed::Approve(Some(name))),
            ("\n", Typed::Blank),
            ("", Typed::Blank),
        ] {
            assert_eq!(parse(line), typed, "{line:?}");
        }
    }

    #[test]
    fn whatever_else_is_typed_approves_nothing_and_is_answered() {
        for line in ["yes", "approved", "approve a b", "approve a/b", "approve ;", "APPROVE"] {
            let Typed::Other(answer) = parse(line) else { panic!("{line:?} was understood") };
            assert!(answer.contains(line) && answer.contains("type `approve`"), "{answer}");
        }
    }

    #[tokio::test]
    async fn lines_come_in_order_and_then_none() {
        let (send, typed) = mpsc::unbounded_channel();
        let mut lines = Lines(Some(typed));
        send.send("approve\n".to_owned()).unwrap();
        send.send("\n".to_owned()).unwrap();
        drop(send);
        assert!(lines.are_read());
        assert_eq!(lines.next().await, Typed::Approve(None));
        assert_eq!(lines.next().await, Typed::Blank);
        let none = tokio::time::timeout(Duration::from_millis(1), lines.next()).await;
        assert!(none.is_err() && !lines.are_read());
    }
}

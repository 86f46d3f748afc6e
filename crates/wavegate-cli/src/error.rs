//! What can go wrong on the command line, and the one place that turns it into an exit code.
//!
//! Invariants: every error that a user can cause has a stable code that `wavegate explain` tells
//! about; messages are lower case without a final period; a hint is something to do.

use std::fmt;
use std::process::ExitCode;

use wavegate_config::Problems;

/// What kind of end it is. The numbers are documented in `wavegate --help` and relied upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The release failed and was put back as designed.
    Failed,
    /// Usage, manifest, plugin or environment: nothing was touched.
    Usage,
    /// Refused: locked, blocked by the plan report, or nobody said yes.
    Refused,
    /// A person is needed.
    Stuck,
    /// Interrupted; it can be taken up again.
    Interrupted,
    /// A bug.
    Bug,
    /// The reader of stdout has seen enough (`wavegate schema | head`): no error to anybody.
    PipeClosed,
}

impl ErrorKind {
    /// The exit code: the only place where kinds become numbers.
    pub const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Stuck => 4,
            Self::Interrupted => 5,
            Self::Bug => 70,
            Self::PipeClosed => 0,
        }
    }
}

impl From<ErrorKind> for ExitCode {
    fn from(kind: ErrorKind) -> Self {
        Self::from(kind.code())
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// What kind of end it is.
    pub kind: ErrorKind,
    /// The stable code, such as `WG601`. `None`: everything was said already.
    pub code: Option<&'static str>,
    /// What is wrong. Empty: everything was said already.
    pub message: String,
    /// The causes, outermost first.
    pub chain: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// Problems with places in the manifest.
    pub problems: Option<Problems>,
}

impl CliError {
    /// An error without causes and hints.
    pub fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: Some(code),
            message: message.into(),
            chain: Vec::new(),
            hints: Vec::new(),
            problems: None,
        }
    }

    /// Usage, manifest or environment: nothing was touched.
    pub fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, code, message)
    }

    /// A broken promise between wavegate's own parts.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bug, "WG690", message)
            .hint("this is a bug in wavegate: please report it with the command and this text")
    }

    /// Ends with the kind's exit code; what there was to say has been said.
    pub fn silent(kind: ErrorKind) -> Self {
        Self { code: None, ..Self::new(kind, "", "") }
    }

    /// The problems of a manifest.
    pub fn manifest(problems: Problems) -> Self {
        Self { problems: Some(problems), ..Self::silent(ErrorKind::Usage) }
    }

    /// The same with one more thing to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with one more cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.chain.push(cause.into());
        self
    }

    /// The same with the causes of `error`, without those that the text before repeats.
    #[must_use]
    pub fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            if self.chain.last().unwrap_or(&self.message) != &text {
                self.chain.push(text);
            }
            cause = error.source();
        }
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_ones() {
        for (kind, code) in [
            (ErrorKind::Failed, 1),
            (ErrorKind::Usage, 2),
            (ErrorKind::Refused, 3),
            (ErrorKind::Stuck, 4),
            (ErrorKind::Interrupted, 5),
            (ErrorKind::Bug, 70),
            (ErrorKind::PipeClosed, 0),
        ] {
            assert_eq!(kind.code(), code, "{kind:?}");
        }
    }

    #[test]
    fn causes_are_told_once_each() {
        let refused = std::io::Error::other("connection refused");
        let error = CliError::usage("WG601", "cannot reach it").caused_by(&refused);
        assert_eq!(error.chain, ["connection refused"]);
        assert_eq!(error.clone().caused_by(&refused).chain, error.chain);
    }
}

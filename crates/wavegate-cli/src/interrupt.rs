//! Ctrl-C, SIGTERM and SIGHUP, as something that can be awaited.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{CliError, ErrorKind};

/// Interrupted before anything was changed.
pub(crate) const INTERRUPTED: &str = "WG637";

/// The signals that ask this process to end. From the first one made on, none of them kills.
#[derive(Debug)]
pub(crate) struct Interrupts {
    int: Signal,
    term: Signal,
    hup: Signal,
}

impl Interrupts {
    /// Listens from now on. Needs a tokio runtime.
    pub(crate) fn listen() -> Result<Self, CliError> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| CliError::bug("signals cannot be listened to").caused_by(&error))
        };
        Ok(Self {
            int: listen(SignalKind::interrupt())?,
            term: listen(SignalKind::terminate())?,
            hup: listen(SignalKind::hangup())?,
        })
    }

    /// The next one, by its name. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.int.recv() => "Ctrl-C",
            _ = self.term.recv() => "SIGTERM",
            _ = self.hup.recv() => "SIGHUP",
        }
    }

    /// Runs work that changes nothing, or gives it up at the first interrupt.
    pub(crate) async fn guard<T>(
        &mut self,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        tokio::select! {
            result = work => result,
            name = self.next() => Err(CliError::new(
                ErrorKind::Interrupted,
                INTERRUPTED,
                format!("interrupted by {name}: nothing was changed"),
            )),
        }
    }
}

//! Tries a law of the C ABI where it can do no harm: a crash, a hang or an abort there is a broken
//! law here.

use std::collections::VecDeque;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStderr, Command};
use tokio::time::timeout;
use wavegate_plugin_host::{ChildArgs, Group, Launcher, LibrarySpec, Verified};

use crate::child::Task;
use crate::report::{Outcome, Unheld, Verdict};

/// How long one law may take, far longer than any of them waits.
const LAW_WITHIN: Duration = Duration::from_mins(1);

/// How many of the last lines of standard error are told.
const LINES: usize = 20;

/// The most that a child says.
const OUTCOME_BYTES_MAX: u64 = 1 << 20;

/// What is tried in processes of its own.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) launcher: Launcher,
    pub(crate) spec: LibrarySpec,
    pub(crate) verified: Verified,
}

impl Library {
    /// Tries one law.
    pub(crate) async fn holds(&self, task: &Task) -> Outcome {
        match self.run(task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(unheld)) => Verdict::Err(unheld).into(),
            Err(error) => {
                let why = format!("its process could not be started: {error}");
                Verdict::Err(Unheld::broken(why)).into()
            }
        }
    }

    async fn run(&self, task: &Task) -> io::Result<Result<Outcome, Unheld>> {
        let mut group = Group::of(self.command().spawn()?);
        let pipes =
            (group.child.stdin.take(), group.child.stdout.take(), group.child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("it has no pipes"));
        };
        let task = serde_json::to_vec(task)?;
        let mut said = Vec::new();
        let talking = async {
            // A child that has ended does not read; how it ended says why.
            let _ = stdin.write_all(&task).await;
            drop(stdin);
            let mut stdout = stdout.take(OUTCOME_BYTES_MAX);
            let (_, words, status) =
                tokio::join!(stdout.read_to_end(&mut said), last_lines(stderr), group.wait());
            status.map(|status| (status, words))
        };
        let Ok(ended) = timeout(LAW_WITHIN, talking).await else {
            return Ok(Err(Unheld::broken(format!("it did not end within {LAW_WITHIN:?}"))));
        };
        let (status, words) = ended?;
        Ok(serde_json::from_slice(&said).map_err(|_| ended_early(status, &words)))
    }

    fn command(&self) -> Command {
        let Self { launcher, spec, verified } = self;
        let args = ChildArgs {
            name: spec.name.clone(),
            library: verified.file.clone(),
            entry: verified.entry.clone(),
            memory_bytes: spec.limits.memory_bytes,
            // Errors: they are its last words.
            log_level: 1,
        };
        launcher.command(&args, &spec.environment)
    }
}

fn ended_early(status: ExitStatus, words: &[String]) -> Unheld {
    let mut told = format!("its process ended: {status}");
    for line in words {
        told.push_str("\n  ");
        told.push_str(line);
    }
    Unheld::broken(told)
}

async fn last_lines(stderr: ChildStderr) -> Vec<String> {
    let mut last = VecDeque::new();
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        if last.len() == LINES {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(&line).into_owned());
    }
    last.into()
}

//! A plugin in a process of its own.
//!
//! One task, the keeper, owns the process through all its lives; calls find the life that there is
//! through a watched [`State`].
//!
//! Invariants:
//! - The process sees an empty environment but for the variables it was allowed, is a process group
//!   of its own (so that Ctrl-C reaches this program first), and never outlives this one.
//! - A crash fails the calls that were under way, and nothing else: the next call starts the process
//!   again, a little later each time. After [`CRASHES_MAX`] crashes within [`CRASHES_WITHIN`] it is
//!   given up. No caller's impatience keeps a start from ending.
//! - What breaks the protocol once, or refuses to start, is not started again: it would do it again.

mod life;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::calls::{Calls, Outcome};
use crate::direct::{CANCEL_AGAIN, GRACE, SHUT_DOWN, START_WITHIN};
use crate::launch::Launcher;
use crate::logs::Logs;
use crate::worker::Library;
use crate::{ChildArgs, HostError};
use life::{End, Life, Started};

/// So many crashes within [`CRASHES_WITHIN`], and it is not started again.
pub const CRASHES_MAX: usize = 3;

/// See [`CRASHES_MAX`].
pub const CRASHES_WITHIN: Duration = Duration::from_mins(5);

/// How long to wait before the first restart; twice as long before the second, which is the last.
const BACKOFF: Duration = Duration::from_millis(100);

/// How long an orderly end may take in all: the plugin's grace, and then some for the machine.
const CLOSE_WITHIN: Duration = GRACE.saturating_mul(3);

/// What is started.
pub(crate) struct ProcessSpec {
    pub(crate) plugin: String,
    pub(crate) library: Library,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) memory_bytes: u64,
    pub(crate) launcher: Launcher,
}

impl ProcessSpec {
    /// What the child is to do. How much it is to tell is known when it starts.
    fn arguments(&self) -> ChildArgs {
        ChildArgs {
            name: self.plugin.clone(),
            library: self.library.file.clone(),
            entry: self.library.entry.clone(),
            memory_bytes: self.memory_bytes,
            log_level: Logs::level(),
        }
    }
}

impl std::fmt::Debug for ProcessSpec {
    /// Without the variables: they may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessSpec").field("plugin", &self.plugin).finish_non_exhaustive()
    }
}

/// A plugin that runs in a process of its own.
#[derive(Debug)]
pub(crate) struct Process {
    plugin: String,
    state: watch::Receiver<State>,
    orders: mpsc::UnboundedSender<Order>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// How the process is.
#[derive(Debug, Clone)]
enum State {
    /// It is being started.
    Starting,
    /// It can be asked.
    Running(Arc<Run>),
    /// It ended, and is started again when somebody asks.
    Down(HostError),
    /// It is not started again.
    Over(HostError),
}

/// What the keeper is told. When nobody can tell it anything any more, it closes.
#[derive(Debug)]
enum Order {
    /// Somebody asks: start it, if it is down.
    Start,
    /// No more calls will come.
    Close,
}

/// One life of the process, as callers see it.
#[derive(Debug)]
pub(crate) struct Run {
    calls: Calls,
    to_child: mpsc::UnboundedSender<ToChild>,
    /// Why it is to be ended.
    kill: mpsc::UnboundedSender<String>,
    /// The end is near: calls wait for the next life.
    is_closing: AtomicBool,
}

/// What is written to the child.
#[derive(Debug)]
enum ToChild {
    Message(Vec<u8>),
    /// The end of its input.
    Close,
}

impl Process {
    /// Starts it.
    pub(crate) async fn start(spec: ProcessSpec) -> Result<Self, HostError> {
        let plugin = spec.plugin.clone();
        let (state, watched) = watch::channel(State::Starting);
        let (orders, inbox) = mpsc::unbounded_channel();
        let keeper = Keeper { spec, state, orders: inbox, history: History::default() };
        let process = Self {
            plugin,
            state: watched,
            orders,
            keeper: Mutex::new(Some(tokio::spawn(keeper.keep()))),
        };
        let mut state = process.state.clone();
        let first = state.wait_for(|state| !matches!(state, State::Starting)).await;
        match first.map(|state| state.clone()) {
            Ok(State::Down(error) | State::Over(error)) => Err(error),
            Ok(State::Running(_) | State::Starting) => Ok(process),
            Err(_) => Err(process.gone()),
        }
    }

    /// Opens a call, in a process that is started again if it has to be.
    pub(crate) async fn open(
        &self,
    ) -> Result<(Arc<Run>, u64, oneshot::Receiver<Outcome>), HostError> {
        let mut state = self.state.clone();
        // A start that fails after it was asked for is this call's failure.
        let mut asked = false;
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Running(run) => {
                    if let Some((id, waiter)) = run.open() {
                        return Ok((run, id, waiter));
                    }
                }
                State::Over(error) => return Err(error),
                State::Down(error) if asked => return Err(error),
                State::Down(_) => {
                    asked = true;
                    // A keeper that is gone has left the state that says so.
                    let _ = self.orders.send(Order::Start);
                }
                State::Starting => asked = true,
            }
            if state.changed().await.is_err() {
                return match &*state.borrow() {
                    State::Over(error) => Err(error.clone()),
                    _ => Err(self.gone()),
                };
            }
        }
    }

    /// No more calls will come: those under way fail, and the process ends in order, or is ended.
    pub(crate) async fn shutdown(&self) {
        let _ = self.orders.send(Order::Close);
        let Some(mut keeper) = self.keeper.lock().await.take() else { return };
        if timeout(CLOSE_WITHIN, &mut keeper).await.is_err() {
            // With the keeper goes the process.
            keeper.abort();
            let _ = keeper.await;
        }
    }

    fn gone(&self) -> HostError {
        HostError::Host { plugin: self.plugin.clone(), what: "its keeper is gone".to_owned() }
    }
}

impl Run {
    fn open(&self) -> Option<(u64, oneshot::Receiver<Outcome>)> {
        if self.is_closing.load(Ordering::Acquire) {
            return None;
        }
        self.calls.open().ok()
    }

    /// The call that was opened will not be begun.
    pub(crate) fn forget(&self, id: u64) {
        self.calls.forget(id);
    }

    /// Begins the call that was opened.
    pub(crate) fn begin(&self, message: Vec<u8>) {
        // A process that has ended has failed the call.
        let _ = self.to_child.send(ToChild::Message(message));
    }

    /// Nobody waits for the call any more. A reply that does not come within the grace costs the
    /// process its life.
    pub(crate) fn abandon(self: &Arc<Self>, id: u64, method: &'static str) {
        if !self.calls.abandon(id) {
            return;
        }
        self.cancel(id);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let run = Arc::downgrade(self);
        runtime.spawn(async move {
            sleep(CANCEL_AGAIN).await;
            match run.upgrade() {
                Some(run) if run.calls.owes(id) => run.cancel(id),
                _ => return,
            }
            sleep(GRACE).await;
            if let Some(run) = run.upgrade()
                && run.calls.owes(id)
            {
                let _ = run.kill.send(format!("killed, because it never replied to `{method}`"));
            }
        });
    }

    fn cancel(&self, id: u64) {
        let _ = self.to_child.send(ToChild::Message(format!("{{\"cancel\":{id}}}").into_bytes()));
    }
}

/// The one owner of the process.
struct Keeper {
    spec: ProcessSpec,
    state: watch::Sender<State>,
    orders: mpsc::UnboundedReceiver<Order>,
    history: History,
}

impl Keeper {
    /// Keeps it running as long as it is wanted and deserves it.
    async fn keep(mut self) {
        loop {
            let next = match self.live().await {
                End::Closed => State::Over(self.shut_down()),
                End::Failed(error) if deserves_another(&error) => State::Down(error),
                End::Failed(error) => State::Over(error),
            };
            let is_over = matches!(next, State::Over(_));
            self.state.send_replace(next);
            if is_over {
                return;
            }
            if !self.is_wanted().await {
                self.state.send_replace(State::Over(self.shut_down()));
                return;
            }
            self.state.send_replace(State::Starting);
        }
    }

    /// One life, from the start to the end.
    async fn live(&mut self) -> End {
        let starting = timeout(START_WITHIN, Life::start(&self.spec));
        let started = tokio::select! {
            started = starting => started,
            () = closed(&mut self.orders) => return End::Closed,
        };
        let late =
            |_| HostError::StartTimeout { plugin: self.spec.plugin.clone(), limit: START_WITHIN };
        let Started { life, run, killed } = match started.map_err(late) {
            Ok(Ok(started)) => started,
            Ok(Err(error)) | Err(error) => return End::Failed(self.judged(error)),
        };
        self.state.send_replace(State::Running(Arc::clone(&run)));
        let end = match life.live(&run, killed, &mut self.orders).await {
            End::Closed => End::Closed,
            End::Failed(error) => End::Failed(self.judged(error)),
        };
        let error = match &end {
            End::Closed => self.shut_down(),
            End::Failed(error) => error.clone(),
        };
        run.calls.end(&error);
        end
    }

    /// The failure, which is the last one if it was one too many.
    fn judged(&mut self, mut error: HostError) -> HostError {
        let is_crash = matches!(error, HostError::Ended { .. } | HostError::StartTimeout { .. });
        if is_crash && self.history.crashed(Instant::now()) {
            if let HostError::Ended { given_up, .. } = &mut error {
                *given_up = true;
            } else {
                error = HostError::Ended {
                    plugin: self.spec.plugin.clone(),
                    status: error.to_string(),
                    stderr: Vec::new(),
                    given_up: true,
                };
            }
        }
        error
    }

    /// Waits until somebody asks for it, and then a little, so that a plugin that crashes at once
    /// does not do so as fast as it can. `false`: nobody will.
    async fn is_wanted(&mut self) -> bool {
        if !matches!(self.orders.recv().await, Some(Order::Start)) {
            return false;
        }
        let crashes = u32::try_from(self.history.0.len()).unwrap_or(u32::MAX);
        let backoff = sleep(BACKOFF.saturating_mul(crashes));
        tokio::select! {
            () = backoff => true,
            () = closed(&mut self.orders) => false,
        }
    }

    fn shut_down(&self) -> HostError {
        HostError::Host { plugin: self.spec.plugin.clone(), what: SHUT_DOWN.to_owned() }
    }
}

/// Ends when no more calls will come. Safe to drop.
async fn closed(orders: &mut mpsc::UnboundedReceiver<Order>) {
    while let Some(Order::Start) = orders.recv().await {}
}

/// Whether it may do better the next time.
fn deserves_another(error: &HostError) -> bool {
    matches!(error, HostError::Ended { given_up: false, .. } | HostError::StartTimeout { .. })
}

/// When it crashed.
#[derive(Debug, Default)]
struct History(VecDeque<Instant>);

impl History {
    /// Keeps a crash; whether it was one too many.
    fn crashed(&mut self, now: Instant) -> bool {
        self.0.push_back(now);
        self.0.retain(|crash| now.duration_since(*crash) < CRASHES_WITHIN);
        self.0.len() >= CRASHES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn three_crashes_within_five_minutes_are_too_many() {
        let mut history = History::default();
        assert!(!history.crashed(Instant::now()));
        assert!(!history.crashed(Instant::now()));
        tokio::time::advance(CRASHES_WITHIN).await;
        assert!(!history.crashed(Instant::now()), "the first two are forgotten");
        assert!(!history.crashed(Instant::now()));
        assert!(history.crashed(Instant::now()));
    }
}

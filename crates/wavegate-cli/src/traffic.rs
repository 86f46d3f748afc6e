//! Requests to the aliases of the local cloud while a release runs, counted per version.
//!
//! Plain synchronous invokes at a steady rate in wall time. Whoever cannot keep up drops requests
//! before they are routed, so the split between versions stays what the weights say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use wavegate_engine::event::Served;

use crate::http::Loopback;

/// Requests of one function that may be under way. Each may cost an execution environment, which
/// is a process on this machine, so it begins with one and grows by one with every answer: a
/// function that is warm seldom needs a second.
const UNDER_WAY_MAX: usize = 4;

/// The shortest time between two looks at the clock: more often would only burn processor time.
const BEAT_MIN: Duration = Duration::from_millis(5);

/// How long to leave an alias alone that does not exist, or a cloud that does not answer.
const PAUSE: Duration = Duration::from_millis(250);

/// How long requests under way may take to end when the release has.
const END: Duration = Duration::from_secs(1);

/// The event that is sent. Functions that need another one are not served by this.
const PAYLOAD: &[u8] = b"{}";

/// What each version of each function served.
pub(crate) type Totals = BTreeMap<String, BTreeMap<String, Served>>;

/// Traffic to some aliases.
#[derive(Debug)]
pub(crate) struct Traffic {
    loopback: Loopback,
    alias: String,
    /// Names in Lambda by names in the manifest.
    names: BTreeMap<String, String>,
    rps: f64,
    tally: Arc<Tally>,
    started: BTreeSet<String>,
    senders: JoinSet<()>,
    stop: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Tally {
    totals: Mutex<Totals>,
}

impl Tally {
    fn totals(&self) -> MutexGuard<'_, Totals> {
        // Counters are right after every single addition, so also after a panic between two.
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, function: &str, version: String, is_error: bool) {
        let mut totals = self.totals();
        let served = totals.entry(function.to_owned()).or_default().entry(version).or_default();
        served.invocations += 1;
        served.errors += u64::from(is_error);
    }
}

impl Traffic {
    /// Traffic of `rps` requests per wall second and function; none flows before [`Self::start`].
    pub(crate) fn new(
        loopback: Loopback,
        alias: String,
        names: BTreeMap<String, String>,
        rps: f64,
    ) -> Self {
        Self {
            loopback,
            alias,
            names,
            rps,
            tally: Arc::default(),
            started: BTreeSet::new(),
            senders: JoinSet::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// Begins to send to a function's alias, unless it has begun.
    pub(crate) fn start(&mut self, function: &str) {
        let Some(name) = self.names.get(function) else { return };
        if self.started.contains(function) {
            return;
        }
        self.started.insert(function.to_owned());
        let sender = Sender {
            loopback: self.loopback.clone(),
            key: function.to_owned(),
            name: name.clone(),
            alias: self.alias.clone(),
            tally: Arc::clone(&self.tally),
        };
        self.senders.spawn(steady(sender, self.rps, self.stop.subscribe()));
    }

    /// What was served so far.
    pub(crate) fn totals(&self) -> Totals {
        self.tally.totals().clone()
    }

    /// Stops sending and lets requests under way end, for a moment.
    pub(crate) async fn stop(&mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.senders.join_next().await.is_some() {} };
        if tokio::time::timeout(END, ended).await.is_err() {
            self.senders.abort_all();
        }
    }
}

struct Sender {
    loopback: Loopback,
    key: String,
    name: String,
    alias: String,
    tally: Arc<Tally>,
}

/// Sends at a steady rate until it is told to stop; then waits for what is under way.
async fn steady(sender: Sender, rps: f64, mut stop: watch::Receiver<bool>) {
    if !(rps > 0.0 && rps.is_finite()) {
        return;
    }
    let beat = Duration::from_secs_f64((1.0 / rps).min(3600.0)).max(BEAT_MIN);
    let per_beat = rps * beat.as_secs_f64();
    let mut clock = interval(beat);
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let sender = Arc::new(sender);
    let free = Arc::new(Semaphore::new(1));
    let mut allowed = 1;
    // Dropped with this future: requests under way end with the sender.
    let mut under_way = JoinSet::new();
    let mut due = 0.0;
    loop {
        tokio::select! {
            _ = clock.tick() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        while under_way.try_join_next().is_some() {
            if allowed < UNDER_WAY_MAX {
                allowed += 1;
                free.add_permits(1);
            }
        }
        due += per_beat;
        while due >= 1.0 {
            due -= 1.0;
            let Ok(permit) = Arc::clone(&free).try_acquire_owned() else { continue };
            let sender = Arc::clone(&sender);
            under_way.spawn(async move {
                sender.send().await;
                drop(permit);
            });
        }
    }
    while under_way.join_next().await.is_some() {}
}

impl Sender {
    /// One request. A version is counted only if it is known to have run.
    async fn send(&self) {
        let payload = Bytes::from_static(PAYLOAD);
        match self.loopback.invoke(&self.name, Some(&self.alias), payload, false).await {
            Ok(answer) => match answer.version {
                Some(version) => self.tally.count(&self.key, version, answer.error.is_some()),
                // No such alias yet, or throttled.
                None => tokio::time::sleep(PAUSE).await,
            },
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Answers every request on a connection as version 2, every third with a function error.
    async fn serve(mut stream: TcpStream, counter: Arc<Mutex<u64>>) -> io::Result<()> {
        let mut buffer = [0_u8; 4096];
        loop {
            if stream.read(&mut buffer).await? == 0 {
                return Ok(());
            }
            let number = {
                let mut counter = counter.lock().unwrap();
                *counter += 1;
                *counter
            };
            let error =
                if number.is_multiple_of(3) { "x-amz-function-error: Unhandled\r\n" } else { "" };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nx-amz-executed-version: 2\r\n{error}content-length: 2\r\n\r\n{{}}"
            );
            stream.write_all(answer.as_bytes()).await?;
        }
    }

    #[tokio::test]
    async fn requests_are_counted_by_version_with_their_errors() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counter = Arc::new(Mutex::new(0));
        let served = Arc::clone(&counter);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        let names = BTreeMap::from([("auth".to_owned(), "prod-auth".to_owned())]);
        let mut traffic =
            Traffic::new(Loopback::new(&url, "us-east-1"), "live".to_owned(), names, 500.0);
        traffic.start("auth");
        traffic.start("auth");
        traffic.start("unknown");
        let enough = async {
            while traffic
                .totals()
                .get("auth")
                .and_then(|v| v.get("2"))
                .is_none_or(|s| s.invocations < 9)
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), enough).await.unwrap();
        traffic.stop().await;
        let totals = traffic.totals();
        assert_eq!(totals.keys().collect::<Vec<_>>(), ["auth"]);
        let told = totals["auth"]["2"];
        assert!(told.errors >= 2 && told.errors * 2 <= told.invocations, "{told:?}");
        assert!(told.invocations <= *counter.lock().unwrap());
    }
}

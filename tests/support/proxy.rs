//! A proxy between the real binary and a real cloud, where the weather is made.
//!
//! It names and counts every call, and a plan says what becomes of it: see [`Deed`]. What it does not
//! bend it passes on byte for byte, so the cloud behind it stays the judge of what happened.
//!
//! Invariants: loopback only; one order of all calls, that of their arrival; a process is killed at
//! the named moment of the named call, never "about then": *answered* means that the process has read
//! the whole answer, which is known from its closing the connection.

mod call;
mod deed;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use wavegate_local::VirtualClock;

pub use call::Call;
pub use deed::{Body, Canned, Deed, Fault, Moment, Reply, refused};

use crate::hosted::runtime;

/// How long a process may take to read an answer before it is killed all the same.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// One piece of a body that does not end.
const PIECE: usize = 64 * 1024;

/// How many answers are remembered of one alias.
const REMEMBERED: usize = 256;

/// One call, and what became of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The call.
    pub call: Call,
    /// What was done with it.
    pub deed: Deed,
    /// What the cloud answered each time that it saw it; the client may never have heard.
    pub statuses: Vec<u16>,
}

/// Says what becomes of a call.
pub type Plan = Box<dyn FnMut(&Call) -> Deed + Send>;

type Sent = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A connection is to be cut.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

/// A proxy that listens. It is gone when this is dropped.
pub struct Proxy {
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub url: String,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    upstream: String,
    clock: VirtualClock,
    state: Mutex<State>,
    aimed: Notify,
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    log: Vec<Entry>,
    /// Counts how often the log was begun anew.
    round: u64,
    nth: BTreeMap<(String, String), usize>,
    victim: Option<Pid>,
    killed: Option<Call>,
    /// Connections to the cloud that wait for another call.
    idle: Vec<SendRequest<Full<Bytes>>>,
    /// What aliases were answered to be, by path, oldest first.
    answers: BTreeMap<String, Vec<(i64, Whole)>>,
}

/// An answer, read to its end.
#[derive(Clone)]
struct Whole {
    parts: Arc<hyper::http::response::Parts>,
    body: Bytes,
}

impl Proxy {
    /// A proxy in front of the cloud at `upstream`.
    ///
    /// # Panics
    /// If it cannot listen.
    pub fn start(upstream: &str, clock: VirtualClock) -> Self {
        let upstream = upstream.strip_prefix("http://").expect("a plain url").to_owned();
        let bound = runtime().block_on(TcpListener::bind(("127.0.0.1", 0)));
        let listener = bound.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Mutex::default();
        let shared = Arc::new(Shared { upstream, clock, state, aimed: Notify::new() });
        let listening = runtime().spawn(listen(listener, Arc::clone(&shared)));
        Self { url, shared, listening }
    }

    /// From here on calls are counted from 1, and become what `plan` says.
    pub fn arm(&self, plan: impl FnMut(&Call) -> Deed + Send + 'static) {
        let mut state = self.shared.lock();
        state.plan = Some(Box::new(plan));
        state.log.clear();
        state.round += 1;
        state.nth.clear();
        state.victim = None;
        state.killed = None;
    }

    /// From here on everything passes; the calls that were counted, in order.
    pub fn disarm(&self) -> Vec<Entry> {
        let mut state = self.shared.lock();
        state.plan = None;
        state.log.clone()
    }

    /// Whom a [`Deed::kill`] kills. One that comes before this waits for it.
    pub fn aim(&self, pid: i32) {
        self.shared.lock().victim = Some(Pid::from_raw(pid));
        self.shared.aimed.notify_waiters();
    }

    /// The call at which a process was killed.
    pub fn killed(&self) -> Option<Call> {
        self.shared.lock().killed.clone()
    }

    /// The calls so far, in order.
    pub fn log(&self) -> Vec<Entry> {
        self.shared.lock().log.clone()
    }

    /// Those of them that were not just passed on.
    pub fn bent(&self) -> Vec<Entry> {
        let state = self.shared.lock();
        state.log.iter().filter(|entry| !entry.deed.is_plain()).cloned().collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and asks the plan; `None` while nobody has one.
    fn judge(
        &self,
        (operation, object): (String, String),
        headers: &HeaderMap,
    ) -> Option<(Call, Deed, u64)> {
        let mut state = self.lock();
        let mut plan = state.plan.take()?;
        let nth = state.nth.entry((operation.clone(), object.clone())).or_default();
        *nth += 1;
        let nth = *nth;
        let index = state.log.len() + 1;
        let date = headers.get("x-amz-date").and_then(|date| date.to_str().ok());
        let signed_at = date.unwrap_or_default().to_owned();
        let at_ms = self.clock.now_ms();
        let call = Call { index, operation, object, nth, at_ms, signed_at };
        let deed = plan(&call);
        state.plan = Some(plan);
        let entry = Entry { call: call.clone(), deed: deed.clone(), statuses: Vec::new() };
        state.log.push(entry);
        Some((call, deed, state.round))
    }

    fn answered(&self, call: &Call, round: u64, status: StatusCode) {
        let mut state = self.lock();
        if state.round == round
            && let Some(entry) = state.log.get_mut(call.index - 1)
        {
            entry.statuses.push(status.as_u16());
        }
    }

    /// A connection to the cloud.
    async fn sender(&self) -> Result<SendRequest<Full<Bytes>>, Cut> {
        loop {
            let idle = self.lock().idle.pop();
            match idle {
                Some(sender) if sender.is_closed() => {}
                Some(sender) => return Ok(sender),
                None => break,
            }
        }
        let stream = TcpStream::connect(&self.upstream).await.map_err(|_| Cut)?;
        let made = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|_| Cut)?;
        // It ends when its sender is gone.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn kill(&self, call: &Call) {
        let victim = loop {
            // Made before the look, so that no word is missed between the two.
            let aimed = self.aimed.notified();
            tokio::pin!(aimed);
            aimed.as_mut().enable();
            if let Some(victim) = self.lock().victim {
                break victim;
            }
            aimed.await;
        };
        let mut state = self.lock();
        if state.killed.is_none() && signal::kill(victim, Signal::SIGKILL).is_ok() {
            state.killed = Some(call.clone());
        }
    }

    fn remember(&self, path: &str, call: &Call, whole: &Whole) {
        if !call.operation.ends_with("Alias") || !whole.parts.status.is_success() {
            return;
        }
        let alias = call.object.rsplit(':').next().unwrap_or_default();
        let key = match call.operation.as_str() {
            "CreateAlias" => format!("{path}/{alias}"),
            _ => path.to_owned(),
        };
        let now = self.clock.now_ms();
        let mut state = self.lock();
        let answers = state.answers.entry(key).or_default();
        if answers.len() == REMEMBERED {
            answers.remove(0);
        }
        answers.push((now, whole.clone()));
    }

    /// The answer about an alias that was current so long ago.
    fn old(&self, path: &str, age_ms: i64) -> Option<Whole> {
        let then = self.clock.now_ms() - age_ms;
        let state = self.lock();
        let answers = state.answers.get(path)?;
        // What was true then is what was answered last before; failing that, what was first known.
        let before = answers.iter().rev().find(|(at, _)| *at <= then);
        before.or(answers.first()).map(|(_, whole)| whole.clone())
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    // All connections end with this task.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let doomed: Arc<Mutex<Option<Call>>> = Arc::default();
    let service = {
        let (shared, doomed) = (Arc::clone(&shared), Arc::clone(&doomed));
        service_fn(move |request| handle(Arc::clone(&shared), Arc::clone(&doomed), request))
    };
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = connection.without_shutdown().await;
    let last = doomed.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let (Ok(parts), Some(call)) = (ended, last) {
        // The answer said that it is the last one: who has read it closes.
        let mut stream = parts.io.into_inner();
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(READ_WITHIN, stream.read_to_end(&mut rest)).await;
        shared.kill(&call).await;
    }
}

async fn handle(
    shared: Arc<Shared>,
    doomed: Arc<Mutex<Option<Call>>>,
    request: Request<Incoming>,
) -> Result<Sent, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let uri = &parts.uri;
    let told = call::what(&parts.method, uri.path(), uri.query(), &parts.headers, &body);
    let Some((call, deed, round)) = told.and_then(|what| shared.judge(what, &parts.headers)) else {
        return Ok(whole(forward(&shared, &parts, &body).await?));
    };
    let old = match deed.reply {
        Reply::Old(age_ms) if parts.method == Method::GET => shared.old(uri.path(), age_ms),
        _ => None,
    };
    // A task of its own: what is on its way arrives, also when its client has given up.
    let (hold, times) = (deed.hold, deed.forwarded);
    let on_its_way = tokio::spawn({
        let (shared, call) = (Arc::clone(&shared), call.clone());
        async move {
            if !hold.is_zero() {
                tokio::time::sleep(hold).await;
            }
            let mut theirs = None;
            for _ in 0..times {
                let answer = forward(&shared, &parts, &body).await?;
                shared.answered(&call, round, answer.parts.status);
                shared.remember(parts.uri.path(), &call, &answer);
                theirs = Some(answer);
            }
            Ok(theirs)
        }
    });
    let theirs = on_its_way.await.map_err(|_| Cut)??;
    match deed.kill {
        Some(Moment::Before | Moment::Applied) => shared.kill(&call).await,
        Some(Moment::Answered) => {
            let mut sent = whole(theirs.ok_or(Cut)?);
            sent.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            *doomed.lock().unwrap_or_else(PoisonError::into_inner) = Some(call);
            return Ok(sent);
        }
        None => {}
    }
    match deed.reply {
        Reply::Theirs => theirs.map(whole).ok_or(Cut),
        Reply::Old(_) => old.or(theirs).map(whole).ok_or(Cut),
        Reply::Another(canned) => Ok(made_up(canned)),
        Reply::Silence => pending().await,
        Reply::Cut => Err(Cut),
    }
}

async fn forward(
    shared: &Shared,
    parts: &hyper::http::request::Parts,
    body: &Bytes,
) -> Result<Whole, Cut> {
    let mut sender = shared.sender().await?;
    let path = parts.uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str);
    let mut request = Request::builder().method(&parts.method).uri(path);
    for (name, value) in &parts.headers {
        if name != HOST && name != CONNECTION && name != CONTENT_LENGTH {
            request = request.header(name, value);
        }
    }
    let request = request.header(HOST, &shared.upstream).body(Full::new(body.clone()));
    let answer = sender.send_request(request.map_err(|_| Cut)?).await.map_err(|_| Cut)?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    // The local cloud looks at each new connection closely, so that few are made.
    if sender.ready().await.is_ok() {
        shared.lock().idle.push(sender);
    }
    Ok(Whole { parts: Arc::new(parts), body })
}

fn whole(answer: Whole) -> Sent {
    let mut sent = Response::new(Full::new(answer.body).boxed_unsync());
    *sent.status_mut() = answer.parts.status;
    for (name, value) in &answer.parts.headers {
        if name != CONNECTION {
            sent.headers_mut().append(name, value.clone());
        }
    }
    sent
}

fn made_up(canned: Canned) -> Sent {
    let mut sent = Response::new(endless(canned.body));
    *sent.status_mut() = StatusCode::from_u16(canned.status).expect("a status");
    for (name, value) in canned.headers {
        sent.headers_mut().append(name, HeaderValue::from_str(&value).expect("a header"));
    }
    sent
}

fn endless(body: Body) -> UnsyncBoxBody<Bytes, Infallible> {
    match body {
        Body::Text(text) => Full::new(Bytes::from(text)).boxed_unsync(),
        Body::Blanks(count) => {
            let pieces = stream::unfold(count, |left| async move {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
                let piece = Bytes::from(vec![b' '; length]);
                let rest = left - u64::try_from(length).unwrap_or(left);
                (length > 0).then_some((Ok(Frame::data(piece)), rest))
            });
            StreamBody::new(pieces).boxed_unsync()
        }
        Body::Drip(every) => {
            let drops = stream::unfold((), move |()| async move {
                tokio::time::sleep(every).await;
                Some((Ok(Frame::data(Bytes::from_static(b" "))), ()))
            });
            StreamBody::new(drops).boxed_unsync()
        }
    }
}

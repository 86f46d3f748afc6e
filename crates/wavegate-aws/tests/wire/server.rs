//! An HTTP server that answers what it was told to, in order, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

/// One answer.
#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    manner: Manner,
}

/// How an answer is given.
#[derive(Clone)]
enum Manner {
    Whole,
    /// The request is read and the connection closed.
    Cut,
    /// More is announced than is sent.
    Short,
    /// The request is read and nothing is ever said.
    Never,
    /// Given once that many requests are there.
    Together(Arc<Barrier>),
}

impl Answer {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::raw(status, body.as_bytes().to_vec()).header("content-type", "application/json")
    }

    /// An error as Lambda writes it.
    pub(crate) fn lambda_error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "Type": "User", "Message": message }).to_string();
        Self::json(status, &body)
            .header("x-amzn-errortype", code)
            .header("x-amzn-requestid", "req-1")
    }

    pub(crate) fn raw(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body, manner: Manner::Whole }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn cut() -> Self {
        Self { manner: Manner::Cut, ..Self::raw(200, Vec::new()) }
    }

    pub(crate) fn short(self) -> Self {
        Self { manner: Manner::Short, ..self }
    }

    pub(crate) fn never() -> Self {
        Self { manner: Manner::Never, ..Self::raw(200, Vec::new()) }
    }

    pub(crate) fn together(self, barrier: &Arc<Barrier>) -> Self {
        Self { manner: Manner::Together(Arc::clone(barrier)), ..self }
    }
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The server. Stops when it is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<Request>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Shared::default()
        });
        let served = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self { url, shared, task }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The one request there was.
    pub(crate) fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }

    /// The most requests that waited for an answer at the same time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream).await else { return };
    let now = shared.now.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most.fetch_max(now, Ordering::SeqCst);
    shared.requests.lock().unwrap().push(request);
    let next = shared.answers.lock().unwrap().pop_front();
    let answer = next.unwrap_or_else(|| Answer::json(500, "{\"Message\":\"no answer is left\"}"));
    let extra = match &answer.manner {
        Manner::Whole => 0,
        Manner::Short => 100,
        Manner::Cut => return,
        Manner::Never => std::future::pending().await,
        Manner::Together(barrier) => {
            barrier.wait().await;
            0
        }
    };
    shared.now.fetch_sub(1, Ordering::SeqCst);
    let mut head = vec![format!("HTTP/1.1 {} X", answer.status), "connection: close".to_owned()];
    if answer.status != 204 {
        head.push(format!("content-length: {}", answer.body.len() + extra));
    }
    head.extend(answer.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    let head = head.join("\r\n") + "\r\n\r\n";
    // A client that has seen enough may be gone.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&answer.body).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { line, headers, body })
}

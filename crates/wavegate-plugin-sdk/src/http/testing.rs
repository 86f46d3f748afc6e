//! A server on loopback, for tests of components that speak HTTP: it answers what a test says and
//! keeps what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server. Ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

/// One request, as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The request line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
}

/// What a server does with one request.
#[derive(Debug, Clone)]
pub struct Reply(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Whole { head: String, body: String },
    Endless { line: String },
    Stuck { head: String, body: String },
    HangUp,
    Silent,
}

/// How much of an endless answer is written at once, in lines.
const LINES_AT_ONCE: usize = 256;

impl Reply {
    /// An answer with that status.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
        Self(Kind::Whole { head, body: body.into() })
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(self, name: &str, value: impl std::fmt::Display) -> Self {
        match self.0 {
            Kind::Whole { head, body } => {
                Self(Kind::Whole { head: format!("{head}{name}: {value}\r\n"), body })
            }
            other => Self(other),
        }
    }

    /// An answer that repeats a line until nobody reads it any more.
    pub fn endless(line: impl Into<String>) -> Self {
        Self(Kind::Endless { line: line.into() })
    }

    /// The head of an answer and the start of its body, whose rest never comes.
    pub fn stuck(status: u16, start: impl Into<String>) -> Self {
        let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
        Self(Kind::Stuck { head, body: start.into() })
    }

    /// The end of the connection instead of an answer.
    pub fn hang_up() -> Self {
        Self(Kind::HangUp)
    }

    /// Nothing, for as long as the client waits.
    pub fn silent() -> Self {
        Self(Kind::Silent)
    }
}

impl Asked {
    /// The path and the query that were asked for.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (is, value) = line.split_once(':')?;
            is.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Server {
    /// Starts a server on a free port, on the runtime of the caller.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (book, answer) = (Arc::clone(&asked), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (book, answer) = (Arc::clone(&book), Arc::clone(&answer));
                tokio::spawn(async move {
                    // A client that goes away is the test's affair.
                    let _ = serve(stream, &book, &*answer).await;
                });
            }
        });
        Self { address, asked, task }
    }

    /// The address of something on it: `path` starts with `/`, or is empty.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked up to now.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    book: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(&Asked) -> Reply + Sync),
) -> std::io::Result<()> {
    let Some(asked) = read(&mut stream).await? else {
        return stream.write_all(b"HTTP/1.1 400 x\r\nconnection: close\r\n\r\n").await;
    };
    let reply = answer(&asked);
    book.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    match reply.0 {
        Kind::Whole { head, body } => {
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        }
        Kind::Endless { line } => {
            stream.write_all(b"HTTP/1.1 200 x\r\nconnection: close\r\n\r\n").await?;
            let lines = format!("{line}\n").repeat(LINES_AT_ONCE);
            loop {
                stream.write_all(lines.as_bytes()).await?;
            }
        }
        Kind::Stuck { head, body } => {
            let length = body.len() + 1;
            let answer = format!("{head}content-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await?;
            // Ends when the client does.
            stream.read_u8().await.map(drop)
        }
        Kind::HangUp => Ok(()),
        // Ends when the client does.
        Kind::Silent => stream.read_u8().await.map(drop),
    }
}

/// One request; none if the client speaks something else, such as TLS.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Asked>> {
    let mut bytes = Vec::new();
    loop {
        if bytes.first().is_some_and(|first: &u8| !first.is_ascii_uppercase()) {
            return Ok(None);
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
            let asked = Asked { head, body };
            let length = asked.header("content-length").and_then(|length| length.parse().ok());
            if bytes.len() - end - 4 >= length.unwrap_or(0) {
                return Ok(Some(asked));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

//! Bodies as they come: counted, checked and written piece by piece, so that memory does not grow with
//! them.

use std::io::Write;
use std::time::Duration;

use axum::body::{Body, Bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::sync::mpsc;

use super::blocking;
use super::checksum::{Algorithm, Counted, Counter};
use super::chunks::{Chunks, incomplete};
use super::refusal::{Refusal, invalid};
use super::store::Content;
use crate::code::hex;
use crate::wire::{Fault, Request};

/// AWS: bytes of an object that is put at once, and of a part.
pub(super) const CONTENT_MAX: u64 = 5 << 30;
/// Bytes of a body that is no content: more than the longest list of parts or of keys.
const SMALL_MAX: u64 = 8 << 20;
/// Pieces that wait to be written.
const WAITING: usize = 8;
/// Real time for the next piece to come.
const PIECE_TIME: Duration = Duration::from_mins(1);

/// What the head of a request says of its body.
#[derive(Debug)]
pub(super) struct Announced {
    is_chunked: bool,
    /// Bytes of the content.
    length: Option<u64>,
    md5: Option<(String, Vec<u8>)>,
    /// A digest is shown in hexadecimal digits when it is wrong.
    shows_digits: bool,
    sha256: Option<Vec<u8>>,
    /// What it must come to.
    checksum: Option<Claim>,
}

/// How a checksum is counted, and its value unless that stands behind the body.
type Claim = (Algorithm, Option<Vec<u8>>);

impl Announced {
    /// Reads a head, and takes from it what says only how the body comes.
    pub(super) fn of(request: &mut Request, operation: &str) -> Result<Self, Fault> {
        let hash = request.header("x-amz-content-sha256").unwrap_or_default().to_owned();
        let is_chunked = hash.starts_with("STREAMING-")
            || request.header("content-encoding").is_some_and(|it| it.contains("aws-chunked"));
        let length = if is_chunked { "x-amz-decoded-content-length" } else { "content-length" };
        let length = request.header(length).and_then(|length| length.trim().parse().ok());
        if length.is_none() && request.header("transfer-encoding").is_some() {
            let message = "You must provide the Content-Length HTTP header.";
            return Err(Fault::front(411, "MissingContentLength", message));
        }
        for (name, value) in &mut request.headers {
            if name == "content-encoding" {
                let kept: Vec<&str> =
                    value.split(',').map(str::trim).filter(|it| *it != "aws-chunked").collect();
                *value = kept.join(",");
            }
        }
        request.headers.retain(|(name, value)| name != "content-encoding" || !value.is_empty());
        Ok(Self {
            is_chunked,
            length,
            md5: request.header("content-md5").map(read_md5).transpose()?,
            // AWS: only where an object is put at once.
            shows_digits: operation == "PutObject",
            sha256: unhex(&hash),
            // That one's is of the object that it completes.
            checksum: match operation {
                "CompleteMultipartUpload" => None,
                _ => checksum(request)?,
            },
        })
    }

    /// How the client counts, if it does.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.checksum.as_ref().map(|(algorithm, _)| *algorithm)
    }

    /// Starts to take the body in, up to a limit; counts also those checksums.
    pub(super) fn begin<W: Write>(
        self,
        to: W,
        limit: u64,
        besides: Option<Algorithm>,
    ) -> Result<Intake<W>, Fault> {
        if let Some(length) = self.length.filter(|length| *length > limit) {
            return Err(too_large(length, limit));
        }
        let signed = self.sha256.as_ref().map(|_| Algorithm::Sha256);
        let algorithms = self.algorithm().into_iter().chain(besides).chain(signed);
        Ok(Intake {
            counter: Counter::new(algorithms),
            chunks: self.is_chunked.then(Chunks::new),
            announced: self,
            size: 0,
            limit,
            to,
        })
    }
}

fn too_large(size: u64, limit: u64) -> Fault {
    let message = "Your proposed upload exceeds the maximum allowed size";
    Fault::front(400, "EntityTooLarge", message)
        .with("ProposedSize", size.to_string())
        .with("MaxSizeAllowed", limit.to_string())
}

fn read_md5(text: &str) -> Result<(String, Vec<u8>), Fault> {
    let value = STANDARD.decode(text).ok().filter(|value| value.len() == 16);
    let value = value.ok_or_else(|| {
        Fault::front(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
            .with("Content-MD5", text)
    })?;
    Ok((text.to_owned(), value))
}

/// A SHA-256 in hexadecimal digits; other words stand there for bodies that are not signed.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    (text.len() == 64).then(|| digits.map(byte).collect())?
}

/// The checksum that a head announces.
fn checksum(request: &Request) -> Result<Option<Claim>, Fault> {
    const OTHERS: [&str; 3] =
        ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"];
    let is_value = |name: &str| name.starts_with("x-amz-checksum-") && !OTHERS.contains(&name);
    let ahead = request.headers.iter().filter(|(name, _)| is_value(name));
    let ahead = ahead.map(|(name, value)| (name.as_str(), Some(value.as_str())));
    let behind = request.header("x-amz-trailer").map(str::trim).filter(|name| is_value(name));
    let mut announced = ahead.chain(behind.map(|name| (name, None)));
    let Some((name, value)) = announced.next() else { return Ok(None) };
    if announced.next().is_some() {
        return Err(invalid(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ));
    }
    let algorithm = of_header(name)?;
    Ok(Some((algorithm, value.map(|value| algorithm.read(value)).transpose()?)))
}

fn of_header(name: &str) -> Result<Algorithm, Fault> {
    let found = Algorithm::of_header(name);
    found.map_or_else(|| Algorithm::named(name), Ok)
}

/// A body that is being taken in.
#[derive(Debug)]
pub(super) struct Intake<W> {
    announced: Announced,
    chunks: Option<Chunks>,
    counter: Counter,
    size: u64,
    limit: u64,
    to: W,
}

/// What is known of a body that was taken in.
#[derive(Debug, Clone)]
pub(super) struct Received {
    /// Bytes.
    pub(super) size: u64,
    /// What was counted.
    pub(super) counted: Counted,
    /// How the client counted.
    pub(super) algorithm: Option<Algorithm>,
}

/// A content that came with a request, written and counted.
#[derive(Debug)]
pub(super) struct Given {
    /// Where it is.
    pub(super) content: Content,
    /// What is known of it.
    pub(super) received: Received,
}

impl<W: Write> Intake<W> {
    /// Takes what comes next.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let (counter, size, limit, to) =
            (&mut self.counter, &mut self.size, self.limit, &mut self.to);
        let mut take = |bytes: &[u8]| -> Result<(), Refusal> {
            *size += bytes.len() as u64;
            if *size > limit {
                return Err(too_large(*size, limit).into());
            }
            counter.update(bytes);
            Ok(to.write_all(bytes)?)
        };
        match &mut self.chunks {
            Some(chunks) => chunks.push(piece, take),
            None => take(piece),
        }
    }

    /// Holds the whole against what was announced.
    pub(super) fn finish(mut self) -> Result<(W, Received), Refusal> {
        let trailers = self.chunks.map(Chunks::finish).transpose()?.unwrap_or_default();
        if self.announced.length.is_some_and(|length| length != self.size) {
            return Err(incomplete().into());
        }
        self.to.flush()?;
        let counted = self.counter.finish();
        if let Some((text, value)) = &self.announced.md5
            && *value != counted.md5
        {
            let message = "The Content-MD5 you specified did not match what we received.";
            let expected = if self.announced.shows_digits { hex(value) } else { text.clone() };
            let fault = Fault::front(400, "BadDigest", message)
                .with("ExpectedDigest", expected)
                .with("CalculatedDigest", STANDARD.encode(&counted.md5));
            return Err(fault.into());
        }
        if let (Some(signed), Some(found)) =
            (&self.announced.sha256, counted.get(Algorithm::Sha256))
            && signed != found
        {
            let message =
                "The provided 'x-amz-content-sha256' header does not match what was computed.";
            let fault = Fault::front(400, "XAmzContentSHA256Mismatch", message)
                .with("ClientComputedContentSHA256", hex(signed))
                .with("S3ComputedContentSHA256", hex(found));
            return Err(fault.into());
        }
        let algorithm = self.announced.algorithm();
        if let Some((algorithm, value)) = self.announced.checksum {
            let value = value.map_or_else(|| behind(algorithm, &trailers), Ok)?;
            if counted.get(algorithm) != Some(value.as_slice()) {
                let name = algorithm.name();
                let message =
                    format!("The {name} you specified did not match the calculated checksum.");
                return Err(Fault::front(400, "BadDigest", message).into());
            }
        }
        Ok((self.to, Received { size: self.size, counted, algorithm }))
    }
}

/// The value that stood behind a body.
fn behind(algorithm: Algorithm, trailers: &[(String, String)]) -> Result<Vec<u8>, Fault> {
    let header = algorithm.header();
    let (_, text) = trailers.iter().find(|(name, _)| *name == header).ok_or_else(|| {
        let message = "The request contained trailing data that was not well-formed or did not conform \
                       to our published schema.";
        Fault::front(400, "MalformedTrailerError", message)
    })?;
    algorithm.read(text)
}

/// Takes a body in, off the async threads as far as the disk is concerned.
pub(super) async fn receive<W: Write + Send + 'static>(
    body: &mut Body,
    mut intake: Intake<W>,
) -> Result<(W, Received), Refusal> {
    let (sender, mut pieces) = mpsc::channel::<Result<Bytes, Refusal>>(WAITING);
    let writing = blocking(move || {
        while let Some(piece) = pieces.blocking_recv() {
            intake.push(&piece?)?;
        }
        intake.finish()
    });
    let sending = async move {
        while let Some(piece) = next(body).await {
            // Whoever writes has refused already.
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(writing, sending).0
}

/// The body of a request that is no content.
pub(super) async fn small(body: &mut Body, announced: Announced) -> Result<Bytes, Refusal> {
    let mut intake = announced.begin(Vec::new(), SMALL_MAX, None)?;
    while let Some(piece) = next(body).await {
        intake.push(&piece?)?;
    }
    Ok(intake.finish()?.0.into())
}

/// Lets what is left of a body come: clients that do not wait to be asked for it send it before they read the
/// answer. Whether it is at its end then.
pub(super) async fn end(mut body: Body, waits: bool) -> bool {
    let mut size = 0;
    while !body.is_end_stream() && !waits && size <= CONTENT_MAX {
        match next(&mut body).await {
            Some(Ok(piece)) => size += piece.len() as u64,
            Some(Err(_)) => return false,
            None => return true,
        }
    }
    body.is_end_stream()
}

/// The next piece of a body; nothing at its end.
async fn next(body: &mut Body) -> Option<Result<Bytes, Refusal>> {
    loop {
        let frame = match tokio::time::timeout(PIECE_TIME, body.frame()).await {
            Ok(None) => return None,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => return Some(Err(incomplete().into())),
            Err(_) => {
                let message = "Your socket connection to the server was not read from or written to \
                               within the timeout period. Idle connections will be closed.";
                return Some(Err(Fault::front(400, "RequestTimeout", message).into()));
            }
        };
        if let Ok(data) = frame.into_data() {
            return Some(Ok(data));
        }
    }
}

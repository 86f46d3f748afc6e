//! An answer of a function URL that is passed on while the function still writes it.
//!
//! A function may write a head before the body: status, headers and cookies as JSON, and eight zeros.

use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::{failed, response};
use crate::cloud::Cloud;
use crate::invoke::Admitted;
use crate::runtime::Part;
use crate::wire::Answer;

/// How a function says that it writes a head.
const WITH_HEAD: &str = "application/vnd.awslambda.http-integration-response";
/// What is between head and body.
const SEPARATOR: [u8; 8] = [0; 8];
/// Bytes of a head: more than any server lets headers have.
const HEAD_MAX: usize = 1 << 20;
/// Parts that wait for whoever takes them; the function waits then, too.
const WAITING: usize = 16;
const DEFAULT_TYPE: &str = "application/octet-stream";

/// The answer of an attempt, as soon as its head is known.
pub(super) async fn answer(cloud: &Arc<Cloud>, attempt: Admitted) -> Answer {
    let (to, mut parts) = mpsc::channel(WAITING);
    cloud.shared.tasks.spawn(attempt.run(Some(to)));
    let (mut content_type, mut has_head) = (DEFAULT_TYPE.to_owned(), false);
    let mut first = Bytes::new();
    match parts.recv().await {
        Some(Part::ContentType(given)) if given == WITH_HEAD => has_head = true,
        Some(Part::ContentType(given)) if !given.is_empty() => content_type = given,
        Some(Part::ContentType(_)) => {}
        // The whole answer of a function that does not stream.
        Some(Part::Data(data)) => {
            first = data;
            "application/json".clone_into(&mut content_type);
        }
        None => return failed(),
    }
    let mut answer = Answer::empty(200);
    if has_head {
        match head(&mut parts).await {
            Some((told, rest)) => (answer, first) = (told, rest),
            None => return failed(),
        }
    }
    let (bytes, body) = mpsc::channel(WAITING);
    cloud.shared.tasks.spawn(async move {
        while let Some(part) = parts.recv().await {
            let Part::Data(data) = part else { continue };
            // A caller that hung up stops nothing.
            drop(bytes.send(data).await);
        }
    });
    answer.body = first;
    answer.stream = Some(body);
    if has_head { answer } else { answer.with_header("content-type", content_type) }
}

/// Reads a head, and what came behind it.
async fn head(parts: &mut mpsc::Receiver<Part>) -> Option<(Answer, Bytes)> {
    let mut all = Vec::new();
    let end = loop {
        if let Some(at) = all.windows(SEPARATOR.len()).position(|bytes| bytes == SEPARATOR) {
            break at;
        }
        match parts.recv().await? {
            Part::Data(data) if all.len() < HEAD_MAX => all.extend(data),
            Part::Data(_) => return None,
            Part::ContentType(_) => {}
        }
    };
    let members: Map<String, Value> = serde_json::from_slice(&all[..end]).ok()?;
    let rest = all.split_off(end + SEPARATOR.len());
    Some((response::head(&members, DEFAULT_TYPE)?, rest.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(pieces: &[&[u8]]) -> Option<(u16, Bytes)> {
        let (to, mut parts) = mpsc::channel(pieces.len().max(1));
        for piece in pieces {
            to.send(Part::Data(Bytes::copy_from_slice(piece))).await.unwrap();
        }
        drop(to);
        head(&mut parts).await.map(|(answer, rest)| (answer.status, rest))
    }

    #[tokio::test]
    async fn a_head_may_come_in_pieces() {
        let whole = b"{\"statusCode\":201}\0\0\0\0\0\0\0\0body".as_slice();
        for cut in 0..whole.len() {
            let (status, rest) = read(&[&whole[..cut], &whole[cut..]]).await.unwrap();
            assert_eq!(status, 201);
            assert!(b"body".starts_with(&rest), "{cut}: the rest comes with the next piece");
        }
        assert_eq!(read(&[b"{\"statusCode\":201}"]).await, None);
        assert_eq!(read(&[b"no json\0\0\0\0\0\0\0\0"]).await, None);
    }
}

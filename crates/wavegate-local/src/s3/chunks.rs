//! Bodies that come in chunks with a signature each (`aws-chunked`), with checksums behind them.
//!
//! What comes is decoded piece by piece. Signatures are not verified, here as everywhere.

use crate::wire::Fault;

/// Bytes of the head of a chunk, and of a line behind the last one.
const LINE_MAX: usize = 8 << 10;

/// Where in a body the decoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the line before a chunk.
    Head,
    /// In a chunk, before so many of its bytes.
    Content(u64),
    /// In the line end behind a chunk.
    Behind,
    /// In the lines behind the last chunk.
    Trailers,
}

/// A decoder of such a body.
#[derive(Debug)]
pub(super) struct Chunks {
    state: State,
    line: Vec<u8>,
    trailers: Vec<(String, String)>,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self { state: State::Head, line: Vec::new(), trailers: Vec::new() }
    }

    /// Takes what comes next, and gives every piece of content in it.
    pub(super) fn push<E: From<Fault>>(
        &mut self,
        mut bytes: &[u8],
        mut give: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            if let State::Content(left) = self.state {
                let fits = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let (content, rest) = bytes.split_at(fits);
                give(content)?;
                bytes = rest;
                let left = left - fits as u64;
                self.state = if left == 0 { State::Behind } else { State::Content(left) };
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            self.line.extend_from_slice(line);
            bytes = rest;
            if self.line.len() > LINE_MAX {
                return Err(broken().into());
            }
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                self.take(std::str::from_utf8(&line).map_err(|_| broken())?.trim_end())?;
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &str) -> Result<(), Fault> {
        match self.state {
            State::Head => {
                let size = line.split(';').next().unwrap_or_default();
                let size = u64::from_str_radix(size.trim(), 16).map_err(|_| broken())?;
                self.state = if size == 0 { State::Trailers } else { State::Content(size) };
            }
            State::Behind if line.is_empty() => self.state = State::Head,
            State::Trailers => {
                if let Some((name, value)) = line.split_once(':') {
                    let name = name.trim().to_ascii_lowercase();
                    self.trailers.push((name, value.trim().to_owned()));
                }
            }
            State::Behind | State::Content(_) => return Err(broken()),
        }
        Ok(())
    }

    /// What stood behind the last chunk, if that came.
    pub(super) fn finish(mut self) -> Result<Vec<(String, String)>, Fault> {
        // Some clients leave the last line end out.
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.take(std::str::from_utf8(&line).map_err(|_| broken())?.trim_end())?;
        }
        if self.state == State::Trailers { Ok(self.trailers) } else { Err(incomplete()) }
    }
}

fn broken() -> Fault {
    Fault::front(400, "InvalidRequest", "The aws-chunked body is broken")
}

/// AWS's refusal of a body that ends too early.
pub(super) fn incomplete() -> Fault {
    let message =
        "You did not provide the number of bytes specified by the Content-Length HTTP header";
    Fault::front(400, "IncompleteBody", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Decoded = Result<(Vec<u8>, Vec<(String, String)>), Fault>;

    fn decode(body: &[u8], step: usize) -> Decoded {
        let (mut chunks, mut content) = (Chunks::new(), Vec::new());
        for piece in body.chunks(step) {
            chunks.push::<Fault>(piece, |bytes| {
                content.extend_from_slice(bytes);
                Ok(())
            })?;
        }
        Ok((content, chunks.finish()?))
    }

    #[test]
    fn a_body_is_the_same_in_whatever_pieces_it_comes() {
        let body =
            b"3;chunk-signature=0\r\na\nc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
        for step in 1..=body.len() {
            let (content, trailers) = decode(body, step).unwrap();
            assert_eq!(content, b"a\ncde");
            assert_eq!(trailers, [("x-amz-checksum-crc32".to_owned(), "AA==".to_owned())]);
        }
    }

    #[test]
    fn what_is_no_such_body_is_refused() {
        for (body, code) in [
            (&b"ff\r\nabc"[..], "IncompleteBody"),
            (b"", "IncompleteBody"),
            (b"3\r\nabc\r\n", "IncompleteBody"),
            (b"3\r\nabcd\r\n0\r\n", "InvalidRequest"),
            (b"\r\nabc\r\n", "InvalidRequest"),
            (b"-1\r\nabc\r\n", "InvalidRequest"),
        ] {
            assert_eq!(decode(body, 2).unwrap_err().code, code, "{body:?}");
        }
        assert_eq!(decode(&vec![b'0'; LINE_MAX + 1], 64).unwrap_err().code, "InvalidRequest");
        assert_eq!(decode(b"1\r\na\r\n0;chunk-signature=1", 1).unwrap().0, b"a");
    }
}

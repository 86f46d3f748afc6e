//! Bodies that come in signed chunks (`aws-chunked`), with checksums behind them.

use crate::wire::{Fault, Request};

/// Puts a body together. What stands behind it becomes headers.
pub(super) fn join(request: &mut Request) -> Result<(), Fault> {
    let is_chunked =
        request.header("x-amz-content-sha256").is_some_and(|kind| kind.starts_with("STREAMING-"));
    if !is_chunked {
        return Ok(());
    }
    let (whole, trailers) = read(&request.body)
        .ok_or_else(|| Fault::front(400, "InvalidRequest", "The aws-chunked body is broken"))?;
    request.body = whole.into();
    for (name, value) in &mut request.headers {
        // It says how the body came, and nothing of the object.
        if name == "content-encoding" {
            let kept: Vec<&str> =
                value.split(',').map(str::trim).filter(|it| *it != "aws-chunked").collect();
            *value = kept.join(",");
        }
    }
    request.headers.retain(|(name, value)| name != "content-encoding" || !value.is_empty());
    request.headers.extend(trailers);
    Ok(())
}

type Joined = (Vec<u8>, Vec<(String, String)>);

fn read(body: &[u8]) -> Option<Joined> {
    let mut rest = body;
    let mut whole = Vec::with_capacity(body.len());
    loop {
        let (head, after) = line(rest)?;
        let size = head.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some((whole, trailers(after)));
        }
        let (chunk, behind) = after.split_at_checked(size)?;
        whole.extend_from_slice(chunk);
        rest = behind.strip_prefix(b"\r\n").unwrap_or(behind);
    }
}

fn trailers(mut rest: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((text, after)) = line(rest) {
        if let Some((name, value)) = text.split_once(':') {
            found.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
        rest = after;
    }
    found
}

fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}

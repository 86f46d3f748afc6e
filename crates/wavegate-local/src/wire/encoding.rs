//! Content encodings: SDKs compress what is long, such as `PutMetricData` from 10 KiB on.

use std::io::Read as _;

use super::{Fault, Request};

/// Undoes the content encoding of a request whose body may have at most so many bytes then.
///
/// # Errors
/// If the body is damaged, too long, or encoded in another way than by gzip.
pub(crate) fn inflate(request: &mut Request, limit: usize) -> Result<(), Fault> {
    let encoding = request.header("content-encoding").unwrap_or_default().trim();
    match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" | "aws-chunked" => Ok(()),
        "gzip" => {
            let mut body = Vec::new();
            let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
            flate2::read::GzDecoder::new(request.body.as_ref())
                .take(most)
                .read_to_end(&mut body)
                .map_err(|error| Fault::serialization(format!("The body is no gzip: {error}")))?;
            if body.len() > limit {
                return Err(Fault::serialization(format!("The body has more than {limit} bytes")));
            }
            request.body = body.into();
            request.headers.retain(|(name, _)| name != "content-encoding");
            Ok(())
        }
        other => Err(Fault::serialization(format!(
            "The content encoding {other} is not supported; send gzip or none"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn request(encoding: &str, body: &[u8]) -> Request {
        Request {
            method: "POST".into(),
            path: "/".into(),
            query: String::new(),
            headers: vec![("content-encoding".into(), encoding.into())],
            body: body.to_vec().into(),
        }
    }

    #[test]
    fn what_is_compressed_is_read_up_to_the_limit() {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all(&[b'a'; 100]).unwrap();
        let zipped = zip.finish().unwrap();
        for encoding in ["gzip", "GZIP"] {
            let mut request = request(encoding, &zipped);
            inflate(&mut request, 100).unwrap();
            assert_eq!(request.body, [b'a'; 100].as_slice());
        }
        for (encoding, body, limit, words) in [
            ("gzip", zipped.as_slice(), 99, "more than 99 bytes"),
            ("gzip", b"no".as_slice(), 99, "no gzip"),
            ("br", b"no".as_slice(), 99, "br is not supported"),
        ] {
            let fault = inflate(&mut request(encoding, body), limit).unwrap_err();
            assert!(fault.message.contains(words), "{}", fault.message);
        }
    }
}

//! As much of S3 as artifacts need, path-style: buckets, and whole objects put, read and deleted.
//!
//! Objects are files named by the hash of their key, so no key can reach outside. Deliberately
//! absent: listing, versions, multipart uploads, access rules.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use crate::code::hex;
use crate::wire::{Answer, Request};

/// Bytes of an object: more than Lambda's largest package.
pub(crate) const OBJECT_MAX: usize = 300 << 20;

/// Why an object or bucket could not be reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum S3Error {
    #[error("The specified bucket does not exist")]
    NoBucket,
    #[error("The specified key does not exist.")]
    NoKey,
    #[error("The specified bucket is not valid.")]
    BadBucket,
    #[error("The request is not valid: {0}")]
    BadRequest(&'static str),
    #[error("The local cloud's S3 does not offer {0}")]
    NotOffered(String),
    #[error("The local cloud cannot reach its files: {0}")]
    Disk(#[source] io::Error),
}

impl S3Error {
    /// S3's error code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoBucket => "NoSuchBucket",
            Self::NoKey => "NoSuchKey",
            Self::BadBucket => "InvalidBucketName",
            Self::BadRequest(_) => "InvalidRequest",
            Self::NotOffered(_) => "NotImplemented",
            Self::Disk(_) => "InternalError",
        }
    }

    /// S3's message.
    pub(crate) fn message(&self) -> String {
        self.to_string()
    }

    fn status(&self) -> u16 {
        match self {
            Self::NoBucket | Self::NoKey => 404,
            Self::BadBucket | Self::BadRequest(_) => 400,
            Self::NotOffered(_) => 501,
            Self::Disk(_) => 500,
        }
    }
}

/// The objects of a cloud.
#[derive(Debug)]
pub(crate) struct Objects {
    directory: PathBuf,
    next: AtomicU64,
}

impl Objects {
    /// The store in `directory`, which is made when first written to.
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), next: AtomicU64::new(0) }
    }

    /// An object's content. Blocks on the disk.
    pub(crate) fn read(&self, bucket: &str, key: &str) -> Result<Vec<u8>, S3Error> {
        std::fs::read(self.object(bucket, key)?).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => S3Error::NoKey,
            _ => S3Error::Disk(error),
        })
    }

    fn make_bucket(&self, bucket: &str) -> Result<(), S3Error> {
        crate::private::directory(&self.bucket(bucket)?).map_err(S3Error::Disk)
    }

    fn write(&self, bucket: &str, key: &str, body: &[u8]) -> Result<(), S3Error> {
        let place = self.object(bucket, key)?;
        let new =
            place.with_extension(format!("{}.new", self.next.fetch_add(1, Ordering::Relaxed)));
        crate::private::write(&new, body).map_err(S3Error::Disk)?;
        std::fs::rename(&new, &place).map_err(S3Error::Disk)
    }

    fn delete(&self, bucket: &str, key: &str) -> Result<(), S3Error> {
        match std::fs::remove_file(self.object(bucket, key)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(S3Error::Disk(error)),
            _ => Ok(()),
        }
    }

    fn delete_bucket(&self, bucket: &str) -> Result<(), S3Error> {
        std::fs::remove_dir(self.existing_bucket(bucket)?).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty => S3Error::BadRequest("the bucket is not empty"),
            _ => S3Error::Disk(error),
        })
    }

    fn bucket(&self, bucket: &str) -> Result<PathBuf, S3Error> {
        let legal =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        let ok = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(legal)
            && bucket.as_bytes()[0].is_ascii_alphanumeric();
        if ok { Ok(self.directory.join(bucket)) } else { Err(S3Error::BadBucket) }
    }

    fn existing_bucket(&self, bucket: &str) -> Result<PathBuf, S3Error> {
        let path = self.bucket(bucket)?;
        if path.is_dir() { Ok(path) } else { Err(S3Error::NoBucket) }
    }

    fn object(&self, bucket: &str, key: &str) -> Result<PathBuf, S3Error> {
        Ok(self.existing_bucket(bucket)?.join(hex(&Sha256::digest(key))))
    }
}

/// Whether a request that is no other service's is for an object or a bucket.
pub(crate) fn is_request(request: &Request) -> bool {
    request.path != "/"
        && request.method != "POST"
        && request.signed_service().is_none_or(|service| service == "s3")
}

/// Answers a path-style request. Blocks on the disk.
pub(crate) fn answer(objects: &Objects, request: &Request, request_id: &str) -> Answer {
    dispatch(objects, request).unwrap_or_else(|error| {
        refuse(request, error.status(), (error.code(), &error.message()), request_id)
    })
}

/// The refusal of a request whose caller may not make it.
pub(crate) fn denied(request: &Request, why: &str, request_id: &str) -> Answer {
    refuse(request, 403, ("AccessDenied", why), request_id)
}

fn refuse(
    request: &Request,
    status: u16,
    (code, message): (&str, &str),
    request_id: &str,
) -> Answer {
    if request.method == "HEAD" {
        return Answer::empty(status);
    }
    let message = quick_xml::escape::escape(message);
    Answer::xml(
        status,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>\
             {message}</Message><RequestId>{request_id}</RequestId></Error>"
        ),
    )
}

fn dispatch(objects: &Objects, request: &Request) -> Result<Answer, S3Error> {
    let path = request.path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let (bucket, key) = (crate::wire::decode(bucket), crate::wire::decode(key));
    let sub = ["uploads", "uploadId", "acl", "policy", "versioning", "delete", "list-type"]
        .into_iter()
        .find(|name| request.query_param(name).is_some());
    if let Some(sub) = sub {
        return Err(S3Error::NotOffered(format!("{} ?{sub}", request.method)));
    }
    match (request.method.as_str(), key.as_str()) {
        ("PUT", "") => {
            objects.make_bucket(&bucket)?;
            Ok(Answer::empty(200).with_header("location", format!("/{bucket}")))
        }
        ("HEAD", "") => objects.existing_bucket(&bucket).map(|_| Answer::empty(200)),
        ("DELETE", "") => objects.delete_bucket(&bucket).map(|()| Answer::empty(204)),
        ("PUT", key) => {
            let body = unchunked(request)?;
            objects.write(&bucket, key, &body)?;
            Ok(Answer::empty(200).with_header("etag", etag(&body)))
        }
        ("GET" | "HEAD", key) if !key.is_empty() => {
            let body = objects.read(&bucket, key)?;
            let answer = Answer::empty(200).with_header("etag", etag(&body));
            // The server cuts the body of answers to HEAD and keeps its length.
            Ok(answer.with_body("application/octet-stream", body))
        }
        ("DELETE", key) => objects.delete(&bucket, key).map(|()| Answer::empty(204)),
        (method, _) => Err(S3Error::NotOffered(format!("{method} {}", request.path))),
    }
}

/// The content of a body that may be cut into signed chunks (`aws-chunked`).
fn unchunked(request: &Request) -> Result<Vec<u8>, S3Error> {
    let is_chunked =
        request.header("x-amz-content-sha256").is_some_and(|kind| kind.starts_with("STREAMING-"));
    if !is_chunked {
        return Ok(request.body.to_vec());
    }
    let bad = S3Error::BadRequest("broken aws-chunked body");
    let mut rest: &[u8] = &request.body;
    let mut whole = Vec::with_capacity(rest.len());
    loop {
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Err(bad) };
        let head = std::str::from_utf8(&rest[..end]).ok();
        let size = head.and_then(|head| head.split(';').next());
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let (Some(size), Some(after)) = (size, rest.get(end + 2..)) else { return Err(bad) };
        if size == 0 {
            return Ok(whole);
        }
        let (Some(chunk), Some(after)) = (after.get(..size), after.get(size..)) else {
            return Err(bad);
        };
        whole.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").unwrap_or(after);
    }
}

/// An opaque tag of the content; on S3 it is an MD5 sum, here the start of a SHA-256.
fn etag(body: &[u8]) -> String {
    format!("\"{}\"", &hex(&Sha256::digest(body))[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(objects: &Objects, method: &str, path: &str, body: &str) -> Answer {
        let streaming = body.contains("\r\n");
        let kind = if streaming { "STREAMING-UNSIGNED-PAYLOAD-TRAILER" } else { "UNSIGNED" };
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: String::new(),
            headers: vec![("x-amz-content-sha256".into(), kind.into())],
            body: body.to_owned().into(),
        };
        answer(objects, &request, "id")
    }

    #[test]
    fn objects_live_in_buckets() {
        let directory = tempfile::tempdir().unwrap();
        let objects = Objects::new(directory.path());
        assert_eq!(call(&objects, "PUT", "/artifacts/a/b.zip", "x").status, 404);
        assert_eq!(call(&objects, "PUT", "/artifacts", "").status, 200);
        assert_eq!(call(&objects, "PUT", "/artifacts/a/b.zip", "x").status, 200);
        assert_eq!(call(&objects, "GET", "/artifacts/a/b.zip", "").body, "x");
        assert_eq!(objects.read("artifacts", "a/b.zip").unwrap(), b"x");
        assert_eq!(call(&objects, "DELETE", "/artifacts", "").status, 400);
        assert_eq!(call(&objects, "DELETE", "/artifacts/a/b.zip", "").status, 204);
        let gone = call(&objects, "GET", "/artifacts/a/b.zip", "");
        assert_eq!(gone.status, 404);
        assert!(String::from_utf8_lossy(&gone.body).contains("<Code>NoSuchKey</Code>"));
    }

    #[test]
    fn no_name_reaches_outside() {
        let directory = tempfile::tempdir().unwrap();
        let objects = Objects::new(directory.path());
        for path in ["/..", "/%2e%2e", "/../x", "/a", "/A-B-C", "/.hidden"] {
            assert_eq!(call(&objects, "PUT", path, "").status, 400, "{path}");
        }
    }

    #[test]
    fn chunked_bodies_are_put_together() {
        let directory = tempfile::tempdir().unwrap();
        let objects = Objects::new(directory.path());
        call(&objects, "PUT", "/artifacts", "");
        let body = "3;chunk-signature=0\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:0\r\n\r\n";
        assert_eq!(call(&objects, "PUT", "/artifacts/k", body).status, 200);
        assert_eq!(objects.read("artifacts", "k").unwrap(), b"abcde");
        assert_eq!(call(&objects, "PUT", "/artifacts/k", "ff\r\nabc").status, 400);
    }
}

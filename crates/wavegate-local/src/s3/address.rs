//! Buckets as hosts: `BUCKET.localhost`, and what SDKs make of `s3.localhost` and `s3.REGION.localhost`.
//!
//! Names under `localhost` lead to this machine and nowhere else, and no name server gives them away.

use crate::doorway;
use crate::wire::Request;

/// What a host of S3's names.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    /// All of it: the bucket is in the path.
    Service,
    /// One bucket.
    Bucket(String),
}

/// Whether a host (without its port) is one of S3's.
pub(crate) fn is_host(host: &str) -> bool {
    named(host).is_some()
}

fn named(host: &str) -> Option<Named> {
    let host = host.to_ascii_lowercase();
    let name = host.strip_suffix(".localhost").filter(|_| !doorway::is_host(&host))?;
    let is_label = |label: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(legal)
    };
    let labels: Vec<&str> = name.split('.').collect();
    if !labels.iter().all(|label| is_label(label)) {
        return None;
    }
    let ([bucket @ .., "s3"] | [bucket @ .., "s3", _] | bucket) = labels.as_slice();
    Some(match bucket {
        [] => Named::Service,
        bucket => Named::Bucket(bucket.join(".")),
    })
}

/// Moves a bucket from the host to the path, where all that follows looks for it.
pub(super) fn into_path(request: &mut Request) {
    let host = request.header("host").unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if let Some(Named::Bucket(bucket)) = named(host) {
        request.path = format!("/{bucket}{}", request.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_names_a_bucket_where_it_is_under_localhost() {
        let bucket = |name: &str| Some(Named::Bucket(name.to_owned()));
        for (host, wanted) in [
            ("s3.localhost", Some(Named::Service)),
            ("s3.eu-west-1.localhost", Some(Named::Service)),
            ("box.localhost", bucket("box")),
            ("BOX.s3.localhost", bucket("box")),
            ("my.box.s3.us-east-1.localhost", bucket("my.box")),
            ("localhost", None),
            (".localhost", None),
            ("a..localhost", None),
            ("a_b.localhost", None),
            ("box.localhost.evil.example", None),
            ("abc.lambda-url.us-east-1.localhost", None),
        ] {
            assert_eq!(named(host), wanted, "{host}");
        }
    }
}

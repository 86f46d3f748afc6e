//! `PutObject`, by hand: the one S3 call that wavegate makes, streamed from disk.
//!
//! The whole S3 SDK for one call costs more build time than all the rest of this crate; the
//! request is a signed PUT. Invariants: the body is hashed before it is sent and the hash is
//! signed, so a file that changes in between is refused by S3; success is a 200 with an `ETag`.
//! Deliberately absent: multipart uploads (Lambda takes 250 MB unzipped at most, one PUT takes
//! 5 GB), encryption settings and ACLs: the bucket's own defaults hold.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use sha2::{Digest, Sha256};
use wavegate_engine::ports::{CloudError, FaultKind};

use crate::fault::{Answer, from_answer, from_transport, plain, unreadable};
use crate::settings::Timeouts;
use crate::transport::Transport;

const OPERATION: &str = "PutObject";

/// How much of the file is read at a time.
const CHUNK: usize = 64 * 1024;

/// S3, as far as packages need it.
pub(crate) struct ArtifactStore {
    /// A custom endpoint, which is spoken to with the bucket in the path; `None` is AWS.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
    pub(crate) fips: bool,
    pub(crate) dual_stack: bool,
    pub(crate) credentials: Option<SharedCredentialsProvider>,
    pub(crate) time: SharedTimeSource,
    pub(crate) transport: Transport,
    pub(crate) timeouts: Timeouts,
}

impl fmt::Debug for ArtifactStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArtifactStore")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl ArtifactStore {
    /// Sends the file; the object is there, whole, when this answers.
    pub(crate) async fn put(&self, bucket: &str, key: &str, file: &Path) -> Result<(), CloudError> {
        let url = self.url(bucket, key)?;
        let digest = digest(file.to_owned()).await?;
        let send = async {
            let keys = self.keys().await?;
            let mut request = self.request(&url, &digest, &keys)?;
            *request.body_mut() = body(file).await?;
            let settings =
                HttpConnectorSettings::builder().connect_timeout(self.timeouts.connect).build();
            let answer = self.transport.connector(&settings).call(request).await;
            judge(&answer.map_err(|e| from_transport(OPERATION, &e, FaultKind::Unknown))?)
        };
        match tokio::time::timeout(self.timeouts.package, send).await {
            Ok(outcome) => outcome,
            Err(_) => Err(plain(OPERATION, FaultKind::Unknown, "no answer before the deadline")),
        }
    }

    async fn keys(&self) -> Result<Credentials, CloudError> {
        let Some(provider) = &self.credentials else {
            let text = "no usable AWS credentials: no provider is configured";
            return Err(plain(OPERATION, FaultKind::Credentials, text));
        };
        let keys = provider.provide_credentials().await;
        keys.map_err(|error| from_transport(OPERATION, &error, FaultKind::Credentials))
    }

    /// The object's URL: the bucket in the host at AWS, in the path elsewhere.
    fn url(&self, bucket: &str, key: &str) -> Result<String, CloudError> {
        if !is_bucket_name(bucket) {
            let text = format!("`{bucket}` is not a bucket name");
            return Err(plain(OPERATION, FaultKind::Invalid, &text));
        }
        // `.` and `..` as segments would be normalised away by some of what stands in between.
        if key.is_empty() || key.len() > 1024 || key.split('/').any(|s| matches!(s, "." | "..")) {
            let text = format!("`{key}` is not a usable object key");
            return Err(plain(OPERATION, FaultKind::Invalid, &text));
        }
        let key = percent_encoded(key);
        if let Some(endpoint) = &self.endpoint {
            return Ok(format!("{endpoint}/{bucket}/{key}"));
        }
        let service = if self.fips { "s3-fips" } else { "s3" };
        let stack = if self.dual_stack { ".dualstack" } else { "" };
        let host = format!("{service}{stack}.{}.{}", self.region, domain(&self.region));
        // A wildcard certificate covers one label: a bucket name with dots cannot be in the host.
        if bucket.contains('.') {
            Ok(format!("https://{host}/{bucket}/{key}"))
        } else {
            Ok(format!("https://{bucket}.{host}/{key}"))
        }
    }

    /// The signed request, without its body.
    fn request(
        &self,
        url: &str,
        digest: &FileDigest,
        keys: &Credentials,
    ) -> Result<HttpRequest, CloudError> {
        let refuse = |error: &(dyn std::error::Error + 'static)| {
            from_transport(OPERATION, error, FaultKind::Invalid)
        };
        let length = digest.bytes.to_string();
        let headers = [("content-length", length.as_str()), ("content-type", "application/zip")];
        let identity = Identity::from(keys.clone());
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(self.time.now())
            .settings(settings)
            .build()
            .map_err(|error| refuse(&error))?
            .into();
        let payload = SignableBody::Precomputed(digest.sha256.clone());
        let signable = SignableRequest::new("PUT", url, headers.into_iter(), payload)
            .map_err(|error| refuse(&error))?;
        let signed = sign(signable, &params).map_err(|error| refuse(&error))?.into_parts().0;

        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_method("PUT").map_err(|error| refuse(&error))?;
        request.set_uri(url).map_err(|error| refuse(&error))?;
        for (name, value) in headers {
            request.headers_mut().insert(name, value.to_owned());
        }
        for (name, value) in signed.headers() {
            request.headers_mut().insert(name.to_owned(), value.to_owned());
        }
        Ok(request)
    }
}

/// What is signed about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileDigest {
    /// SHA-256 in lower-case hexadecimal.
    sha256: String,
    bytes: u64,
}

async fn digest(file: PathBuf) -> Result<FileDigest, CloudError> {
    let hash = move || -> std::io::Result<FileDigest> {
        let mut source = std::fs::File::open(&file)?;
        let mut chunk = vec![0; CHUNK];
        let mut hasher = Sha256::new();
        let mut bytes = 0;
        loop {
            match source.read(&mut chunk)? {
                0 => break,
                read => {
                    hasher.update(&chunk[..read]);
                    bytes += read as u64;
                }
            }
        }
        let sha256 = hex(&hasher.finalize());
        Ok(FileDigest { sha256, bytes })
    };
    // Hashing 250 MB on the runtime's own threads would hold up heartbeats.
    let hashed = tokio::task::spawn_blocking(hash).await.map_err(std::io::Error::other);
    hashed.and_then(|outcome| outcome).map_err(|error| unreadable_file(&error))
}

async fn body(file: &Path) -> Result<SdkBody, CloudError> {
    let stream = ByteStream::read_from().path(file).buffer_size(CHUNK).build().await;
    stream.map(ByteStream::into_inner).map_err(|error| unreadable_file(&error))
}

fn unreadable_file(error: &(dyn std::error::Error + 'static)) -> CloudError {
    let mut fault = from_transport(OPERATION, error, FaultKind::Invalid);
    fault.message = format!("the package cannot be read: {}", fault.message);
    fault
}

/// S3 answers a stored object with its entity tag; anything else is not S3's success.
fn judge(answer: &HttpResponse) -> Result<(), CloudError> {
    let status = answer.status().as_u16();
    if status == 200 && answer.headers().get("etag").is_some() {
        return Ok(());
    }
    if answer.status().is_success() {
        return Err(unreadable(OPERATION, "no ETag"));
    }
    let text = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    let (code, message) = (element(&text, "Code"), element(&text, "Message"));
    Err(from_answer(
        OPERATION,
        &Answer {
            status,
            headers: answer.headers(),
            code: code.as_deref(),
            message: message.as_deref(),
        },
    ))
}

/// The text of the first element of that name. S3's errors are flat and have no attributes there.
pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    Some(plain.replace("&apos;", "'").replace("&amp;", "&"))
}

/// The rule for bucket names that can be part of a host name.
/// Source: the naming rules of general-purpose buckets.
fn is_bucket_name(bucket: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = bucket.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|b| legal(*b))
        && ends(bytes.first())
        && ends(bytes.last())
        && !bucket.contains("..")
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

/// Percent-encodes everything but unreserved characters and `/`, as S3's signature wants it.
fn percent_encoded(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                encoded.push_str(&hex(&[byte]).to_ascii_uppercase());
            }
        }
    }
    encoded
}

/// The domain of the partition that a region belongs to.
/// Source: the partitions file that all AWS SDKs share.
fn domain(region: &str) -> &'static str {
    const PARTITIONS: [(&str, &str); 6] = [
        ("cn-", "amazonaws.com.cn"),
        ("us-iso-", "c2s.ic.gov"),
        ("us-isob-", "sc2s.sgov.gov"),
        ("us-isof-", "csp.hci.ic.gov"),
        ("eu-isoe-", "cloud.adc-e.uk"),
        ("eusc-", "amazonaws.eu"),
    ];
    let own = PARTITIONS.iter().find(|(prefix, _)| region.starts_with(prefix));
    own.map_or("amazonaws.com", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use aws_smithy_async::time::StaticTimeSource;

    use super::*;
    use crate::transport::Reach;

    fn store(endpoint: Option<&str>, region: &str) -> ArtifactStore {
        ArtifactStore {
            endpoint: endpoint.map(str::to_owned),
            region: region.to_owned(),
            fips: false,
            dual_stack: false,
            credentials: None,
            time: SharedTimeSource::new(StaticTimeSource::from_secs(1_369_353_600)),
            transport: Transport::new(Reach::Loopback),
            timeouts: Timeouts::default(),
        }
    }

    #[test]
    fn the_bucket_is_in_the_host_at_aws_and_in_the_path_elsewhere() {
        for (endpoint, region, bucket, key, url) in [
            (
                None,
                "eu-west-1",
                "b-1",
                "a/ä b+.zip",
                "https://b-1.s3.eu-west-1.amazonaws.com/a/%C3%A4%20b%2B.zip",
            ),
            (None, "cn-north-1", "b-1", "k", "https://b-1.s3.cn-north-1.amazonaws.com.cn/k"),
            (None, "eu-west-1", "b.1", "k", "https://s3.eu-west-1.amazonaws.com/b.1/k"),
            (Some("http://127.0.0.1:9"), "eu-west-1", "b-1", "k", "http://127.0.0.1:9/b-1/k"),
        ] {
            assert_eq!(store(endpoint, region).url(bucket, key).unwrap(), url);
        }
        for (bucket, key) in [
            ("evil.com/x", "k"),
            ("a", "k"),
            ("-aa", "k"),
            ("A-b-c", "k"),
            ("a..b", "k"),
            ("bucket", ""),
            ("bucket", "a/../b"),
        ] {
            let error = store(None, "eu-west-1").url(bucket, key).unwrap_err();
            assert_eq!(error.kind, FaultKind::Invalid, "{bucket} {key}");
        }
    }

    /// Goal: the signature is S3's, not merely some signature. Method: the PUT example of the
    /// "Authenticating Requests" chapter of S3's documentation has other headers, so the canonical
    /// request is rebuilt here by hand and signed with the crate's own primitives.
    #[test]
    fn the_signature_covers_hash_time_and_session_token() {
        let keys =
            Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "test");
        let digest = FileDigest { sha256: "ab".repeat(32), bytes: 5 };
        let store = store(None, "us-east-1");
        let url = store.url("bucket", "a b").unwrap();
        let request = store.request(&url, &digest, &keys).unwrap();
        let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
        assert_eq!(header("x-amz-content-sha256"), "ab".repeat(32));
        assert_eq!(header("x-amz-date"), "20130524T000000Z");
        assert_eq!(header("x-amz-security-token"), "token");

        let names =
            "content-length;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
        let canonical = format!(
            "PUT\n/a%20b\n\ncontent-length:5\ncontent-type:application/zip\n\
             host:bucket.s3.us-east-1.amazonaws.com\nx-amz-content-sha256:{hash}\n\
             x-amz-date:20130524T000000Z\nx-amz-security-token:token\n\n{names}\n{hash}",
            hash = digest.sha256,
        );
        let hash = hex(&Sha256::digest(canonical.as_bytes()));
        let scope = "20130524/us-east-1/s3/aws4_request";
        let to_sign = format!("AWS4-HMAC-SHA256\n20130524T000000Z\n{scope}\n{hash}");
        let key = v4::generate_signing_key("secret", store.time.now(), "us-east-1", "s3");
        let signature = v4::calculate_signature(key, to_sign.as_bytes());
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, \
             Signature={signature}"
        );
        assert_eq!(header("authorization"), expected);
    }

    #[test]
    fn errors_of_s3_are_read() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>a &lt;b&gt; &amp;lt;</Message></Error>";
        assert_eq!(element(xml, "Code").as_deref(), Some("NoSuchBucket"));
        assert_eq!(element(xml, "Message").as_deref(), Some("a <b> &lt;"));
        assert_eq!(element("<Code>open", "Code"), None);
    }
}

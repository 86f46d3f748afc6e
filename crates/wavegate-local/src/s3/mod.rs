//! S3 as far as artifacts need it: buckets, objects with their metadata, checksums, tags and versions,
//! listings and uploads in parts, with the bucket in the path or in the host.
//!
//! What an operation takes and gives stands in AWS's model; the bodies of objects never go through its
//! tree. Contents are files, and what is known of them is in an SQLite file beside them ([`store`]).
//!
//! Invariants:
//! - contents are written and read as they come and go ([`receive`], [`send`]): nothing grows with them;
//! - an object is always whole, with the MD5 and the checksum of what it holds.
//!
//! What is set for a bucket as a whole, and who is granted something, is kept and shown ([`settings`],
//! [`grants`]). Deliberately absent: that any of it is applied, encryption with keys of the client's, and locks
//! of single objects. Signatures are not verified, here as everywhere.

mod address;
mod attributes;
mod buckets;
mod checksum;
mod chunks;
mod complete;
mod conditions;
mod copy;
mod delete;
mod grants;
mod listing;
mod objects;
mod parts;
mod presigned;
mod ranges;
mod receive;
mod refusal;
mod route;
mod rows;
mod send;
mod settings;
mod show;
mod store;
mod tags;
#[cfg(test)]
mod tests;
mod uploads;
mod versions;
mod words;

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

pub(crate) use address::is_host;
pub(crate) use route::is_request;
pub(crate) use store::Objects;

use self::receive::{Announced, Given};
use self::refusal::Refusal;
use crate::cloud::Cloud;
use crate::iam;
use crate::wire::model::S3;
use crate::wire::{Answer, Fault, Output, Request, Route};

/// What an operation is asked, beside a content.
#[derive(Debug, Clone, Copy)]
struct Call<'a> {
    /// When.
    now_ms: i64,
    /// Where the cloud is.
    region: &'a str,
    /// Who asks.
    account: &'a str,
    /// Where the client found it: `http://HOST:PORT`.
    origin: &'a str,
    /// The members by the names of AWS's model.
    input: &'a Map<String, Value>,
}

impl<'a> Call<'a> {
    /// A member that is a text.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.input.get(name).and_then(Value::as_str)
    }

    /// A member that is a number.
    fn number(&self, name: &str) -> Option<i64> {
        self.input.get(name).and_then(Value::as_i64)
    }

    /// The bucket that is meant.
    fn bucket(&self) -> &'a str {
        self.text("Bucket").unwrap_or_default()
    }

    /// The key that is meant.
    fn key(&self) -> &'a str {
        self.text("Key").unwrap_or_default()
    }
}

/// An answer, and what its operation gives beside its model.
#[derive(Debug)]
struct Done {
    output: Output,
    /// If it is another one than the model's.
    status: Option<u16>,
    /// Headers that the model has not.
    headers: Vec<(String, String)>,
    /// The bytes of a file that are its body.
    content: Option<(File, Range<u64>)>,
}

impl Done {
    fn of(members: Value) -> Self {
        Self { output: Output::of(members), status: None, headers: Vec::new(), content: None }
    }
}

/// Answers a request whose body was not read yet.
pub(crate) async fn answer(
    cloud: &Arc<Cloud>,
    mut request: Request,
    mut body: Body,
    request_id: &str,
) -> Answer {
    let is_head = request.method == "HEAD";
    let waits = request.header("expect").is_some();
    address::into_path(&mut request);
    presigned::into_headers(&mut request);
    route::forget_empty_numbers(&mut request);
    let route = route::of(&request);
    cloud.count(&format!("s3:{}", route.name()));
    let done = perform(cloud, &route, request, &mut body).await;
    let is_left = !receive::end(body, waits).await;
    let mut answer = match done {
        Ok(done) => accept(&route, done, is_head, request_id),
        // AWS: an answer to HEAD has no place for words.
        Err(refusal) if is_head => {
            let answer = Answer::empty(refusal.fault.status(&S3));
            Answer { headers: refusal.headers, ..answer }
        }
        Err(Refusal { fault, headers }) => {
            let fault = fault.with("HostId", host_id(request_id));
            let mut answer = route.answer(Err(fault), request_id);
            answer.headers.extend(headers);
            answer
        }
    };
    if is_left {
        answer = answer.with_header("connection", "close");
    }
    with_ids(answer, request_id)
}

/// Refuses a request whose signature is for no region.
pub(crate) fn refuse_region(request: &Request, expected: &str, request_id: &str) -> Answer {
    let region = request.signed_region().unwrap_or_default();
    let wrong = format!("the region '{region}' is wrong; expecting '{expected}'");
    let fault = if request.header("authorization").is_some() {
        let message = format!("The authorization header is malformed; {wrong}");
        Fault::front(400, "AuthorizationHeaderMalformed", message)
    } else {
        let message = format!("Error parsing the X-Amz-Credential parameter; {wrong}");
        Fault::front(400, "AuthorizationQueryParametersError", message)
    };
    let fault = fault.with("Region", expected).with("HostId", host_id(request_id));
    with_ids(Route::to(&S3, "", Vec::new()).answer(Err(fault), request_id), request_id)
}

/// Adds what all answers of S3 have in their head.
fn with_ids(answer: Answer, request_id: &str) -> Answer {
    answer
        .with_header("x-amz-request-id", request_id)
        .with_header("x-amz-id-2", host_id(request_id))
        .with_header("server", "AmazonS3")
}

/// The second id of a request, by which AWS finds the host that answered.
fn host_id(request_id: &str) -> String {
    STANDARD.encode(request_id)
}

fn accept(route: &Route, mut done: Done, is_head: bool, request_id: &str) -> Answer {
    if route.name() == "GetBucketLocation" {
        // The one answer whose root is the member itself; none stands for us-east-1.
        let region = done.output.members.remove("LocationConstraint").unwrap_or_default();
        let namespace = &S3.xml_namespace;
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"{namespace}\"{}",
            match region.as_str() {
                Some(region) => format!(">{region}</LocationConstraint>"),
                None => "/>".to_owned(),
            }
        );
        return Answer::empty(200).with_body("application/xml", text);
    }
    let mut answer = route.answer(Ok(done.output), request_id);
    if route.name() == "HeadBucket" {
        answer = answer.with_header("content-type", "application/xml");
    }
    answer.status = done.status.unwrap_or(answer.status);
    answer.headers.extend(done.headers);
    if let Some((file, range)) = done.content.filter(|_| !is_head) {
        answer.stream = Some(send::stream(file, range));
    }
    answer
}

/// A request as it goes off the async threads.
#[derive(Debug)]
struct Asked {
    cloud: Arc<Cloud>,
    origin: String,
    input: Map<String, Value>,
}

impl Asked {
    fn objects(&self) -> &Objects {
        &self.cloud.shared.objects
    }

    fn call(&self) -> Call<'_> {
        Call {
            now_ms: self.cloud.shared.clock.now_ms(),
            region: &self.cloud.home.region,
            account: &self.cloud.home.account,
            origin: &self.origin,
            input: &self.input,
        }
    }
}

async fn perform(
    cloud: &Arc<Cloud>,
    route: &Route,
    mut request: Request,
    body: &mut Body,
) -> Result<Done, Refusal> {
    let Some(operation) = route.operation else { return Err(absent(cloud, route, &request).await) };
    let operation = operation.name.as_str();
    presigned::check(&request)?;
    let announced = Announced::of(&mut request, operation)?;
    let origin = format!("http://{}", request.header("host").unwrap_or_default());
    let asked = |input| Arc::new(Asked { cloud: Arc::clone(cloud), origin, input });
    if !matches!(operation, "PutObject" | "UploadPart") {
        request.body = receive::small(body, announced).await?;
        let asked = asked(decode(cloud, route, &request)?);
        return blocking(move || asked.objects().perform(&asked.call(), operation, None)).await;
    }
    // Whatever can be refused is refused before the content comes.
    let asked = asked(decode(cloud, route, &request)?);
    let admitted = Arc::clone(&asked);
    let admit = move || admitted.objects().admit(&admitted.call(), announced);
    let (intake, content) = blocking(admit).await?;
    let (_, received) = receive::receive(body, intake).await?;
    let given = Some(Given { content, received });
    blocking(move || asked.objects().perform(&asked.call(), operation, given)).await
}

/// The refusal of an operation that is not offered. AWS: what is not there has nothing that could be missing.
async fn absent(cloud: &Arc<Cloud>, route: &Route, request: &Request) -> Refusal {
    let bucket = request.segments().first().cloned().unwrap_or_default();
    if !bucket.is_empty() {
        let cloud = Arc::clone(cloud);
        let look = move || buckets::bucket(&cloud.shared.objects.index(), &bucket);
        if let Err(refusal) = blocking(look).await {
            return refusal;
        }
    }
    let message = format!("The local cloud's S3 does not offer {}", route.name());
    Fault::front(501, "NotImplemented", message).into()
}

/// What a request asks, if that is allowed.
fn decode(cloud: &Cloud, route: &Route, request: &Request) -> Result<Map<String, Value>, Refusal> {
    let input = route.decode(request).map_err(|fault| match fault.code.as_str() {
        "SerializationException" => Fault::front(400, "InvalidArgument", fault.message),
        _ => fault,
    })?;
    let operation = input.operation.name.as_str();
    if let Some(why) = cloud.refusal(request, &iam::of_objects(operation, &input.members)) {
        return Err(Fault::front(403, "AccessDenied", why).into());
    }
    Ok(input.members)
}

/// Does what waits for the disk off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Refusal::internal("the object store failed")))
}

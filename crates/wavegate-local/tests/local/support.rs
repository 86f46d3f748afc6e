//! A small raw HTTP client and packages, so that nothing of the cloud's own code speaks for it.

use std::io::{Cursor, Write as _};
use std::path::Path;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use wavegate_local::{LocalCloud, Options};

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/r";

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Status, error type and message.
    pub(crate) fn error(&self) -> (u16, String, String) {
        let kind = self.header("x-amzn-errortype").unwrap_or_default().to_owned();
        let body = self.json();
        // The errors of Lambda's model differ in it, as on AWS.
        let message = body["message"].as_str().or(body["Message"].as_str());
        (self.status, kind, message.unwrap_or_default().to_owned())
    }
}

/// One kept-alive connection.
pub(crate) struct Client {
    host: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(crate) async fn connect(url: &str) -> Self {
        let host = url.strip_prefix("http://").unwrap().to_owned();
        let stream = TcpStream::connect(&host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { host, sender }
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let (parts, body) = self.open(method, path, headers, body).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// An answer whose body is still to come.
    pub(crate) async fn open(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", &self.host);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        self.sender.ready().await.unwrap();
        self.sender.send_request(request).await.unwrap()
    }

    pub(crate) async fn call(&mut self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, &format!("/2015-03-31/functions{path}"), &[], body).await
    }

    /// Creates a function and waits until it is active.
    pub(crate) async fn create(&mut self, name: &str, runtime: &str, files: &[(&str, &str)]) {
        self.create_with(name, runtime, files, json!({})).await;
    }

    pub(crate) async fn create_with<T: AsRef<[u8]>>(
        &mut self,
        name: &str,
        runtime: &str,
        files: &[(&str, T)],
        more: Value,
    ) {
        let handler = if runtime.starts_with("node") { "index.handler" } else { "app.handler" };
        let mut input = json!({
            "FunctionName": name, "Runtime": runtime, "Role": ROLE, "Handler": handler,
            "Code": { "ZipFile": base64(&package(files)) },
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.call("POST", "", input).await;
        assert_eq!(made.status, 201, "{}", made.json());
        self.settled(name).await;
    }

    /// Waits until creation and updates are done, by asking again: virtual time is fast in tests.
    pub(crate) async fn settled(&mut self, name: &str) -> Value {
        loop {
            let shown = self.call("GET", &format!("/{name}"), Value::Null).await.json();
            let shown = shown["Configuration"].clone();
            if shown["State"] == "Active" && shown["LastUpdateStatus"] == "Successful" {
                return shown;
            }
        }
    }

    pub(crate) async fn update_code(&mut self, name: &str, files: &[(&str, &str)]) {
        let input = json!({ "ZipFile": base64(&package(files)) });
        assert_eq!(self.call("PUT", &format!("/{name}/code"), input).await.status, 200);
        self.settled(name).await;
    }

    pub(crate) async fn publish(&mut self, name: &str) -> String {
        let version = self.call("POST", &format!("/{name}/versions"), json!({})).await;
        assert_eq!(version.status, 201, "{}", version.json());
        version.json()["Version"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn invoke(&mut self, name: &str, event: Value) -> Answer {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        self.send("POST", &path, &[("x-amz-log-type", "Tail")], event.to_string()).await
    }

    /// The whole log of a function, over all its environments.
    pub(crate) fn written(directory: &Path, function: &str) -> String {
        let files = std::fs::read_dir(directory.join("logs").join(function)).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    pub(crate) async fn status(&mut self) -> Value {
        self.send("GET", "/_wavegate/status", &[], "").await.json()
    }
}

/// A cloud whose virtual time runs a thousand times as fast, so that settling takes a millisecond.
pub(crate) fn options(directory: &Path) -> Options {
    Options { time_scale: 1000.0, seed: Some(7), ..Options::new(directory) }
}

pub(crate) async fn start(directory: &Path) -> (LocalCloud, Client) {
    let cloud = LocalCloud::start(options(directory)).await.unwrap();
    let client = Client::connect(cloud.url()).await;
    (cloud, client)
}

/// A zip; files named `bootstrap` are executable.
pub(crate) fn package<T: AsRef<[u8]>>(files: &[(&str, T)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        let mode = if name.ends_with("bootstrap") { 0o755 } else { 0o644 };
        let options = zip::write::SimpleFileOptions::default().unix_permissions(mode);
        zip.start_file(*name, options).unwrap();
        zip.write_all(text.as_ref()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub(crate) fn unbase64(text: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    String::from_utf8(bytes).unwrap()
}

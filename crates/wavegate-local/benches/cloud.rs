//! What the local cloud costs: invocations of functions that are warm and cold, calls of the control
//! plane, and memory with many functions.
//!
//! `cargo bench -p wavegate-local`. A warm invocation of a no-op in Python is meant to stay under 1.5 ms at
//! the median, a cold start under 50 ms beside what the interpreter takes itself, calls that read at
//! several thousand a second, and 200 functions under 100 MB beside their processes. What was seen in
//! November 2026 on two cores of a shared virtual machine, with other builds running, Python 3.11 and
//! AWS's own runtime client: 0.8 ms; 30 ms of which the interpreter takes 28; 5 500 a second over one
//! connection, 2 200 where state is written; 36 MB.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use divan::Bencher;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wavegate_local::{LocalCloud, Options};

const FUNCTIONS: &str = "/2015-03-31/functions";
const MANY: usize = 200;

fn main() {
    divan::main();
    memory();
}

/// A cloud, and one connection to it.
struct Bench {
    connection: Mutex<BufReader<TcpStream>>,
    host: String,
    cloud: Option<LocalCloud>,
    runtime: Runtime,
    _directory: TempDir,
}

impl Bench {
    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let directory = TempDir::new().expect("a directory");
        // Fast virtual time: creations are done at once.
        let options = Options { time_scale: 1000.0, ..Options::new(directory.path()) };
        let cloud = runtime.block_on(LocalCloud::start(options)).expect("a cloud");
        let host = cloud.url().trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        Self {
            connection: Mutex::new(BufReader::new(stream)),
            host,
            cloud: Some(cloud),
            runtime,
            _directory: directory,
        }
    }

    /// Sends a request; the answer's body.
    fn call(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let mut connection = self.connection.lock().expect("one thread");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        connection.get_mut().write_all(request.as_bytes()).expect("a request");
        let mut length = 0;
        loop {
            let mut line = String::new();
            connection.read_line(&mut line).expect("an answer");
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).expect("a body");
        body
    }

    fn create(&self, name: &str) {
        let code = STANDARD.encode(package(name));
        let input = format!(
            "{{\"FunctionName\":\"{name}\",\"Runtime\":\"python3.13\",\"Handler\":\"app.handler\",\
             \"Role\":\"arn:aws:iam::000000000000:role/r\",\"Code\":{{\"ZipFile\":\"{code}\"}}}}"
        );
        self.call("POST", FUNCTIONS, &input);
        let path = format!("{FUNCTIONS}/{name}");
        let is_active = |shown: &[u8]| shown.windows(8).any(|bytes| bytes == b"\"Active\"");
        while !is_active(&self.call("GET", &path, "")) {}
    }

    fn invoke(&self, name: &str) {
        let answer = self.call("POST", &format!("{FUNCTIONS}/{name}/invocations"), "{}");
        assert_eq!(answer, b"1");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(cloud) = self.cloud.take() {
            self.runtime.block_on(cloud.shutdown());
        }
    }
}

/// A no-op, different for every name.
fn package(name: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("app.py", zip::write::SimpleFileOptions::default()).expect("a zip");
    let code = format!("# {name}\ndef handler(event, context): return 1\n");
    zip.write_all(code.as_bytes()).expect("a zip");
    zip.finish().expect("a zip").into_inner()
}

#[divan::bench(sample_count = 500)]
fn warm_invocation(bencher: Bencher<'_, '_>) {
    let bench = Bench::start();
    bench.create("fn");
    bench.invoke("fn");
    bencher.bench_local(|| bench.invoke("fn"));
}

#[divan::bench(sample_count = 20)]
fn cold_start_to_first_answer(bencher: Bencher<'_, '_>) {
    let bench = Bench::start();
    let mut number = 0;
    bencher
        .with_inputs(|| {
            number += 1;
            let name = format!("fn{number}");
            bench.create(&name);
            name
        })
        .bench_local_values(|name| bench.invoke(&name));
}

/// What of a cold start is the interpreter's own.
#[divan::bench(sample_count = 20)]
fn interpreter_alone(bencher: Bencher<'_, '_>) {
    let import = "import importlib.util as u, sys\n\
                  if u.find_spec('awslambdaric'): import awslambdaric.bootstrap\n\
                  else: import http.client, importlib, json, logging, socket, traceback";
    bencher.bench_local(|| {
        let run = std::process::Command::new("python3").args(["-c", import]).status();
        assert!(run.is_ok_and(|status| status.success()));
    });
}

#[divan::bench(sample_count = 1000)]
fn call_that_reads(bencher: Bencher<'_, '_>) {
    let bench = Bench::start();
    bench.create("fn");
    bencher.bench_local(|| bench.call("GET", &format!("{FUNCTIONS}/fn"), ""));
}

#[divan::bench(sample_count = 300)]
fn call_that_writes(bencher: Bencher<'_, '_>) {
    let bench = Bench::start();
    bench.create("fn");
    bench.call("POST", &format!("{FUNCTIONS}/fn/versions"), "{}");
    let alias = "{\"Name\":\"live\",\"FunctionVersion\":\"1\"}";
    bench.call("POST", &format!("{FUNCTIONS}/fn/aliases"), alias);
    let path = format!("{FUNCTIONS}/fn/aliases/live");
    bencher.bench_local(|| bench.call("PUT", &path, "{\"FunctionVersion\":\"1\"}"));
}

/// Says what this process needs with many functions that have all run once.
#[expect(clippy::print_stdout, reason = "this is a program, not the library")]
fn memory() {
    let bench = Bench::start();
    for number in 0..MANY {
        let name = format!("fn{number}");
        bench.create(&name);
        bench.invoke(&name);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let used = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or(" unknown");
    println!("memory with {MANY} functions:{used}");
}

//! The real `wavegate` binary as a user runs it: in a directory of its own, with next to nothing in
//! its environment, watched through its event stream and stopped with real signals.
//!
//! Invariants: nothing waits by sleeping (a wait blocks on output or on the end of a process, up to
//! a limit); no process outlives the value that stands for it; a test that fails shows all that the
//! process said. `WAVEGATE_BIN` names a binary that was built before; without it, it is built once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::library::binary;

/// How long anything may take: far more than it needs, so that a busy machine fails no test.
pub const LIMIT: Duration = Duration::from_secs(150);

/// How long the output of a process that has ended may stay open: a child of its own may hold it.
const LAST_OUTPUT: Duration = Duration::from_secs(5);

/// The binary.
///
/// # Panics
/// If it cannot be built.
pub fn wavegate() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("WAVEGATE_BIN").map_or_else(binary, PathBuf::from))
}

/// The repository.
///
/// # Panics
/// If this package does not lie in it.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the repository")
}

/// Whether a tool that tests can do without is here. Where it is not, the test says so and why that
/// matters, and fails if `CI` is set: there everything must be tried.
///
/// # Panics
/// If it is not here and `CI` is set.
pub fn has_tool(name: &str, probe: &[&str]) -> bool {
    let (program, arguments) = probe.split_first().expect("a program");
    let ran = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !ran {
        let words =
            format!("skipped: `{}` does not work here, so {name} is not tried", probe.join(" "));
        assert!(std::env::var_os("CI").is_none(), "{words}");
        let _ = writeln!(std::io::stderr(), "{words}");
    }
    ran
}

/// When something must have happened.
#[derive(Debug, Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn after(limit: Duration) -> Self {
        Self(Self::now() + limit)
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Self::now())
    }

    #[expect(clippy::disallowed_methods, reason = "limits are for real processes, in real time")]
    fn now() -> Instant {
        Instant::now()
    }
}

/// A directory with an app in it, and a home that is empty.
#[derive(Debug)]
pub struct Project {
    dir: TempDir,
    variables: BTreeMap<String, String>,
}

impl Default for Project {
    fn default() -> Self {
        Self::new()
    }
}

impl Project {
    /// An empty one.
    ///
    /// # Panics
    /// If there is no place for it.
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("wavegate-e2e-").expect("a temporary directory");
        let project = Self { dir, variables: BTreeMap::new() };
        std::fs::create_dir_all(project.home()).expect("a home");
        std::fs::create_dir_all(project.path("")).expect("a directory");
        project
    }

    /// The repository's own: its deploy.toml and its examples, as they are.
    ///
    /// # Panics
    /// If they cannot be copied.
    pub fn of_the_repository() -> Self {
        let project = Self::new();
        std::fs::copy(repository().join("deploy.toml"), project.path("deploy.toml"))
            .expect("a deploy.toml");
        project.copy(&repository().join("examples"), "examples");
        project
    }

    /// Copies a directory to a place inside, but nothing that was made from what is in it.
    ///
    /// # Panics
    /// If it cannot be copied.
    pub fn copy(&self, from: &Path, relative: &str) {
        copy_tree(from, &self.path(relative));
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// A path inside.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join("app").join(relative)
    }

    /// A path outside of the app that goes away with it.
    pub fn outside(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Writes a file and the directories above it.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Reads a file.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn read(&self, relative: &str) -> String {
        let path = self.path(relative);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Replaces a text that stands in a file exactly once.
    ///
    /// # Panics
    /// If it does not.
    pub fn edit(&self, relative: &str, old: &str, new: &str) {
        let text = self.read(relative);
        assert_eq!(text.matches(old).count(), 1, "`{old}` in {relative}:\n{text}");
        self.write(relative, &text.replace(old, new));
    }

    /// Sets a variable for the commands from here on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Any program in this directory and with this environment.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path("")).env_clear().env("HOME", self.home());
        command.env("USER", "tester").env("LANG", "C.UTF-8");
        // The build machine's own configuration of AWS is none of the tests' business.
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(&self.variables);
        command
    }

    /// Runs `wavegate` to its end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.spawn(arguments).finish()
    }

    /// `deploy --yes --output json` to its end.
    pub fn deploy(&self) -> Finished {
        self.run(&DEPLOY)
    }

    /// Starts `deploy --yes --output json`.
    pub fn begin_deploy(&self) -> Running {
        self.spawn(&DEPLOY)
    }

    /// Starts `wavegate`.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(wavegate());
        command.args(arguments);
        Running::start(command)
    }

    /// Any other program to its end.
    pub fn tool(&self, program: &str, arguments: &[&str]) -> Finished {
        self.spawn_tool(program, arguments).finish()
    }

    /// Starts any other program.
    pub fn spawn_tool(&self, program: &str, arguments: &[&str]) -> Running {
        let mut command = self.command(program);
        command.args(arguments);
        Running::start(command)
    }

    /// Makes the manifest deploy to that cloud as to AWS: its state is none of this directory's.
    pub fn use_as_aws(&mut self, cloud: &Cloud) {
        self.set("AWS_ENDPOINT_URL", &cloud.url);
        self.set("AWS_ACCESS_KEY_ID", "wavegate");
        self.set("AWS_SECRET_ACCESS_KEY", "wavegate");
        self.set("AWS_REGION", "us-east-1");
        self.edit("deploy.toml", "target = \"local\"", "target = \"aws\"");
        let role = "role = \"arn:aws:iam::000000000000:role/mini\"";
        self.edit("deploy.toml", "[defaults]\n", &format!("[defaults]\n{role}\n"));
    }

    /// Starts `wavegate local start` with these arguments and waits until it listens.
    pub fn start_cloud(&self, arguments: &[&str]) -> LocalCloud {
        let all: Vec<&str> =
            ["local", "start", "--output", "json"].iter().chain(arguments).copied().collect();
        let mut running = self.spawn(&all);
        let told = running.wait("the url of the local cloud", |line| line["url"].is_string());
        let url = told["url"].as_str().unwrap_or_default().to_owned();
        LocalCloud { running, cloud: Cloud { url } }
    }

    /// The cloud that listens now, by what it wrote beside its state.
    ///
    /// # Panics
    /// If none does.
    pub fn cloud(&self) -> Cloud {
        let text = self.read(".wavegate/local/endpoint.json");
        let told: Value = serde_json::from_str(&text).expect("JSON");
        Cloud { url: told["url"].as_str().expect("a url").to_owned() }
    }

    /// What `status` says.
    pub fn status(&self) -> Status {
        Status(self.run(&["status", "--output", "json"]).expect(0).json())
    }

    /// The events of every recorded release, oldest release first.
    pub fn recordings(&self) -> Vec<Vec<Value>> {
        let listed = self.run(&["history", "--limit", "1000", "--output", "json"]).expect(0).json();
        let releases = listed["releases"].as_array().into_iter().flatten().rev();
        let ids = releases.filter_map(|release| release["id"].as_str());
        ids.map(|id| self.run(&["show", id, "--output", "json"]).expect(0).events).collect()
    }

    /// Everything that wavegate keeps beside the manifest, as bytes: for searches.
    pub fn kept(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(&self.path(".wavegate"))
    }
}

const DEPLOY: [&str; 4] = ["deploy", "--yes", "--output", "json"];

fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path, bytes));
        }
    }
    found
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        if name == ".wavegate" || name == "target" {
            continue;
        }
        if path.is_dir() {
            copy_tree(&path, &to.join(name));
        } else {
            // Permissions go along: a bootstrap stays executable.
            std::fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}

/// One line of output, or the end of the process.
enum News {
    Line(String),
    Talk(String),
    End(std::io::Result<ExitStatus>),
}

/// A process under way. It is killed when this goes away.
#[derive(Debug)]
pub struct Running {
    what: String,
    pid: Pid,
    news: Receiver<News>,
    stdout: String,
    stderr: String,
    events: Vec<Value>,
    /// How many events were looked at by waits.
    seen: usize,
    end: Option<ExitStatus>,
    last_output: Option<Deadline>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        // Its own group: a signal for it is not one for the tests.
        command.process_group(0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let what = format!("{command:?}");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        let (sender, news) = mpsc::channel();
        let out = child.stdout.take().expect("stdout");
        let err = child.stderr.take().expect("stderr");
        read_lines(out, sender.clone(), News::Line);
        read_lines(err, sender.clone(), News::Talk);
        wait_for_end(child, sender);
        Self {
            what,
            pid,
            news,
            stdout: String::new(),
            stderr: String::new(),
            events: Vec::new(),
            seen: 0,
            end: None,
            last_output: None,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Waits for an event (a line of JSON) that was not waited for before, in the order they came.
    ///
    /// # Panics
    /// If the process ends or the limit is over first.
    pub fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Deadline::after(LIMIT);
        loop {
            while self.seen < self.events.len() {
                self.seen += 1;
                let event = &self.events[self.seen - 1];
                if is_it(event) {
                    return event.clone();
                }
            }
            assert!(self.take(deadline), "no {what}\n{}", self.told());
        }
    }

    /// Waits for the event `kind` of `function`.
    pub fn wait_event(&mut self, kind: &str, function: &str) -> Value {
        let what = format!("event `{kind}` of `{function}`");
        self.wait(&what, |event| event["event"] == kind && event["function"] == function)
    }

    /// Waits until `function` takes `weight_bp` of the traffic.
    pub fn wait_weight(&mut self, function: &str, weight_bp: u64) -> Value {
        self.wait(&format!("weight {weight_bp} of `{function}`"), |event| {
            event["event"] == "weight"
                && event["function"] == function
                && event["actual_bp"] == weight_bp
        })
    }

    /// Waits for a line on stderr that contains a text.
    ///
    /// # Panics
    /// If the process ends or the limit is over first.
    pub fn wait_talk(&mut self, text: &str) {
        let deadline = Deadline::after(LIMIT);
        while !self.stderr.contains(text) {
            assert!(self.take(deadline), "no `{text}`\n{}", self.told());
        }
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If it cannot be sent.
    pub fn signal(&self, signal: Signal) {
        signal::kill(self.pid, signal).unwrap_or_else(|error| panic!("{}: {error}", self.what));
    }

    /// Ends it as a power cut would, and waits for the end.
    pub fn kill(self) -> Finished {
        self.signal(Signal::SIGKILL);
        self.finish()
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If the limit is over first.
    pub fn finish(mut self) -> Finished {
        let deadline = Deadline::after(LIMIT);
        while self.take(deadline) {}
        let Some(status) = self.end else { panic!("it does not end\n{}", self.told()) };
        Finished {
            what: std::mem::take(&mut self.what),
            code: status.code(),
            signal: status.signal(),
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
            events: std::mem::take(&mut self.events),
        }
    }

    /// Takes one piece of news; false if there is none in time or none to come.
    fn take(&mut self, deadline: Deadline) -> bool {
        match self.news.recv_timeout(self.last_output.unwrap_or(deadline).left()) {
            Ok(News::Line(line)) => {
                self.events
                    .extend(serde_json::from_str::<Value>(&line).ok().filter(Value::is_object));
                self.stdout.push_str(&line);
            }
            Ok(News::Talk(line)) => self.stderr.push_str(&line),
            Ok(News::End(status)) => {
                self.end = Some(status.expect("the process can be waited for"));
                self.last_output = Some(Deadline::after(LAST_OUTPUT));
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
        }
        true
    }

    fn told(&self) -> String {
        told(&self.what, self.end.map(|end| end.to_string()), &self.stdout, &self.stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.end.is_none() {
            let _ = signal::kill(self.pid, Signal::SIGKILL);
        }
    }
}

fn read_lines(from: impl Read + Send + 'static, to: Sender<News>, news: fn(String) -> News) {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            if to.send(news(String::from_utf8_lossy(&line).into_owned())).is_err() {
                return;
            }
            line.clear();
        }
    });
}

fn wait_for_end(mut child: Child, to: Sender<News>) {
    std::thread::spawn(move || {
        // Nobody listens when the test has ended already.
        let _ = to.send(News::End(child.wait()));
    });
}

fn told(what: &str, end: Option<String>, stdout: &str, stderr: &str) -> String {
    let end = end.unwrap_or_else(|| "still running".to_owned());
    format!("{what}\n{end}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
}

/// A process that has ended.
#[derive(Debug)]
pub struct Finished {
    what: String,
    /// Its exit code; absent if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// All that it said.
    pub stdout: String,
    /// All that it told.
    pub stderr: String,
    /// The lines of stdout that are JSON objects.
    pub events: Vec<Value>,
}

impl Finished {
    /// The same, if it ended with that exit code.
    ///
    /// # Panics
    /// If it did not.
    #[must_use]
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// All of stdout as one JSON value.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// Whether it said that code as its error.
    pub fn has_code(&self, code: &str) -> bool {
        self.stderr.contains(&format!("[{code}]")) || self.stderr.contains(&format!("{code}: "))
    }

    /// The events of one kind.
    pub fn of(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == kind).collect()
    }

    /// The events of one kind about one function.
    pub fn about(&self, kind: &str, function: &str) -> Vec<&Value> {
        self.of(kind).into_iter().filter(|event| event["function"] == function).collect()
    }

    /// The functions that events of that kind are about, in order.
    pub fn functions(&self, kind: &str) -> Vec<&str> {
        self.of(kind).into_iter().filter_map(|event| event["function"].as_str()).collect()
    }

    /// The last event.
    ///
    /// # Panics
    /// If the release did not end.
    #[track_caller]
    pub fn end(&self) -> &Value {
        let end = self.events.last().filter(|event| event["event"] == "finished");
        end.unwrap_or_else(|| panic!("the release did not end\n{self}"))
    }

    /// How the release ended.
    #[track_caller]
    pub fn outcome(&self) -> &str {
        self.end()["outcome"].as_str().unwrap_or_default()
    }

    /// The calls that the release made, by operation.
    #[track_caller]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        counts(&self.end()["calls"])
    }

    /// The latest word on what each version of a function served: requests and errors.
    pub fn served(&self, function: &str) -> BTreeMap<u64, (u64, u64)> {
        let told = self.about("traffic", function);
        let versions = told.last().and_then(|event| event["served"].as_object());
        let number = |value: &Value| value.as_u64().expect("a number");
        versions
            .into_iter()
            .flatten()
            .map(|(version, served)| {
                let version = version.parse().expect("a version");
                (version, (number(&served["invocations"]), number(&served["errors"])))
            })
            .collect()
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {signal:?}"),
        };
        f.write_str(&told(&self.what, Some(end), &self.stdout, &self.stderr))
    }
}

fn counts(calls: &Value) -> BTreeMap<String, u64> {
    let calls = calls.as_object().into_iter().flatten();
    calls.map(|(name, count)| (name.clone(), count.as_u64().expect("a count"))).collect()
}

/// What `status --output json` says.
#[derive(Debug, Clone)]
pub struct Status(pub Value);

impl Status {
    /// What it says of one function.
    ///
    /// # Panics
    /// If it says nothing of it.
    #[track_caller]
    pub fn function(&self, name: &str) -> &Value {
        let mut functions = self.0["functions"].as_array().into_iter().flatten();
        functions.find(|f| f["name"] == name).unwrap_or_else(|| panic!("no {name}: {}", self.0))
    }

    /// The version that the alias serves, if it has no second one.
    pub fn serves(&self, name: &str) -> Option<u64> {
        let function = self.function(name);
        function["extra"].is_null().then(|| function["version"].as_str()?.parse().ok())?
    }

    /// What every function serves.
    pub fn all(&self) -> BTreeMap<String, Option<u64>> {
        let functions = self.0["functions"].as_array().into_iter().flatten();
        let names = functions.filter_map(|function| function["name"].as_str());
        names.map(|name| (name.to_owned(), self.serves(name))).collect()
    }

    /// The lock's phase, or nothing before the first release.
    pub fn lock(&self) -> Option<&str> {
        self.0["lock"]["phase"].as_str()
    }
}

/// A local cloud of its own: `wavegate local start`.
#[derive(Debug)]
pub struct LocalCloud {
    running: Running,
    /// Where it listens.
    pub cloud: Cloud,
}

impl LocalCloud {
    /// Ends it as a power cut would.
    pub fn kill(self) -> Finished {
        self.running.kill()
    }

    /// Stops it as Ctrl-C does.
    pub fn stop(self) -> Finished {
        self.running.signal(Signal::SIGINT);
        self.running.finish()
    }
}

/// The answer to one request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none, or not an answer of success.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A client of a local cloud that knows only HTTP/1.1.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Cloud {
    /// One request.
    ///
    /// # Panics
    /// If it is not answered.
    pub fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        self.send_with(method, path, &[("content-type", kind)], body)
    }

    fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let address = self.url.strip_prefix("http://").expect("a plain url");
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n");
        request.push_str("connection: close\r\n");
        for (name, value) in headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        let _ = write!(request, "content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).expect("a request");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers: BTreeMap<String, String> = headers
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        assert!(!headers.contains_key("transfer-encoding"), "{text}");
        Answer { status: status.expect("a status"), headers, body: body.to_owned() }
    }

    /// What the cloud says of itself.
    pub fn status(&self) -> Value {
        self.send("GET", "/_wavegate/status", "application/json", "").json()
    }

    /// Calls that it has answered, by operation.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        counts(&self.status()["calls"])
    }

    /// `GetAlias`.
    pub fn alias(&self, function: &str, alias: &str) -> Answer {
        let path = format!("/2015-03-31/functions/{function}/aliases/{alias}");
        self.send("GET", &path, "application/json", "")
    }

    /// `UpdateAlias` with that body.
    pub fn update_alias(&self, function: &str, alias: &str, body: &Value) -> Answer {
        let path = format!("/2015-03-31/functions/{function}/aliases/{alias}");
        self.send("PUT", &path, "application/json", &body.to_string())
    }

    /// The numbers of the published versions of a function.
    pub fn versions(&self, function: &str) -> BTreeSet<u64> {
        let path = format!("/2015-03-31/functions/{function}/versions");
        let told = self.send("GET", &path, "application/json", "").json();
        let versions = told["Versions"].as_array().into_iter().flatten();
        versions.filter_map(|version| version["Version"].as_str()?.parse().ok()).collect()
    }

    /// A synchronous `Invoke` with an empty event.
    pub fn invoke(&self, function: &str, qualifier: &str) -> Answer {
        let path = format!("/2015-03-31/functions/{function}/invocations?Qualifier={qualifier}");
        self.send("POST", &path, "application/json", "{}")
    }

    /// An action of CloudWatch over its query protocol.
    ///
    /// # Panics
    /// If it is refused.
    pub fn cloudwatch(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        let mut body = format!("Action={action}&Version=2010-08-01");
        for (name, value) in parameters {
            let _ = write!(body, "&{name}={value}");
        }
        let answer = self.send("POST", "/", "application/x-www-form-urlencoded", &body);
        assert_eq!(answer.status, 200, "{action}: {answer:?}");
        answer
    }

    /// An action of CodeDeploy.
    ///
    /// # Panics
    /// If it is refused.
    pub fn codedeploy(&self, action: &str, input: &Value) -> Value {
        let target = format!("CodeDeploy_20141006.{action}");
        let headers = [("x-amz-target", &*target), ("content-type", "application/x-amz-json-1.1")];
        let answer = self.send_with("POST", "/", &headers, &input.to_string());
        assert_eq!(answer.status, 200, "{action}: {answer:?}");
        // Some actions answer with nothing.
        serde_json::from_str(&answer.body).unwrap_or_default()
    }

    /// An alarm that nothing but `SetAlarmState` moves for a long while: its metric has no data,
    /// and it is evaluated over a day.
    pub fn put_alarm(&self, name: &str) {
        self.cloudwatch(
            "PutMetricAlarm",
            &[
                ("AlarmName", name),
                ("Namespace", "wavegate-tests"),
                ("MetricName", "nothing"),
                ("Statistic", "Sum"),
                ("Period", "86400"),
                ("EvaluationPeriods", "1"),
                ("Threshold", "1"),
                ("ComparisonOperator", "GreaterThanThreshold"),
                ("TreatMissingData", "ignore"),
            ],
        );
    }

    /// Sets the state of an alarm: `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub fn set_alarm(&self, name: &str, state: &str) {
        self.cloudwatch(
            "SetAlarmState",
            &[("AlarmName", name), ("StateValue", state), ("StateReason", "test")],
        );
    }
}

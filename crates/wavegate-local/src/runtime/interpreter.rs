//! Which program runs a function: `python3`, `node`, or the package's own `bootstrap`.
//!
//! The official runtime client is used where it is at hand: `awslambdaric` if Python can import it,
//! `aws-lambda-ric` if it lies in the package. Otherwise the small clients of this module serve, so
//! that a fresh machine needs nothing but the interpreter.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::process::Command;
use tokio::sync::OnceCell;

use super::Job;
use super::view::View;
use crate::lambda::model::Configuration;
use crate::private;

const PYTHON_CLIENT: &str = include_str!("client.py");
const NODE_CLIENT: &str = include_str!("client.mjs");
/// AWS: names a script that is started instead of a runtime of AWS's, with its command line.
const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";
/// Bytes of a script's first line that the system reads.
const SHEBANG_MAX: u64 = 256;
/// Where the official client for Node.js starts: up to its third version, and since its fourth.
const NODE_OFFICIAL: [&str; 2] =
    ["node_modules/aws-lambda-ric/bin/index.mjs", "node_modules/aws-lambda-ric/index.mjs"];
/// Tells where the real interpreter is (version managers put scripts in front of it, which would
/// slow every cold start), where what belongs to it lies and whether the official client can be imported.
const PYTHON_PROBE: &str = "import sys, importlib.util as u\n\
                            print(sys.executable)\n\
                            print(sys.prefix)\n\
                            print(sys.base_prefix)\n\
                            print(u.find_spec('awslambdaric') is not None)";

/// The interpreters of this machine, looked for once.
#[derive(Debug)]
pub(super) struct Interpreters {
    directory: PathBuf,
    path: OsString,
    /// By runtime: each names a version.
    pythons: Mutex<BTreeMap<String, Arc<OnceCell<Option<Python>>>>>,
    node: OnceCell<Option<PathBuf>>,
}

#[derive(Debug, Clone)]
struct Python {
    executable: PathBuf,
    /// Where what belongs to it lies.
    homes: Vec<PathBuf>,
    has_client: bool,
}

/// How to start a function's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Launch {
    /// The program.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<OsString>,
    /// Variables it needs besides the ones AWS sets.
    pub(super) variables: Vec<(&'static str, OsString)>,
    /// Directories that its interpreter lives in.
    pub(super) needs: Vec<PathBuf>,
}

/// Why a function cannot be started, as an initialization error.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoLaunch {
    /// `errorType`.
    pub(super) kind: &'static str,
    /// `errorMessage`.
    pub(super) message: String,
}

impl Interpreters {
    /// Writes the built-in clients into `directory`. `path` is where programs are looked for.
    pub(super) fn new(directory: &Path, path: OsString) -> io::Result<Self> {
        private::directory(directory)?;
        private::write(&directory.join("client.py"), PYTHON_CLIENT)?;
        private::write(&directory.join("client.mjs"), NODE_CLIENT)?;
        Ok(Self {
            directory: directory.to_owned(),
            path,
            pythons: Mutex::new(BTreeMap::new()),
            node: OnceCell::new(),
        })
    }

    /// The search path given to functions.
    pub(super) fn path(&self) -> &OsString {
        &self.path
    }

    /// Where the search path leads.
    pub(super) fn places(&self) -> impl Iterator<Item = PathBuf> {
        std::env::split_paths(&self.path)
    }

    /// Where the built-in clients lie.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Looks for the interpreter of a runtime.
    pub(super) async fn find_for(&self, runtime: &str) {
        if runtime.starts_with("python") {
            self.python_of(runtime).await;
        } else if runtime.starts_with("nodejs") {
            self.node.get_or_init(|| self.find_node()).await;
        }
    }

    /// How to start a function whose package was unpacked at `root`, and which sees it as `view` says.
    pub(super) async fn launch(
        &self,
        configuration: &Configuration,
        job: &Job,
        root: &Path,
        view: &View,
    ) -> Result<Launch, NoLaunch> {
        let runtime = configuration.runtime.as_deref().unwrap_or_default();
        let handler = configuration.handler.as_deref().unwrap_or_default();
        let launch = if runtime.starts_with("python") {
            self.python(runtime, handler, root, view).await?
        } else if runtime.starts_with("nodejs") {
            self.node(runtime, handler, root, view).await?
        } else if runtime.starts_with("provided") || runtime.is_empty() {
            return bootstrap(root, &job.layers, view);
        } else {
            return Err(unknown(runtime));
        };
        Ok(match configuration.variables.get(WRAPPER) {
            Some(wrapper) => wrapped(launch, wrapper, view),
            None => launch,
        })
    }

    async fn python(
        &self,
        runtime: &str,
        handler: &str,
        root: &Path,
        view: &View,
    ) -> Result<Launch, NoLaunch> {
        let python = self.python_of(runtime).await;
        let python = python.ok_or_else(|| missing("python3", "Python 3"))?;
        let mut launch = Launch {
            program: python.executable.clone(),
            arguments: vec!["-u".into()],
            variables: vec![("PYTHONPATH", python_path(runtime, view))],
            needs: python.homes.clone(),
        };
        if python.has_client || root.join("awslambdaric").is_dir() {
            launch.arguments.extend(["-m".into(), "awslambdaric".into(), handler.into()]);
        } else {
            launch.arguments.push(view.clients.join("client.py").into());
        }
        Ok(launch)
    }

    async fn node(
        &self,
        runtime: &str,
        handler: &str,
        root: &Path,
        view: &View,
    ) -> Result<Launch, NoLaunch> {
        let node = self.node.get_or_init(|| self.find_node()).await.as_ref();
        let node = node.ok_or_else(|| missing("node", "Node.js"))?;
        let is_official = |client: &&&str| root.join(client).is_file();
        let arguments = match NODE_OFFICIAL.iter().find(is_official) {
            Some(official) => vec![view.root.join(official).into(), handler.into()],
            None => vec![view.clients.join("client.mjs").into()],
        };
        Ok(Launch {
            program: node.clone(),
            arguments,
            variables: vec![("NODE_PATH", node_path(runtime, view))],
            // An installation's root, where it has its libraries, too.
            needs: node.ancestors().nth(2).map(Path::to_owned).into_iter().collect(),
        })
    }

    /// The Python of a runtime.
    async fn python_of(&self, runtime: &str) -> Option<Python> {
        let cell = {
            let mut pythons = self.pythons.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(pythons.entry(runtime.to_owned()).or_default())
        };
        cell.get_or_init(|| self.find_python(runtime)).await.clone()
    }

    /// Where the search path has its first Python, one of the named version goes before others. What is
    /// further down is not asked: the first may be somebody's environment with the packages they need.
    async fn find_python(&self, runtime: &str) -> Option<Python> {
        let programs = self.places().flat_map(|place| [place.join(runtime), place.join("python3")]);
        for program in programs.filter(|program| is_executable(program)) {
            // A script of a version manager may be there for a version that is not switched on.
            if let Some(python) = self.probe(&program).await {
                return Some(python);
            }
        }
        None
    }

    async fn probe(&self, program: &Path) -> Option<Python> {
        let answer = ask(Command::new(program).args(["-c", PYTHON_PROBE])).await?;
        let mut lines = answer.lines();
        let executable = PathBuf::from(lines.next()?);
        let homes = lines.take(2).map(PathBuf::from).collect();
        // Asked again in the bare environment functions get, where user packages do not count.
        let mut bare = Command::new(&executable);
        bare.args(["-c", PYTHON_PROBE]).env_clear().env("PATH", &self.path).current_dir("/");
        let has_client = ask(&mut bare).await?.lines().last() == Some("True");
        Some(Python { executable, homes, has_client })
    }

    async fn find_node(&self) -> Option<PathBuf> {
        let mut command = Command::new(self.find("node")?);
        let answer = ask(command.args(["-p", "process.execPath"])).await?;
        Some(PathBuf::from(answer.lines().next()?))
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        self.places().map(|path| path.join(program)).find(|path| is_executable(path))
    }
}

async fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn missing(program: &str, name: &str) -> NoLaunch {
    NoLaunch {
        kind: "Runtime.InvalidEntrypoint",
        message: format!(
            "{program} was not found on PATH: install {name} to run this function locally"
        ),
    }
}

fn unknown(runtime: &str) -> NoLaunch {
    NoLaunch {
        kind: "Runtime.InvalidEntrypoint",
        message: format!(
            "the local cloud does not run {runtime}: it has runtimes for Python and Node.js only. To \
             run this function locally, create it for provided.al2023, with a program named bootstrap \
             in its package that speaks the Runtime API (AWS's runtime interface client for the \
             language does)"
        ),
    }
}

/// Where Node.js looks for packages, in AWS's order.
fn node_path(runtime: &str, view: &View) -> OsString {
    let version = runtime.trim_start_matches("nodejs").trim_end_matches(".x");
    let none = [PathBuf::from("/opt")];
    let layers = if view.layers.is_empty() { &none } else { view.layers.as_slice() };
    let mut parts = Vec::new();
    for layer in layers {
        parts.push(layer.join(format!("nodejs/node{version}/node_modules")));
        parts.push(layer.join("nodejs/node_modules"));
    }
    parts.extend([view.clients.join("node_modules"), view.clients.clone(), view.root.clone()]);
    joined(&parts)
}

/// Where Python looks for packages besides the function's own. AWS's runtime adds what layers have.
fn python_path(runtime: &str, view: &View) -> OsString {
    let mut parts = vec![view.clients.clone()];
    for layer in &view.layers {
        parts.push(layer.join(format!("python/lib/{runtime}/site-packages")));
        parts.push(layer.join("python"));
    }
    joined(&parts)
}

fn joined(parts: &[PathBuf]) -> OsString {
    let mut all = OsString::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            all.push(":");
        }
        all.push(part);
    }
    all
}

/// A launch through a script. As on AWS a shell starts it: one that is not there is exit status 127.
fn wrapped(launch: Launch, wrapper: &str, view: &View) -> Launch {
    // Where it lies, if it is not seen at AWS's path.
    let wrapper = match wrapper.strip_prefix("/var/task/") {
        Some(inside) => view.root.join(inside),
        None => wrapper.into(),
    };
    let mut arguments: Vec<OsString> = vec!["-c".into(), r#"exec "$@""#.into(), "bootstrap".into()];
    arguments.extend([wrapper.into(), launch.program.into()]);
    arguments.extend(launch.arguments);
    Launch { program: "/bin/sh".into(), arguments, ..launch }
}

fn bootstrap(root: &Path, layers: &[PathBuf], view: &View) -> Result<Launch, NoLaunch> {
    let kind = "Runtime.InvalidEntrypoint";
    let places = [root].into_iter().chain(layers.iter().rev().map(PathBuf::as_path));
    let mut seen = view.layers.iter();
    let found = places.map(|place| place.join("bootstrap")).find(|program| program.is_file());
    let Some(program) = found else {
        let message =
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".to_owned();
        return Err(NoLaunch { kind, message });
    };
    if !is_executable(&program) {
        let message =
            "fork/exec /var/task/bootstrap: permission denied (the file bootstrap of the \
                       package is not executable)"
                .to_owned();
        return Err(NoLaunch { kind, message });
    }
    // What would start it need not be able to say why it cannot.
    if interpreter_of(&program).is_some_and(|interpreter| !interpreter.exists()) {
        let message = "fork/exec /var/task/bootstrap: no such file or directory".to_owned();
        return Err(NoLaunch { kind, message });
    }
    let program = if program.starts_with(root) {
        view.root.join("bootstrap")
    } else {
        // One that all layers are, or the one that it lies in.
        seen.find(|place| program.starts_with(place))
            .or(view.layers.first())
            .map_or(program, |place| place.join("bootstrap"))
    };
    Ok(Launch { program, arguments: Vec::new(), variables: Vec::new(), needs: Vec::new() })
}

/// The program that the first line of a script names.
fn interpreter_of(script: &Path) -> Option<PathBuf> {
    let mut first = Vec::new();
    let file = BufReader::new(File::open(script).ok()?);
    file.take(SHEBANG_MAX).read_until(b'\n', &mut first).ok()?;
    let line = std::str::from_utf8(&first).ok()?.strip_prefix("#!")?;
    line.split_ascii_whitespace().next().map(PathBuf::from)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

//! Recordings: the event log of each release as JSON lines, for people, history and rollback.
//!
//! They live in `<dir>/releases/<number>-<id>.jsonl`, readable by their owner alone. They are
//! never authority: the cloud's aliases are. So a recording that cannot be written never stops
//! anything, and one that is torn, old or new is read as far as it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use wavegate_engine::event::{FORMAT, Record};

use crate::Reporter;
use crate::json::json_line;
use crate::state::{Stage, State};

/// The longest line that is read: a thousand functions fit in the first event.
const LINE_MAX: u64 = 16 * 1024 * 1024;

/// The most unreadable lines that are told one by one.
const SKIPPED_MAX: usize = 20;

/// Why a recording cannot be written or read.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The directory cannot be made.
    #[error("cannot make the directory {}", path.display())]
    MakeDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be made.
    #[error("cannot make the recording {}", path.display())]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory or the file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The release's id is not one that can name a file.
    #[error("`{id}` is not a release id")]
    BadId {
        /// What it is.
        id: String,
    },
}

impl From<RecordingError> for io::Error {
    fn from(error: RecordingError) -> Self {
        let kind = match &error {
            RecordingError::MakeDir { source, .. }
            | RecordingError::Create { source, .. }
            | RecordingError::Read { source, .. } => source.kind(),
            RecordingError::BadId { .. } => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

/// Writes a recording. The file is made with the first event.
#[derive(Debug)]
pub struct Recorder {
    dir: PathBuf,
    file: Option<(PathBuf, File)>,
    error: Option<io::Error>,
}

impl Recorder {
    /// Records under `dir`, which is made if it is not there.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), file: None, error: None }
    }

    /// Where the recording is, once it has begun.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(create(&self.dir, record)?);
        }
        let Some((_, file)) = &mut self.file else { return Ok(()) };
        file.write_all(json_line(record).as_bytes())
    }
}

impl Reporter for Recorder {
    fn event(&mut self, record: &Record) {
        if self.error.is_none() {
            self.error = self.write(record).err();
        }
    }

    fn tick(&mut self, _now_ms: u64) {}

    fn finish(&mut self) {}

    fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }
}

fn create(dir: &Path, record: &Record) -> Result<(PathBuf, File), RecordingError> {
    let id = &record.release;
    let is_id = |id: &str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !is_id(id) {
        return Err(RecordingError::BadId { id: id.clone() });
    }
    let releases = dir.join("releases");
    make_dir(&releases)
        .map_err(|source| RecordingError::MakeDir { path: releases.clone(), source })?;
    let path = releases.join(format!("{}-{id}.jsonl", record.number));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(&path) {
        Ok(file) => Ok((path, file)),
        Err(source) => Err(RecordingError::Create { path, source }),
    }
}

fn make_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// What a recording holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recording {
    /// The events that could be read, in order.
    pub records: Vec<Record>,
    /// The lines that could not, the first twenty.
    pub skipped: Vec<Skipped>,
    /// How many lines could not be read in all.
    pub skipped_count: usize,
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its number, from 1.
    pub line: usize,
    /// Why, in words.
    pub why: String,
}

impl Recording {
    /// In words what could not be read; `None`: everything was.
    pub fn problem(&self) -> Option<String> {
        let first = self.skipped.first()?;
        let more = match self.skipped_count {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        Some(format!("line {}: {}{more}", first.line, first.why))
    }
}

/// Reads a recording as far as it goes. Only a file that cannot be opened or read is an error.
pub fn read(path: &Path) -> Result<Recording, RecordingError> {
    let failed = |source| RecordingError::Read { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut recording = Recording::default();
    let mut number = 0;
    loop {
        let mut line = Vec::new();
        let got = (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line).map_err(failed)?;
        if got == 0 {
            return Ok(recording);
        }
        number += 1;
        let whole = line.ends_with(b"\n");
        if line.trim_ascii().is_empty() {
            continue;
        }
        match parse(&line) {
            Ok(record) => recording.records.push(record),
            Err(why) => {
                let why =
                    if whole { why } else { "it breaks off: the writer was stopped".to_owned() };
                recording.skipped_count += 1;
                if recording.skipped.len() < SKIPPED_MAX {
                    recording.skipped.push(Skipped { line: number, why });
                }
            }
        }
    }
}

/// What every format has, so that a newer one can be told from garbage.
#[derive(Deserialize)]
struct Envelope {
    v: u32,
    event: String,
}

fn parse(line: &[u8]) -> Result<Record, String> {
    match serde_json::from_slice::<Record>(line) {
        Ok(record) if record.v <= FORMAT => Ok(record),
        parsed => match serde_json::from_slice::<Envelope>(line) {
            Ok(envelope) if envelope.v > FORMAT => Err(format!(
                "format version {} was written by a newer wavegate; this one reads up to {FORMAT}",
                envelope.v
            )),
            Ok(envelope) => {
                let why = parsed.err().map(|e| e.to_string()).unwrap_or_default();
                // The list of what it might have been helps nobody.
                let why = why.split(", expected").next().unwrap_or_default();
                Err(format!("event `{}` cannot be read: {why}", envelope.event))
            }
            Err(_) => Err("not an event of a release".to_owned()),
        },
    }
}

/// One recording, as history lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingInfo {
    /// The release's number, from the file's name.
    pub number: u64,
    /// The release's id, from the file's name.
    pub id: String,
    /// The app; empty if no event could be read.
    pub app: String,
    /// How it ended; `None`: the recording does not say, because it runs or was killed.
    pub outcome: Option<String>,
    /// When it began, in milliseconds since the Unix epoch; `None` if no event could be read.
    pub started: Option<u64>,
    /// How long it took or is known to have taken, in milliseconds.
    pub took_ms: u64,
    /// The functions it changed or was to change: stable and candidate version.
    pub functions: BTreeMap<String, (Option<u64>, Option<u64>)>,
    /// The file.
    pub path: PathBuf,
    /// What could not be read, in words.
    pub problem: Option<String>,
}

/// The recordings under `dir`, oldest first. None if there is no such directory; a file that is
/// no recording is left out, one that cannot be read is listed with its problem.
pub fn list(dir: &Path) -> Result<Vec<RecordingInfo>, RecordingError> {
    let releases = dir.join("releases");
    let failed = |source| RecordingError::Read { path: releases.clone(), source };
    let entries = match fs::read_dir(&releases) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut infos = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if let Some((number, id)) = name_of(&path) {
            infos.push(info(path, number, id));
        }
    }
    infos.sort_by(|a, b| (a.number, a.started, &a.id).cmp(&(b.number, b.started, &b.id)));
    Ok(infos)
}

/// The number and id in a recording's file name.
fn name_of(path: &Path) -> Option<(u64, String)> {
    let (number, id) = path.file_name()?.to_str()?.strip_suffix(".jsonl")?.split_once('-')?;
    Some((number.parse().ok()?, id.to_owned()))
}

fn info(path: PathBuf, number: u64, id: String) -> RecordingInfo {
    let (recording, problem) = match read(&path) {
        Ok(recording) => {
            let problem = recording.problem();
            (recording, problem)
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            (Recording::default(), Some(format!("{error}: {}", source.unwrap_or_default())))
        }
    };
    let state = State::of(&recording.records);
    let problem = match (problem, recording.records.is_empty()) {
        (None, true) => Some("it is empty".to_owned()),
        (problem, _) => problem,
    };
    let functions = state
        .functions
        .iter()
        .filter(|(_, f)| f.stage != Stage::Unchanged)
        .map(|(name, f)| (name.clone(), (f.stable, f.candidate)))
        .collect();
    RecordingInfo {
        number,
        id,
        app: state.app.clone(),
        outcome: state.finished.as_ref().map(|f| f.outcome.clone()),
        started: (!recording.records.is_empty()).then_some(state.started_ms),
        took_ms: state.elapsed_ms(state.now_ms),
        functions,
        path,
        problem,
    }
}

/// The version each function served after release `number`, as far as recordings tell: what the
/// last release up to it promoted, or what the first successful one after it replaced. For
/// `rollback --to-release`; whether the versions still exist only the cloud knows.
pub fn versions_after(infos: &[RecordingInfo], number: u64) -> BTreeMap<String, u64> {
    let done = || infos.iter().filter(|info| info.outcome.as_deref() == Some("done"));
    let mut versions = BTreeMap::new();
    for info in done().filter(|info| info.number <= number) {
        for (name, (_, candidate)) in &info.functions {
            if let Some(candidate) = candidate {
                versions.insert(name.clone(), *candidate);
            }
        }
    }
    let mut seen = BTreeSet::new();
    for info in done().filter(|info| info.number > number) {
        for (name, (stable, _)) in &info.functions {
            // Only the first release after it tells: later ones replaced what came between.
            if let (true, Some(stable)) = (seen.insert(name), stable) {
                versions.entry(name.clone()).or_insert(*stable);
            }
        }
    }
    versions
}

#[cfg(test)]
mod tests;

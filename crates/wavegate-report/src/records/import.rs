//! Recordings of earlier versions: `<dir>/releases/<number>-<id>.jsonl`, one event per line.
//!
//! They are read as far as they go, and stay where they are.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;
use wavegate_engine::event::{FORMAT, Record};

/// Where they are, beneath the directory of the records.
const DIR: &str = "releases";

/// The longest line that is read: a thousand functions fit in the first event.
const LINE_MAX: u64 = 16 * 1024 * 1024;

/// What one file held: the events that could be read, with their lines.
#[derive(Debug, Default)]
pub(super) struct Recording {
    pub(super) lines: Vec<(Record, String)>,
}

/// Whether there is one.
pub(super) fn are_any(dir: &Path) -> bool {
    !files(dir).is_empty()
}

/// All of them, in the order in which they were last written.
pub(super) fn all(dir: &Path) -> impl Iterator<Item = Recording> {
    // What cannot be opened is left out: it was never more than a convenience.
    files(dir).into_iter().filter_map(|path| read(&path).ok())
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join(DIR)).into_iter().flatten().flatten();
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.path();
            let written = entry.metadata().and_then(|data| data.modified());
            Some((written.unwrap_or(SystemTime::UNIX_EPOCH), number_of(&path)?, path))
        })
        .collect();
    files.sort();
    files.into_iter().map(|(_, _, path)| path).collect()
}

/// The release's number in a file's name; `None`: it is no recording.
fn number_of(path: &Path) -> Option<u64> {
    let (number, _) = path.file_name()?.to_str()?.strip_suffix(".jsonl")?.split_once('-')?;
    number.parse().ok()
}

fn read(path: &Path) -> io::Result<Recording> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut recording = Recording::default();
    loop {
        let mut line = Vec::new();
        if (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(recording);
        }
        let Ok(text) = str::from_utf8(line.trim_ascii()) else { continue };
        if let Ok(record) = parse(text.as_bytes()) {
            recording.lines.push((record, text.to_owned()));
        }
    }
}

/// What every format has, so that a newer one can be told from garbage.
#[derive(Deserialize)]
struct Envelope {
    v: u32,
    event: String,
}

/// One line as an event, or in words why it is none.
pub(super) fn parse(line: &[u8]) -> Result<Record, String> {
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

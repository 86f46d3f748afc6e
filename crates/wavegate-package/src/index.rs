//! Notes about earlier runs, so that an unchanged source is not compressed again.
//!
//! A note says: a source with this fingerprint became that artifact. The fingerprint covers the
//! name, size, times, inode and mode of every file, not the content, so a note is only kept where a
//! change of the content could not have left all of these as they were:
//!
//! - Time stamps have a granularity, up to 2 s on some file systems. A file that is written twice
//!   inside one tick looks the same after both writes. If it was read in between, a note would make
//!   the old content immortal. So, as git does for its index ("racy git"), nothing is noted if any
//!   file was changed less than 2 s before reading began. A file that is older than that and is
//!   changed later gets a later time stamp, and the fingerprint with it.
//! - "Before reading began" is measured by the clock that also stamps files: the time of a file
//!   made in `out_dir` before the first byte is read. The end of the run would be too late: a file
//!   changed twice in one tick, then ten seconds of compressing, and it would look old enough.
//! - The time of the last change of attributes is part of it: unlike the modification time, which
//!   tools that unpack or copy set back, no program can choose it.
//!
//! A note is never trusted further: one that is missing, damaged or of another version is as good
//! as none, and the artifact it names is hashed before it is used. Failing to write one is no
//! error.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::Artifact;
use crate::hex;
use crate::stamp::{self, Stamp};

/// Part of every fingerprint: whatever changes the bytes of artifacts must change this, or old
/// artifacts would live on.
const FORMAT: &str = concat!("wavegate-package-index 1 ", env!("CARGO_PKG_VERSION"));

/// How old a file's last change must be for the file to be noted: the granularity of FAT, the
/// coarsest in use.
const RACY_NS: i128 = 2_000_000_000;

/// The largest note in bytes; real ones are a third of that.
const NOTE_BYTES_MAX: u64 = 1024;

/// A hash of everything about the files but their contents.
pub(crate) fn fingerprint<'a>(files: impl IntoIterator<Item = (&'a str, &'a Stamp)>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(FORMAT.as_bytes());
    for (name, stamp) in files {
        // The length in front keeps lists of different names from looking alike.
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(stamp.size.to_le_bytes());
        hasher.update(stamp.modified_ns.to_le_bytes());
        hasher.update(stamp.changed_ns.to_le_bytes());
        hasher.update([u8::from(stamp.executable)]);
        hasher.update(stamp.identity.1.to_le_bytes());
    }
    hasher.finalize().into()
}

/// Where the note about one source is kept.
pub(crate) struct Index {
    pub(crate) path: PathBuf,
    out_dir: PathBuf,
}

impl Index {
    /// The note about the source with this real path.
    pub(crate) fn of(real_source: &Path, out_dir: &Path) -> Self {
        let key = Sha256::digest(real_source.as_os_str().as_encoded_bytes());
        let path = out_dir.join(format!("{}.index", &hex(&key)[..32]));
        Self { path, out_dir: out_dir.to_path_buf() }
    }

    /// What became of the source when it last had this fingerprint. `path` and `ignored` are the
    /// caller's to fill in.
    pub(crate) fn lookup(&self, fingerprint: [u8; 32]) -> Option<Artifact> {
        let mut text = String::new();
        let file = stamp::open(&self.path).ok()?;
        file.take(NOTE_BYTES_MAX).read_to_string(&mut text).ok()?;
        parse(&text, fingerprint)
    }

    /// Takes the time, before anything is read. None if nothing can be written there.
    pub(crate) fn begin(&self) -> Option<Note> {
        let file = NamedTempFile::new_in(&self.out_dir).ok()?;
        let metadata = file.as_file().metadata().ok()?;
        let began_ns = Stamp::of(&metadata).modified_ns;
        Some(Note { file, began_ns, path: self.path.clone() })
    }
}

/// A note to be.
pub(crate) struct Note {
    file: NamedTempFile,
    began_ns: i128,
    path: PathBuf,
}

impl Note {
    /// Keeps the note if it can never become wrong.
    pub(crate) fn commit(mut self, fingerprint: [u8; 32], newest_ns: i128, artifact: &Artifact) {
        if is_racy(newest_ns, self.began_ns) {
            return;
        }
        let text = render(fingerprint, artifact);
        if self.file.write_all(text.as_bytes()).is_ok() {
            // A lost note costs time, not truth.
            drop(self.file.persist(&self.path));
        }
    }
}

fn is_racy(newest_ns: i128, began_ns: i128) -> bool {
    // Saturating, because a stamp may be any number; one from the future is racy too.
    newest_ns.saturating_add(RACY_NS) >= began_ns
}

fn render(fingerprint: [u8; 32], artifact: &Artifact) -> String {
    let body = format!(
        "{FORMAT}\nfingerprint {}\nsha256 {}\nzipped {}\nunzipped {}\nentries {}\n",
        hex(&fingerprint),
        hex(&artifact.sha256),
        artifact.zipped_bytes,
        artifact.unzipped_bytes,
        artifact.entries
    );
    let check = hex(&Sha256::digest(body.as_bytes()));
    format!("{body}check {check}\n")
}

fn parse(text: &str, fingerprint: [u8; 32]) -> Option<Artifact> {
    let mut lines = text.lines();
    if lines.next()? != FORMAT {
        return None;
    }
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    if field("fingerprint")? != hex(&fingerprint) {
        return None;
    }
    let artifact = Artifact {
        path: PathBuf::new(),
        sha256: unhex(field("sha256")?)?,
        zipped_bytes: field("zipped")?.parse().ok()?,
        unzipped_bytes: field("unzipped")?.parse().ok()?,
        entries: field("entries")?.parse().ok()?,
        ignored: 0,
        reused: true,
    };
    // Rendering again compares the check sum, and everything else that parsing was lenient about.
    (render(fingerprint, &artifact) == text).then_some(artifact)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact() -> Artifact {
        Artifact {
            path: PathBuf::new(),
            sha256: [0xa5; 32],
            zipped_bytes: 7,
            unzipped_bytes: 9,
            entries: 2,
            ignored: 0,
            reused: true,
        }
    }

    #[test]
    fn a_note_is_read_back_as_it_was_written() {
        let text = render([1; 32], &artifact());
        assert_eq!(parse(&text, [1; 32]), Some(artifact()));
        assert!((text.len() as u64) < NOTE_BYTES_MAX);
    }

    #[test]
    fn a_note_with_any_byte_changed_or_missing_is_ignored() {
        let text = render([1; 32], &artifact());
        assert_eq!(parse(&text, [2; 32]), None, "another fingerprint");
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 1;
            let damaged = String::from_utf8(damaged).unwrap();
            assert_eq!(parse(&damaged, [1; 32]), None, "byte {at}");
            assert_eq!(parse(&text[..at], [1; 32]), None, "cut at {at}");
        }
    }

    #[test]
    fn a_file_changed_within_two_seconds_of_the_start_is_racy() {
        let began = 100_000_000_000;
        for (newest, racy) in [
            (began - RACY_NS - 1, false),
            (began - RACY_NS, true),
            (began, true),
            (began + 50 * RACY_NS, true),
            (i128::MAX, true),
            (0, false),
        ] {
            assert_eq!(is_racy(newest, began), racy, "{newest}");
        }
    }
}

//! A tree to a zip, in one pass.
//!
//! The zip is written strictly forwards (sizes and checksums follow each entry in a data
//! descriptor, as Go's archive tools and therefore Terraform write them), so it can be hashed on
//! its way to the disk. It gets its name from the hash, by a rename: a reader finds a whole
//! artifact under that name or none.
//!
//! Nothing is synced to disk. After a crash an artifact may be cut short under its right name,
//! which is why [`holds`] judges by content, and why writing one always replaces what is there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use crate::error::{Fault, Problem};
use crate::stamp::{self, Stamp};
use crate::tree::{Tree, TreeFile};
use crate::{Artifact, hex};

/// The deflate level. 6 is zlib's own choice; 9 takes several times as long for a percent or two.
const DEFLATE_LEVEL: i64 = 6;

/// Bytes read and compressed at a time. Part of the format: where a deflate stream is cut into
/// calls may show in its bytes, so every chunk but a file's last has exactly this size.
const CHUNK_BYTES: usize = 64 * 1024;

/// From this size on an entry has 64-bit sizes.
const ZIP64_BYTES: u64 = 0xffff_ffff;

type Output = ZipWriter<StreamWriter<Hashing<BufWriter<File>>>>;

/// Writes `tree` into `out_dir`.
pub(crate) fn write(tree: &Tree, out_dir: &Path) -> Result<Artifact, Vec<Problem>> {
    let failed = |error| vec![Problem::io(out_dir, "write an artifact to", error)];
    let temp = NamedTempFile::new_in(out_dir).map_err(failed)?;
    let file = temp.as_file().try_clone().map_err(failed)?;
    let hashing = Hashing::new(BufWriter::with_capacity(CHUNK_BYTES, file));
    let mut output = ZipWriter::new_stream(hashing);
    let unzipped_bytes = append_all(&mut output, tree, out_dir)?;
    let finished = output.finish().map_err(|error| failed(into_io(error)))?;
    let (sha256, zipped_bytes) = finished.into_inner().finish().map_err(failed)?;

    let path = out_dir.join(format!("{}.zip", hex(&sha256)));
    temp.persist(&path).map_err(|error| failed(error.error))?;
    Ok(Artifact {
        path,
        sha256,
        zipped_bytes,
        unzipped_bytes,
        entries: tree.files.len() as u64,
        ignored: tree.ignored,
        reused: false,
    })
}

/// Whether the file at `path` is this artifact, by its content.
pub(crate) fn holds(path: &Path, artifact: &Artifact) -> bool {
    let Ok(file) = stamp::open(path) else { return false };
    let expected =
        |metadata: &fs::Metadata| metadata.is_file() && metadata.len() == artifact.zipped_bytes;
    file.metadata().as_ref().is_ok_and(expected)
        && hash(file).is_ok_and(|(sha256, _)| sha256 == artifact.sha256)
}

/// SHA-256 and length of everything in `reader`.
pub(crate) fn hash(mut reader: impl Read) -> io::Result<([u8; 32], u64)> {
    let mut hashing = Hashing::new(io::sink());
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match read_chunk(&mut reader, &mut chunk)? {
            0 => return hashing.finish(),
            length => hashing.write_all(&chunk[..length])?,
        }
    }
}

/// Appends every file; the sum of their sizes. After a first problem nothing is compressed any
/// more, but the files left are still opened, so that all that cannot be read are reported
/// together.
fn append_all(output: &mut Output, tree: &Tree, out_dir: &Path) -> Result<u64, Vec<Problem>> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut problems = Vec::new();
    let mut total = 0;
    for file in &tree.files {
        let result = open_unchanged(file).and_then(|opened| {
            if problems.is_empty() {
                append(output, file, opened, &mut chunk, out_dir)
            } else {
                Ok(0)
            }
        });
        match result {
            Ok(length) => total += length,
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(total) } else { Err(problems) }
}

/// Opens the very file that the walk saw.
fn open_unchanged(file: &TreeFile) -> Result<File, Problem> {
    let io = |operation, error| Problem::io(&file.shown_path, operation, error);
    let opened = match stamp::open(&file.real) {
        Ok(opened) => opened,
        // It was there a moment ago; a link or nothing in its place is a change.
        Err(error) if error.kind() == io::ErrorKind::NotFound || stamp::is_link_loop(&error) => {
            return Err(Problem::at(&file.shown_path, Fault::Changed));
        }
        Err(error) => return Err(io("open", error)),
    };
    let metadata = opened.metadata().map_err(|error| io("look at", error))?;
    if metadata.is_file() && Stamp::of(&metadata).same_content_as(&file.stamp) {
        Ok(opened)
    } else {
        Err(Problem::at(&file.shown_path, Fault::Changed))
    }
}

fn append(
    output: &mut Output,
    file: &TreeFile,
    mut opened: File,
    chunk: &mut [u8],
    out_dir: &Path,
) -> Result<u64, Problem> {
    let reading = |error| Problem::io(&file.shown_path, "read", error);
    let writing = |error| Problem::io(out_dir, "write an artifact to", error);
    output
        .start_file(file.name.as_str(), entry_options(file))
        .map_err(|error| writing(into_io(error)))?;
    let mut length: u64 = 0;
    // One byte more than was seen is enough to know that it grew; a file that grows for ever ends
    // here too.
    let mut bounded = (&mut opened).take(file.stamp.size.saturating_add(1));
    loop {
        match read_chunk(&mut bounded, chunk).map_err(reading)? {
            0 => break,
            read => {
                output.write_all(&chunk[..read]).map_err(writing)?;
                length += read as u64;
            }
        }
    }
    let after = Stamp::of(&opened.metadata().map_err(reading)?);
    if length == file.stamp.size && after.same_content_as(&file.stamp) {
        Ok(length)
    } else {
        Err(Problem::at(&file.shown_path, Fault::Changed))
    }
}

fn entry_options(file: &TreeFile) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(DEFLATE_LEVEL))
        // 1980-01-01 00:00:00, the first time a zip can express.
        .last_modified_time(DateTime::default())
        .unix_permissions(if file.stamp.executable { 0o755 } else { 0o644 })
        // Without this the crate writes the system it was compiled for.
        .system(System::Unix)
        .large_file(file.stamp.size >= ZIP64_BYTES)
}

/// Fills `chunk` as far as the reader goes. One `read` may return less for no reason, and chunks
/// must not depend on that.
fn read_chunk(reader: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < chunk.len() {
        match reader.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn into_io(error: zip::result::ZipError) -> io::Error {
    match error {
        zip::result::ZipError::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// Hashes and counts what passes through.
struct Hashing<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
    failed: bool,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0, failed: false }
    }

    fn finish(mut self) -> io::Result<([u8; 32], u64)> {
        if self.failed {
            return Err(io::Error::other("an earlier write failed"));
        }
        self.inner.flush()?;
        Ok((self.hasher.finalize().into(), self.bytes))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // After an error, which the caller has been given, everything is swallowed: a `ZipWriter`
        // that is dropped tries to finish the archive and prints to stderr if it cannot. `finish`
        // remembers.
        if self.failed {
            return Ok(bytes.len());
        }
        let written = self.inner.write(bytes).inspect_err(|error| {
            self.failed = error.kind() != io::ErrorKind::Interrupted;
        })?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failed {
            return Ok(());
        }
        self.inner.flush().inspect_err(|_| self.failed = true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails after a number of bytes, like a full disk.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.0.min(bytes.len());
            self.0 -= room;
            if room == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns one byte per read, like a slow network file system.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(buffer.len()).min(1);
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    #[test]
    fn a_failed_write_is_never_a_result() {
        let mut hashing = Hashing::new(Full(10));
        assert!(hashing.write_all(&[0; 11]).is_err());
        assert!(hashing.write_all(&[0; 11]).is_ok(), "later writes are swallowed");
        assert!(hashing.flush().is_ok());
        assert!(hashing.finish().is_err());
    }

    #[test]
    fn chunks_do_not_depend_on_how_the_reader_delivers() {
        let content = [7; 100];
        let mut chunk = [0; 64];
        let mut drip = Drip(&content);
        let lengths = [0; 3].map(|_| read_chunk(&mut drip, &mut chunk).unwrap());
        assert_eq!(lengths, [64, 36, 0]);
    }

    #[test]
    fn the_hash_is_sha256() {
        let (sha256, length) = hash(&b"abc"[..]).unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((hex(&sha256).as_str(), length), (expected, 3));
    }
}

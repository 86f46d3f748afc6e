//! A `.zip` that somebody else built: judged, hashed, taken as it is.
//!
//! Nothing is extracted and nothing is believed. Names and kinds of entries are checked, every
//! entry is decompressed into nothing and counted, and reading stops at the limit, whatever the
//! headers claim.
//!
//! Symlinks are accepted, since `zip -y` writes them and Lambda keeps them, if they stay inside
//! whoever unpacks the archive: see [`link_stays_inside`].

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zip::read::ZipReadOptions;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::error::{Fault, Problem, shown_bytes};
use crate::stamp::{self, Stamp};
use crate::tree::largest;
use crate::{Artifact, MAX_ENTRIES, archive, name};

/// What headers and names may add to a package's content, in bytes: 100 000 entries with paths of
/// 250 bytes, each written twice, and the fixed parts. A larger zip is refused unopened, which
/// bounds the memory that its directory takes.
const OVERHEAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The longest target of a symlink in bytes (Linux's PATH_MAX).
const LINK_BYTES_MAX: u64 = 4096;

const CHUNK_BYTES: usize = 64 * 1024;

const KIND_MASK: u32 = 0o170_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_DIRECTORY: u32 = 0o040_000;
const KIND_LINK: u32 = 0o120_000;

/// Judges the zip at `real`, which the user calls `source`; `seen` is the state to which the result
/// will be tied.
pub(crate) fn judge(
    source: &Path,
    real: &Path,
    seen: &Stamp,
    max_unzipped: u64,
) -> Result<Artifact, Vec<Problem>> {
    let io = |operation, error| vec![Problem::io(source, operation, error)];
    if seen.size > max_unzipped.saturating_add(OVERHEAD_BYTES_MAX) {
        let fault = Fault::ZipTooLarge { size: seen.size, limit: max_unzipped };
        return Err(vec![Problem::at(source, fault)]);
    }
    let mut file = stamp::open(real).map_err(|error| io("open", error))?;
    let (sha256, zipped_bytes) = archive::hash(&mut file).map_err(|error| io("read", error))?;
    let zip = ZipArchive::new(BufReader::new(&file)).map_err(|e| vec![broken(source, &e)])?;
    let (entries, unzipped_bytes) = Judge::new(source, &file, zip, max_unzipped).run()?;
    let after = file.metadata().map_err(|error| io("look at", error))?;
    if zipped_bytes != seen.size || !Stamp::of(&after).same_content_as(seen) {
        return Err(vec![Problem::at(source, Fault::Changed)]);
    }
    Ok(Artifact {
        path: source.to_path_buf(),
        sha256,
        zipped_bytes,
        unzipped_bytes,
        entries,
        ignored: 0,
        reused: false,
    })
}

fn broken(source: &Path, error: &ZipError) -> Problem {
    Problem::at(source, Fault::BrokenZip { detail: detail(error) })
}

fn detail(error: &dyn std::error::Error) -> String {
    // Messages of the library may quote names.
    shown_bytes(error.to_string().as_bytes())
}

type Archive<'a> = ZipArchive<BufReader<&'a File>>;

struct Judge<'a> {
    source: &'a Path,
    file: &'a File,
    zip: Archive<'a>,
    limit: u64,
    problems: Vec<Problem>,
    links: Vec<(String, String)>,
}

impl<'a> Judge<'a> {
    fn new(source: &'a Path, file: &'a File, zip: Archive<'a>, limit: u64) -> Self {
        Self { source, file, zip, limit, problems: Vec::new(), links: Vec::new() }
    }

    /// The number of entries and the sum of their real sizes.
    fn run(mut self) -> Result<(u64, u64), Vec<Problem>> {
        let entries = self.zip.len();
        if entries == 0 {
            return Err(vec![Problem::at(self.source, Fault::Empty { ignored: 0 })]);
        }
        if entries > MAX_ENTRIES {
            let fault = Fault::TooManyEntries { limit: MAX_ENTRIES };
            return Err(vec![Problem::at(self.source, fault)]);
        }
        if let Err(error) = self.judge_directory() {
            self.problems.push(broken(self.source, &error));
        }
        let files = self.judge_names();
        if files == 0 && self.problems.is_empty() {
            self.problems.push(Problem::at(self.source, Fault::Empty { ignored: 0 }));
        }
        let total = self.read_all();
        self.judge_links();
        if self.problems.is_empty() { Ok((entries as u64, total)) } else { Err(self.problems) }
    }

    fn blame(&mut self, name: &[u8], fault: Fault) {
        self.problems.push(Problem::in_zip(self.source, name, fault));
    }

    /// Checks what the library's list of entries does not show: names that occur twice, of which it
    /// keeps one, names that an extra field replaces, and data shared by entries.
    fn judge_directory(&mut self) -> Result<(), ZipError> {
        let known: HashSet<Vec<u8>> = self.zip.file_names_raw().map(<[u8]>::to_vec).collect();
        let start = self.zip.central_directory_start();
        let mut written: HashMap<Vec<u8>, usize> = HashMap::new();
        let reader = BufReader::new(self.file);
        for name in central_names(reader, start).map_err(ZipError::Io)? {
            *written.entry(name).or_default() += 1;
        }
        let mut replaced: BTreeSet<&Vec<u8>> = BTreeSet::new();
        for (name, count) in &written {
            if *count > 1 {
                self.problems.push(Problem::in_zip(self.source, name, Fault::Duplicate));
            }
            if !known.contains(name) {
                replaced.insert(name);
            }
        }
        for name in replaced {
            let detail = "an extra field gives this entry another name".to_owned();
            self.problems.push(Problem::in_zip(self.source, name, Fault::BrokenZip { detail }));
        }
        if self.problems.is_empty() && self.zip.has_duplicate_names() {
            return Err(ZipError::InvalidArchive("an entry is listed twice".into()));
        }
        if self.zip.has_overlapping_entries()? {
            return Err(ZipError::InvalidArchive("entries share the same bytes".into()));
        }
        Ok(())
    }

    /// Checks names and kinds; the number of files.
    fn judge_names(&mut self) -> usize {
        let raw: Vec<Vec<u8>> = self.zip.file_names_raw().map(<[u8]>::to_vec).collect();
        let mut names = Vec::with_capacity(raw.len());
        for bytes in &raw {
            match name::check(bytes) {
                Ok(name) => names.push(name),
                Err(fault) => self.blame(bytes, Fault::Name(fault)),
            }
        }
        for (name, other) in name::conflicts(names.iter().copied()) {
            let other = shown_bytes(other.as_bytes());
            self.blame(name.as_bytes(), Fault::Conflict { other });
        }
        raw.iter().filter(|name| !name.ends_with(b"/")).count()
    }

    /// Reads every entry; the sum of the real sizes. Ends at the limit.
    fn read_all(&mut self) -> u64 {
        let declared: Vec<(Vec<u8>, u64)> = (0..self.zip.len())
            .filter_map(|index| self.zip.by_index_data(index).ok())
            .map(|entry| (entry.name_raw().to_vec(), entry.size()))
            .collect();
        let largest = || largest(declared.iter().map(|(name, size)| (name.as_slice(), *size)));
        // Refusing by the declared sizes alone is safe and names the true total; accepting is not.
        let sum = declared.iter().fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
        if sum > self.limit {
            let fault = Fault::TooLarge { total: sum, limit: self.limit, largest: largest() };
            self.problems.push(Problem::at(self.source, fault));
            return sum;
        }
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut total = 0;
        for index in 0..self.zip.len() {
            total += match self.read_entry(index, self.limit - total, &mut chunk) {
                Ok(length) => length,
                Err((name, fault)) => {
                    self.blame(&name, fault);
                    0
                }
            };
            if total > self.limit {
                let fault = Fault::TooLarge { total, limit: self.limit, largest: largest() };
                self.problems.push(Problem::at(self.source, fault));
                break;
            }
        }
        total
    }

    /// Reads one entry to its end, or to a little beyond `room`; its length.
    fn read_entry(
        &mut self,
        index: usize,
        room: u64,
        chunk: &mut [u8],
    ) -> Result<u64, (Vec<u8>, Fault)> {
        let broken = |error: &dyn std::error::Error| Fault::BrokenZip { detail: detail(error) };
        let (name, size, kind) = match self.zip.by_index_data(index) {
            Ok(entry) => {
                let name = entry.name_raw().to_vec();
                if entry.encrypted() {
                    return Err((name, Fault::Encrypted));
                }
                if !is_readable(entry.compression()) {
                    let detail = format!("compressed by {}", entry.compression());
                    return Err((name, Fault::BrokenZip { detail }));
                }
                (name, entry.size(), (entry.external_attributes() >> 16) & KIND_MASK)
            }
            Err(error) => return Err((Vec::new(), broken(&error))),
        };
        if !matches!(kind, 0 | KIND_FILE | KIND_DIRECTORY | KIND_LINK) {
            return Err((name, Fault::Special { kind: "a fifo, socket or device" }));
        }
        // With a duplicate anywhere this check fails for every entry, and would blame the innocent.
        let consistent = !self.zip.has_duplicate_names();
        let options = ZipReadOptions::new().enforce_header_consistency(consistent);
        let entry = match self.zip.by_index_with_options(index, options) {
            Ok(entry) => entry,
            Err(error) => return Err((name, broken(&error))),
        };
        let mut bounded = entry.take(room.saturating_add(1));
        let mut target = Vec::new();
        let mut length: u64 = 0;
        loop {
            match bounded.read(chunk) {
                Ok(0) => break,
                Ok(read) => {
                    length += read as u64;
                    if kind == KIND_LINK && length <= LINK_BYTES_MAX {
                        target.extend_from_slice(&chunk[..read]);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((name, broken(&error))),
            }
        }
        if length != size && length <= room {
            let detail = format!("the entry says {size} bytes and has {length}");
            return Err((name, Fault::BrokenZip { detail }));
        }
        if kind == KIND_LINK {
            let link = String::from_utf8_lossy(&name).into_owned();
            self.links.push((link, String::from_utf8_lossy(&target).into_owned()));
        }
        Ok(length)
    }

    fn judge_links(&mut self) {
        // Compared without case, as names are in `name::conflicts`, and for the same reason.
        let links: HashSet<String> =
            self.links.iter().map(|(name, _)| name.to_lowercase()).collect();
        for (name, target) in &self.links {
            if !link_stays_inside(&name.to_lowercase(), &target.to_lowercase(), &links) {
                let target = shown_bytes(target.as_bytes());
                let fault = Fault::LinkOutside { target };
                self.problems.push(Problem::in_zip(self.source, name.as_bytes(), fault));
            }
        }
    }
}

fn is_readable(method: CompressionMethod) -> bool {
    matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated)
}

/// Whether a symlink entry leads to a place inside the archive, also when other symlinks have been
/// unpacked.
///
/// Adding up `..` is not enough: with `a/up -> ..`, the target `up/..` of another link in `a` looks
/// like `a` and is the parent of everything. So `..` may only lead, where it climbs real
/// directories (no entry lies below a symlink, or it would have been in conflict with it), and
/// nothing but the target's last component may itself be a symlink. That last one is judged on its
/// own.
fn link_stays_inside(name: &str, target: &str, links: &HashSet<String>) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains(['\\', '\0']) {
        return false;
    }
    let mut path: Vec<&str> = name.split('/').collect();
    path.pop();
    let mut climbing = true;
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                if !climbing || path.pop().is_none() {
                    return false;
                }
            }
            component => {
                climbing = false;
                if links.contains(&path.join("/")) {
                    return false;
                }
                path.push(component);
            }
        }
    }
    true
}

/// The names in the central directory that starts at `start`, as they are written there.
fn central_names(mut reader: impl Read + Seek, start: u64) -> io::Result<Vec<Vec<u8>>> {
    const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
    reader.seek(SeekFrom::Start(start))?;
    let mut names = Vec::new();
    // One more than is accepted is enough to know.
    while names.len() <= MAX_ENTRIES {
        let mut signature = [0; 4];
        reader.read_exact(&mut signature)?;
        if signature != SIGNATURE {
            break;
        }
        let mut fixed = [0; 42];
        reader.read_exact(&mut fixed)?;
        let length = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let (name, extra, comment) = (length(24), length(26), length(28));
        let mut bytes = vec![0; usize::from(name)];
        reader.read_exact(&mut bytes)?;
        names.push(bytes);
        io::copy(&mut (&mut reader).take(u64::from(extra) + u64::from(comment)), &mut io::sink())?;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symlink_entry_never_leads_out() {
        let links = HashSet::from(["a/up".to_owned(), "lib.so".to_owned()]);
        for (name, target, inside) in [
            ("lib.so", "lib.so.1", true),
            ("bin/tool", "../lib/tool.js", true),
            ("bin/tool", "./../lib/./tool.js", true),
            ("a/up", "..", true),
            ("x", "lib.so", true),
            ("a/up", "../..", false),
            ("up", "..", false),
            ("x", "/etc/passwd", false),
            ("x", "", false),
            ("x", "..\\y", false),
            ("x", "a/../../y", false),
            ("a/x", "up/..", false),
            ("a/x", "up/y", false),
            ("x", "lib.so/y", false),
        ] {
            assert_eq!(link_stays_inside(name, target, &links), inside, "{name} -> {target}");
        }
    }
}

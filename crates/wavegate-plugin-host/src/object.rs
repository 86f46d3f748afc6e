//! What a library is and what it exports, read from its tables. Nothing of it runs.
//!
//! Invariants:
//! - No bytes make this panic, and none make it read more than [`READ_MAX`]: files come from
//!   strangers.
//! - ELF files are read by their program headers, as the system loader does. Section headers may
//!   be stripped, and may lie.
//!
//! Deliberately absent: any judgement on where the file came from (see [`crate::verify`]), and
//! universal Mach-O files, of which only one slice would be loaded.

mod elf;
mod foreign;

use std::collections::BTreeSet;
use std::env::consts::ARCH;
use std::fmt;
use std::fs::File;
use std::path::Path;

use object::read::ReadCacheOps;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, ReadCache, ReadRef};
use wavegate_plugin_protocol::abi::{ABI_MAJOR, ENTRY_PREFIX};

use crate::error::HostError;

/// The most bytes of tables that are read. A plugin's are some kilobytes, those of the largest
/// libraries some megabytes.
const READ_MAX: u64 = 64 << 20;

/// The most libraries that are listed as needed.
const NEEDS_MAX: usize = 1_024;

/// The container of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Linux and most other Unix systems.
    Elf,
    /// Apple's systems.
    MachO,
    /// Windows.
    Pe,
}

impl Format {
    /// The one that this host loads.
    const HOST: Self = if cfg!(windows) {
        Self::Pe
    } else if cfg!(target_vendor = "apple") {
        Self::MachO
    } else {
        Self::Elf
    };
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elf => "ELF",
            Self::MachO => "Mach-O",
            Self::Pe => "PE",
        })
    }
}

/// What a library was built for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The container.
    pub format: Format,
    /// The architecture, in the words of [`std::env::consts::ARCH`].
    pub architecture: String,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
}

impl Platform {
    /// The one that this host loads.
    pub fn host() -> Self {
        Self {
            format: Format::HOST,
            architecture: ARCH.to_owned(),
            big_endian: cfg!(target_endian = "big"),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.big_endian {
            _ if self.big_endian == cfg!(target_endian = "big") => "",
            true => "big-endian ",
            false => "little-endian ",
        };
        write!(f, "{order}{} ({})", self.architecture, self.format)
    }
}

/// One entry point of wavegate's ABI.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The major of the ABI.
    pub major: u32,
    /// The symbol.
    pub symbol: String,
}

impl Entry {
    /// The entry point of this name: `wavegate_plugin_init_v<major>`, perhaps with `__` and a word
    /// after it. Other names are none of ours.
    fn named(name: &[u8]) -> Option<Self> {
        let rest = name.strip_prefix(ENTRY_PREFIX.as_bytes())?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (major, suffix) = rest.split_at(digits);
        let named = suffix.is_empty() || suffix.starts_with(b"__");
        if !named || major.starts_with(b"0") || !name.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        Some(Self {
            major: std::str::from_utf8(major).ok()?.parse().ok()?,
            symbol: std::str::from_utf8(name).ok()?.to_owned(),
        })
    }
}

/// A version of the GNU C library.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(Vec<u32>);

impl Glibc {
    /// The version behind a name like `GLIBC_2.34`.
    fn named(name: &[u8]) -> Option<Self> {
        let numbers = std::str::from_utf8(name.strip_prefix(b"GLIBC_")?).ok()?;
        numbers.split('.').map(|number| number.parse().ok()).collect::<Option<_>>().map(Self)
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

/// A shared library.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) platform: Platform,
    /// Kept apart from the platform: a library for another machine need not be understood.
    pub(crate) contents: Result<Contents, Unsound>,
}

/// What a library gives and needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Every entry point, of any major.
    pub(crate) entries: BTreeSet<Entry>,
    /// The libraries it needs, in the order they are searched.
    pub(crate) needs: Vec<String>,
    /// The oldest GNU C library that has all it needs.
    pub(crate) glibc: Option<Glibc>,
}

/// Why a file is no shared library that could be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsound(pub(crate) String);

impl From<object::read::Error> for Unsound {
    fn from(error: object::read::Error) -> Self {
        Self(format!("it is damaged: {error}"))
    }
}

impl Unsound {
    fn is(what: &str) -> Self {
        Self(format!("it is {what}"))
    }
}

/// Reads what the file is.
pub(crate) fn read(file: File) -> Result<Library, Unsound> {
    let cache = ReadCache::new(Metered { file, left: READ_MAX });
    let library = parse(&cache);
    if cache.into_inner().left == 0 {
        return Err(Unsound(format!("its tables have more than {} MiB", READ_MAX >> 20)));
    }
    library
}

/// The entry point of a library that this host can load.
pub(crate) fn admit(plugin: &str, path: &Path, library: Library) -> Result<String, HostError> {
    let plugin = plugin.to_owned();
    let host = Platform::host();
    if library.platform != host {
        let found = library.platform.to_string();
        return Err(HostError::OtherPlatform { plugin, found, host: host.to_string() });
    }
    let contents = match library.contents {
        Ok(contents) => contents,
        Err(Unsound(reason)) => return Err(HostError::NotALibrary { plugin, reason }),
    };
    let (ours, others): (Vec<Entry>, Vec<Entry>) =
        contents.entries.into_iter().partition(|entry| entry.major == ABI_MAJOR);
    let mut symbols: Vec<String> = ours.into_iter().map(|entry| entry.symbol).collect();
    match (symbols.len(), others.is_empty()) {
        (1, _) => Ok(symbols.remove(0)),
        (0, true) => Err(HostError::NoEntry { plugin, path: path.to_path_buf() }),
        (0, false) => {
            let mut found: Vec<u32> = others.into_iter().map(|entry| entry.major).collect();
            found.dedup();
            Err(HostError::OtherAbi { plugin, found, spoken: ABI_MAJOR })
        }
        _ => Err(HostError::ManyEntries { plugin, entries: symbols }),
    }
}

fn parse<'data, R: ReadRef<'data>>(data: R) -> Result<Library, Unsound> {
    match FileKind::parse(data) {
        Ok(FileKind::Elf32) => elf::read::<object::elf::FileHeader32<Endianness>, R>(data),
        Ok(FileKind::Elf64) => elf::read::<object::elf::FileHeader64<Endianness>, R>(data),
        Ok(FileKind::MachO32) => foreign::macho::<object::macho::MachHeader32<Endianness>, R>(data),
        Ok(FileKind::MachO64) => foreign::macho::<object::macho::MachHeader64<Endianness>, R>(data),
        Ok(FileKind::Pe32) => foreign::pe::<object::pe::ImageNtHeaders32, R>(data),
        Ok(FileKind::Pe64) => foreign::pe::<object::pe::ImageNtHeaders64, R>(data),
        Ok(FileKind::MachOFat32 | FileKind::MachOFat64) => {
            Err(Unsound::is("a universal Mach-O file; take one slice out with `lipo -thin`"))
        }
        _ => Err(Unsound::is("neither ELF nor Mach-O nor PE")),
    }
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// A file that may be read only so much: the reader above keeps all it has read, and a file's
/// tables can be made to overlap.
struct Metered {
    file: File,
    left: u64,
}

impl Metered {
    /// What keeping one piece costs besides its bytes. Without it, tiny pieces would be free.
    const PIECE: u64 = 64;

    fn pay(&mut self, bytes: usize) -> Result<(), ()> {
        let cost = (bytes as u64).saturating_add(Self::PIECE);
        self.left = self.left.saturating_sub(cost);
        if self.left == 0 { Err(()) } else { Ok(()) }
    }
}

impl ReadCacheOps for Metered {
    fn len(&mut self) -> Result<u64, ()> {
        ReadCacheOps::len(&mut self.file)
    }

    fn seek(&mut self, position: u64) -> Result<u64, ()> {
        self.file.seek(position)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
        self.pay(buffer.len())?;
        self.file.read(buffer)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), ()> {
        self.pay(buffer.len())?;
        self.file.read_exact(buffer)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

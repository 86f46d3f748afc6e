//! Archives that were built to do harm, byte by byte where the `zip` crate refuses to write them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use super::{Bench, problems};
use crate::{Cache, MAX_ENTRIES, Options, package};

/// An entry as it will be written, true or not.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    local_name: Option<Vec<u8>>,
    data: Vec<u8>,
    method: u16,
    flags: u16,
    crc: u32,
    size: u32,
    mode: u32,
    extra: Vec<u8>,
    local_extra: Vec<u8>,
    /// Refers to the data of the first entry instead of having its own.
    shares_first: bool,
}

fn stored(name: impl AsRef<[u8]>, data: &[u8]) -> Entry {
    Entry {
        name: name.as_ref().to_vec(),
        local_name: None,
        data: data.to_vec(),
        method: 0,
        flags: 0,
        crc: crc32(data),
        size: u32::try_from(data.len()).unwrap(),
        mode: 0o100_644,
        extra: Vec::new(),
        local_extra: Vec::new(),
        shares_first: false,
    }
}

fn deflated(name: &str, data: &[u8]) -> Entry {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("x", zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(data).unwrap();
    let mut archive = zip::ZipArchive::new(writer.finish().unwrap()).unwrap();
    let mut compressed = Vec::new();
    archive.by_index_raw(0).unwrap().read_to_end(&mut compressed).unwrap();
    Entry { data: compressed, method: 8, ..stored(name, data) }.with_data_of(data)
}

impl Entry {
    fn with_data_of(mut self, data: &[u8]) -> Self {
        self.crc = crc32(data);
        self.size = u32::try_from(data.len()).unwrap();
        self
    }

    fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }
}

fn link(name: &str, target: &str) -> Entry {
    stored(name, target.as_bytes()).mode(0o120_777)
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// The fields that local and central headers have in common.
fn common(entry: &Entry, name: &[u8], extra: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [20, entry.flags, entry.method, 0, 0x21] {
        bytes.extend(u16::to_le_bytes(field));
    }
    for field in [entry.crc, u32::try_from(entry.data.len()).unwrap(), entry.size] {
        bytes.extend(field.to_le_bytes());
    }
    for length in [name.len(), extra.len()] {
        bytes.extend(u16::try_from(length).unwrap().to_le_bytes());
    }
    bytes
}

fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = if entry.shares_first { 0 } else { u32::try_from(bytes.len()).unwrap() };
        if !entry.shares_first {
            let name = entry.local_name.as_ref().unwrap_or(&entry.name);
            bytes.extend(b"PK\x03\x04");
            bytes.extend(common(entry, name, &entry.local_extra));
            bytes.extend(name);
            bytes.extend(&entry.local_extra);
            bytes.extend(&entry.data);
        }
        directory.extend(b"PK\x01\x02");
        directory.extend([20, 3]);
        directory.extend(common(entry, &entry.name, &entry.extra));
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
        directory.extend(&entry.extra);
    }
    let start = u32::try_from(bytes.len()).unwrap();
    let count = u16::try_from(entries.len()).unwrap();
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// Packages `bytes` as a `.zip`; code and entry of every problem.
fn judge(bench: &Bench, bytes: &[u8], max_unzipped: u64) -> Vec<(&'static str, String)> {
    let path = bench.dir.path().join("code.zip");
    fs::write(&path, bytes).unwrap();
    match package(&path, &Options { max_unzipped, ..bench.options() }) {
        Ok(_) => Vec::new(),
        Err(error) => problems(&error),
    }
}

fn check(what: &str, entries: &[Entry], expected: &[(&str, &str)]) {
    let bench = Bench::new();
    let found = judge(&bench, &archive(entries), 1_000_000);
    let found: Vec<_> = found.iter().map(|(code, place)| (*code, place.as_str())).collect();
    assert_eq!(found, expected, "{what}");
    let out = bench.options().out_dir;
    assert_eq!(
        fs::read_dir(out).unwrap().count(),
        0,
        "{what}: a zip is neither copied nor unpacked"
    );
    let beside: Vec<PathBuf> =
        fs::read_dir(bench.dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(beside.len(), 3, "{what}: src, out and the zip, not {beside:?}");
}

#[test]
fn sound_archives_are_accepted() {
    let app = || stored("app.py", b"print(1)");
    check("stored", &[app()], &[]);
    check("deflated", &[deflated("app.py", &[b'x'; 1000])], &[]);
    check("directories", &[stored("lib/", b"").mode(0o040_755), stored("lib/a", b"")], &[]);
    check("no mode", &[app().mode(0)], &[]);
    check("a link inside", &[app(), link("bin/app", "../app.py")], &[]);
    check("a chain", &[app(), link("a", "b"), link("b", "app.py")], &[]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let names: [&[u8]; 13] = [
        b"../x",
        b"a/../../x",
        b"/etc/passwd",
        b"//x",
        b"C:/x",
        b"c:x",
        b"a\\b",
        b"..\\x",
        b"a\0b",
        b"./x",
        b"a//b",
        b"..",
        b"not\xffutf8",
    ];
    for name in names {
        let shown = crate::error::shown_bytes(name);
        let place = shown.trim_start_matches('/');
        check(&shown, &[stored("app.py", b""), stored(name, b"")], &[("WG207", place)]);
    }
    let all: Vec<_> = names.iter().map(|name| stored(name, b"")).collect();
    let found = judge(&Bench::new(), &archive(&all), 1000);
    assert_eq!(found.len(), names.len(), "all at once: {found:?}");
}

#[test]
fn names_that_fall_together_are_refused() {
    let pair = |one: &str, other: &str| [stored(one, b"1"), stored(other, b"2")];
    check("twice", &pair("a", "a"), &[("WG207", "a")]);
    let three = [stored("x", b"1"), stored("a", b"1"), stored("a", b"2")];
    check("the others are not blamed", &three, &[("WG207", "a")]);
    check("case", &pair("README", "readme"), &[("WG207", "readme")]);
    check("case beyond ASCII", &pair("É", "é"), &[("WG207", "é")]);
    check("a file in a directory's place", &pair("a", "a/b"), &[("WG207", "a/b")]);
    check(
        "a file written through a link",
        &[link("a", "."), stored("a/b", b"")],
        &[("WG207", "a/b")],
    );
}

#[test]
fn links_that_lead_out_are_refused() {
    let app = || stored("app.py", b"");
    check("up", &[app(), link("x", "../y")], &[("WG204", "x")]);
    check("absolute", &[app(), link("x", "/etc/passwd")], &[("WG204", "x")]);
    let chained = [app(), link("a/up", ".."), link("a/x", "up/..")];
    check("through a link", &chained, &[("WG204", "a/x")]);
    let cased = [app(), link("a/UP", ".."), link("a/x", "up/y")];
    check("through a link in other case", &cased, &[("WG204", "a/x")]);
    let long = format!("{}../..", "a/".repeat(3000));
    check("long", &[app(), link("x", &long)], &[("WG204", "x")]);
}

#[test]
fn entries_that_are_no_files_are_refused() {
    for (what, mode) in
        [("fifo", 0o010_644), ("char", 0o020_644), ("block", 0o060_644), ("socket", 0o140_644)]
    {
        check(what, &[stored("a", b""), stored("x", b"").mode(mode)], &[("WG205", "x")]);
    }
}

#[test]
fn archives_that_contradict_themselves_are_refused() {
    let app = || stored("app.py", b"print(1)");
    let zeros = deflated("x", &vec![0; 100_000]);
    let broken = [("WG209", "x")];
    let x = || stored("x", b"content");
    check("says less than it has", &[app(), Entry { size: 10, ..zeros.clone() }], &broken);
    check("says more than it has", &[app(), Entry { size: 200_000, ..zeros.clone() }], &broken);
    check("wrong checksum", &[app(), Entry { crc: 1, ..x() }], &broken);
    check("not deflate", &[app(), Entry { method: 8, ..x() }], &broken);
    check("bzip2", &[app(), Entry { method: 12, ..x() }], &broken);
    check("unknown method", &[app(), Entry { method: 77, ..x() }], &broken);
    check("encrypted", &[app(), Entry { flags: 1, ..x() }], &broken);
    let hidden = Entry { local_name: Some(b"y".to_vec()), ..x() };
    check("another name before the data", &[app(), hidden], &broken);
    // A valid Unicode Path field: version, checksum of the name it replaces, new name.
    let mut field = vec![0x75, 0x70, 9, 0, 1];
    field.extend(crc32(b"x").to_le_bytes());
    field.extend(b"../y");
    let renamed = Entry { extra: field.clone(), local_extra: field, ..x() };
    let expected = [("WG207", "../y"), ("WG209", "../y"), ("WG209", "x")];
    check("a name in an extra field", &[app(), renamed], &expected);
    let shared = Entry { shares_first: true, local_name: None, ..stored("x", b"print(1)") };
    check("shared data", &[app(), shared], &[("WG209", ""), ("WG209", "x")]);
}

#[test]
fn what_is_no_archive_is_refused() {
    let bench = Bench::new();
    let good = archive(&[stored("app.py", b"print(1)")]);
    for (what, bytes) in [
        ("nothing", &b""[..]),
        ("text", &b"hello, this is not a zip at all, but long enough to be one"[..]),
        ("cut in the data", &good[..35]),
        ("cut in the directory", &good[..good.len() - 40]),
        ("cut in the end", &good[..good.len() - 1]),
    ] {
        assert_eq!(judge(&bench, bytes, 1000), [("WG209", String::new())], "{what}");
    }
    assert_eq!(judge(&bench, &archive(&[]), 1000), [("WG203", String::new())]);
    let only_directories = archive(&[stored("a/", b"").mode(0o040_755)]);
    assert_eq!(judge(&bench, &only_directories, 1000), [("WG203", String::new())]);
}

#[test]
fn bombs_end_at_the_limit() {
    let bench = Bench::new();
    let honest = archive(&[deflated("a", &[0; 600]), deflated("b", &[0; 400])]);
    assert_eq!(judge(&bench, &honest, 1000), []);
    assert_eq!(judge(&bench, &honest, 999), [("WG206", String::new())]);
    let path = bench.dir.path().join("code.zip");
    let error =
        package(&path, &Options { max_unzipped: 999, ..bench.options() }).unwrap_err().to_string();
    assert!(error.contains("1000 bytes") && error.contains("`a` 600, `b` 400"), "{error}");

    // The data unfolds to 20 MB; what the headers claim stays below the limit, so only reading can
    // tell.
    let bomb = deflated("bomb", &vec![0; 20_000_000]);
    for size in [0, 10, 999] {
        let lying = archive(&[Entry { size, ..bomb.clone() }]);
        assert_eq!(judge(&bench, &lying, 1000), [("WG209", "bomb".to_owned())], "{size}");
    }

    let many: Vec<_> = (0..200).map(|n| stored(format!("{n}"), &[0; 6])).collect();
    assert_eq!(judge(&bench, &archive(&many), 1199), [("WG206", String::new())]);
    assert_eq!(judge(&bench, &archive(&many), 1200), []);
}

#[test]
fn a_zip_larger_than_any_package_is_not_even_opened() {
    let bench = Bench::new();
    let path = bench.dir.path().join("code.zip");
    let file = fs::File::create(&path).unwrap();
    file.set_len(64 * 1024 * 1024 + 1001).unwrap();
    let options = Options { max_unzipped: 1000, ..bench.options() };
    assert_eq!(package(&path, &options).unwrap_err().code(), "WG206");
    file.set_len(64 * 1024 * 1024 + 1000).unwrap();
    assert_eq!(package(&path, &options).unwrap_err().code(), "WG209");
}

#[test]
fn too_many_entries_are_refused() {
    let bench = Bench::new();
    let path = bench.dir.path().join("code.zip");
    let mut writer = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for index in 0..=MAX_ENTRIES {
        writer.start_file(index, zip::write::SimpleFileOptions::default()).unwrap();
    }
    writer.finish().unwrap();
    let error = package(&path, &bench.options()).unwrap_err();
    assert_eq!(problems(&error), [("WG206", String::new())]);
}

#[test]
fn an_unchanged_zip_is_not_read_again_unless_the_limit_is_lower() {
    let bench = Bench::new();
    let path = bench.dir.path().join("code.zip");
    fs::write(&path, archive(&[stored("app.py", b"print(1)")])).unwrap();
    let options = Options { cache: Cache::Use, ..bench.options() };
    let first = package(&path, &options).unwrap();
    assert!(!first.reused);
    assert_eq!((&first.path, first.unzipped_bytes), (&path, 8));
    while !package(&path, &options).unwrap().reused {
        std::thread::yield_now();
    }
    assert_eq!(package(&path, &options).unwrap().sha256, first.sha256);
    let lower = Options { max_unzipped: 7, ..options.clone() };
    assert_eq!(package(&path, &lower).unwrap_err().code(), "WG206");
    fs::write(&path, archive(&[stored("app.py", b"print(2)")])).unwrap();
    assert_ne!(package(&path, &options).unwrap().sha256, first.sha256);
}

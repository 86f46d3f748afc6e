//! What a library is and exports, from real ones, patched ones and damaged ones.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::fixture::{PLUGIN, compile, library, private_dir};

fn read_path(path: &Path) -> Result<Library, Unsound> {
    read(File::open(path).unwrap())
}

fn read_bytes(bytes: &[u8]) -> Result<Library, Unsound> {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    read(file)
}

fn admit_path(path: &Path) -> Result<String, HostError> {
    admit("p", path, read_path(path).unwrap())
}

fn symbols(contents: &Contents) -> Vec<&str> {
    contents.entries.iter().map(|entry| entry.symbol.as_str()).collect()
}

/// Overwrites bytes of a library.
fn patched(path: &Path, offset: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset..offset + with.len()].copy_from_slice(with);
    bytes
}

#[test]
fn the_one_entry_point_is_found_whatever_follows_its_name() {
    let dir = private_dir();
    let plain = library(dir.path(), "a.so", PLUGIN);
    assert_eq!(admit_path(&plain), Ok("wavegate_plugin_init_v1".to_owned()));
    let named = library(dir.path(), "b.so", "int wavegate_plugin_init_v1__ladder(void){return 0;}");
    assert_eq!(admit_path(&named), Ok("wavegate_plugin_init_v1__ladder".to_owned()));
}

#[test]
fn either_hash_table_leads_to_it_and_section_headers_are_not_asked() {
    let dir = private_dir();
    for style in ["gnu", "sysv", "both"] {
        let flags = ["-shared", "-fPIC", &format!("-Wl,--hash-style={style}")];
        let path = compile(dir.path(), style, PLUGIN, &flags);
        assert_eq!(admit_path(&path), Ok("wavegate_plugin_init_v1".to_owned()), "{style}");
        // e_shoff, e_shnum and e_shstrndx.
        let mut bytes = patched(&path, 0x28, &[0; 8]);
        bytes[0x3c..0x40].fill(0);
        fs::write(&path, bytes).unwrap();
        assert_eq!(admit_path(&path), Ok("wavegate_plugin_init_v1".to_owned()), "{style}");
    }
}

#[test]
fn what_others_cannot_see_is_no_entry_point() {
    let dir = private_dir();
    let source = "
        extern int wavegate_plugin_init_v1__wanted(void);
        static int wavegate_plugin_init_v1__local(void) { return 0; }
        __attribute__((visibility(\"hidden\"))) int wavegate_plugin_init_v1__hidden(void) { return 0; }
        int wavegate_plugin_init_v1__data = 1;
        int wavegate_plugin_init_v1_single(void) { return 0; }
        int wavegate_plugin_init_v01(void) { return 0; }
        int wavegate_plugin_init_v(void) { return 0; }
        int f(void) { return wavegate_plugin_init_v1__wanted() + wavegate_plugin_init_v1__local()
            + wavegate_plugin_init_v1__hidden(); }";
    let path = library(dir.path(), "a.so", source);
    assert_eq!(admit_path(&path), Err(HostError::NoEntry { plugin: "p".into(), path }));
}

#[test]
fn two_entry_points_are_one_too_many() {
    let dir = private_dir();
    let source = format!("{PLUGIN} int wavegate_plugin_init_v1__b(void) {{ return 0; }}");
    let path = library(dir.path(), "a.so", &source);
    let entries = vec!["wavegate_plugin_init_v1".into(), "wavegate_plugin_init_v1__b".into()];
    assert_eq!(admit_path(&path), Err(HostError::ManyEntries { plugin: "p".into(), entries }));
}

#[test]
fn other_majors_are_named_and_do_no_harm_beside_ours() {
    let dir = private_dir();
    let newer = "int wavegate_plugin_init_v12(void) { return 0; }
        int wavegate_plugin_init_v2__a(void) { return 0; }
        int wavegate_plugin_init_v2__b(void) { return 0; }";
    let path = library(dir.path(), "a.so", newer);
    let other = HostError::OtherAbi { plugin: "p".into(), found: vec![2, 12], spoken: ABI_MAJOR };
    assert_eq!(admit_path(&path), Err(other));
    let path = library(dir.path(), "b.so", &format!("{newer} {PLUGIN}"));
    assert_eq!(admit_path(&path), Ok("wavegate_plugin_init_v1".to_owned()));
}

#[test]
fn programs_objects_and_texts_are_no_libraries() {
    let dir = private_dir();
    let program = format!("{PLUGIN} int main(void) {{ return 0; }}");
    let check = |path: PathBuf, reason: &str| {
        assert_eq!(read_path(&path).unwrap_err(), Unsound(reason.to_owned()), "{path:?}");
    };
    let pie = compile(dir.path(), "pie", &program, &["-pie", "-fPIE"]);
    check(pie, "it is an executable");
    let fixed = compile(dir.path(), "fixed", &program, &["-no-pie"]);
    check(fixed, "it is an executable");
    let object = compile(dir.path(), "a.o", PLUGIN, &["-c"]);
    check(object, "it is an object file that was never linked");
    for text in ["", "x", "#!/bin/sh\nexit 0\n# and so on and so on\n"] {
        let reason = Unsound("it is neither ELF nor Mach-O nor PE".to_owned());
        assert_eq!(read_bytes(text.as_bytes()).unwrap_err(), reason, "{text:?}");
    }
    let universal = [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0];
    assert!(read_bytes(&universal).unwrap_err().0.contains("lipo"));
}

#[test]
fn a_library_for_another_machine_is_told_by_both_names() {
    let dir = private_dir();
    let path = library(dir.path(), "a.so", PLUGIN);
    let check = |offset: usize, with: &[u8], found: &str| {
        let library = read_bytes(&patched(&path, offset, with)).unwrap();
        let error = admit("p", &path, library).unwrap_err();
        let host = Platform::host().to_string();
        let other = HostError::OtherPlatform { plugin: "p".into(), found: found.into(), host };
        assert_eq!(error, other);
    };
    // e_machine.
    check(18, &243_u16.to_le_bytes(), "riscv64 (ELF)");
    check(18, &22_u16.to_le_bytes(), "s390x (ELF)");
    check(18, &4_711_u16.to_le_bytes(), "machine 4711 with 64 bits (ELF)");
}

#[test]
fn what_a_library_needs_is_listed() {
    let dir = private_dir();
    let source = format!("#include <stdio.h>\n{PLUGIN} void f(void) {{ puts(\"\"); }}");
    let contents = read_path(&library(dir.path(), "a.so", &source)).unwrap().contents.unwrap();
    assert_eq!(contents.needs, ["libc.so.6"]);
    let oldest = Glibc(vec![2, 0]);
    assert!(contents.glibc.is_some_and(|version| version > oldest));
    let alone = compile(dir.path(), "b.so", PLUGIN, &["-shared", "-fPIC", "-nostdlib"]);
    let contents = read_path(&alone).unwrap().contents.unwrap();
    assert_eq!((contents.needs, contents.glibc), (Vec::new(), None));
}

#[test]
fn versions_are_compared_as_numbers() {
    let named = |name: &str| Glibc::named(name.as_bytes());
    assert!(named("GLIBC_2.34") > named("GLIBC_2.4"));
    assert!(named("GLIBC_2.2.5") > named("GLIBC_2.2"));
    assert_eq!(named("GLIBC_2.34").unwrap().to_string(), "2.34");
    assert_eq!(named("GLIBC_PRIVATE"), None);
    assert_eq!(named("GCC_3.0"), None);
}

#[test]
fn tables_without_end_are_not_read() {
    let dir = private_dir();
    let path = library(dir.path(), "a.so", PLUGIN);
    let bytes = fs::read(&path).unwrap();
    let size = dynamic_value(&bytes, 10);
    let file = File::options().read(true).write(true).open(&path).unwrap();
    // DT_STRSZ, and a file that is long enough for it.
    std::os::unix::fs::FileExt::write_all_at(&file, &(READ_MAX + 1).to_le_bytes(), size).unwrap();
    file.set_len(2 * READ_MAX).unwrap();
    assert_eq!(read(file).unwrap_err().0, "its tables have more than 64 MiB");
}

/// Where the value of a dynamic tag is in a 64-bit little-endian ELF file.
fn dynamic_value(bytes: &[u8], tag: u64) -> u64 {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let headers = usize::try_from(word(0x20)).unwrap();
    let dynamic = (0..usize::from(bytes[0x38]))
        .map(|index| headers + 56 * index)
        .find(|at| bytes[*at..at + 4] == [2, 0, 0, 0])
        .unwrap();
    let start = usize::try_from(word(dynamic + 8)).unwrap();
    let at = (start..).step_by(16).find(|at| word(*at) == tag).unwrap();
    at as u64 + 8
}

/// A Mach-O dylib for arm64 with one exported symbol and one library that it needs.
fn dylib() -> Vec<u8> {
    let name = b"\0_wavegate_plugin_init_v1__mac\0";
    let needed = b"/usr/lib/libSystem.B.dylib\0\0\0\0\0\0";
    let commands = 24 + 24 + u32::try_from(needed.len()).unwrap();
    let symbols = 32 + commands;
    let mut words = vec![0xfeed_facf, 0x0100_000c, 0, 6, 2, commands, 0, 0];
    words.extend([2, 24, symbols, 1, symbols + 16, u32::try_from(name.len()).unwrap()]);
    words.extend([0xc, 24 + u32::try_from(needed.len()).unwrap(), 24, 0, 0, 0]);
    let mut bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.extend(needed);
    // One nlist_64: name at 1, a global symbol in section 1.
    bytes.extend([1, 0, 0, 0, 0x0f, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(name);
    bytes
}

/// A PE DLL for x86_64 with one export.
fn dll() -> Vec<u8> {
    let mut bytes = vec![0; 0x400];
    let mut put = |at: usize, with: &[u8]| bytes[at..at + with.len()].copy_from_slice(with);
    put(0, b"MZ");
    put(0x3c, &0x40_u32.to_le_bytes());
    put(0x40, b"PE\0\0");
    // The file header: x86_64, one section, an optional header of 240 bytes, executable and DLL.
    put(0x44, &0x8664_u16.to_le_bytes());
    put(0x46, &1_u16.to_le_bytes());
    put(0x54, &240_u16.to_le_bytes());
    put(0x56, &0x2002_u16.to_le_bytes());
    // The optional header: PE32+, 16 data directories, the first of them the exports at 0x1000.
    put(0x58, &0x20b_u16.to_le_bytes());
    put(0x58 + 108, &16_u32.to_le_bytes());
    put(0x58 + 112, &0x1000_u32.to_le_bytes());
    put(0x58 + 116, &0x100_u32.to_le_bytes());
    // The section: 0x200 bytes at 0x200 in the file, 0x1000 in memory.
    put(0x148, b".rdata\0\0");
    for (at, word) in [(8, 0x200_u32), (12, 0x1000), (16, 0x200), (20, 0x200)] {
        put(0x148 + at, &word.to_le_bytes());
    }
    // The export directory: base 1, one function, one name, and their three tables.
    for (at, word) in [(16, 1_u32), (20, 1), (24, 1), (28, 0x1040), (32, 0x1044), (36, 0x1048)] {
        put(0x200 + at, &word.to_le_bytes());
    }
    put(0x240, &0x1180_u32.to_le_bytes());
    put(0x244, &0x1050_u32.to_le_bytes());
    put(0x250, b"wavegate_plugin_init_v1__win\0");
    bytes
}

#[test]
fn libraries_of_other_systems_are_understood_and_refused() {
    let check = |bytes: Vec<u8>, format, architecture: &str, symbol: &str, needs: &[&str]| {
        let library = read_bytes(&bytes).unwrap();
        let architecture = architecture.to_owned();
        assert_eq!(library.platform, Platform { format, architecture, big_endian: false });
        let contents = library.contents.as_ref().unwrap();
        assert_eq!(symbols(contents), [symbol]);
        assert_eq!(contents.needs, needs);
        assert_eq!(admit("p", Path::new("x"), library).unwrap_err().code(), "WG308");
    };
    let system = "/usr/lib/libSystem.B.dylib";
    check(dylib(), Format::MachO, "aarch64", "wavegate_plugin_init_v1__mac", &[system]);
    check(dll(), Format::Pe, "x86_64", "wavegate_plugin_init_v1__win", &[]);
    let mut program = dll();
    program[0x56..0x58].copy_from_slice(&2_u16.to_le_bytes());
    assert_eq!(read_bytes(&program).unwrap_err().0, "it is an executable");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn names_are_parsed_without_a_panic(name in prop::collection::vec(any::<u8>(), 0..60)) {
        let whole = [ENTRY_PREFIX.as_bytes(), &name].concat();
        if let Some(entry) = Entry::named(&whole) {
            prop_assert_eq!(entry.symbol.as_bytes(), whole);
            prop_assert!(name.starts_with(entry.major.to_string().as_bytes()));
        }
    }

    /// Half of the changes hit the headers and the tables at the start.
    #[test]
    fn no_damage_makes_reading_panic(
        seed in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<u8>()), 1..12),
        end in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = SEEDS[seed].clone();
        for (place, near, value) in changes {
            let reach = if near { bytes.len().min(1_024) } else { bytes.len() };
            bytes[place.index(reach)] = value;
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len()));
        }
        if let Ok(library) = read_bytes(&bytes) {
            let _ = admit("p", Path::new("x"), library);
        }
    }
}

/// Sound libraries to damage.
static SEEDS: std::sync::LazyLock<[Vec<u8>; 4]> = std::sync::LazyLock::new(|| {
    let dir = private_dir();
    let made = |style: &str| {
        let source = format!("#include <stdio.h>\n{PLUGIN} void f(void) {{ puts(\"\"); }}");
        let flags = ["-shared", "-fPIC", &format!("-Wl,--hash-style={style}")];
        fs::read(compile(dir.path(), style, &source, &flags)).unwrap()
    };
    [made("gnu"), made("sysv"), dylib(), dll()]
});

//! What is told about real libraries, and that none of them is run.

use std::fs;

use super::*;
use crate::error::Exposure;
use crate::fixture::{PLUGIN, compile, library, private_dir, set_mode};
use crate::host_target;

#[test]
fn a_plugin_is_described_without_being_refused() {
    let dir = private_dir();
    let source = format!(
        "#include <stdio.h>\n{PLUGIN} int wavegate_plugin_init_v2(void) {{ return puts(\"\"); }}"
    );
    let path = library(dir.path(), "liba.so", &source).canonicalize().unwrap();
    set_mode(&path, 0o666);
    let inspection = inspect(&dir.path().join("a")).unwrap();
    assert_eq!(inspection.path, path);
    assert_eq!(inspection.bytes, fs::metadata(&path).unwrap().len());
    assert_eq!(inspection.platform, Platform::host());
    assert_eq!(inspection.target.as_deref(), Some(host_target()));
    let majors: Vec<u32> = inspection.entries.iter().map(|entry| entry.major).collect();
    assert_eq!(majors, [1, 2]);
    assert_eq!(inspection.needs, ["libc.so.6"]);
    assert!(inspection.glibc.is_some());
    let exposure = Exposure::WritableByOthers { mode: 0o666 };
    assert_eq!(inspection.findings, [Finding { path, exposure }]);
}

#[test]
fn inspecting_and_verifying_agree_on_the_hash() {
    let dir = private_dir();
    let path = library(dir.path(), "a.so", PLUGIN);
    let cache = dir.path().join("cache");
    let verified = crate::verify("a", &path, crate::Expect::Unpinned, &cache).unwrap();
    let inspection = inspect(&path).unwrap();
    assert_eq!((inspection.sha256, inspection.bytes), (verified.sha256, verified.bytes));
}

#[test]
fn nothing_of_the_library_runs() {
    let dir = private_dir();
    let trace = dir.path().join("trace");
    let source = format!(
        "#include <fcntl.h>\n{PLUGIN}
         __attribute__((constructor)) static void f(void) {{ open({trace:?}, O_CREAT, 0600); }}"
    );
    let path = library(dir.path(), "a.so", &source);
    inspect(&path).unwrap();
    crate::verify("a", &path, crate::Expect::Unpinned, &dir.path().join("cache")).unwrap();
    assert!(!trace.exists());
}

#[test]
fn what_is_no_library_cannot_be_inspected() {
    let dir = private_dir();
    let path = dir.path().join("a.txt");
    fs::write(&path, "text").unwrap();
    let error = inspect(&path).unwrap_err();
    assert_eq!((error.code(), error.plugin()), ("WG307", "a"));
    assert_eq!(inspect(dir.path()).unwrap_err().code(), "WG302");
    assert_eq!(inspect(&dir.path().join("none")).unwrap_err().code(), "WG301");
}

#[test]
fn a_target_is_only_guessed_where_something_tells() {
    let dir = private_dir();
    let path = compile(dir.path(), "a.so", PLUGIN, &["-shared", "-fPIC", "-nostdlib"]);
    assert_eq!(inspect(&path).unwrap().target, None);
    let guess = |format, architecture: &str, needs: &str| {
        let architecture = architecture.to_owned();
        let platform = Platform { format, architecture, big_endian: false };
        let needs = vec![needs.to_owned()];
        target(&platform, &Contents { needs, ..Contents::default() })
    };
    let check = |found: Option<String>, expect: &str| assert_eq!(found.as_deref(), Some(expect));
    check(guess(Format::Elf, "riscv64", "libc.so.6"), "riscv64gc-unknown-linux-gnu");
    check(guess(Format::Elf, "x86_64", "libc.musl-x86_64.so.1"), "x86_64-unknown-linux-musl");
    check(guess(Format::MachO, "aarch64", ""), "aarch64-apple-darwin");
    check(guess(Format::Pe, "x86", "VCRUNTIME140.dll"), "i686-pc-windows-msvc");
    check(guess(Format::Pe, "x86_64", "msvcrt.dll"), "x86_64-pc-windows-gnu");
    assert_eq!(guess(Format::Elf, "machine 9 with 64 bits", "libc.so.6"), None);
}

//! The header compiles as C11 and as C++17, and a C compiler lays the structs out as Rust does.

use std::fmt::Write as _;
use std::fs;
use std::mem::{align_of, offset_of, size_of};
use std::path::Path;
use std::process::Command;

use wavegate_plugin_protocol::abi;

const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/include");

fn compile(compiler: &str, arguments: &[&str], source: &str, name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join(name), source).expect("a source file");
    let output = Command::new(compiler)
        .current_dir(dir.path())
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", INCLUDE, "-o", "out"])
        .args(arguments)
        .arg(name)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    dir
}

#[test]
fn the_header_is_c11_and_cpp17_without_a_warning() {
    let source = "#include <wavegate_plugin.h>\n#include <wavegate_plugin.h>\n";
    compile("cc", &["-std=c11", "-c"], source, "plugin.c");
    compile("c++", &["-std=c++17", "-c"], source, "plugin.cpp");
}

#[test]
fn both_languages_lay_the_structs_out_alike() {
    let mut source = String::from(
        "#include <stdalign.h>\n#include <stdio.h>\n#include <wavegate_plugin.h>\nint main(void) {\n",
    );
    let mut print = |what: &str| {
        let _ = writeln!(source, "  printf(\"%zu\\n\", (size_t)({what}));");
    };
    let structs = [
        ("bytes", &["ptr", "len"][..]),
        ("host", &["struct_size", "abi_minor", "ctx", "reply", "log", "log_level"]),
        ("plugin", &["struct_size", "abi_minor", "ctx", "call", "cancel", "shutdown"]),
    ];
    for (name, fields) in structs {
        print(&format!("sizeof(wavegate_{name})"));
        print(&format!("alignof(wavegate_{name})"));
        for field in fields {
            print(&format!("offsetof(wavegate_{name}, {field})"));
        }
    }
    for name in ["OK", "E_ARGUMENT", "E_UNSUPPORTED", "E_SHUTDOWN", "E_INTERNAL"] {
        print(&format!("WAVEGATE_{name}"));
    }
    print("WAVEGATE_ABI_MAJOR");
    print("WAVEGATE_ABI_MINOR");
    source.push_str("  return 0;\n}\n");
    let dir = compile("cc", &["-std=c11"], &source, "layout.c");
    let printed = Command::new(Path::new(dir.path()).join("out")).output().unwrap();
    let printed: Vec<usize> = String::from_utf8(printed.stdout)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    macro_rules! layout {
        ($struct:ty: $($field:ident),*) => {
            vec![size_of::<$struct>(), align_of::<$struct>(), $(offset_of!($struct, $field)),*]
        };
    }
    let number = |status: abi::Status| usize::try_from(status).unwrap();
    let expected = [
        layout!(abi::Bytes: ptr, len),
        layout!(abi::Host: struct_size, abi_minor, ctx, reply, log, log_level),
        layout!(abi::Plugin: struct_size, abi_minor, ctx, call, cancel, shutdown),
        [abi::OK, abi::E_ARGUMENT, abi::E_UNSUPPORTED, abi::E_SHUTDOWN, abi::E_INTERNAL]
            .map(number)
            .to_vec(),
        vec![abi::ABI_MAJOR as usize, abi::ABI_MINOR as usize],
    ];
    assert_eq!(printed, expected.concat());
}

//! How long packaging takes: one large tree, many small functions in parallel, and a tree that has
//! not changed.

use std::fs;
use std::path::Path;
use std::thread;

use divan::Bencher;
use divan::counter::BytesCount;
use tempfile::TempDir;
use wavegate_package::{Cache, Options, package};

fn main() {
    divan::main();
}

const LARGE_FILES: usize = 500;
const LARGE_FILE_BYTES: usize = 100_000;
const FUNCTIONS: usize = 100;
const FUNCTION_FILES: usize = 8;
const FUNCTION_FILE_BYTES: usize = 2_500;
const THREADS: usize = 4;

/// Text that compresses about as well as code does, the same on every run.
fn text(seed: usize, bytes: usize) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "return ", "self.", "import ", "handler", "(event, ", "context)", ":\n    ", "value",
        " = ", "response", "[\"", "\"]", "if ", "not ", "None", "\n\n",
    ];
    let mut state = seed as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let mut content = Vec::with_capacity(bytes + 16);
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(WORDS[(state % 16) as usize].as_bytes());
        if state.is_multiple_of(5) {
            content.extend_from_slice(format!("{:x}", state >> 40).as_bytes());
        }
    }
    content.truncate(bytes);
    content
}

fn fill(directory: &Path, files: usize, bytes: usize) {
    for index in 0..files {
        let parent = directory.join(format!("module{}", index % 10));
        fs::create_dir_all(&parent).expect("the bench directory is writable");
        fs::write(parent.join(format!("file{index}.py")), text(index, bytes))
            .expect("the bench directory is writable");
    }
}

fn options(out: &TempDir, cache: Cache) -> Options {
    Options { cache, ..Options::new(out.path()) }
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn tree_of_50_mb(bencher: Bencher<'_, '_>) {
    let (source, out) = directories();
    fill(source.path(), LARGE_FILES, LARGE_FILE_BYTES);
    let options = options(&out, Cache::Bypass);
    bencher
        .counter(BytesCount::new(LARGE_FILES * LARGE_FILE_BYTES))
        .bench(|| package(source.path(), &options).expect("the tree is sound"));
}

/// The same tree once more. Files of this very second are never taken from the notes, so this waits
/// until they are old enough; the wait is not measured.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn tree_of_50_mb_unchanged(bencher: Bencher<'_, '_>) {
    let (source, out) = directories();
    fill(source.path(), LARGE_FILES, LARGE_FILE_BYTES);
    let options = options(&out, Cache::Use);
    while !package(source.path(), &options).expect("the tree is sound").reused {}
    bencher
        .counter(BytesCount::new(LARGE_FILES * LARGE_FILE_BYTES))
        .bench(|| package(source.path(), &options).expect("the tree is sound"));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn hundred_small_functions(bencher: Bencher<'_, '_>) {
    let (source, out) = directories();
    let functions: Vec<_> =
        (0..FUNCTIONS).map(|index| source.path().join(format!("function{index}"))).collect();
    for function in &functions {
        fill(function, FUNCTION_FILES, FUNCTION_FILE_BYTES);
    }
    let options = &options(&out, Cache::Bypass);
    bencher.counter(BytesCount::new(FUNCTIONS * FUNCTION_FILES * FUNCTION_FILE_BYTES)).bench(
        || {
            thread::scope(|scope| {
                for share in functions.chunks(FUNCTIONS.div_ceil(THREADS)) {
                    scope.spawn(move || {
                        for function in share {
                            package(function, options).expect("the function is sound");
                        }
                    });
                }
            });
        },
    );
}

fn directories() -> (TempDir, TempDir) {
    let directory = || tempfile::tempdir().expect("a temporary directory can be made");
    (directory(), directory())
}

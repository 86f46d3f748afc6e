//! Directories: what is packaged, what is left out, what is refused.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Bench, contents, problems, write};
use crate::{Cache, Fault, Options, archive, index, package, tree};

/// Sets the modification time of a file or directory to `seconds` after 1970.
fn touch(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

#[test]
fn the_bytes_of_a_known_tree_never_change() {
    let bench = Bench::new();
    bench
        .write("app.py", "def handler(event, context):\n    return {\"ok\": True}\n")
        .write("bin/run", "#!/bin/sh\nexec true\n")
        .write("empty", "")
        .write("data/zeros", vec![0; 200_000])
        .write(
            "data/ж",
            (0..150_000u32).map(|n| (n.wrapping_mul(n) >> 7).to_le_bytes()[0]).collect::<Vec<_>>(),
        );
    let run = bench.source().join("bin/run");
    fs::set_permissions(run, Permissions::from_mode(0o700)).unwrap();
    let artifact = bench.package().unwrap();
    // If this fails after an update of `zip`, `flate2` or `zlib-rs`, every function of every user
    // would be deployed again. That may be worth it, but must be said in the changelog.
    assert_eq!(
        artifact.sha256_hex(),
        "ae582551c33b46fe8aa984c040328af7554ce992d6b4404428e8a6a614c07c23"
    );
    assert_eq!(artifact.entries, 5);
    let names: Vec<_> =
        contents(&artifact.path).into_iter().map(|(name, mode, _)| (name, mode)).collect();
    let expected = [
        ("app.py", 0o100_644),
        ("bin/run", 0o100_755),
        ("data/zeros", 0o100_644),
        ("data/ж", 0o100_644),
        ("empty", 0o100_644),
    ];
    assert_eq!(names, expected.map(|(name, mode)| (name.to_owned(), mode)));
}

#[test]
fn the_artifact_is_named_by_its_hash_and_reports_it_as_lambda_does() {
    let bench = Bench::new();
    bench.write("app.py", "x");
    let artifact = bench.package().unwrap();
    let bytes = fs::read(&artifact.path).unwrap();
    let (sha256, length) = archive::hash(bytes.as_slice()).unwrap();
    assert_eq!((sha256, length), (artifact.sha256, artifact.zipped_bytes));
    let name = format!("{}.zip", artifact.sha256_hex());
    assert_eq!(artifact.path.file_name().unwrap().to_str(), Some(name.as_str()));
    assert_eq!((artifact.code_sha256().len(), artifact.unzipped_bytes), (44, 1));
    assert!(artifact.code_sha256().ends_with('='));
    let out = fs::metadata(bench.options().out_dir).unwrap().permissions();
    assert_eq!(out.mode() & 0o777, 0o700);
    let again = bench.package().unwrap();
    assert_eq!(again, artifact);
    assert_eq!(fs::read_dir(bench.options().out_dir).unwrap().count(), 1, "no litter");
}

#[test]
fn only_a_package_within_50_mb_is_uploaded_directly() {
    let bench = Bench::new();
    bench.write("app.py", "x");
    let mut artifact = bench.package().unwrap();
    for (bytes, fits) in [(52_428_800, true), (52_428_801, false)] {
        artifact.zipped_bytes = bytes;
        assert_eq!(artifact.fits_direct_upload(), fits);
    }
}

#[test]
fn traces_of_tools_are_never_packaged() {
    let bench = Bench::new();
    bench
        .write("app.py", "")
        .write(".git/config", "")
        .write("vendor/.git", "gitdir: elsewhere")
        .write(".wavegate/local/state", "")
        .write(".DS_Store", "")
        .write("lib/__pycache__/a.cpython-313.pyc", "")
        .write("lib/b.pyc", "")
        .write("lib/b.py", "")
        .write(".env", "");
    assert_eq!(bench.names(), [".env", "app.py", "lib/b.py"]);
}

#[test]
fn an_ignore_file_holds_below_its_directory_and_the_deepest_wins() {
    let bench = Bench::new();
    bench
        .write(".lambdaignore", "*.md\n/tests/\n!keep.md\n# comment\n")
        .write("app.py", "")
        .write("README.md", "")
        .write("keep.md", "")
        .write("tests/a.py", "")
        .write("lib/tests/b.py", "")
        .write("lib/.lambdaignore", "*.txt\n!NOTES.md\n")
        .write("lib/NOTES.md", "")
        .write("lib/other.md", "")
        .write("lib/deep/x.txt", "")
        .write("top.txt", "")
        .write("zz/NOTES.md", "");
    let artifact = bench.package().unwrap();
    assert_eq!(bench.names(), ["app.py", "keep.md", "lib/NOTES.md", "lib/tests/b.py", "top.txt"]);
    // README.md, tests, other.md, x.txt, zz/NOTES.md and the two rule files.
    assert_eq!(artifact.ignored, 7);
}

#[test]
fn a_gitignore_holds_only_at_the_top_and_only_without_a_lambdaignore() {
    let bench = Bench::new();
    write(&bench.dir.path().join(".gitignore"), b"app.py\n");
    bench
        .write(".gitignore", "*.log\n")
        .write("app.py", "")
        .write("a.log", "")
        .write("vendor/.gitignore", "dist\n")
        .write("vendor/dist/x.js", "");
    assert_eq!(bench.names(), ["app.py", "vendor/.gitignore", "vendor/dist/x.js"]);
    bench.write(".lambdaignore", "vendor\n");
    assert_eq!(bench.names(), [".gitignore", "a.log", "app.py"]);
}

#[test]
fn a_pattern_that_is_none_is_reported_with_its_line() {
    let bench = Bench::new();
    bench.write(".lambdaignore", "*.md\n\n{a,b\n[z-a]\n").write("app.py", "");
    let error = bench.package().unwrap_err();
    let found: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    assert_eq!(error.problems().len(), 2, "{found:?}");
    assert!(found[0].contains(".lambdaignore: line 3: "), "{found:?}");
    assert!(found[1].contains(".lambdaignore: line 4: "), "{found:?}");
    assert_eq!(error.code(), "WG211");
}

#[test]
fn links_inside_are_followed_and_stored_as_what_they_point_to() {
    let bench = Bench::new();
    bench.write("lib/a.py", "a").write("lib/deep/b.py", "b");
    let source = bench.source();
    symlink("lib/a.py", source.join("file.py")).unwrap();
    symlink(source.join("lib/a.py"), source.join("absolute.py")).unwrap();
    symlink("lib/deep", source.join("linked")).unwrap();
    symlink("../linked/b.py", source.join("lib/chain.py")).unwrap();
    let found: Vec<_> = contents(&bench.package().unwrap().path)
        .into_iter()
        .map(|(name, mode, content)| (name, mode, String::from_utf8(content).unwrap()))
        .collect();
    let expected = [
        ("absolute.py", "a"),
        ("file.py", "a"),
        ("lib/a.py", "a"),
        ("lib/chain.py", "b"),
        ("lib/deep/b.py", "b"),
        ("linked/b.py", "b"),
    ];
    assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), 0o100_644, text.to_owned())));
}

#[test]
fn all_problems_of_a_tree_are_reported_at_once() {
    let bench = Bench::new();
    bench.write("app.py", "").write("README", "").write("readme", "").write("dir/x", "");
    let source = bench.source();
    write(&bench.dir.path().join("secret"), b"secret");
    symlink("../secret", source.join("a-outside")).unwrap();
    symlink("/etc", source.join("b-outside-dir")).unwrap();
    symlink("nowhere", source.join("c-dangling")).unwrap();
    symlink("..", source.join("dir/up")).unwrap();
    symlink("self", source.join("self")).unwrap();
    nix::unistd::mkfifo(&source.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();
    fs::write(source.join("back\\slash"), "").unwrap();
    let not_utf8 = std::ffi::OsStr::from_encoded(b"not\xffutf8");
    fs::write(source.join(not_utf8), "").unwrap();
    fs::write(source.join("esc\u{1b}[2J\u{202e}\\"), "").unwrap();

    let error = bench.package().unwrap_err();
    let expected = [
        ("WG204", "a-outside"),
        ("WG204", "b-outside-dir"),
        ("WG207", "back\\slash"),
        ("WG204", "c-dangling"),
        ("WG204", "dir/up"),
        ("WG207", "esc\\u{1b}[2J\\u{202e}\\"),
        ("WG205", "fifo"),
        ("WG207", "not\\xffutf8"),
        ("WG207", "readme"),
        ("WG204", "self"),
        ("WG205", "socket"),
    ];
    assert_eq!(problems(&error), expected.map(|(code, place)| (code, place.to_owned())));
    for problem in error.problems() {
        assert!(!problem.fix().is_empty() && !problem.to_string().ends_with('.'), "{problem}");
    }
    assert!(!error.to_string().contains(['\u{1b}', '\u{202e}']));
    assert_eq!(fs::read_dir(bench.options().out_dir).unwrap().count(), 0, "nothing half-done");
}

/// Makes a name from bytes that need not be UTF-8.
trait FromEncoded {
    fn from_encoded(bytes: &[u8]) -> &Self;
}

impl FromEncoded for std::ffi::OsStr {
    fn from_encoded(bytes: &[u8]) -> &Self {
        std::os::unix::ffi::OsStrExt::from_bytes(bytes)
    }
}

#[test]
fn what_a_rule_leaves_out_is_no_problem() {
    let bench = Bench::new();
    bench.write("app.py", "").write(".lambdaignore", "bad*\nout/\n");
    let source = bench.source();
    symlink("nowhere", source.join("bad-dangling")).unwrap();
    symlink("/etc", source.join("out")).unwrap();
    nix::unistd::mkfifo(&source.join("bad-fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(source.join("bad\\name"), "").unwrap();
    assert_eq!(bench.names(), ["app.py"]);
}

#[test]
fn a_rule_file_outside_the_source_is_not_read() {
    let bench = Bench::new();
    bench.write("app.py", "");
    write(&bench.dir.path().join("secret"), b"[password\n");
    symlink("../secret", bench.source().join(".lambdaignore")).unwrap();
    let error = bench.package().unwrap_err();
    assert_eq!(problems(&error), [("WG204", ".lambdaignore".to_owned())]);
    assert!(!error.to_string().contains("password"));
}

#[test]
fn loops_through_plain_directories_below_links_are_found() {
    let bench = Bench::new();
    bench.write("x/y/file", "");
    symlink("x/y", bench.source().join("link")).unwrap();
    symlink("../../x", bench.source().join("x/y/up")).unwrap();
    let error = bench.package().unwrap_err();
    let expected = [("WG204", "link/up/y".to_owned()), ("WG204", "x/y/up".to_owned())];
    assert_eq!(problems(&error), expected);
}

#[test]
fn a_farm_of_links_ends_at_the_entry_limit() {
    let bench = Bench::new();
    // Ten levels of ten links each are 10^10 paths without a single loop.
    for level in 0..10 {
        let directory = bench.source().join(format!("l{level}"));
        fs::create_dir(&directory).unwrap();
        for link in 0..10 {
            if level < 9 {
                symlink(format!("../l{}", level + 1), directory.join(format!("{link}"))).unwrap();
            }
        }
    }
    bench.write("l9/file", "");
    let error = bench.package().unwrap_err();
    assert_eq!(problems(&error), [("WG206", String::new())]);
}

#[test]
fn sources_that_are_none_are_named_by_code() {
    let bench = Bench::new();
    let root = bench.dir.path();
    write(&root.join("code.tar"), b"x");
    nix::unistd::mkfifo(&root.join("fifo.zip"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir_all(root.join("src/only/empty")).unwrap();
    let cases =
        [("missing", "WG201"), ("code.tar", "WG202"), ("fifo.zip", "WG202"), ("src", "WG203")];
    for (name, code) in cases {
        let error = package(&root.join(name), &bench.options()).unwrap_err();
        assert_eq!((error.code(), error.problems().len()), (code, 1), "{error}");
    }
    bench.write("a.txt", "").write(".lambdaignore", "*");
    let error = bench.package().unwrap_err();
    assert!(matches!(error.problems()[0].fault, Fault::Empty { ignored: 3 }), "{error}");
    assert!(error.problems()[0].fix().contains(".lambdaignore"));
}

#[test]
fn a_package_over_the_limit_names_its_largest_ten() {
    let bench = Bench::new();
    for index in 0..12 {
        bench.write(&format!("f{index:02}"), vec![b'x'; 100 + index]);
    }
    let total = 12 * 100 + 66;
    let options = Options { max_unzipped: total, ..bench.options() };
    assert_eq!(package(&bench.source(), &options).unwrap().unzipped_bytes, total);
    let options = Options { max_unzipped: total - 1, ..bench.options() };
    let error = package(&bench.source(), &options).unwrap_err();
    let Fault::TooLarge { total: found, limit, largest } = &error.problems()[0].fault else {
        panic!("{error}")
    };
    assert_eq!((*found, *limit, error.code()), (total, total - 1, "WG206"));
    let expected: Vec<_> = (2..12).rev().map(|n| (format!("f{n:02}"), 100 + n)).collect();
    assert_eq!(largest, &expected);
    assert!(error.to_string().contains("`f11` 111"), "{error}");
}

#[test]
fn the_directory_of_the_artifacts_is_never_packaged() {
    let bench = Bench::new();
    bench.write("app.py", "");
    let options = Options { out_dir: bench.source().join("build"), ..bench.options() };
    let first = package(&bench.source(), &options).unwrap();
    let second = package(&bench.source(), &options).unwrap();
    assert_eq!((first.sha256, first.entries), (second.sha256, 1));
}

#[test]
fn a_file_that_changes_between_the_look_and_the_reading_is_refused() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("other size", |path| fs::write(path, "longer").unwrap()),
        ("other time", |path| touch(path, 1_000_000)),
        ("gone", |path| fs::remove_file(path).unwrap()),
        ("another file", |path| {
            fs::write(path.with_extension("new"), "abc").unwrap();
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            let new = File::open(path.with_extension("new")).unwrap();
            new.set_times(FileTimes::new().set_modified(modified)).unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        }),
        ("a link", |path| {
            fs::remove_file(path).unwrap();
            symlink("/etc/passwd", path).unwrap();
        }),
        ("a fifo", |path| {
            fs::remove_file(path).unwrap();
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }),
    ];
    for (what, change) in changes {
        let bench = Bench::new();
        bench.write("app.py", "abc").write("other.py", "def");
        let out = crate::open_out_dir(&bench.options().out_dir).unwrap();
        let tree = tree::look(&bench.source(), &out, &bench.options()).unwrap();
        change(&bench.source().join("app.py"));
        let problems = archive::write(&tree, &out).unwrap_err();
        let codes: Vec<_> = problems.iter().map(crate::Problem::code).collect();
        assert_eq!(codes, ["WG208"], "{what}");
        fs::remove_file(bench.source().join("other.py")).unwrap();
        assert_eq!(archive::write(&tree, &out).unwrap_err().len(), 2, "{what}: all at once");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "{what}: nothing half-done");
    }
}

/// A bench whose files were last changed long enough ago to be noted.
fn settled() -> (Bench, Options) {
    let bench = Bench::new();
    bench.write("app.py", "abc").write("lib/a.py", "def");
    let options = Options { cache: Cache::Use, ..bench.options() };
    // Change times cannot be set, so the wait is for the file system's own clock.
    while !package(&bench.source(), &options).unwrap().reused {
        std::thread::yield_now();
    }
    (bench, options)
}

#[test]
fn an_unchanged_tree_is_recognised_and_a_changed_one_is_not() {
    let (bench, options) = settled();
    let source = bench.source();
    let first = package(&source, &options).unwrap();
    assert!(first.reused);
    let fresh = bench.package().unwrap();
    assert_eq!(fresh, crate::Artifact { reused: false, ..first.clone() });

    // Same size and same modification time; only the time of the change itself tells.
    let path = source.join("app.py");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "xyz").unwrap();
    File::open(&path).unwrap().set_times(FileTimes::new().set_modified(modified)).unwrap();
    let changed = package(&source, &options).unwrap();
    assert!(!changed.reused);
    assert_ne!(changed.sha256, first.sha256);

    // The source was changed just now, so nothing may be noted yet.
    assert!(!package(&source, &options).unwrap().reused);
    bench.write("lib/b.py", "");
    assert_eq!(package(&source, &options).unwrap().entries, 3);
}

#[test]
fn a_file_of_this_moment_is_never_noted() {
    let bench = Bench::new();
    let options = Options { cache: Cache::Use, ..bench.options() };
    let path = bench.source().join("app.py");
    for content in ["a1", "b2", "c3", "d4"] {
        fs::write(&path, content).unwrap();
        let artifact = package(&bench.source(), &options).unwrap();
        assert_eq!(contents(&artifact.path)[0].2, content.as_bytes());
        assert!(!artifact.reused);
        let note = note(&bench, &options);
        assert!(!note.exists(), "a note about a file of this moment could become wrong");
    }
}

fn note(bench: &Bench, options: &Options) -> std::path::PathBuf {
    let out = fs::canonicalize(&options.out_dir).unwrap();
    index::Index::of(&fs::canonicalize(bench.source()).unwrap(), &out).path
}

#[test]
fn a_damaged_note_or_artifact_is_made_again() {
    let (bench, options) = settled();
    let good = bench.package().unwrap();
    let bytes = fs::read(&good.path).unwrap();
    let package = || package(&bench.source(), &options).unwrap();

    fs::write(note(&bench, &options), "wavegate-package-index 1 nonsense").unwrap();
    assert!(!package().reused, "a damaged note is ignored");
    assert!(package().reused, "and written again");

    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    for damaged in [&bytes[..bytes.len() - 1], flipped.as_slice(), &[]] {
        fs::write(&good.path, damaged).unwrap();
        let again = package();
        assert!(!again.reused, "a damaged artifact is not used");
        assert_eq!((again.sha256, fs::read(&again.path).unwrap()), (good.sha256, bytes.clone()));
    }
    fs::remove_file(&good.path).unwrap();
    assert!(!package().reused);
    assert_eq!(fs::read(&good.path).unwrap(), bytes);
}

#[test]
fn many_at_once_into_one_directory_do_not_disturb_each_other() {
    let bench = Bench::new();
    for index in 0..50 {
        bench.write(&format!("f{index}"), vec![b'a'; 5000 + index]);
    }
    let (source, options) = (bench.source(), bench.options());
    let hashes: Vec<_> = std::thread::scope(|scope| {
        let run = || {
            let artifact = package(&source, &options).unwrap();
            assert!(archive::holds(&artifact.path, &artifact));
            artifact.sha256
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
}

#[test]
fn every_file_that_cannot_be_read_is_named() {
    use nix::unistd::{Uid, geteuid, setfsuid};
    let bench = Bench::new();
    bench.write("app.py", "").write("a", "").write("b", "");
    for name in ["a", "b"] {
        fs::set_permissions(bench.source().join(name), Permissions::from_mode(0o000)).unwrap();
    }
    fs::create_dir(bench.options().out_dir).unwrap();
    for directory in [bench.dir.path(), &bench.source(), &bench.options().out_dir] {
        fs::set_permissions(directory, Permissions::from_mode(0o777)).unwrap();
    }
    // Root may read everything, so a thread of root's looks at files as nobody does.
    let error = std::thread::scope(|scope| {
        let packaging = scope.spawn(|| {
            if geteuid().is_root() {
                setfsuid(Uid::from_raw(65534));
            }
            bench.package().unwrap_err()
        });
        packaging.join().unwrap()
    });
    let expected = [("WG210", "a".to_owned()), ("WG210", "b".to_owned())];
    assert_eq!(problems(&error), expected);
    assert!(error.problems()[0].fix().contains("access"));
    let text = error.to_string();
    assert!(text.contains("a: cannot open it: Permission denied"), "the cause is told: {text}");
}

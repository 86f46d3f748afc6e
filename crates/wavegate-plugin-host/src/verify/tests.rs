//! From a path to a private copy: who may change the file, which bytes it has, and where they go.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, symlink};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;
use crate::error::{Exposure, Finding};
use crate::fixture::{PLUGIN, library, private_dir, set_mode};

/// A directory with a sound plugin `libp.so` in it, and a cache beside it.
struct Bench {
    root: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { root: private_dir() };
        fs::create_dir(bench.dir()).unwrap();
        set_mode(&bench.dir(), 0o755);
        library(&bench.dir(), "libp.so", PLUGIN);
        bench
    }

    fn dir(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap().join("plugins")
    }

    fn plugin(&self) -> PathBuf {
        self.dir().join("libp.so")
    }

    fn cache(&self) -> PathBuf {
        self.root.path().join("cache")
    }

    fn verify(&self, path: &Path, expect: Expect) -> Result<Verified, HostError> {
        verify("p", path, expect, &self.cache())
    }

    fn sound(&self) -> Verified {
        self.verify(&self.plugin(), Expect::Unpinned).unwrap()
    }

    fn code(&self, path: &Path) -> &'static str {
        self.verify(path, Expect::Unpinned).unwrap_err().code()
    }

    fn findings(&self) -> Vec<Finding> {
        match self.verify(&self.plugin(), Expect::Unpinned) {
            Err(HostError::Untrusted { findings, .. }) => findings,
            other => panic!("{other:?}"),
        }
    }

    /// What is in the store.
    fn kept(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.cache().join("plugins")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn writable(path: PathBuf, mode: u32) -> Vec<Finding> {
    vec![Finding { path, exposure: Exposure::WritableByOthers { mode } }]
}

#[test]
fn a_sound_plugin_gets_a_private_copy_under_its_hash() {
    let bench = Bench::new();
    let verified = bench.sound();
    assert_eq!(verified.name, "p");
    assert_eq!(verified.entry, "wavegate_plugin_init_v1");
    assert_eq!(verified.source, bench.plugin());
    assert_eq!(verified.bytes, fs::metadata(bench.plugin()).unwrap().len());
    let dir = bench.cache().canonicalize().unwrap().join("plugins");
    assert_eq!(verified.file, dir.join(verified.sha256.to_string()).join("libp.so"));
    assert_eq!(fs::read(&verified.file).unwrap(), fs::read(bench.plugin()).unwrap());
}

#[test]
fn the_hash_is_that_of_sha256sum() {
    let bench = Bench::new();
    let output = std::process::Command::new("sha256sum").arg(bench.plugin()).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert_eq!(line.split(' ').next(), Some(bench.sound().sha256.to_string().as_str()));
}

#[test]
fn the_store_is_its_owners_alone() {
    let bench = Bench::new();
    let file = bench.sound().file;
    assert_eq!(mode(&file), 0o500);
    for dir in file.ancestors().skip(1).take(3) {
        assert_eq!(mode(dir), 0o700, "{dir:?}");
    }
}

#[test]
fn a_store_that_was_opened_to_others_is_closed_again() {
    let bench = Bench::new();
    let file = bench.sound().file;
    let (of_hash, root) = (file.parent().unwrap(), bench.cache().join("plugins"));
    set_mode(of_hash, 0o777);
    set_mode(&root, 0o777);
    bench.sound();
    assert_eq!((mode(of_hash), mode(&root)), (0o700, 0o700));
}

#[test]
fn a_cache_that_others_can_change_is_refused() {
    let bench = Bench::new();
    bench.sound();
    set_mode(&bench.cache(), 0o777);
    assert_eq!(bench.findings(), writable(bench.cache().canonicalize().unwrap(), 0o777));
}

#[test]
fn names_may_leave_out_what_differs_between_platforms() {
    let bench = Bench::new();
    let short = bench.verify(&bench.dir().join("p"), Expect::Unpinned).unwrap();
    assert_eq!(short, bench.sound());
    fs::create_dir(bench.dir().join("p")).unwrap();
    let beside = bench.verify(&bench.dir().join("p"), Expect::Unpinned).unwrap();
    assert_eq!(beside, short);
}

#[test]
fn a_cargo_project_stands_for_what_it_built() {
    let bench = Bench::new();
    let project = bench.dir().join("my-plug");
    let debug = project.join("target/debug");
    fs::create_dir_all(&debug).unwrap();
    fs::write(project.join("Cargo.toml"), "").unwrap();
    let error = bench.verify(&project, Expect::Unpinned).unwrap_err();
    let HostError::Missing { tried, .. } = error else { panic!("{error:?}") };
    assert_eq!(tried.last(), Some(&debug.join("libmy_plug.so")));
    for dir in [&project, &project.join("target"), &debug] {
        set_mode(dir, 0o755);
    }
    let built = library(&debug, "libmy_plug.so", PLUGIN);
    assert_eq!(bench.verify(&project, Expect::Unpinned).unwrap().source, built);
}

#[test]
fn what_is_not_there_is_told_with_every_place() {
    let bench = Bench::new();
    let path = bench.dir().join("q");
    let tried = vec![path.clone(), bench.dir().join("libq.so")];
    let error = bench.verify(&path, Expect::Unpinned).unwrap_err();
    assert_eq!(error, HostError::Missing { plugin: "p".into(), tried });
    assert_eq!(bench.code(&bench.plugin().join("below-a-file.so")), "WG301");
    symlink("nowhere", bench.dir().join("dangling.so")).unwrap();
    assert_eq!(bench.code(&bench.dir().join("dangling.so")), "WG301");
}

#[test]
fn only_regular_files_are_read() {
    let bench = Bench::new();
    assert_eq!(bench.code(&bench.dir()), "WG302");
    assert_eq!(bench.code(Path::new("/dev/zero")), "WG302");
    // A pipe without a writer would be waited for forever.
    let pipe = bench.dir().join("pipe.so");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    assert_eq!(bench.code(&pipe), "WG302");
    let error = Source::at("p", pipe).open().err().unwrap();
    assert_eq!(error.code(), "WG302");
}

#[test]
fn a_symlink_to_a_sound_file_is_followed() {
    let bench = Bench::new();
    let link = bench.dir().join("link.so");
    symlink(bench.plugin(), &link).unwrap();
    assert_eq!(bench.verify(&link, Expect::Unpinned).unwrap().source, bench.plugin());
}

#[test]
fn a_symlink_that_took_the_files_place_is_not_followed() {
    let bench = Bench::new();
    let source = Source::find("p", &bench.plugin()).unwrap();
    fs::rename(bench.plugin(), bench.dir().join("moved.so")).unwrap();
    symlink("moved.so", bench.plugin()).unwrap();
    assert_eq!(source.open().err().unwrap().code(), "WG301");
}

#[test]
fn a_file_that_others_can_write_is_refused_by_name() {
    let bench = Bench::new();
    for bits in [0o666, 0o775, 0o757] {
        set_mode(&bench.plugin(), bits);
        assert_eq!(bench.findings(), writable(bench.plugin(), bits));
    }
    assert_eq!(bench.kept(), Vec::<PathBuf>::new());
}

#[test]
fn a_directory_that_others_can_write_is_refused_unless_it_is_sticky() {
    let bench = Bench::new();
    for bits in [0o777, 0o775] {
        set_mode(&bench.dir(), bits);
        assert_eq!(bench.findings(), writable(bench.dir(), bits));
    }
    set_mode(&bench.dir(), 0o1777);
    bench.sound();
}

#[test]
fn everything_that_others_can_change_is_told_at_once() {
    let bench = Bench::new();
    set_mode(&bench.dir(), 0o777);
    set_mode(&bench.plugin(), 0o666);
    let both = [writable(bench.dir(), 0o777), writable(bench.plugin(), 0o666)].concat();
    assert_eq!(bench.findings(), both);
}

#[test]
fn a_file_of_another_user_is_refused() {
    let bench = Bench::new();
    let me = geteuid().as_raw();
    // Root may give files away and is trusted by everybody; others are strangers to each other.
    let (owner, user) = if me == 0 { (4_711, 0) } else { (me, me + 1) };
    std::os::unix::fs::chown(bench.plugin(), Some(owner), None).unwrap();
    let error = verify_for(user, "p", &bench.plugin(), Expect::Unpinned, &bench.cache());
    let Err(HostError::Untrusted { findings, .. }) = error else { panic!("{error:?}") };
    let exposure = Exposure::OwnedBy { uid: owner };
    assert_eq!(findings.last(), Some(&Finding { path: bench.plugin(), exposure }));
}

#[test]
fn the_right_pin_opens_and_a_wrong_one_leaves_nothing_behind() {
    let bench = Bench::new();
    let wrong: Pin = "0".repeat(64).parse().unwrap();
    let error = bench.verify(&bench.plugin(), Expect::Pinned(wrong)).unwrap_err();
    assert_eq!(bench.kept(), Vec::<PathBuf>::new());
    let found = bench.sound().sha256;
    assert_eq!(error, HostError::PinMismatch { plugin: "p".into(), expected: wrong, found });
    let verified = bench.verify(&bench.plugin(), Expect::Pinned(found)).unwrap();
    assert_eq!(verified.sha256, found);
}

#[test]
fn what_is_no_plugin_leaves_nothing_behind() {
    let bench = Bench::new();
    let text = bench.dir().join("text.so");
    fs::write(&text, "not a library").unwrap();
    set_mode(&text, 0o644);
    assert_eq!(bench.code(&text), "WG307");
    let empty = library(&bench.dir(), "empty.so", "int f(void) { return 0; }");
    assert_eq!(bench.code(&empty), "WG309");
    assert_eq!(bench.kept(), Vec::<PathBuf>::new());
}

#[test]
fn a_plugin_that_is_rebuilt_leaves_the_copy_in_use_alone() {
    let bench = Bench::new();
    let old = bench.sound();
    let bytes = fs::read(&old.file).unwrap();
    library(&bench.dir(), "libp.so", &format!("{PLUGIN} int more(void) {{ return 1; }}"));
    let new = bench.sound();
    assert_ne!((&new.sha256, &new.file), (&old.sha256, &old.file));
    assert_eq!(fs::read(&old.file).unwrap(), bytes);
    // Not even a rewrite in place, which ends processes that have the file mapped.
    File::create(bench.plugin()).unwrap();
    assert_eq!(fs::read(&old.file).unwrap(), bytes);
}

#[test]
fn a_file_that_is_replaced_while_it_is_read_does_not_matter() {
    let bench = Bench::new();
    let sha256 = bench.sound().sha256;
    let source = Source::find("p", &bench.plugin()).unwrap();
    let mut reader = source.open_trusted(geteuid().as_raw()).unwrap();
    let other = library(&bench.dir(), "other.so", "int f(void) { return 0; }");
    fs::rename(other, bench.plugin()).unwrap();
    reader.skim().unwrap();
    assert_eq!(reader.sum().0, sha256);
}

#[test]
fn a_file_that_is_changed_while_it_is_read_is_kept_as_it_was_hashed() {
    let bench = Bench::new();
    let uid = geteuid().as_raw();
    let source = Source::find("p", &bench.plugin()).unwrap();
    let reader = source.open_trusted(uid).unwrap();
    fs::write(bench.plugin(), "something else").unwrap();
    let store = Store::open("p", &bench.cache(), uid).unwrap();
    let copy = store.take(reader).unwrap();
    let sha256 = copy.sha256;
    let place = store.keep(copy, source.file_name()).unwrap();
    let kept = Source::at("p", place);
    let mut reader = kept.open().unwrap();
    reader.skim().unwrap();
    assert_eq!(reader.sum().0, sha256);
}

#[test]
fn a_sound_copy_stays_the_same_file() {
    let bench = Bench::new();
    let inode = |verified: Verified| fs::metadata(verified.file).unwrap().ino();
    assert_eq!(inode(bench.sound()), inode(bench.sound()));
    assert_eq!(bench.kept().len(), 1);
}

#[test]
fn a_copy_that_was_tampered_with_is_replaced() {
    let bench = Bench::new();
    let file = bench.sound().file;
    let bytes = fs::read(&file).unwrap();
    let heals = |what: &str| {
        assert_eq!(bench.sound().file, file, "{what}");
        assert_eq!((fs::read(&file).unwrap(), mode(&file)), (bytes.clone(), 0o500), "{what}");
    };
    set_mode(&file, 0o700);
    fs::write(&file, "garbage").unwrap();
    set_mode(&file, 0o500);
    heals("other bytes");
    set_mode(&file, 0o777);
    heals("another mode");
    fs::remove_file(&file).unwrap();
    symlink(bench.plugin(), &file).unwrap();
    heals("a symlink");
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
    fs::remove_file(&file).unwrap();
    heals("gone");
}

#[test]
fn a_store_that_cannot_be_made_is_told_as_such() {
    let bench = Bench::new();
    fs::write(bench.cache(), "a file").unwrap();
    assert_eq!(bench.code(&bench.plugin()), "WG337");
}

#[test]
fn a_file_beyond_the_limit_is_not_read() {
    let bench = Bench::new();
    let path = bench.dir().join("large.so");
    File::create(&path).unwrap().set_len(source::SIZE_MAX + 1).unwrap();
    set_mode(&path, 0o644);
    let limit = source::SIZE_MAX;
    let error = HostError::TooLarge { plugin: "p".into(), path: path.clone(), limit };
    assert_eq!(bench.verify(&path, Expect::Unpinned), Err(error));
}

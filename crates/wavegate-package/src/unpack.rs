//! A zip that somebody else built, as a directory: what `init` makes of code that it downloads.
//!
//! The archive is judged first, by the law for packages, so nothing of one that leads out of itself
//! touches the disk. Even so nothing is believed while writing: files are created where there is none,
//! and links come after all files, so that no file is written through one.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use crate::error::{Fault, Problem, shown_bytes};
use crate::prebuilt;
use crate::stamp::Stamp;
use crate::{MAX_UNZIPPED_BYTES, PackageError};

/// Unpacks `zip` into `to`, an empty directory. Blocking.
///
/// # Errors
/// Every problem of the archive, before anything is written; or the first of writing, after which
/// `to` may hold a part of it.
pub fn unpack(zip: &Path, to: &Path) -> Result<(), PackageError> {
    unpack_within(zip, to, MAX_UNZIPPED_BYTES)
}

pub(crate) fn unpack_within(zip: &Path, to: &Path, limit: u64) -> Result<(), PackageError> {
    let look = fs::metadata(zip).map_err(|error| vec![Problem::io(zip, "look at", error)]);
    look.and_then(|metadata| prebuilt::judge(zip, zip, &Stamp::of(&metadata), limit))
        .and_then(|_| write(zip, to, limit).map_err(|problem| vec![problem]))
        .map_err(|problems| PackageError::new(zip, problems))
}

fn write(zip: &Path, to: &Path, limit: u64) -> Result<(), Problem> {
    let broken = |error: &dyn std::error::Error| {
        Problem::at(zip, Fault::BrokenZip { detail: shown_bytes(error.to_string().as_bytes()) })
    };
    let file = File::open(zip).map_err(|error| Problem::io(zip, "open", error))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(&error))?;
    let mut links = Vec::new();
    let mut left = limit;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| broken(&error))?;
        // The judge has let through what is a path inside, and is UTF-8.
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let path = to.join(&name);
        let failed = |error| Problem::io(&path, "write", error);
        if entry.is_dir() {
            fs::create_dir_all(&path).map_err(failed)?;
        } else if entry.is_symlink() {
            let mut target = String::new();
            entry.read_to_string(&mut target).map_err(|error| broken(&error))?;
            links.push((path, target));
        } else {
            let is_executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
            // Counted once more: the file may not be the one that was judged.
            let mut bounded = entry.by_ref().take(left);
            left -= write_file(&mut bounded, &path, is_executable).map_err(failed)?;
        }
    }
    for (path, target) in links {
        let failed = |error| Problem::io(&path, "write", error);
        make_parent(&path).and_then(|()| link(&target, &path)).map_err(failed)?;
    }
    Ok(())
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn write_file(from: &mut impl Read, path: &Path, is_executable: bool) -> io::Result<u64> {
    make_parent(path)?;
    let mut file = File::create_new(path)?;
    let copied = io::copy(from, &mut file)?;
    if is_executable {
        make_executable(&file)?;
    }
    Ok(copied)
}

/// Whoever may read it may execute it; all else of its mode is the umask's affair.
#[cfg(unix)]
fn make_executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode();
    file.set_permissions(fs::Permissions::from_mode(mode | ((mode & 0o444) >> 2)))
}

#[cfg(unix)]
fn link(target: &str, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

/// Where there are no modes every file is executable.
#[cfg(not(unix))]
fn make_executable(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn link(_: &str, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no symlinks like Lambda's"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    struct Bench(tempfile::TempDir);

    impl Bench {
        fn of(build: impl FnOnce(&mut ZipWriter<File>)) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = ZipWriter::new(File::create(dir.path().join("fn.zip")).unwrap());
            build(&mut writer);
            writer.finish().unwrap();
            fs::create_dir(dir.path().join("fn")).unwrap();
            Self(dir)
        }

        fn unpack(&self, limit: u64) -> Result<(), PackageError> {
            unpack_within(&self.0.path().join("fn.zip"), &self.0.path().join("fn"), limit)
        }

        /// What is in the directory that was unpacked to.
        fn count(&self) -> usize {
            fs::read_dir(self.0.path().join("fn")).unwrap().count()
        }
    }

    fn file(zip: &mut ZipWriter<File>, name: &str, text: &str) {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_sound_archive_comes_out_with_its_links_and_what_can_be_executed() {
        use std::os::unix::fs::PermissionsExt as _;
        let bench = Bench::of(|zip| {
            zip.add_symlink("bootstrap", "bin/run", SimpleFileOptions::default()).unwrap();
            zip.start_file("bin/run", SimpleFileOptions::default().unix_permissions(0o755))
                .unwrap();
            zip.write_all(b"#!/bin/sh\n").unwrap();
            file(zip, "app.py", "x = 1\n");
        });
        bench.unpack(MAX_UNZIPPED_BYTES).unwrap();
        let root = bench.0.path().join("fn");
        let is_executable =
            |name: &str| root.join(name).metadata().unwrap().permissions().mode() & 0o100 != 0;
        assert_eq!(fs::read(root.join("bootstrap")).unwrap(), b"#!/bin/sh\n");
        assert!(root.join("bootstrap").is_symlink());
        assert!(is_executable("bin/run") && !is_executable("app.py"));
    }

    #[test]
    fn an_archive_that_leads_out_of_itself_leaves_nothing() {
        for name in ["../evil", "a/../../evil", "/tmp/evil", "a\\..\\evil"] {
            let bench = Bench::of(|zip| {
                file(zip, "app.py", "x = 1\n");
                file(zip, name, "evil");
            });
            assert_eq!(bench.unpack(MAX_UNZIPPED_BYTES).unwrap_err().code(), "WG207", "{name}");
            assert_eq!(bench.count(), 0, "{name}");
            assert!(!bench.0.path().join("evil").exists());
        }
        let bench = Bench::of(|zip| {
            file(zip, "app.py", "x = 1\n");
            zip.add_symlink("out", "../..", SimpleFileOptions::default()).unwrap();
        });
        assert_eq!(bench.unpack(MAX_UNZIPPED_BYTES).unwrap_err().code(), "WG204");
        assert_eq!(bench.count(), 0);
    }

    #[test]
    fn an_archive_that_unfolds_to_too_much_leaves_nothing() {
        let bench = Bench::of(|zip| file(zip, "zeros", &"0".repeat(1 << 16)));
        assert_eq!(bench.unpack((1 << 16) - 1).unwrap_err().code(), "WG206");
        assert_eq!(bench.count(), 0);
        bench.unpack(1 << 16).unwrap();
    }

    #[test]
    fn what_is_there_already_is_not_written_over() {
        let bench = Bench::of(|zip| file(zip, "app.py", "theirs"));
        let mine = bench.0.path().join("fn/app.py");
        fs::write(&mine, "mine").unwrap();
        assert_eq!(bench.unpack(MAX_UNZIPPED_BYTES).unwrap_err().code(), "WG210");
        assert_eq!(fs::read(&mine).unwrap(), b"mine");
    }
}

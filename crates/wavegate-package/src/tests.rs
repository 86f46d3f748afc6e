//! The laws of packaging, on real directories and on archives built to break them.

mod hostile;
mod laws;
mod trees;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::{Artifact, Cache, Options, PackageError, package};

/// A source and a place for artifacts.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("src")).unwrap();
        Self { dir }
    }

    fn source(&self) -> std::path::PathBuf {
        self.dir.path().join("src")
    }

    fn options(&self) -> Options {
        Options { cache: Cache::Bypass, ..Options::new(self.dir.path().join("out")) }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        write(&self.source().join(name), content.as_ref());
        self
    }

    fn package(&self) -> Result<Artifact, PackageError> {
        package(&self.source(), &self.options())
    }

    /// The names in the artifact.
    fn names(&self) -> Vec<String> {
        contents(&self.package().unwrap().path).into_iter().map(|(name, ..)| name).collect()
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Name, permission bits and content of every entry, in the order of the archive.
fn contents(zip: &Path) -> Vec<(String, u32, Vec<u8>)> {
    use std::io::Read as _;
    let mut archive = zip::ZipArchive::new(fs::File::open(zip).unwrap()).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let name = entry.name().unwrap().into_owned();
            (name, entry.unix_mode().unwrap(), content)
        })
        .collect()
}

/// Code and place of every problem, the place relative to the source.
fn problems(error: &PackageError) -> Vec<(&'static str, String)> {
    let source = error.source_path().display().to_string();
    let relative = |place: &str| {
        place.strip_prefix(&source).unwrap_or(place).trim_start_matches(['/', '!']).to_owned()
    };
    error.problems().iter().map(|problem| (problem.code(), relative(&problem.place))).collect()
}

//! Which files a path of the manifest may stand for.
//!
//! Deliberately absent: any search. A name without a directory is a file beside the manifest, never
//! something that the system loader looks for on its own.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The places to look at, in order: the path itself, the library of that name, and, for a Cargo
/// project, what it built. Release comes before debug, whichever is newer: which of two files is
/// taken must not depend on their times.
pub(super) fn candidates(path: &Path, project: Option<&Path>) -> Vec<PathBuf> {
    let mut places = vec![path.to_path_buf()];
    if let (Some(name), false) = (path.file_name(), is_library(path)) {
        places.extend(library_names(name).into_iter().map(|name| path.with_file_name(name)));
    }
    let built = project.and_then(Path::file_name).and_then(|name| library_names(name).pop());
    if let Some(built) = built {
        let target = path.join("target");
        places.extend(["release", "debug"].map(|profile| target.join(profile).join(&built)));
    }
    places
}

fn is_library(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(DLL_SUFFIX.as_bytes())
}

/// The file names of the library `name`: as it is written, and as Cargo writes it.
fn library_names(name: &OsStr) -> Vec<String> {
    let Some(name) = name.to_str() else { return Vec::new() };
    let file = |name: &str| format!("{DLL_PREFIX}{name}{DLL_SUFFIX}");
    let mut names = vec![file(name), file(&name.replace('-', "_"))];
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `lib%x%` is the library `x` of this platform.
    fn check(path: &str, project: Option<&str>, expect: &[&str]) {
        let here = |place: &str| place.replace("lib%", DLL_PREFIX).replace('%', DLL_SUFFIX);
        let expect: Vec<PathBuf> = expect.iter().map(|place| here(place).into()).collect();
        assert_eq!(candidates(Path::new(&here(path)), project.map(Path::new)), expect, "{path}");
    }

    #[test]
    fn a_path_stands_for_itself_first_and_then_for_the_library_of_that_name() {
        check("plugins/ladder", None, &["plugins/ladder", "plugins/lib%ladder%"]);
        check("/abs/x", None, &["/abs/x", "/abs/lib%x%"]);
    }

    #[test]
    fn dashes_are_also_what_cargo_makes_of_them() {
        check("my-plug", None, &["my-plug", "lib%my-plug%", "lib%my_plug%"]);
    }

    #[test]
    fn the_name_of_a_library_stands_for_itself_alone() {
        check("plugins/lib%x%", None, &["plugins/lib%x%"]);
    }

    #[test]
    fn a_project_stands_for_what_it_built_release_first() {
        check(
            "my-plug",
            Some("/work/my-plug"),
            &[
                "my-plug",
                "lib%my-plug%",
                "lib%my_plug%",
                "my-plug/target/release/lib%my_plug%",
                "my-plug/target/debug/lib%my_plug%",
            ],
        );
        check(
            ".",
            Some("/work/ladder"),
            &[".", "./target/release/lib%ladder%", "./target/debug/lib%ladder%"],
        );
    }
}

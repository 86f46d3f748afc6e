//! The code of functions that exist, fetched beside the manifest that is to name it.
//!
//! All of it is fetched and judged in a directory of its own before any of it takes its place: an
//! interrupt, a hash that does not fit or an archive that leads out of itself leaves nothing behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _};
use tempfile::TempDir;
use wavegate_core::name::FunctionName;
use wavegate_engine::adopt::{Adopted, Adoption};
use wavegate_package::PackageError;

use super::HINT;
use crate::Context;
use crate::args::{DownloadForm, InitArgs};
use crate::command::import::free;
use crate::error::CliError;
use crate::fault;
use crate::target::Stage;

/// The code is not what was looked at.
const OTHER_CODE: &str = "WG161";
/// A file cannot be written.
const UNWRITABLE: &str = "WG618";

/// How many packages are fetched at once: enough to use a line well, and few enough that none of them
/// comes to the end of its time.
const AT_ONCE: usize = 4;

/// Where the code of a function is kept, relative to the manifest.
pub(super) fn path(function: &FunctionName, form: DownloadForm) -> String {
    match form {
        DownloadForm::Zip => format!("functions/{function}.zip"),
        DownloadForm::Unpacked => format!("functions/{function}"),
    }
}

/// Code that was fetched and has not taken its place yet.
pub(super) struct Fetched {
    /// Holds it, and goes away with what is left in it.
    staging: TempDir,
    dir: PathBuf,
    /// Paths relative to both directories.
    paths: Vec<String>,
}

/// Fetches the code of every function that has any: images stay where they are.
pub(super) async fn fetch(
    context: &Context,
    stage: &Stage,
    args: &InitArgs,
    adoption: &Adoption,
    form: DownloadForm,
) -> Result<Fetched, CliError> {
    let functions: Vec<(&FunctionName, &Adopted)> =
        adoption.functions.iter().filter(|(_, one)| one.whole.view.image_uri.is_none()).collect();
    let paths: Vec<String> = functions.iter().map(|(name, _)| path(name, form)).collect();
    if !args.existing.force {
        let wanted: Vec<PathBuf> = paths.iter().map(|path| args.dir.join(path)).collect();
        free(context, wanted.iter().map(PathBuf::as_path), HINT)?;
    }
    let dir = context.environment.cwd.join(&args.dir);
    let staging = make_staging(&dir).map_err(|error| unwritable(&dir, &error))?;
    let fetches = functions.into_iter().map(|(name, adopted)| {
        let to = staging.path().join(path(name, form));
        one(stage, name, adopted, form, to)
    });
    futures_util::stream::iter(fetches).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(Fetched { staging, dir, paths })
}

/// A directory on the same file system, so that things can be moved out of it.
fn make_staging(dir: &Path) -> io::Result<TempDir> {
    fs::create_dir_all(dir)?;
    let staging = tempfile::Builder::new().prefix(".wavegate-init-").tempdir_in(dir)?;
    fs::create_dir(staging.path().join("functions"))?;
    Ok(staging)
}

async fn one(
    stage: &Stage,
    name: &FunctionName,
    adopted: &Adopted,
    form: DownloadForm,
    to: PathBuf,
) -> Result<(), CliError> {
    let zip = to.with_added_extension("fetched");
    let fetched = stage.engine.fetch_code(name, adopted.version, &*stage.existing, &zip).await;
    let fetched = fetched.map_err(|error| fault::engine(&error, &stage.endpoint))?;
    let expected = &adopted.whole.view.code_sha256;
    if fetched.is_none_or(|fetched| fetched.code_sha256 != *expected) {
        let message = format!("the code of function `{name}` is not what it was a moment ago");
        return Err(CliError::usage(OTHER_CODE, message)
            .because(format!("Lambda told the hash {expected}"))
            .hint("somebody deploys it now, or something in between answers in Lambda's place: do it again"));
    }
    let work = move || match form {
        DownloadForm::Zip => fs::rename(&zip, &to).map_err(|error| unwritable(&to, &error)),
        DownloadForm::Unpacked => unpack(&zip, &to),
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| CliError::bug(format!("unpacking stopped: {error}")))?
}

fn unpack(zip: &Path, to: &Path) -> Result<(), CliError> {
    fs::create_dir(to).map_err(|error| unwritable(to, &error))?;
    wavegate_package::unpack(zip, to).map_err(|error| unsound(&error, to))?;
    fs::remove_file(zip).map_err(|error| unwritable(zip, &error))
}

/// An archive that is not unpacked.
fn unsound(error: &PackageError, to: &Path) -> CliError {
    let name = to.file_name().unwrap_or_default().display();
    let message = format!("the code of function `{name}` cannot be unpacked: nothing was written");
    let mut told = CliError::usage(error.code(), message);
    let staging = to.parent().map(|parent| format!("{}/", parent.display())).unwrap_or_default();
    for problem in error.problems() {
        // Where it is staged is nobody's concern.
        let place = problem.place.strip_prefix(staging.as_str()).unwrap_or(&problem.place);
        told = told.because(format!("{place}: {}", problem.fault));
    }
    told.hint("keep it as it is: --download=zip")
}

impl Fetched {
    /// Puts everything in its place. Answers with the paths, relative to the manifest.
    pub(super) fn keep(self, force: bool) -> Result<Vec<String>, CliError> {
        let Self { staging, dir, paths } = self;
        fs::create_dir_all(dir.join("functions")).map_err(|error| unwritable(&dir, &error))?;
        for path in &paths {
            let to = dir.join(path);
            let placed = if force { put_aside(&to, staging.path()) } else { must_be_free(&to) };
            placed
                .and_then(|()| fs::rename(staging.path().join(path), &to))
                .map_err(|error| unwritable(&to, &error))?;
        }
        Ok(paths)
    }
}

/// Moves what is there into the staging directory, and so away with it.
fn put_aside(path: &Path, staging: &Path) -> io::Result<()> {
    let aside = tempfile::Builder::new().prefix("aside-").tempdir_in(staging)?.keep();
    match fs::rename(path, aside.join("it")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Somebody may have put something there since the first look: that is left as it is.
fn must_be_free(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => Ok(()),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> CliError {
    CliError::usage(UNWRITABLE, format!("{} cannot be written", path.display())).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(dir: &Path, path: &str) -> Fetched {
        let staging = make_staging(dir).unwrap();
        fs::write(staging.path().join(path), "theirs").unwrap();
        Fetched { staging, dir: dir.to_owned(), paths: vec![path.to_owned()] }
    }

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_is_there_is_written_over_only_by_force() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("functions/fn.zip");
        fs::create_dir(dir.path().join("functions")).unwrap();
        fs::write(&place, "mine").unwrap();
        let error = fetched(dir.path(), "functions/fn.zip").keep(false).unwrap_err();
        assert_eq!(error.code, Some(UNWRITABLE));
        assert_eq!(fs::read_to_string(&place).unwrap(), "mine");
        let kept = fetched(dir.path(), "functions/fn.zip").keep(true).unwrap();
        assert_eq!(kept, ["functions/fn.zip"]);
        assert_eq!(fs::read_to_string(&place).unwrap(), "theirs");
        assert_eq!(names(dir.path()), ["functions"]);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(fetched(dir.path(), "functions/fn.zip"));
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn an_archive_that_leads_out_of_itself_is_refused_without_a_word_of_where_it_was_staged() {
        let dir = tempfile::tempdir().unwrap();
        let zip = dir.path().join("fn.fetched");
        fs::write(&zip, "no zip").unwrap();
        let error = unpack(&zip, &dir.path().join("fn")).unwrap_err();
        assert_eq!((error.code, error.kind.code()), (Some("WG209"), 2));
        assert!(error.chain.iter().all(|cause| cause.starts_with("fn.fetched: ")), "{error:?}");
    }
}

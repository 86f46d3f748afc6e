//! `import`: another tool's file as a manifest, and a report of what came of each part of it.
//!
//! The manifest is data, the report is talk; with `--output json` the report is data as well.

pub(super) mod told;

use std::fs;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};
use wavegate_config::import::{self, BYTES_MAX, Engine, Imported, Request};
use wavegate_config::{FILE_NAME, Problems};

use crate::Context;
use crate::args::{EngineArg, ImportCommand, ImportOutArgs};
use crate::console;
use crate::error::CliError;

/// The file cannot be read.
const UNREADABLE: &str = "WG150";
/// A file is there already.
const EXISTS: &str = "WG615";
/// A file cannot be written.
const UNWRITABLE: &str = "WG618";

/// What SAM calls a template, and the framework a service, unless somebody says otherwise.
const TEMPLATES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];
const SERVICES: [&str; 3] = ["serverless.yml", "serverless.yaml", "serverless.json"];

pub(crate) fn run(context: &Context, command: &ImportCommand) -> Result<(), CliError> {
    match command {
        ImportCommand::Sam(args) => {
            let template = named(context, args.template.as_deref(), &TEMPLATES);
            let wanted = Wanted::new(context, &template, &args.out);
            let request = Request {
                parameters: args.parameter.clone(),
                engine: engine(args.engine),
                ..wanted.request(read(context, &template)?)
            };
            finish(context, &wanted, import::sam(&request))
        }
        ImportCommand::Serverless(args) => {
            let file = named(context, args.file.as_deref(), &SERVICES);
            let wanted = Wanted::new(context, &file, &args.out);
            let mut options = args.opt.clone();
            options.extend(args.stage.clone().map(|stage| ("stage".to_owned(), stage)));
            let request = Request {
                parameters: args.parameter.clone(),
                options,
                engine: engine(args.engine),
                ..wanted.request(read(context, &file)?)
            };
            finish(context, &wanted, import::serverless(&request))
        }
    }
}

fn engine(arg: EngineArg) -> Engine {
    match arg {
        EngineArg::Codedeploy => Engine::CodeDeploy,
        EngineArg::Native => Engine::Native,
    }
}

/// The file that was named, else the first of these that is there.
fn named(context: &Context, path: Option<&Path>, usual: &[&str]) -> PathBuf {
    let is_there = |name: &&&str| context.environment.cwd.join(name).is_file();
    let found = || usual.iter().find(is_there).or(usual.first()).copied().unwrap_or_default();
    path.map_or_else(|| PathBuf::from(found()), Path::to_owned)
}

/// Where the manifest goes.
enum Place {
    Stdout,
    File { path: PathBuf, force: bool },
}

impl Place {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File { path, .. } => Some(path),
        }
    }
}

/// What is asked for.
struct Wanted {
    /// The file of the other tool, as it was asked for.
    from: PathBuf,
    to: Place,
    app: String,
    /// The way from the manifest's directory to the file's.
    code_prefix: PathBuf,
}

impl Wanted {
    fn new(context: &Context, from: &Path, args: &ImportOutArgs) -> Self {
        let cwd = &context.environment.cwd;
        let directory = from.parent().unwrap_or(Path::new(""));
        let to = match &args.out {
            Some(path) if path.as_os_str() == "-" => Place::Stdout,
            Some(path) if cwd.join(path).is_dir() => {
                Place::File { path: path.join(FILE_NAME), force: args.force }
            }
            Some(path) => Place::File { path: path.clone(), force: args.force },
            None => Place::File { path: directory.join(FILE_NAME), force: args.force },
        };
        let beside = match &to {
            Place::Stdout => cwd.clone(),
            Place::File { path, .. } => {
                cwd.join(path).parent().map_or_else(PathBuf::new, Path::to_owned)
            }
        };
        let home = resolved(&cwd.join(directory));
        let named = home.file_name().map(|name| name.to_string_lossy().into_owned());
        Self {
            from: from.to_owned(),
            to,
            app: args.app.clone().or(named).unwrap_or_default(),
            code_prefix: way(&resolved(&beside), &home),
        }
    }

    fn request(&self, text: String) -> Request {
        Request {
            path: self.from.clone(),
            text,
            app: self.app.clone(),
            code_prefix: self.code_prefix.clone(),
            ..Request::default()
        }
    }
}

fn read(context: &Context, path: &Path) -> Result<String, CliError> {
    let refused = |why: String| {
        CliError::usage(UNREADABLE, format!("{} cannot be read", path.display()))
            .because(why)
            .hint("name the file: `wavegate import sam PATH`, or `wavegate import serverless PATH`")
    };
    let full = context.environment.cwd.join(path);
    let size = fs::metadata(&full).map_err(|error| refused(error.to_string()))?.len();
    if size > BYTES_MAX {
        return Err(refused(format!("it has {size} bytes, and a template {BYTES_MAX} at most")));
    }
    let bytes = fs::read(&full).map_err(|error| refused(error.to_string()))?;
    let text =
        String::from_utf8(bytes).map_err(|_| refused("it is not text in UTF-8".to_owned()))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn finish(
    context: &Context,
    wanted: &Wanted,
    result: Result<Imported, Problems>,
) -> Result<(), CliError> {
    let console = context.console;
    let imported = match result {
        Ok(imported) => imported,
        Err(problems) => {
            if console.is_json() {
                let problems: Vec<_> = problems.iter().map(console::problem_json).collect();
                console::json(&json!({ "v": 1, "ok": false, "problems": problems }))?;
            }
            return Err(CliError::manifest(problems));
        }
    };
    if let Place::File { path, force } = &wanted.to {
        write(context, path, *force, &imported)?;
    }
    if console.is_json() {
        let file = wanted.from.display().to_string();
        console::json(&report_json(Some(&file), wanted.to.path(), &imported))?;
    } else {
        let name = wanted.from.display().to_string();
        console::say(&told::report(Some(&name), &imported.report));
        if matches!(wanted.to, Place::Stdout) {
            console::data(&imported.manifest)?;
        }
    }
    console::say(&told::next(wanted.to.path(), &imported, &["check"]));
    Ok(())
}

/// Writes the manifest and the code that stood in the template: all of it, or, unless it is forced,
/// nothing where one of them is there already.
pub(super) fn write(
    context: &Context,
    path: &Path,
    force: bool,
    imported: &Imported,
) -> Result<(), CliError> {
    let directory = path.parent().unwrap_or(Path::new("")).to_owned();
    let files = imported.files.iter().map(|(file, text)| (directory.join(file), text));
    // The manifest last, so that a failure in between leaves nothing that looks whole.
    let all: Vec<(PathBuf, &String)> =
        files.chain([(path.to_owned(), &imported.manifest)]).collect();
    if !force {
        let paths = all.iter().map(|(path, _)| path.as_path());
        free(context, paths, "write over it with --force, or elsewhere with --out PATH")?;
    }
    all.iter()
        .try_for_each(|(path, text)| write_one(&context.environment.cwd.join(path), path, text))
}

/// Refuses if one of these is there already. `hint` says what to do then.
pub(super) fn free<'a>(
    context: &Context,
    paths: impl Iterator<Item = &'a Path>,
    hint: &str,
) -> Result<(), CliError> {
    let there = |path: &&Path| context.environment.cwd.join(path).symlink_metadata().is_ok();
    let taken: Vec<String> = paths.filter(there).map(|path| path.display().to_string()).collect();
    if taken.is_empty() {
        return Ok(());
    }
    let are = if taken.len() == 1 { "is" } else { "are" };
    let message = format!("{} {are} there already: nothing was written", taken.join(", "));
    Err(CliError::usage(EXISTS, message).hint(hint))
}

fn write_one(full: &Path, named: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::usage(UNWRITABLE, format!("{} cannot be written", named.display()))
            .caused_by(&error)
    };
    let directory = full.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(failed)?;
    // Whole or not at all: nobody finds half a manifest.
    let mut file = tempfile::Builder::new();
    let mut file = file.permissions(permissions()).tempfile_in(directory).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.persist(full).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Those of any file, which the process's mask narrows.
fn permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(0o666)
}

/// The report as data. `file` is what was imported, if it is one, and `written` the manifest's.
pub(super) fn report_json(
    file: Option<&str>,
    written: Option<&Path>,
    imported: &Imported,
) -> Value {
    let report = &imported.report;
    let entries = report.entries.iter().map(|entry| {
        json!({
            "fate": entry.fate.as_str(),
            "line": entry.line,
            "property": entry.property,
            "key": entry.key,
            "reason": entry.reason,
        })
    });
    let variables = report.variables.iter().map(|variable| {
        let uses = variable.uses.iter();
        let uses: Vec<Value> =
            uses.map(|(line, property)| json!({ "line": line, "property": property })).collect();
        json!({
            "name": variable.name,
            "stands_for": variable.stands_for,
            "reason": variable.reason,
            "only_on_aws": variable.only_on_aws,
            "uses": uses,
        })
    });
    json!({
        "v": 1,
        "ok": true,
        "file": file,
        "written": written.map(|path| path.display().to_string()),
        "functions": report.functions,
        "manifest": imported.manifest,
        "entries": entries.collect::<Vec<_>>(),
        "variables": variables.collect::<Vec<_>>(),
    })
}

/// A directory without detours, if it is there.
fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The way from one directory to another, both absolute.
fn way(from: &Path, to: &Path) -> PathBuf {
    let parts = |path: &Path| -> Vec<PathBuf> {
        let normal = path.components().filter(|part| *part != Component::CurDir);
        normal.map(|part| PathBuf::from(part.as_os_str())).collect()
    };
    let (from, to) = (parts(from), parts(to));
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n(PathBuf::from(".."), from.len() - common);
    up.chain(to[common..].iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_two_directories_is_the_shortest() {
        for (from, to, expected) in [
            ("/a/b", "/a/b", ""),
            ("/a", "/a/b/c", "b/c"),
            ("/a/b/c", "/a", "../.."),
            ("/a/b", "/a/c", "../c"),
        ] {
            assert_eq!(way(Path::new(from), Path::new(to)), Path::new(expected), "{from} {to}");
        }
    }
}

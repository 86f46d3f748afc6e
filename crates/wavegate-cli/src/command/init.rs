//! `init`: a manifest and a first function to begin with, or a manifest of functions that exist.

pub(crate) mod existing;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::Context;
use crate::args::InitArgs;
use crate::console;
use crate::error::CliError;

/// A file is there already.
const EXISTS: &str = "WG615";
/// A file or directory cannot be written.
const UNWRITABLE: &str = "WG618";

/// The files in the order in which they are written: the manifest last, so that a failure in
/// between leaves nothing that looks whole.
const FUNCTION: &str = "functions/hello/app.py";
const MANIFEST: &str = wavegate_config::FILE_NAME;

pub(crate) fn run(context: &Context, args: &InitArgs) -> Result<(), CliError> {
    let dir = &args.dir;
    let name = app_name(&context.environment.cwd.join(dir));
    let files = [(FUNCTION, HELLO.to_owned()), (MANIFEST, TEMPLATE.replace("NAME", &name))];
    write_new(dir, &files, "choose an empty directory: `wavegate init DIR`")?;
    let here = dir == Path::new(".");
    let prefix = if here { String::new() } else { format!("{}/", dir.display()) };
    let from = if here { String::new() } else { format!("cd {} && ", dir.display()) };
    console::say(&format!(
        "wrote {prefix}{MANIFEST} and {prefix}{FUNCTION}\nnext: {from}wavegate deploy"
    ));
    Ok(())
}

/// Writes files under `dir` in this order, none of them over another. `hint` says what to do when
/// one is there already.
pub(super) fn write_new(dir: &Path, files: &[(&str, String)], hint: &str) -> Result<(), CliError> {
    let names = files.iter().map(|(file, _)| *file);
    let taken: Vec<&str> = names.filter(|file| dir.join(file).exists()).collect();
    if !taken.is_empty() {
        let message = match taken.as_slice() {
            [file] => format!("{file} is there already: nothing was written"),
            [files @ .., last] => {
                let files = files.join(", ");
                format!("{files} and {last} are there already: nothing was written")
            }
            [] => String::new(),
        };
        return Err(CliError::usage(EXISTS, message).hint(hint));
    }
    files.iter().try_for_each(|(file, text)| write(&dir.join(file), text))
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::usage(UNWRITABLE, format!("{} cannot be written", path.display()))
            .caused_by(&error)
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut file = fs::File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// The directory's name as an app's, as far as it can be one.
fn app_name(dir: &Path) -> String {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let legal: String = name.chars().map(|c| if is_legal(c) { c } else { '-' }).take(40).collect();
    let legal = legal.trim_matches('-').to_owned();
    if legal.is_empty() { "hello".to_owned() } else { legal }
}

const HELLO: &str = r#""""The first function: says hello."""


def handler(event, context):
    name = event.get("name", "world") if isinstance(event, dict) else "world"
    return {"message": f"hello, {name}", "version": context.function_version}
"#;

const TEMPLATE: &str = r#"# What `wavegate deploy` deploys. `wavegate schema` prints every key there is.

[app]
name = "NAME"
alias = "live"       # traffic goes through this alias of each function
target = "local"     # the cloud on this machine; "aws" is the real one

[defaults]           # merged under every function
runtime = "python3.13"
strategy = "careful"
alarms = ["errors"]
# role = "arn:aws:iam::123456789012:role/NAME"   # on AWS every function needs one

[functions.hello]
code = "functions/hello"
handler = "app.handler"
memory = "128MB"
timeout = "5s"

[strategies.careful] # ten percent of the traffic for five minutes, then all of it
use = "canary"
percent = 10
bake = "5m"

[alarms.errors]      # back to the old version when more than 1 % of the requests fail
use = "cloudwatch-metric"
metric = "Errors"
max = "1%"
period = "1m"

[local]              # only for target = "local"
time_scale = 60      # five minutes pass in five seconds
traffic = { rps = 10 }
"#;

#[cfg(test)]
mod tests {
    use crate::args::{Global, InitExistingArgs};
    use crate::console::Console;
    use crate::environment::Environment;

    use super::*;

    fn context(dir: &Path) -> Context {
        let global = Global { config: Some(dir.join(MANIFEST)), ..Global::default() };
        let environment = Environment { cwd: dir.to_owned(), ..Environment::of(&[]) };
        let console = Console::new(&global, &environment);
        Context { global, environment, console }
    }

    fn in_directory(dir: &Path) -> InitArgs {
        InitArgs { dir: dir.to_owned(), existing: InitExistingArgs::default() }
    }

    #[tokio::test]
    async fn what_is_written_is_a_sound_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("my app!");
        let context = context(&root);
        run(&context, &in_directory(&root)).unwrap();
        let manifest =
            crate::manifest::load(&context.global, &context.environment, context.console).await;
        let manifest = manifest.unwrap().manifest;
        assert_eq!(manifest.app.name.as_str(), "my-app");
        assert!(manifest.warnings.is_empty(), "{:?}", manifest.warnings);
    }

    #[test]
    fn nothing_is_ever_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(MANIFEST), "mine").unwrap();
        let error = run(&context(dir.path()), &in_directory(dir.path())).unwrap_err();
        assert_eq!((error.code, error.kind.code()), (Some(EXISTS), 2));
        assert_eq!(fs::read_to_string(dir.path().join(MANIFEST)).unwrap(), "mine");
        assert!(!dir.path().join(FUNCTION).exists());
    }
}

//! `plugin new`: a plugin that builds, keeps its laws, and is used by a deploy.toml beside it.
//!
//! The templates are the examples of the repository, so they cannot rot: what is written is an
//! example with another name and another place of the SDK.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};

use wavegate_plugin_sdk::ComponentKind;

use super::init::write_new;
use crate::Context;
use crate::console;
use crate::error::CliError;
use crate::registry::LINKED;

/// A name that no plugin can have.
const BAD_NAME: &str = "WG628";
/// There is no SDK.
const NO_SDK: &str = "WG629";

/// A crate's name on the registry may be this long.
const NAME_LENGTH_MAX: usize = 64;

/// The crates of this repository that a plugin depends on.
const SDK: &str = "wavegate-plugin-sdk";
const TESTKIT: &str = "wavegate-plugin-testkit";

/// Names that mean something else to Rust wherever they stand, or to every template.
const RESERVED: &str = "\
    abstract alloc as async await become box break const continue core crate do dyn else enum \
    extern false final fn for gen if impl in let loop macro match mod move mut override priv \
    proc-macro pub ref return self static std struct super test tokio trait true try type typeof \
    unsafe unsized use virtual where while yield";

/// Arguments of `plugin new`.
#[derive(Debug, clap::Args)]
pub struct PluginNewArgs {
    /// The plugin's name, such as ladder: that of its crate and of its component
    pub name: String,
    /// What it is to be
    #[arg(long, value_name = "KIND")]
    pub kind: PluginKind,
    /// The directory, which must not hold any of its files yet
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Take the SDK from this checkout of wavegate instead of the one it was built from
    #[arg(long, value_name = "PATH")]
    pub sdk: Option<PathBuf>,
}

/// What a plugin is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PluginKind {
    /// Decides how traffic moves
    Strategy,
    /// Judges at one point of a rollout
    Hook,
    /// A source of alarms
    Alarm,
}

pub(crate) fn run(context: &Context, args: &PluginNewArgs) -> Result<(), CliError> {
    let template = Template::of(args.kind);
    let name = Name::of(&args.name, &template)?;
    not_built_in(args.kind, &name.kebab)?;
    let cwd = &context.environment.cwd;
    let sdk = match &args.sdk {
        Some(path) => Sdk::at(&cwd.join(path))?,
        None => Sdk::built_with(Path::new(env!("CARGO_MANIFEST_DIR"))),
    };
    let files =
        template.files.map(|(file, text)| (file, sdk.named(&name.replaces(&template, text))));
    let hint = "choose an empty directory: `wavegate plugin new NAME --kind KIND DIR`";
    write_new(&cwd.join(&args.dir), &files, hint)?;
    let written: Vec<&str> = files.iter().map(|(file, _)| *file).collect();
    let (written, dir) = (written.join(", "), args.dir.display());
    console::say(&format!("wrote to {dir}: {written}\n{}", next(&args.dir, &name)));
    Ok(())
}

/// A component that ships with wavegate cannot be shadowed, so there is no use in its name.
fn not_built_in(kind: PluginKind, name: &str) -> Result<(), CliError> {
    let kind = match kind {
        PluginKind::Strategy => ComponentKind::Strategy,
        PluginKind::Hook => ComponentKind::Hook,
        PluginKind::Alarm => ComponentKind::Alarm,
    };
    let mut components = LINKED.iter().flat_map(|plugin| plugin.components());
    if components.any(|component| component.kind() == kind && component.id() == name) {
        let message = format!("the {} `{name}` ships with wavegate", kind.as_str());
        return Err(CliError::usage(BAD_NAME, message).hint("choose another name"));
    }
    Ok(())
}

/// The commands that come next, one a line.
fn next(dir: &Path, name: &Name) -> String {
    let mut lines = vec!["next:".to_owned()];
    if dir != Path::new(".") {
        lines.push(format!("cd {}", dir.display()));
    }
    let library = format!("target/debug/{DLL_PREFIX}{}{DLL_SUFFIX}", name.snake);
    lines.extend(["cargo build".to_owned(), format!("wavegate plugin check {library}")]);
    lines.push("wavegate deploy".to_owned());
    lines.join("\n  ")
}

/// An example that new plugins are made of.
struct Template {
    /// The name that stands in it for the plugin's.
    name: &'static str,
    /// The same as a type's.
    camel: &'static str,
    /// Its files in the order in which they are written: the manifest last, so that a failure in
    /// between leaves nothing that looks whole.
    files: [(&'static str, &'static str); 7],
}

macro_rules! template {
    ($name:literal, $camel:literal, [$($file:literal),*]) => {
        Template {
            name: $name,
            camel: $camel,
            files: [$((
                $file,
                include_str!(concat!("../../../../examples/plugin-", $name, "/", $file)),
            )),*],
        }
    };
    ($name:literal, $camel:literal) => {
        template!($name, $camel, [
            ".gitignore", "Cargo.toml", "README.md", "src/lib.rs", "tests/conformance.rs",
            "functions/hello/app.py", "deploy.toml"
        ])
    };
}

impl Template {
    const fn of(kind: PluginKind) -> Self {
        match kind {
            PluginKind::Strategy => template!("ladder", "Ladder"),
            PluginKind::Hook => template!("gate", "Gate"),
            PluginKind::Alarm => template!("probe", "Probe"),
        }
    }

    /// Whether its code uses a word.
    fn uses(&self, word: &str) -> bool {
        let source = self.files.iter().filter(|(file, _)| *file == "src/lib.rs");
        let lines = source.flat_map(|(_, text)| text.lines());
        let code = lines.filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(words).any(|used| used == word)
    }
}

/// A plugin's name in the forms in which it is written.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    /// Of the crate, the component and the table in the manifest.
    kebab: String,
    /// Of the library.
    snake: String,
    /// Of the type.
    camel: String,
}

impl Name {
    fn of(text: &str, template: &Template) -> Result<Self, CliError> {
        let refuse = |why: &str| {
            let message = format!("`{text}` cannot be a plugin's name: {why}");
            CliError::usage(BAD_NAME, message).hint("choose one such as `ladder` or `slow-start`")
        };
        let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_word = |word: &str| !word.is_empty() && word.chars().all(is_legal);
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.split('-').all(is_word) {
            return Err(refuse(
                "it begins with a letter and has a-z, 0-9 and single hyphens in it",
            ));
        }
        if text.len() > NAME_LENGTH_MAX {
            return Err(refuse(&format!("it is longer than {NAME_LENGTH_MAX} letters")));
        }
        if RESERVED.split(' ').chain([SDK, TESTKIT]).any(|taken| taken == text) {
            return Err(refuse("the word is taken"));
        }
        let camel: String = text.split('-').map(capitalized).collect();
        if camel != template.camel && template.uses(&camel) {
            return Err(refuse(&format!("its type would be `{camel}`, which is another one")));
        }
        Ok(Self { kebab: text.to_owned(), snake: text.replace('-', "_"), camel })
    }

    /// A text of the template with this name in place of the template's.
    fn replaces(&self, template: &Template, text: &str) -> String {
        let library = format!("lib{}", template.name);
        let mut named = String::new();
        let mut words = words(text).peekable();
        while let Some(word) = words.next() {
            let is_path = words.peek().is_some_and(|next| next.starts_with("::"));
            if word == library {
                named.extend(["lib", &self.snake]);
            } else if word == template.camel {
                named.push_str(&self.camel);
            } else if word == template.name {
                named.push_str(if is_path { &self.snake } else { &self.kebab });
            } else {
                named.push_str(word);
            }
        }
        named
    }
}

/// A text in pieces: identifiers, and what stands between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        let kind = is_word(rest.chars().next()?);
        let end = rest.find(|c| is_word(c) != kind).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_uppercase(), letters.as_str())
    })
}

/// Where a plugin's crate finds those that it depends on.
#[derive(Debug, PartialEq, Eq)]
enum Sdk {
    /// In this directory, by their names.
    Directory(PathBuf),
    /// On a registry, in this version.
    Version(&'static str),
}

impl Sdk {
    /// The one in a checkout of wavegate.
    fn at(checkout: &Path) -> Result<Self, CliError> {
        let directories = [checkout.join("crates"), checkout.to_owned()];
        let found = directories.iter().find_map(has_sdk);
        found.map(Self::Directory).ok_or_else(|| {
            let message = format!("there is no {SDK} in {}", checkout.display());
            CliError::usage(NO_SDK, message).hint("--sdk takes a checkout of wavegate")
        })
    }

    /// The one that this wavegate was built with, beside its own crate; when that is gone, the one
    /// of the same version.
    fn built_with(own: &Path) -> Self {
        let beside = own.parent().and_then(has_sdk);
        beside.map_or(Self::Version(env!("CARGO_PKG_VERSION")), Self::Directory)
    }

    /// A text of a template with the dependencies on this SDK in place of those of an example.
    fn named(&self, text: &str) -> String {
        [SDK, TESTKIT].iter().fold(text.to_owned(), |text, name| {
            let example = format!("path = \"../../crates/{name}\"");
            let source = match self {
                // A string of JSON is one of TOML.
                Self::Directory(path) => {
                    let path = path.join(name).display().to_string();
                    format!("path = {}", serde_json::Value::from(path))
                }
                Self::Version(version) => format!("version = \"{version}\""),
            };
            text.replace(&example, &source)
        })
    }
}

/// The directory without detours, if the SDK is in it.
fn has_sdk(directory: impl AsRef<Path>) -> Option<PathBuf> {
    let directory = fs::canonicalize(directory).ok()?;
    directory.join(SDK).join("Cargo.toml").is_file().then_some(directory)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::args::Global;
    use crate::console::Console;
    use crate::environment::Environment;

    use super::*;

    const KINDS: [PluginKind; 3] = [PluginKind::Strategy, PluginKind::Hook, PluginKind::Alarm];

    fn context(cwd: &Path) -> Context {
        let global = Global::default();
        let environment = Environment { cwd: cwd.to_owned(), ..Environment::of(&[]) };
        let console = Console::new(&global, &environment);
        Context { global, environment, console }
    }

    fn args(name: &str, kind: PluginKind) -> PluginNewArgs {
        PluginNewArgs { name: name.to_owned(), kind, dir: "new".into(), sdk: None }
    }

    #[test]
    fn what_is_written_is_the_example_under_another_name() {
        for kind in KINDS {
            let dir = tempfile::tempdir().unwrap();
            run(&context(dir.path()), &args("slow-start", kind)).unwrap();
            let read = |file: &str| fs::read_to_string(dir.path().join("new").join(file)).unwrap();
            let Template { name, camel, files } = Template::of(kind);
            for (file, _) in files {
                let text = read(file);
                let left: BTreeSet<&str> = words(&text).collect();
                assert!(!left.contains(name) && !left.contains(camel), "{file}:\n{text}");
            }
            assert!(read("Cargo.toml").contains("name = \"slow-start\"\n"));
            assert!(read("src/lib.rs").contains("pub struct SlowStart;"));
            assert!(read("src/lib.rs").contains("const ID: &'static str = \"slow-start\";"));
            assert!(read("tests/conformance.rs").contains("(&slow_start::PLUGIN)"));
            assert!(read("README.md").contains("target/debug/libslow_start.so"));
            assert!(read("deploy.toml").contains("[plugins.slow-start]\n"));
            assert!(read("deploy.toml").contains("path = \"target/debug/slow-start\""));
        }
    }

    #[test]
    fn the_names_of_the_examples_give_the_examples() {
        for kind in KINDS {
            let template = Template::of(kind);
            let name = Name::of(template.name, &template).unwrap();
            for (file, text) in template.files {
                assert_eq!(name.replaces(&template, text), text, "{file}");
            }
        }
    }

    #[test]
    fn nothing_is_ever_overwritten_and_every_clash_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mine = ["deploy.toml", "src/lib.rs"].map(|file| dir.path().join("new").join(file));
        for file in &mine {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "mine").unwrap();
        }
        let error = run(&context(dir.path()), &args("mine", PluginKind::Hook)).unwrap_err();
        assert_eq!((error.code, error.kind.code()), (Some("WG615"), 2));
        assert!(error.message.starts_with("src/lib.rs and deploy.toml "), "{error}");
        assert!(mine.iter().all(|file| fs::read_to_string(file).unwrap() == "mine"));
        assert!(!dir.path().join("new/Cargo.toml").exists());
    }

    #[test]
    fn names_that_would_not_build_are_refused() {
        let template = Template::of(PluginKind::Strategy);
        let long = "a".repeat(NAME_LENGTH_MAX);
        for (name, camel) in [("a", "A"), ("two-step", "TwoStep"), ("a-1", "A1"), (&long, "")] {
            let found = Name::of(name, &template).unwrap();
            assert!(camel.is_empty() || found.camel == camel, "{found:?}");
        }
        let longer = "a".repeat(NAME_LENGTH_MAX + 1);
        for name in [
            "",
            "Ladder",
            "1st",
            "-a",
            "a-",
            "a--b",
            "a_b",
            "a/b",
            "..",
            "über",
            "a b",
            "impl",
            "std",
            "tokio",
            SDK,
            TESTKIT,
            "config",
            "strategy",
            "observation",
            &longer,
        ] {
            let error = Name::of(name, &template).unwrap_err();
            assert_eq!((error.code, error.kind.code()), (Some(BAD_NAME), 2), "{name}");
        }
    }

    #[test]
    fn the_sdk_is_a_checkouts_or_else_the_version_of_this_wavegate() {
        let dir = tempfile::tempdir().unwrap();
        let crates = dir.path().join("a \"checkout\"/crates");
        fs::create_dir_all(crates.join(SDK)).unwrap();
        fs::write(crates.join(SDK).join("Cargo.toml"), "").unwrap();
        let found = Sdk::Directory(fs::canonicalize(&crates).unwrap());
        assert_eq!(Sdk::at(&crates).unwrap(), found);
        assert_eq!(Sdk::at(crates.parent().unwrap()).unwrap(), found);
        assert_eq!(Sdk::built_with(&crates.join("wavegate-cli")), found);
        assert_eq!(Sdk::at(dir.path()).unwrap_err().code, Some(NO_SDK));
        let gone = Sdk::built_with(&dir.path().join("gone/wavegate-cli"));
        assert_eq!(gone, Sdk::Version(env!("CARGO_PKG_VERSION")));
        let example = "wavegate-plugin-sdk = { path = \"../../crates/wavegate-plugin-sdk\" }";
        let version =
            format!("wavegate-plugin-sdk = {{ version = \"{}\" }}", env!("CARGO_PKG_VERSION"));
        assert_eq!(gone.named(example), version);
        assert!(
            found.named(example).contains("/a \\\"checkout\\\"/crates/wavegate-plugin-sdk\" }")
        );
    }
}

//! `init --from-...`: a manifest of functions that exist, and a report of what came of each property.
//!
//! The manifest is written last, so that a failure leaves nothing that looks whole. The report is talk;
//! with `--output json` it is data.

mod download;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use wavegate_config::import::account::{Account, Beside, Code, Existing, Served, Values};
use wavegate_config::import::{self, Imported};
use wavegate_config::{FILE_NAME, Manifest, Target};
use wavegate_core::inventory::AliasState;
use wavegate_core::name::{AliasName, AppName, BadName, FunctionName};
use wavegate_engine::adopt::{AdoptError, Adopted, Adoption, Eyes, Selection, Tag};

use crate::Context;
use crate::args::{DownloadForm, InitArgs, InitSelection, TargetArg};
use crate::command::discover;
use crate::command::import::{free, report_json, told, write};
use crate::console;
use crate::error::CliError;
use crate::fault;
use crate::interrupt::Interrupts;
use crate::target::Stage;

/// A name that is none.
const BAD_NAME: &str = "WG681";
/// Functions that are not there.
const NOT_THERE: &str = "WG160";

/// What to do about files that are there.
const HINT: &str =
    "write over them with --force, or choose another directory: `wavegate init DIR --from-...`";

/// The app's name until the functions are known; nothing is filed under it.
const NAMELESS: &str = "init";

pub(crate) async fn run(context: &Context, args: &InitArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let asked = &args.existing;
    let selection = selection(&asked.selection)?;
    let alias =
        asked.alias.as_deref().map(AliasName::new).transpose().map_err(|error| bad_name(&error))?;
    let manifest = args.dir.join(FILE_NAME);
    if !asked.force {
        free(context, std::iter::once(manifest.as_path()), HINT)?;
    }
    let stage = interrupts.guard(open(context, args)).await?;
    let work = async {
        let eyes = Eyes { existing: &*stage.existing, around: &*stage.around };
        let adoption = stage.engine.adopt(&selection, alias.as_ref(), eyes).await;
        let adoption = adoption.map_err(|error| refused(&error, &stage.endpoint))?;
        let fetched = match asked.download {
            Some(form) => Some(download::fetch(context, &stage, args, &adoption, form).await?),
            None => None,
        };
        Ok((adoption, fetched))
    };
    let outcome = interrupts.guard(work).await;
    stage.close().await;
    let (adoption, fetched) = outcome?;
    if adoption.is_found {
        console::note(&format!(
            "no function has an alias `live`: described is what `{}` serves, which most of them have",
            adoption.alias
        ));
    }
    let imported = import::account(&account(context, args, &adoption));
    let code = match fetched {
        Some(fetched) => fetched.keep(asked.force)?,
        None => Vec::new(),
    };
    write(context, &manifest, asked.force, &imported)?;
    tell(context, &manifest, &code, &imported)
}

fn tell(
    context: &Context,
    manifest: &Path,
    code: &[String],
    imported: &Imported,
) -> Result<(), CliError> {
    let manifest = manifest.strip_prefix(".").unwrap_or(manifest);
    if context.console.is_json() {
        let mut report = report_json(None, Some(manifest), imported);
        report["code"] = json!(code);
        console::json(&report)?;
    } else {
        console::say(&told::report(None, &imported.report));
        if !code.is_empty() {
            console::say(&format!("fetched {}", code.join(", ")));
        }
    }
    console::say(&told::next(Some(manifest), imported, &["check", "plan"]));
    Ok(())
}

fn bad_name(error: &BadName) -> CliError {
    CliError::usage(BAD_NAME, error.to_string())
}

fn selection(asked: &InitSelection) -> Result<Selection, CliError> {
    let name = |name: &String| FunctionName::new(name.as_str()).map_err(|error| bad_name(&error));
    let tag = |text: &String| {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (text.as_str(), None),
        };
        Tag { key: key.to_owned(), value }
    };
    Ok(Selection {
        names: asked.from_function.iter().map(name).collect::<Result<_, _>>()?,
        prefixes: asked.from_app.iter().cloned().collect(),
        tags: asked.from_tag.iter().map(tag).collect(),
    })
}

/// Where the functions are: on AWS, unless the local cloud is asked for.
fn target(context: &Context) -> Target {
    match context.global.target {
        Some(TargetArg::Local) => Target::Local,
        Some(TargetArg::Aws) | None => Target::Aws,
    }
}

async fn open(context: &Context, args: &InitArgs) -> Result<Stage, CliError> {
    let name = AppName::new(NAMELESS).map_err(|error| bad_name(&error))?;
    let alias = AliasName::new("live").map_err(|error| bad_name(&error))?;
    let app = discover::spec(name, alias, BTreeSet::new());
    let dir = context.environment.cwd.join(&args.dir);
    let bare = Manifest::of_cloud(app, target(context), args.existing.region.clone(), dir);
    Stage::open_bare(&bare, &context.environment).await
}

fn refused(error: &AdoptError, endpoint: &str) -> CliError {
    match error {
        AdoptError::Engine(error) => fault::engine(error, endpoint),
        AdoptError::Nothing { missing } => {
            CliError::usage(NOT_THERE, format!("{}: nothing was written", nothing(missing)))
                .hint(format!("looked at {endpoint}: check the account, --region and the spelling"))
        }
    }
}

/// What there is none of, in words.
fn nothing(missing: &Selection) -> String {
    let quoted = |names: Vec<&str>| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
    };
    let mut words = Vec::new();
    if !missing.names.is_empty() {
        let names = missing.names.iter().map(FunctionName::as_str).collect();
        words.push(format!("there is no function {}", quoted(names)));
    }
    if !missing.prefixes.is_empty() {
        let prefixes = missing.prefixes.iter().map(String::as_str).collect();
        words.push(format!("no function's name begins with {}", quoted(prefixes)));
    }
    for tag in &missing.tags {
        let value = tag.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
        words.push(format!("no function has the tag `{}{value}`", tag.key));
    }
    words.join("; ")
}

/// What was found, as the importer takes it.
fn account(context: &Context, args: &InitArgs, adoption: &Adoption) -> Account {
    let first = adoption.functions.values().next();
    let arn: Vec<&str> = first.map_or_else(Vec::new, |one| one.whole.view.arn.split(':').collect());
    let part = |index: usize| arn.get(index).copied().filter(|text| !text.is_empty());
    let region = part(3).map(str::to_owned);
    let target = target(context);
    let words = match (target, part(4), &region) {
        (Target::Local, ..) => "functions of the local cloud".to_owned(),
        (Target::Aws, Some(account), Some(region)) => {
            format!("functions of AWS account {account} in {region}")
        }
        (Target::Aws, ..) => "functions on AWS".to_owned(),
    };
    let mut functions: Vec<Existing> = adoption
        .functions
        .iter()
        .map(|(name, adopted)| existing(name, adopted, args.existing.download))
        .collect();
    if let Some(error) = &adoption.mappings_unseen {
        let unseen = Beside::Unseen { what: "EventSources".to_owned(), why: error.to_string() };
        for function in &mut functions {
            function.beside.push(unseen.clone());
        }
    }
    Account {
        words,
        target,
        region,
        app: app(context, args, adoption),
        alias: adoption.alias.clone(),
        values: if args.existing.environment { Values::Copied } else { Values::Holes },
        functions,
    }
}

/// The app's name: what was said, else that of the app that released them before, else what their
/// names begin with, else the directory's.
fn app(context: &Context, args: &InitArgs, adoption: &Adoption) -> String {
    let asked = &args.existing;
    let prefix = match asked.selection.from_app.as_slice() {
        [prefix] => Some(prefix.trim_end_matches(['-', '_']).to_owned()),
        _ => None,
    };
    let prefix = prefix.filter(|prefix| !prefix.is_empty());
    let before = adoption.app.as_ref().map(ToString::to_string);
    let of_directory = || super::app_name(&context.environment.cwd.join(&args.dir));
    asked.app.clone().or(before).or(prefix).unwrap_or_else(of_directory)
}

fn existing(name: &FunctionName, adopted: &Adopted, form: Option<DownloadForm>) -> Existing {
    let view = &adopted.whole.view;
    let code = match (&view.image_uri, form) {
        (Some(uri), _) => Code::Image(uri.clone()),
        (None, None) => Code::Absent(download::path(name, DownloadForm::Unpacked)),
        (None, Some(DownloadForm::Zip)) => Code::Kept(download::path(name, DownloadForm::Zip)),
        (None, Some(form)) => Code::Unpacked(download::path(name, form)),
    };
    let settings = adopted.whole.rest.iter().map(|setting| Beside::Setting {
        property: setting.property.to_owned(),
        value: setting.value.clone(),
    });
    let sources = adopted.mappings.iter().map(|mapping| Beside::EventSource {
        source: mapping.source.clone(),
        qualifier: mapping.qualifier.clone(),
    });
    let url = match &adopted.has_url {
        Ok(true) => Some(Beside::Url),
        Ok(false) => None,
        Err(error) => {
            Some(Beside::Unseen { what: "FunctionUrl".to_owned(), why: error.to_string() })
        }
    };
    Existing {
        name: name.clone(),
        served: served(adopted.alias.as_ref()),
        code,
        config: view.config.clone(),
        beside: settings.chain(sources).chain(url).collect(),
    }
}

fn served(alias: Option<&AliasState>) -> Served {
    match alias.map(|alias| (alias.main(), alias.extra)) {
        None => Served::Latest,
        Some((None, _)) => Served::AliasOnLatest,
        Some((Some(version), extra)) => {
            Served::Version { version, beside: extra.map(|extra| extra.version) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_not_there_is_told_at_once() {
        let tag = |key: &str, value: Option<&str>| Tag {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        };
        let missing = Selection {
            names: ["a", "b"].map(|name| FunctionName::new(name).unwrap()).into(),
            prefixes: ["x-".to_owned()].into(),
            tags: [tag("app", Some("shop")), tag("team", None)].into(),
        };
        assert_eq!(
            nothing(&missing),
            "there is no function `a` or `b`; no function's name begins with `x-`; no function has \
             the tag `app=shop`; no function has the tag `team`"
        );
    }

    #[test]
    fn a_tag_may_have_a_value_and_a_value_may_have_an_equals_sign() {
        let asked = InitSelection {
            from_tag: vec!["app=a=b".to_owned(), "team".to_owned(), "empty=".to_owned()],
            ..InitSelection::default()
        };
        let tags = selection(&asked).unwrap().tags;
        let tags: Vec<_> = tags.iter().map(|t| (t.key.as_str(), t.value.as_deref())).collect();
        assert_eq!(tags, [("app", Some("a=b")), ("empty", Some("")), ("team", None)]);
    }

    #[test]
    fn a_name_that_is_none_is_refused_before_anybody_is_asked() {
        let asked =
            InitSelection { from_function: vec!["a b".to_owned()], ..InitSelection::default() };
        assert_eq!(selection(&asked).unwrap_err().code, Some(BAD_NAME));
    }
}

//! `local`: the local cloud on its own, and a few words with it.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;

use hyper::body::Bytes;
use serde_json::{Value, json};
use wavegate_config::Manifest;
use wavegate_local::{LocalCloud, Policy};
use wavegate_report::{safe_line, safe_text};

use super::confirm;
use crate::Context;
use crate::args::{LocalCommand, LocalInvokeArgs, LocalResetArgs, LocalStartArgs, LocalStateArgs};
use crate::console;
use crate::error::{CliError, ErrorKind};
use crate::http::{Invoked, Loopback};
use crate::interrupt::Interrupts;
use crate::{fault, home, manifest, target};

/// The event is not JSON.
const BAD_PAYLOAD: &str = "WG622";
/// The local cloud refuses the invoke.
const NOT_INVOKED: &str = "WG624";
/// The function failed.
const FUNCTION_FAILED: &str = "WG625";
/// A policy cannot be rehearsed.
const BAD_POLICY: &str = "WG660";

/// The most bytes of a synchronous event. Source: Lambda's quotas.
const EVENT_MAX: u64 = 6 * 1024 * 1024;

pub(crate) async fn run(context: &Context, command: LocalCommand) -> Result<(), CliError> {
    match command {
        LocalCommand::Start(args) => start(context, &args).await,
        LocalCommand::Invoke(args) => invoke(context, &args).await,
        LocalCommand::Status(args) => status(context, &args).await,
        LocalCommand::Reset(args) => reset(context, &args).await,
    }
}

/// The manifest, where there is one: the local cloud also runs without.
fn manifest_if_any(context: &Context) -> Result<Option<Manifest>, CliError> {
    let read = manifest::load_alone(&context.global, &context.environment, context.console);
    manifest::if_any(read, &context.global)
}

fn state_dir(context: &Context, args: &LocalStateArgs) -> PathBuf {
    args.state.clone().unwrap_or_else(|| {
        manifest::directory(&context.global, &context.environment).join(home::NAME).join("local")
    })
}

async fn start(context: &Context, args: &LocalStartArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let manifest = manifest_if_any(context)?;
    let mut options = target::local_options(state_dir(context, &args.state), manifest.as_ref());
    options.port = args.port.or(options.port);
    options.time_scale = args.time_scale.unwrap_or(options.time_scale);
    options.policies = policies(&args.policy)?;
    options.check_roles |= args.check_roles;
    let (scale, region) = (options.time_scale, options.region.clone());
    let cloud = LocalCloud::start(options).await.map_err(|error| fault::local(&error))?;
    let told = announce(context, cloud.url(), scale, &region);
    if told.is_ok() {
        console::say("Ctrl-C stops it; its state stays");
        interrupts.next().await;
        console::say("stopping");
    }
    cloud.shutdown().await;
    told
}

/// The policies that calls are to be held against, if any were named.
fn policies(files: &[PathBuf]) -> Result<Option<Vec<Policy>>, CliError> {
    let read = |file: &PathBuf| {
        let refused = |why: &(dyn std::error::Error + 'static)| {
            let message = format!("the policy {} cannot be rehearsed", file.display());
            CliError::usage(BAD_POLICY, message)
                .caused_by(why)
                .hint("`wavegate iam` prints policies that can")
        };
        let text = std::fs::read_to_string(file).map_err(|error| refused(&error))?;
        Policy::parse(&text).map_err(|error| refused(&error))
    };
    let policies = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok((!policies.is_empty()).then_some(policies))
}

/// The url and what any AWS client needs to use it, for `eval`.
fn announce(context: &Context, url: &str, scale: f64, region: &str) -> Result<(), CliError> {
    let console = context.console;
    if console.is_json() {
        return console::data(&format!(
            "{}\n",
            json!({ "v": 1, "url": url, "region": region, "time_scale": scale })
        ));
    }
    console::say(&format!("local cloud at {url}, region {region}, time_scale {scale}"));
    console::data(&format!(
        "export AWS_ENDPOINT_URL={url}\nexport AWS_REGION={region}\nexport \
         AWS_ACCESS_KEY_ID=wavegate\nexport AWS_SECRET_ACCESS_KEY=wavegate\n"
    ))
}

async fn invoke(context: &Context, args: &LocalInvokeArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let manifest = manifest_if_any(context)?;
    let payload = payload(&args.payload)?;
    let function = manifest.as_ref().and_then(|manifest| {
        let functions = manifest.app.functions.values();
        functions.into_iter().find(|function| function.name.as_str() == args.function)
    });
    let name = function.map_or(args.function.as_str(), |function| function.lambda_name.as_str());
    let alias = manifest.as_ref().map(|manifest| manifest.app.alias.to_string());
    let qualifier = args.qualifier.clone().or(alias);
    for text in [Some(name), qualifier.as_deref()].into_iter().flatten() {
        legal(text)?;
    }
    let options = target::local_options(state_dir(context, &args.state), manifest.as_ref());
    let region = manifest.as_ref().and_then(|manifest| manifest.region.as_deref());
    let found = interrupts.guard(target::find_or_start(options, region)).await?;
    let loopback = Loopback::new(&found.url, &found.region);
    let calling = async {
        let answer = loopback.invoke(name, qualifier.as_deref(), payload, true).await;
        answer.map_err(|error| fault::http(&error))
    };
    let answer = interrupts.guard(calling).await;
    if let Some(cloud) = found.embedded {
        cloud.shutdown().await;
    }
    tell_answer(&answer?, context.environment.stdout_is_terminal)
}

/// The answer as it is, for programs; on a terminal without what would act there.
fn tell_answer(answer: &Invoked, is_terminal: bool) -> Result<(), CliError> {
    let text = String::from_utf8_lossy(&answer.body);
    let text = if is_terminal { safe_text(&text) } else { text };
    let Some(version) = &answer.version else {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let words = body["Message"].as_str().or(body["message"].as_str()).unwrap_or(&text);
        return Err(CliError::usage(NOT_INVOKED, format!("the function was not invoked: {words}"))
            .because(format!("HTTP {}", answer.status)));
    };
    if let Some(log) = &answer.log {
        console::say(safe_text(log).trim_end());
    }
    console::say(&format!("version {}", safe_line(version)));
    let end = if text.ends_with('\n') { "" } else { "\n" };
    console::data(&format!("{text}{end}"))?;
    match &answer.error {
        None => Ok(()),
        Some(error) => Err(CliError::new(
            ErrorKind::Failed,
            FUNCTION_FAILED,
            format!("version {version} failed: {error}"),
        )),
    }
}

/// Names that become part of a URL.
fn legal(text: &str) -> Result<(), CliError> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$');
    if !text.is_empty() && text.chars().all(is_legal) {
        return Ok(());
    }
    Err(CliError::usage(
        NOT_INVOKED,
        format!("`{text}` is not the name of a function, alias or version"),
    ))
}

/// The event: JSON, `@FILE`, or `@-` for stdin.
fn payload(text: &str) -> Result<Bytes, CliError> {
    let refused = |why: &(dyn std::error::Error + 'static)| {
        CliError::usage(BAD_PAYLOAD, "the payload cannot be used")
            .caused_by(why)
            .hint("give JSON, such as '{\"name\": \"ana\"}', or @FILE, or @- for stdin")
    };
    let bytes = match text.strip_prefix('@') {
        None => text.as_bytes().to_vec(),
        Some(path) => {
            let source: Box<dyn std::io::Read> = match path {
                "-" => Box::new(std::io::stdin()),
                path => Box::new(std::fs::File::open(path).map_err(|error| refused(&error))?),
            };
            let mut bytes = Vec::new();
            source.take(EVENT_MAX + 1).read_to_end(&mut bytes).map_err(|error| refused(&error))?;
            bytes
        }
    };
    if bytes.len() as u64 > EVENT_MAX {
        return Err(CliError::usage(
            BAD_PAYLOAD,
            "the payload is over 6 MB, which Lambda does not take",
        ));
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).map_err(|error| refused(&error))?;
    Ok(Bytes::from(bytes))
}

async fn status(context: &Context, args: &LocalStateArgs) -> Result<(), CliError> {
    let console = context.console;
    let state = state_dir(context, args);
    let Some(running) = wavegate_local::running(&state) else {
        if console.is_json() {
            return console::json(&json!({ "v": 1, "running": false, "state": state }));
        }
        return console::data(&format!("no local cloud runs on {}\n", state.display()));
    };
    let status = Loopback::new(&running.url, &running.region)
        .status()
        .await
        .map_err(|error| fault::http(&error))?;
    if console.is_json() {
        return console::json(&json!({ "v": 1, "running": true, "state": state, "cloud": status }));
    }
    console::data(&status_text(&status))
}

fn status_text(status: &Value) -> String {
    let now = status["now_ms"].as_u64().unwrap_or_default();
    let word = |key: &str| match &status[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut text = format!(
        "local cloud at {}, process {}\n  clock         {} at {} seconds per second\n  functions     {}\n  environments  {}\n",
        word("url"),
        word("pid"),
        wavegate_report::utc(now),
        word("time_scale"),
        word("functions"),
        word("environments"),
    );
    let calls = status["calls"].as_object();
    let total: u64 = calls.into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
    let _ = writeln!(text, "  calls         {total}");
    for (operation, count) in calls.into_iter().flatten() {
        let _ = writeln!(text, "    {count:>6}  {}", safe_line(operation));
    }
    for (alias, versions) in status["served"].as_object().into_iter().flatten() {
        for (version, served) in versions.as_object().into_iter().flatten() {
            let _ = writeln!(
                text,
                "  served        {} v{}: {} requests, {} failed",
                safe_line(alias),
                safe_line(version),
                served["invocations"],
                served["errors"]
            );
        }
    }
    text
}

async fn reset(context: &Context, args: &LocalResetArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let state = state_dir(context, &args.state);
    let question = format!("Delete everything that the local cloud keeps in {}?", state.display());
    interrupts.guard(confirm(context.console, args.yes, question)).await?;
    wavegate_local::reset(&state).map_err(|error| fault::local(&error))?;
    console::say(&format!("{} is empty", state.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_json_or_refused() {
        assert_eq!(payload("{\"a\": 1}").unwrap(), "{\"a\": 1}");
        for bad in ["", "{", "@/no/such/file"] {
            assert_eq!(payload(bad).unwrap_err().code, Some(BAD_PAYLOAD), "{bad}");
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("event.json");
        std::fs::write(&file, "[1]").unwrap();
        assert_eq!(payload(&format!("@{}", file.display())).unwrap(), "[1]");
    }

    #[test]
    fn names_cannot_leave_their_place_in_a_url() {
        assert!(legal("auth-v2_x").is_ok() && legal("$LATEST").is_ok());
        for bad in ["", "a/b", "a?b", "a b", "..", "a&Qualifier=x", "ü"] {
            assert!(legal(bad).is_err(), "{bad}");
        }
    }
}

//! `conformance`: ten questions about an endpoint, asked of a throw-away function there and of the
//! local cloud, side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wavegate_config::{Manifest, Target};
use wavegate_core::inventory::Artifact;
use wavegate_core::spec::FunctionConfig;
use wavegate_engine::conformance::{Bench, Question, Shown, Subject, ThrowAway};
use wavegate_local::{LocalCloud, Options};
use wavegate_report::safe_line;

use super::confirm;
use crate::Context;
use crate::args::{ConformanceArgs, TargetArg};
use crate::console;
use crate::error::{CliError, ErrorKind};
use crate::interrupt::{INTERRUPTED, Interrupts};
use crate::target::{self, Endpoint};
use crate::{fault, manifest};

/// No role, or no legal name.
const CANNOT_BEGIN: &str = "WG676";
/// The endpoint does otherwise than wavegate relies on.
const BROKEN_RELIANCE: &str = "WG677";
/// The function is still there.
const LEFT_BEHIND: &str = "WG678";

/// The format version of the JSON answer.
const FORMAT: u32 = 1;

/// How fast time passes in the local cloud beside: provisioned concurrency is ready in a second.
const LOCAL_SCALE: f64 = 60.0;

/// Lambda's control-plane quota.
const QUOTA: u32 = 15;

/// How long the deletion of the function is tried.
const CLEAN_UP_WITHIN: Duration = Duration::from_mins(1);

/// A role that the local cloud takes; it judges none.
const LOCAL_ROLE: &str = "arn:aws:iam::000000000000:role/conformance";

/// Answers with a text that is its environment's own.
const CODE: &str =
    "import uuid\n\nME = str(uuid.uuid4())\n\n\ndef handler(event, context):\n    return ME\n";

type Answers = Vec<(Question, Shown)>;

pub(crate) async fn run(context: &Context, args: &ConformanceArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let read = manifest::load_alone(&context.global, &context.environment, context.console);
    let manifest = manifest::if_any(read, &context.global)?;
    let on = match (context.global.target, &manifest) {
        (Some(TargetArg::Aws), _) => Target::Aws,
        (Some(TargetArg::Local), _) | (None, None) => Target::Local,
        (None, Some(manifest)) => manifest.target,
    };
    let role = role(args, on)?;
    let dir = tempfile::tempdir().map_err(|error| no_directory(&error))?;
    let code = packages(dir.path())?;
    let subject = |prefix: &str| {
        let function = throw_away(prefix)?;
        Ok::<_, CliError>(Subject { function, config: config(&role), code: code.clone() })
    };
    let on_local = Box::pin(on_a_local_cloud(dir.path(), subject("local")?));
    let local = interrupts.guard(on_local).await?;
    let endpoint = open(context, on, manifest.as_ref(), &mut interrupts).await?;
    let subject = subject(&args.function_prefix)?;
    let trial = Trial { context, args, local, on };
    let result = trial.run(&endpoint, subject, &mut interrupts).await;
    endpoint.close().await;
    result
}

fn role(args: &ConformanceArgs, on: Target) -> Result<String, CliError> {
    match (&args.role, on) {
        (Some(role), _) => Ok(role.clone()),
        (None, Target::Local) => Ok(LOCAL_ROLE.to_owned()),
        (None, Target::Aws) => Err(CliError::usage(
            CANNOT_BEGIN,
            "on AWS the throw-away function needs an execution role",
        )
        .hint("give one that Lambda may assume and that may do nothing: --role arn:aws:iam::ACCOUNT:role/NAME")),
    }
}

fn throw_away(prefix: &str) -> Result<ThrowAway, CliError> {
    let random = getrandom::u64().map_err(|error| {
        CliError::bug("the system gives no randomness").because(error.to_string())
    })?;
    ThrowAway::new(prefix, random).map_err(|error| {
        CliError::usage(CANNOT_BEGIN, "the throw-away function would have no legal name")
            .caused_by(&error)
            .hint("give a shorter --function-prefix of letters, digits, `-` and `_`")
    })
}

fn config(role: &str) -> FunctionConfig {
    FunctionConfig {
        runtime: Some("python3.13".to_owned()),
        handler: Some("app.handler".to_owned()),
        role: role.to_owned(),
        memory_mb: 128,
        timeout_s: 3,
        description: "made by `wavegate conformance`; may be deleted".to_owned(),
        architecture: "x86_64".to_owned(),
        ephemeral_storage_mb: 512,
        ..FunctionConfig::default()
    }
}

/// Two packages that differ by a comment.
fn packages(dir: &Path) -> Result<[Artifact; 2], CliError> {
    let package = |name: &str| {
        let source = dir.join(name);
        std::fs::create_dir_all(&source)
            .and_then(|()| std::fs::write(source.join("app.py"), format!("# {name}\n{CODE}")))
            .map_err(|error| no_directory(&error))?;
        let options = wavegate_package::Options::new(dir.join("artifacts"));
        let made = wavegate_package::package(&source, &options).map_err(|error| {
            CliError::usage(error.code(), "the code cannot be packaged").caused_by(&error)
        })?;
        Ok::<_, CliError>(Artifact::Zip {
            code_sha256: made.code_sha256(),
            zipped_bytes: made.zipped_bytes,
            unzipped_bytes: made.unzipped_bytes,
            path: made.path,
        })
    };
    Ok([package("first")?, package("second")?])
}

fn no_directory(error: &std::io::Error) -> CliError {
    CliError::usage(CANNOT_BEGIN, "the packages cannot be written").caused_by(error)
}

/// What the local cloud does, on one of its own that is thrown away with its directory.
async fn on_a_local_cloud(dir: &Path, subject: Subject) -> Result<Answers, CliError> {
    let mut options = Options::new(dir.join("cloud"));
    options.time_scale = LOCAL_SCALE;
    options.requests_per_second = Some(QUOTA);
    let cloud = LocalCloud::start(options).await.map_err(|error| fault::local(&error))?;
    let endpoint = Endpoint::of(&cloud).await?;
    let answers = bench(&endpoint, subject)?.run(|_, _| {}).await;
    cloud.shutdown().await;
    answers.map_err(|error| fault::cloud("the local cloud cannot be tried on", &error, "127.0.0.1"))
}

fn bench(endpoint: &Endpoint, subject: Subject) -> Result<Bench, CliError> {
    let (cloud, clock) = (Arc::clone(&endpoint.bench), Arc::clone(&endpoint.clock));
    Bench::new(cloud, clock, Some(QUOTA), subject)
        .map_err(|error| CliError::bug("the bench has no legal alias").caused_by(&error))
}

async fn open(
    context: &Context,
    on: Target,
    manifest: Option<&Manifest>,
    interrupts: &mut Interrupts,
) -> Result<Endpoint, CliError> {
    let directory = manifest::directory(&context.global, &context.environment);
    let opening = Box::pin(target::endpoint(on, manifest, &directory, &context.environment));
    interrupts.guard(opening).await
}

struct Trial<'a> {
    context: &'a Context,
    args: &'a ConformanceArgs,
    local: Answers,
    on: Target,
}

impl Trial<'_> {
    async fn run(
        &self,
        endpoint: &Endpoint,
        subject: Subject,
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let bench = bench(endpoint, subject)?;
        let question = format!(
            "Make function {} at {}, ask ten questions of it (about 60 calls, 17 of them at once; one \
             provisioned environment for some minutes), and delete it?",
            bench.function(),
            endpoint.url
        );
        // The local cloud is this machine's own.
        let yes = self.args.yes || self.on == Target::Local;
        interrupts.guard(confirm(self.context.console, yes, question)).await?;
        console::say(&format!("trying on function {} at {}", bench.function(), endpoint.url));
        let tell = |question: Question, shown: &Shown| {
            let word = shown.verdict().unwrap_or("not shown");
            console::say(&format!("  {}: {}", question.key(), safe_line(word)));
        };
        let measured = tokio::select! {
            answers = bench.run(tell) => answers.map_err(|error| {
                fault::cloud("the throw-away function cannot be made", &error, &endpoint.url)
            }),
            name = interrupts.next() => Err(CliError::new(
                ErrorKind::Interrupted,
                INTERRUPTED,
                format!("interrupted by {name}; the function is deleted"),
            )),
        };
        let cleaned = clean_up(&bench, &endpoint.url).await;
        match (measured, cleaned) {
            (Ok(answers), cleaned) => self.tell(endpoint, &bench, &answers).and(cleaned),
            (Err(_), Err(left)) => Err(left),
            (Err(error), Ok(())) => Err(error),
        }
    }

    fn tell(&self, endpoint: &Endpoint, bench: &Bench, answers: &Answers) -> Result<(), CliError> {
        let (calls, polling) = bench.calls();
        let rows: Vec<Row<'_>> =
            answers.iter().map(|(question, seen)| self.row(*question, seen)).collect();
        if self.context.console.is_json() {
            console::json(&json!({
                "v": FORMAT,
                "endpoint": endpoint.url,
                "function": bench.function().to_string(),
                "calls": calls,
                "polling": polling,
                "answers": rows.iter().map(Row::json).collect::<Vec<_>>(),
            }))?;
        } else {
            let total = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
            let mut text = format!(
                "{}: {} calls, and {} of polling\n",
                endpoint.url,
                total(&calls),
                total(&polling)
            );
            for row in &rows {
                row.write(&mut text);
            }
            console::data(&text)?;
        }
        let broken = rows.iter().filter(|row| row.seen.breaks());
        let mut error = CliError::new(
            ErrorKind::Failed,
            BROKEN_RELIANCE,
            "this endpoint does not do all that wavegate relies on",
        );
        for row in broken {
            error = error.because(format!(
                "{} wavegate relies on: {}",
                row.question.words(),
                row.question.relied_on().unwrap_or_default()
            ));
        }
        if error.chain.is_empty() { Ok(()) } else { Err(error) }
    }

    fn row<'a>(&'a self, question: Question, seen: &'a Shown) -> Row<'a> {
        let local = self.local.iter().find(|(asked, _)| *asked == question).map(|(_, shown)| shown);
        Row { question, seen, local }
    }
}

async fn clean_up(bench: &Bench, endpoint: &str) -> Result<(), CliError> {
    let name = bench.function();
    let left = || {
        CliError::new(
            ErrorKind::Stuck,
            LEFT_BEHIND,
            format!("function {name} at {endpoint} could not be deleted"),
        )
        .hint(format!("aws lambda delete-function --function-name {name}"))
    };
    match tokio::time::timeout(CLEAN_UP_WITHIN, bench.clean_up()).await {
        Ok(Ok(())) => {
            console::say(&format!("function {name} is deleted"));
            Ok(())
        }
        Ok(Err(error)) => Err(left().caused_by(&error)),
        Err(_) => Err(left().because(format!("not within {} s", CLEAN_UP_WITHIN.as_secs()))),
    }
}

/// One question, answered twice.
struct Row<'a> {
    question: Question,
    seen: &'a Shown,
    local: Option<&'a Shown>,
}

impl Row<'_> {
    fn comparison(&self) -> &'static str {
        match (self.seen.verdict(), self.local.and_then(Shown::verdict)) {
            (Some(seen), Some(local)) if seen == local => "same",
            (Some(_), Some(_)) => "different",
            _ => "not shown",
        }
    }

    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "\n{:9}  {}", self.comparison(), self.question.words());
        let mut line = |what: &str, words: &str| {
            let _ = writeln!(text, "           {what:11}  {}", safe_line(words));
        };
        match self.seen {
            Shown::Seen { verdict, detail, .. } => line("seen", &format!("{verdict} ({detail})")),
            Shown::NotShown(why) => line("not shown", why),
        }
        match self.local {
            Some(Shown::Seen { verdict, .. }) => line("local cloud", verdict),
            Some(Shown::NotShown(why)) if self.seen.verdict().is_some() => {
                line("local cloud", &format!("not shown: {why}"));
            }
            _ => {}
        }
        if let Some(relied_on) = self.question.relied_on() {
            let end = if self.seen.breaks() { ": does not hold here" } else { "" };
            line("relied on", &format!("{relied_on}{end}"));
        }
    }

    fn json(&self) -> Value {
        let shown = |shown: &Shown| match shown {
            Shown::Seen { verdict, detail, .. } => json!({ "verdict": verdict, "detail": detail }),
            Shown::NotShown(why) => json!({ "not_shown": why }),
        };
        json!({
            "question": self.question.key(),
            "words": self.question.words(),
            "seen": shown(self.seen),
            "local": self.local.map(shown),
            "comparison": self.comparison(),
            "relied_on": self.question.relied_on(),
            "holds": match self.seen {
                Shown::Seen { holds, .. } => *holds,
                Shown::NotShown(_) => None,
            },
        })
    }
}

//! The `wavegate` command line: arguments, wiring, exit codes.
//!
//! Everything that decides lives in other crates; what is here joins them: the manifest to the
//! components that judge it, the components to the engine's ports, the engine's events to
//! reporters, and every way to end to one exit code ([`error::ErrorKind`]).
//!
//! Invariants: stdout is data and stderr is talk; nothing is built before the arguments are
//! parsed; a panic ends in exit code 70 with a short text.

mod adapter;
mod approvals;
pub mod args;
mod artifact;
mod asked;
pub mod catalogue;
mod command;
mod console;
mod environment;
pub mod error;
mod fault;
mod home;
mod http;
mod interrupt;
mod journal;
mod manifest;
mod memory;
mod nudge;
mod registry;
mod release;
mod reporting;
mod target;
mod traffic;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Parser as _;
use clap::error::ErrorKind as ClapErrorKind;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{Cli, Command, Global, PluginCommand};
use crate::console::Console;
use crate::environment::Environment;
use crate::error::{CliError, ErrorKind};

/// What a command has at hand.
struct Context {
    global: Global,
    environment: Environment,
    console: Console,
}

/// The last panic's words, for the one message about it.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs the command line of this process to its exit code.
pub fn main() -> ExitCode {
    memory::keep_from_dumps();
    std::panic::set_hook(Box::new(|info| {
        // A plugin's panic is caught and reported as its error; only one that reaches this crate's
        // edge is a bug, so nothing is printed here.
        tracing::error!("{info}");
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.to_string());
    }));
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let words = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
        tell_panic(&words.unwrap_or_default());
        ErrorKind::Bug.into()
    })
}

fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let environment = Environment::of_process();
    let console = Console::new(&cli.global, &environment);
    let context = Context { global: cli.global, environment, console };
    let result = log(&context).and_then(|()| dispatch(&context, cli.command));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            context.console.error(&error);
            error.kind.into()
        }
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    // Printing fails when nobody reads, and then there is nobody to tell.
    let _ = error.print();
    match error.kind() {
        ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ErrorKind::Usage.into(),
    }
}

fn log(context: &Context) -> Result<(), CliError> {
    let Some(filter) = &context.global.log else { return Ok(()) };
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        CliError::usage("WG692", format!("`{filter}` is not a log filter")).caused_by(&error).hint(
            "write a level (error, warn, info, debug, trace) or TARGET=LEVEL, with commas between",
        )
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| LogLines(std::io::stderr()))
        .with_ansi(context.console.err.color == wavegate_report::Color::Always)
        .with_filter(filter.and(filter_fn(tells_no_values)));
    tracing_subscriber::registry().with(lines).init();
    Ok(())
}

/// Where the log goes. What others wrote is in it, in whatever form a library printed it.
struct LogLines(std::io::Stderr);

impl std::io::Write for LogLines {
    /// An event comes as a whole.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.0.write_all(wavegate_report::safe_log(&text).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// At `trace` the SDKs write down whole requests and answers, and with them the values of the
/// functions' environment variables. No filter lets these through.
fn tells_no_values(metadata: &tracing::Metadata<'_>) -> bool {
    *metadata.level() != tracing::Level::TRACE || !metadata.target().starts_with("aws_")
}

fn dispatch(context: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Init(args) if args.existing.selection.is_empty() => {
            command::init::run(context, &args)
        }
        Command::Init(args) => block_on(command::init::existing::run(context, &args)),
        Command::Import(command) => command::import::run(context, &command),
        Command::Check => block_on(command::check::run(context)),
        Command::Iam(args) => command::iam::run(context, &args),
        Command::Schema => command::print::schema(),
        Command::Completions { shell } => command::print::completions(shell),
        Command::Explain { code } => command::print::explain(context, code.as_deref()),
        Command::Plan(args) => block_on(command::plan::run(context, &args)),
        Command::Deploy(args) => block_on(command::deploy::run(context, &args)),
        Command::Status => block_on(command::status::run(context)),
        Command::Watch => block_on(command::watch::run(context)),
        Command::History(args) => command::history::run(context, &args),
        Command::Show(args) => command::show::run(context, &args),
        Command::Rollback(args) => block_on(command::rollback::run(context, &args)),
        Command::Recover(args) => block_on(command::recover::run(context, &args)),
        Command::Abort(args) => block_on(command::control::abort(context, &args)),
        Command::Pause(args) => block_on(command::control::pause(context, &args)),
        Command::Resume(args) => block_on(command::control::resume(context, &args)),
        Command::Promote(args) => block_on(command::control::promote(context, &args)),
        Command::Retry(args) => block_on(command::retry::run(context, &args)),
        Command::Doctor(args) => block_on(command::doctor::run(context, &args)),
        Command::Conformance(args) => block_on(command::conformance::run(context, &args)),
        Command::Local(command) => block_on(command::local::run(context, command)),
        Command::Simulate(args) => block_on(command::simulate::run(context, &args)),
        Command::PluginHost(args) => command::plugin_host::run(args),
        Command::PluginLaws(args) => command::plugin_host::try_law(args),
        Command::Plugin(PluginCommand::New(args)) => command::plugin_new::run(context, &args),
        Command::Plugin(PluginCommand::List) => block_on(command::plugin::list(context)),
        Command::Plugin(PluginCommand::Inspect { file }) => {
            command::plugin::inspect_file(context, &file)
        }
        Command::Plugin(PluginCommand::Pin { name }) => command::plugin::pin(context, &name),
        Command::Plugin(PluginCommand::Check(args)) => {
            block_on(command::plugin_check::run(context, args))
        }
    }
}

/// Runs a command on tokio. Threads that are still busy when it has ended (a packaging that was
/// interrupted, a question that nobody answered) are left behind: the process ends.
fn block_on(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Two at least: one that waits for a disk must not hold up the lock's heartbeat.
        .worker_threads(cores.clamp(2, 8))
        .enable_all()
        .build()
        .map_err(|error| CliError::bug("the async runtime cannot be started").caused_by(&error))?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

fn tell_panic(words: &str) {
    use std::io::Write as _;
    let text = format!(
        "error[WG690]: a bug: {}\n  hint: please report it with the command and this text; \
         `wavegate status` shows what every alias serves\n",
        wavegate_report::safe_line(words)
    );
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

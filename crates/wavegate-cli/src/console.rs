//! stdout for data, stderr for talk; questions on a terminal only.
//!
//! Text that comes from outside passes the report crate's filters before it is written here.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead as _, Write};
use std::os::fd::AsFd as _;
use std::sync::OnceLock;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, ThemeCharacters, ThemeStyles};
use wavegate_report::{Charset, Color, Screen, Style, safe_json, safe_line, safe_log, safe_text};

use crate::args::{ColorArg, Global, Output};
use crate::environment::Environment;
use crate::error::{CliError, ErrorKind};

/// Diagnostics are wrapped at this width where the terminal does not say its own.
const WIDTH: usize = 100;

/// How this process speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    /// How data on stdout looks.
    pub(crate) out: Style,
    /// How talk on stderr looks.
    pub(crate) err: Style,
    /// For whom data is written.
    pub(crate) output: Output,
    /// Whether somebody can be asked.
    pub(crate) can_ask: bool,
    /// Whether stderr can be painted on.
    pub(crate) is_live: bool,
}

impl Console {
    /// As flags and surroundings say.
    pub(crate) fn new(global: &Global, environment: &Environment) -> Self {
        let is_ascii = global.ascii || !environment.takes_unicode();
        let charset = if is_ascii { Charset::Ascii } else { Charset::Unicode };
        let color = |is_terminal: bool| match global.color {
            ColorArg::Always => Color::Always,
            ColorArg::Auto if is_terminal && environment.takes_colour() => Color::Always,
            ColorArg::Auto | ColorArg::Never => Color::Never,
        };
        Self {
            out: Style { charset, color: color(environment.stdout_is_terminal) },
            err: Style { charset, color: color(environment.stderr_is_terminal) },
            output: global.output,
            can_ask: environment.stdin_is_terminal && environment.stderr_is_terminal,
            is_live: environment.stderr_is_terminal && environment.get("TERM") != Some("dumb"),
        }
    }

    /// Whether data is for programs.
    pub(crate) fn is_json(self) -> bool {
        self.output == Output::Json
    }

    /// Tells an error on stderr.
    pub(crate) fn error(self, error: &CliError) {
        if let Some(problems) = &error.problems {
            for problem in problems {
                self.diagnostic(problem);
            }
            let word = problems.to_string();
            say(&format!("{}: {word}", self.bad("error")));
        }
        if !error.message.is_empty() {
            say(&self.error_text(error));
        }
    }

    /// Tells on stderr what went wrong beside what was asked for, and stopped nothing.
    pub(crate) fn warning(self, error: &CliError) {
        say(&words(&self.tinted("warning", "1;33"), error));
    }

    /// Shows a diagnostic with its carets on stderr.
    pub(crate) fn diagnostic(self, problem: &dyn Diagnostic) {
        let mut text = String::new();
        if self.handler().render_report(&mut text, problem).is_ok() {
            // The paths and the lines that it shows are somebody's.
            say(safe_log(&text).trim_end());
            say("");
        }
    }

    fn error_text(self, error: &CliError) -> String {
        words(&self.bad("error"), error)
    }

    fn bad(self, word: &str) -> String {
        self.tinted(word, "1;31")
    }

    fn tinted(self, word: &str, look: &str) -> String {
        match self.err.color {
            Color::Always => format!("\x1b[{look}m{word}\x1b[0m"),
            Color::Never => word.to_owned(),
        }
    }

    fn handler(self) -> GraphicalReportHandler {
        let theme = GraphicalTheme {
            characters: match self.err.charset {
                Charset::Unicode => ThemeCharacters::unicode(),
                Charset::Ascii => ThemeCharacters::ascii(),
            },
            styles: match self.err.color {
                Color::Always => ThemeStyles::ansi(),
                Color::Never => ThemeStyles::none(),
            },
        };
        let width = screen().map_or(WIDTH, |screen| screen.width.clamp(40, WIDTH));
        GraphicalReportHandler::new_themed(theme).with_links(false).with_width(width)
    }
}

/// An error or a warning: what, why, what to do.
fn words(what: &str, error: &CliError) -> String {
    let code = error.code.map(|code| format!("[{code}]")).unwrap_or_default();
    let mut text = format!("{what}{code}: {}", safe_text(&error.message));
    for cause in &error.chain {
        let _ = write!(text, "\n  {}", safe_text(cause).replace('\n', "\n  "));
    }
    for hint in &error.hints {
        let _ = write!(text, "\n  hint: {}", safe_line(hint));
    }
    if let Some(code) = error.code {
        let _ = write!(text, "\n  `wavegate explain {code}` tells more");
    }
    text
}

/// Writes data to stdout.
pub(crate) fn data(text: &str) -> Result<(), CliError> {
    let mut out = stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return CliError::silent(ErrorKind::PipeClosed);
        }
        CliError::usage("WG691", "stdout cannot be written to").caused_by(&error)
    })
}

/// Writes one JSON value and a newline to stdout.
pub(crate) fn json(value: &serde_json::Value) -> Result<(), CliError> {
    let text = format!("{value:#}");
    let lines: Vec<_> = text.lines().map(safe_json).collect();
    data(&(lines.join("\n") + "\n"))
}

/// A problem with its place, for programs.
pub(crate) fn problem_json(problem: &wavegate_config::Problem) -> serde_json::Value {
    serde_json::json!({
        "code": problem.code,
        "severity": if problem.is_warning() { "warning" } else { "error" },
        "message": problem.message,
        "help": problem.help,
        "file": problem.place.path(),
        "line": problem.place.line(),
        "column": problem.place.column(),
        "place": problem.place.to_string(),
    })
}

/// Writes talk to stderr. What cannot be said is not said: nothing depends on it.
pub(crate) fn say(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n"));
    let _ = err.flush();
}

/// Something worth knowing, on stderr.
pub(crate) fn note(text: &str) {
    say(&format!("note: {}", safe_line(text)));
}

/// Asks a question on the terminal. Anything but yes is no.
pub(crate) fn ask(question: &str) -> bool {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{} [y/N] ", safe_line(question)).and_then(|()| err.flush());
    drop(err);
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Standard output, out of the reach of plugins in this process once they were loaded.
static OWN_STDOUT: OnceLock<File> = OnceLock::new();

/// Where data goes.
pub(crate) fn stdout() -> Box<dyn io::Write + Send> {
    match OWN_STDOUT.get().and_then(|own| own.try_clone().ok()) {
        Some(own) => Box::new(own),
        None => Box::new(io::stdout()),
    }
}

/// Keeps standard output for data: what code of others prints in this process goes to standard
/// error from now on.
///
/// # Errors
/// The operating system's.
pub(crate) fn keep_stdout() -> io::Result<()> {
    if OWN_STDOUT.get().is_none() {
        let own = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        nix::unistd::dup2_stdout(io::stderr())?;
        // Set by somebody else meanwhile, it is the same file.
        let _ = OWN_STDOUT.set(own);
    }
    Ok(())
}

/// How wide a text on stdout may be.
pub(crate) fn width() -> usize {
    /// Where nobody says, and what a page of text has.
    const DEFAULT: usize = 80;
    let size = match OWN_STDOUT.get() {
        Some(own) => terminal_size::terminal_size_of(own),
        None => terminal_size::terminal_size_of(io::stdout()),
    };
    size.map_or(DEFAULT, |(width, _)| usize::from(width.0))
}

/// The size of the terminal behind stderr, if there is one.
pub(crate) fn screen() -> Option<Screen> {
    let (width, height) = terminal_size::terminal_size_of(io::stderr())?;
    Some(Screen { width: usize::from(width.0), height: usize::from(height.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(global: &Global, variables: &[(&str, &str)], terminal: bool) -> Console {
        let mut environment = Environment::of(variables);
        environment.stderr_is_terminal = terminal;
        environment.stdout_is_terminal = terminal;
        Console::new(global, &environment)
    }

    #[test]
    fn colour_needs_a_terminal_or_an_order() {
        let auto = Global::default();
        let always = Global { color: ColorArg::Always, ..Global::default() };
        let never = Global { color: ColorArg::Never, ..Global::default() };
        for (global, variables, terminal, color) in [
            (&auto, &[][..], true, Color::Always),
            (&auto, &[], false, Color::Never),
            (&auto, &[("NO_COLOR", "1")], true, Color::Never),
            (&always, &[("NO_COLOR", "1")], false, Color::Always),
            (&never, &[], true, Color::Never),
        ] {
            assert_eq!(console(global, variables, terminal).err.color, color, "{global:?}");
        }
    }

    #[test]
    fn ascii_is_obeyed_under_any_locale() {
        let ascii = Global { ascii: true, ..Global::default() };
        let utf8 = &[("LANG", "C.UTF-8")];
        assert_eq!(console(&ascii, utf8, true).err.charset, Charset::Ascii);
        assert_eq!(console(&Global::default(), utf8, true).err.charset, Charset::Unicode);
        assert_eq!(console(&Global::default(), &[], true).err.charset, Charset::Ascii);
    }

    #[test]
    fn nobody_is_asked_without_a_terminal() {
        assert!(!console(&Global::default(), &[], true).can_ask);
    }

    #[test]
    fn an_error_tells_code_causes_and_what_to_do() {
        let error = CliError::usage("WG601", "nothing answers at \x1b[2Jhttp://127.0.0.1:1")
            .because("connection refused")
            .hint("is it running?");
        let text = console(&Global::default(), &[], false).error_text(&error);
        assert_eq!(
            text,
            "error[WG601]: nothing answers at http://127.0.0.1:1\n  connection refused\n  \
             hint: is it running?\n  `wavegate explain WG601` tells more"
        );
    }
}

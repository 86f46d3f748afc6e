//! Reporters on a thread of their own: a terminal that is held up, or a pipe that nobody reads,
//! never holds up a release. What they are told has no secret value in it any more.

use std::io::{self, Stderr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use wavegate_engine::event::Record;
use wavegate_engine::ports::Clock;
use wavegate_report::{JsonLines, Lines, Reporter, Screen, State, Tree, Veil};

use crate::console::{self, Console, screen};
use crate::error::CliError;
use crate::journal::Journal;

/// How often countdowns move when nothing happens.
const BEAT: Duration = Duration::from_millis(100);

/// The reporters of one release.
pub(crate) struct Reporting {
    news: Sender<News>,
    thread: JoinHandle<Told>,
}

/// What reporters are told.
enum News {
    Event(Box<Record>),
    /// Somebody typed a line on the terminal.
    Typed,
}

/// What was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The release as far as its events told.
    pub(crate) state: State,
    /// Why it is not, or not whole, and what else went wrong beside it.
    pub(crate) warnings: Vec<CliError>,
}

impl Reporting {
    /// Begins.
    pub(crate) fn begin(
        console: Console,
        journal: Journal,
        clock: Arc<dyn Clock>,
        veil: Veil,
    ) -> Result<Self, CliError> {
        let (news, inbox) = channel();
        let face = Face::new(console, clock.scale());
        let thread = std::thread::Builder::new()
            .name("reporters".to_owned())
            .spawn(move || tell(&inbox, face, journal, clock.as_ref(), &veil))
            .map_err(|error| CliError::bug("no thread for reporters").caused_by(&error))?;
        Ok(Self { news, thread })
    }

    /// Tells one more event. If the reporters are gone, nobody is told.
    pub(crate) fn tell(&self, record: Record) {
        let _ = self.news.send(News::Event(Box::new(record)));
    }

    /// Somebody typed a line: what stands on the terminal has moved.
    pub(crate) fn typed(&self) {
        let _ = self.news.send(News::Typed);
    }

    /// No more events: waits until everything is told. Blocking.
    pub(crate) fn end(self) -> Told {
        drop(self.news);
        self.thread.join().unwrap_or_else(|_| Told {
            warnings: vec![CliError::bug("the reporters stopped in the middle")],
            ..Told::default()
        })
    }
}

fn tell(
    inbox: &Receiver<News>,
    mut face: Face,
    journal: Journal,
    clock: &dyn Clock,
    veil: &Veil,
) -> Told {
    let mut state = State::default();
    loop {
        match inbox.recv_timeout(BEAT) {
            Ok(News::Typed) => face.typed(),
            Ok(News::Event(mut record)) => {
                veil.event(&mut record);
                state.apply(&record);
                journal.tell(&record);
                face.event(&record);
            }
            Err(RecvTimeoutError::Timeout) => face.tick(clock.now_ms()),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    face.finish();
    Told { state, warnings: journal.end() }
}

/// How people or programs see a release.
pub(crate) enum Face {
    Tree(Box<Tree<Stderr>>, Option<Screen>),
    Lines(Box<Lines<Stderr>>),
    Json(JsonLines<Box<dyn io::Write + Send>>),
}

impl Face {
    /// As flags and surroundings say. `scale` is how much faster than the wall the release's clock
    /// goes.
    pub(crate) fn new(console: Console, scale: f64) -> Self {
        if console.is_json() {
            return Self::Json(JsonLines::new(console::stdout()));
        }
        match screen().filter(|_| console.is_live) {
            Some(size) => {
                let tree = Tree::new(io::stderr(), console.err, size, whole(scale));
                Self::Tree(Box::new(tree), Some(size))
            }
            None => Self::Lines(Box::new(Lines::new(io::stderr(), console.err))),
        }
    }

    fn reporter(&mut self) -> &mut dyn Reporter {
        match self {
            Self::Tree(tree, _) => tree.as_mut(),
            Self::Lines(lines) => lines.as_mut(),
            Self::Json(json) => json,
        }
    }

    /// Shows one more event.
    pub(crate) fn event(&mut self, record: &Record) {
        self.reporter().event(record);
    }

    fn typed(&mut self) {
        if let Self::Tree(tree, _) = self {
            tree.line_typed();
        }
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        if let Self::Tree(tree, size) = self {
            let now = screen();
            if now != *size {
                *size = now;
                tree.resize(now.unwrap_or_default());
            }
        }
        self.reporter().tick(now_ms);
    }

    /// No more events come.
    pub(crate) fn finish(&mut self) {
        self.reporter().finish();
    }
}

/// A time scale for the tree's frame rate: at least 1.
fn whole(scale: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, which is what is wanted"
    )]
    let whole = scale.round() as u32;
    whole.max(1)
}

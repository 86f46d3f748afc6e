//! Killed before, during and after every call of a release of the shop; then recovered, in both ways,
//! with and without what the machine remembered.
//!
//! Reads come when the clock says so, and functions go side by side, so the k-th call of two runs need
//! not be the same: a write is found by its name, which no timing changes, a read by its number.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use wavegate_tests::binary::{Finished, Project, has_tool};
use wavegate_tests::proxy::{Call, Deed, Moment};

use crate::bench::{Prepared, Trial};
use crate::parallel;
use crate::sample::{Choice, Random, say};
use crate::shop;

/// A minute is a second: a whole release takes three, a lease one and a half.
const TIME_SCALE: f64 = 60.0;

/// How many points a run tries beside one of each kind.
const EXTRA: usize = 48;

/// How many pairs of crashes a run tries.
const PAIRS: usize = 24;

/// How the release is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Back,
    Resume,
}

impl Way {
    const ALL: [Self; 2] = [Self::Back, Self::Resume];

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Back => &["recover", "--yes", "--output", "json"],
            Self::Resume => &["recover", "--resume", "--yes", "--output", "json"],
        }
    }
}

/// What is left of `.wavegate/` when the release is recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Records {
    Kept,
    Deleted,
}

impl Records {
    const ALL: [Self; 2] = [Self::Kept, Self::Deleted];
}

/// Where a release is, as far as the calls tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nothing is owned.
    Looking,
    /// The lock is taken, no traffic may move.
    Preparing,
    /// The barrier is passed.
    Shifting,
    /// Everything is promoted.
    Closing,
}

/// A call of an uninterrupted release.
#[derive(Debug, Clone)]
struct Point {
    call: Call,
    stage: Stage,
}

impl Point {
    /// Whether this call is that one, or the first of its like after it.
    fn is(&self, call: &Call) -> bool {
        if self.call.is_write() {
            return self.call.name() == call.name();
        }
        call.index >= self.call.index && !call.is_write()
    }

    /// What is the same about many points: the operation, the kind of its object, the stage.
    fn kind(&self) -> (String, String, Stage) {
        let alias = self.call.object.rsplit_once(':').map_or("", |(_, alias)| alias);
        let alias = if alias.parse::<u64>().is_ok() { "version" } else { alias };
        (self.call.operation.clone(), alias.to_owned(), self.stage)
    }
}

/// One crash and what is done about it.
#[derive(Debug, Clone)]
struct Crash {
    point: Point,
    moment: Moment,
    way: Way,
    records: Records,
    /// A crash of the recovery as well, at its k-th call.
    again: Option<(usize, Moment)>,
}

impl std::fmt::Display for Crash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { point, moment, way, records, again } = self;
        let (index, name) = (point.call.index, point.call.name());
        write!(f, "call {index} ({name}), {moment:?}; {way:?}, records {records:?}")?;
        match again {
            Some((index, moment)) => write!(f, "; recovery killed at call {index}, {moment:?}"),
            None => Ok(()),
        }
    }
}

/// How a crash ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Promoted,
    PutBack,
    /// Killed before anything was begun.
    Untouched,
    /// The call did not come: the release ended by itself.
    NotReached,
}

fn prepared() -> std::sync::Arc<Prepared> {
    let project = Project::new();
    shop::lay_out(&project);
    Prepared::new(
        project,
        TIME_SCALE,
        |hosted| shop::set_alarm(&hosted.direct),
        |hosted, project| {
            shop::describe(&hosted.direct, &shop::FUNCTIONS);
            shop::change(project);
        },
    )
}

/// The calls of a release that nothing interrupts.
fn points(prepared: &Prepared) -> Vec<Point> {
    let trial = prepared.copy();
    trial.proxy.arm(|_| Deed::pass());
    let _ = trial.deploy().expect(0);
    let calls: Vec<Call> = trial.proxy.disarm().into_iter().map(|entry| entry.call).collect();
    let lock = |call: &&Call| call.object.ends_with(":wavegate-live") && call.is_write();
    let locks: Vec<usize> = calls.iter().filter(lock).map(|call| call.index).collect();
    let (Some(&taken), Some(&barrier), Some(&closed)) = (locks.first(), locks.get(1), locks.last())
    else {
        panic!("no lock in {calls:#?}");
    };
    let stage = |index| match index {
        index if index <= taken => Stage::Looking,
        index if index <= barrier => Stage::Preparing,
        index if index < closed => Stage::Shifting,
        _ => Stage::Closing,
    };
    calls.into_iter().map(|call| Point { stage: stage(call.index), call }).collect()
}

/// Every point in every way.
fn all(points: &[Point]) -> Vec<Crash> {
    let mut all = Vec::new();
    for point in points {
        for moment in Moment::ALL {
            for way in Way::ALL {
                for records in Records::ALL {
                    let point = point.clone();
                    all.push(Crash { point, moment, way, records, again: None });
                }
            }
        }
    }
    all
}

/// One of each kind of point in both ways, and some more.
fn some(points: &[Point], random: &mut Random) -> Vec<Crash> {
    let mut kinds: BTreeMap<_, Vec<&Point>> = BTreeMap::new();
    for point in points {
        kinds.entry(point.kind()).or_default().push(point);
    }
    let mut chosen = Vec::new();
    for of_a_kind in kinds.values() {
        for moment in Moment::ALL {
            for way in Way::ALL {
                let point = (*random.one_of(of_a_kind)).clone();
                let records = *random.one_of(&Records::ALL);
                chosen.push(Crash { point, moment, way, records, again: None });
            }
        }
    }
    chosen.extend((0..EXTRA).map(|_| any(points, random)));
    chosen
}

fn any(points: &[Point], random: &mut Random) -> Crash {
    Crash {
        point: random.one_of(points).clone(),
        moment: *random.one_of(&Moment::ALL),
        way: *random.one_of(&Way::ALL),
        records: *random.one_of(&Records::ALL),
        again: None,
    }
}

/// Crashes, recovers, and judges what the cloud says.
fn survive(prepared: &Prepared, crash: &Crash) -> End {
    let mut trial = prepared.copy();
    let Crash { point, moment, .. } = crash.clone();
    let is_killed = kill_at(&trial, Way::Back, true, move |call| point.is(call), moment);
    let Some(killed) = is_killed else {
        assert_whole(&trial, Some("2"), Words::Restored);
        return End::NotReached;
    };
    if crash.records == Records::Deleted {
        trial.forget();
    }
    let mut left = trial.project.status().lock().map(str::to_owned);
    if let Some((index, moment)) = crash.again {
        kill_at(&trial, crash.way, false, move |call| call.index == index, moment);
        if crash.records == Records::Deleted {
            trial.forget();
        }
        left = trial.project.status().lock().map(str::to_owned).or(left);
    }
    let mut way = crash.way;
    if left.as_deref() == Some("aborting") && way == Way::Resume {
        // What goes back goes back to its end; who wants it to go on is told so.
        let refused = trial.project.run(way.arguments()).expect(3);
        assert!(refused.has_code("WG684"), "{refused}");
        way = Way::Back;
    }
    let recovered = trial.project.run(way.arguments());
    assert_eq!(recovered.code, Some(0), "left {left:?}\n{recovered}\nkilled: {killed}");
    let has_ended = matches!(left.as_deref(), Some("done" | "rolled_back"));
    let words = if has_ended { Words::Kept } else { Words::Restored };
    let version = assert_whole(&trial, None, words);
    let end = match (version.as_str(), left.as_deref()) {
        // The lock of the release before.
        ("1", Some("done")) => End::Untouched,
        ("1", _) => End::PutBack,
        _ => End::Promoted,
    };
    let expected: &[End] = match (left.as_deref(), crash.way) {
        (Some("done"), _) => &[End::Untouched, End::Promoted],
        (Some("rolled_back" | "aborting"), _) | (_, Way::Back) => &[End::PutBack],
        (_, Way::Resume) => &[End::Promoted],
    };
    assert!(expected.contains(&end), "{end:?} after {left:?}\n{recovered}\nkilled: {killed}");
    assert_goes_on(&trial);
    end
}

/// Runs a deploy or a recovery that is killed at a call; `None` if that call does not come.
fn kill_at(
    trial: &Trial,
    way: Way,
    is_deploy: bool,
    is_it: impl Fn(&Call) -> bool + Send + 'static,
    moment: Moment,
) -> Option<Finished> {
    trial.proxy.arm(move |call| if is_it(call) { Deed::kill(moment) } else { Deed::pass() });
    let running =
        if is_deploy { trial.project.begin_deploy() } else { trial.project.spawn(way.arguments()) };
    trial.proxy.aim(running.pid());
    let ended = running.finish();
    let killed = trial.proxy.killed();
    trial.proxy.disarm();
    if killed.is_some() && ended.signal.is_some() {
        return Some(ended);
    }
    // The process may have ended by itself while it was being killed after its last call.
    assert_eq!(ended.code, Some(0), "{ended}");
    None
}

/// What of the user's descriptions must be back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    /// All of them.
    Restored,
    /// None is lost, but some may stand behind a record that nobody needs any more: the release had
    /// ended, and there was nothing to recover. The next release gives them back.
    Kept,
}

/// Every live alias serves one version, the same one, and says what its user wrote. That version.
fn assert_whole(trial: &Trial, wanted: Option<&str>, words: Words) -> String {
    let live = shop::live(&trial.cloud.direct, &shop::FUNCTIONS);
    let versions: BTreeSet<&str> = live.values().map(|alias| alias.version.as_str()).collect();
    assert_eq!(versions.len(), 1, "a mixed end: {live:#?}");
    for (function, alias) in &live {
        assert_eq!(alias.extra, "", "{function} is split: {live:#?}");
        let theirs = shop::description(function);
        let is_kept = words == Words::Kept && alias.description.ends_with(&format!(" | {theirs}"));
        assert!(is_kept || alias.description == theirs, "{function}: {live:#?}");
    }
    let version = versions.first().copied().unwrap_or_default().to_owned();
    assert!(wanted.is_none_or(|wanted| version == wanted), "{live:#?}");
    let status = trial.project.status();
    assert!(matches!(status.lock(), Some("done" | "rolled_back")), "{status:?}");
    version
}

/// The app can be released as if nothing had happened.
fn assert_goes_on(trial: &Trial) {
    shop::hurry(&trial.project);
    shop::change(&trial.project);
    let next = trial.project.deploy().expect(0);
    assert_eq!(next.outcome(), "done", "{next}");
    assert_eq!(next.functions("put_back"), [""; 0], "{next}");
    let live = shop::live(&trial.cloud.direct, &shop::FUNCTIONS);
    for (function, alias) in &live {
        assert!(alias.extra.is_empty() && alias.version != "1", "{live:#?}");
        assert_eq!(alias.description, shop::description(function), "{live:#?}");
    }
}

/// The table for people: points, and how they ended, for each way and each kind of records.
fn table(crashes: &[(Crash, Option<End>)]) -> String {
    let mut text = format!(
        "{:<28}{:>8}{:>10}{:>10}{:>11}{:>13}{:>7}\n",
        "", "points", "promoted", "put back", "untouched", "not reached", "stuck"
    );
    for way in Way::ALL {
        for records in Records::ALL {
            let these: Vec<_> =
                crashes.iter().filter(|(c, _)| c.way == way && c.records == records).collect();
            let count = |wanted: Option<End>| these.iter().filter(|(_, e)| *e == wanted).count();
            let _ = writeln!(
                text,
                "{:<28}{:>8}{:>10}{:>10}{:>11}{:>13}{:>7}",
                format!("{way:?}, records {records:?}"),
                these.len(),
                count(Some(End::Promoted)),
                count(Some(End::PutBack)),
                count(Some(End::Untouched)),
                count(Some(End::NotReached)),
                count(None),
            );
        }
    }
    text
}

fn survive_all(prepared: &Prepared, crashes: Vec<Crash>) {
    let (ends, failures) = parallel::each(&crashes, |crash| survive(prepared, crash));
    let ended: Vec<(Crash, Option<End>)> = crashes.into_iter().zip(ends).collect();
    say(&table(&ended));
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn a_release_survives_a_kill_at_every_call() {
    if !has_tool("the shop", &["node", "--version"]) {
        return;
    }
    let prepared = prepared();
    let points = points(&prepared);
    let crashes = match Choice::of_the_environment() {
        Choice::All => all(&points),
        Choice::Seed(seed) => some(&points, &mut Random::new(seed)),
    };
    say(&format!("{} calls; {} crashes", points.len(), crashes.len()));
    survive_all(&prepared, crashes);
}

#[test]
fn a_recovery_survives_its_own_death() {
    if !has_tool("the shop", &["node", "--version"]) {
        return;
    }
    let prepared = prepared();
    let points: Vec<Point> =
        points(&prepared).into_iter().filter(|point| point.stage > Stage::Looking).collect();
    let (seed, pairs) = match Choice::of_the_environment() {
        Choice::All => (1, 10 * PAIRS),
        Choice::Seed(seed) => (seed, PAIRS),
    };
    let mut random = Random::new(seed);
    let crashes = (0..pairs).map(|_| {
        // More calls than a recovery looks with, and fewer than it makes in all.
        let again = Some((1 + random.below(60), *random.one_of(&Moment::ALL)));
        Crash { again, ..any(&points, &mut random) }
    });
    survive_all(&prepared, crashes.collect());
}

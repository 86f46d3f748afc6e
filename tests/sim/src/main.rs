//! `wavegate-sim`: tells many stories, or one again, or all of a small app.
//!
//! `cargo xtask sim` builds and runs it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to people")]

use std::process::ExitCode;
use std::time::Duration;

use wavegate_sim::exhaustive::{self, Tally};
use wavegate_sim::survey::{Survey, survey};
use wavegate_sim::{Story, catalogue, run, shrink, words};

const USAGE: &str = "\
--seeds N [--from S] [--jobs J] [--minutes M]   many stories; the first of each broken law is shrunk
--seeds N --until-broken                        many stories, until one breaks a law
--seed N [--trace] [--shrink]                   one story
--exhaustive                                    deaths and faults at every call of a small app
--catalogue                                     what is injected, and where the rest is tested
with every story: --without CLASS,.. --only CLASS,.. --halve CLASS=N --functions N";

fn main() -> ExitCode {
    // A panic of the core is a broken law, and is told as one.
    std::panic::set_hook(Box::new(|_| {}));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match begin(arguments.iter().map(String::as_str).collect()) {
        Ok(is_fine) => ExitCode::from(u8::from(!is_fine)),
        Err(reason) => {
            eprintln!("{reason}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn begin(arguments: Vec<&str>) -> Result<bool, String> {
    let (seed, story, rest) = words::story(arguments)?;
    match (seed, rest.as_slice()) {
        (Some(_), flags) => one(&story, flags),
        (None, ["--exhaustive"]) => Ok(everything()),
        (None, ["--catalogue"]) => {
            for (ids, what) in catalogue::INJECTED.iter().chain(catalogue::ELSEWHERE) {
                println!("{ids:<8} {what}");
            }
            Ok(true)
        }
        (None, words) => many(story, words),
    }
}

fn one(story: &Story, flags: &[&str]) -> Result<bool, String> {
    if let Some(strange) = flags.iter().find(|flag| !["--trace", "--shrink"].contains(*flag)) {
        return Err(format!("{strange} is not known here"));
    }
    let shrunk = flags.contains(&"--shrink").then(|| shrink::shrink(story));
    let story = shrunk.as_ref().unwrap_or(story);
    let report = run(story, flags.contains(&"--trace"));
    for line in &report.trace {
        println!("{line}");
    }
    println!("{}: {:?}", words::arguments(story), report.ends);
    if let Some(broken) = &report.broken {
        println!("broken: {}: {}", broken.law, broken.about);
    }
    Ok(report.broken.is_none())
}

fn many(story: Story, words: &[&str]) -> Result<bool, String> {
    let mut asked = Survey {
        from: 1,
        seeds: 0,
        knobs: story.knobs,
        jobs: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        within: None,
        stops: false,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            text.replace('_', "")
                .parse::<u64>()
                .map_err(|_| format!("{word}: `{text}` is no number"))
        };
        match *word {
            "--seeds" => asked.seeds = number()?,
            "--from" => asked.from = number()?,
            "--jobs" => asked.jobs = usize::try_from(number()?).unwrap_or(1),
            "--minutes" => asked.within = Some(Duration::from_secs(60 * number()?)),
            "--until-broken" => asked.stops = true,
            strange => return Err(format!("{strange} is not known")),
        }
    }
    if asked.seeds == 0 {
        return Err("no seeds".to_owned());
    }
    Ok(tell_many(&asked))
}

fn tell_many(asked: &Survey) -> bool {
    let results = survey(asked);
    if asked.stops {
        match results.broken.iter().next() {
            Some((seed, broken)) => println!("seed {seed} breaks {}", broken.law),
            None => println!("{} stories, no law broken", results.told),
        }
        return results.broken.is_empty();
    }
    println!("{}", results.counts);
    let mut ends: Vec<_> = results.ends.iter().collect();
    ends.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (end, count) in ends.into_iter().take(12) {
        println!("{count:>10}  {end}");
    }
    println!(
        "seeds {}..{}: {} stories, {} calls, {} steps in {:.1} s, {} per core-minute",
        asked.from,
        asked.from + asked.seeds,
        results.told,
        results.calls,
        results.steps,
        results.took.as_secs_f64(),
        results.per_core_minute(asked.jobs),
    );
    for (law, (times, seed, about)) in results.laws() {
        let story = Story { seed, knobs: asked.knobs.clone() };
        let shrunk = words::arguments(&shrink::shrink(&story));
        println!("\n{law}: {times} times, first with seed {seed}: {about}");
        println!("  cargo xtask sim {shrunk} --trace");
    }
    println!("{} of {} stories break a law", results.broken.len(), results.told);
    results.broken.is_empty()
}

fn everything() -> bool {
    println!("{} calls when nobody disturbs it", exhaustive::calls());
    [
        ("deaths", exhaustive::deaths()),
        ("pairs of deaths", exhaustive::pairs_of_deaths(0, 1)),
        ("faults", exhaustive::faults()),
        ("pairs of faults", exhaustive::pairs_of_faults(0, 1)),
    ]
    .map(|(mode, tally)| tell_tally(mode, &tally))
    .into_iter()
    .all(|is_fine| is_fine)
}

fn tell_tally(mode: &str, tally: &Tally) -> bool {
    println!("{mode}: {} stories, {:?}, {} broken", tally.told, tally.ends, tally.broken.len());
    for broken in tally.broken.iter().take(5) {
        println!("  {broken}");
    }
    tally.broken.is_empty()
}

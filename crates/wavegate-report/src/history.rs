//! Recorded releases for people and programs: the list of them, and what was asked about one.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::moment::{elapsed, utc};
use crate::records::{Answered, Release};
use crate::safe::safe_line;
use crate::sentence::{outcome_words, versions};
use crate::style::{Line, Style, rendered, width};

/// The format version of [`history_json`].
pub const HISTORY_FORMAT: u32 = 1;

/// The most functions that are named in a row of the list.
const NAMES_MAX: usize = 4;

/// The widest column for a person's name.
const OWNER_MAX: usize = 28;

/// The columns.
const HEADINGS: [&str; 6] = ["RELEASE", "STARTED", "TOOK", "OUTCOME", "BY", "CHANGED"];

/// The list, newest first, as a table. Where they ran stands above it, or in each row if they did
/// not all run in the same place.
pub fn history_text(app: &str, releases: &[Release], style: Style) -> String {
    let Some(first) = releases.first() else { return String::new() };
    let is_one = releases.iter().all(|release| release.target == first.target);
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    rows.extend(releases.iter().map(row));
    let mut out = Vec::new();
    if is_one {
        let mut line = Line::new();
        line.text(app).text(" on ").text(&first.target);
        out.push(line);
    } else {
        let targets = releases.iter().map(|release| release.target.as_str());
        for (row, target) in rows.iter_mut().zip(std::iter::once("TARGET").chain(targets)) {
            row.insert(1, safe_line(target).into_owned());
        }
    }
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|text| width(text)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADINGS.len()).map(widest).collect();
    for row in &rows {
        let mut line = Line::new();
        let mut column = 0;
        for (at, text) in row.iter().enumerate() {
            line.until(column).text(text);
            column += widths.get(at).unwrap_or(&0) + 2;
        }
        out.push(line);
    }
    rendered(&out, style)
}

fn row(release: &Release) -> Vec<String> {
    let outcome = match &release.outcome {
        Some(outcome) => short(outcome_words(outcome, release.reason.as_deref()).1),
        None => "not ended".to_owned(),
    };
    let owner: String = safe_line(&release.owner).chars().take(OWNER_MAX).collect();
    vec![
        format!("r{}", release.number),
        utc(release.started_ms),
        elapsed(release.took_ms),
        outcome,
        owner,
        changed(release),
    ]
}

/// The words without what stands in brackets.
fn short(words: &str) -> String {
    words.split(" (").next().unwrap_or(words).to_owned()
}

fn changed(release: &Release) -> String {
    let more = release.functions.len().saturating_sub(NAMES_MAX);
    let named = release.functions.iter().take(NAMES_MAX);
    let words: Vec<String> =
        named.map(|(name, f)| format!("{name} {}", versions(f.stable, f.candidate))).collect();
    match (words.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (false, 0) => words.join(", "),
        (false, more) => format!("{} and {more} more", words.join(", ")),
    }
}

/// The list and what was asked about each, for programs.
pub fn history_json(app: &str, releases: &[(Release, Vec<Answered>)]) -> Value {
    let one = |(release, requests): &(Release, Vec<Answered>)| {
        let mut value = json!(release);
        value["requests"] = json!(requests);
        value
    };
    json!({
        "v": HISTORY_FORMAT,
        "app": app,
        "releases": releases.iter().map(one).collect::<Vec<_>>(),
    })
}

/// What was asked about a release, one line each; empty if nothing was.
pub fn requests_text(requests: &[Answered]) -> String {
    let mut text = String::new();
    for Answered { request, answer } in requests {
        let _ = write!(text, "{}  {}", utc(request.at_ms), safe_line(&request.verb));
        if let Some(function) = &request.function {
            let _ = write!(text, " {}", safe_line(function));
        }
        let _ = write!(text, ", by {}", safe_line(&request.by));
        if let Some(reason) = &request.reason {
            let _ = write!(text, ", because {}", safe_line(reason));
        }
        let _ = match answer {
            Some(answer) => writeln!(text, ": {}", safe_line(answer)),
            None => writeln!(text, ": what became of it is not known"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Request, Versions};

    fn release(number: u64, outcome: Option<&str>) -> Release {
        let of = |stable, candidate| Versions { stable, candidate };
        Release {
            id: format!("id{number}"),
            app: "shop".to_owned(),
            number,
            target: "local cloud".to_owned(),
            owner: "ana@desk".to_owned(),
            started_ms: 1_772_366_400_000 + number * 1000,
            took_ms: 222_000,
            outcome: outcome.map(str::to_owned),
            reason: None,
            epoch: Some(number),
            functions: [
                ("auth".to_owned(), of(Some(17), Some(18))),
                ("new".to_owned(), of(None, Some(1))),
            ]
            .into(),
        }
    }

    #[test]
    fn a_table_newest_first() {
        let releases =
            [release(43, None), release(42, Some("rolled_back")), release(9, Some("stuck"))];
        insta::assert_snapshot!(history_text("shop", &releases, Style::PLAIN), @r"
        shop on local cloud
        RELEASE  STARTED               TOOK   OUTCOME      BY        CHANGED
        r43      2026-03-01 12:00:43Z  3m42s  not ended    ana@desk  auth v17 -> v18, new first v1
        r42      2026-03-01 12:00:42Z  3m42s  rolled back  ana@desk  auth v17 -> v18, new first v1
        r9       2026-03-01 12:00:09Z  3m42s  stuck        ana@desk  auth v17 -> v18, new first v1
        ");
    }

    #[test]
    fn two_places_are_told_apart() {
        let mut releases = [release(2, Some("done")), release(1, Some("done"))];
        releases[1].target = "AWS account 1, eu-west-1".to_owned();
        releases[1].functions.clear();
        insta::assert_snapshot!(history_text("shop", &releases, Style::PLAIN), @r"
        RELEASE  TARGET                    STARTED               TOOK   OUTCOME  BY        CHANGED
        r2       local cloud               2026-03-01 12:00:02Z  3m42s  done     ana@desk  auth v17 -> v18, new first v1
        r1       AWS account 1, eu-west-1  2026-03-01 12:00:01Z  3m42s  done     ana@desk  nothing
        ");
        assert_eq!(history_text("shop", &[], Style::PLAIN), "");
    }

    #[test]
    fn requests_say_who_and_why_and_what_became_of_it() {
        let request = Request {
            verb: "promote".to_owned(),
            function: Some("checkout".to_owned()),
            by: "bo@\x1b[2Jdesk".to_owned(),
            reason: Some("looks good".to_owned()),
            at_ms: 1_772_366_400_000,
            ..Request::default()
        };
        let bare = Request { function: None, reason: None, ..request.clone() };
        let requests = [
            Answered { request, answer: Some("done".to_owned()) },
            Answered { request: bare, answer: None },
        ];
        insta::assert_snapshot!(requests_text(&requests), @r"
        2026-03-01 12:00:00Z  promote checkout, by bo@desk, because looks good: done
        2026-03-01 12:00:00Z  promote, by bo@desk: what became of it is not known
        ");
        let json = history_json("shop", &[(release(1, None), requests.to_vec())]);
        assert_eq!(json["releases"][0]["functions"]["auth"]["candidate"], 18);
        assert_eq!(json["releases"][0]["requests"][0]["verb"], "promote");
        assert_eq!(json["releases"][0]["outcome"], Value::Null);
    }
}

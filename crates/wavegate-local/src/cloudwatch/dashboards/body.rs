//! What the body of a dashboard must be, with AWS's messages where they are known.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

use crate::cloudwatch::fault::{Fault, FaultKind};
use crate::cloudwatch::value::Record;

/// The types of widgets, and what each must have among its properties.
const TYPES: [(&str, &[&str]); 6] = [
    ("alarm", &["alarms"]),
    ("custom", &["endpoint"]),
    ("explorer", &["metrics"]),
    ("log", &["query", "region"]),
    ("metric", &["region"]),
    ("text", &["markdown"]),
];

/// The columns of a dashboard, and the most rows of a widget.
const BOUNDS: [(&str, i64, i64); 4] =
    [("x", 0, 23), ("y", 0, i64::MAX), ("width", 1, 24), ("height", 1, 1_000)];

/// Something wrong, and where.
struct Problem {
    path: String,
    message: String,
}

/// Refuses what is no dashboard. The rest is answered with warnings, of which there are none yet.
pub(super) fn check(text: &str) -> Result<Vec<Record>, Fault> {
    let refuse = |message: String| Fault::new(FaultKind::DashboardInvalidInput, message);
    let Ok(Json::Object(body)) = serde_json::from_str(text) else {
        return Err(refuse("The field DashboardBody must be a valid JSON object".to_owned()));
    };
    let mut problems = Vec::new();
    match body.get("widgets") {
        None => required(&mut problems, "", "widgets"),
        Some(Json::Array(widgets)) => {
            for (index, widget) in widgets.iter().enumerate() {
                check_widget(&mut problems, &format!("/widgets/{index}"), widget);
            }
        }
        Some(_) => should(&mut problems, "/widgets", "be array"),
    }
    if problems.is_empty() { Ok(Vec::new()) } else { Err(refuse(sentence(&problems))) }
}

/// All problems as AWS lists them.
fn sentence(problems: &[Problem]) -> String {
    let mut text = format!(
        "The dashboard body is invalid, there are {} validation errors:\n[",
        problems.len()
    );
    for (index, Problem { path, message }) in problems.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let (path, message) = (Json::from(path.as_str()), Json::from(message.as_str()));
        // Cannot fail: a string grows as needed.
        let _ = write!(
            text,
            "{separator}\n  {{\n    \"dataPath\": {path},\n    \"message\": {message}\n  }}"
        );
    }
    text.push_str("\n]");
    text
}

fn should(problems: &mut Vec<Problem>, path: &str, what: &str) {
    problems.push(Problem { path: path.to_owned(), message: format!("Should {what}") });
}

fn required(problems: &mut Vec<Problem>, path: &str, name: &str) {
    should(problems, path, &format!("have required property '{name}'"));
}

fn check_widget(problems: &mut Vec<Problem>, path: &str, widget: &Json) {
    let Json::Object(widget) = widget else { return should(problems, path, "be object") };
    for (name, least, most) in BOUNDS {
        let place = format!("{path}/{name}");
        match widget.get(name).map(Json::as_i64) {
            Some(None) => should(problems, &place, "be integer"),
            Some(Some(number)) if number < least => {
                should(problems, &place, &format!("be >= {least}"));
            }
            Some(Some(number)) if number > most => {
                should(problems, &place, &format!("be <= {most}"));
            }
            Some(Some(_)) | None => {}
        }
    }
    let kind = match widget.get("type") {
        None => {
            required(problems, path, "type");
            None
        }
        Some(kind) => {
            let known = TYPES.iter().find(|(name, _)| kind == name);
            if known.is_none() {
                let place = format!("{path}/type");
                should(problems, &place, "be equal to one of the allowed values");
            }
            known
        }
    };
    let place = format!("{path}/properties");
    match (widget.get("properties"), kind) {
        (None, _) => required(problems, path, "properties"),
        (Some(Json::Object(properties)), Some((kind, needed))) => {
            for name in needed.iter().filter(|name| !properties.contains_key(**name)) {
                required(problems, &place, name);
            }
            if *kind == "metric" {
                check_metrics(problems, &place, properties);
            }
        }
        (Some(Json::Object(_)), None) => {}
        (Some(_), _) => should(problems, &place, "be object"),
    }
}

/// The metrics of a widget: each a namespace, a name, names and values of dimensions, and options.
fn check_metrics(problems: &mut Vec<Problem>, path: &str, properties: &Map<String, Json>) {
    let path = format!("{path}/metrics");
    let metrics = match properties.get("metrics") {
        None => return,
        Some(Json::Array(metrics)) => metrics,
        Some(_) => return should(problems, &path, "be array"),
    };
    for (index, metric) in metrics.iter().enumerate() {
        let place = format!("{path}/{index}");
        let Json::Array(fields) = metric else {
            should(problems, &place, "be array");
            continue;
        };
        let (options, names) = match fields.split_last() {
            Some((Json::Object(_), names)) => (true, names),
            _ => (false, fields.as_slice()),
        };
        if !names.iter().all(Json::is_string) {
            let message = "Invalid metric field type, only \"String\" type is allowed".to_owned();
            problems.push(Problem { path: place, message });
        } else if names.len() < 2 && !(names.is_empty() && options) {
            should(problems, &place, "NOT have fewer than 2 items");
        } else if names.len() % 2 != 0 {
            let most = names.len() - 1;
            should(problems, &place, &format!("NOT have more than {most} items"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_takes_is_taken() {
        let bodies = [
            r#"{"widgets":[]}"#,
            r##"{"widgets":[{"type":"text","x":0,"y":7,"width":3,"height":3,
                "properties":{"markdown":"# Hello"}}]}"##,
            r#"{"start":"-PT3H","widgets":[{"type":"metric","properties":{"region":"eu-west-1",
                "metrics":[["AWS/Lambda","Errors","FunctionName","fn",{"stat":"Sum"}],
                    [".",".",".","other"],[{"expression":"SUM(METRICS())"}]]}}]}"#,
        ];
        for body in bodies {
            assert_eq!(check(body), Ok(Vec::new()), "{body}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_place() {
        let rows = [
            ("[]", "The field DashboardBody must be a valid JSON object"),
            ("{", "The field DashboardBody must be a valid JSON object"),
            (
                r#"{"widgets":[{"type":"text","width":30,"properties":{}},
                    {"type":"metric","properties":{"region":"r",
                        "metrics":[{"expression":"1"},["A","B","C"],["A",1]]}}]}"#,
                "The dashboard body is invalid, there are 5 validation errors:\n[\n  {\n    \
                 \"dataPath\": \"/widgets/0/width\",\n    \"message\": \"Should be <= 24\"\n  },\n  \
                 {\n    \"dataPath\": \"/widgets/0/properties\",\n    \"message\": \"Should have \
                 required property 'markdown'\"\n  },\n  {\n    \"dataPath\": \
                 \"/widgets/1/properties/metrics/0\",\n    \"message\": \"Should be array\"\n  },\n  \
                 {\n    \"dataPath\": \"/widgets/1/properties/metrics/1\",\n    \"message\": \
                 \"Should NOT have more than 2 items\"\n  },\n  {\n    \"dataPath\": \
                 \"/widgets/1/properties/metrics/2\",\n    \"message\": \"Invalid metric field type, \
                 only \\\"String\\\" type is allowed\"\n  }\n]",
            ),
        ];
        for (body, expected) in rows {
            assert_eq!(check(body).unwrap_err().message, expected);
        }
    }
}

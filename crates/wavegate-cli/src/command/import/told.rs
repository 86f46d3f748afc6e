//! The report of an import, for people: what is the same together, what needs a hand last.

use std::path::Path;

use wavegate_config::import::{Entry, Fate, Imported, Report};
use wavegate_report::safe_line;

/// The report, without a newline at its end. `file` is what was imported, if it is one.
pub(in crate::command) fn report(file: Option<&str>, report: &Report) -> String {
    let mut lines = Vec::new();
    taken(report, &mut lines);
    let of = |fate| report.entries.iter().filter(move |entry| entry.fate == fate);
    grouped("changed", file, of(Fate::Changed), &mut lines);
    grouped("left out", file, of(Fate::LeftOut), &mut lines);
    unresolved(file, report, &mut lines);
    lines.join("\n")
}

/// What is in the manifest as it was: the properties of each function on one line.
fn taken(report: &Report, lines: &mut Vec<String>) {
    let mut functions: Vec<(&str, Vec<&str>)> = Vec::new();
    for entry in report.entries.iter().filter(|entry| entry.fate == Fate::Taken) {
        let (function, property) =
            entry.property.split_once('.').unwrap_or((entry.property.as_str(), ""));
        let at = functions.iter().position(|(known, _)| *known == function);
        let at = at.unwrap_or_else(|| {
            functions.push((function, Vec::new()));
            functions.len() - 1
        });
        let properties = &mut functions[at].1;
        if !property.is_empty() && !properties.contains(&property) {
            properties.push(property);
        }
    }
    if functions.is_empty() {
        return;
    }
    lines.push("taken".to_owned());
    for (function, properties) in functions {
        let text = if properties.is_empty() {
            function.to_owned()
        } else {
            format!("{function}: {}", properties.join(", "))
        };
        lines.push(format!("  {}", safe_line(&text)));
    }
}

/// Entries under their reasons, in the order of the file.
fn grouped<'a>(
    title: &str,
    file: Option<&str>,
    entries: impl Iterator<Item = &'a Entry>,
    lines: &mut Vec<String>,
) {
    let mut groups: Vec<(&str, Vec<&Entry>)> = Vec::new();
    for entry in entries {
        let reason = entry.reason.as_deref().unwrap_or_default();
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, group)) => group.push(entry),
            None => groups.push((reason, vec![entry])),
        }
    }
    if groups.is_empty() {
        return;
    }
    lines.push(title.to_owned());
    for (reason, group) in groups {
        lines.push(format!("  {}", safe_line(reason)));
        for entry in group {
            let key = entry.key.as_ref().map(|key| format!(" -> {key}")).unwrap_or_default();
            let text = format!("{}{}{key}", place(file, entry.line), entry.property);
            lines.push(format!("    {}", safe_line(&text)));
        }
    }
}

/// What has to be set, and where it is needed.
fn unresolved(file: Option<&str>, report: &Report, lines: &mut Vec<String>) {
    for variable in &report.variables {
        let profile = if variable.only_on_aws { ", for --profile aws," } else { "" };
        let text = format!(
            "warning: {}{profile} stands for {}: {}",
            variable.name, variable.stands_for, variable.reason
        );
        lines.push(safe_line(&text).into_owned());
        for (line, property) in &variable.uses {
            let text = format!("{}{property}", place(file, *line));
            lines.push(format!("    {}", safe_line(&text)));
        }
    }
}

/// Where something stands, before its name; nothing where there is no file.
fn place(file: Option<&str>, line: Option<usize>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!("{file}:{line}  "),
        _ => String::new(),
    }
}

/// What was done, and what to do now: variables to set, then these verbs.
pub(in crate::command) fn next(
    written: Option<&Path>,
    imported: &Imported,
    verbs: &[&str],
) -> String {
    let report = &imported.report;
    let functions = if report.functions == 1 { "function" } else { "functions" };
    let count = |fate| report.entries.iter().filter(|entry| entry.fate == fate).count();
    let to_set = |aws: bool| report.variables.iter().filter(|one| one.only_on_aws == aws).count();
    let sum = format!(
        "{} {functions}: {} taken, {} changed, {} unresolved, {} left out",
        report.functions,
        count(Fate::Taken),
        count(Fate::Changed),
        count(Fate::Unresolved),
        count(Fate::LeftOut)
    );
    let mut steps = Vec::new();
    match (to_set(false), to_set(true)) {
        (0, 0) => {}
        (0, aws) => steps.push(format!("set {} before --profile aws", variables(aws))),
        (all, 0) => steps.push(format!("set {}", variables(all))),
        (all, aws) => {
            steps.push(format!("set {}, and {aws} more before --profile aws", variables(all)));
        }
    }
    let Some(path) = written else { return safe_line(&sum).into_owned() };
    let option = if path == Path::new(wavegate_config::FILE_NAME) {
        String::new()
    } else {
        format!(" -c {}", path.display())
    };
    steps.extend(verbs.iter().map(|verb| format!("wavegate {verb}{option}")));
    let files = imported.files.iter().map(|(file, _)| {
        let directory = path.parent().unwrap_or(Path::new(""));
        directory.join(file).display().to_string()
    });
    let files: Vec<String> = files.chain([path.display().to_string()]).collect();
    format!(
        "{}\n{}\n{}",
        safe_line(&sum),
        safe_line(&format!("wrote {}", files.join(", "))),
        safe_line(&format!("next: {}", steps.join("; ")))
    )
}

fn variables(count: usize) -> String {
    if count == 1 { "1 variable".to_owned() } else { format!("{count} variables") }
}

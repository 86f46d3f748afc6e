//! The README: its transcript, its tables and its links against the program and the repository.

use std::collections::BTreeSet;

use serde_json::Value;
use wavegate_tests::binary::{Project, repository};

fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The part of the README between a line that starts with `from` and the next with `to`.
fn section(from: &str, to: &str) -> String {
    let readme = text("README.md");
    let lines = readme.lines().skip_while(|line| !line.starts_with(from)).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with(to)).collect();
    assert!(!lines.is_empty(), "the README has no `{from}`");
    lines.join("\n")
}

/// The command lines between backticks in the first column of a table.
fn commands(table: &str) -> Vec<&str> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0)).collect()
}

#[test]
fn its_test_command_is_the_gates_own() {
    let section = section("## Two commands", "## ");
    let commands = commands(&section);
    assert_eq!(commands, ["cargo run --release -- deploy --yes", "cargo test --workspace"]);
    let gate = text(".ci/run");
    let tests = commands[1];
    let step = format!("step \"tests: {tests}\" {tests}");
    assert!(gate.lines().any(|line| line == step), "{gate}");
}

/// The links of a page that stay inside of the repository.
pub(crate) fn links(page: &str) -> BTreeSet<&str> {
    let links = page.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    links.filter(|link| !link.contains("://")).collect()
}

#[test]
fn its_links_lead_somewhere() {
    let readme = text("README.md");
    let links = links(&readme);
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        let path = link.split('#').next().unwrap();
        assert!(repository().join(path).exists(), "{link}");
    }
}

#[test]
fn its_exit_codes_are_those_of_the_help() {
    let help = Project::new().run(&["--help"]).expect(0).stdout;
    let codes = help.split_once("Exit codes:\n").unwrap().1;
    let table = section("| exit code |", "Every error");
    for line in codes.lines() {
        let (code, meaning) = line.trim().split_once(' ').unwrap();
        let row = table.lines().find(|row| row.starts_with(&format!("| {code} |")));
        let first = meaning.trim().split([':', ';']).next().unwrap();
        assert!(row.is_some_and(|row| row.contains(first)), "{code}: {row:?} against {meaning}");
    }
}

#[test]
fn the_guides_policies_are_those_that_iam_prints_for_its_manifest() {
    let guide = text("docs/guides/aws.md");
    let (_, part) = guide.split_once("## What wavegate needs to be allowed").unwrap();
    let blocks = |kind: &str| -> Vec<&str> {
        let blocks = part.split(kind).skip(1);
        blocks.map(|rest| rest.split_once("```").unwrap().0).collect()
    };
    let project = Project::new();
    project.write("deploy.toml", blocks("```toml\n")[0]);
    for function in ["auth", "checkout"] {
        project.write(&format!("functions/{function}/app.py"), "");
    }
    let policies = blocks("```json\n");
    assert_eq!(policies.len(), 3);
    for (purpose, policy) in ["plan", "deploy", "recover"].into_iter().zip(policies) {
        let printed = project.run(&["iam", "--for", purpose]).expect(0);
        assert_eq!(printed.stdout, policy, "{purpose}");
    }
}

#[test]
fn its_policy_allows_what_the_guide_says_and_no_more() {
    let policy = section("```json", "```");
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let allowed = |policy: &Value| -> BTreeSet<String> {
        let statements = policy["Statement"].as_array().unwrap().iter();
        let actions = statements.flat_map(|statement| match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        });
        actions.map(|action| action.as_str().unwrap().to_owned()).collect()
    };
    let guide = text("docs/guides/aws.md");
    let (_, deploy) = guide.split_once("`wavegate iam --for deploy`").unwrap();
    let deploy = deploy.split("```").nth(1).unwrap().strip_prefix("json").unwrap();
    let wanted = allowed(&serde_json::from_str(deploy).unwrap());
    assert_eq!(allowed(&policy), wanted);
}

#[test]
fn its_tables_have_every_key_of_the_manifest_with_its_default() {
    let schema: Value = Project::new().run(&["schema"]).expect(0).json();
    for (definition, heading) in [
        ("App", "**`[app]`**"),
        ("Function", "**`[functions.NAME]`**"),
        ("Strategy", "**`[strategies.NAME]`**"),
        ("Hook", "**`[hooks.NAME]`**"),
        ("Alarm", "**`[alarms.NAME]`**"),
        ("Local", "**`[local]`**"),
    ] {
        let table = section(heading, "**`[");
        for (key, told) in schema["$defs"][definition]["properties"].as_object().unwrap() {
            let row = table.lines().find(|row| row.contains(&format!("| `{key}` |")));
            let row = row.unwrap_or_else(|| panic!("no `{key}` under {heading}:\n{table}"));
            let default = match &told["default"] {
                Value::Null => continue,
                Value::String(text) => format!("| `{text}` |"),
                other => format!("| {other} |"),
            };
            assert!(row.contains(&default), "{key}: {default} against {row}");
        }
    }
    // What stands inside of a key's value.
    for (definition, key) in [("Hooks", "hooks"), ("Vpc", "vpc"), ("Traffic", "traffic")] {
        let readme = text("README.md");
        let row = readme.lines().find(|row| row.starts_with(&format!("| `{key}` |"))).unwrap();
        for inner in schema["$defs"][definition]["properties"].as_object().unwrap().keys() {
            assert!(row.contains(&format!("{inner} =")), "{inner} against {row}");
        }
    }
}

/// What a line says, whatever the numbers: times, counts and padding differ from run to run.
pub(crate) fn shape(line: &str) -> String {
    let line = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(line, |l| l.1);
    let line = without_ids(line);
    let mut shape = String::new();
    for c in line.chars() {
        let c = if c.is_ascii_digit() { '#' } else { c };
        if !(c == '#' && shape.ends_with('#')) {
            shape.push(c);
        }
    }
    // 52s, 11m12s and 12m are times alike; so are 1% and 33.3%.
    let shape = shape.replace("#m#s", "#s").replace("#m", "#s").replace("#.#", "#");
    shape.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One deployment of CodeDeploy is like any other: `d-` and nine characters.
fn without_ids(line: &str) -> String {
    let is_id = |word: &&str| {
        word.strip_prefix("d-").is_some_and(|id| {
            id.len() == 9 && id.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
        })
    };
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let ids: Vec<&str> = words.filter(is_id).collect();
    ids.into_iter().fold(line.to_owned(), |line, id| line.replace(id, "d-#"))
}

/// The commands of the README's transcripts that deploy, with the lines they are said to print.
fn transcripts() -> Vec<Vec<String>> {
    let section = section("## What it looks like", "## ");
    let blocks = section.split("```console\n").skip(1);
    let blocks = blocks.map(|rest| rest.split_once("```").unwrap().0);
    let commands = blocks.flat_map(|block| block.split("$ ").skip(1));
    let lines =
        commands.filter_map(|told| told.strip_prefix("cargo run --release -- deploy --yes\n"));
    lines.map(|told| told.lines().filter(|l| *l != "...").map(shape).collect()).collect()
}

/// The lines stand in the output, in this order.
pub(crate) fn follow(wanted: &[String], output: &str) {
    let mut rest = output.lines();
    for line in wanted {
        let found = rest.any(|said| shape(said) == *line);
        assert!(found, "`{line}` is not where it is said to be:\n{output}");
    }
}

#[test]
fn its_transcript_is_what_the_program_says() {
    let transcripts = transcripts();
    let [canary, broken] = transcripts.as_slice() else { panic!("{transcripts:?}") };
    assert!(canary.len() > 8 && broken.len() > 6, "{transcripts:?}");

    let project = Project::of_the_repository();
    let deploy = || project.run(&["deploy", "--yes"]);
    let _ = deploy().expect(0);
    let catalog = "examples/shop/functions/catalog/app.py";
    project.edit(catalog, "MESSAGE = \"", "MESSAGE = \"again ");
    let done = deploy().expect(0);
    follow(canary, &format!("{}{}", done.stderr, done.stdout));

    project.edit(catalog, "MESSAGE = \"again ", "MESSAGE = \"once more ");
    let handler = "export async function handler(event, context) {\n";
    project.edit(
        "examples/shop/functions/storefront/index.mjs",
        handler,
        &format!("{handler}  throw new Error(\"no page today\");\n"),
    );
    let failed = deploy().expect(1);
    follow(broken, &format!("{}{}", failed.stderr, failed.stdout));
}

//! Patterns of JSON events: `{ $.a.b = "x" && ($.n > 1 || $.c IS NULL) }`.

use serde_json::Value;

use super::compare::Compare;
use super::scan::Scan;

/// No condition nests deeper.
const DEEPEST: usize = 32;

/// What an event must be.
#[derive(Debug)]
pub(super) enum Condition {
    /// All of them.
    All(Vec<Condition>),
    /// One of them.
    Any(Vec<Condition>),
    /// A member.
    Member(Vec<Step>, Test),
}

/// A step of a path.
#[derive(Debug)]
pub(super) enum Step {
    /// To a member.
    Name(String),
    /// To an element.
    Index(usize),
    /// To any element.
    Any,
}

/// What a member must be.
#[derive(Debug)]
pub(super) enum Test {
    /// So.
    Is(Compare),
    /// This very value.
    IsValue(Value),
    /// There.
    Exists(bool),
}

/// Reads a pattern.
pub(super) fn parse(text: &str) -> Result<Condition, String> {
    let mut scan = Scan::new(text);
    scan.need("{")?;
    let condition = any(&mut scan, 0)?;
    scan.need("}")?;
    if scan.is_at_end() {
        return Ok(condition);
    }
    Err("Invalid filter pattern: something follows the closing brace".to_owned())
}

/// The text or number that is at a path, which is written without its `$`.
pub(super) fn read(path_text: &str, event: &Value) -> Option<String> {
    let path = path(&mut Scan::new(&format!("${path_text}"))).ok()?;
    let mut found = Vec::new();
    walk(event, &path, &mut found);
    match found.first()? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn any(scan: &mut Scan<'_>, depth: usize) -> Result<Condition, String> {
    let mut found = vec![all(scan, depth)?];
    while scan.take("||") {
        found.push(all(scan, depth)?);
    }
    Ok(Condition::Any(found))
}

fn all(scan: &mut Scan<'_>, depth: usize) -> Result<Condition, String> {
    let mut found = vec![one(scan, depth)?];
    while scan.take("&&") {
        found.push(one(scan, depth)?);
    }
    Ok(Condition::All(found))
}

fn one(scan: &mut Scan<'_>, depth: usize) -> Result<Condition, String> {
    if depth > DEEPEST {
        return Err("Invalid filter pattern: it nests too deeply".to_owned());
    }
    if scan.take("(") {
        let inner = any(scan, depth + 1)?;
        scan.need(")")?;
        return Ok(inner);
    }
    let path = path(scan)?;
    Ok(Condition::Member(path, test(scan)?))
}

fn path(scan: &mut Scan<'_>) -> Result<Vec<Step>, String> {
    if scan.next() != Some('$') {
        return Err("Invalid filter pattern: a member begins with $".to_owned());
    }
    let mut steps = Vec::new();
    loop {
        match scan.peek() {
            Some('.') => {
                scan.next();
                let name = scan.word(|it| it.is_alphanumeric() || "_-@$:/".contains(it));
                if name.is_empty() {
                    return Err("Invalid filter pattern: a name is missing".to_owned());
                }
                steps.push(Step::Name(name.to_owned()));
            }
            Some('[') => {
                scan.next();
                let inner = scan.word(|it| it != ']').trim();
                if scan.next() != Some(']') {
                    return Err("Invalid filter pattern: a bracket is not closed".to_owned());
                }
                steps.push(step(inner)?);
            }
            _ => break,
        }
    }
    scan.space();
    if steps.is_empty() {
        return Err("Invalid filter pattern: a name is missing".to_owned());
    }
    Ok(steps)
}

fn step(inner: &str) -> Result<Step, String> {
    if inner == "*" {
        return Ok(Step::Any);
    }
    for quote in ['\'', '"'] {
        if let Some(name) = inner.strip_prefix(quote).and_then(|it| it.strip_suffix(quote)) {
            return Ok(Step::Name(name.to_owned()));
        }
    }
    let wrong = || format!("Invalid filter pattern: {inner} is no place in a list");
    inner.parse().map(Step::Index).map_err(|_| wrong())
}

fn test(scan: &mut Scan<'_>) -> Result<Test, String> {
    if scan.take("IS") {
        let values = [("TRUE", true.into()), ("FALSE", false.into()), ("NULL", Value::Null)];
        let found = values.into_iter().find(|(word, _)| scan.take(word));
        return found
            .map(|(_, value)| Test::IsValue(value))
            .ok_or_else(|| "Invalid filter pattern: IS what?".to_owned());
    }
    if scan.take("NOT") {
        return scan.need("EXISTS").map(|()| Test::Exists(false));
    }
    if scan.take("EXISTS") {
        return Ok(Test::Exists(true));
    }
    Compare::parse(scan, |it| "&|)}".contains(it)).map(Test::Is)
}

impl Condition {
    /// Whether an event is so.
    pub(super) fn matches(&self, event: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|condition| condition.matches(event)),
            Self::Any(any) => any.iter().any(|condition| condition.matches(event)),
            Self::Member(path, test) => {
                let mut found = Vec::new();
                walk(event, path, &mut found);
                match test {
                    Test::Exists(wanted) => found.is_empty() != *wanted,
                    Test::IsValue(wanted) => found.contains(&wanted),
                    Test::Is(compare) => found.into_iter().any(|value| holds(compare, value)),
                }
            }
        }
    }
}

fn walk<'a>(value: &'a Value, path: &[Step], found: &mut Vec<&'a Value>) {
    let Some((step, rest)) = path.split_first() else {
        found.push(value);
        return;
    };
    match step {
        Step::Name(name) => value.get(name).into_iter().for_each(|it| walk(it, rest, found)),
        Step::Index(index) => value.get(index).into_iter().for_each(|it| walk(it, rest, found)),
        Step::Any => {
            value.as_array().into_iter().flatten().for_each(|it| walk(it, rest, found));
        }
    }
}

/// Only texts and numbers are compared.
fn holds(compare: &Compare, value: &Value) -> bool {
    match value {
        Value::String(text) => compare.holds(text),
        Value::Number(number) => compare.holds(&number.to_string()),
        _ => false,
    }
}

//! Patterns of events that are fields: `[ip, user, ..., status = 4*, size > 1000]`.

use super::compare::Compare;
use super::scan::Scan;

/// The fields that an event must have.
#[derive(Debug)]
pub(super) struct Fields {
    /// Those from the left.
    first: Vec<Field>,
    /// Those from the right, if there is a gap for any others.
    behind_gap: Option<Vec<Field>>,
}

/// A field: any of the lists of comparisons must hold as a whole; none means that anything goes.
#[derive(Debug)]
struct Field {
    name: String,
    any: Vec<Vec<Compare>>,
}

/// Reads a pattern.
pub(super) fn parse(text: &str) -> Result<Fields, String> {
    let mut scan = Scan::new(text);
    scan.need("[")?;
    let mut fields = Fields { first: Vec::new(), behind_gap: None };
    loop {
        if scan.take("...") {
            if fields.behind_gap.replace(Vec::new()).is_some() {
                return Err("Invalid filter pattern: there is more than one gap".to_owned());
            }
        } else {
            let field = field(&mut scan)?;
            fields.behind_gap.as_mut().unwrap_or(&mut fields.first).push(field);
        }
        if scan.take("]") {
            break;
        }
        scan.need(",")?;
    }
    if scan.is_at_end() {
        return Ok(fields);
    }
    Err("Invalid filter pattern: something follows the closing bracket".to_owned())
}

/// A name, perhaps with conditions, each of which repeats the name.
fn field(scan: &mut Scan<'_>) -> Result<Field, String> {
    let mut field = Field { name: name(scan)?.to_owned(), any: Vec::new() };
    if matches!(scan.peek(), Some(',' | ']') | None) {
        return Ok(field);
    }
    let mut all = vec![compare(scan)?];
    loop {
        if scan.take("&&") {
            name(scan)?;
            all.push(compare(scan)?);
        } else if scan.take("||") {
            name(scan)?;
            field.any.push(std::mem::replace(&mut all, vec![compare(scan)?]));
        } else {
            field.any.push(all);
            return Ok(field);
        }
    }
}

fn name<'a>(scan: &mut Scan<'a>) -> Result<&'a str, String> {
    let name = scan.word(|it| it.is_alphanumeric() || "_-".contains(it));
    if name.is_empty() {
        return Err("Invalid filter pattern: a field's name is missing".to_owned());
    }
    scan.space();
    Ok(name)
}

fn compare(scan: &mut Scan<'_>) -> Result<Compare, String> {
    Compare::parse(scan, |it| ",]&|".contains(it))
}

impl Fields {
    /// Whether an event is so.
    pub(super) fn matches(&self, message: &str) -> bool {
        let given = split(message);
        let Some(behind) = &self.behind_gap else {
            return given.len() == self.first.len() && all_hold(&self.first, &given);
        };
        let wanted = self.first.len() + behind.len();
        given.len() >= wanted
            && all_hold(&self.first, &given)
            && all_hold(behind, &given[given.len() - behind.len()..])
    }
}

impl Fields {
    /// What an event that is so has in the field of a name.
    pub(super) fn read(&self, name: &str, message: &str) -> Option<String> {
        let given = split(message);
        let is_named = |field: &Field| field.name == name;
        let behind = self.behind_gap.as_deref().unwrap_or_default();
        let at = match self.first.iter().position(is_named) {
            Some(at) => at,
            None => (given.len() + behind.iter().position(is_named)?).checked_sub(behind.len())?,
        };
        given.get(at).map(|field| (*field).to_owned())
    }
}

fn all_hold(fields: &[Field], given: &[&str]) -> bool {
    fields.iter().zip(given).all(|(field, value)| {
        field.any.is_empty()
            || field.any.iter().any(|all| all.iter().all(|compare| compare.holds(value)))
    })
}

/// The fields of an event. What is in brackets or quotes is one, without them.
fn split(message: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = message.trim();
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '[' => Some(']'),
            '"' => Some('"'),
            _ => None,
        };
        let inner = close.and_then(|close| rest[1..].split_once(close));
        let (field, behind) = match inner {
            Some(parts) => parts,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        fields.push(field);
        rest = behind.trim_start();
    }
    fields
}

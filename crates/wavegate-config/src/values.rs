//! Durations and sizes of the tree: read, and reported where they stand.

use std::time::Duration;

use crate::code;
use crate::findings::Findings;
use crate::node::{Data, Node, Part, dotted};
use crate::problem::Problem;
use crate::units;

/// Reads a duration and reports one that cannot be read.
pub(crate) fn duration(node: &Node, findings: &mut Findings) -> Option<Duration> {
    let Data::Text(text) = &node.data else { return None };
    let span = units::duration(text);
    if span.is_none() {
        let place = findings.place(&node.origin, Part::Value);
        let message = format!("{} is not a duration", node.quoted());
        let problem = Problem::new(code::BAD_DURATION, place, message);
        findings.push(
            problem
                .with_label("not a duration")
                .with_help("write it like \"90s\", \"10m\" or \"1h30m\""),
        );
    }
    span
}

/// Reads the duration at `path`, which must be longer than nothing.
pub(crate) fn nonzero_duration(
    node: &Node,
    path: &[&str],
    findings: &mut Findings,
) -> Option<Duration> {
    let span = duration(node, findings)?;
    if span.is_zero() {
        let place = findings.place(&node.origin, Part::Value);
        let message = format!("`{}` must be longer than nothing", dotted(path));
        findings.push(Problem::new(code::BAD_DURATION, place, message));
        return None;
    }
    Some(span)
}

/// Reads the size that `key` takes, in MiB, and reports one that cannot be read or that is not
/// between `min` and `max`. `taker` is who draws these bounds, in words.
pub(crate) fn size(
    node: &Node,
    key: &str,
    (min, max): (u32, u32),
    taker: &str,
    findings: &mut Findings,
) -> Option<u32> {
    let Data::Text(text) = &node.data else { return None };
    let mb = units::size_mb(text);
    if mb.is_some_and(|mb| (min..=max).contains(&mb)) {
        return mb;
    }
    let place = findings.place(&node.origin, Part::Value);
    let quoted = node.quoted();
    let problem = match mb {
        Some(_) => {
            Problem::new(code::BAD_SIZE, place, format!("{quoted} is out of range for `{key}`"))
                .with_label("out of range")
                .with_help(format!("{taker} takes {} to {}", words(min), words(max)))
        }
        None => Problem::new(code::BAD_SIZE, place, format!("{quoted} is not a size"))
            .with_label("not a size")
            .with_help("write it like \"256MB\" or \"1GB\""),
    };
    findings.push(problem);
    None
}

/// A size in MiB as people write it.
fn words(mb: u32) -> String {
    if mb.is_multiple_of(1024) { format!("{}GB", mb / 1024) } else { format!("{mb}MB") }
}

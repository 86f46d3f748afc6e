//! From what functions refer to, to `depends_on`: without circles.
//!
//! CloudFormation knows circles that a release does not: a hook may name the version that it judges,
//! and its alias waits for the hook. The arrows that a person wrote count most, then those from
//! functions to their hooks, then those of references; one that would close a circle is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::import::report::Ledger;
use crate::import::write::{self, Item};

/// Why one function waits for another, the strongest reason first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// The template says so.
    Said,
    /// The other one is its hook.
    Hook,
    /// It refers to the other one.
    Reference,
}

/// One function waits for another; both by their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) why: Why,
    pub(crate) span: Range<usize>,
    /// Where the template says it.
    pub(crate) property: String,
}

/// Writes the edges into the functions.
pub(crate) fn settle(mut edges: Vec<Edge>, functions: &mut [write::Function], ledger: &mut Ledger) {
    edges.retain(|edge| edge.from != edge.to);
    edges.sort_by_key(|edge| (edge.why, edge.span.start));
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for edge in edges {
        let key = format!("functions.{}.depends_on", write::key(&edge.from));
        if needs.get(&edge.from).is_some_and(|known| known.contains(&edge.to)) {
            continue;
        }
        if reaches(&needs, &edge.to, &edge.from) {
            let why = format!(
                "`{}` waits for `{}` already, and a release has no circles",
                edge.to, edge.from
            );
            ledger.left_out(&edge.span, &edge.property, &why);
            continue;
        }
        match edge.why {
            Why::Said => ledger.taken(&edge.span, &edge.property, &key),
            Why::Hook => {
                let why = format!("`{}` is its hook, and must be there before it", edge.to);
                ledger.changed(&edge.span, &edge.property, &key, &why);
            }
            Why::Reference => {
                let why = format!("it refers to `{}`, so it takes traffic after it", edge.to);
                ledger.changed(&edge.span, &edge.property, &key, &why);
            }
        }
        needs.entry(edge.from).or_default().push(edge.to);
    }
    for function in functions {
        if let Some(list) = needs.get(&function.key) {
            function.set("depends_on", Item::names(list));
        }
    }
}

fn reaches(needs: &BTreeMap<String, Vec<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(needs.get(at).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

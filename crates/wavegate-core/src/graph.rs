//! The dependency graph of an app, on petgraph.
//!
//! An edge `checkout -> auth` says that checkout depends on auth. The order of traffic is: what is
//! depended on goes first. All algorithms are iterative, so a chain of any length is safe.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use petgraph::Direction;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::name::FunctionName;

/// A cycle, as the path that shows it: `a -> b -> c -> a`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Cycle(pub Vec<FunctionName>);

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().chain(self.0.first());
        let text: Vec<&str> = names.map(FunctionName::as_str).collect();
        f.write_str(&text.join(" -> "))
    }
}

/// An acyclic dependency graph.
#[derive(Debug, Clone)]
pub struct Graph {
    nodes: DiGraph<FunctionName, ()>,
    index: BTreeMap<FunctionName, NodeIndex>,
    /// Dependencies before dependants; ties in name order.
    order: Vec<FunctionName>,
}

impl Graph {
    /// Builds the graph from each function's dependencies. Dependencies that are not functions are
    /// ignored: the manifest has refused them already.
    ///
    /// # Errors
    /// Every cycle, one per knot of the graph, each starting at its first function by name.
    pub fn new<'a>(
        functions: impl IntoIterator<Item = (&'a FunctionName, &'a BTreeSet<FunctionName>)>,
    ) -> Result<Self, Vec<Cycle>> {
        let functions: BTreeMap<_, _> = functions.into_iter().collect();
        let mut graph = DiGraph::new();
        let index: BTreeMap<FunctionName, NodeIndex> = functions
            .keys()
            .map(|name| ((*name).clone(), graph.add_node((*name).clone())))
            .collect();
        for (name, needs) in &functions {
            for need in needs.iter().filter_map(|need| index.get(need)) {
                graph.update_edge(index[*name], *need, ());
            }
        }
        let cycles = cycles(&graph);
        if !cycles.is_empty() {
            return Err(cycles);
        }
        let order = layers(&graph).into_iter().flatten().collect();
        Ok(Self { nodes: graph, index, order })
    }

    /// All functions, dependencies before dependants. The order is stable: layer, then name.
    pub fn order(&self) -> &[FunctionName] {
        &self.order
    }

    /// The waves: layer 0 depends on nothing, layer n on something in layer n - 1.
    pub fn waves(&self) -> Vec<Vec<FunctionName>> {
        layers(&self.nodes)
    }

    /// The functions that `name` depends on directly.
    pub fn dependencies(&self, name: &FunctionName) -> BTreeSet<FunctionName> {
        self.neighbours(name, Direction::Outgoing)
    }

    /// The functions that depend on `name` directly.
    pub fn dependants(&self, name: &FunctionName) -> BTreeSet<FunctionName> {
        self.neighbours(name, Direction::Incoming)
    }

    /// Everything that depends on `name`, directly or not.
    pub fn all_dependants(&self, name: &FunctionName) -> BTreeSet<FunctionName> {
        let mut found = BTreeSet::new();
        let mut open: Vec<FunctionName> = vec![name.clone()];
        while let Some(next) = open.pop() {
            for dependant in self.dependants(&next) {
                if found.insert(dependant.clone()) {
                    open.push(dependant);
                }
            }
        }
        found
    }

    /// The graph of a part of the functions, where a path through functions that are left out
    /// stays a dependency: if c needs b, b needs a, and b is left out, then c needs a.
    #[must_use]
    pub fn contract(
        &self,
        keep: &BTreeSet<FunctionName>,
    ) -> BTreeMap<FunctionName, BTreeSet<FunctionName>> {
        // For each function, the kept functions one reaches without passing another kept one.
        let mut nearest: BTreeMap<&FunctionName, BTreeSet<FunctionName>> = BTreeMap::new();
        for name in &self.order {
            let mut needs = BTreeSet::new();
            for need in self.dependencies(name) {
                if keep.contains(&need) {
                    needs.insert(need);
                } else if let Some(beyond) = nearest.get(&need) {
                    needs.extend(beyond.iter().cloned());
                }
            }
            nearest.insert(name, needs);
        }
        nearest
            .into_iter()
            .filter(|(name, _)| keep.contains(*name))
            .map(|(name, needs)| (name.clone(), needs))
            .collect()
    }

    fn neighbours(&self, name: &FunctionName, direction: Direction) -> BTreeSet<FunctionName> {
        let Some(index) = self.index.get(name) else { return BTreeSet::new() };
        self.nodes
            .neighbors_directed(*index, direction)
            .map(|neighbour| self.nodes[neighbour].clone())
            .collect()
    }
}

/// One cycle per strongly connected component.
fn cycles(graph: &DiGraph<FunctionName, ()>) -> Vec<Cycle> {
    let mut found: Vec<Cycle> = kosaraju_scc(graph)
        .into_iter()
        .filter(|knot| knot.len() > 1 || graph.contains_edge(knot[0], knot[0]))
        .map(|knot| walk(graph, &knot.into_iter().collect()))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The shortest way round from the first function by name back to itself.
fn walk(graph: &DiGraph<FunctionName, ()>, knot: &BTreeSet<NodeIndex>) -> Cycle {
    let Some(start) = knot.iter().copied().min_by_key(|node| &graph[*node]) else {
        return Cycle(Vec::new());
    };
    let mut from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut open = std::collections::VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        let mut next: Vec<_> = graph.neighbors(node).filter(|n| knot.contains(n)).collect();
        next.sort_by_key(|n| &graph[*n]);
        for neighbour in next {
            if neighbour == start {
                let mut path = vec![node];
                while let Some(before) = from.get(&path[path.len() - 1]) {
                    path.push(*before);
                }
                return Cycle(path.into_iter().rev().map(|n| graph[n].clone()).collect());
            }
            if let Entry::Vacant(unseen) = from.entry(neighbour) {
                unseen.insert(node);
                open.push_back(neighbour);
            }
        }
    }
    Cycle(vec![graph[start].clone()])
}

fn layers(graph: &DiGraph<FunctionName, ()>) -> Vec<Vec<FunctionName>> {
    // petgraph's order has dependants first, because edges point at dependencies.
    let Ok(order) = toposort(graph, None) else { return Vec::new() };
    let mut depth = vec![0_usize; graph.node_count()];
    let mut layers: Vec<Vec<FunctionName>> = Vec::new();
    for node in order.into_iter().rev() {
        let level = graph.neighbors(node).map(|need| depth[need.index()] + 1).max().unwrap_or(0);
        depth[node.index()] = level;
        if layers.len() <= level {
            layers.resize_with(level + 1, Vec::new);
        }
        layers[level].push(graph[node].clone());
    }
    for layer in &mut layers {
        layer.sort();
    }
    layers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Needs = BTreeMap<FunctionName, BTreeSet<FunctionName>>;

    fn name(text: &str) -> FunctionName {
        FunctionName::new(text).unwrap()
    }

    fn needs(edges: &[(&str, &[&str])]) -> Needs {
        edges.iter().map(|(f, deps)| (name(f), deps.iter().map(|d| name(d)).collect())).collect()
    }

    #[test]
    fn a_cycle_is_printed_as_the_way_round() {
        let cycles =
            Graph::new(&needs(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["a"])]))
                .unwrap_err();
        assert_eq!(cycles[0].to_string(), "a -> b -> c -> a");
        assert_eq!(cycles.len(), 1);
        let own = Graph::new(&needs(&[("x", &["x"])])).unwrap_err();
        assert_eq!(own[0].to_string(), "x -> x");
    }

    #[test]
    fn a_diamond_has_three_waves() {
        let graph =
            Graph::new(&needs(&[("d", &["b", "c"]), ("b", &["a"]), ("c", &["a"]), ("a", &[])]))
                .unwrap();
        let waves: Vec<Vec<String>> = graph
            .waves()
            .iter()
            .map(|wave| wave.iter().map(ToString::to_string).collect())
            .collect();
        assert_eq!(waves, [vec!["a"], vec!["b", "c"], vec!["d"]]);
        assert_eq!(graph.all_dependants(&name("a")).len(), 3);
    }

    #[test]
    fn leaving_a_function_out_keeps_the_path_through_it() {
        let graph = Graph::new(&needs(&[("c", &["b"]), ("b", &["a"]), ("a", &[])])).unwrap();
        let kept = graph.contract(&[name("a"), name("c")].into());
        assert_eq!(kept[&name("c")], [name("a")].into());
    }

    #[test]
    fn a_chain_of_ten_thousand_is_no_deeper_than_the_stack() {
        let chain: Needs = (0..10_000)
            .map(|i| {
                (
                    name(&format!("f{i}")),
                    (i > 0).then(|| name(&format!("f{}", i - 1))).into_iter().collect(),
                )
            })
            .collect();
        assert_eq!(Graph::new(&chain).unwrap().waves().len(), 10_000);
    }

    fn any_needs() -> impl Strategy<Value = Needs> {
        proptest::collection::btree_map(
            "[a-h]",
            proptest::collection::btree_set("[a-h]", 0..4),
            0..8,
        )
        .prop_map(|map| {
            map.into_iter()
                .map(|(f, deps)| (name(&f), deps.iter().map(|d| name(d)).collect()))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn every_edge_is_respected_or_a_real_cycle_is_named(needs in any_needs()) {
            match Graph::new(&needs) {
                Ok(graph) => {
                    let place = |f: &FunctionName| graph.order().iter().position(|o| o == f);
                    prop_assert_eq!(graph.order().len(), needs.len());
                    for (f, deps) in &needs {
                        for dep in deps.iter().filter(|d| needs.contains_key(*d)) {
                            prop_assert!(place(dep) < place(f));
                        }
                    }
                }
                Err(cycles) => for cycle in cycles {
                    for (i, f) in cycle.0.iter().enumerate() {
                        let next = &cycle.0[(i + 1) % cycle.0.len()];
                        prop_assert!(needs[f].contains(next));
                    }
                },
            }
        }
    }
}

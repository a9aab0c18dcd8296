//! Which asset needs which: order, closures, cycles, and pictures of the graph.

mod picture;

use std::collections::{HashMap, VecDeque};

use indexmap::IndexMap;
use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, DfsPostOrder, Reversed};

use crate::asset::Asset;

/// The graph of the assets of a pipeline. An edge leads from an asset to one that needs
/// it.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Nodes are numbered in the order of the file.
    edges: DiGraph<Vertex, ()>,
    by_name: HashMap<String, NodeIndex>,
}

#[derive(Debug, Clone)]
struct Vertex {
    name: String,
    kind: &'static str,
}

impl Graph {
    /// The graph of `assets`. References to assets that are not among them are left out.
    #[must_use]
    pub fn new(assets: &IndexMap<String, Asset>) -> Self {
        let mut edges = DiGraph::new();
        let mut by_name = HashMap::new();
        for (name, asset) in assets {
            let node = edges.add_node(Vertex { name: name.clone(), kind: asset.kind() });
            by_name.insert(name.clone(), node);
        }
        for (name, asset) in assets {
            for upstream in asset.upstream() {
                if let Some((from, to)) = by_name.get(&upstream).zip(by_name.get(name)) {
                    edges.add_edge(*from, *to, ());
                }
            }
        }
        Self { edges, by_name }
    }

    /// The assets, each after all that it needs, and otherwise in the order of the file.
    #[must_use]
    pub fn order(&self) -> Vec<&str> {
        let upstream_first = Reversed(&self.edges);
        let mut visit = DfsPostOrder::empty(upstream_first);
        let mut order = Vec::new();
        for start in self.edges.node_indices() {
            visit.move_to(start);
            while let Some(node) = visit.next(upstream_first) {
                order.push(self.name(node));
            }
        }
        order
    }

    /// Returns whether there is an asset called `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The kind of the asset called `name`.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&'static str> {
        self.by_name.get(name).map(|node| self.edges[*node].kind)
    }

    /// The assets that `name` needs directly, in the order of the file.
    #[must_use]
    pub fn needs(&self, name: &str) -> Vec<&str> {
        self.neighbors(name, Direction::Incoming)
    }

    /// The assets that need `name` directly, in the order of the file.
    #[must_use]
    pub fn needed_by(&self, name: &str) -> Vec<&str> {
        self.neighbors(name, Direction::Outgoing)
    }

    /// The assets that `name` needs, directly and through others, in the order of
    /// [`order`](Self::order).
    #[must_use]
    pub fn upstream(&self, name: &str) -> Vec<&str> {
        self.closure(name, Direction::Incoming)
    }

    /// The assets that need `name`, directly and through others, in the order of
    /// [`order`](Self::order).
    #[must_use]
    pub fn downstream(&self, name: &str) -> Vec<&str> {
        self.closure(name, Direction::Outgoing)
    }

    /// Circles of assets that need one another. Each begins with its first asset in the
    /// order of the file and goes on to one that it needs; the return is not repeated.
    #[must_use]
    pub fn cycles(&self) -> Vec<Vec<&str>> {
        let mut cycles: Vec<Vec<NodeIndex>> = tarjan_scc(&self.edges)
            .into_iter()
            .filter_map(|component| {
                let first = component.iter().copied().min()?;
                self.shortest_cycle(first, &component)
            })
            .collect();
        cycles.sort();
        cycles.into_iter().map(|cycle| cycle.into_iter().map(|node| self.name(node)).collect()).collect()
    }

    fn shortest_cycle(&self, start: NodeIndex, component: &[NodeIndex]) -> Option<Vec<NodeIndex>> {
        let mut came_from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for needed in self.sorted_neighbors(node, Direction::Incoming) {
                if needed == start {
                    let mut cycle = vec![node];
                    let mut step = node;
                    while let Some(previous) = came_from.get(&step) {
                        cycle.push(*previous);
                        step = *previous;
                    }
                    cycle.reverse();
                    return Some(cycle);
                }
                if component.contains(&needed) && !came_from.contains_key(&needed) {
                    came_from.insert(needed, node);
                    queue.push_back(needed);
                }
            }
        }
        None
    }

    fn name(&self, node: NodeIndex) -> &str {
        &self.edges[node].name
    }

    fn sorted_neighbors(&self, node: NodeIndex, direction: Direction) -> Vec<NodeIndex> {
        let mut neighbors: Vec<NodeIndex> = self.edges.neighbors_directed(node, direction).collect();
        neighbors.sort();
        neighbors
    }

    fn neighbors(&self, name: &str, direction: Direction) -> Vec<&str> {
        let Some(node) = self.by_name.get(name) else { return Vec::new() };
        self.sorted_neighbors(*node, direction).into_iter().map(|node| self.name(node)).collect()
    }

    fn closure(&self, name: &str, direction: Direction) -> Vec<&str> {
        let Some(start) = self.by_name.get(name).copied() else { return Vec::new() };
        let mut reached = vec![false; self.edges.node_count()];
        let mut visit = Dfs::new(&self.edges, start);
        let reversed = Reversed(&self.edges);
        loop {
            let next = match direction {
                Direction::Outgoing => visit.next(&self.edges),
                Direction::Incoming => visit.next(reversed),
            };
            match next {
                Some(node) => reached[node.index()] = node != start,
                None => break,
            }
        }
        let is_reached = |name: &&str| self.by_name.get(*name).is_some_and(|node| reached[node.index()]);
        self.order().into_iter().filter(is_reached).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Assets that each name those they need.
    pub(crate) fn graph(needs: &[(&str, &[&str])]) -> Graph {
        let asset = |deps: &[&str]| crate::testing::table(serde_json::json!({ "deps": deps }));
        let assets = needs.iter().map(|(name, deps)| ((*name).to_owned(), asset(deps))).collect();
        Graph::new(&assets)
    }

    #[test]
    fn order_keeps_to_the_file_where_it_may() {
        let graph = graph(&[("d", &["b", "c"]), ("a", &[]), ("c", &["a"]), ("b", &["a"]), ("e", &[])]);
        assert_eq!(graph.cycles(), Vec::<Vec<&str>>::new());
        let order = graph.order();
        let at = |name: &str| order.iter().position(|other| *other == name).unwrap();
        assert_eq!(order.len(), 5);
        assert!(at("a") < at("b") && at("a") < at("c") && at("b") < at("d") && at("c") < at("d"));
        assert_eq!(at("e"), 4);
    }

    #[test]
    fn closures_leave_the_start_out() {
        let graph = graph(&[("a", &[]), ("b", &["a"]), ("c", &["b"]), ("x", &[])]);
        assert_eq!(graph.upstream("c"), ["a", "b"]);
        assert_eq!(graph.downstream("a"), ["b", "c"]);
        assert_eq!(graph.needs("c"), ["b"]);
        assert_eq!(graph.needed_by("a"), ["b"]);
        assert!(graph.downstream("x").is_empty());
        assert!(graph.upstream("nobody").is_empty());
    }

    #[test]
    fn cycles_are_named_in_full() {
        let graph = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["a", "d"]), ("e", &["c"])]);
        assert_eq!(graph.cycles(), [vec!["a", "b", "c"], vec!["d"]]);
    }

    #[test]
    fn order_puts_needs_first_in_every_graph() {
        use proptest::prelude::*;
        let mut runner = proptest::test_runner::TestRunner::default();
        // Each asset needs some of those numbered below it, and the file lists them shuffled.
        let assets = proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..3), 1..12);
        let strategy = assets.prop_flat_map(|needs| {
            let numbers: Vec<usize> = (0..needs.len()).collect();
            (Just(needs), Just(numbers).prop_shuffle())
        });
        runner
            .run(&strategy, |(needs, file_order)| {
                let names: Vec<String> = (0..needs.len()).map(|number| format!("a{number}")).collect();
                let deps: Vec<Vec<&str>> = needs
                    .iter()
                    .enumerate()
                    .map(|(number, picks)| {
                        picks.iter().filter(|_| number > 0).map(|pick| names[pick.index(number)].as_str()).collect()
                    })
                    .collect();
                let listed: Vec<(&str, &[&str])> =
                    file_order.iter().map(|number| (names[*number].as_str(), deps[*number].as_slice())).collect();
                let graph = graph(&listed);
                let order = graph.order();
                prop_assert_eq!(order.len(), needs.len());
                for (position, name) in order.iter().enumerate() {
                    for needed in graph.needs(name) {
                        prop_assert!(order[..position].contains(&needed));
                    }
                }
                Ok(())
            })
            .unwrap();
    }
}

//! The graph as text for a terminal, and in the languages of Mermaid, Graphviz and JSON.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Graph;

impl Graph {
    /// The graph as trees: below each asset stand those that need it. An asset that
    /// needs several stands below each, and its own branch is drawn the first time.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut drawn = HashSet::new();
        for vertex in self.edges.node_weights() {
            if self.needs(&vertex.name).is_empty() {
                self.branch(&vertex.name, "", "", &mut drawn, &mut text);
            }
        }
        text
    }

    fn branch<'a>(
        &'a self,
        name: &'a str,
        connector: &str,
        indent: &str,
        drawn: &mut HashSet<&'a str>,
        text: &mut String,
    ) {
        let children = self.needed_by(name);
        let is_repeated = !drawn.insert(name) && !children.is_empty();
        let kind = self.kind(name).unwrap_or_default();
        text.push_str(&format!("{connector}{name} ({kind}){}\n", if is_repeated { ", see above" } else { "" }));
        if is_repeated {
            return;
        }
        for (position, child) in children.iter().enumerate() {
            let (branch, below) = match position + 1 == children.len() {
                true => ("└── ", "    "),
                false => ("├── ", "│   "),
            };
            let connector = format!("{indent}{branch}");
            self.branch(child, &connector, &format!("{indent}{below}"), drawn, text);
        }
    }

    /// The graph as a Mermaid flowchart.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for vertex in self.edges.node_weights() {
            // Writing to a string does not fail. The prefix keeps names such as `end`,
            // which Mermaid reserves, apart from its keywords.
            let _ = writeln!(text, "    asset_{0}[\"{0}<br/>{1}\"]", vertex.name, vertex.kind);
        }
        for (from, to) in self.edge_names() {
            let _ = writeln!(text, "    asset_{from} --> asset_{to}");
        }
        text
    }

    /// The graph in Graphviz's DOT language.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut text = "digraph pipeline {\n    rankdir=LR;\n    node [shape=box];\n".to_owned();
        for vertex in self.edges.node_weights() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "    \"{0}\" [label=\"{0}\\n{1}\"];", vertex.name, vertex.kind);
        }
        for (from, to) in self.edge_names() {
            let _ = writeln!(text, "    \"{from}\" -> \"{to}\";");
        }
        text.push_str("}\n");
        text
    }

    /// The graph as JSON: `{"assets": [{"name", "kind", "needs": [..]}]}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let assets: Vec<Value> = self
            .edges
            .node_weights()
            .map(|vertex| {
                json!({
                    "name": vertex.name,
                    "kind": vertex.kind,
                    "needs": self.needs(&vertex.name),
                })
            })
            .collect();
        json!({ "assets": assets })
    }

    fn edge_names(&self) -> Vec<(&str, &str)> {
        let vertices = self.edges.node_weights();
        vertices
            .flat_map(|vertex| self.needed_by(&vertex.name).into_iter().map(|to| (vertex.name.as_str(), to)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::graph;
    use serde_json::json;

    #[test]
    fn pictures_show_every_asset_and_edge() {
        let graph = graph(&[("a", &[]), ("b", &["a"]), ("c", &["a", "b"]), ("d", &["c"]), ("x", &[])]);
        assert_eq!(
            graph.to_text(),
            "\
a (table)
├── b (table)
│   └── c (table)
│       └── d (table)
└── c (table), see above
x (table)
"
        );
        assert_eq!(
            graph.to_mermaid(),
            "\
flowchart LR
    asset_a[\"a<br/>table\"]
    asset_b[\"b<br/>table\"]
    asset_c[\"c<br/>table\"]
    asset_d[\"d<br/>table\"]
    asset_x[\"x<br/>table\"]
    asset_a --> asset_b
    asset_a --> asset_c
    asset_b --> asset_c
    asset_c --> asset_d
"
        );
        let dot = graph.to_dot();
        assert!(dot.starts_with("digraph pipeline {\n") && dot.ends_with("    \"c\" -> \"d\";\n}\n"), "{dot}");
        assert_eq!(graph.to_json()["assets"][2], json!({ "name": "c", "kind": "table", "needs": ["a", "b"] }));
    }
}

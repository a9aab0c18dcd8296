//! Reads YAML text into a tree whose every node knows its bytes in the source.
//!
//! Accepts one document of mappings, sequences and scalars of the YAML 1.2 core
//! schema, with anchors, aliases and the merge key `<<`. Everything that could make
//! a file mean something else than it seems to (duplicate keys, several documents,
//! application tags, keys that are not scalars) is an error, as are documents that
//! aliases blow up beyond [`MAX_NODES`].

mod scalar;

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScanError, Span};
use serde_json::{Map, Number, Value};

use crate::key_path::{KeyPath, Segment};
use scalar::{refuse_tag, scalar};

/// More nodes than this, aliases expanded, and a file is refused.
const MAX_NODES: usize = 200_000;
/// Deeper nesting than this and a file is refused, which bounds every recursion over
/// the tree.
const MAX_DEPTH: usize = 64;

/// A value and its place in the source.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) span: Range<usize>,
}

/// The content of a [`Node`].
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Node,
}

/// A problem found while reading.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) duplicate: bool,
    pub(crate) message: String,
    pub(crate) path: KeyPath,
    pub(crate) span: Range<usize>,
    pub(crate) label: Option<String>,
    pub(crate) help: Option<String>,
}

impl Node {
    /// The entries of a mapping; of anything else, none.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of a mapping under `key`.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of a mapping under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value at `path`, from this one on.
    pub(crate) fn at(&self, path: &KeyPath) -> Option<&Node> {
        path.segments().iter().try_fold(self, |node, segment| match (segment, &node.content) {
            (Segment::Key(key), _) => node.get(key),
            (Segment::Index(index), Content::Sequence(items)) => items.get(*index),
            (Segment::Index(_), _) => None,
        })
    }

    /// The text of a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::String(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes to underline for this node: a mapping or sequence written over
    /// several lines is shown by its first key or element.
    pub(crate) fn caret(&self, text: &str) -> Range<usize> {
        let spans_lines = text.get(self.span.clone()).is_some_and(|source| source.contains('\n'));
        if !spans_lines {
            return self.span.clone();
        }
        match &self.content {
            Content::Mapping(entries) => {
                entries.first().map_or_else(|| self.span.clone(), |entry| entry.key_span.clone())
            }
            Content::Sequence(items) => items.first().map_or_else(|| self.span.clone(), |item| item.caret(text)),
            _ => self.span.clone(),
        }
    }

    /// The value without its places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(value) => Value::Number(value.clone()),
            Content::String(value) => Value::String(value.clone()),
            Content::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Content::Mapping(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    fn count(&self) -> usize {
        1 + match &self.content {
            Content::Sequence(items) => items.iter().map(Node::count).sum(),
            Content::Mapping(entries) => entries.iter().map(|entry| entry.value.count()).sum(),
            _ => 0,
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.content {
            Content::Sequence(items) => items.iter().map(Node::depth).max().unwrap_or(0),
            Content::Mapping(entries) => entries.iter().map(|entry| entry.value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// Reads `text`. The tree is absent when the text is not YAML at all; it is present
/// beside faults, such as a duplicate key, that leave the rest readable.
pub(crate) fn read(text: &str) -> (Option<Node>, Vec<Fault>) {
    let mut reader = Reader {
        text,
        offsets: Offsets::new(text),
        open: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        nodes: 0,
        documents: 0,
        faults: Vec::new(),
    };
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => reader.event(event, span),
            Err(error) => Err(reader.syntax_fault(&error)),
        };
        if let Err(fault) = step {
            reader.faults.push(fault);
            return (None, reader.faults);
        }
    }
    if reader.root.is_none() {
        reader.faults.push(Fault {
            duplicate: false,
            message: "the file is empty".to_owned(),
            path: KeyPath::root(),
            span: 0..0,
            label: None,
            help: Some("a pipeline starts with `version: 1`, `name` and `assets`".to_owned()),
        });
    }
    (reader.root, reader.faults)
}

/// Turns the parser's character positions into bytes.
struct Offsets(Option<Vec<usize>>);

impl Offsets {
    fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self(None);
        }
        let ends = std::iter::once(text.len());
        Self(Some(text.char_indices().map(|(byte, _)| byte).chain(ends).collect()))
    }

    fn byte(&self, character: usize) -> usize {
        match &self.0 {
            None => character,
            Some(bytes) => bytes.get(character).or(bytes.last()).copied().unwrap_or(character),
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.byte(span.start.index())..self.byte(span.end.index())
    }
}

/// A collection that has been opened and not yet closed.
struct Open {
    anchor: usize,
    start: Range<usize>,
    collection: Collection,
}

enum Collection {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, key: Option<(String, Range<usize>)>, merges: Vec<Node> },
}

struct Reader<'t> {
    text: &'t str,
    offsets: Offsets,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    documents: usize,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let span = self.offsets.range(span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Fault {
                        duplicate: false,
                        message: "the file holds more than one document".to_owned(),
                        path: KeyPath::root(),
                        span,
                        label: Some("a second document starts here".to_owned()),
                        help: Some("keep each pipeline in a file of its own".to_owned()),
                    });
                }
                Ok(())
            }
            Event::Alias(anchor) => {
                let mut node = self
                    .anchors
                    .get(&anchor)
                    .cloned()
                    .ok_or_else(|| fault("an alias refers to the value that contains it", span.clone()))?;
                self.nodes += node.count();
                if self.open.len() + node.depth() > MAX_DEPTH {
                    return Err(too_deep(span));
                }
                node.span = span;
                self.place(node)
            }
            Event::Scalar(value, style, anchor, tag) => {
                let content = scalar(&value, style, tag.as_deref()).map_err(|message| fault(message, span.clone()))?;
                let end = span.start + self.text[span.clone()].trim_end().len();
                let node = Node { content, span: span.start..end };
                self.remember(anchor, &node);
                self.place(node)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), "seq").map_err(|message| fault(message, span.clone()))?;
                self.start(anchor, span, Collection::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), "map").map_err(|message| fault(message, span.clone()))?;
                let collection = Collection::Mapping { entries: Vec::new(), key: None, merges: Vec::new() };
                self.start(anchor, span, collection)
            }
            Event::SequenceEnd | Event::MappingEnd => self.finish(span),
        }
    }

    fn start(&mut self, anchor: usize, start: Range<usize>, collection: Collection) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(start));
        }
        if let Some(Open { collection: Collection::Mapping { key: None, .. }, .. }) = self.open.last() {
            return Err(complex_key(start));
        }
        self.open.push(Open { anchor, start, collection });
        Ok(())
    }

    fn finish(&mut self, end: Range<usize>) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else {
            return Err(fault("a collection ends that never began", end));
        };
        let in_flow_style = self.text[open.start.start..].starts_with(['[', '{']);
        let (content, last) = match open.collection {
            Collection::Sequence(items) => {
                let last = items.last().map(|item| item.span.end);
                (Content::Sequence(items), last)
            }
            Collection::Mapping { mut entries, merges, .. } => {
                let last = entries.last().map(|entry| entry.value.span.end.max(entry.key_span.end));
                merge(&mut entries, merges);
                (Content::Mapping(entries), last)
            }
        };
        // The parser puts the end of a block collection at the next token, so the end
        // of its last child is the honest one.
        let end = if in_flow_style { end.end } else { last.unwrap_or(open.start.end) };
        let node = Node { content, span: open.start.start..end.max(open.start.start) };
        self.remember(open.anchor, &node);
        self.place(node)
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        // The parser numbers anchors from 1 and gives 0 to nodes without one.
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn place(&mut self, node: Node) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(fault(
                format!("the file holds more than {MAX_NODES} values once aliases are expanded"),
                node.span,
            ));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.collection {
            Collection::Sequence(items) => items.push(node),
            Collection::Mapping { entries, key, merges } => match key.take() {
                None => *key = Some((key_text(&node)?, node.span)),
                Some((name, span)) if name == "<<" => merges.extend(merge_sources(node, span)?),
                Some((name, span)) => match entries.iter().find(|entry| entry.key == name) {
                    None => entries.push(Entry { key: name, key_span: span, value: node }),
                    Some(first) => {
                        let line = self.text[..first.key_span.start].matches('\n').count() + 1;
                        let fault = Fault {
                            duplicate: true,
                            message: format!("key `{name}` stands twice in one mapping"),
                            path: self.open_path().key(&name),
                            span,
                            label: Some(format!("first written on line {line}")),
                            help: Some("remove one of them".to_owned()),
                        };
                        self.faults.push(fault);
                    }
                },
            },
        }
        Ok(())
    }

    /// The path of the innermost open collection.
    fn open_path(&self) -> KeyPath {
        let outer = self.open.split_last().map_or(&[][..], |(_, outer)| outer);
        outer.iter().fold(KeyPath::root(), |path, open| match &open.collection {
            Collection::Sequence(items) => path.index(items.len()),
            Collection::Mapping { key: Some((key, _)), .. } => path.key(key),
            Collection::Mapping { key: None, .. } => path,
        })
    }

    fn syntax_fault(&self, error: &ScanError) -> Fault {
        let byte = self.offsets.byte(error.marker().index()).min(self.text.len());
        let line_start = self.text[..byte].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[byte..].find('\n').map_or(self.text.len(), |at| byte + at);
        let line = &self.text[line_start..line_end];
        let indent: &str = &line[..line.len() - line.trim_start().len()];
        if let Some(tab) = indent.find('\t') {
            return Fault {
                duplicate: false,
                message: "a tab indents this line, and YAML allows only spaces".to_owned(),
                path: KeyPath::root(),
                span: line_start + tab..line_start + tab + 1,
                label: Some("a tab".to_owned()),
                help: Some("indent with spaces".to_owned()),
            };
        }
        // The parser notices what is not closed at the end of the file, and there is
        // nothing to show but what stands before.
        let at_end = self.text[byte..].trim().is_empty();
        let last = self.text.trim_end().char_indices().next_back().map_or(0, |(at, _)| at);
        let byte = if at_end { last } else { byte };
        let next = self.text[byte..].chars().next();
        let width = next.filter(|c| *c != '\n').map_or(0, char::len_utf8);
        let mut fault = fault(format!("not valid YAML: {}", error.info().to_lowercase()), byte..byte + width);
        fault.label = self.open.last().and_then(|open| {
            let bracket = self.text[open.start.start..].chars().next().filter(|c| matches!(c, '[' | '{'))?;
            let line = self.text[..open.start.start].matches('\n').count() + 1;
            Some(format!("`{bracket}` of line {line} is still open here"))
        });
        fault.help = Some(syntax_help(error.info(), fault.label.is_some()).to_owned());
        fault
    }
}

/// The next step after a complaint of the parser.
fn syntax_help(complaint: &str, in_brackets: bool) -> &'static str {
    if complaint.contains("quoted scalar") {
        "close the quote"
    } else if complaint.contains("mapping values are not allowed") {
        "put a text that holds a colon and a space in quotes"
    } else if in_brackets {
        "close the bracket, or separate its elements with commas"
    } else {
        "check the indentation and the quotes of this line and of the one before"
    }
}

fn fault(message: impl Into<String>, span: Range<usize>) -> Fault {
    Fault { duplicate: false, message: message.into(), path: KeyPath::root(), span, label: None, help: None }
}

fn too_deep(span: Range<usize>) -> Fault {
    fault(format!("nested more than {MAX_DEPTH} levels deep"), span)
}

fn complex_key(span: Range<usize>) -> Fault {
    Fault {
        help: Some("to use a text with brackets or braces as a key, quote it".to_owned()),
        ..fault("a key must be a plain text, not a list or a mapping", span)
    }
}

fn key_text(node: &Node) -> Result<String, Fault> {
    match &node.content {
        Content::String(text) => Ok(text.clone()),
        Content::Bool(value) => Ok(value.to_string()),
        Content::Number(value) => Ok(value.to_string()),
        Content::Null => Err(fault("a key is empty", node.span.clone())),
        Content::Sequence(_) | Content::Mapping(_) => Err(complex_key(node.span.clone())),
    }
}

/// The mappings that a merge key brings in: one, or a list of them.
fn merge_sources(node: Node, key: Range<usize>) -> Result<Vec<Node>, Fault> {
    let sources = match node.content {
        Content::Sequence(items) => items,
        _ => vec![node],
    };
    let all_mappings = sources.iter().all(|source| matches!(source.content, Content::Mapping(_)));
    if all_mappings {
        Ok(sources)
    } else {
        Err(Fault {
            help: Some("write `<<: *name`, where `&name` marks a mapping".to_owned()),
            ..fault("the merge key `<<` takes a mapping or a list of mappings", key)
        })
    }
}

/// Adds the keys of `sources` that `entries` does not have; an earlier source wins.
fn merge(entries: &mut Vec<Entry>, sources: Vec<Node>) {
    for source in sources {
        if let Content::Mapping(brought) = source.content {
            for entry in brought {
                if !entries.iter().any(|present| present.key == entry.key) {
                    entries.push(entry);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(text: &str) -> Value {
        let (node, faults) = read(text);
        assert!(faults.is_empty(), "{faults:?}");
        node.unwrap().to_json()
    }

    fn message(text: &str) -> String {
        let (_, faults) = read(text);
        faults.first().map(|fault| fault.message.clone()).unwrap()
    }

    #[test]
    fn spans_cover_what_they_name() {
        let text = "é: x\nouter:\n  - { k: [1, two] }\n  -   three   # comment\nlast: end\n";
        let (node, _) = read(text);
        let node = node.unwrap();
        let outer = node.get("outer").unwrap();
        let Content::Sequence(items) = &outer.content else { panic!("not a sequence") };
        assert_eq!(&text[items[0].span.clone()], "{ k: [1, two] }");
        assert_eq!(&text[items[1].span.clone()], "three");
        assert_eq!(&text[outer.span.clone()], "- { k: [1, two] }\n  -   three");
        assert_eq!(&text[node.entry("last").unwrap().key_span.clone()], "last");
        assert_eq!(&text[node.span.clone()], text.trim_end());
    }

    #[test]
    fn aliases_and_merges_are_expanded() {
        let text = "base: &b { x: 1, y: 2 }\nuse: *b\nmore: { <<: *b, y: 3, z: 4 }\nlist: { <<: [*b, { w: 5 }] }\n";
        assert_eq!(
            value(text),
            json!({
                "base": { "x": 1, "y": 2 },
                "use": { "x": 1, "y": 2 },
                "more": { "y": 3, "z": 4, "x": 1 },
                "list": { "x": 1, "y": 2, "w": 5 },
            })
        );
    }

    #[test]
    fn a_duplicate_key_is_reported_and_the_rest_is_read() {
        let (node, faults) = read("a: 1\nb: 2\na: 3\nb: 4\n");
        assert_eq!(faults.len(), 2);
        assert!(faults.iter().all(|fault| fault.duplicate));
        assert_eq!(faults[0].span, 10..11);
        assert_eq!(node.unwrap().to_json(), json!({ "a": 1, "b": 2 }));
    }

    #[test]
    fn what_could_mislead_is_refused() {
        let cases = [
            ("a: 1\n---\nb: 2\n", "the file holds more than one document"),
            ("a: !secret x\n", "tag `!secret` has no meaning here"),
            ("? [a, b]\n: 1\n", "a key must be a plain text, not a list or a mapping"),
            ("a: .nan\n", "`.nan` is not a number that a pipeline can hold"),
            ("<<: 3\n", "the merge key `<<` takes a mapping or a list of mappings"),
            ("", "the file is empty"),
            ("# only a comment\n", "the file is empty"),
            ("a:\n\tb: 1\n", "a tab indents this line, and YAML allows only spaces"),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text), expected, "{text:?}");
        }
    }

    #[test]
    fn deep_and_exploding_documents_are_refused() {
        let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(message(&deep), "nested more than 64 levels deep");

        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let below = level - 1;
            let aliases = vec![format!("*a{below}"); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(message(&bomb).contains("more than 200000 values"));
    }

    #[test]
    fn nothing_makes_the_reader_panic() {
        use proptest::prelude::*;
        let mut runner = proptest::test_runner::TestRunner::default();
        runner
            .run(&"[ a-c:\\-\\[\\]{},\n\t'\"#&*!|>?é]{0,60}", |text| {
                let (node, faults) = read(&text);
                prop_assert!(node.is_some() || !faults.is_empty());
                for fault in faults {
                    prop_assert!(text.get(fault.span).is_some());
                }
                Ok(())
            })
            .unwrap();
    }
}

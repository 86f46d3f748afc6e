//! YAML (and with it JSON) as a tree that knows where everything stands.
//!
//! CloudFormation's short tags become their long form here, so that whoever reads the tree knows one
//! spelling: `!Sub x` is `{ "Fn::Sub": x }`. Anchors and merge keys are followed. Scalars stay text:
//! what type they have is for whoever takes them.
//!
//! Invariants: any text is answered; the number of nodes and their depth are limited, so that a few
//! lines of aliases cannot fill the memory. Deliberately absent: types, and comments.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use crate::code;
use crate::problem::{Place, Problem, Source};

/// A template of CloudFormation has at most 1 MB; this many nodes do not fit into one, unless
/// aliases multiply them.
const NODES_MAX: usize = 200_000;

/// Deeper than any template that a person wrote; a limit for what recurses.
const DEPTH_MAX: usize = 96;

/// A value, and the bytes of the file that it is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `plain`: without quotes, so that `true`, `~` and `5` may mean what they look like.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Range<usize>,
}

impl Node {
    /// The entries, if it is a map.
    pub(crate) fn map(&self) -> Option<&[(Key, Self)]> {
        if let Kind::Map(entries) = &self.kind { Some(entries) } else { None }
    }

    /// The elements, if it is a list.
    pub(crate) fn list(&self) -> Option<&[Self]> {
        if let Kind::List(elements) = &self.kind { Some(elements) } else { None }
    }

    /// The text of a scalar that is not null.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// Whether there is nothing: `~`, `null`, or no text at all.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The value under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The entry under a key.
    pub(crate) fn entry(&self, key: &str) -> Option<&(Key, Self)> {
        self.map()?.iter().find(|(found, _)| found.text == key)
    }

    /// The value at the end of a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }
}

/// Reads the first document of a text.
pub(crate) fn read(source: &Arc<Source>, text: &str) -> Result<Node, Vec<Problem>> {
    let mut reader = Reader {
        source,
        offsets: Offsets::of(text),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        nodes: 0,
        problems: Vec::new(),
        root: None,
    };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                if reader.take(event, span).is_err() {
                    break;
                }
            }
            Err(error) => {
                let at = reader.offsets.byte(error.marker());
                let place = Place::file(source, at..at);
                let problem = Problem::new(code::TEMPLATE_SYNTAX, place, error.info());
                reader.problems.push(problem.with_label("not understood"));
                break;
            }
        }
    }
    match (reader.problems.is_empty(), reader.root) {
        (true, Some(root)) => Ok(root),
        (true, None) => {
            let place = Place::file(source, 0..0);
            Err(vec![Problem::new(code::TEMPLATE_SHAPE, place, "the file is empty")])
        }
        (false, _) => Err(reader.problems),
    }
}

/// From positions in characters to positions in bytes.
struct Offsets {
    /// The byte at which each character begins; `None` for a text of ASCII, where they are the same.
    starts: Option<Vec<usize>>,
    length: usize,
}

impl Offsets {
    fn of(text: &str) -> Self {
        let starts = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self { starts, length: text.len() }
    }

    fn byte(&self, marker: &Marker) -> usize {
        let index = marker.index();
        let byte = self.starts.as_ref().map_or(Some(index), |starts| starts.get(index).copied());
        byte.unwrap_or(self.length).min(self.length)
    }
}

/// A list or map whose end has not come yet.
struct Open {
    /// Where it begins.
    start: usize,
    anchor: usize,
    tag: Option<String>,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    /// The key of the entry whose value comes next, if it has come.
    Map(Vec<(Key, Node)>, Option<Key>),
}

/// What follows makes no sense any more; the reason has been told.
struct Stop;

struct Reader<'a> {
    source: &'a Arc<Source>,
    offsets: Offsets,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    problems: Vec<Problem>,
    root: Option<Node>,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let range = self.offsets.byte(&span.start)..self.offsets.byte(&span.end);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let forced = tag.as_deref().is_some_and(is_string_tag);
                let plain = style == ScalarStyle::Plain && !forced;
                let kind = Kind::Scalar { text: text.into_owned(), plain };
                let node = tagged(Node { kind, span: range }, short(tag.as_deref()));
                self.put(node, anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(range.start, anchor, short(tag.as_deref()), Items::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let items = Items::Map(Vec::new(), None);
                self.begin(range.start, anchor, short(tag.as_deref()), items)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&range),
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some((node, size)) => self.put(node, 0, size),
                None => Err(self.stop(range, "an alias of something that contains it")),
            },
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(self.stop(range, "a second document: a template is one"))
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        start: usize,
        anchor: usize,
        tag: Option<String>,
        items: Items,
    ) -> Result<(), Stop> {
        if self.open.len() >= DEPTH_MAX {
            let message = format!("nested more than {DEPTH_MAX} levels deep");
            return Err(self.stop(start..start, &message));
        }
        self.open.push(Open { start, anchor, tag, items });
        Ok(())
    }

    fn end(&mut self, range: &Range<usize>) -> Result<(), Stop> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let kind = match open.items {
            Items::List(elements) => Kind::List(elements),
            Items::Map(entries, _) => Kind::Map(self.merged(entries)),
        };
        // The end of a block is where the next thing begins, which is not its own any more.
        let end = last_byte(&kind).unwrap_or(range.end).max(open.start);
        let node = tagged(Node { kind, span: open.start..end }, open.tag);
        let size = 1;
        self.put(node, open.anchor, size)
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Stop> {
        self.nodes += size;
        if self.nodes > NODES_MAX {
            let message = format!("more than {NODES_MAX} values, aliases counted each time");
            return Err(self.stop(node.span, &message));
        }
        if anchor != 0 {
            let size = count(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let mut problem = None;
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::List(elements)) => elements.push(node),
            Some(Items::Map(entries, key)) => match key.take() {
                None => match node.kind {
                    Kind::Scalar { text, .. } => *key = Some(Key { text, span: node.span }),
                    _ => problem = Some((node.span, "a key that is no text".to_owned())),
                },
                Some(found)
                    if found.text != "<<" && entries.iter().any(|(k, _)| *k == *found.text) =>
                {
                    problem = Some((found.span, format!("`{}` is given twice", found.text)));
                }
                Some(found) => entries.push((found, node)),
            },
        }
        match problem {
            Some((span, message)) => Err(self.stop(span, &message)),
            None => Ok(()),
        }
    }

    /// A map with what its merge keys bring along: what it says itself counts.
    fn merged(&mut self, entries: Vec<(Key, Node)>) -> Vec<(Key, Node)> {
        let (merges, mut own): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(key, _)| key.text == "<<");
        for (_, node) in merges {
            let sources = match node.kind {
                Kind::List(elements) => elements,
                kind => vec![Node { kind, span: node.span }],
            };
            for source in sources {
                let Kind::Map(entries) = source.kind else { continue };
                for (key, node) in entries {
                    if own.iter().all(|(known, _)| known.text != key.text) {
                        self.nodes += count(&node);
                        own.push((key, node));
                    }
                }
            }
        }
        own
    }

    fn stop(&mut self, span: Range<usize>, message: &str) -> Stop {
        let place = Place::file(self.source, span);
        self.problems.push(Problem::new(code::TEMPLATE_SYNTAX, place, message));
        Stop
    }
}

impl PartialEq<str> for Key {
    fn eq(&self, text: &str) -> bool {
        self.text == text
    }
}

fn is_string_tag(tag: &Tag) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == "str"
}

/// The name of a tag of the template's own language.
fn short(tag: Option<&Tag>) -> Option<String> {
    tag.filter(|tag| !tag.is_yaml_core_schema()).map(|tag| tag.suffix.clone())
}

/// A value under a short tag in its long form.
fn tagged(node: Node, tag: Option<String>) -> Node {
    let Some(tag) = tag else { return node };
    let text = if matches!(tag.as_str(), "Ref" | "Condition") { tag } else { format!("Fn::{tag}") };
    let span = node.span.clone();
    let key = Key { text, span: span.clone() };
    Node { kind: Kind::Map(vec![(key, node)]), span }
}

fn last_byte(kind: &Kind) -> Option<usize> {
    match kind {
        Kind::Scalar { .. } => None,
        Kind::List(elements) => elements.last().map(|node| node.span.end),
        Kind::Map(entries) => entries.last().map(|(_, node)| node.span.end),
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar { .. } => 0,
        Kind::List(elements) => elements.iter().map(count).sum(),
        Kind::Map(entries) => entries.iter().map(|(_, node)| count(node)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Node, Vec<Problem>> {
        read(&Source::new(Path::new("t.yaml"), text), text)
    }

    #[track_caller]
    fn message(text: &str) -> String {
        parse(text).unwrap_err()[0].message.clone()
    }

    #[test]
    fn short_tags_are_their_long_form() {
        let short =
            parse("a: !Sub '${X}'\nb: !Ref X\nc: !GetAtt X.Arn\nd: !If [A, 1, 2]\n").unwrap();
        for (key, name) in [("a", "Fn::Sub"), ("b", "Ref"), ("c", "Fn::GetAtt"), ("d", "Fn::If")] {
            assert!(short.at(&[key, name]).is_some(), "{key}: {short:?}");
        }
    }

    #[test]
    fn values_know_where_they_stand() {
        let text = "ü: 1\nlist:\n  - a\n  - b: c\nlast: x\n";
        let root = parse(text).unwrap();
        let shown = |path: &[&str]| &text[root.at(path).unwrap().span.clone()];
        assert_eq!(shown(&["ü"]), "1");
        assert_eq!(shown(&["list"]), "- a\n  - b: c");
        assert_eq!(shown(&["last"]), "x");
    }

    #[test]
    fn line_ends_of_windows_move_nothing() {
        let text = "a: 1\r\nü: |\r\n  x\r\n  y\r\nb: [2,\r\n  3]\r\n";
        let root = parse(text).unwrap();
        let shown = |path: &[&str]| &text[root.at(path).unwrap().span.clone()];
        assert_eq!(shown(&["a"]), "1");
        assert_eq!(root.get("ü").and_then(Node::text), Some("x\ny\n"));
        let list = root.get("b").unwrap().list().unwrap();
        assert_eq!(&text[list[1].span.clone()], "3");
    }

    #[test]
    fn json_is_yaml() {
        let root = parse("{\"a\": {\"Ref\": \"X\"}, \"b\": [1, true, null]}").unwrap();
        assert_eq!(root.at(&["a", "Ref"]).and_then(Node::text), Some("X"));
        assert!(root.get("b").unwrap().list().unwrap()[2].is_null());
    }

    #[test]
    fn merge_keys_lie_under_what_is_said() {
        let root = parse("base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  y: 3\n").unwrap();
        let text = |key| root.at(&["own", key]).and_then(Node::text);
        assert_eq!((text("x"), text("y")), (Some("1"), Some("3")));
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_place() {
        assert!(message("a: [1\nb: 2").len() > 3);
        assert_eq!(message("a: 1\na: 2\n"), "`a` is given twice");
        assert_eq!(message(""), "the file is empty");
        assert_eq!(message("a: 1\n---\nb: 1\n"), "a second document: a template is one");
        assert!(message(&"[".repeat(200)).len() > 3);
    }

    #[test]
    fn a_few_lines_of_aliases_do_not_fill_the_memory() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let before = format!("*a{}, ", n - 1).repeat(10);
            text.extend([format!("a{n}: &a{n} [{before}]\n")]);
        }
        assert!(message(&text).contains("more than"), "{}", message(&text));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[a-c:\\-&*!{}\\[\\],'\"#|> \n\tü]{0,60}") {
            let _ = parse(&text);
        }
    }
}

//! Parses YAML into a tree in which every node has its line and column.
//!
//! Types are not decided here: a scalar keeps its text and whether it was quoted, so that a serial number of digits stays the
//! text that was written. Constructs that YAML allows but that are almost always mistakes are reported with their place:
//! duplicate keys, tags, control characters, and aliases that expand to millions of values.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::rc::Rc;

/// The maximum number of values in a file, with all aliases expanded.
const MOST_NODES: usize = 2_000_000;

/// The maximum nesting depth of lists and mappings.
const DEEPEST: usize = 32;

/// A place in a file; lines and columns start at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The index of the file in the list of files.
    pub(super) file: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// An error at a place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(super) place: Place,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into() }
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
    /// The number of values in the node, including itself.
    size: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A scalar's text as it was written, and whether it was unquoted.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Rc<Node>>),
    Mapping(Vec<Pair>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Rc<Node>,
}

impl Node {
    /// An empty mapping.
    pub(super) fn empty(place: Place) -> Self {
        Self { place, content: Content::Mapping(vec![]), size: 1 }
    }

    /// Whether the value is written as null: empty, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What the node is, for messages.
    pub(super) fn what(&self) -> Cow<'static, str> {
        match &self.content {
            _ if self.is_null() => "nothing".into(),
            Content::Scalar { text, .. } => format!("`{}`", shortened(text)).into(),
            Content::List(_) => "a list".into(),
            Content::Mapping(_) => "a mapping".into(),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Rc<Node>> {
        let Content::Mapping(pairs) = &self.content else { return None };
        pairs.iter().find(|pair| pair.key == key).map(|pair| &pair.value)
    }
}

/// The beginning of a text, on one line.
pub(super) fn shortened(text: &str) -> String {
    let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let cut = if line.len() < text.len() { "…" } else { "" };
    format!("{}{cut}", bootledger_aggregates::values::invisible::shown(&line))
}

/// Parses the documents of a file, and returns them with the errors found. `first` is the number of the first line, which is
/// more than 1 if the text is a part of a file.
pub(super) fn read(text: &str, file: usize) -> Result<(Vec<Rc<Node>>, Vec<Problem>), Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(problem) = control_character(text, file) {
        return Err(problem);
    }
    let mut reader =
        Reader { parser: Parser::new_from_str(text), text, file, anchored: HashMap::new(), depth: 0, nodes: 0, problems: vec![] };
    let mut documents = vec![];
    loop {
        match reader.next()? {
            (Event::DocumentStart(_), _) => {
                let (event, span) = reader.next()?;
                let document = reader.node(event, span)?;
                if !document.is_null() {
                    documents.push(document);
                }
            }
            (Event::StreamEnd, _) => return Ok((documents, reader.problems)),
            _ => {}
        }
    }
}

/// The first character that is not allowed in a text file.
fn control_character(text: &str, file: usize) -> Option<Problem> {
    let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let at = text.find(bad)?;
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let code = text[at..].chars().next().map(u32::from).unwrap_or_default();
    let message = if code == 0 {
        "this is a binary file, not text. Save the catalogue as UTF-8 text".to_owned()
    } else {
        format!(
            "the control character U+{code:04X} is not allowed in YAML. Remove it, or write it as \"\\x{code:02X}\" in double quotes"
        )
    };
    Some(Problem::new(Place { file, line, column }, message))
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    text: &'a str,
    file: usize,
    anchored: HashMap<usize, Rc<Node>>,
    depth: usize,
    nodes: usize,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let mut place = Place { file: self.file, line: error.marker().line(), column: error.marker().col() + 1 };
                if error.info().contains("tab") {
                    // The parser stops before the line that it cannot read.
                    place = self.tab_after(place).unwrap_or(place);
                }
                Err(Problem::new(place, format!("this is not valid YAML: {}", explained(error.info()))))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// The first tab in an indentation, starting at a line.
    fn tab_after(&self, place: Place) -> Option<Place> {
        let mut lines = self.text.lines().enumerate().skip(place.line.saturating_sub(1));
        lines.find_map(|(n, line)| {
            let column = line.find(|c| c != ' ').filter(|at| line[*at..].starts_with('\t'))? + 1;
            Some(Place { line: n + 1, column, ..place })
        })
    }

    fn place(&self, span: &Span) -> Place {
        Place { file: self.file, line: span.start.line().max(1), column: span.start.col() + 1 }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Rc<Node>, Problem> {
        let place = self.place(&span);
        let (content, anchor, size) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !self.is_text(tag.as_deref(), place);
                (Content::Scalar { text: text.into_owned(), plain }, anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => {
                self.tag(tag.as_deref(), place);
                let items = self.list(place)?;
                let size = items.iter().map(|item| item.size).sum::<usize>();
                (Content::List(items), anchor, size + 1)
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(tag.as_deref(), place);
                let pairs = self.mapping(place)?;
                let size = pairs.iter().map(|pair| pair.value.size + 1).sum::<usize>();
                (Content::Mapping(pairs), anchor, size + 1)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchored.get(&anchor).cloned() else {
                    return Err(Problem::new(place, "this alias is inside the value that it refers to. Write the value out"));
                };
                self.count(node.size, place)?;
                return Ok(node);
            }
            _ => return Err(Problem::new(place, "the document ends too early")),
        };
        self.count(1, place)?;
        let node = Rc::new(Node { place, content, size });
        if anchor > 0 {
            self.anchored.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, nodes: usize, place: Place) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES {
            let message = format!("with its aliases written out, the file has more than {MOST_NODES} values. Split it");
            return Err(Problem::new(place, message));
        }
        Ok(())
    }

    fn deeper(&mut self, place: Place) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Problem::new(place, format!("lists and mappings are more than {DEEPEST} levels deep here")));
        }
        Ok(())
    }

    fn list(&mut self, place: Place) -> Result<Vec<Rc<Node>>, Problem> {
        self.deeper(place)?;
        let mut items = vec![];
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                self.depth -= 1;
                return Ok(items);
            }
            items.push(self.node(event, span)?);
        }
    }

    fn mapping(&mut self, place: Place) -> Result<Vec<Pair>, Problem> {
        self.deeper(place)?;
        let (mut pairs, mut merged): (Vec<Pair>, Vec<Rc<Node>>) = (vec![], vec![]);
        let mut seen: HashMap<String, Place> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                self.depth -= 1;
                break;
            }
            let place = self.place(&span);
            let key = match &*self.node(event, span)? {
                Node { content: Content::Scalar { text, plain }, .. } if !text.is_empty() => (text.clone(), *plain),
                node => {
                    let message = format!("{} cannot be a key. Write a name before the colon", node.what());
                    return Err(Problem::new(place, message));
                }
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            if key == ("<<".to_owned(), true) {
                merged.push(value);
                continue;
            }
            if let Some(first) = seen.get(&key.0) {
                let message = format!("`{}` occurs twice, first in line {}. Remove one of them", shortened(&key.0), first.line);
                self.problems.push(Problem::new(place, message));
                continue;
            }
            seen.insert(key.0.clone(), place);
            pairs.push(Pair { key: key.0, place, value });
        }
        for value in merged {
            self.merge(&mut pairs, &value)?;
        }
        Ok(pairs)
    }

    /// Applies the merge key of YAML 1.1: keys that the mapping does not have come from another mapping, or from the first of
    /// several that has them.
    fn merge(&mut self, pairs: &mut Vec<Pair>, value: &Rc<Node>) -> Result<(), Problem> {
        let sources = match &value.content {
            Content::List(list) => list.clone(),
            _ => vec![value.clone()],
        };
        let mut known: HashSet<String> = pairs.iter().map(|pair| pair.key.clone()).collect();
        for source in sources {
            let Content::Mapping(more) = &source.content else {
                return Err(Problem::new(
                    value.place,
                    format!("`<<` needs a mapping or a list of mappings, not {}", source.what()),
                ));
            };
            for pair in more {
                if known.insert(pair.key.clone()) {
                    self.count(pair.value.size, value.place)?;
                    pairs.push(pair.clone());
                }
            }
        }
        Ok(())
    }

    /// Whether a tag makes a scalar a text. Other tags are errors.
    fn is_text(&mut self, tag: Option<&Tag>, place: Place) -> bool {
        match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => true,
            Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => true,
            tag => {
                self.tag(tag, place);
                false
            }
        }
    }

    fn tag(&mut self, tag: Option<&Tag>, place: Place) {
        if let Some(tag) = tag {
            let message = format!("catalogue files cannot have the tag {tag}. Remove it");
            self.problems.push(Problem::new(place, message));
        }
    }
}

/// The parser's message, with its usual cause.
fn explained(info: &str) -> String {
    if info.contains("recursion limit") {
        return "lists and mappings are too many levels deep here".to_owned();
    }
    let advice = if info.contains("tab") {
        ". YAML is indented with spaces only: replace the tab"
    } else if info.contains("mapping values are not allowed") || info.contains("simple key") {
        ". A text with \": \" or \" #\" in it needs quotes, and entries of a mapping need the same indentation"
    } else if info.contains("unknown anchor") {
        ". An alias (*name) needs its anchor (&name) before it"
    } else {
        ""
    };
    format!("{info}{advice}")
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

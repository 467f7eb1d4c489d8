//! A document as a tree in which every value knows its place.
//!
//! The parser's events give structure and positions; what a plain scalar means (`5`, `true`, `~`) is asked of
//! `serde_yaml`, so that there is one opinion about YAML types. Anchors, aliases, tags and several documents in one
//! file are refused: a scenario repeats with `for_each` and `matrix`. Knows nothing of scenarios otherwise.

mod unquoted;

use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

/// Nesting beyond this is refused, so that no input can exhaust the stack.
const MAX_DEPTH: usize = 48;

/// Where something stands in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// In characters, at least 1, cut at the end of the first line.
    pub(crate) len: usize,
}

impl Place {
    fn new(span: Span) -> Self {
        let len =
            if span.start.line() == span.end.line() { span.end.col().saturating_sub(span.start.col()) } else { 1 };
        Self { line: span.start.line(), column: span.start.col() + 1, len: len.max(1) }
    }
}

/// A value, its place, and its path from the root such as `network.devices.nyc1` or `steps[2].run`.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) path: String,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key of a table and what stands under it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

/// What is wrong with a document as YAML.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(crate) place: Place,
    pub(crate) path: String,
    pub(crate) message: String,
}

impl Node {
    /// The tree of the only document in `text`. Duplicate keys are reported beside it, and the first one counts.
    pub(crate) fn parse(text: &str) -> Result<(Self, Vec<Malformed>), Malformed> {
        let mut builder = Builder { parser: Parser::new_from_str(text), duplicates: Vec::new() };
        let node = builder.document().map_err(|malformed| unquoted::explain(text, malformed))?;
        Ok((node, builder.duplicates))
    }

    /// What stands under a key of a table.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The entry of a key of a table.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// An element of a list.
    pub(crate) fn item(&self, index: usize) -> Option<&Self> {
        match &self.value {
            Value::List(items) => items.get(index),
            _ => None,
        }
    }

    /// Puts a value under a way of keys, in the place of what stands there; tables on the way are made. What is no table
    /// gives way to one.
    pub(crate) fn set(&mut self, keys: &[&str], value: Value) {
        let Some((key, rest)) = keys.split_first() else {
            self.value = value;
            self.repath();
            return;
        };
        if !matches!(self.value, Value::Table(_)) {
            self.value = Value::Table(Vec::new());
        }
        let (place, path) = (self.place, join(&self.path, key));
        let Value::Table(entries) = &mut self.value else { return };
        let index = entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
            let node = Self { place, path, value: Value::Null };
            entries.push(Entry { key: (*key).to_owned(), place, node });
            entries.len() - 1
        });
        entries[index].node.set(rest, value);
    }

    /// Gives everything below this node the path and the place that follow from its own.
    fn repath(&mut self) {
        let (place, path) = (self.place, self.path.clone());
        let adopt = |node: &mut Self, path: String| {
            (node.place, node.path) = (place, path);
            node.repath();
        };
        match &mut self.value {
            Value::Table(entries) => entries.iter_mut().for_each(|entry| {
                entry.place = place;
                adopt(&mut entry.node, join(&path, &entry.key));
            }),
            Value::List(items) => {
                items.iter_mut().enumerate().for_each(|(index, item)| adopt(item, format!("{path}[{index}]")));
            }
            _ => {}
        }
    }

    /// Takes out the value whose path is `path` and returns the path of what held it; `None` if there is no such value
    /// or it is the root.
    pub(crate) fn prune(&mut self, path: &str) -> Option<String> {
        match &mut self.value {
            Value::Table(entries) => {
                let before = entries.len();
                entries.retain(|entry| entry.node.path != path);
                if entries.len() != before {
                    return Some(self.path.clone());
                }
                entries.iter_mut().find_map(|entry| entry.node.prune(path))
            }
            Value::List(items) => {
                let before = items.len();
                items.retain(|item| item.path != path);
                if items.len() != before {
                    return Some(self.path.clone());
                }
                items.iter_mut().find_map(|item| item.prune(path))
            }
            _ => None,
        }
    }
}

/// The value as a message shows it: scalars as they are, the rest by kind.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

/// Appends a key to a path.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

struct Builder<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    duplicates: Vec<Malformed>,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Malformed> {
        let end = || ScanError::new_str(saphyr_parser::Marker::default(), "the file ends too early");
        self.parser.next_event().unwrap_or_else(|| Err(end())).map_err(|error| Malformed {
            place: Place { line: error.marker().line().max(1), column: error.marker().col() + 1, len: 1 },
            path: String::new(),
            message: format!("not YAML: {}", error.info()),
        })
    }

    fn document(&mut self) -> Result<Node, Malformed> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => {
                    let place = Place { line: 1, column: 1, len: 1 };
                    return Ok(root.unwrap_or(Node { place, path: String::new(), value: Value::Null }));
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                _ if root.is_some() => {
                    return Err(refused(span, "", "a file holds one scenario, and a second begins here"));
                }
                event => root = Some(self.node(event, span, String::new(), 0)?),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, path: String, depth: usize) -> Result<Node, Malformed> {
        if depth > MAX_DEPTH {
            return Err(refused(span, &path, &format!("nested more than {MAX_DEPTH} levels deep")));
        }
        let place = Place::new(span);
        let value = match event {
            Event::Alias(_) => return Err(refused(span, &path, NO_ANCHORS)),
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _)
                if anchor != 0 =>
            {
                return Err(refused(span, &path, NO_ANCHORS));
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                return Err(refused(span, &path, "tags (`!name`) are not part of the scenario language"));
            }
            Event::Scalar(text, style, _, None) => scalar(&text, style),
            Event::SequenceStart(..) => self.list(&path, depth)?,
            Event::MappingStart(..) => self.table(&path, depth)?,
            _ => return Err(refused(span, &path, "not YAML: a value was expected here")),
        };
        Ok(Node { place, path, value })
    }

    fn list(&mut self, path: &str, depth: usize) -> Result<Value, Malformed> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::List(items));
            }
            items.push(self.node(event, span, format!("{path}[{}]", items.len()), depth + 1)?);
        }
    }

    fn table(&mut self, path: &str, depth: usize) -> Result<Value, Malformed> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Table(entries)),
                Event::Scalar(_, _, anchor, _) if anchor != 0 => return Err(refused(span, path, NO_ANCHORS)),
                Event::Scalar(text, _, _, None) => text.into_owned(),
                _ => return Err(refused(span, path, "a key must be a plain word")),
            };
            let place = Place::new(span);
            let below = join(path, &key);
            let (event, span) = self.next()?;
            let node = self.node(event, span, below.clone(), depth + 1)?;
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let message = format!("the key `{key}` stands here twice: first on line {}", first.place.line);
                self.duplicates.push(Malformed { place, path: below, message });
            } else {
                entries.push(Entry { key, place, node });
            }
        }
    }
}

const NO_ANCHORS: &str = "anchors and aliases are not part of the scenario language: use `for_each` or `matrix`";

fn refused(span: Span, path: &str, message: &str) -> Malformed {
    let place = Place::new(span);
    Malformed { place: Place { line: place.line.max(1), ..place }, path: path.to_owned(), message: message.to_owned() }
}

/// Quoted scalars are text; a plain one is what `serde_yaml` takes it for.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text(text.to_owned());
    }
    match serde_yaml::from_str(text) {
        Ok(serde_yaml::Value::Null) => Value::Null,
        Ok(serde_yaml::Value::Bool(value)) => Value::Bool(value),
        Ok(serde_yaml::Value::Number(number)) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), _, _) => Value::Int(value.into()),
            (_, Some(value), _) => Value::Int(value.into()),
            (_, _, Some(value)) => Value::Float(value),
            _ => Value::Text(text.to_owned()),
        },
        _ => Value::Text(text.to_owned()),
    }
}

//! Reads a [`Node`] into the schema's types, with the place of whatever does not fit.
//!
//! Two conventions beyond serde's own. A table is read as an enum by the one key that names a variant, and
//! the whole table is the variant's content: so `{ run: …, on: … }` is `Step::Run`. And a `null` where a table is
//! expected is the empty table, so that `nyc:` may stand for `nyc: {}`.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
    value::StrDeserializer,
};

use crate::yaml::{Entry, Node, Place, Value};

/// What does not fit, and where.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) place: Option<Place>,
    pub(crate) path: String,
    pub(crate) value: String,
    pub(crate) problem: Box<Problem>,
}

/// How it does not fit.
#[derive(Debug)]
pub(crate) enum Problem {
    /// A key that the table does not have.
    UnknownKey { key: String, known: &'static [&'static str] },
    /// A word that is not one of the known ones.
    UnknownWord { word: String, known: &'static [&'static str] },
    /// A key that the table must have.
    Missing(&'static str),
    /// A table that names no variant, or two.
    Kind { found: Vec<String>, known: &'static [&'static str] },
    /// Anything else, as a sentence.
    Other(String),
}

impl Misfit {
    fn new(problem: Problem) -> Self {
        Self { place: None, path: String::new(), value: String::new(), problem: Box::new(problem) }
    }

    /// The innermost place that is named wins.
    fn at(mut self, place: Place, node: &Node) -> Self {
        if self.place.is_none() {
            self.place = Some(place);
            self.path = node.path.clone();
            if let Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) = &node.value {
                self.value = node.value.to_string();
            }
        }
        self
    }
}

impl std::error::Error for Misfit {}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.path, self.problem)
    }
}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Problem::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Unit => "nothing".to_owned(),
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(value) => format!("the number {value}"),
            Unexpected::Signed(value) => format!("the number {value}"),
            Unexpected::Float(value) => format!("the number {value}"),
            Unexpected::Str(value) => format!("`{value}`"),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a table".to_owned(),
            other => other.to_string(),
        };
        let expected = expected.to_string();
        let expected = match expected.as_str() {
            "u8" => "a whole number up to 255",
            "u16" => "a whole number up to 65535",
            "a nonzero u16" => "a whole number from 1 to 65535",
            "u32" | "u64" => "a whole number, 0 or more",
            "f64" => "a number",
            "a boolean" => "true or false",
            "a string" => "a text",
            "a map" => "a table",
            "a sequence" => "a list",
            other if other.starts_with("struct ") => "a table",
            other => other,
        };
        Self::custom(format_args!("expected {expected}, got {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownKey { key: key.to_owned(), known })
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownWord { word: word.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Problem::Missing(key))
    }
}

/// Reads one node.
pub(crate) struct NodeDeserializer<'a> {
    node: &'a Node,
    /// Where a table that lacks something is pointed at: its key, if it has one.
    label: Place,
}

impl<'a> NodeDeserializer<'a> {
    pub(crate) fn new(node: &'a Node) -> Self {
        Self { node, label: node.place }
    }
}

impl<'de> NodeDeserializer<'_> {
    fn any<V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => visitor.visit_u64(value),
                (_, Ok(value)) => visitor.visit_i64(value),
                _ => visitor.visit_i128(*value),
            },
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(value) => visitor.visit_str(value),
            Value::List(items) => visitor.visit_seq(Items { items: items.iter() }),
            Value::Table(entries) => visitor.visit_map(Entries { entries: entries.iter(), current: None }),
        }
    }
}

impl<'de> de::Deserializer<'de> for NodeDeserializer<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.any(visitor).map_err(|error| error.at(self.label, self.node))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.node.value {
            Value::Null => visitor
                .visit_map(Entries { entries: [].iter(), current: None })
                .map_err(|error| error.at(self.label, self.node)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let variant = match &self.node.value {
            Value::Text(word) => word.as_str(),
            Value::Table(entries) => {
                let named: Vec<&Entry> = entries.iter().filter(|entry| known.contains(&entry.key.as_str())).collect();
                if let [entry] = named.as_slice() {
                    entry.key.as_str()
                } else {
                    let found = if named.is_empty() { entries.iter().collect() } else { named };
                    let place = found.first().map_or(self.label, |entry| entry.place);
                    let found = found.into_iter().map(|entry| entry.key.clone()).collect();
                    return Err(Misfit::new(Problem::Kind { found, known }).at(place, self.node));
                }
            }
            other => {
                let message = format!("expected one of {}, got {other}", known.join(", "));
                return Err(Misfit::new(Problem::Other(message)).at(self.label, self.node));
            }
        };
        let (node, label) = (self.node, self.label);
        visitor.visit_enum(Variant { name: variant, content: self }).map_err(|error| error.at(label, node))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

struct Items<'a> {
    items: std::slice::Iter<'a, Node>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.items.next().map(|node| seed.deserialize(NodeDeserializer::new(node))).transpose()
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        self.current = self.entries.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key = StrDeserializer::<Misfit>::new(&entry.key);
        seed.deserialize(key).map(Some).map_err(|error| {
            let mut error = error.at(entry.place, &entry.node);
            error.value.clone_from(&entry.key);
            error
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let entry = self.current.take().ok_or_else(|| Misfit::new(Problem::Other("a value without a key".into())))?;
        let nested = matches!(entry.node.value, Value::Table(_) | Value::Null);
        let label = if nested { entry.place } else { entry.node.place };
        seed.deserialize(NodeDeserializer { node: &entry.node, label })
    }
}

struct Variant<'a> {
    name: &'a str,
    content: NodeDeserializer<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Misfit;
    type Variant = NodeDeserializer<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), Misfit> {
        Ok((seed.deserialize(StrDeserializer::<Misfit>::new(self.name))?, self.content))
    }
}

impl<'de> VariantAccess<'de> for NodeDeserializer<'_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        match self.node.value {
            Value::Text(_) => Ok(()),
            _ => Err(Misfit::new(Problem::Other("expected a single word".into())).at(self.label, self.node)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        de::Deserializer::deserialize_any(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Misfit> {
        de::Deserializer::deserialize_map(self, visitor)
    }
}

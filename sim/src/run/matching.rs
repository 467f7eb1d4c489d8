//! Comparing what is there with what a scenario expects.
//!
//! A table matches when it has at least the expected keys, a list when it has exactly the expected elements. A
//! mismatch names the first place that differs, so that a person need not compare two documents by eye.

use std::fmt;

use dzsim_scenario::plan::{Match, Ref};
use serde_json::Value;

/// What a reference stands for right now, or why it stands for nothing.
pub trait Resolve {
    /// The value.
    ///
    /// # Errors
    /// Why it has none.
    fn resolve(&self, reference: &Ref) -> Result<Value, String>;
}

/// The first place that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// Way from the root of the value, such as `[1].endpoint`; empty for the root.
    pub path: String,
    /// What was expected there.
    pub expected: String,
    /// What is there.
    pub actual: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "at {}: ", self.path)?;
        }
        write!(f, "expected {}, found {}", self.expected, self.actual)
    }
}

/// Whether the value is as expected.
///
/// # Errors
/// [`Mismatch`]: the first place where they differ.
pub fn check(expected: &Match, actual: &Value, refs: &dyn Resolve) -> Result<(), Mismatch> {
    compare(expected, actual, refs, &mut String::new())
}

fn compare(expected: &Match, actual: &Value, refs: &dyn Resolve, path: &mut String) -> Result<(), Mismatch> {
    let differs =
        |path: &str| Mismatch { path: path.to_owned(), expected: describe(expected, refs), actual: shorten(actual) };
    let holds = |truth: bool, path: &str| if truth { Ok(()) } else { Err(differs(path)) };
    match expected {
        Match::Null => holds(actual.is_null(), path),
        Match::Exists => holds(!actual.is_null(), path),
        Match::Bool(value) => holds(actual.as_bool() == Some(*value), path),
        Match::Int(value) => holds(integer(actual) == Some(*value), path),
        Match::Float(value) => holds(actual.as_f64() == Some(*value), path),
        Match::Text(text) => holds(actual.as_str() == Some(text), path),
        Match::Ref(reference) => match refs.resolve(reference) {
            Ok(value) => holds(*actual == value, path),
            Err(reason) => Err(Mismatch { expected: format!("{reference} ({reason})"), ..differs(path) }),
        },
        Match::Number(bound) => holds(integer(actual).is_some_and(|value| bound.holds(&value)), path),
        Match::Duration(bound) => {
            holds(actual.as_u64().is_some_and(|nanos| bound.holds(&std::time::Duration::from_nanos(nanos))), path)
        }
        Match::Table(entries) => {
            let Some(table) = actual.as_object() else { return Err(differs(path)) };
            entries.iter().try_for_each(|(key, expected)| {
                let value = table.get(key).unwrap_or(&Value::Null);
                within(path, &format!(".{key}"), |path| compare(expected, value, refs, path))
            })
        }
        Match::List(elements) => {
            let Some(list) = actual.as_array() else { return Err(differs(path)) };
            if list.len() != elements.len() {
                return Err(Mismatch {
                    path: path.clone(),
                    expected: format!("{} elements", elements.len()),
                    actual: format!("{}: {}", list.len(), shorten(actual)),
                });
            }
            elements.iter().zip(list).enumerate().try_for_each(|(index, (expected, value))| {
                within(path, &format!("[{index}]"), |path| compare(expected, value, refs, path))
            })
        }
        Match::Contains(parts) => parts.iter().try_for_each(|part| {
            let found = match (actual, part) {
                (Value::String(text), Match::Text(part)) => text.contains(part.as_str()),
                (Value::Array(list), part) => list.iter().any(|value| check(part, value, refs).is_ok()),
                _ => false,
            };
            holds(found, path)
        }),
        Match::Count(bound) => holds(count(actual).is_some_and(|count| bound.holds(&count)), path),
        Match::Matches(pattern) => holds(actual.as_str().is_some_and(|text| pattern.is_match(text)), path),
        Match::AnyOf(options) => holds(options.iter().any(|option| check(option, actual, refs).is_ok()), path),
        Match::Not(unwanted) => holds(check(unwanted, actual, refs).is_err(), path),
    }
}

fn within(
    path: &mut String,
    part: &str,
    inner: impl FnOnce(&mut String) -> Result<(), Mismatch>,
) -> Result<(), Mismatch> {
    let length = path.len();
    path.push_str(part);
    let result = inner(path);
    path.truncate(length);
    result
}

/// How many elements or keys a value has.
pub fn count(value: &Value) -> Option<u64> {
    let count = match value {
        Value::Array(list) => list.len(),
        Value::Object(table) => table.len(),
        Value::String(text) => text.chars().count(),
        _ => return None,
    };
    u64::try_from(count).ok()
}

fn integer(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

/// An expectation in words.
pub fn describe(expected: &Match, refs: &dyn Resolve) -> String {
    let list = |parts: &[Match]| parts.iter().map(|part| describe(part, refs)).collect::<Vec<_>>().join(", ");
    match expected {
        Match::Null => "nothing".to_owned(),
        Match::Exists => "something".to_owned(),
        Match::Bool(value) => value.to_string(),
        Match::Int(value) => value.to_string(),
        Match::Float(value) => value.to_string(),
        Match::Text(text) => format!("{text:?}"),
        Match::Ref(reference) => match refs.resolve(reference) {
            Ok(value) => format!("{value} ({reference})"),
            Err(reason) => format!("{reference} ({reason})"),
        },
        Match::Number(bound) => bound.to_string(),
        Match::Duration(bound) => format!("{} {:?}", bound.comparison, bound.value),
        Match::Table(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{key}: {}", describe(value, refs))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Match::List(elements) => format!("[{}]", list(elements)),
        Match::Contains(parts) => format!("to contain {}", list(parts)),
        Match::Count(bound) => format!("a count {bound}"),
        Match::Matches(pattern) => format!("a match of /{}/", pattern.as_str()),
        Match::AnyOf(options) => format!("one of {}", list(options)),
        Match::Not(unwanted) => format!("anything but {}", describe(unwanted, refs)),
    }
}

/// A value in one line that does not fill the screen; the artifacts have all of it.
fn shorten(value: &Value) -> String {
    const LONGEST: usize = 400;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    struct NoRefs;

    impl Resolve for NoRefs {
        fn resolve(&self, reference: &Ref) -> Result<Value, String> {
            Err(format!("{reference} is not known"))
        }
    }

    fn table(entries: &[(&str, Match)]) -> Match {
        Match::Table(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn a_table_may_have_more_keys_and_a_list_no_more_elements() {
        let expected = Match::List(vec![table(&[("name", Match::Text("doublezero0".to_owned()))])]);
        let one = json!([{"name": "doublezero0", "type": "ibrl"}]);
        assert_eq!(check(&expected, &one, &NoRefs), Ok(()));
        let two = json!([{"name": "doublezero0"}, {"name": "doublezero1"}]);
        let mismatch = check(&expected, &two, &NoRefs).unwrap_err();
        assert_eq!(mismatch.expected, "1 elements");
    }

    #[test]
    fn a_mismatch_names_the_place() {
        let expected = Match::List(vec![table(&[("endpoint", Match::Text("9.0.0.1".to_owned()))])]);
        let mismatch = check(&expected, &json!([{"endpoint": "9.0.0.2"}]), &NoRefs).unwrap_err();
        assert_eq!(mismatch.to_string(), r#"at [0].endpoint: expected "9.0.0.1", found "9.0.0.2""#);
    }

    #[test]
    fn a_missing_key_is_null() {
        assert_eq!(check(&table(&[("tenant", Match::Null)]), &json!({}), &NoRefs), Ok(()));
        assert!(check(&table(&[("tenant", Match::Exists)]), &json!({}), &NoRefs).is_err());
    }

    #[test]
    fn not_and_contains_look_into_lists() {
        let contains = Match::Contains(vec![Match::Int(2)]);
        assert_eq!(check(&contains, &json!([1, 2]), &NoRefs), Ok(()));
        assert!(check(&Match::Not(Box::new(contains)), &json!([1, 2]), &NoRefs).is_err());
    }
}

//! Puts variables in and unrolls rounds: one document becomes one tree for each case of its `matrix`, without
//! `for_each` and without `$name`.
//!
//! Everything happens in the tree, before it has types, so that a variable may stand anywhere a value may and a place
//! in the file stays what it was.

use std::collections::BTreeMap;

use crate::{
    diagnostic::{Sink, nearest},
    yaml::{Entry, Node, Value},
};

/// More cases or steps than this come from a slip, not from a wish.
const MAX_CASES: usize = 1_000;
const MAX_STEPS: usize = 20_000;

/// Keys under which lists of steps stand.
const STEP_LISTS: [&str; 4] = ["steps", "do", "while", "parallel"];

/// One combination of the matrix.
pub(crate) struct Expanded {
    /// `x=1,y=2`, or empty without a matrix.
    pub(crate) label: String,
    /// The values of its variables, as the label shows them.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) root: Node,
}

type Variables = BTreeMap<String, Node>;

/// The trees of all cases. Faults are reported; the parts that have them are left out.
pub(crate) fn expand(root: &Node, sink: &mut Sink<'_>) -> Vec<Expanded> {
    let mut expander = Expander { sink, steps: 0 };
    let combinations = match root.get("matrix") {
        Some(matrix) => expander.combinations(matrix),
        None => vec![Variables::new()],
    };
    combinations
        .into_iter()
        .map(|variables| {
            expander.steps = 0;
            let shown: BTreeMap<_, _> = variables.iter().map(|(name, node)| (name.clone(), label(node))).collect();
            let label: Vec<String> = shown.iter().map(|(name, value)| format!("{name}={value}")).collect();
            Expanded { label: label.join(","), variables: shown, root: expander.root(root, &variables) }
        })
        .collect()
}

/// How a value looks in the name of a case.
fn label(node: &Node) -> String {
    match &node.value {
        Value::Table(entries) => match entries.iter().find(|entry| entry.key == "name") {
            Some(entry) => label(&entry.node),
            None => entries
                .iter()
                .map(|entry| format!("{}:{}", entry.key, label(&entry.node)))
                .collect::<Vec<_>>()
                .join("+"),
        },
        Value::List(items) => items.iter().map(label).collect::<Vec<_>>().join("+"),
        value => value.to_string(),
    }
}

struct Expander<'s, 'a> {
    sink: &'s mut Sink<'a>,
    /// Rounds unrolled in the present case.
    steps: usize,
}

impl Expander<'_, '_> {
    fn error(&mut self, node: &Node, message: impl Into<String>, help: String) {
        // A table is pointed at by its first key.
        let place = match &node.value {
            Value::Table(entries) => entries.first().map_or(node.place, |entry| entry.place),
            _ => node.place,
        };
        let value = if let Value::Text(text) = &node.value { text.clone() } else { String::new() };
        self.sink.report(place, &node.path, &value, message.into(), help);
    }

    fn combinations(&mut self, matrix: &Node) -> Vec<Variables> {
        let mut all = vec![Variables::new()];
        let Value::Table(entries) = &matrix.value else {
            self.error(
                matrix,
                format!("expected a table of variables and their values, got {}", matrix.value),
                String::new(),
            );
            return all;
        };
        for entry in entries {
            let values = self.values(entry, &Variables::new());
            if all.len() * values.len().max(1) > MAX_CASES {
                self.error(matrix, format!("more than {MAX_CASES} cases"), String::new());
                return vec![Variables::new()];
            }
            all = all
                .iter()
                .flat_map(|variables| {
                    values.iter().map(|value| {
                        let mut variables = variables.clone();
                        variables.insert(entry.key.clone(), value.clone());
                        variables
                    })
                })
                .collect();
        }
        all
    }

    /// The values of a variable: a list, a range such as `1..20`, or one value.
    fn values(&mut self, entry: &Entry, variables: &Variables) -> Vec<Node> {
        let name = &entry.key;
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_name_char) {
            let message = "a variable's name is made of small letters, digits and `_`, a letter first";
            self.sink.report(entry.place, &entry.node.path, name, message.into(), String::new());
        }
        let node = self.node(&entry.node, variables);
        let values = match &node.value {
            Value::List(items) => items.clone(),
            Value::Text(text) => match range(text) {
                Some((first, last)) if first <= last && ((last - first) as usize) < MAX_STEPS => {
                    (first..=last).map(|n| Node { value: Value::Int(n.into()), ..node.clone() }).collect()
                }
                Some((first, last)) => {
                    let why = if first > last { "it ends before it begins" } else { "it is too long" };
                    self.error(&node, format!("not a usable range: {why}"), String::new());
                    Vec::new()
                }
                None => vec![node],
            },
            _ => vec![node],
        };
        if values.is_empty() {
            self.error(&entry.node, format!("the variable `{name}` has no value"), String::new());
        }
        values
    }

    fn root(&mut self, root: &Node, variables: &Variables) -> Node {
        let Value::Table(entries) = &root.value else { return root.clone() };
        let entries = entries
            .iter()
            .filter(|entry| entry.key != "matrix")
            .map(|entry| Entry { node: self.under(&entry.key, &entry.node, variables), ..entry.clone() })
            .collect();
        Node { value: Value::Table(entries), ..root.clone() }
    }

    fn under(&mut self, key: &str, node: &Node, variables: &Variables) -> Node {
        match &node.value {
            Value::List(items) if STEP_LISTS.contains(&key) => {
                let items = self.steps(items, key == "parallel", variables);
                Node { value: Value::List(items), ..node.clone() }
            }
            _ => self.node(node, variables),
        }
    }

    /// Steps with rounds unrolled; as branches of `parallel`, each a list of steps of its own.
    fn steps(&mut self, items: &[Node], branches: bool, variables: &Variables) -> Vec<Node> {
        let mut steps = Vec::new();
        for item in items {
            let rounds = match (&item.value, item.get("for_each")) {
                (_, Some(_)) => self.rounds(item, variables),
                (Value::List(inner), None) if branches => vec![self.steps(inner, false, variables)],
                _ => vec![vec![self.node(item, variables)]],
            };
            if branches {
                steps.extend(rounds.into_iter().map(|round| Node { value: Value::List(round), ..item.clone() }));
            } else {
                steps.extend(rounds.into_iter().flatten());
            }
        }
        steps
    }

    fn rounds(&mut self, step: &Node, variables: &Variables) -> Vec<Vec<Node>> {
        let Value::Table(entries) = &step.value else { return Vec::new() };
        for entry in entries.iter().filter(|entry| !["for_each", "do"].contains(&entry.key.as_str())) {
            let (message, help) = (format!("unknown key `{}`", entry.key), nearest(&entry.key, ["for_each", "do"]));
            self.sink.report(entry.place, &entry.node.path, &entry.key, message, help);
        }
        let Some(Node { value: Value::List(body), .. }) = step.get("do") else {
            self.error(step, "`for_each` needs a list of steps under `do`", String::new());
            return Vec::new();
        };
        let entry = match step.get("for_each").map(|node| &node.value) {
            Some(Value::Table(entries)) if entries.len() == 1 => &entries[0],
            _ => {
                let help = "such as { client: [val1, val2] } or { n: 1..20 }".to_owned();
                self.error(step, "`for_each` needs one variable and its values", help);
                return Vec::new();
            }
        };
        let mut rounds = Vec::new();
        for value in self.values(entry, variables) {
            self.steps += body.len();
            if self.steps > MAX_STEPS {
                self.error(step, format!("more than {MAX_STEPS} steps"), String::new());
                return Vec::new();
            }
            let mut inner = variables.clone();
            inner.insert(entry.key.clone(), value);
            rounds.push(self.steps(body, false, &inner));
        }
        rounds
    }

    fn node(&mut self, node: &Node, variables: &Variables) -> Node {
        let value = match &node.value {
            Value::Text(text) => {
                // A text that is nothing but a variable becomes the value itself, whatever it is.
                if let Some(Mention::Known { value, rest: "" }) =
                    text.strip_prefix('$').map(|at| mention(at, variables))
                {
                    return value.clone();
                }
                Value::Text(self.text(text, node, variables))
            }
            Value::List(items) => Value::List(items.iter().map(|item| self.node(item, variables)).collect()),
            Value::Table(entries) => Value::Table(
                entries
                    .iter()
                    .map(|entry| Entry {
                        key: self.text(&entry.key, &entry.node, variables),
                        place: entry.place,
                        node: self.under(&entry.key, &entry.node, variables),
                    })
                    .collect(),
            ),
            value => value.clone(),
        };
        Node { value, ..node.clone() }
    }

    /// `$name`, `$name.key` and `${name}` replaced; `$$` is a dollar sign, and so is one that no name follows.
    fn text(&mut self, text: &str, node: &Node, variables: &Variables) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            result.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                result.push('$');
                rest = after;
                continue;
            }
            match mention(rest, variables) {
                Mention::None => result.push('$'),
                Mention::Known { value, rest: after } => {
                    match &value.value {
                        Value::List(_) | Value::Table(_) => {
                            let shown = &rest[..rest.len() - after.len()];
                            let message =
                                format!("`${shown}` is {}, which only fits where it stands alone", value.value);
                            self.error(node, message, String::new());
                        }
                        value => result.push_str(&value.to_string()),
                    }
                    rest = after;
                }
                Mention::Unknown { shown, known, rest: after } => {
                    let help = match known.is_empty() {
                        true => "write `$$` for a dollar sign".to_owned(),
                        false => nearest(shown.rsplit('.').next().unwrap_or(shown), known),
                    };
                    let message = format!("unknown variable `${shown}`");
                    self.sink.report(node.place, &node.path, &format!("${shown}"), message, help);
                    rest = after;
                }
            }
        }
        result.push_str(rest);
        result
    }
}

/// What a dollar sign is about.
enum Mention<'v, 't> {
    /// Nothing: no name follows.
    None,
    /// A value, and the text behind it.
    Known { value: &'v Node, rest: &'t str },
    /// Nothing has this name; what would have been known in its place, and the text behind it.
    Unknown { shown: &'t str, known: Vec<&'v str>, rest: &'t str },
}

/// Reads what follows a dollar sign. Behind a variable that holds a table, `.key` leads into it; behind any other it is
/// text, as in `$device.endpoints.0`.
fn mention<'v, 't>(text: &'t str, variables: &'v Variables) -> Mention<'v, 't> {
    let (inner, after) = match text.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        Some((inner, after)) => (inner, Some(after)),
        None => (text, None),
    };
    let word = |text: &str| text.find(|c: char| !is_name_char(c)).unwrap_or(text.len());
    let mut end = word(inner);
    let name = &inner[..end];
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Mention::None;
    }
    let Some(mut value) = variables.get(name) else {
        let known = variables.keys().map(String::as_str).collect();
        return Mention::Unknown { shown: name, known, rest: after.unwrap_or(&inner[end..]) };
    };
    while let (Value::Table(entries), Some(tail)) = (&value.value, inner[end..].strip_prefix('.')) {
        let key = &tail[..word(tail)];
        end += 1 + key.len();
        match entries.iter().find(|entry| entry.key == key) {
            Some(entry) => value = &entry.node,
            None => {
                let known = entries.iter().map(|entry| entry.key.as_str()).collect();
                return Mention::Unknown { shown: &inner[..end], known, rest: after.unwrap_or(&inner[end..]) };
            }
        }
    }
    match after {
        None => Mention::Known { value, rest: &inner[end..] },
        Some(after) if end == inner.len() => Mention::Known { value, rest: after },
        Some(after) => {
            let known = variables.keys().map(String::as_str).collect();
            Mention::Unknown { shown: inner, known, rest: after }
        }
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

fn range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once("..")?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

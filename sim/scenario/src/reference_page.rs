//! The reference page of the language, written from the types' own JSON Schema and the tables of views, references and
//! comparisons: what a user reads is what the parser knows.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    json_schema,
    plan::{CHAIN_VIEWS, CLIENT_VIEWS, DEVICE_VIEWS, RUN_VIEWS},
    resolve::{FORMS, OPERATORS},
};

/// Above the generated part.
const HEAD: &str = "\
# Scenario reference

<!-- Generated from the types of sim/scenario; see docs/decisions/0053-docs-from-types.md. -->

A scenario is one YAML file: a network, and steps that say what an operator does and sees. `dzsim check FILE` validates
it, `dzsim run FILE` runs it. Unknown keys are errors. Anchors, aliases and tags are not part of the language: `for_each`
and `matrix` repeat. For editors there is [a JSON Schema](scenario.schema.json); a first line such as
`# yaml-language-server: $schema=../../docs/scenario.schema.json` makes many of them use it.

A key in **bold** is required.
";

/// The reference page, as Markdown.
pub fn reference() -> String {
    let root = json_schema();
    let mut page = Page { root: &root, text: HEAD.to_owned(), written: BTreeSet::new() };
    page.table("The file", &root);
    page.words();
    page.views();
    page.text
}

/// A type that is a table, and under which heading it is described.
struct Section<'s> {
    heading: String,
    schema: &'s Value,
}

struct Page<'s> {
    root: &'s Value,
    text: String,
    /// Headings that have been written or are about to be.
    written: BTreeSet<String>,
}

impl<'s> Page<'s> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A table of the language, and after it the tables within it that have not been described yet.
    fn table(&mut self, heading: &str, schema: &'s Value) {
        self.written.insert(heading.to_owned());
        let mut below = Vec::new();
        self.line(&format!("\n## {heading}\n"));
        for paragraph in paragraphs(schema) {
            self.line(&format!("{paragraph}\n"));
        }
        let required: BTreeSet<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let properties: Vec<(&str, &'s Value)> = properties(schema).collect();
        if let Some(options) = options(schema) {
            let options: Vec<String> = options.map(|option| self.value(option, &mut below)).collect();
            self.line(&format!("One of: {}.", options.join(", ")));
            return self.below(below);
        }
        if properties.is_empty() {
            return self.line("It has no keys yet.");
        }
        self.line("| key | value | meaning |\n|---|---|---|");
        let (first, rest): (Vec<_>, Vec<_>) = properties.iter().partition(|(key, _)| required.contains(key));
        for (key, value) in first.into_iter().chain(rest) {
            let shown = self.value(value, &mut below);
            let name = if required.contains(key) { format!("**`{key}`**") } else { format!("`{key}`") };
            let mut meaning = paragraphs(value).join(" ").replace('|', "\\|");
            if let Some(default) = default(value).filter(|_| !meaning.contains("Default:")) {
                meaning = format!("{}. Default: {default}.", meaning.trim_end_matches('.'));
            }
            self.line(&format!("| {name} | {shown} | {meaning} |"));
        }
        for (key, value) in properties {
            self.alternatives(key, value);
        }
        self.below(below);
    }

    fn below(&mut self, sections: Vec<Section<'s>>) {
        for section in sections {
            if !self.written.contains(&section.heading) {
                self.table(&section.heading, section.schema);
            }
        }
    }

    /// What may stand under a key, in a few words; tables in it are put on the list of those to describe.
    fn value(&self, schema: &'s Value, below: &mut Vec<Section<'s>>) -> String {
        if let Some(name) = reference_name(schema) {
            return self.named(name, self.definition(name), below);
        }
        if let Some(options) = options(schema) {
            let mut shown = Vec::new();
            for option in options {
                let option = self.value(option, below);
                if !shown.contains(&option) {
                    shown.push(option);
                }
            }
            return shown.join(" or ");
        }
        if let Some(words) = words(schema) {
            return words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        }
        match kind(schema) {
            Some("array") => format!("list: {}", self.value(&schema["items"], below)),
            Some("object") if schema["additionalProperties"].is_object() => {
                format!("by name: {}", self.value(&schema["additionalProperties"], below))
            }
            Some("object") => "table".to_owned(),
            Some("boolean") => "true or false".to_owned(),
            Some("integer") => "number".to_owned(),
            Some("number") => "decimal number".to_owned(),
            Some("string") => "text".to_owned(),
            _ => "anything".to_owned(),
        }
    }

    fn named(&self, name: &str, schema: &'s Value, below: &mut Vec<Section<'s>>) -> String {
        if schema["examples"].is_array() {
            return format!("[{}](#words)", spaced(name));
        }
        let tables = options(schema).into_iter().flatten().filter(|option| self.is_table(option)).count();
        if kind(schema) != Some("object") && tables < 2 {
            return self.value(schema, below);
        }
        let heading = spaced(name);
        below.push(Section { heading: heading.clone(), schema });
        format!("[{heading}](#{})", anchor(&heading))
    }

    fn is_table(&self, schema: &Value) -> bool {
        reference_name(schema).is_some_and(|name| kind(self.definition(name)) == Some("object"))
    }

    fn definition(&self, name: &str) -> &'s Value {
        &self.root["$defs"][name]
    }

    /// The words of an enumeration, if they have meanings of their own.
    fn alternatives(&mut self, key: &str, schema: &'s Value) {
        let Some(words) = self.enumeration(schema) else { return };
        if words.iter().any(|(_, meaning)| !meaning.is_empty()) {
            self.line(&format!("\nWords for `{key}`:\n"));
            for (word, meaning) in words {
                self.line(&format!("- `{word}`: {}", lower_first(&meaning)));
            }
        }
    }

    /// The words of the only enumeration that may stand here, alone or in a list.
    fn enumeration(&self, schema: &'s Value) -> Option<Vec<(String, String)>> {
        match reference_name(schema) {
            Some(name) => self.enumeration(self.definition(name)),
            None => match options(schema) {
                Some(mut options) => options.find_map(|option| self.enumeration(option)),
                None if kind(schema) == Some("array") => self.enumeration(&schema["items"]),
                None => words(schema),
            },
        }
    }

    /// Values that are written as one word with a unit.
    fn words(&mut self) {
        self.line("\n## Words\n\n| word | meaning | examples |\n|---|---|---|");
        let definitions = self.root["$defs"].as_object().into_iter().flatten();
        for (name, schema) in definitions.filter(|(_, schema)| schema["examples"].is_array()) {
            let examples = schema["examples"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let examples = examples.map(|example| format!("`{example}`")).collect::<Vec<_>>().join(", ");
            self.line(&format!("| {} | {} | {examples} |", spaced(name), paragraphs(schema).join(" ")));
        }
    }

    fn views(&mut self) {
        self.line(
            "\n## Views\n\nAn `expect` step names views, or places in them: words with dots between, list elements counted from 0,\n\
             `count` for how many there are, and keys with dots in brackets, such as `chain.passes[9.128.0.1].tenants.count`.\n\n\
             | view | shows |\n|---|---|",
        );
        let client = CLIENT_VIEWS.iter().map(|(word, _, shows)| ("<client>", word, shows));
        let device = DEVICE_VIEWS.iter().map(|(word, _, shows)| ("<device>", word, shows));
        let chain = CHAIN_VIEWS.iter().map(|(word, _, shows)| ("chain", word, shows));
        let run = RUN_VIEWS.iter().map(|(word, _, shows)| ("run", word, shows));
        for (owner, word, shows) in client.chain(device).chain(chain).chain(run) {
            self.line(&format!("| `{owner}.{word}` | {shows} |"));
        }
        self.line(
            "\n## Comparisons\n\nA table is a subset: keys that are not named are not compared. A list has the same elements in the same order.\n\
             A text that begins with one of `= != < <= > >=` compares a number or, with a unit, a time in nanoseconds. A table\n\
             whose only key is one of these compares in another way:\n\n| key | matches |\n|---|---|",
        );
        for (operator, matches) in OPERATORS {
            self.line(&format!("| `{operator}` | {matches} |"));
        }
        self.line(
            "\n## References\n\nA text of one of these forms stands for a value of the network, in commands and in expectations.\n\n\
             | such as | stands for |\n|---|---|",
        );
        for (.., form, stands_for) in FORMS {
            self.line(&format!("| `{form}` | {stands_for} |"));
        }
    }
}

/// The name of the definition that a schema refers to.
fn reference_name(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// The type, if there is one besides null.
fn kind(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    }
}

/// What may stand here by choice. Null and variables are left out: they may stand nearly everywhere.
fn options(schema: &Value) -> Option<impl Iterator<Item = &Value>> {
    let plain = |option: &&Value| option["type"] != "null" && reference_name(option) != Some(crate::VARIABLE);
    Some(schema["anyOf"].as_array()?.iter().filter(plain))
}

/// What holds without the key, where the schema says it in one word.
fn default(schema: &Value) -> Option<String> {
    match &schema["default"] {
        Value::String(word) => Some(word.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema["properties"].as_object().into_iter().flat_map(Map::iter).map(|(key, value)| (key.as_str(), value))
}

/// The words of an enumeration and what they mean.
fn words(schema: &Value) -> Option<Vec<(String, String)>> {
    if let Some(word) = schema["const"].as_str() {
        return Some(vec![(word.to_owned(), String::new())]);
    }
    if let Some(words) = schema["enum"].as_array() {
        return Some(words.iter().filter_map(Value::as_str).map(|word| (word.to_owned(), String::new())).collect());
    }
    let options = schema["oneOf"].as_array()?;
    let mut all = Vec::new();
    for option in options {
        let meaning = paragraphs(option).join(" ");
        all.extend(words(option)?.into_iter().map(|(word, _)| (word, meaning.clone())));
    }
    Some(all)
}

fn paragraphs(schema: &Value) -> Vec<String> {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split("\n\n").filter(|part| !part.is_empty()).map(|part| part.replace('\n', " ")).collect()
}

/// `ExpectStep` is `Expect step`.
fn spaced(name: &str) -> String {
    let mut text = String::new();
    for (index, c) in name.chars().enumerate() {
        if index > 0 && c.is_ascii_uppercase() {
            text.push(' ');
            text.push(c.to_ascii_lowercase());
        } else {
            text.push(c);
        }
    }
    text
}

/// How a heading is linked to.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .collect::<String>()
        .replace(' ', "-")
}

fn lower_first(text: &str) -> String {
    // Names such as SIGKILL stay as they are.
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

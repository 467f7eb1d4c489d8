//! The scenario language: from a YAML file to a plan with nothing left to question.
//!
//! A file is read in four steps, each in its own module: the parser's events become a tree in which every value knows
//! its place (`yaml`); variables are put in and rounds unrolled (`expand`); the tree is read into types that mirror
//! the file (`schema`, by `de`); and those are resolved into a [`Plan`] in which every default is taken and every name
//! known (`resolve`). What is wrong on the way is collected as [`Diagnostics`] with line and column.
//!
//! The crate touches nothing outside the text: no files, no clock, no network, and knows nothing of the products.
//!
//! ```
//! use dzsim_scenario::{Change, json_schema};
//!
//! assert_eq!(json_schema()["title"], "dzsim scenario");
//! let change: Change = "policy.endpoints_per_device=3".parse().expect("KEY=VALUE");
//! assert_eq!(change.to_string(), "policy.endpoints_per_device=3");
//! ```

mod deserialize;
mod diagnostic;
mod expand;
mod metros_and_commands;
mod misfits;
mod overrides;
pub mod plan;
mod reference_page;
mod resolve;
mod schema;
mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Look};
pub use metros_and_commands::{Lexicon, Refusal};
pub use overrides::{Change, ChangeError};
pub use plan::Plan;
pub use reference_page::reference;
pub use resolve::{Case, parse, parse_changed, review};

/// The definition of the JSON Schema that stands for `$name`.
const VARIABLE: &str = "Variable";

/// The JSON Schema of a scenario file, for editors.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(schema::File).to_value();
    admit_variables(&mut schema);
    schema["$defs"][VARIABLE] = serde_json::json!({
        "description": "A variable of `matrix` or `for_each`.",
        "type": "string",
        "pattern": "^\\$",
    });
    schema
}

/// The schema describes the file after variables have been put in; an editor sees it before. And a table without
/// required keys may be left out after its key.
fn admit_variables(schema: &mut serde_json::Value) {
    use serde_json::{Value, json};
    match schema {
        Value::Array(items) => items.iter_mut().for_each(admit_variables),
        Value::Object(table) => {
            table.values_mut().for_each(admit_variables);
            if is(table, "object") && !table.contains_key("required") && !table.contains_key("$schema") {
                table.insert("type".to_owned(), json!(["object", "null"]));
            } else if is_scalar(table) {
                let mut inner = std::mem::take(table);
                let mut outer = serde_json::Map::new();
                outer.extend(inner.remove_entry("description"));
                outer.extend(inner.remove_entry("default"));
                outer.insert("anyOf".to_owned(), json!([inner, { "$ref": format!("#/$defs/{VARIABLE}") }]));
                *table = outer;
            }
        }
        _ => {}
    }
}

fn is(table: &serde_json::Map<String, serde_json::Value>, kind: &str) -> bool {
    match table.get("type") {
        Some(serde_json::Value::Array(kinds)) => kinds.iter().any(|found| found == kind),
        found => found.is_some_and(|found| found == kind),
    }
}

/// Whether it is a number, a truth value or an enumeration: which a text that begins with `$` would not match.
fn is_scalar(table: &serde_json::Map<String, serde_json::Value>) -> bool {
    let number = ["integer", "boolean", "number"].into_iter().any(|kind| is(table, kind));
    table.contains_key("oneOf") || table.contains_key("enum") || (number && !is(table, "string"))
}

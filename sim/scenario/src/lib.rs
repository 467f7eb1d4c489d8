//! The scenario language: from a YAML file to a plan with nothing left to question.
//!
//! A file is read in four steps, each in its own module: the parser's events become a tree in which every value knows
//! its place (`node`); variables are put in and rounds unrolled (`expand`); the tree is read into types that mirror
//! the file (`schema`, by `de`); and those are resolved into a [`Plan`] in which every default is taken and every name
//! known (`resolve`). What is wrong on the way is collected as [`Diagnostics`] with line and column.
//!
//! The crate touches nothing outside the text: no files, no clock, no network, and knows nothing of the products.

mod de;
mod diagnostic;
mod expand;
mod metros;
mod node;
pub mod plan;
mod read;
mod resolve;
mod schema;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use metros::Metros;
pub use plan::Plan;
pub use resolve::{Case, parse};

/// The JSON Schema of a scenario file, for editors.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(schema::File).to_value()
}

//! State of the resolution of a file's steps.

use std::time::Duration;

use super::{command::Created, context::Context, known::Known};
use crate::{Lexicon, Plan, plan::Policy};

/// Resolves steps, one after another.
pub(super) struct Resolver<'c, 't, 's, 'a, 'p> {
    pub(super) context: &'c mut Context<'t, 's, 'a>,
    pub(super) plan: &'p Plan,
    pub(super) known: &'p Known,
    pub(super) policy: &'p Policy,
    pub(super) lexicon: &'p dyn Lexicon,
    pub(super) deadline: Duration,
    pub(super) created: Created,
    pub(super) snapshots: Vec<String>,
    /// Names of flows; the first has number 1.
    pub(super) flows: Vec<String>,
}

//! An RFC as a file that runs: Markdown whose claims name what proves them.
//!
//! [`document`] reads the Markdown, [`check`] finds what is missing or untrue in it, [`prove`] runs the proofs, [`create`]
//! starts a new one. The syntax is described in docs/rfc-guide.md.

pub mod check;
pub mod create;
pub mod document;
pub mod prove;
pub mod table;

pub use document::{Claim, Document, Figure, Id, Proof};

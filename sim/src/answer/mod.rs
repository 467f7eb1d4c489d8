//! Answers on top of runs: what many scenarios say together.

pub mod plot;
pub mod rfc;
pub mod table;

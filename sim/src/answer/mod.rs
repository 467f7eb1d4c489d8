//! Answers on top of runs: what many scenarios say together.

pub mod rfc;

//! Answers on top of runs: what many scenarios say together.

pub mod comparison;
pub mod evidence;
pub mod explore;
pub mod graph;
pub mod plot;
pub mod rfc;
pub mod runs;
pub mod shard;
pub mod table;

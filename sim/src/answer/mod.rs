//! Answers on top of runs: what many scenarios say together.

pub mod bench;
pub mod comparison;
pub mod evidence;
pub mod explore;
pub mod flowchart;
pub mod graph;
pub mod map;
pub mod plot;
pub mod rfc;
pub mod runs;
pub mod shard;
pub mod table;

//! Random histories over a network, with the oracle after each step; a failure is shrunk to a scenario file.
//!
//! [`draw`] draws steps, [`history`] writes them as a scenario, [`session`] runs histories until one fails or the time is
//! over, [`shrink`] takes away what a failure does not need. All randomness follows from one seed.

pub mod draw;
pub mod history;
pub mod session;
pub mod shrink;

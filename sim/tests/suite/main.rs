//! The tests of the simulator, in one binary because each that links the bank is large.

mod arrows;
mod bad_input;
mod scenarios;

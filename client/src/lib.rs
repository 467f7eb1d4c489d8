//! The client daemon doublezerod and the command line doublezero.

pub mod api;
pub mod cli;
pub mod daemon;
pub mod select;

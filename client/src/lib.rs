//! The client daemon doublezerod and the command line doublezero.

pub mod api;
pub mod daemon;
pub mod select;

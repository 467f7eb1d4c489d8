//! The client daemon doublezerod and the command line doublezero.

pub mod api;
pub mod chain;
pub mod cli;
pub mod daemon;
pub mod select;

pub use dz_service::LogFormat;

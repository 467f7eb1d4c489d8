//! The fabric with real kernels behind it: each test in namespaces of its own.

#[path = "../support/mod.rs"]
mod support;

mod capture;
mod faults;
mod internet;
mod links;

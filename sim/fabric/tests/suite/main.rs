//! The fabric with real kernels behind it: each test in namespaces of its own.

mod capture;
mod faults;
mod internet;
mod links;

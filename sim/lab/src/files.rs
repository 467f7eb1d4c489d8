//! The folder of the nodes' files.

/// The folder of the files of all nodes; each has a folder of its name in it, and `core` is for the rest.
pub const FILES: &str = "/run/dz";

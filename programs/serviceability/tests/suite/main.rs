//! The program on a test bank, natively or as bytecode (`SBF_OUT_DIR`), and its model.

mod global_config;
mod model;
mod support;

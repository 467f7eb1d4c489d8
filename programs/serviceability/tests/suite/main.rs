//! The program on a test bank, natively or as bytecode (`SBF_OUT_DIR`), and its model.

mod access_pass;
mod account_reuse;
mod addresses;
mod attacks;
mod compute_units;
mod contributor;
mod device;
mod exchange;
mod global_config;
mod hostile;
mod idl;
mod interface;
mod leaving;
mod link;
mod lists;
mod model;
mod multicast_group;
mod support;
mod tenant;
mod user;
mod user_life;

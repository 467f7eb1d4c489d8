//! The DoubleZero serviceability program: accounts, pools, lifecycles and their rules.

pub mod error;
pub mod instruction;
pub mod network;
pub mod pda;
pub mod state;

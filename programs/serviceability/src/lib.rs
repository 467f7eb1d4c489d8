//! The DoubleZero serviceability program: accounts, pools, lifecycles and their rules.

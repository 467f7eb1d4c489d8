//! The activator's tests: plans by table, and the whole of it against the program.

mod adversity;
mod histories;
mod invariants;
mod log;
mod operator;
mod plan_contributors;
mod plan_devices;
mod plan_rest;
mod plan_users;
mod process;
mod scripted;
mod world;

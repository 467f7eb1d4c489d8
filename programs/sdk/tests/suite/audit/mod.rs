//! The audit: a chain that the program made is sound, and each account that no instruction would write is found.

mod addresses;
mod chain;
mod counters;
mod genesis;
mod holdings;
mod interfaces;
mod links;
mod pools;
mod sound;
mod users;

//! Running scenarios: the parent that starts one process a case, and what happens in that process.

pub mod artifacts;
pub mod case;
pub mod chain;
pub mod controller;
pub mod diff;
pub mod events;
pub mod genesis;
pub mod http;
pub mod keys;
pub mod matching;
pub mod oracle;
pub mod parent;
pub mod paths;
pub mod phases;
pub mod progress;
pub mod relay;
pub mod roles;
pub mod routes;
pub mod rules;
pub mod steps;
pub mod tunnels;
pub mod view;
pub mod world;

//! Running scenarios: the parent that starts one process a case, and what happens in that process.
//!
//! Rooms: the facts of a run (`keys`, `events`, `logs`, `artifacts`, `protocol`, `genesis`, `internet`, `roles`), its state
//! (`world`), what can be looked at (`view`), what acts (`announcements`, `path_rules`, `steps`) and what judges
//! (`oracle`), and bring-up and order of all that (`bring_up`, `case`, `parent`). Each uses only those before it; steps
//! and oracle do not know each other. A test holds it (`sim/tests/suite/rooms.rs`).

pub mod announcements;
pub mod artifacts;
pub mod bring_up;
pub mod case;
pub mod controller;
pub mod diff;
pub mod error;
pub mod events;
pub mod genesis;
pub mod http;
pub mod internet;
pub mod keys;
pub mod logs;
pub mod matching;
pub mod measure;
pub mod oracle;
pub mod parent;
pub mod path_rules;
pub mod phases;
pub mod ports;
pub mod protocol;
pub mod roles;
pub mod seeds;
pub mod steps;
pub mod view;
pub mod world;

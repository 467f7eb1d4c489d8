//! One case, in its own process: the network, its steps and the oracle.
//!
//! Rooms: the facts of a run (`keys`, `logs`, `limits`, `events`, `artifacts`, `network`, `protocol`, `relevance`, `genesis`,
//! `internet`, `roles`, `lateness`), its state (`world`), what can be looked at (`view`), what acts (`route_announcements`, `stop`,
//! `transitions`, `path_rules`, `steps`) and what judges (`oracle`), and bring-up and order of all that (`bring_up`, `case`). Each
//! uses only those before it; steps and oracle do not know each other. A test holds it (`sim/tests/suite/rooms.rs`).

pub mod artifacts;
pub mod bring_up;
pub mod case;
pub mod controller;
pub mod diff;
pub mod error;
pub mod events;
pub mod genesis;
pub mod http;
pub mod interface_names;
pub mod internet;
pub mod keys;
pub mod lateness;
pub mod limits;
pub mod logs;
pub mod matching;
pub mod measure;
pub mod network;
pub mod oracle;
pub mod path_rules;
pub mod phases;
pub mod protocol;
pub mod relevance;
pub mod roles;
pub mod route_announcements;
pub mod seeds;
pub mod steps;
pub mod stop;
pub mod transitions;
pub mod view;
pub mod world;

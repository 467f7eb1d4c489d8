//! Output and structure of the simulator. Its main tests are the scenarios: `../scenarios.rs`.

mod arrows;
mod bad_input;
mod bench;
mod bugs;
mod capture;
mod circles;
mod decisions;
mod documents;
mod evidence;
mod examples;
mod idle;
mod ledger;
mod library;
mod progress;
mod repeatable;
mod replay;
mod rfc;
mod rooms;
mod runner;
mod starved;
mod support;
mod words;
mod worlds;

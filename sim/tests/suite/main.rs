//! What the simulator says and how it is cut. Its main tests are the scenarios: `../scenarios.rs`.

mod arrows;
mod bad_input;
mod decisions;
mod repeatable;
mod rooms;
mod runner;
mod support;
mod worlds;

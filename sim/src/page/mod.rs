//! Pages that show answers: each one file that asks for nothing else, for any width, light and dark, with a table for each
//! picture. One part of a page is one file here; `record` reads what the parts show.

mod axis;
mod claims;
mod comparison;
mod failure;
mod network;
mod packets;
mod pools;
mod record;
mod run;
mod shell;
mod sweep;
mod timeline;
mod traffic;

pub use claims::page as claims;
pub use comparison::page as comparison;
pub use record::{Record, relative};
pub use run::page as run;
pub use sweep::page as sweep;

#[cfg(test)]
mod tests;

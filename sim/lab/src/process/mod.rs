//! Processes in nodes: described by a [`Spawn`], held by a [`Process`].
//!
//! A process starts in the network namespace of its node, in a process group of its own, with nothing inherited but what
//! its description names. Its end is a fact that any number of tasks may wait for; nothing here depends on `SIGCHLD`, so
//! the program may use other ways of starting processes beside this one.

mod environment;
mod error;
mod exit;
mod handle;
mod launch;
mod notify;
mod output;
mod spawn;

pub use error::RunError;
pub use exit::{Exit, Exited};
pub use handle::Process;
pub use output::Finished;
pub use spawn::{Host, Ready, Spawn};

pub(crate) use handle::Place;
pub(crate) use launch::{Launch, Stdio};

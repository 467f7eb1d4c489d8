//! Namespaces, nodes, processes and their clean-up.
//!
//! A scenario lives in one process tree in its own user, mount, pid and network namespaces ([`enter`]). In it, a
//! [`Lab`] holds nodes, which are further network namespaces, and starts processes in them. Everything that the lab
//! makes belongs to the pid namespace, so the kernel removes all of it when the tree dies, however it dies.
//!
//! The lab knows no product and no scenario: it is given names, interfaces, addresses and command lines.
//!
//! ```
//! use dzsim_lab::{NodeName, doctor};
//!
//! // Names become file and interface names, so they are checked once.
//! assert!(NodeName::new("nyc1").is_ok() && NodeName::new("../nyc1").is_err());
//! for capability in doctor::check().capabilities {
//!     println!("{}", capability.name);
//! }
//! ```

pub mod attach;
pub mod doctor;
mod enter;
mod error;
mod files;
mod lab;
mod name;
mod namespace_processes;
mod node;
mod node_threads;
mod port;
mod process;
mod sysctl;

pub use enter::{EnterError, Entered, Step, bind_to_me, enter};
pub use error::LabError;
pub use files::FILES;
pub use lab::Lab;
pub use name::{InvalidName, NodeName, PortName, RoleName};
pub use node::{NewNode, Node, NodeError, NodeKind, NodeSpec};
pub use port::{PortError, PortSpec};
pub use process::{Exit, Exited, Finished, Host, Process, Ready, RunError, Spawn};

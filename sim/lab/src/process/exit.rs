//! Exit status of a process.

use std::fmt;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use serde::Serialize;

use crate::name::{NodeName, RoleName};

/// Exit status of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

impl Exit {
    /// Whether it ended with code 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    pub(crate) fn of(status: WaitStatus) -> nix::Result<Self> {
        match status {
            WaitStatus::Exited(_, code) => Ok(Self::Code(code)),
            WaitStatus::Signaled(_, signal, _) => Ok(Self::Signal(signal as i32)),
            _ => Err(Errno::EINVAL),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => match Signal::try_from(signal) {
                Ok(signal) => f.write_str(signal.as_str()),
                Err(_) => write!(f, "signal {signal}"),
            },
        }
    }
}

/// The end of a process that the lab started, as an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exited {
    /// Its node; `None` for the core.
    pub node: Option<NodeName>,
    /// Its role.
    pub role: RoleName,
    /// How it ended.
    pub exit: Exit,
    /// Whether the lab was asked to end it.
    pub asked: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_shell_says_it() {
        assert_eq!(Exit::Code(3).to_string(), "exit code 3");
        assert_eq!(Exit::Signal(libc::SIGKILL).to_string(), "SIGKILL");
        assert_eq!(Exit::Signal(40).to_string(), "signal 40");
    }
}

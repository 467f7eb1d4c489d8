//! Kernel parameters under `/proc/sys/net`, which are those of the calling thread's namespace.

use std::fs;
use std::io;
use std::path::PathBuf;

/// Why a parameter could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("sysctl {name}: {source}")]
pub struct SysctlError {
    name: String,
    source: io::Error,
}

impl SysctlError {
    /// The parameter of that path could not be read or written.
    pub fn new(name: &str, source: io::Error) -> Self {
        Self { name: name.to_owned(), source }
    }
}

/// Reads a parameter by its path, such as `net/ipv4/ip_forward`.
///
/// # Errors
/// There is no such parameter, or the kernel refuses the value.
pub fn read(name: &str) -> Result<String, SysctlError> {
    tracing::trace!(name, "read sysctl");
    let text = fs::read_to_string(path(name)).map_err(|source| SysctlError::new(name, source))?;
    Ok(text.trim().to_owned())
}

/// Sets a parameter by its path; what is already so is not written.
///
/// # Errors
/// There is no such parameter, or the kernel refuses the value.
pub fn write(name: &str, value: &str) -> Result<(), SysctlError> {
    tracing::trace!(name, value, "write sysctl");
    if read(name)? == value {
        return Ok(());
    }
    fs::write(path(name), value).map_err(|source| SysctlError::new(name, source))
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/proc/sys").join(name)
}

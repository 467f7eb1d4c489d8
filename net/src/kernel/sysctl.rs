//! Kernel parameters under `/proc/sys/net`, which are those of the calling thread's namespace.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

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

/// Parameters that are read again and again, as open files. To open one costs more the more namespaces there are, as
/// the kernel finds it among those of the same name in all of them (`proc_sys_compare`, fs/proc/proc_sysctl.c).
#[derive(Debug, Default)]
pub(crate) struct Opened(Mutex<BTreeMap<String, File>>);

impl Opened {
    /// More are not kept open: those of interfaces that are gone are closed in this way, too.
    const MOST: usize = 256;

    /// As [`read`].
    pub(crate) fn read(&self, name: &str) -> Result<String, SysctlError> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // That of an interface that has gone can be read no more, even if another one has its name.
        if let Some(text) = files.get(name).and_then(|file| text_of(file).ok()) {
            return Ok(text);
        }
        tracing::trace!(name, "open sysctl");
        let opened = File::open(path(name)).and_then(|file| Ok((text_of(&file)?, file)));
        let (text, file) = opened.map_err(|source| SysctlError::new(name, source))?;
        if files.len() >= Self::MOST {
            files.clear();
        }
        files.insert(name.to_owned(), file);
        Ok(text)
    }
}

/// The value of a parameter now: what is read from the start is what it is at that time.
fn text_of(mut file: &File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
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

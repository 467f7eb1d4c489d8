//! The file of the program that runs. A case runs in another process of it.

use std::{
    ffi::{CStr, OsStr},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// The path of this program's file. It is known without `/proc`, too.
///
/// # Errors
/// Neither `/proc` nor the kernel's auxiliary vector names a file that is there.
pub(crate) fn path() -> io::Result<PathBuf> {
    std::env::current_exe().or_else(|error| as_started().map_or(Err(error), Path::canonicalize))
}

/// The path by which the kernel started this program (getauxval(3), `AT_EXECFN`). A relative one counts from the working
/// directory of that moment, which this program never changes.
fn as_started() -> Option<&'static Path> {
    // SAFETY: the call reads a value that the kernel has put there.
    let name = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const libc::c_char;
    if name.is_null() {
        return None;
    }
    // SAFETY: it is not null, and the text lies in the process's initial stack, which lives as long as the process.
    let name = unsafe { CStr::from_ptr(name) };
    Some(Path::new(OsStr::from_bytes(name.to_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_lead_to_the_same_file() {
        let started = as_started().map(Path::canonicalize).transpose().unwrap();
        assert_eq!(started, Some(std::env::current_exe().unwrap()));
    }
}

//! The maps of user and group ids of a new user namespace, as user_namespaces(7) defines them.
//!
//! Root maps every id that it has to itself, so that files of other users stay what they are: under `sudo` the
//! artifacts folder often belongs to another user. Other users may map one id only, and maps their own to root.

use nix::errno::Errno;
use nix::unistd::{Pid, getegid, geteuid};

/// Writes both maps of the user namespace of `child`, which the caller has just made.
pub(super) fn write(child: Pid) -> nix::Result<()> {
    if geteuid().is_root() && write_all(child).is_ok() {
        return Ok(());
    }
    // A user without privileges may write the map of groups only after giving up setgroups(2).
    put(child, "setgroups", "deny")?;
    put(child, "uid_map", &single(geteuid().as_raw()))?;
    put(child, "gid_map", &single(getegid().as_raw()))
}

fn write_all(child: Pid) -> nix::Result<()> {
    for map in ["uid_map", "gid_map"] {
        let own = std::fs::read_to_string(format!("/proc/self/{map}")).map_err(errno)?;
        put(child, map, &identity(&own).ok_or(Errno::EINVAL)?)?;
    }
    Ok(())
}

/// The map that gives a child namespace each id of a namespace whose own map is `own`. Ids are those of `own`'s
/// first column; a line is `inside outside count`.
fn identity(own: &str) -> Option<String> {
    own.lines()
        .map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let (inside, _, count) = (fields.next()?, fields.next()?, fields.next()?);
            Some(format!("{inside} {inside} {count}\n"))
        })
        .collect()
}

fn single(id: u32) -> String {
    format!("0 {id} 1\n")
}

fn put(child: Pid, file: &str, text: &str) -> nix::Result<()> {
    std::fs::write(format!("/proc/{child}/{file}"), text).map_err(errno)
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_keeps_every_id_it_has() {
        assert_eq!(identity("         0          0 4294967295\n").unwrap(), "0 0 4294967295\n");
        assert_eq!(identity("0 100000 65536\n65536 7 1\n").unwrap(), "0 0 65536\n65536 65536 1\n");
        assert_eq!(identity("0 0\n"), None);
    }

    #[test]
    fn a_user_becomes_root() {
        assert_eq!(single(1000), "0 1000 1\n");
    }
}

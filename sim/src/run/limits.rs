//! Errors that say that this machine has no more of something: a network that does not come up because of one has neither
//! passed nor failed.

use std::io;

use nix::errno::Errno;

/// What there is no more of, and what to do about it.
const LIMITS: [(Errno, &str); 7] = [
    (Errno::EMFILE, "a process may not open more files: raise `ulimit -n`"),
    (Errno::ENFILE, "the machine may not open more files: raise the sysctl fs.file-max"),
    (Errno::EAGAIN, "there may be no more processes or threads: raise `ulimit -u`, or pids.max of the control group"),
    (Errno::ENOMEM, "there is no more memory"),
    (Errno::ENOBUFS, "the kernel has no more memory for the network"),
    (Errno::ENOSPC, "the disk is full, or there may be no more namespaces: see the sysctls user.max_*_namespaces"),
    (Errno::EDQUOT, "the quota of the disk is used up"),
];

/// The limit that an error is about, if it is about one.
pub fn of(error: &anyhow::Error) -> Option<&'static str> {
    let known = |errno: Errno| LIMITS.iter().find(|(limit, _)| *limit == errno).map(|(_, what)| *what);
    let typed = error.chain().find_map(|cause| {
        let system = cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error).map(Errno::from_raw);
        known(system.or_else(|| cause.downcast_ref::<Errno>().copied())?)
    });
    // What another process said is text by the time it is here.
    let told = || {
        let text = format!("{error:#}");
        LIMITS.iter().find(|(errno, _)| text.contains(&format!("(os error {})", *errno as i32))).map(|(_, what)| *what)
    };
    typed.or_else(told)
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn a_limit_is_found_however_deep_it_is() {
        let files = io::Error::from_raw_os_error(Errno::EMFILE as i32);
        let deep = Err::<(), _>(files).context("opening /dev/net/tun").context("node nyc1").unwrap_err();
        assert!(of(&deep).unwrap().contains("ulimit -n"));
        assert!(of(&anyhow::Error::from(Errno::ENOSPC)).unwrap().contains("namespaces"));
        assert!(
            of(&anyhow!("val1.doublezerod: error: Too many open files (os error 24)")).unwrap().contains("ulimit -n")
        );
    }

    #[test]
    fn what_is_no_limit_is_a_failure() {
        assert_eq!(of(&anyhow!("the activator ended before it was ready")), None);
        assert_eq!(of(&anyhow::Error::from(Errno::EINVAL)), None);
        assert_eq!(of(&anyhow!("(os error 240)")), None);
    }
}

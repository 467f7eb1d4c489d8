//! Settings and sizes of the machine that explain a refusal.

use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::geteuid;

/// What was read. `None` is a setting that this kernel does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the caller is root.
    pub root: bool,
    /// Whether there is no `/proc`, as in a plain chroot.
    pub without_proc: bool,
    /// Whether `/` is no mount point, as in a plain chroot.
    pub chrooted: bool,
    /// `user.max_user_namespaces`.
    pub max_user_namespaces: Option<u64>,
    /// `kernel.unprivileged_userns_clone`, of Debian and others.
    pub unprivileged_userns_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, of Ubuntu.
    pub apparmor_restrict: Option<u64>,
    /// Whether system calls are filtered (seccomp), as in a container.
    pub filtered: bool,
    /// Whether the kernel has the TUN driver, so that only its device file can be missing.
    pub tun_driver: bool,
    /// Memory that is available, in MiB.
    pub memory: Option<u64>,
    /// How many files a process may have open at most.
    pub files: Option<u64>,
}

impl Facts {
    /// Reads them.
    pub fn read() -> Self {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
        let field = |path: &str, name: &str| -> Option<u64> {
            let text = fs::read_to_string(path).ok()?;
            text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        };
        let mounts = fs::read_to_string("/proc/self/mountinfo");
        // The fifth field of a line is the mount point (proc_pid_mountinfo(5)); those outside the root are not shown.
        let is_root = |line: &str| line.split_whitespace().nth(4) == Some("/");
        Self {
            root: geteuid().is_root(),
            without_proc: mounts.is_err(),
            chrooted: mounts.is_ok_and(|text| !text.lines().any(is_root)),
            max_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
            unprivileged_userns_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restrict: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            filtered: field("/proc/self/status", "Seccomp:") == Some(2),
            tun_driver: fs::read_to_string("/proc/misc")
                .is_ok_and(|text| text.lines().any(|line| line.ends_with(" tun"))),
            memory: field("/proc/meminfo", "MemAvailable:").map(|kib| kib / 1024),
            files: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(_, hard)| hard),
        }
    }
}

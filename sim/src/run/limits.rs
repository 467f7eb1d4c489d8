//! Errors that say that this machine has no more of something: a run that ends because of one has neither passed nor
//! failed.

use nix::errno::Errno;

use super::logs::LogLine;

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

/// Those that a socket or a queue also reports in the ordinary course of things.
const ORDINARY: [Errno; 2] = [Errno::EAGAIN, Errno::ENOBUFS];

/// The limit that the text of an error is about, if it is about one.
pub fn of(text: &str) -> Option<&'static str> {
    named(text).map(|(_, what)| what)
}

/// The limit that a process ran into, according to its log.
pub fn logged(lines: &[LogLine]) -> Option<&'static str> {
    let serious = lines.iter().filter(|line| matches!(line.level.as_str(), "WARN" | "ERROR" | ""));
    serious.filter_map(|line| named(&line.message)).find(|(errno, _)| !ORDINARY.contains(errno)).map(|(_, what)| what)
}

/// As [`io::Error`](std::io::Error) writes it, or as [`Errno`] does.
fn named(text: &str) -> Option<(Errno, &'static str)> {
    let says =
        |errno: Errno| text.contains(&format!("(os error {})", errno as i32)) || text.contains(&errno.to_string());
    LIMITS.into_iter().find(|(errno, _)| says(*errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_found_in_the_texts_of_both_kinds_of_errors() {
        let files = std::io::Error::from_raw_os_error(Errno::EMFILE as i32);
        assert!(of(&format!("node nyc1: opening /dev/net/tun: {files}")).unwrap().contains("ulimit -n"));
        assert!(of(&format!("fork: {}", Errno::EAGAIN)).unwrap().contains("ulimit -u"));
        assert!(of("(os error 28)").unwrap().contains("namespaces"));
    }

    #[test]
    fn what_is_no_limit_is_a_failure() {
        assert_eq!(of("the activator ended before it was ready"), None);
        assert_eq!(of(&Errno::EINVAL.to_string()), None);
        assert_eq!(of("(os error 240)"), None);
    }

    #[test]
    fn a_log_says_it_in_a_warning_or_a_panic() {
        let line = |level: &str, message: &str| LogLine {
            t_ns: 0,
            who: "val1.doublezerod".to_owned(),
            level: level.to_owned(),
            message: message.to_owned(),
        };
        let full = "cannot keep the state error=No space left on device (os error 28)";
        assert_eq!(logged(&[line("WARN", full)]), of(full));
        assert_eq!(logged(&[line("", "panicked: Too many open files (os error 24)")]), of("(os error 24)"));
        assert_eq!(logged(&[line("DEBUG", full)]), None);
        assert_eq!(logged(&[line("WARN", "recv: Resource temporarily unavailable (os error 11)")]), None);
    }
}

//! The fix for a capability that is missing: a command where there is one.

use nix::errno::Errno;

use super::{Facts, Probe};

/// The remedy for a refusal.
pub(super) fn of(probe: Probe, errno: Errno, facts: &Facts) -> String {
    match probe {
        // Without it neither the settings can be read nor can any of these work.
        Probe::User | Probe::Proc | Probe::Sysctl if facts.without_proc => PROC.to_owned(),
        Probe::Mount if errno == Errno::EINVAL => CHROOT.to_owned(),
        Probe::User => user_namespaces(facts),
        Probe::Net | Probe::Mount | Probe::Pid if errno == Errno::ENOSPC => {
            let which = match probe {
                Probe::Net => "net",
                Probe::Mount => "mnt",
                _ => "pid",
            };
            format!("sudo sysctl -w user.max_{which}_namespaces=15000")
        }
        Probe::Net | Probe::Mount | Probe::Pid => user_namespaces(facts),
        Probe::Proc if errno == Errno::EPERM => {
            "start the container with: --security-opt systempaths=unconfined".to_owned()
        }
        Probe::Proc | Probe::Run if facts.apparmor_restrict == Some(1) => APPARMOR.to_owned(),
        Probe::Proc => "a kernel with CONFIG_PROC_FS=y".to_owned(),
        Probe::Run if errno == Errno::ENOENT => "sudo mkdir /run".to_owned(),
        Probe::Run => "a kernel with CONFIG_TMPFS=y".to_owned(),
        Probe::Sysctl => "sudo mount -o remount,rw /proc/sys".to_owned(),
        Probe::PidFd => "Linux 5.3 or later".to_owned(),
        Probe::TunOpen => match errno {
            Errno::EACCES | Errno::EPERM if facts.filtered => {
                "start the container with: --device /dev/net/tun; on its host: sudo chmod 0666 /dev/net/tun".to_owned()
            }
            Errno::EACCES | Errno::EPERM => "sudo chmod 0666 /dev/net/tun".to_owned(),
            Errno::ENOENT if facts.filtered => "start the container with: --device /dev/net/tun".to_owned(),
            Errno::ENOENT if facts.tun_driver => TUN_FILE.to_owned(),
            _ => "sudo modprobe tun".to_owned(),
        },
        Probe::TunCreate => "sudo modprobe tun".to_owned(),
        Probe::Raw if errno == Errno::EPERM => user_namespaces(facts),
        Probe::Raw => "a kernel with CONFIG_INET=y".to_owned(),
        Probe::Rules => "a kernel with CONFIG_IP_MULTIPLE_TABLES=y".to_owned(),
        Probe::Multicast => "a kernel with CONFIG_IP_MROUTE=y".to_owned(),
        Probe::Loopback => "sudo modprobe dummy".to_owned(),
        Probe::Gre => "sudo modprobe ip_gre".to_owned(),
        Probe::Dummy => "sudo modprobe dummy".to_owned(),
    }
}

const PROC: &str = "sudo mount -t proc proc /proc";
const CHROOT: &str = "the root folder is no mount point, as in a plain chroot: before entering it, sudo mount --bind DIR DIR, or \
                      enter it with: sudo systemd-nspawn -D DIR --bind=/dev/net/tun";
const TUN_FILE: &str = "sudo mkdir -p /dev/net && sudo mknod -m 0666 /dev/net/tun c 10 200";
const APPARMOR: &str = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";

fn user_namespaces(facts: &Facts) -> String {
    if facts.max_user_namespaces == Some(0) {
        "sudo sysctl -w user.max_user_namespaces=15000".to_owned()
    } else if facts.unprivileged_userns_clone == Some(0) && !facts.root {
        "sudo sysctl -w kernel.unprivileged_userns_clone=1".to_owned()
    } else if facts.apparmor_restrict == Some(1) && !facts.root {
        APPARMOR.to_owned()
    } else if facts.filtered {
        "start the container with: --security-opt seccomp=unconfined --security-opt systempaths=unconfined \
         --security-opt apparmor=unconfined --device /dev/net/tun"
            .to_owned()
    } else if facts.root {
        "give this root the capability CAP_SYS_ADMIN".to_owned()
    } else if facts.chrooted {
        "a user namespace cannot be made in a chroot: run as root, or outside".to_owned()
    } else if facts.max_user_namespaces.is_none() {
        "a kernel with CONFIG_USER_NS=y, or run as root".to_owned()
    } else {
        "run as root".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Facts {
        Facts { max_user_namespaces: Some(15000), ..Facts::default() }
    }

    #[test]
    fn names_the_setting_that_forbids_user_namespaces() {
        let cases = [
            (Facts { max_user_namespaces: Some(0), ..open() }, "sudo sysctl -w user.max_user_namespaces=15000"),
            (
                Facts { unprivileged_userns_clone: Some(0), ..open() },
                "sudo sysctl -w kernel.unprivileged_userns_clone=1",
            ),
            (
                Facts { apparmor_restrict: Some(1), ..open() },
                "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (Facts::default(), "a kernel with CONFIG_USER_NS=y, or run as root"),
            (open(), "run as root"),
        ];
        for (facts, fix) in cases {
            assert_eq!(of(Probe::User, Errno::EPERM, &facts), fix, "{facts:?}");
        }
        // Ubuntu lets the user namespace be made and takes the capabilities in it away.
        let ubuntu = Facts { apparmor_restrict: Some(1), ..open() };
        assert_eq!(of(Probe::Net, Errno::EPERM, &ubuntu), APPARMOR);
    }

    #[test]
    fn root_is_never_advised_to_be_root() {
        let probes = Probe::ALL.into_iter();
        for (probe, errno) in probes.flat_map(|probe| [Errno::EPERM, Errno::EACCES, Errno::EINVAL].map(|e| (probe, e)))
        {
            for chrooted in [false, true] {
                let facts = Facts { root: true, chrooted, ..open() };
                let fix = of(probe, errno, &facts);
                assert!(!fix.contains("run as root"), "{probe:?} {errno}: {fix}");
            }
        }
    }

    #[test]
    fn a_plain_chroot_is_named() {
        let user = Facts { chrooted: true, ..open() };
        assert_eq!(
            of(Probe::User, Errno::EPERM, &user),
            "a user namespace cannot be made in a chroot: run as root, or outside"
        );
        assert_eq!(of(Probe::Mount, Errno::EINVAL, &user), CHROOT);
        let bare = Facts { without_proc: true, ..Facts::default() };
        assert_eq!(of(Probe::User, Errno::EPERM, &bare), PROC);
    }

    #[test]
    fn tells_a_closed_tun_device_from_a_missing_one() {
        assert_eq!(of(Probe::TunOpen, Errno::EACCES, &open()), "sudo chmod 0666 /dev/net/tun");
        assert_eq!(of(Probe::TunOpen, Errno::ENOENT, &open()), "sudo modprobe tun");
        assert_eq!(of(Probe::TunOpen, Errno::ENODEV, &open()), "sudo modprobe tun");
        assert_eq!(of(Probe::TunOpen, Errno::ENOENT, &Facts { tun_driver: true, ..open() }), TUN_FILE);
        let container = Facts { filtered: true, tun_driver: true, ..open() };
        assert_eq!(of(Probe::TunOpen, Errno::ENOENT, &container), "start the container with: --device /dev/net/tun");
    }

    #[test]
    fn tells_a_limit_from_a_refusal() {
        assert_eq!(of(Probe::Net, Errno::ENOSPC, &open()), "sudo sysctl -w user.max_net_namespaces=15000");
        assert_eq!(of(Probe::Net, Errno::EPERM, &open()), "run as root");
    }
}

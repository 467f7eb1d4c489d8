//! Trial of each capability, in a fork of the calling process that reports its result and ends.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, PipeWriter, Write};
use std::net::Ipv4Addr;

use dz_net::kernel::{Added, GreInfo, LinkKind, LinkSpec, Netlink, NetlinkError, RuleInfo};
use dz_net::tun::{Tun, TunError, TunSpec};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid};
use socket2::{Domain, Protocol, Socket, Type};

use super::Probe;
use crate::enter::pidfd_open;

/// Outcomes by probe: the error number of a refusal. What is not in it could not be tried.
pub(super) type Outcomes = BTreeMap<Probe, Result<(), i32>>;

/// Tries everything.
pub(super) fn run() -> Outcomes {
    let mut outcomes = Outcomes::new();
    let Ok((reader, writer)) = io::pipe() else { return outcomes };
    // SAFETY: the child makes system calls, and allocates, which the C library keeps usable after a fork; it ends
    // without running what this process registered to run at its exit.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            drop(reader);
            in_fork(Teller(writer));
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) }
        }
        Ok(ForkResult::Parent { child }) => {
            drop(writer);
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                if let Ok((probe, outcome)) = serde_json::from_str(&line) {
                    outcomes.insert(probe, outcome);
                }
            }
            while waitpid(child, None) == Err(Errno::EINTR) {}
        }
        Err(errno) => {
            outcomes.insert(Probe::User, Err(errno as i32));
        }
    }
    outcomes
}

/// The way back to the caller.
struct Teller(PipeWriter);

impl Teller {
    /// Reports an outcome, and whether it was good.
    fn tell(&mut self, probe: Probe, outcome: Result<(), Errno>) -> bool {
        if let Ok(mut line) = serde_json::to_vec(&(probe, outcome.map_err(|e| e as i32))) {
            line.push(b'\n');
            // Nobody reads if the caller was killed.
            let _ = self.0.write_all(&line);
        }
        outcome.is_ok()
    }
}

fn in_fork(mut teller: Teller) {
    teller.tell(Probe::PidFd, pidfd_open(Pid::this()).map(drop));
    let open = OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    let tun = teller.tell(Probe::TunOpen, open.map(drop).map_err(errno));
    if !teller.tell(Probe::User, become_root()) {
        return;
    }
    let mounts = teller.tell(Probe::Mount, unshare(CloneFlags::CLONE_NEWNS));
    let pids = teller.tell(Probe::Pid, unshare(CloneFlags::CLONE_NEWPID));
    if teller.tell(Probe::Net, unshare(CloneFlags::CLONE_NEWNET)) {
        network(&mut teller, tun);
    }
    if mounts && pids {
        // The pid namespace is that of children; its /proc is for one of them to mount.
        // SAFETY: as above.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => try_mounts(&mut teller),
            Ok(ForkResult::Parent { child }) => while waitpid(child, None) == Err(Errno::EINTR) {},
            Err(errno) => {
                teller.tell(Probe::Pid, Err(errno));
            }
        }
    }
}

/// Makes a user namespace in which the process is root; root may stay what it is.
fn become_root() -> Result<(), Errno> {
    let (uid, gid) = (geteuid(), getegid());
    match unshare(CloneFlags::CLONE_NEWUSER) {
        Ok(()) => {}
        Err(_) if uid.is_root() => return Ok(()),
        Err(errno) => return Err(errno),
    }
    fs::write("/proc/self/setgroups", "deny").map_err(errno)?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1")).map_err(errno)?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1")).map_err(errno)
}

fn try_mounts(teller: &mut Teller) {
    let none = None::<&str>;
    let private = mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none);
    if let Err(errno) = private {
        teller.tell(Probe::Mount, Err(errno));
        return;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    teller.tell(Probe::Proc, mount(Some("proc"), "/proc", Some("proc"), flags | MsFlags::MS_NOEXEC, none));
    teller.tell(Probe::Run, mount(Some("dzsim"), "/run", Some("tmpfs"), flags, none));
}

/// In a fresh network namespace.
fn network(teller: &mut Teller, tun: bool) {
    let forward = OpenOptions::new().write(true).open("/proc/sys/net/ipv4/ip_forward");
    teller.tell(Probe::Sysctl, forward.and_then(|mut f: File| f.write_all(b"1")).map_err(errno));
    if tun {
        let made = Tun::create(&TunSpec::new("probe"));
        teller.tell(
            Probe::TunCreate,
            made.map(drop).map_err(|e| match e {
                TunError::Exists { .. } => Errno::EEXIST,
                TunError::Device { source, .. } | TunError::Create { source, .. } => errno(source),
            }),
        );
    }
    let raw = |protocol| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(protocol))).map_err(errno);
    teller.tell(Probe::Raw, raw(libc::IPPROTO_ICMP).and_then(|_| raw(libc::IPPROTO_GRE)).map(drop));
    teller.tell(Probe::Multicast, raw(libc::IPPROTO_IGMP).and_then(|socket| multicast_routing(&socket)));

    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            teller.tell(Probe::Rules, Err(errno(error)));
            return;
        }
    };
    runtime.block_on(async {
        let netlink = match Netlink::open() {
            Ok(netlink) => netlink,
            Err(error) => {
                teller.tell(Probe::Rules, Err(refusal(error)));
                return;
            }
        };
        let add = |name: &str, kind| LinkSpec { name: name.to_owned(), kind, mtu: None };
        let link = async |spec: LinkSpec| added(netlink.add_link(&spec).await);
        teller.tell(Probe::Dummy, link(add("probe0", LinkKind::Dummy)).await);
        teller.tell(Probe::Loopback, link(add("probe1", LinkKind::Loopback)).await);
        let gre = GreInfo { local: Ipv4Addr::new(127, 0, 0, 1), remote: Ipv4Addr::new(127, 0, 0, 2), ttl: 64 };
        teller.tell(Probe::Gre, link(add("probe2", LinkKind::Gre(gre))).await);
        teller.tell(Probe::Rules, added(netlink.add_rule(&RuleInfo::lookup(1000, 1000)).await));
    });
}

/// `MRT_INIT`, linux/mroute.h.
fn multicast_routing(socket: &Socket) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    const MRT_INIT: libc::c_int = 200;
    let on: libc::c_int = 1;
    // SAFETY: the option takes an int, which lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            MRT_INIT,
            std::ptr::from_ref(&on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop)
}

fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

fn added(result: Result<Added, NetlinkError>) -> Result<(), Errno> {
    result.map(drop).map_err(refusal)
}

fn refusal(error: NetlinkError) -> Errno {
    match error {
        NetlinkError::Unsupported { .. } => Errno::EOPNOTSUPP,
        NetlinkError::Denied { .. } => Errno::EPERM,
        NetlinkError::Open(source) | NetlinkError::Refused { source, .. } => errno(source),
        _ => Errno::EIO,
    }
}

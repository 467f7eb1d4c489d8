//! Kernel parameters of a fresh node.

use dz_net::kernel::sysctl::{self, SysctlError};

/// For every node. All of them are per network namespace.
const COMMON: &[(&str, &str)] = &[
    // The network is IPv4; without this each interface sends router solicitations and multicast reports of its own
    // accord, and a capture is never twice the same.
    ("net/ipv6/conf/all/disable_ipv6", "1"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    // Tunnels make paths asymmetric. The kernel takes the larger of `all` and the interface's own value.
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    // ICMP errors belong to what is simulated: every one that is due is sent.
    ("net/ipv4/icmp_ratelimit", "0"),
];

/// Group 0 may use ICMP datagram sockets. No other group need be mapped, and one that is not is refused.
const PING: (&str, &str) = ("net/ipv4/ping_group_range", "0 0");

const ROUTER: &[(&str, &str)] = &[
    ("net/ipv4/ip_forward", "1"),
    // A router that says "use another" of what it forwards between tenants says too much.
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
];

/// Sets the parameters of the calling thread's namespace, which is a router's or an end host's.
pub(crate) fn apply(is_router: bool) -> Result<(), SysctlError> {
    let router = if is_router { ROUTER } else { &[] };
    for (name, value) in COMMON.iter().chain([&PING]).chain(router) {
        // A kernel without IPv6 has nothing to disable.
        if name.starts_with("net/ipv6/") && sysctl::read(name).is_err() {
            continue;
        }
        sysctl::write(name, value)?;
    }
    Ok(())
}

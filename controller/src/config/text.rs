//! The text form: one line a fact, in the order in which a person looks at a device.

use std::{fmt, net::Ipv4Addr};

use super::{DeviceConfig, GroupEnd, NextHop, Port, Service, Tunnel};

impl fmt::Display for DeviceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "device {}: {}, at {}", self.device, self.state, self.public_ip)?;
        for (name, loopback) in &self.loopbacks {
            write!(f, "\nloopback {name}")?;
            if let Some(address) = loopback.address {
                write!(f, " {address}/32")?;
            }
            if loopback.endpoint {
                write!(f, " endpoint")?;
            }
        }
        for (name, port) in &self.ports {
            write!(f, "\nport {name}{port}")?;
        }
        if !(self.loopbacks.is_empty() && self.ports.is_empty()) {
            writeln!(f)?;
        }
        for (id, tunnel) in &self.tunnels {
            write!(f, "\ntunnel {id}{tunnel}")?;
        }
        for (vrf, table) in &self.tables {
            write!(f, "\ntable of vrf {vrf} (")?;
            match &table.tenant {
                Some(code) => writeln!(f, "tenant {code})")?,
                None => writeln!(f, "no tenant)")?,
            }
            routes(f, &table.routes)?;
        }
        if !self.transit.is_empty() {
            writeln!(f, "\ntransit")?;
            routes(f, &self.transit)?;
        }
        if !self.groups.is_empty() {
            writeln!(f, "\ngroups")?;
        }
        for route in &self.groups {
            write!(f, "  {} {} from {}: {} to", route.group, route.code, route.source, route.from)?;
            for end in &route.to {
                write!(f, " {end}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn routes<'a>(
    f: &mut fmt::Formatter<'_>,
    routes: impl IntoIterator<Item = (&'a Ipv4Addr, &'a NextHop)>,
) -> fmt::Result {
    routes.into_iter().try_for_each(|(dz_ip, next)| writeln!(f, "  {dz_ip} {next}"))
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.address {
            write!(f, " {address}")?;
        }
        if self.endpoint {
            write!(f, " endpoint")?;
        }
        if let Some(link) = &self.link {
            write!(f, " link {} to {} at {}", link.code, link.peer, link.gateway)?;
            write!(f, ", metric {}, {}", link.metric, link.state)?;
        }
        Ok(())
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.shut { " (shut)" } else { "" })?;
        writeln!(f, "  user {}", self.user)?;
        writeln!(f, "  outer {} to {}, ttl {}", self.source, self.destination, self.ttl)?;
        writeln!(f, "  overlay {} to {}, mtu {}", self.overlay, self.peer(), self.mtu)?;
        match &self.service {
            Service::Unicast { vrf, dz_ip, allocated } => {
                let origin = if *allocated { "allocated" } else { "the client's own" };
                writeln!(f, "  unicast in vrf {vrf} as {dz_ip} ({origin})")
            }
            Service::EdgeFiltering { vrf, dz_ip } => {
                writeln!(f, "  unicast in vrf {vrf} as {dz_ip}, and the internet (edge filtering)")
            }
            Service::Multicast { source, publish, subscribe } => {
                write!(f, "  multicast")?;
                if let Some(source) = source {
                    write!(f, " as {source}")?;
                }
                writeln!(f)?;
                for group in publish {
                    writeln!(f, "    sends to {group}")?;
                }
                for group in subscribe {
                    writeln!(f, "    gets {group}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tunnel(id) => write!(f, "into tunnel {id}"),
            Self::Link { port, gateway } => write!(f, "via {gateway} on {port}"),
        }
    }
}

impl fmt::Display for GroupEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tunnel(id) => write!(f, "tunnel {id}"),
            Self::Port(name) => write!(f, "port {name}"),
        }
    }
}

//! Input of a packet from an interface: it is filtered, then delivered here, forwarded or refused
//! (`net/ipv4/ip_input.c`, `ip_route_input_slow` of `net/ipv4/route.c`, `net/ipv4/ip_forward.c`).

use std::net::Ipv4Addr;
use std::time::Instant;

use dz_net::kernel::{RouteInfo, RouteKind};
use dz_net::wire::icmp::{self, Error};
use dz_net::wire::ipv4::{self, Header};
use dz_net::wire::{gre, udp};
use nix::errno::Errno;

use crate::address::SCOPE_LINK;
use crate::link::LOOPBACK;
use crate::lookup::{Flow, Way};
use crate::machine::Machine;
use crate::parameter::PerInterface;

/// Where the errors of a host without an address are from (RFC 7600 section 4.8).
const NO_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
const PROTOCOL_UNREACHABLE: u8 = 2;
const PORT_UNREACHABLE: u8 = 3;

impl Machine {
    /// Takes a packet that has come in by an interface.
    pub(crate) fn receive(&mut self, now: Instant, index: u32, mut packet: Vec<u8>) {
        let Ok(header) = Header::decode_checked(&packet) else {
            if let Some(link) = self.links.get_mut(index) {
                link.counters.rx_errors += 1;
            }
            return;
        };
        packet.truncate(usize::from(header.total_length));
        let Some(name) = self.links.get(index).map(|link| link.name.clone()) else { return };
        if !self.filter.admits(&name, &header) {
            return;
        }
        // What this host has sent to itself was routed on the way out.
        if index == LOOPBACK {
            return self.deliver(now, index, &header, true, packet);
        }
        if header.destination.is_multicast() {
            return self.receive_group(now, index, &header, packet);
        }
        if is_martian(header.source) || header.destination.is_loopback() || header.destination.octets()[0] == 0 {
            return;
        }
        if header.destination.is_broadcast() {
            return self.deliver(now, index, &header, false, packet);
        }
        let forwards = self.parameters.of(&name, PerInterface::Forwarding) != 0;
        let flow = Flow { iif: index, source: header.source, ..Flow::to(header.destination) };
        match self.lookup(&flow) {
            Ok(route) if matches!(route.kind, RouteKind::Local | RouteKind::Broadcast) => {
                if self.source_is_valid(index, &header, LOOPBACK) {
                    self.deliver(now, index, &header, route.kind == RouteKind::Local, packet);
                }
            }
            Ok(route) if forwards => self.forward(now, index, &header, &route, packet),
            Err(error) if forwards => {
                let code = match error {
                    Errno::ENETUNREACH => 0,
                    Errno::EHOSTUNREACH => 1,
                    Errno::EACCES => 13,
                    _ => return,
                };
                self.report(now, Some(index), Error::Unreachable(code), &packet);
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn receive_group(&mut self, now: Instant, index: u32, header: &Header, packet: Vec<u8>) {
        let link_local = header.destination.octets()[..3] == [224, 0, 0];
        let joined = self.memberships.has(header.destination, index);
        let forwards = !link_local && self.groups.takes_part(index);
        if !(joined || forwards) || is_martian(header.source) || !self.source_is_valid(index, header, LOOPBACK) {
            return;
        }
        if forwards {
            self.forward_to_group(now, index, header, &packet);
        }
        if joined {
            self.deliver(now, index, header, false, packet);
        }
    }

    /// Whether a source may be on what came in by an interface (`fib_validate_source`). `towards` is the interface that
    /// the packet goes on by.
    fn source_is_valid(&self, index: u32, header: &Header, towards: u32) -> bool {
        let Some(link) = self.links.get(index) else { return false };
        let strictness = self.parameters.highest(&link.name, PerInterface::RpFilter);
        let accept_local = self.parameters.highest(&link.name, PerInterface::AcceptLocal) != 0;
        if strictness == 0 && !self.custom_rules && !self.custom_local_routes {
            let local = || self.links.iter().any(|(_, link)| link.addresses.iter().any(|a| a.local == header.source));
            return accept_local || !local();
        }
        // Of a packet to a group, the way back is looked up from nowhere in particular.
        let group = header.destination.is_multicast();
        let source = if group { Ipv4Addr::UNSPECIFIED } else { header.destination };
        let flow = Flow { iif: towards, source, ..Flow::to(header.source) };
        let Ok(route) = self.lookup(&flow) else { return strictness == 0 };
        match route.kind {
            RouteKind::Unicast => {}
            RouteKind::Local if accept_local => {}
            _ => return false,
        }
        if route.dev == Some(index) {
            return true;
        }
        if link.addresses.is_empty() {
            return strictness == 0;
        }
        strictness != 1
    }

    fn forward(&mut self, now: Instant, index: u32, header: &Header, route: &RouteInfo, mut packet: Vec<u8>) {
        let Some(dev) = route.dev else { return };
        if route.kind != RouteKind::Unicast || !self.source_is_valid(index, header, dev) {
            return;
        }
        if header.ttl <= 1 {
            return self.report(now, Some(index), Error::TimeExceeded, &packet);
        }
        let link_mtu = self.links.get(dev).map_or(0, |link| link.mtu);
        let mtu = route.mtu.unwrap_or(link_mtu);
        if packet.len() > mtu as usize && header.dont_fragment() {
            let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
            return self.report(now, Some(index), Error::FragmentationNeeded(mtu), &packet);
        }
        if dev == LOOPBACK {
            return;
        }
        ipv4::decrement_ttl(&mut packet);
        let way = Way { dev, source: header.source, mtu: Some(mtu) };
        let _ = self.send_cut(now, &way, packet);
    }

    /// Delivers a packet to its socket (`ip_local_deliver`). Without one the sender gets an ICMP error, unless it
    /// was for others as well.
    fn deliver(&mut self, now: Instant, index: u32, header: &Header, mine: bool, packet: Vec<u8>) {
        let packet = if header.is_fragment() {
            match self.fragments.take(now, header, &packet) {
                Some(whole) => whole,
                None => return,
            }
        } else {
            packet
        };
        let Ok(header) = Header::decode(&packet) else { return };
        let at = if index == LOOPBACK { self.interface_of_own(&header) } else { index };
        let raw = self.sockets.deliver_raw(now, at, &header, &packet);
        // The code of the error, if nobody takes it.
        let code = match header.protocol {
            icmp::IP_PROTOCOL => {
                self.receive_icmp(now, &header, &packet);
                return;
            }
            udp::IP_PROTOCOL if self.receive_udp(now, at, &header, &packet) => return,
            udp::IP_PROTOCOL => PORT_UNREACHABLE,
            gre::IP_PROTOCOL if self.decapsulate(packet.clone()) => return,
            gre::IP_PROTOCOL if self.modules.gre => PORT_UNREACHABLE,
            _ => PROTOCOL_UNREACHABLE,
        };
        if mine && !raw {
            self.report(now, Some(index), Error::Unreachable(code), &packet);
        }
    }

    /// The interface at which sockets hear what this host has sent to itself: the one whose route delivers it, not the
    /// loopback that carries it (`ip_route_output_key_hash_rcu`, `inet_iif`).
    fn interface_of_own(&self, header: &Header) -> u32 {
        let flow = Flow { source: header.source, ..Flow::to(header.destination) };
        let local = self.lookup(&flow).ok().filter(|route| route.kind == RouteKind::Local);
        local.and_then(|route| route.dev).unwrap_or(LOOPBACK)
    }

    /// Reports what befell a packet to its sender (`icmp_send`).
    pub(crate) fn report(&mut self, now: Instant, index: Option<u32>, error: Error, packet: &[u8]) {
        let Ok(header) = Header::decode(packet) else { return };
        let inbound = self.parameters.is_set("net/ipv4/icmp_errors_use_inbound_ifaddr");
        // What has come by the loopback was for this host (`RTCF_LOCAL`), even if nothing else says that its address is:
        // from there no error can be sent.
        let from = if index == Some(LOOPBACK) || self.local_route(header.destination).is_some() {
            Some(header.destination)
        } else {
            let dev = index.filter(|_| inbound);
            dev.and_then(|dev| self.select_address(dev, Some(header.source), SCOPE_LINK))
        };
        let flow = Flow { source: from.unwrap_or(Ipv4Addr::UNSPECIFIED), ..Flow::to(header.source) };
        let Ok(way) = self.way_back(&flow) else { return };
        let source = if way.source.is_unspecified() { NO_ADDRESS } else { way.source };
        let room = self.mtu_towards(now, &way, header.source).min(icmp::ERROR_LEN);
        if let Some(message) = icmp::error_packet_within(room, source, error, packet) {
            let _ = self.send_cut(now, &way, message);
        }
    }

    /// The MTU of what is sent to an address, as it is known (`ipv4_mtu`).
    pub(crate) fn path_mtu(&self, destination: Ipv4Addr, now: Instant) -> u32 {
        let way = self.way_out(&Flow::to(destination), true).ok();
        way.map_or(0, |way| self.mtu_towards(now, &way, destination) as u32)
    }
}

/// A source address that no host can send from.
fn is_martian(source: Ipv4Addr) -> bool {
    source.is_multicast() || source.is_broadcast() || source.is_loopback() || source.octets()[0] == 0
}

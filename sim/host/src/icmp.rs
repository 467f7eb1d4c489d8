//! Echo and what errors say of packets that this host has sent (RFC 792, `net/ipv4/icmp.c`).

use std::time::Instant;

use dz_net::wire::icmp::{self, Error, Message};
use dz_net::wire::ipv4::Header;
use dz_net::wire::{gre, udp};

use crate::lookup::Flow;
use crate::machine::Machine;
use crate::send::{Fragmentation, Outgoing};

impl Machine {
    /// Takes an ICMP message for this host.
    pub(crate) fn receive_icmp(&mut self, now: Instant, header: &Header, packet: &[u8]) {
        match icmp::decode(&packet[header.header_length..]) {
            Ok(Message::Echo { reply: false, identifier, sequence, payload }) => {
                // Nobody answers for a group (`icmp_echo_ignore_broadcasts`).
                if header.destination.is_multicast() || self.local_route(header.destination).is_none() {
                    return;
                }
                let flow = Flow { source: header.destination, ..Flow::to(header.source) };
                let Ok(way) = self.way_back(&flow) else { return };
                let reply = icmp::echo(true, identifier, sequence, payload);
                let outgoing = Outgoing {
                    destination: header.source,
                    protocol: icmp::IP_PROTOCOL,
                    ttl: if header.source.is_multicast() { 1 } else { self.parameters.default_ttl() },
                    fragmentation: Fragmentation::Always,
                };
                let _ = self.send_payload(now, &way, &outgoing, &reply);
            }
            Ok(Message::Error { error, header: quoted, payload }) => {
                if let Error::FragmentationNeeded(mtu) = error
                    && mtu > 0
                    && self.is_local(quoted.source)
                {
                    let before = self.path_mtu(quoted.destination, now);
                    if quoted.protocol == gre::IP_PROTOCOL && !self.modules.gre {
                        self.tunnel_error(now, &quoted, mtu);
                    }
                    if self.cares_for_path(&quoted, payload) {
                        self.path_mtus.report(quoted.destination, mtu.into(), before, now);
                    }
                }
                // A UDP socket that is not connected is told of no error (`udp_err`).
            }
            Ok(Message::Echo { reply: true, .. } | Message::Other(..)) | Err(_) => {}
        }
    }

    /// Whether a socket of this host has sent what a report is about; only then its path is noted.
    fn cares_for_path(&self, quoted: &Header, payload: &[u8]) -> bool {
        match quoted.protocol {
            gre::IP_PROTOCOL => self.links.tunnel_between(quoted.source, quoted.destination).is_some(),
            udp::IP_PROTOCOL => self.sockets.has_udp(quoted.source, payload),
            protocol => self.sockets.has_raw(protocol),
        }
    }
}

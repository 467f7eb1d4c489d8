//! Packets on their way through: from interfaces to the path, and back.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use super::server::Helper;
use super::table::Table;
use crate::gre::{Discard, encapsulation};
use crate::syscalls;
use crate::wire::offload::{self, VirtioHeader};

/// Packets taken from the path before the tunnels have their turn.
const BATCH: usize = 64;
/// Packets taken from one tunnel before the others have their turn; each may be some 45 on the wire.
const READS: usize = 32;

impl Helper {
    /// Takes packets from a tunnel's interface and sends them encapsulated.
    pub(super) fn send(&mut self, id: u64) {
        let Some(carrier) = self.table.get_mut(id) else { return };
        let (outer, discards) = (&mut self.outer, &mut self.discards);
        let spec = &carrier.spec;
        let counters = &mut carrier.counters;
        let read = carrier.tun.recv_batch(&mut self.buffer, READS, |frame| {
            let mut discard = |discard| {
                counters.tx_dropped += 1;
                *discards.entry(discard).or_default() += 1;
            };
            let sent =
                offload::segments(frame, |headers, payload| match encapsulation::encapsulate(spec, headers, payload) {
                    Ok(outer_headers) => {
                        counters.tx_packets += 1;
                        counters.tx_bytes += (headers.len() + payload.len()) as u64;
                        outer.queue(spec, [&outer_headers, headers, payload]);
                    }
                    Err(why) => discard(why),
                });
            if sent.is_err() {
                discard(Discard::NotIpv4);
            }
        });
        let unsent = self.outer.flush();
        if unsent > 0 {
            counters.tx_packets -= unsent as u64;
            counters.tx_errors += unsent as u64;
            *self.discards.entry(Discard::Unsendable).or_default() += unsent as u64;
        }
        self.heed_path_reports();
        match read {
            Ok(_) => {}
            // EBADFD: the interface was deleted by hand.
            Err(error) if error.raw_os_error() == Some(libc::EBADFD) => self.drop_tunnel(id),
            Err(error) => {
                tracing::warn!(%error, "cannot read from a tunnel");
                self.drop_tunnel(id);
            }
        }
    }

    /// Takes GRE packets from the path and hands them to their tunnels' interfaces.
    pub(super) fn receive(&mut self) -> io::Result<()> {
        let Self { outer, table, discards, coalescer, .. } = self;
        outer.receive(BATCH, |packet| {
            let result = encapsulation::decapsulate(packet).and_then(|arrived| {
                let (id, carrier) = table.of_pair(arrived.pair()).ok_or(Discard::NoTunnel)?;
                let inner = arrived.finish().inspect_err(|_| carrier.counters.rx_errors += 1)?;
                coalescer.push(id, inner, &mut |id, header, packet| deliver(table, discards, id, header, packet));
                Ok(())
            });
            if let Err(discard) = result {
                *discards.entry(discard).or_default() += 1;
            }
        })?;
        coalescer.flush(&mut |id, header, packet| deliver(table, discards, id, header, packet));
        self.heed_path_reports();
        Ok(())
    }

    /// A router on the path, or our own kernel, may have said that an outer packet was too big (RFC 7588 section 3.2).
    fn heed_path_reports(&mut self) {
        for report in self.outer.path_reports() {
            *self.discards.entry(Discard::PathMtu).or_default() += 1;
            if let Some(id) = self.table.lower_mtu(report, Instant::now()) {
                self.set_mtu(id);
            }
        }
    }

    /// Gives a tunnel's interface the MTU it should have now.
    pub(super) fn set_mtu(&mut self, id: u64) {
        let Some(carrier) = self.table.get(id) else { return };
        let mtu = carrier.mtu.effective();
        // It may have been renamed since anyone asked.
        let result = carrier.tun.current_name().and_then(|name| syscalls::set_mtu(&name, mtu));
        match result {
            Ok(()) => tracing::info!(name = carrier.spec.name, mtu, "tunnel mtu"),
            Err(error) => tracing::warn!(name = carrier.spec.name, mtu, %error, "cannot set the mtu of a tunnel"),
        }
    }
}

/// Writes one packet, or several joined, to a tunnel's interface and counts what went over the wire.
fn deliver(table: &mut Table, discards: &mut BTreeMap<Discard, u64>, id: u64, header: VirtioHeader, packet: &[u8]) {
    let Some(carrier) = table.get_mut(id) else { return };
    let (packets, bytes) = header.on_the_wire(packet.len());
    if carrier.tun.send_offloaded(&header, packet).is_ok() {
        carrier.counters.rx_packets += packets;
        carrier.counters.rx_bytes += bytes;
    } else {
        carrier.counters.rx_dropped += packets;
        *discards.entry(Discard::InterfaceDown).or_default() += packets;
    }
}

//! A fabric whose time is passed in: the holder of the [`Stepper`] says when a packet comes in and takes those that are due.
//! The [`Fabric`](crate::Fabric) beside it is the same handle that a running fabric has.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::Ipv4Net;

use crate::core;
use crate::error::Result;
use crate::packet::Packet;
use crate::profile::PathProfile;
use crate::pump::State;

/// Where packets come in and go out: a node's uplink, or an end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(core::PortId);

/// Carries packets between ports and a fabric. Time is in nanoseconds from the fabric's zero, and never goes back.
#[derive(Debug)]
pub struct Stepper {
    state: Arc<Mutex<State>>,
}

impl Stepper {
    pub(crate) fn new(state: Arc<Mutex<State>>) -> Self {
        Self { state }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects a node's uplink.
    ///
    /// # Errors
    /// As [`Fabric::attach`](crate::Fabric::attach).
    pub fn attach(&self, name: &str, prefixes: &[Ipv4Net]) -> Result<PortId> {
        let mut state = self.lock();
        let port = state.core.attach(name, prefixes)?;
        state.add_port(port, name, None);
        Ok(PortId(port))
    }

    /// Lays a link and returns the ports of both ends.
    ///
    /// # Errors
    /// As [`Fabric::add_link`](crate::Fabric::add_link).
    pub fn add_link(&self, name: &str, ends: [&str; 2], profiles: [PathProfile; 2]) -> Result<[PortId; 2]> {
        let mut state = self.lock();
        let ports = state.core.add_link(name, ends, profiles)?;
        for (port, end) in ports.into_iter().zip(ends) {
            state.add_port(port, &format!("{end}:{name}"), None);
        }
        Ok(ports.map(PortId))
    }

    /// A packet has come in at a port.
    pub fn take_in(&self, now: u64, port: PortId, bytes: Vec<u8>) {
        let mut state = self.lock();
        state.take_in(now, port.0, Packet::plain(bytes));
        if let Some(capture) = &mut state.capture {
            capture.tick(now);
        }
    }

    /// Hands the first packet that is due at `now` to `take`, which says whether the port took it; false if none was.
    pub fn give(&self, now: u64, take: impl FnOnce(u64, PortId, Vec<u8>) -> bool) -> bool {
        let mut state = self.lock();
        let Some(at) = state.core.next_due().filter(|at| *at <= now) else { return false };
        let mut take = Some(take);
        state.deliver(at, 1, |port, _, packet| {
            let Some(take) = take.take() else { return false };
            packet.complete_checksum();
            take(at, PortId(port), std::mem::take(&mut packet.bytes))
        });
        true
    }

    /// When the next packet is due.
    pub fn next_due(&self) -> Option<u64> {
        self.lock().core.next_due()
    }
}

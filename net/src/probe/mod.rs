//! ICMP echo probing: many targets at a time over one raw socket.
//!
//! A [`Prober`] sends each target a few echo requests, one after the other, and reports what came back. A reply counts
//! only with our identifier, cookie and sequence number and from the address that was asked; one that comes after its
//! time counts as lost. Round-trip times end at the kernel's receive timestamp, so a busy process does not lengthen
//! them. A lost probe is a count of its own and never a time.
//!
//! What happens when is decided in `round`, which knows neither sockets nor clocks.

mod echo;
mod round;
#[allow(clippy::disallowed_methods, reason = "the socket of the real world")]
mod socket;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use self::echo::{Arrival, EchoCodec, EchoSocket, Stamp};
use self::round::Round;
use self::socket::KernelSocket;
use crate::netns::NetNs;
use crate::wire::icmp;

/// How targets are probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeConfig {
    /// Echo requests per target.
    pub probes: u16,
    /// How long a reply is waited for.
    pub timeout: Duration,
    /// Least time between two requests to one target.
    pub interval: Duration,
    /// How many targets are probed at a time, from 1.
    pub concurrency: usize,
    /// Source address; the kernel's choice if none.
    pub source: Option<Ipv4Addr>,
    /// Interface to send by and to hear from, whatever the routes say (`SO_BINDTODEVICE`).
    pub device: Option<String>,
    /// Bytes sent along in each request, from 8.
    pub payload: u16,
    /// True if requests must not be fragmented on their way (DF).
    pub dont_fragment: bool,
    /// What stands behind the cookie in each request that has room for it, and says in a capture whose
    /// it is.
    pub tag: [u8; 8],
}

/// The tag of probes by which the products measure and watch; a packet with it counts as no user's traffic.
pub const TAG: [u8; 8] = *b"dz-probe";
/// Where the tag begins in the payload of a request.
pub const TAG_OFFSET: usize = 8;

impl Default for ProbeConfig {
    /// 3 probes of 56 bytes, 1 s for each, 10 ms apart, 256 targets at a time.
    fn default() -> Self {
        Self {
            probes: 3,
            timeout: Duration::from_secs(1),
            interval: Duration::from_millis(10),
            concurrency: 256,
            source: None,
            device: None,
            payload: 56,
            dont_fragment: false,
            tag: TAG,
        }
    }
}

/// Why probing cannot go on. What befalls a single target is in its [`ProbeResult`].
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No raw socket.
    #[error("cannot open a raw icmp socket: {0} (needs CAP_NET_RAW)")]
    Open(#[source] io::Error),
    /// The interface to bind to is not there.
    #[error("cannot bind to interface {device}: {source}")]
    Device {
        /// Its name.
        device: String,
        /// Why.
        source: io::Error,
    },
    /// The source address is not ours.
    #[error("cannot bind to source {address}: {source}")]
    Source {
        /// The address.
        address: Ipv4Addr,
        /// Why.
        source: io::Error,
    },
    /// The socket failed.
    #[error("cannot receive icmp: {0}")]
    Receive(#[source] io::Error),
}

/// What came of the probes to one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// Requests sent, those that the kernel refused included.
    pub sent: u32,
    /// Replies that came in time.
    pub received: u32,
    /// Their round-trip times, ascending; as many as `received`.
    pub rtts: Vec<Duration>,
    /// Why the last request that has no reply has none, where someone said so.
    pub last_error: Option<String>,
    /// The MTU that a router, or the own kernel, last said the requests are too big for.
    pub too_big: Option<u16>,
}

impl ProbeResult {
    /// Whether any reply came.
    pub fn reachable(&self) -> bool {
        self.received > 0
    }

    /// Requests without a reply.
    pub fn lost(&self) -> u32 {
        self.sent - self.received
    }

    /// Share of the requests without a reply, from 0 to 1; 1 if none was sent.
    pub fn loss(&self) -> f64 {
        if self.sent == 0 { 1.0 } else { f64::from(self.lost()) / f64::from(self.sent) }
    }

    /// The shortest round trip.
    pub fn min(&self) -> Option<Duration> {
        self.rtts.first().copied()
    }

    /// The middle round trip; the lower of two.
    pub fn median(&self) -> Option<Duration> {
        self.rtts.get(self.rtts.len().checked_sub(1)? / 2).copied()
    }

    /// The longest round trip.
    pub fn max(&self) -> Option<Duration> {
        self.rtts.last().copied()
    }

    /// The mean round trip.
    pub fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.rtts.len()).ok().filter(|count| *count > 0)?;
        Some(self.rtts.iter().sum::<Duration>() / count)
    }
}

/// Probes targets from the network namespace it was opened in.
#[derive(Debug)]
pub struct Prober {
    socket: KernelSocket,
    config: ProbeConfig,
    /// Of the next request.
    sequence: u16,
}

impl Prober {
    /// Opens the socket in the namespace of the calling thread. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// The raw socket cannot be opened or fails.
    pub fn open(config: ProbeConfig) -> Result<Self, ProbeError> {
        Ok(Self { socket: KernelSocket::open(&config)?, config, sequence: 0 })
    }

    /// Opens the socket in `ns` from wherever the caller is. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// The raw socket cannot be opened or fails.
    pub fn open_in(ns: &NetNs, config: ProbeConfig) -> Result<Self, ProbeError> {
        // The socket belongs to the namespace it is made in; it is registered with the caller's runtime.
        let raw =
            ns.run(|| KernelSocket::raw(&config)).map_err(|error| ProbeError::Open(io::Error::other(error)))??;
        Ok(Self { socket: KernelSocket::from_raw(raw, &config)?, config, sequence: 0 })
    }

    /// Probes each target once around and returns the results by target; a target given twice is probed once.
    ///
    /// # Errors
    /// The raw socket cannot be opened or fails.
    pub async fn round(
        &mut self,
        targets: impl IntoIterator<Item = Ipv4Addr>,
    ) -> Result<BTreeMap<Ipv4Addr, ProbeResult>, ProbeError> {
        round(&self.socket, &self.config, &mut self.sequence, targets).await
    }
}

/// Probes each target once around over any socket and returns the results by target; a target given twice is probed once.
/// Requests are numbered on from `sequence`, so that a reply that is too late for one round of a socket is none to the next.
///
/// # Errors
/// [`ProbeError::Receive`]: the socket failed.
pub async fn round(
    socket: &dyn EchoSocket,
    config: &ProbeConfig,
    sequence: &mut u16,
    targets: impl IntoIterator<Item = Ipv4Addr>,
) -> Result<BTreeMap<Ipv4Addr, ProbeResult>, ProbeError> {
    let mut round = Round::new(config, targets, *sequence);
    tracing::trace!(targets = round.len(), "probe round");
    loop {
        while let Some(probe) = round.next_probe(now()) {
            *sequence = round.sequence();
            match socket.send(probe.target, probe.sequence) {
                Ok(sent) => round.sent(probe, sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    round.put_back(probe, now());
                    socket.writable().await.map_err(ProbeError::Receive)?;
                }
                Err(error) => {
                    let too_big = error.raw_os_error() == Some(libc::EMSGSIZE);
                    let mtu = if too_big { socket.path_mtu(probe.target) } else { None };
                    round.too_big(probe.target, mtu);
                    round.refused(probe, &error, now());
                }
            }
            take_arrivals(socket, &mut round)?;
        }
        let Some(wake) = round.wake() else { return Ok(round.finish()) };
        tokio::select! {
            biased;
            readable = socket.readable() => readable.map_err(ProbeError::Receive)?,
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        // What has arrived counts, even if its time is over by now.
        take_arrivals(socket, &mut round)?;
        round.expire(now());
    }
}

fn take_arrivals(socket: &dyn EchoSocket, round: &mut Round) -> Result<(), ProbeError> {
    while let Some(arrival) = socket.receive().map_err(ProbeError::Receive)? {
        match arrival {
            Arrival::Reply { from, sequence, received } => round.replied(from, sequence, received),
            Arrival::Error { target, sequence, from, error } => {
                if let icmp::Error::FragmentationNeeded(mtu) = error {
                    round.too_big(target, Some(mtu));
                }
                round.failed(target, sequence, &reported(from, error));
            }
        }
    }
    Ok(())
}

/// The clock that rounds go by: tokio's, which a test or a simulation may stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn reported(from: Ipv4Addr, error: icmp::Error) -> String {
    format!("{error}, says {from}")
}

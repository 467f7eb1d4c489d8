//! Impairments of one direction of a path: values checked here and applied by [`crate::core`]. Knows no addresses and no clock.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::units::{BitRate, Probability};

/// The smallest MTU a path may have: what every IPv4 node must forward unfragmented (RFC 791 section 3.2).
pub const MIN_MTU: u16 = 68;

/// The properties of one direction of a path or link. The default is an instant, lossless, unlimited path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PathProfile {
    /// Time from the last bit sent to the last bit received.
    pub delay: Duration,
    /// What varies the delay from packet to packet.
    pub jitter: Jitter,
    /// Whether a packet may overtake another.
    pub ordering: Ordering,
    /// Which packets are lost on the way.
    pub loss: Loss,
    /// How often a packet arrives twice.
    pub duplicate: Probability,
    /// Line rate; `None` is as fast as the machine.
    pub rate: Option<BitRate>,
    /// Bytes that may wait for the line before the tail is dropped; `None` is [`PathProfile::DEFAULT_QUEUE`].
    /// Without a rate nothing waits.
    pub queue_bytes: Option<u64>,
    /// Largest IP packet in bytes; `None` is no limit.
    pub mtu: Option<u16>,
    /// True if no ICMP error is sent for a packet larger than the MTU.
    pub black_hole: bool,
    /// Whether anything gets through at all.
    pub reach: Reach,
    /// IP protocols whose packets fare in another way, each on a line of its own.
    pub exceptions: BTreeMap<u8, PathProfile>,
}

/// How the delay varies from packet to packet. The sum of delay and jitter is never below zero.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Jitter {
    /// Not at all.
    #[default]
    None,
    /// Evenly within `delay ± spread`.
    Uniform {
        /// Half the width of the distribution.
        spread: Duration,
    },
    /// Normally around the delay.
    Normal {
        /// Standard deviation.
        deviation: Duration,
    },
    /// Measured: evenly spaced quantiles of what comes on top of the delay, lowest first, interpolated between.
    Table {
        /// The quantiles, ascending; at least one.
        quantiles: Vec<Duration>,
    },
}

/// Whether a packet may overtake another of the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Ordering {
    /// Never: a packet with less jitter waits for the one before it.
    #[default]
    Kept,
    /// As drawn from the jitter.
    Free,
    /// Some packets are held back, and those behind them pass.
    HeldBack {
        /// How often a packet is held back.
        probability: Probability,
        /// For how long.
        by: Duration,
    },
}

/// Which packets are lost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each with the same probability, independently.
    Random {
        /// How often a packet is lost.
        probability: Probability,
    },
    /// In bursts: a chain of a good and a bad state that may change before each packet (Gilbert-Elliott).
    Bursty {
        /// From the good state to the bad.
        enter: Probability,
        /// From the bad state to the good; its inverse is the mean length of a burst in packets.
        leave: Probability,
        /// How often a packet is lost in the good state.
        in_good: Probability,
        /// How often a packet is lost in the bad state.
        in_bad: Probability,
    },
}

/// Whether anything gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Packets pass.
    #[default]
    Open,
    /// Packets vanish without a word.
    Silent,
    /// Packets are answered with ICMP host unreachable.
    Unreachable,
}

/// A profile that cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The MTU is below what IPv4 allows.
    #[error("mtu must be at least {MIN_MTU} bytes, got {0}")]
    Mtu(u16),
    /// The queue cannot hold one packet of the MTU.
    #[error("queue must hold at least one packet of {packet} bytes, got {queue} bytes")]
    Queue {
        /// Bytes asked for.
        queue: u64,
        /// Bytes of the largest packet.
        packet: u64,
    },
    /// The jitter table is empty.
    #[error("jitter table must have at least one quantile")]
    EmptyTable,
    /// The jitter table is not ascending.
    #[error("jitter quantiles must ascend, but quantile {0} is below the one before it")]
    TableOrder(usize),
    /// A protocol's exception has exceptions.
    #[error("the profile of one protocol cannot have profiles of other protocols, but that of protocol {0} has")]
    Nested(u8),
    /// A duration is beyond what the clock of the fabric can hold.
    #[error("{what} must be below an hour, got {}", humantime::format_duration(*.value))]
    TooLong {
        /// Which property.
        what: &'static str,
        /// Its value.
        value: Duration,
    },
}

impl PathProfile {
    /// How much a queue holds if the profile does not say: 50 ms of the line rate, but at least this many bytes.
    pub const DEFAULT_QUEUE: u64 = 128 * 1024;

    /// A path with a fixed delay and nothing else.
    pub fn with_delay(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// A path that swallows everything.
    pub fn silent() -> Self {
        Self { reach: Reach::Silent, ..Self::default() }
    }

    /// The time that every packet takes, unless it differs from packet to packet.
    pub(crate) fn fixed(&self) -> Option<Duration> {
        let same =
            self.jitter == Jitter::None && self.rate.is_none() && !matches!(self.ordering, Ordering::HeldBack { .. });
        same.then_some(self.delay)
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`ProfileError`]: a value is out of range.
    pub fn validate(&self) -> Result<(), ProfileError> {
        const LONGEST: Duration = Duration::from_secs(3600);
        let short = |what, value: Duration| {
            if value < LONGEST { Ok(()) } else { Err(ProfileError::TooLong { what, value }) }
        };
        short("delay", self.delay)?;
        match &self.jitter {
            Jitter::None => {}
            Jitter::Uniform { spread } => short("jitter spread", *spread)?,
            Jitter::Normal { deviation } => short("jitter deviation", *deviation)?,
            Jitter::Table { quantiles } => {
                let last = quantiles.last().ok_or(ProfileError::EmptyTable)?;
                short("jitter quantile", *last)?;
                if let Some(at) = quantiles.windows(2).position(|pair| pair[1] < pair[0]) {
                    return Err(ProfileError::TableOrder(at + 1));
                }
            }
        }
        if let Ordering::HeldBack { by, .. } = self.ordering {
            short("hold-back", by)?;
        }
        if let Some(mtu) = self.mtu.filter(|mtu| *mtu < MIN_MTU) {
            return Err(ProfileError::Mtu(mtu));
        }
        for (protocol, other) in &self.exceptions {
            if !other.exceptions.is_empty() {
                return Err(ProfileError::Nested(*protocol));
            }
            other.validate()?;
        }
        let packet = u64::from(self.mtu.unwrap_or(1500));
        match self.queue_bytes {
            Some(queue) if queue < packet => Err(ProfileError::Queue { queue, packet }),
            _ => Ok(()),
        }
    }

    /// Bytes that may wait at `rate`.
    pub(crate) fn queue_limit(&self, rate: BitRate) -> u64 {
        self.queue_bytes.unwrap_or_else(|| Self::DEFAULT_QUEUE.max(rate.bytes_in_ns(50_000_000)))
    }

    /// Whether every packet of a large segment would fare alike, so that it may pass in one piece.
    pub(crate) fn treats_alike(&self) -> bool {
        self.jitter == Jitter::None
            && !matches!(self.ordering, Ordering::HeldBack { .. })
            && self.loss == Loss::None
            && self.duplicate.is_zero()
            && self.rate.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_it_cannot_carry_out() {
        let refused = |change: fn(&mut PathProfile)| {
            let mut profile = PathProfile::default();
            change(&mut profile);
            profile.validate().unwrap_err()
        };
        assert_eq!(refused(|p| p.mtu = Some(67)), ProfileError::Mtu(67));
        assert_eq!(refused(|p| p.queue_bytes = Some(1499)), ProfileError::Queue { queue: 1499, packet: 1500 });
        assert_eq!(refused(|p| p.jitter = Jitter::Table { quantiles: vec![] }), ProfileError::EmptyTable);
        assert_eq!(
            refused(|p| p.jitter = Jitter::Table { quantiles: vec![Duration::from_millis(2), Duration::ZERO] }),
            ProfileError::TableOrder(1)
        );
        let hour = Duration::from_secs(3600);
        let late = refused(|p| p.delay = Duration::from_secs(3600));
        assert_eq!(late, ProfileError::TooLong { what: "delay", value: hour });
        assert_eq!(late.to_string(), "delay must be below an hour, got 1h");
    }
}

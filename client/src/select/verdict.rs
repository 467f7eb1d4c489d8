//! Reasons for leaving a candidate out, as the command line prints them.

use std::{fmt, net::Ipv4Addr, time::Duration};

use dz_sdk::program::state::{CapacityError, DeviceStatus, EndpointService};

/// Why a device or one of its endpoints was not chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The device takes no new users in this status.
    NotActivated(DeviceStatus),
    /// The device has no seat for this service.
    NoSeat(CapacityError),
    /// It is kept for the other service.
    Kept(EndpointService),
    /// This client already has a tunnel there.
    InUse,
    /// The activator has just rejected this client there.
    Rejected,
    /// Another connect of this client took it just now.
    Lost,
    /// The daemon has not probed it yet.
    NotProbed,
    /// No probe was answered.
    Unreachable,
    /// Too much slower than the device the client already has.
    TooFar {
        /// Its round-trip time.
        rtt: Duration,
        /// That of the device the client has.
        own: Duration,
        /// How much more is accepted.
        tolerance: Duration,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotActivated(status) => write!(f, "device is {status}"),
            Self::NoSeat(error) => error.fmt(f),
            Self::Kept(service) => write!(f, "kept for {service} tunnels"),
            Self::InUse => f.write_str("this client already has a tunnel there"),
            Self::Rejected => f.write_str("has just rejected this client"),
            Self::Lost => f.write_str("taken by another connect of this client"),
            Self::NotProbed => f.write_str("not probed yet"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::TooFar { rtt, own, tolerance } => {
                let (rtt, own, tolerance) = (millis(*rtt), millis(*own), millis(*tolerance));
                write!(f, "{rtt:.1} ms, more than {own:.1} ms + {tolerance:.1} ms tolerance")
            }
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// One device or endpoint that was looked at and not chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The device's code.
    pub device: String,
    /// The endpoint; none when the whole device fell out.
    pub endpoint: Option<Ipv4Addr>,
    /// Why.
    pub verdict: Verdict,
}

/// There is no endpoint for the tunnel; every candidate with its reason, by device and address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NoEndpoint {
    /// What was looked at.
    pub considered: Vec<Considered>,
}

impl NoEndpoint {
    pub(super) fn new(mut considered: Vec<Considered>) -> Self {
        considered.sort_by(|a, b| (&a.device, a.endpoint).cmp(&(&b.device, b.endpoint)));
        Self { considered }
    }
}

impl fmt::Display for NoEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no endpoint for the tunnel")?;
        if self.considered.is_empty() {
            return f.write_str(": no device has one");
        }
        for Considered { device, endpoint, verdict } in &self.considered {
            match endpoint {
                Some(endpoint) => write!(f, "\n  {device} {endpoint}: {verdict}")?,
                None => write!(f, "\n  {device}: {verdict}")?,
            }
        }
        Ok(())
    }
}

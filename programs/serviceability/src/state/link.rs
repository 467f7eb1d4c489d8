//! A backbone link between two devices.

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType, keys};
use crate::network::{NETWORK_BYTES, NetworkV4};

/// Where a link is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum LinkStatus {
    /// Waits for the other contributor to accept it.
    Requested = 1,
    /// Waits for its network.
    Pending = 2,
    /// Carries traffic.
    Activated = 3,
    /// Carries traffic only where there is no other way.
    SoftDrained = 4,
    /// Carries nothing.
    HardDrained = 5,
    /// Waits for the activator to take its network back.
    Deleting = 6,
}

/// How far one side has taken a link out of use.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, strum::Display,
)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum LinkDrain {
    /// Not at all.
    #[default]
    None = 1,
    /// For all that has another way.
    Soft = 2,
    /// For everything.
    Hard = 3,
}

impl LinkDrain {
    /// The drain that this status asks for; none for a status that cannot be requested.
    pub fn asked_by(status: LinkStatus) -> Option<Self> {
        match status {
            LinkStatus::Activated => Some(Self::None),
            LinkStatus::SoftDrained => Some(Self::Soft),
            LinkStatus::HardDrained => Some(Self::Hard),
            LinkStatus::Requested | LinkStatus::Pending | LinkStatus::Deleting => None,
        }
    }
}

/// Who runs the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "UPPERCASE")]
#[repr(u8)]
pub enum LinkType {
    /// One contributor runs both.
    Wan = 1,
    /// Two contributors meet.
    Dzx = 2,
}

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LinkEnd {
    /// Foreign key: the [`Device`](super::Device).
    pub device: Pubkey,
    /// Foreign key: the physical [`Interface`](super::Interface).
    pub interface: Pubkey,
}

/// The /31 of a link and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LinkNetwork {
    /// Side A has the even address, side Z the odd one.
    pub net: NetworkV4,
    /// The pool of kind `DeviceTunnelBlock`.
    pub pool: Pubkey,
}

/// A link. Address: [`crate::pda::link`] of its code.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Link {
    /// Unique name, lower case.
    pub code: String,
    /// Foreign key: the [`Contributor`](super::Contributor) of side A.
    pub contributor: Pubkey,
    /// Who runs the two ends.
    pub link_type: LinkType,
    /// Side A.
    pub side_a: LinkEnd,
    /// Side Z.
    pub side_z: LinkEnd,
    /// Where it is in its life. One that is in service is drained as far as the side that drains more wants it.
    pub status: LinkStatus,
    /// How far side A has drained it.
    pub drained_by_a: LinkDrain,
    /// How far side Z has drained it.
    pub drained_by_z: LinkDrain,
    /// True once side Z belongs to it: from the start when one contributor runs both ends.
    pub accepted: bool,
    /// Its network once it is activated.
    pub network: Option<LinkNetwork>,
    /// One-way delay in nanoseconds, 10,000 to 1,000,000,000; the metric follows from it.
    pub delay_ns: u64,
    /// Bits per second.
    pub bandwidth: u64,
    /// MTU, in octets it carries.
    pub mtu: u16,
}

decode_fields!(Link {
    code,
    contributor,
    link_type,
    side_a,
    side_z,
    status,
    drained_by_a,
    drained_by_z,
    accepted,
    network,
    delay_ns,
    bandwidth,
    mtu
});

impl AccountData for Link {
    const TYPE: AccountType = AccountType::Link;

    fn growth(&self) -> usize {
        if self.network.is_none() { NETWORK_BYTES + keys(1) } else { 0 }
    }
}

impl Link {
    /// True when it has its network and is not going away.
    pub fn in_service(&self) -> bool {
        matches!(self.status, LinkStatus::Activated | LinkStatus::SoftDrained | LinkStatus::HardDrained)
    }

    /// The status of a link in service: what the side that drains more wants.
    pub fn drained_status(&self) -> LinkStatus {
        match self.drained_by_a.max(self.drained_by_z) {
            LinkDrain::None => LinkStatus::Activated,
            LinkDrain::Soft => LinkStatus::SoftDrained,
            LinkDrain::Hard => LinkStatus::HardDrained,
        }
    }
}

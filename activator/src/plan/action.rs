//! The parts of a plan: actions to take, and conditions that only others can change.

use std::{fmt, net::Ipv4Addr};

use dz_sdk::program::{instruction::RoleChange, network::NetworkV4, state::AccountType};
use solana_pubkey::Pubkey;

/// The thing an action or a condition is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: AccountType,
    /// Its account.
    pub key: Pubkey,
    /// What people call it, such as `device nyc1`.
    pub label: String,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// One decision: what is done to what, with which values, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What it is done to.
    pub subject: Subject,
    /// What is done.
    pub decision: Decision,
    /// Why, for people.
    pub reason: String,
}

impl Action {
    /// Whether this and the next are to land together. A user that waits is stripped to be refused; met between the two,
    /// it would pass for one that asked for no roles, and be activated.
    pub(crate) fn lands_with(&self, next: &Self) -> bool {
        let pair = (&self.decision, &next.decision);
        self.subject.key == next.subject.key
            && matches!(pair, (Decision::StripRoles { .. }, Decision::RejectUser { .. }))
    }
}

/// What can be done to a subject, with every value that had to be chosen.
#[derive(Clone, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Decision {
    /// Carve a /24 out of a DoubleZero block for the contributor.
    AllocateContributorBlock {
        /// The /24.
        block: NetworkV4,
    },
    /// Give a /24 back.
    ReleaseContributorBlock {
        /// The /24.
        block: NetworkV4,
    },
    /// Close the contributor's account.
    CloseContributor,
    /// Carve a prefix for the device out of its contributor's /24.
    CarveDevicePrefix {
        /// The prefix.
        net: NetworkV4,
    },
    /// Pull an address off a prefix of the device onto a loopback.
    PullEndpoint {
        /// The prefix.
        prefix: NetworkV4,
        /// The address.
        ip: Ipv4Addr,
        /// The loopback's number.
        loopback_number: u16,
    },
    /// The device has what it needs.
    ActivateDevice,
    /// Release a prefix of a device that goes away.
    RemoveDevicePrefix {
        /// The prefix.
        net: NetworkV4,
    },
    /// Release the pools of the device and close its account.
    CloseDevice,
    /// The interface is in order.
    ActivateInterface,
    /// Start the end of an interface of a device that goes away.
    DeleteInterface,
    /// Release what the interface holds and close its account.
    CloseInterface,
    /// Give the link its network.
    ActivateLink {
        /// The /31.
        net: NetworkV4,
    },
    /// Release the link's network and close its account.
    CloseLink,
    /// Give the tenant its VRF id.
    ActivateTenant {
        /// The id.
        vrf_id: u16,
    },
    /// Release the tenant's VRF id and close its account.
    CloseTenant,
    /// Give the group its address.
    ActivateMulticastGroup {
        /// The address.
        ip: Ipv4Addr,
    },
    /// Release the group's address and close its account.
    CloseMulticastGroup,
    /// Give the user its tunnel, or the dz_ip of its new roles.
    ActivateUser {
        /// The overlay /31.
        tunnel_net: NetworkV4,
        /// The number of the tunnel interface on the device.
        tunnel_id: u16,
        /// The address the user is known by.
        dz_ip: Ipv4Addr,
    },
    /// Take roles away from the user, at most as many as one instruction can name.
    StripRoles {
        /// Group, and what the user loses in it.
        changes: Vec<(Pubkey, RoleChange)>,
    },
    /// Refuse the user; the action's subject hears this reason.
    RejectUser {
        /// The reason shown to the client.
        reason: String,
    },
    /// Release what the user holds and close its account.
    CloseUser,
    /// Release what the user holds and let it count as banned.
    FinishBan,
}

impl Decision {
    /// Its name, such as `activate-user`: the word in logs, events and metrics.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// The values without the pools they are from, as a log line shows them.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllocateContributorBlock { block } | Self::ReleaseContributorBlock { block } => {
                write!(f, "block {block}")
            }
            Self::CarveDevicePrefix { net } | Self::RemoveDevicePrefix { net } => write!(f, "prefix {net}"),
            Self::PullEndpoint { ip, loopback_number, .. } => write!(f, "{ip} on Loopback{loopback_number}"),
            Self::ActivateLink { net } => write!(f, "network {net}"),
            Self::ActivateTenant { vrf_id } => write!(f, "vrf {vrf_id}"),
            Self::ActivateMulticastGroup { ip } => write!(f, "address {ip}"),
            Self::ActivateUser { tunnel_net, tunnel_id, dz_ip } => {
                write!(f, "tunnel {tunnel_net}, id {tunnel_id}, dz_ip {dz_ip}")
            }
            Self::StripRoles { changes } => write!(f, "roles in {} of its groups", changes.len()),
            Self::RejectUser { .. }
            | Self::CloseContributor
            | Self::ActivateDevice
            | Self::CloseDevice
            | Self::ActivateInterface
            | Self::DeleteInterface
            | Self::CloseInterface
            | Self::CloseLink
            | Self::CloseTenant
            | Self::CloseMulticastGroup
            | Self::CloseUser
            | Self::FinishBan => Ok(()),
        }
    }
}

/// Why a thing stays as it is until others act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum ConditionKind {
    /// A pool has no unit left that would do; an operator can add a block or a prefix.
    PoolFull,
    /// The device waits for a prefix that its contributor brings.
    WaitsForPrefix,
    /// The device waits for an endpoint interface.
    WaitsForEndpoint,
    /// It, or something that it depends on, is out of use.
    OutOfUse,
    /// The chain is not initialised, or an account refers to one that is not there.
    Incomplete,
}

/// Something that the activator would do and cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What it is about.
    pub subject: Subject,
    /// What is the matter.
    pub kind: ConditionKind,
    /// The same in words.
    pub reason: String,
}

/// What to do about a view, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to do. A later action may rest on the effect of an earlier one, never the other way round.
    pub actions: Vec<Action>,
    /// What cannot be done.
    pub conditions: Vec<Condition>,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const fn strip() -> Decision {
        Decision::StripRoles { changes: Vec::new() }
    }

    const fn reject() -> Decision {
        Decision::RejectUser { reason: String::new() }
    }

    /// Two decisions in a row, and whether both are about the same user.
    #[rstest]
    #[case::stripped_and_rejected(strip(), reject(), true, true)]
    #[case::another_user(strip(), reject(), false, false)]
    #[case::other_order(reject(), strip(), true, false)]
    #[case::stripped_twice(strip(), strip(), true, false)]
    #[case::stripped_and_closed(strip(), Decision::CloseUser, true, false)]
    #[case::rejected_twice(reject(), reject(), true, false)]
    fn only_the_two_halves_of_a_refusal_land_together(
        #[case] first: Decision,
        #[case] next: Decision,
        #[case] same_user: bool,
        #[case] together: bool,
    ) {
        let action = |key: u8, decision| {
            let key = Pubkey::new_from_array([key; 32]);
            let subject = Subject { kind: AccountType::User, key, label: String::new() };
            Action { subject, decision, reason: String::new() }
        };
        let next = action(if same_user { 1 } else { 2 }, next);
        assert_eq!(action(1, first).lands_with(&next), together);
    }
}

//! Roles in groups on a live tunnel: `connect multicast` adds some, `multicast publish` and its siblings set one kind.
//!
//! An instruction says of each group it names what the user is to be there, so it always carries both roles: the one
//! that is changed and the one that was held.

use std::{collections::BTreeMap, io::Write, net::Ipv4Addr};

use dz_sdk::{
    NetworkView,
    program::{
        instruction::Roles,
        state::{AccountType, User},
    },
};
use solana_pubkey::Pubkey;

use super::Client;
use crate::cli::{error::CommandError, names::lookup, output::Format};

/// What is done to the roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Send from now on.
    Publish,
    /// Send no longer.
    Unpublish,
    /// Receive from now on.
    Subscribe,
    /// Receive no longer.
    Unsubscribe,
}

impl Verb {
    fn applied(self, held: Roles) -> Roles {
        match self {
            Self::Publish => Roles { publish: true, ..held },
            Self::Unpublish => Roles { publish: false, ..held },
            Self::Subscribe => Roles { subscribe: true, ..held },
            Self::Unsubscribe => Roles { subscribe: false, ..held },
        }
    }
}

/// A change of roles on a live tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleChange {
    /// What is done.
    pub verb: Verb,
    /// Codes or accounts of the groups.
    pub groups: Vec<String>,
    /// The endpoint of the tunnel, if there are several.
    pub endpoint: Option<Ipv4Addr>,
}

fn held(user: &User, group: &Pubkey) -> Roles {
    Roles { publish: user.publishers.contains(group), subscribe: user.subscribers.contains(group) }
}

/// True when the user's roles in these groups are others.
pub(super) fn differ(user: &User, roles: &BTreeMap<Pubkey, Roles>) -> bool {
    roles.iter().any(|(group, wanted)| held(user, group) != *wanted)
}

/// The wanted roles with those held before in the same groups.
pub(super) fn with_held(user: &User, wanted: &BTreeMap<Pubkey, Roles>) -> BTreeMap<Pubkey, Roles> {
    let union = |group, wanted: &Roles| {
        let held = held(user, group);
        Roles { publish: held.publish || wanted.publish, subscribe: held.subscribe || wanted.subscribe }
    };
    wanted.iter().map(|(group, wanted)| (*group, union(group, wanted))).collect()
}

/// Those of the roles that are a change.
pub(super) fn changed(user: &User, roles: &BTreeMap<Pubkey, Roles>) -> Vec<(Pubkey, Roles)> {
    roles.iter().map(|(group, roles)| (*group, *roles)).filter(|(group, roles)| held(user, group) != *roles).collect()
}

impl Client<'_> {
    /// Changes the roles of this client's multicast tunnel and prints it.
    pub async fn change_roles(
        &self,
        change: &RoleChange,
        format: Format,
        out: &mut (dyn Write + Send),
    ) -> Result<(), CommandError> {
        let client_ip = self.daemon.status(None).await?.client_ip;
        let view = self.ledger.snapshot().await?;
        let (key, user) = self.multicast_user(&view, client_ip, change.endpoint)?;
        let mut roles = BTreeMap::new();
        for code in &change.groups {
            let group = lookup(&view, AccountType::MulticastGroup, "multicast group", code)?;
            roles.insert(group, change.verb.applied(held(user, &group)));
        }
        let since = self.set_roles(key, view.slot(), &changed(user, &roles)).await?;
        self.daemon.enable(true).await?;
        self.finish(client_ip, user.endpoint_ip, since, &roles, format, out).await
    }

    /// The multicast tunnel that is meant.
    fn multicast_user<'v>(
        &self,
        view: &'v NetworkView,
        client_ip: Ipv4Addr,
        endpoint: Option<Ipv4Addr>,
    ) -> Result<(Pubkey, &'v User), CommandError> {
        let users: Vec<_> = view
            .users_of_client(client_ip)
            .filter(|(_, user)| {
                user.owner == self.ledger.payer()
                    && user.user_type.is_multicast()
                    && user.is_live()
                    && endpoint.is_none_or(|endpoint| endpoint == user.endpoint_ip)
            })
            .collect();
        match users.as_slice() {
            [(key, user)] => Ok((**key, user)),
            [] => Err(CommandError::NoTunnel { client_ip }),
            several => {
                let endpoints: Vec<_> = several.iter().map(|(_, user)| user.endpoint_ip.to_string()).collect();
                Err(CommandError::Usage(format!("choose one with --endpoint: {}", endpoints.join(", "))))
            }
        }
    }
}

//! Roles in groups on a live tunnel: `connect multicast` adds some, `multicast publish` and its siblings set one kind.
//!
//! An instruction says of each group it names what the user is to be there, so it always carries both roles: the one
//! that is changed and the one that was held.

use std::{collections::BTreeMap, io::Write, net::Ipv4Addr};

use dz_sdk::{
    NetworkView,
    program::{
        instruction::Roles,
        state::{MulticastGroup, User},
    },
};
use solana_pubkey::Pubkey;

use super::{Client, client::Seat};
use crate::cli::{
    error::CommandError,
    names,
    output::{self, Format},
};

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

/// What is to become of a user's roles in a group; none leaves the role as it is, whoever else changes it meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    publish: Option<bool>,
    subscribe: Option<bool>,
}

impl Wanted {
    /// These roles besides those held.
    pub(super) fn besides(roles: Roles) -> Self {
        Self { publish: roles.publish.then_some(true), subscribe: roles.subscribe.then_some(true) }
    }

    fn by(verb: Verb) -> Self {
        match verb {
            Verb::Publish => Self { publish: Some(true), ..Self::default() },
            Verb::Unpublish => Self { publish: Some(false), ..Self::default() },
            Verb::Subscribe => Self { subscribe: Some(true), ..Self::default() },
            Verb::Unsubscribe => Self { subscribe: Some(false), ..Self::default() },
        }
    }

    fn over(self, held: Roles) -> Roles {
        Roles { publish: self.publish.unwrap_or(held.publish), subscribe: self.subscribe.unwrap_or(held.subscribe) }
    }

    /// True when it is so with these roles.
    pub(super) fn met_by(self, held: Roles) -> bool {
        self.over(held) == held
    }
}

/// The roles a user has in a group.
fn held(user: &User, group: &Pubkey) -> Roles {
    Roles { publish: user.publishers.contains(group), subscribe: user.subscribers.contains(group) }
}

/// True when a user's roles are what is wanted.
pub(super) fn met(user: &User, wanted: &BTreeMap<Pubkey, Wanted>) -> bool {
    wanted.iter().all(|(group, wanted)| wanted.met_by(held(user, group)))
}

/// The roles a user is to have in the groups where they change.
pub(super) fn changes<'a>(
    user: &User,
    wanted: impl IntoIterator<Item = (&'a Pubkey, &'a Wanted)>,
) -> Vec<(Pubkey, Roles)> {
    let wanted = wanted.into_iter().map(|(group, wanted)| (*group, wanted.over(held(user, group))));
    wanted.filter(|(group, roles)| held(user, group) != *roles).collect()
}

/// The roles a user would get that it does not have.
pub(super) fn added(user: &User, wanted: &BTreeMap<Pubkey, Wanted>) -> Vec<(Pubkey, Roles)> {
    let new = |(group, roles): (Pubkey, Roles)| {
        let held = held(user, &group);
        (group, Roles { publish: roles.publish && !held.publish, subscribe: roles.subscribe && !held.subscribe })
    };
    changes(user, wanted).into_iter().map(new).collect()
}

impl Client<'_> {
    /// Changes the roles of this client's multicast tunnel and prints it. A tunnel that is left without any is worth
    /// a word: it stays, and carries nothing.
    pub async fn change_roles(
        &self,
        change: &RoleChange,
        format: Format,
        out: &mut (dyn Write + Send),
        err: &mut (dyn Write + Send),
    ) -> Result<(), CommandError> {
        let client_ip = self.waiting.for_status(self.daemon).await?.client_ip;
        let view = self.waiting.for_snapshot(self.ledger).await?;
        let (key, user) = self.multicast_user(&view, client_ip, change.endpoint)?;
        let mut wanted = BTreeMap::new();
        for code in &change.groups {
            wanted.insert(names::account::<MulticastGroup>(&view, code)?, Wanted::by(change.verb));
        }
        self.check_roles(&view, user, &wanted)?;
        let seat = Seat { user: key, endpoint: user.endpoint_ip, since: view.slot() };
        let service = self.finish(&seat, &wanted, format, out).await?;
        if service.subscriptions.is_empty() {
            let text = format!(
                "the tunnel to {} has no role in any group left: give it one with `doublezero multicast publish` or \
                 `subscribe`, or remove it with `doublezero disconnect multicast`",
                service.tunnel_dst
            );
            // Where it cannot be written, the answer above still shows the tunnel without groups.
            let _ = match format {
                Format::Json => output::json(err, &serde_json::json!({"warning": text})),
                Format::Table => writeln!(err, "warning: {text}"),
            };
        }
        Ok(())
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

//! Roles in groups on a live tunnel: `connect multicast` adds some, `multicast publish` and its siblings set one kind.
//!
//! An instruction names only the roles that change, so that two commands at once do not undo each other's.

use std::{collections::BTreeMap, io::Write, net::Ipv4Addr};

use dz_sdk::{
    NetworkView,
    program::{
        instruction::RoleChange,
        state::{MulticastGroup, Roles, User},
    },
};
use solana_pubkey::Pubkey;

use super::{Client, seat::Seat};
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
pub struct ChangeRoles {
    /// What is done.
    pub verb: Verb,
    /// Codes or accounts of the groups.
    pub groups: Vec<String>,
    /// The endpoint of the tunnel, if there are several.
    pub endpoint: Option<Ipv4Addr>,
}

impl From<Verb> for RoleChange {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Publish => Self { publish: Some(true), subscribe: None },
            Verb::Unpublish => Self { publish: Some(false), subscribe: None },
            Verb::Subscribe => Self { publish: None, subscribe: Some(true) },
            Verb::Unsubscribe => Self { publish: None, subscribe: Some(false) },
        }
    }
}

/// These roles besides those held.
pub(super) fn besides(roles: Roles) -> RoleChange {
    RoleChange { publish: roles.publish.then_some(true), subscribe: roles.subscribe.then_some(true) }
}

/// True when nothing of it is left to do for who holds these.
pub(super) fn met_by(change: RoleChange, held: Roles) -> bool {
    change.over(held) == held
}

/// True when a user's roles are what is wanted.
pub(super) fn met(user: &User, wanted: &BTreeMap<Pubkey, RoleChange>) -> bool {
    wanted.iter().all(|(group, change)| met_by(*change, user.roles_in(group)))
}

/// What is left to do of what is wanted.
pub(super) fn changes<'a>(
    user: &User,
    wanted: impl IntoIterator<Item = (&'a Pubkey, &'a RoleChange)>,
) -> Vec<(Pubkey, RoleChange)> {
    let wanted = wanted.into_iter().map(|(group, change)| (*group, *change));
    wanted.filter(|(group, change)| !met_by(*change, user.roles_in(group))).collect()
}

/// The roles a user would get that it does not have.
pub(super) fn added(user: &User, wanted: &BTreeMap<Pubkey, RoleChange>) -> Vec<(Pubkey, Roles)> {
    let new = |(group, change): (&Pubkey, &RoleChange)| {
        let held = user.roles_in(group);
        let wanted = change.over(held);
        (*group, Roles { publish: wanted.publish && !held.publish, subscribe: wanted.subscribe && !held.subscribe })
    };
    wanted.iter().map(new).collect()
}

impl Client<'_> {
    /// Changes the roles of this client's multicast tunnel and prints it. A tunnel that is left without any is worth
    /// a word: it stays, and carries nothing.
    ///
    /// # Errors
    /// [`CommandError`]: names that are not on the chain, a refusal, or the deadline.
    pub async fn change_roles(
        &self,
        change: &ChangeRoles,
        format: Format,
        out: &mut (dyn Write + Send),
        err: &mut (dyn Write + Send),
    ) -> Result<(), CommandError> {
        let client_ip = self.waiting.for_status(self.daemon).await?.client_ip;
        let view = self.waiting.for_snapshot(self.ledger).await?;
        let (key, user) = self.multicast_user(&view, client_ip, change.endpoint)?;
        let mut wanted = BTreeMap::new();
        for code in &change.groups {
            wanted.insert(names::account::<MulticastGroup>(&view, code)?, RoleChange::from(change.verb));
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

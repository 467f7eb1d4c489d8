//! A request for a tunnel, resolved against the chain.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_sdk::{
    NetworkView, build,
    program::{
        instruction::RoleChange,
        state::{AccessPass, Device, MulticastGroup, MulticastGroupStatus, Roles, Tenant, UserType},
    },
};
use solana_pubkey::Pubkey;

use super::roles;
use crate::cli::{error::CommandError, names};

/// Which service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// Unicast.
    Unicast {
        /// Which kind.
        user_type: UserType,
        /// Code of the tenant; none for the only one the pass has, or none at all.
        tenant: Option<String>,
    },
    /// Group traffic.
    Multicast {
        /// Codes of the groups to send to.
        publish: Vec<String>,
        /// Codes of the groups to receive.
        subscribe: Vec<String>,
    },
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which service.
    pub service: Service,
    /// Code or account of the one device it accepts.
    pub device: Option<String>,
    /// True for one more tunnel besides those of the same service.
    pub another: bool,
    /// True to give up a tunnel that ends on a drained device and make one elsewhere.
    pub moves: bool,
}

/// The same in accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) another: bool,
    pub(super) user_type: UserType,
    pub(super) device: Option<Pubkey>,
    pub(super) tenant: Option<Pubkey>,
    pub(super) roles: BTreeMap<Pubkey, Roles>,
}

impl Request {
    pub(super) fn resolve(&self, view: &NetworkView, client_ip: Ipv4Addr, payer: Pubkey) -> Result<Wish, CommandError> {
        let device = self.device.as_deref().map(|device| names::account::<Device>(view, device)).transpose()?;
        match &self.service {
            Service::Unicast { user_type, tenant } => Ok(Wish {
                another: self.another,
                user_type: *user_type,
                device,
                tenant: match tenant {
                    Some(tenant) => Some(names::account::<Tenant>(view, tenant)?),
                    None => only_tenant(view, &passes(view, client_ip, payer)?)?,
                },
                roles: BTreeMap::new(),
            }),
            Service::Multicast { publish, subscribe } => {
                let mut roles: BTreeMap<Pubkey, Roles> = BTreeMap::new();
                for code in publish {
                    roles.entry(group(view, code)?).or_default().publish = true;
                }
                for code in subscribe {
                    roles.entry(group(view, code)?).or_default().subscribe = true;
                }
                if roles.is_empty() {
                    roles = all_roles(view, &passes(view, client_ip, payer)?)?;
                }
                Ok(Wish { another: self.another, user_type: UserType::Multicast, device, tenant: None, roles })
            }
        }
    }
}

/// The passes under which this payer may connect from here, at least one.
fn passes(view: &NetworkView, client_ip: Ipv4Addr, payer: Pubkey) -> Result<Vec<&AccessPass>, CommandError> {
    let passes: Vec<_> = build::access_passes(view, client_ip, &payer).into_iter().map(|(_, pass)| pass).collect();
    if passes.is_empty() { Err(CommandError::NoAccessPass { client_ip, payer }) } else { Ok(passes) }
}

fn group(view: &NetworkView, code: &str) -> Result<Pubkey, CommandError> {
    names::account::<MulticastGroup>(view, code)
}

/// The tenant of who names none: none if a pass allows that, else the only one that the passes allow.
fn only_tenant(view: &NetworkView, passes: &[&AccessPass]) -> Result<Option<Pubkey>, CommandError> {
    if passes.iter().any(|pass| pass.tenants.is_empty()) {
        return Ok(None);
    }
    let tenants: BTreeSet<Pubkey> = passes.iter().flat_map(|pass| pass.tenants.iter().copied()).collect();
    if tenants.len() <= 1 {
        return Ok(tenants.first().copied());
    }
    let codes: Vec<_> = tenants.iter().filter_map(|key| Some(view.tenant(key)?.code.as_str())).collect();
    Err(CommandError::Usage(format!("choose one with --tenant: {}", codes.join(", "))))
}

/// The roles of who names no group: all that the first pass that allows any allows, in groups that can be joined.
fn all_roles(view: &NetworkView, passes: &[&AccessPass]) -> Result<BTreeMap<Pubkey, Roles>, CommandError> {
    let joinable = |key: &&Pubkey| view.group(key).is_some_and(|group| group.status == MulticastGroupStatus::Activated);
    let roles_of = |pass: &&AccessPass| {
        let mut roles: BTreeMap<Pubkey, Roles> = BTreeMap::new();
        for key in pass.publish.iter().filter(joinable) {
            roles.entry(*key).or_default().publish = true;
        }
        for key in pass.subscribe.iter().filter(joinable) {
            roles.entry(*key).or_default().subscribe = true;
        }
        roles
    };
    let found = passes.iter().map(roles_of).find(|roles| !roles.is_empty());
    found.ok_or_else(|| CommandError::NotAllowed { what: "any multicast group".to_owned() })
}

impl Wish {
    /// Its roles, besides those that a live tunnel has.
    pub(super) fn wanted(&self) -> BTreeMap<Pubkey, RoleChange> {
        self.roles.iter().map(|(group, more)| (*group, roles::besides(*more))).collect()
    }

    /// Says what the program would refuse, in the words of the person who asks.
    pub(super) fn check_pass(
        &self,
        view: &NetworkView,
        client_ip: Ipv4Addr,
        payer: Pubkey,
    ) -> Result<(), CommandError> {
        let roles: Vec<_> = self.roles.iter().map(|(group, roles)| (*group, *roles)).collect();
        let service = build::Service { user_type: self.user_type, tenant: self.tenant, roles: &roles };
        let (_, pass) = match build::find_access_pass(view, client_ip, &payer, service) {
            Ok(found) => found,
            Err(build::BuildError::NoAccessPass { .. }) => {
                return Err(CommandError::NoAccessPass { client_ip, payer });
            }
            Err(error) => return Err(error.into()),
        };
        if pass.banned_users > 0 {
            return Err(CommandError::Banned { client_ip });
        }
        match self.forbidden_by(view, pass) {
            Some(what) => Err(CommandError::NotAllowed { what }),
            None => Ok(()),
        }
    }

    fn forbidden_by(&self, view: &NetworkView, pass: &AccessPass) -> Option<String> {
        if self.user_type.is_multicast() {
            if pass.multicast_users >= pass.max_multicast_users {
                return Some(format!("more than {} multicast tunnels", pass.max_multicast_users));
            }
        } else {
            if pass.unicast_users >= pass.max_unicast_users {
                return Some(format!("more than {} unicast tunnels", pass.max_unicast_users));
            }
            if let Some(tenant) = self.tenant.filter(|tenant| !pass.tenants.contains(tenant)) {
                let code = view.tenant(&tenant).map_or_else(|| tenant.to_string(), |tenant| tenant.code.clone());
                return Some(format!("tenant '{code}'"));
            }
        }
        forbidden_role(view, pass, self.roles.iter().map(|(group, roles)| (*group, *roles)))
    }
}

/// The first of some roles that a pass does not allow, in the words of the person who asks.
pub(super) fn forbidden_role(
    view: &NetworkView,
    pass: &AccessPass,
    roles: impl IntoIterator<Item = (Pubkey, Roles)>,
) -> Option<String> {
    roles.into_iter().find_map(|(key, roles)| {
        let code = || view.group(&key).map_or_else(|| key.to_string(), |group| group.code.clone());
        if roles.publish && !pass.publish.contains(&key) {
            return Some(format!("publishing to group '{}'", code()));
        }
        (roles.subscribe && !pass.subscribe.contains(&key)).then(|| format!("subscribing to group '{}'", code()))
    })
}

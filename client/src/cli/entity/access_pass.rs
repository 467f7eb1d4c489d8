//! `doublezero access-pass`: permissions to connect.

use std::{collections::BTreeMap, net::Ipv4Addr};

use clap::{Args, Subcommand};
use dz_sdk::{
    NetworkView, build,
    instruction::access_pass::{self, PassLimits},
    program::state::{AccessPass, MulticastGroup, Tenant},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    Changed, KeyArg, Operator, code_of,
    row::{Share, row},
};
use crate::cli::{error::CommandError, names};

const KIND: &str = "access pass";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all
    List,
    /// Show one
    Get {
        /// Which
        #[command(flatten)]
        pass: PassArgs,
    },
    /// Create one, or change what is given
    Set(SetArgs),
    /// Allow a tenant or groups
    Allow {
        /// Which
        #[command(flatten)]
        pass: PassArgs,
        /// What
        #[command(flatten)]
        what: WhatArgs,
    },
    /// Forbid a tenant or groups
    Forbid {
        /// Which
        #[command(flatten)]
        pass: PassArgs,
        /// What
        #[command(flatten)]
        what: WhatArgs,
    },
    /// Close one that no user refers to
    Close {
        /// Which
        #[command(flatten)]
        pass: PassArgs,
    },
}

/// Which pass: there is one per giver and address.
#[derive(Args, Clone, Debug)]
pub struct PassArgs {
    /// The address that may connect; 0.0.0.0 for any
    #[arg(long, value_name = "ADDRESS")]
    client_ip: Ipv4Addr,
    /// The key that may connect
    #[arg(long, visible_alias = "user-payer", value_name = "KEY", default_value = "me")]
    payer: KeyArg,
    /// The tenant that gives it, which it then allows; without it the foundation does
    #[arg(long, value_name = "CODE")]
    given_by: Option<String>,
}

/// Arguments of `set`.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// Which
    #[command(flatten)]
    pass: PassArgs,
    /// The last epoch in which unicast tunnels may be made [default: for ever]
    #[arg(long, value_name = "EPOCH")]
    last_epoch: Option<u64>,
    /// Unicast tunnels at a time [default: 1]
    #[arg(long, value_name = "NUMBER")]
    max_unicast: Option<u16>,
    /// Multicast tunnels at a time [default: 1]
    #[arg(long, value_name = "NUMBER")]
    max_multicast: Option<u16>,
    /// What it allows besides what it did
    #[command(flatten)]
    what: WhatArgs,
}

/// What a pass may allow.
#[derive(Args, Debug)]
pub struct WhatArgs {
    /// Being in these tenants
    #[arg(long, value_name = "CODE", value_delimiter = ',', num_args = 1..)]
    tenant: Vec<String>,
    /// Publishing to these groups
    #[arg(long, value_name = "CODE", value_delimiter = ',', num_args = 1..)]
    publish: Vec<String>,
    /// Subscribing to these groups
    #[arg(long, value_name = "CODE", value_delimiter = ',', num_args = 1..)]
    subscribe: Vec<String>,
}

row! {
    /// An access pass.
    AccessPassRow {
        account: String => "Account",
        client_ip: Ipv4Addr => "Client IP",
        payer: String => "Payer",
        given_by: String => "Given By",
        tenants: Vec<String> => "Tenants",
        publish: Vec<String> => "Publish",
        subscribe: Vec<String> => "Subscribe",
        last_access_epoch: Option<u64> => "Last Epoch",
        unicast_users: Share => "Unicast",
        multicast_users: Share => "Multicast",
        banned_users: u16 => "Banned",
    }
}

fn rows(view: &NetworkView, only: Option<Pubkey>) -> Vec<AccessPassRow> {
    let codes = |keys: &[Pubkey]| {
        let mut codes: Vec<_> = keys.iter().map(|key| code_of(view, key)).collect();
        codes.sort();
        codes
    };
    let share = |used: u16, max: u16| Share { used: used.into(), max: Some(max.into()) };
    let mut rows: Vec<_> = view
        .access_passes()
        .iter()
        .filter(|(key, _)| only.is_none_or(|only| only == **key))
        .map(|(key, pass)| AccessPassRow {
            account: key.to_string(),
            client_ip: pass.client_ip,
            payer: pass.payer.to_string(),
            given_by: view.tenant(&pass.giver).map_or("foundation", |tenant| &tenant.code).to_owned(),
            tenants: codes(&pass.tenants),
            publish: codes(&pass.publish),
            subscribe: codes(&pass.subscribe),
            last_access_epoch: (pass.last_access_epoch != u64::MAX).then_some(pass.last_access_epoch),
            unicast_users: share(pass.unicast_users, pass.max_unicast_users),
            multicast_users: share(pass.multicast_users, pass.max_multicast_users),
            banned_users: pass.banned_users,
        })
        .collect();
    rows.sort_by(|a, b| (a.client_ip, &a.payer, &a.given_by).cmp(&(b.client_ip, &b.payer, &b.given_by)));
    rows
}

/// What a pass says, as far as a verb changes it.
#[derive(Clone, Debug, Default)]
struct Allowed {
    tenants: Vec<Pubkey>,
    /// (publish, subscribe) by group.
    groups: BTreeMap<Pubkey, (bool, bool)>,
}

impl WhatArgs {
    fn resolve(&self, view: &NetworkView) -> Result<Allowed, CommandError> {
        let mut allowed = Allowed::default();
        for code in &self.tenant {
            allowed.tenants.push(names::account::<Tenant>(view, code)?);
        }
        let group = |code: &str| names::account::<MulticastGroup>(view, code);
        for code in &self.publish {
            allowed.groups.entry(group(code)?).or_default().0 = true;
        }
        for code in &self.subscribe {
            allowed.groups.entry(group(code)?).or_default().1 = true;
        }
        Ok(allowed)
    }
}

/// What the pass may do with a group so far.
fn held(pass: Option<&AccessPass>, group: &Pubkey) -> (bool, bool) {
    pass.map_or((false, false), |pass| (pass.publish.contains(group), pass.subscribe.contains(group)))
}

/// A pass that a verb is about.
pub(super) struct Subject<'a> {
    pub(super) account: Pubkey,
    /// The tenant that gives it.
    pub(super) tenant: Option<Pubkey>,
    /// What the chain has of it.
    pub(super) old: Option<&'a AccessPass>,
}

impl PassArgs {
    /// There is no such pass.
    pub(super) fn missing(&self, payer: Pubkey) -> CommandError {
        CommandError::NoAccessPass { client_ip: self.client_ip, payer: self.payer.resolve(payer) }
    }

    pub(super) fn find<'a>(&self, view: &'a NetworkView, payer: Pubkey) -> Result<Subject<'a>, CommandError> {
        let tenant = self.given_by.as_deref().map(|code| names::account::<Tenant>(view, code)).transpose()?;
        let account = access_pass::pass_address(view.program(), self.client_ip, &self.payer.resolve(payer), tenant);
        Ok(Subject { account, tenant, old: view.access_pass(&account) })
    }
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let (program, payer) = (operator.program(), operator.payer());
    let view = operator.view().await?;
    let pass = match command {
        Command::List => return operator.list(&rows(&view, None)),
        Command::Set(SetArgs { pass, .. })
        | Command::Get { pass }
        | Command::Allow { pass, .. }
        | Command::Forbid { pass, .. }
        | Command::Close { pass } => pass,
    };
    let Subject { account, tenant, old } = pass.find(&view, payer)?;
    let existing = || old.ok_or_else(|| pass.missing(payer));
    // Who gave a pass takes away; only the owner of a group, or the foundation, gives.
    let set_group = |group, roles: (bool, bool), takes: bool| {
        access_pass::set_pass_group(&program, &payer, account, group, tenant.filter(|_| takes), roles)
    };
    let set_tenant = |tenant, allowed| access_pass::set_pass_tenant(&program, &payer, account, tenant, allowed);
    let instructions: Vec<Instruction> = match command {
        Command::List => return Ok(()),
        Command::Get { .. } => {
            existing()?;
            return operator.list_one(rows(&view, Some(account)));
        }
        Command::Set(SetArgs { last_epoch, max_unicast, max_multicast, what, .. }) => {
            let new = PassLimits::default();
            let limits = PassLimits {
                last_access_epoch: last_epoch.or(old.map(|old| old.last_access_epoch)).unwrap_or(new.last_access_epoch),
                max_unicast_users: max_unicast
                    .or(old.map(|old| old.max_unicast_users))
                    .unwrap_or(new.max_unicast_users),
                max_multicast_users: max_multicast
                    .or(old.map(|old| old.max_multicast_users))
                    .unwrap_or(new.max_multicast_users),
            };
            let Allowed { mut tenants, groups } = what.resolve(&view)?;
            tenants.retain(|tenant| old.is_none_or(|old| !old.tenants.contains(tenant)));
            let holder = pass.payer.resolve(payer);
            let set = access_pass::set_access_pass(&program, &payer, pass.client_ip, holder, limits, tenant);
            let tenants = tenants.into_iter().map(|tenant| set_tenant(tenant, true));
            let groups = groups.into_iter().map(|(group, (publish, subscribe))| {
                let (published, subscribed) = held(old, &group);
                set_group(group, (published || publish, subscribed || subscribe), false)
            });
            [set].into_iter().chain(tenants).chain(groups).collect()
        }
        Command::Allow { what, .. } | Command::Forbid { what, .. } => {
            let allow = matches!(command, Command::Allow { .. });
            let old = existing()?;
            let Allowed { tenants, groups } = what.resolve(&view)?;
            let tenants = tenants
                .into_iter()
                .filter(|tenant| old.tenants.contains(tenant) != allow)
                .map(|tenant| set_tenant(tenant, allow));
            let groups = groups.into_iter().map(|(group, (publish, subscribe))| {
                let (published, subscribed) = held(Some(old), &group);
                let roles = match allow {
                    true => (published || publish, subscribed || subscribe),
                    false => (published && !publish, subscribed && !subscribe),
                };
                set_group(group, roles, !allow)
            });
            tenants.chain(groups).collect()
        }
        Command::Close { .. } => {
            existing()?;
            build::close_access_pass(&view, &payer, account)?
        }
    };
    let name = format!("{} of {}", pass.client_ip, pass.payer.resolve(payer));
    operator.change(&view, Changed { kind: KIND, name: &name, account }, instructions).await
}

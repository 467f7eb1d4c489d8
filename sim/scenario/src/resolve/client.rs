//! Clients, and the tenants and groups that their passes name.

use std::{collections::BTreeSet, net::Ipv4Addr};

use ipnet::Ipv4Net;

use super::{context::At, known::Known, names::Named, network::Builder, translator::Translator};
use crate::{
    Plan,
    plan::{AccessPass, Client, ClientName, Group, GroupCode, Nat, NatFilter, Tenant, TenantCode},
    schema::{self, Pass},
};

/// What clients get their addresses from.
const CLIENTS: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(9, 128, 0, 0), 9);
/// Hosts that fit behind a translator.
const MOST_BEHIND: u8 = 250;

impl<'t> Builder<'_, 't, '_, '_, '_> {
    pub(super) fn client(&mut self, client: &Named<'t, '_, schema::Client>) {
        let Named { name, at, file } = client;
        let exchange = self.exchange_of(*at, file.exchange.as_ref());
        let (client_ip, nat) = match (&file.nat, file.ip) {
            (Some(nat), _) => self.behind(*at, nat),
            (None, Some(ip)) => (ip.0, None),
            (None, None) => (self.registry.next(CLIENTS, format!("the address of {name}")), None),
        };
        if file.nat.is_some() && file.ip.is_some() {
            self.context.error(at.key("ip"), "the address of a client behind a translator is the translator's", "");
        }
        if file.count.is_some() && file.ip.is_some() {
            self.context.error(at.key("count"), "clients with a count cannot have an address of their own", "");
        }
        let pass = match &file.pass {
            Pass::None => None,
            Pass::Some(limits) => Some(AccessPass {
                any_ip: limits.any_ip,
                max_unicast: limits.unicast.unwrap_or(1),
                max_multicast: limits.multicast.unwrap_or(1),
                last_epoch: limits.last_epoch.unwrap_or(u64::MAX),
                tenants: BTreeSet::new(),
                publish: BTreeSet::new(),
                subscribe: BTreeSet::new(),
            }),
        };
        let client = Client { exchange, client_ip, nat, pass, hosted: file.hosted };
        self.plan.clients.insert(ClientName::new(name), client);
    }

    pub(super) fn nat(&mut self, nat: &Named<'t, '_, schema::Nat>) {
        let Named { name, at, file } = nat;
        let owner = format!("the address of {name}");
        let outside = match file.ip {
            Some(ip) => {
                self.registry.claim(self.context, at.key("ip"), ip.0.into(), owner);
                ip.0
            }
            None => self.registry.next(CLIENTS, owner),
        };
        let lets_in = match file.lets_in {
            schema::NatFilter::FullCone => NatFilter::FullCone,
            schema::NatFilter::PortRestricted => NatFilter::PortRestricted,
        };
        let number = u8::try_from(self.nats.len()).unwrap_or(u8::MAX);
        self.nats.insert(name.clone(), Translator { outside, lets_in, number, clients: 0 });
    }

    /// The address of a translator, and the next place behind it.
    fn behind(&mut self, at: At<'t>, name: &str) -> (Ipv4Addr, Option<Nat>) {
        let Some(translator) = self.nats.get_mut(name) else {
            let known = self.nats.keys().map(String::as_str).collect::<Vec<_>>();
            self.context.unknown(at.key("nat"), "translator", name, &["nats"], known);
            return (Ipv4Addr::UNSPECIFIED, None);
        };
        translator.clients += 1;
        if translator.clients > MOST_BEHIND {
            self.context.error(at.key("nat"), format!("more than {MOST_BEHIND} clients behind one translator"), "");
        }
        let inside = Ipv4Addr::new(192, 168, translator.number, translator.clients.saturating_add(1));
        (translator.outside, Some(Nat { inside, lets_in: translator.lets_in }))
    }

    pub(super) fn tenant(&mut self, tenant: &Named<'t, '_, schema::Tenant>, known: &Known) {
        let code = TenantCode::new(&tenant.name);
        for client in self.members(tenant.at.key("clients"), &tenant.file.clients, known) {
            if let Some(pass) = self.pass(&client) {
                pass.tenants.insert(code.clone());
            }
        }
        self.plan.tenants.insert(code, Tenant {});
    }

    pub(super) fn group(&mut self, group: &Named<'t, '_, schema::Group>, known: &Known) {
        let code = GroupCode::new(&group.name);
        let publishers = self.members(group.at.key("publishers"), &group.file.publishers, known);
        let subscribers = self.members(group.at.key("subscribers"), &group.file.subscribers, known);
        for client in &publishers {
            if let Some(pass) = self.pass(client) {
                pass.publish.insert(code.clone());
            }
        }
        for client in &subscribers {
            if let Some(pass) = self.pass(client) {
                pass.subscribe.insert(code.clone());
            }
        }
        self.plan.groups.insert(code, Group { publishers, subscribers });
    }

    /// Clients of a list, each of which must have a pass to be listed by name; `all` leaves those without one out.
    fn members(&mut self, at: At<'t>, names: &schema::Names, known: &Known) -> BTreeSet<ClientName> {
        let clients: BTreeSet<ClientName> =
            self.context.clients(at, names, known).iter().map(|name| ClientName::new(name)).collect();
        let passless = |plan: &Plan, name: &str| plan.clients.get(name).is_some_and(|client| client.pass.is_none());
        for (index, name) in names.0.iter().enumerate() {
            if passless(&self.plan, name) {
                let message = format!("`{name}` has no access pass that could list this");
                self.context.error(at.item(index), message, "the client has `pass: false`");
            }
        }
        clients.into_iter().filter(|client| !passless(&self.plan, client.as_str())).collect()
    }

    fn pass(&mut self, client: &ClientName) -> Option<&mut AccessPass> {
        self.plan.clients.get_mut(client)?.pass.as_mut()
    }
}

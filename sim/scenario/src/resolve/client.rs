//! Clients, and the tenants and groups that their passes name.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;

use super::{context::At, known::Known, names::Named, network::Builder};
use crate::{
    Plan,
    plan::{AccessPass, Client, ClientName, Group, GroupCode, Tenant, TenantCode},
    schema::{self, Pass},
};

impl<'t> Builder<'_, 't, '_, '_, '_> {
    pub(super) fn client(&mut self, client: &Named<'t, '_, schema::Client>) {
        let Named { name, at, file } = client;
        let exchange = self.exchange_of(*at, file.exchange.as_ref());
        let client_ip = match file.ip {
            Some(ip) => ip.0,
            None => self.registry.next(Ipv4Net::new_assert([9, 128, 0, 0].into(), 9), format!("the address of {name}")),
        };
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
        self.plan.clients.insert(ClientName::new(name), Client { exchange, client_ip, pass });
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

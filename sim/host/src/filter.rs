//! The ingress filter: the nftables rules of [`dz_net::filter`], by what they do.

use std::collections::BTreeMap;

use dz_net::filter::{Changes, Dropped, FilterError, IngressPolicy};
use dz_net::kernel::Change;
use dz_net::wire::ipv4::Header;

use crate::machine::Machine;

/// A policy in force and what it dropped, by interface.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter(BTreeMap<String, (IngressPolicy, Dropped)>);

impl Filter {
    pub(crate) fn policies(&self) -> BTreeMap<String, IngressPolicy> {
        self.0.iter().map(|(name, (policy, _))| (name.clone(), policy.clone())).collect()
    }

    pub(crate) fn dropped(&self) -> BTreeMap<String, Dropped> {
        self.0.iter().map(|(name, (_, dropped))| (name.clone(), *dropped)).collect()
    }

    /// Whether a packet may come in by the interface of that name; one that may not is counted.
    pub(crate) fn admits(&mut self, interface: &str, header: &Header) -> bool {
        let Some((policy, dropped)) = self.0.get_mut(interface) else { return true };
        if !policy.sources.iter().any(|net| net.contains(&header.source)) {
            dropped.source += 1;
            return false;
        }
        let group = header.destination;
        if !group.is_multicast() || group.octets()[..3] == [224, 0, 0] || policy.groups.contains(&group) {
            return true;
        }
        dropped.group += 1;
        false
    }
}

impl Machine {
    /// As [`dz_net::filter::Filter::apply`].
    pub(crate) fn set_ingress(&mut self, policies: Vec<IngressPolicy>) -> Result<Changes, FilterError> {
        let wanted: BTreeMap<_, _> = policies.into_iter().map(|policy| (policy.interface.clone(), policy)).collect();
        wanted.values().try_for_each(IngressPolicy::check)?;
        let mut changes = Changes::default();
        let Filter(in_force) = &mut self.filter;
        in_force.retain(|name, _| {
            let stays = wanted.contains_key(name);
            if !stays {
                changes.removed.insert(name.clone());
            }
            stays
        });
        for (name, policy) in wanted {
            if in_force.get(&name).is_none_or(|(is, _)| *is != policy) {
                changes.set.insert(name.clone());
                in_force.insert(name, (policy, Dropped::default()));
            }
        }
        if !changes.is_empty() {
            self.watchers.notify(Change::Filter);
        }
        Ok(changes)
    }
}

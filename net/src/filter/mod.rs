//! Ingress filter of an interface: what is not permitted is dropped and counted.
//!
//! A [`Filter`] keeps one [`IngressPolicy`] per interface in an nftables table of its own, written over netlink. The
//! kernel holds the whole state: policies are read back from its rules, so a restarted agent finds what it left, and
//! counters run on as long as an interface's policy does not change. Why nftables, and what else was weighed, is in
//! `docs/decisions/0011-source-filter.md`.

mod expression;
mod nft;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use self::nft::{Rule, RuleKind};
use crate::netns::NetNs;
use crate::raw_netlink::{Message, RawLink};

/// What may come in by one interface. Nothing is said about interfaces without a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IngressPolicy {
    /// Name of the interface. It need not exist yet.
    pub interface: String,
    /// Sources that may send. Packets of any other are dropped as [`Dropped::source`].
    pub sources: BTreeSet<Ipv4Net>,
    /// Groups that may be sent to. Packets to any other are dropped as [`Dropped::group`], but for the link's own
    /// groups in 224.0.0.0/24, which are never forwarded.
    pub groups: BTreeSet<Ipv4Addr>,
}

impl IngressPolicy {
    /// Refuses a name that no interface can have.
    ///
    /// # Errors
    /// [`FilterError::Interface`].
    pub fn check(&self) -> Result<(), FilterError> {
        let name = &self.interface;
        // A longer name would be cut, and the policy would be another interface's.
        if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.contains([' ', ':', '/']) {
            return Err(FilterError::Interface(name.clone()));
        }
        Ok(())
    }
}

/// What was dropped on one interface since its policy was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Packets whose source may not send.
    pub source: u64,
    /// Packets to a group that may not be sent to.
    pub group: u64,
}

/// What [`Filter::apply`] changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Interfaces whose policy is new or another.
    pub set: BTreeSet<String>,
    /// Interfaces that have no policy any more.
    pub removed: BTreeSet<String>,
}

impl Changes {
    /// Whether nothing had to change.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }
}

/// Messages after which a transaction ends with the interface at hand: some 300 bytes each, of the 200 KiB that a socket
/// sends at a time.
const MESSAGES: usize = 200;

/// Why the filter could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// No interface can have that name.
    #[error("packet filter: expected an interface name of 1 to 15 bytes without ` `, `:` and `/`, got `{0}`")]
    Interface(String),
    /// The kernel has no nftables.
    #[error("packet filter: this kernel has no nftables (load the module: `modprobe nf_tables`)")]
    Unsupported,
    /// The caller lacks the capability.
    #[error("packet filter: not permitted (needs CAP_NET_ADMIN in the network namespace)")]
    Denied,
    /// The kernel refused.
    #[error("packet filter: cannot {what}: {source}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl FilterError {
    fn new(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.raw_os_error() {
            Some(libc::EPROTONOSUPPORT | libc::EOPNOTSUPP | libc::EAFNOSUPPORT) => Self::Unsupported,
            // nfnetlink answers so for a subsystem that is not there.
            Some(libc::EINVAL) if what == nft::TRIAL => Self::Unsupported,
            Some(libc::EPERM | libc::EACCES) => Self::Denied,
            _ => Self::Refused { what, source },
        }
    }
}

/// The packet filter of one network namespace.
#[derive(Debug)]
pub struct Filter {
    link: RawLink,
}

impl Filter {
    /// Opens the filter of the calling thread's namespace and makes its table if it is not there.
    ///
    /// # Errors
    /// The kernel refuses, or has no nftables.
    pub fn open() -> Result<Self, FilterError> {
        Self::prepare(RawLink::open(nft::NETLINK_NETFILTER))
    }

    /// Opens the filter of `ns`.
    ///
    /// # Errors
    /// The kernel refuses, or has no nftables.
    pub fn open_in(ns: &NetNs) -> Result<Self, FilterError> {
        Self::prepare(RawLink::open_in(ns, nft::NETLINK_NETFILTER))
    }

    fn prepare(link: io::Result<RawLink>) -> Result<Self, FilterError> {
        let mut link = link.map_err(FilterError::new("open a socket"))?;
        link.execute(nft::change(Vec::new())).map_err(FilterError::new(nft::TRIAL))?;
        Ok(Self { link })
    }

    /// Makes `policies` the whole state, each interface in one step: no packet meets half of a policy. What is already right
    /// is not touched and keeps its counters. Of two policies for one interface the later counts.
    ///
    /// # Errors
    /// The kernel refuses, or has no nftables.
    pub fn apply(&mut self, policies: impl IntoIterator<Item = IngressPolicy>) -> Result<Changes, FilterError> {
        let wanted: BTreeMap<_, _> = policies.into_iter().map(|policy| (policy.interface.clone(), policy)).collect();
        wanted.values().try_for_each(IngressPolicy::check)?;
        let rules = self.rules()?;
        let actual = read_policies(&rules);
        let mut changes = Changes::default();
        let mut messages = Vec::new();
        let interfaces: BTreeSet<&String> = actual.keys().chain(wanted.keys()).collect();
        for interface in interfaces {
            let (before, after) = (actual.get(interface), wanted.get(interface));
            if before.is_some_and(|before| before.as_ref() == after && after.is_some()) {
                continue;
            }
            if before.is_some() {
                messages.extend(nft::remove(interface, &rules));
            }
            match after {
                Some(policy) => {
                    messages.extend(nft::add(policy));
                    changes.set.insert(interface.clone());
                }
                None => {
                    changes.removed.insert(interface.clone());
                }
            }
            if messages.len() >= MESSAGES {
                self.change(std::mem::take(&mut messages))?;
            }
        }
        self.change(messages)?;
        tracing::debug!(?changes, "packet filter");
        Ok(changes)
    }

    /// The policies in force, by interface. One of which someone has removed a part is not in force.
    ///
    /// # Errors
    /// The kernel refuses, or has no nftables.
    pub fn policies(&mut self) -> Result<BTreeMap<String, IngressPolicy>, FilterError> {
        let whole = |(interface, policy): (String, Option<_>)| Some((interface, policy?));
        Ok(read_policies(&self.rules()?).into_iter().filter_map(whole).collect())
    }

    /// What was dropped, by interface; each that has a policy is there.
    ///
    /// # Errors
    /// The kernel refuses, or has no nftables.
    pub fn dropped(&mut self) -> Result<BTreeMap<String, Dropped>, FilterError> {
        let mut dropped = BTreeMap::<String, Dropped>::new();
        for rule in self.rules()? {
            let of = dropped.entry(rule.interface).or_default();
            match rule.kind {
                RuleKind::OtherSource => of.source += rule.packets,
                RuleKind::OtherGroup => of.group += rule.packets,
                _ => {}
            }
        }
        Ok(dropped)
    }

    fn change(&mut self, messages: Vec<Message>) -> Result<(), FilterError> {
        if messages.is_empty() {
            return Ok(());
        }
        // The table may have been removed since it was opened.
        self.link.execute(nft::change(messages)).map_err(FilterError::new("change its rules"))
    }

    fn rules(&mut self) -> Result<Vec<Rule>, FilterError> {
        let listed = self.link.dump(&nft::list_rules()).map_err(FilterError::new("list its rules"))?;
        Ok(listed.iter().filter_map(|payload| nft::read_rule(payload)).collect())
    }
}

/// What is said about each interface that is spoken of: a policy, or none if the rules are not all that make one.
fn read_policies(rules: &[Rule]) -> BTreeMap<String, Option<IngressPolicy>> {
    let mut by_interface = BTreeMap::<&String, Vec<RuleKind>>::new();
    for rule in rules {
        by_interface.entry(&rule.interface).or_default().push(rule.kind);
    }
    by_interface.into_iter().map(|(interface, found)| (interface.clone(), read_policy(interface, found))).collect()
}

fn read_policy(interface: &str, mut found: Vec<RuleKind>) -> Option<IngressPolicy> {
    let mut policy =
        IngressPolicy { interface: interface.to_owned(), sources: BTreeSet::new(), groups: BTreeSet::new() };
    for kind in &found {
        match kind {
            RuleKind::Source(source) => {
                policy.sources.insert(*source);
            }
            RuleKind::Group(group) => {
                policy.groups.insert(*group);
            }
            RuleKind::Entry
            | RuleKind::OtherSource
            | RuleKind::NoGroup
            | RuleKind::LinkGroup
            | RuleKind::OtherGroup => {}
        }
    }
    // The chain that packets enter may be listed before the others or after them; within one the order counts.
    found.sort_by_key(|kind| *kind != RuleKind::Entry);
    (found == nft::kinds(&policy)).then_some(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_in_force_only_with_all_its_rules_in_order() {
        let policy = IngressPolicy {
            interface: "tun500".to_owned(),
            sources: ["45.33.100.2/32".parse().unwrap(), "169.254.0.1/32".parse().unwrap()].into(),
            groups: [[233, 84, 178, 1].into()].into(),
        };
        let whole = nft::kinds(&policy);
        assert_eq!(read_policy("tun500", whole.clone()), Some(policy.clone()));
        let mut entry_last = whole.clone();
        entry_last.rotate_left(1);
        assert_eq!(read_policy("tun500", entry_last), Some(policy.clone()));
        for missing in 0..whole.len() {
            let mut rules = whole.clone();
            let removed = rules.remove(missing);
            match (read_policy("tun500", rules), removed) {
                // Without it this is another policy, in force as such.
                (Some(other), RuleKind::Source(_) | RuleKind::Group(_)) => assert_ne!(other, policy),
                (found, _) => assert_eq!(found, None, "without {removed:?}"),
            }
            let mut twice = whole.clone();
            twice.insert(missing, removed);
            assert_eq!(read_policy("tun500", twice), None, "with {removed:?} twice");
        }
        // What drops the rest must come last.
        let mut early = whole;
        early.swap(1, 3);
        assert_eq!(read_policy("tun500", early), None);
    }

    #[test]
    fn what_someone_removes_by_hand_is_put_back() {
        crate::sandbox::run(|| {
            let policy = |id: u16| IngressPolicy {
                interface: format!("tun{id}"),
                sources: ["45.33.100.2/32".parse().unwrap()].into(),
                groups: [[233, 84, 178, 1].into()].into(),
            };
            let all = BTreeMap::from([500, 501].map(|id| (format!("tun{id}"), policy(id))));
            let mut filter = Filter::open().unwrap();
            filter.apply(all.values().cloned()).unwrap();
            // What is removed, and whose policies are in force without it.
            let damages: [(Vec<Vec<Message>>, &[u16]); 5] = [
                (vec![nft::by_hand::flush_chain("ingress")], &[]),
                (vec![nft::by_hand::flush_chain("source-tun500")], &[501]),
                (vec![nft::by_hand::flush_chain("group-tun500")], &[501]),
                (vec![nft::by_hand::flush_chain("ingress"), nft::by_hand::delete_chain("source-tun501")], &[]),
                (vec![nft::by_hand::empty_table()], &[]),
            ];
            for (number, (damage, left)) in damages.into_iter().enumerate() {
                damage.into_iter().for_each(|transaction| filter.link.execute(transaction).unwrap());
                let in_force: Vec<_> = filter.policies().unwrap().into_values().collect();
                assert_eq!(in_force, left.iter().map(|id| policy(*id)).collect::<Vec<_>>(), "damage {number}");
                let changes = filter.apply(all.values().cloned()).unwrap();
                let damaged = [500, 501].into_iter().filter(|id| !left.contains(id));
                assert_eq!(changes.set, damaged.map(|id| format!("tun{id}")).collect(), "damage {number}");
                assert_eq!(filter.policies().unwrap(), all, "damage {number}");
                assert!(filter.apply(all.values().cloned()).unwrap().is_empty(), "damage {number}");
            }
            // What is left of a policy that nobody wants goes too.
            filter.link.execute(nft::by_hand::flush_chain("ingress")).unwrap();
            assert_eq!(filter.apply([]).unwrap().removed.len(), 2);
            assert_eq!(filter.rules().unwrap(), []);
        });
    }
}

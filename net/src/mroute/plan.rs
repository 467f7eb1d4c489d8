//! The steps from the kernel's multicast routes to the desired ones, in order. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use super::abi::State;
use super::{MAX_INTERFACES, MulticastError, MulticastRoute};

/// One change to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Lets an interface take part.
    AddVif {
        /// Its number in multicast forwarding ("vif").
        number: u16,
        /// Its index.
        index: u32,
    },
    /// Lets one take part no longer.
    DeleteVif {
        /// Its number.
        number: u16,
    },
    /// Writes an entry.
    Set {
        /// Who sends.
        source: Ipv4Addr,
        /// To whom.
        group: Ipv4Addr,
        /// The number of the interface it takes packets from.
        incoming: u16,
        /// The numbers of those it sends them to.
        outgoing: BTreeSet<u16>,
        /// False if the entry is written again only to clear what no listing shows.
        new: bool,
    },
    /// Removes an entry.
    Delete {
        /// Who sends.
        source: Ipv4Addr,
        /// To whom.
        group: Ipv4Addr,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddVif { number, index } => write!(f, "let link {index} take part as number {number}"),
            Self::DeleteVif { number } => write!(f, "let number {number} not take part"),
            Self::Set { source, group, .. } => write!(f, "set ({source}, {group})"),
            Self::Delete { source, group } => write!(f, "delete ({source}, {group})"),
        }
    }
}

/// The steps that make `routes` the whole state. What stays the same is not interrupted, and in between packets go at
/// most where they went before or are to go.
///
/// An entry refers to vifs by number, and keeps the number of one whose interface is gone without listing it. So before
/// a number is given to another interface, every entry that stays is written once more without the numbers that are
/// gone: else it would forward to the newcomer.
///
/// # Errors
/// [`MulticastError::Loop`], [`MulticastError::TooMany`].
pub fn plan(state: &State, routes: impl IntoIterator<Item = MulticastRoute>) -> Result<Vec<Step>, MulticastError> {
    let wanted: BTreeMap<_, _> = routes.into_iter().map(|route| ((route.group, route.source), route)).collect();
    for route in wanted.values() {
        if route.outgoing.contains(&route.incoming) {
            let MulticastRoute { source, group, incoming, .. } = *route;
            return Err(MulticastError::Loop { source_address: source, group, link: incoming });
        }
    }
    let needed: BTreeSet<u32> =
        wanted.values().flat_map(|route| route.outgoing.iter().copied().chain([route.incoming])).collect();
    if needed.len() > MAX_INTERFACES {
        return Err(MulticastError::TooMany(needed.len()));
    }

    let mut steps = Vec::new();
    let (staying, leaving): (BTreeMap<u16, u32>, BTreeMap<u16, u32>) =
        state.vifs.iter().partition(|(_, index)| needed.contains(index));
    let mut numbers: BTreeMap<u32, u16> = staying.iter().map(|(number, index)| (*index, *number)).collect();
    let missing: Vec<u32> = needed.into_iter().filter(|index| !numbers.contains_key(index)).collect();

    // Entries that go, and those that lost or change their incoming interface. The rest is what stays.
    let mut kept = BTreeMap::new();
    for (&(group, source), entry) in &state.entries {
        match wanted.get(&(group, source)) {
            Some(route) if entry.incoming == Some(route.incoming) && numbers.contains_key(&route.incoming) => {
                kept.insert((group, source), (route, entry.outgoing.clone()));
            }
            _ => steps.push(Step::Delete { source, group }),
        }
    }
    for (route, outgoing) in kept.values_mut() {
        let before = outgoing.len();
        outgoing.retain(|index| route.outgoing.contains(index) && numbers.contains_key(index));
        if !missing.is_empty() || outgoing.len() != before {
            steps.push(set(route, outgoing, &numbers, false));
        }
    }
    steps.extend(leaving.keys().map(|number| Step::DeleteVif { number: *number }));

    let mut free = (0..MAX_INTERFACES as u16).filter(|number| !staying.contains_key(number));
    for (index, number) in missing.into_iter().zip(&mut free) {
        numbers.insert(index, number);
        steps.push(Step::AddVif { number, index });
    }
    for (key, route) in &wanted {
        let same = kept.get(key).is_some_and(|(_, outgoing)| *outgoing == route.outgoing);
        let changed = state
            .entries
            .get(key)
            .is_none_or(|entry| entry.outgoing != route.outgoing || entry.incoming != Some(route.incoming));
        if !same {
            steps.push(set(route, &route.outgoing, &numbers, changed));
        } else if changed {
            // The entry only lost interfaces, and was written so above.
            mark_new(&mut steps, route);
        }
    }
    Ok(steps)
}

fn set(route: &MulticastRoute, outgoing: &BTreeSet<u32>, numbers: &BTreeMap<u32, u16>, new: bool) -> Step {
    let number = |index: &u32| numbers.get(index).copied();
    Step::Set {
        source: route.source,
        group: route.group,
        incoming: number(&route.incoming).unwrap_or_default(),
        outgoing: outgoing.iter().filter_map(number).collect(),
        new,
    }
}

fn mark_new(steps: &mut [Step], route: &MulticastRoute) {
    for step in steps {
        if let Step::Set { source, group, new, .. } = step {
            *new |= (*source, *group) == (route.source, route.group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RouteCounters;
    use super::super::abi::Entry;
    use super::*;
    use proptest::prelude::*;

    const SOURCE: Ipv4Addr = Ipv4Addr::new(148, 51, 120, 1);

    fn group(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(233, 84, 178, last)
    }

    fn route(last: u8, incoming: u32, outgoing: &[u32]) -> MulticastRoute {
        MulticastRoute { source: SOURCE, group: group(last), incoming, outgoing: outgoing.iter().copied().collect() }
    }

    /// The kernel as the plan sees it: entries hold numbers, and listings show what the numbers lead to.
    #[derive(Clone, Debug, Default)]
    struct Kernel {
        vifs: BTreeMap<u16, u32>,
        entries: BTreeMap<(Ipv4Addr, Ipv4Addr), (u16, BTreeSet<u16>)>,
    }

    impl Kernel {
        fn state(&self) -> State {
            let entries = self.entries.iter().map(|(key, (incoming, outgoing))| {
                let outgoing = outgoing.iter().filter_map(|number| self.vifs.get(number).copied()).collect();
                let incoming = self.vifs.get(incoming).copied();
                (*key, Entry { incoming, outgoing, counters: RouteCounters::default() })
            });
            State { vifs: self.vifs.clone(), entries: entries.collect() }
        }

        /// Takes a step, and refuses what the kernel refuses.
        fn take(&mut self, step: &Step) {
            match step {
                Step::AddVif { number, index } => {
                    assert!(usize::from(*number) < MAX_INTERFACES);
                    assert_eq!(self.vifs.insert(*number, *index), None, "the number is taken");
                }
                Step::DeleteVif { number } => {
                    assert!(self.vifs.remove(number).is_some(), "there is no such number");
                }
                Step::Set { source, group, incoming, outgoing, .. } => {
                    assert!(self.vifs.contains_key(incoming), "the kernel refuses an unknown incoming number");
                    self.entries.insert((*group, *source), (*incoming, outgoing.clone()));
                }
                Step::Delete { source, group } => {
                    assert!(self.entries.remove(&(*group, *source)).is_some());
                }
            }
        }

        fn links_of(&self, key: &(Ipv4Addr, Ipv4Addr)) -> BTreeSet<u32> {
            self.state().entries.get(key).map(|entry| entry.outgoing.clone()).unwrap_or_default()
        }

        /// Applies routes; no step may let an entry forward to where it neither did before nor is to.
        fn apply(&mut self, routes: &[MulticastRoute]) -> Vec<Step> {
            let before = self.clone();
            let steps = plan(&self.state(), routes.iter().cloned()).unwrap();
            for step in &steps {
                self.take(step);
                for key in self.entries.keys() {
                    let mut allowed = before.links_of(key);
                    allowed.extend(routes.iter().filter(|r| (r.group, r.source) == *key).flat_map(|r| &r.outgoing));
                    assert!(self.links_of(key).is_subset(&allowed), "{step:?} in {steps:?}");
                }
            }
            steps
        }

        fn routes(&self) -> Vec<MulticastRoute> {
            let entries = self.state().entries.into_iter();
            entries
                .filter_map(|((group, source), entry)| {
                    Some(MulticastRoute { source, group, incoming: entry.incoming?, outgoing: entry.outgoing })
                })
                .collect()
        }
    }

    #[test]
    fn a_loop_and_too_many_interfaces_are_refused() {
        let error = plan(&State::default(), [route(1, 5, &[6, 5])]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "multicast routing: (148.51.120.1, 233.84.178.1) leaves by link 5, by which it comes in"
        );
        let many: Vec<u32> = (2..34).collect();
        let error = plan(&State::default(), [route(1, 1, &many)]).unwrap_err();
        assert_eq!(error.to_string(), "multicast routing: 33 interfaces take part, the kernel takes at most 32");
        assert!(plan(&State::default(), [route(1, 1, &many[..31])]).is_ok());
    }

    #[test]
    fn the_number_of_an_interface_that_is_gone_does_not_lead_to_its_heir() {
        let mut kernel = Kernel::default();
        kernel.apply(&[route(1, 10, &[11, 12])]);
        // Interface 12 is deleted by hand: its number is free, and the entry still holds it.
        kernel.vifs.retain(|_, index| *index != 12);
        kernel.apply(&[route(1, 10, &[11]), route(2, 10, &[13])]);
        assert_eq!(kernel.routes(), [route(1, 10, &[11]), route(2, 10, &[13])]);
    }

    #[test]
    fn what_is_so_already_takes_no_step() {
        let mut kernel = Kernel::default();
        let routes = [route(1, 10, &[11, 12]), route(2, 11, &[10])];
        assert_eq!(kernel.apply(&routes).len(), 5);
        assert_eq!(kernel.apply(&routes), []);
    }

    fn any_route() -> impl Strategy<Value = MulticastRoute> {
        let outgoing = proptest::collection::btree_set(1u32..50, 0..6);
        (0u8..5, 1u32..50, outgoing).prop_map(|(last, incoming, mut outgoing)| {
            outgoing.remove(&incoming);
            MulticastRoute { source: SOURCE, group: group(last), incoming, outgoing }
        })
    }

    proptest! {
        #[test]
        fn any_state_becomes_any_other(
            first in proptest::collection::vec(any_route(), 0..5),
            gone in proptest::collection::btree_set(1u32..50, 0..20),
            second in proptest::collection::vec(any_route(), 0..5),
        ) {
            let mut kernel = Kernel::default();
            kernel.apply(&first);
            kernel.vifs.retain(|_, index| !gone.contains(index));
            kernel.apply(&second);
            let wanted: BTreeMap<_, _> = second.iter().map(|r| ((r.group, r.source), r.clone())).collect();
            prop_assert_eq!(kernel.routes(), wanted.into_values().collect::<Vec<_>>());
            prop_assert_eq!(kernel.apply(&second), vec![]);
        }
    }
}

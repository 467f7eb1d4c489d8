//! A copy of the program's accounts, kept by notifications. Pure: what came in what order is all it knows.
//!
//! It shows only whole slots: what a slot changed waits until the slot is complete, so that no reader sees half a
//! transaction. Whatever looks like a gap makes it ask for everything again; until then the last good view stays.
//! What looks like one: a slot whose parent it has not seen, a slot on top of an earlier one than the last, an account that
//! comes after its slot was complete, a transaction of the program's that changed nothing it heard of.

use std::collections::{BTreeMap, BTreeSet};

use solana_pubkey::Pubkey;

use crate::view::{Change, NetworkView, ViewError};

pub(crate) struct Replica {
    /// All slots up to here are complete.
    slot: u64,
    /// The slot of the last full read: notifications of it or of an earlier one are old.
    floor: u64,
    /// The slot of each account's last notification, if after the floor.
    told: BTreeMap<Pubkey, u64>,
    waiting: BTreeMap<u64, BTreeMap<Pubkey, Change>>,
    /// Changes of complete slots that no view shows yet.
    ready: Vec<Change>,
    /// Slots with a successful transaction of the program's.
    active: BTreeSet<u64>,
    last_created: Option<u64>,
    gap: Option<&'static str>,
}

impl Replica {
    /// A replica of a view that a full read at this slot gave.
    pub(crate) fn new(slot: u64) -> Self {
        Self {
            slot,
            floor: slot,
            told: BTreeMap::new(),
            waiting: BTreeMap::new(),
            ready: Vec::new(),
            active: BTreeSet::new(),
            last_created: None,
            gap: None,
        }
    }

    /// All slots up to this one are complete.
    pub(crate) fn slot(&self) -> u64 {
        self.slot
    }

    /// Why everything has to be read again, if it has.
    pub(crate) fn gap(&self) -> Option<&'static str> {
        self.gap
    }

    /// Brings the view up to date.
    pub(crate) fn show(&mut self, view: &mut NetworkView) {
        self.ready.drain(..).for_each(|change| view.apply(change));
        view.set_slot(self.slot);
    }

    /// An account as of a slot; empty when it was closed.
    pub(crate) fn account(&mut self, slot: u64, key: Pubkey, data: &[u8]) -> Result<(), ViewError> {
        if slot <= self.floor {
            return Ok(());
        }
        if slot <= self.slot && self.told.get(&key) != Some(&slot) {
            self.gap = Some("an account came after its slot");
        }
        self.waiting.entry(slot).or_default().insert(key, Change::read(key, data)?);
        Ok(())
    }

    /// A transaction of the program's landed.
    pub(crate) fn active(&mut self, slot: u64) {
        if slot > self.slot {
            self.active.insert(slot);
        }
    }

    /// A slot began on top of another.
    pub(crate) fn created(&mut self, slot: u64, parent: u64) {
        let seen = self.last_created.unwrap_or(parent).max(self.floor);
        if parent > seen {
            self.gap = Some("a slot is missing");
        } else if slot > seen && parent < seen {
            // Nobody says what the accounts of the lost slots were before.
            self.gap = Some("the chain has lost its last slots");
        }
        self.last_created = self.last_created.max(Some(slot));
    }

    /// A slot and all before it are complete. True when there is something to show.
    pub(crate) fn complete(&mut self, slot: u64) -> bool {
        let later = self.waiting.split_off(&(slot + 1));
        let ready = std::mem::replace(&mut self.waiting, later);
        let later = self.active.split_off(&(slot + 1));
        let active = std::mem::replace(&mut self.active, later);
        if active.iter().any(|slot| !ready.contains_key(slot)) {
            self.gap = Some("a transaction came without its accounts");
        }
        let changed = !ready.is_empty() || slot > self.slot;
        for (slot, accounts) in ready {
            for (key, change) in accounts {
                let told = self.told.entry(key).or_insert(slot);
                if *told <= slot {
                    *told = slot;
                    self.ready.push(change);
                }
            }
        }
        self.slot = self.slot.max(slot);
        changed
    }
}

#[cfg(test)]
mod tests {
    use dz_serviceability::{
        pda,
        state::{AccountData, Exchange, ExchangeStatus},
    };
    use proptest::prelude::*;

    use super::*;

    const PROGRAM: Pubkey = Pubkey::new_from_array([1; 32]);

    fn exchange(index: u8, name: u32) -> (Pubkey, Vec<u8>) {
        let code = format!("x{index}");
        let key = pda::exchange(&PROGRAM, &code).0;
        let status = ExchangeStatus::Activated;
        let value = Exchange { code, name: name.to_string(), latitude: 0, longitude: 0, status, reference_count: 0 };
        (key, value.encode())
    }

    /// A replica with the view it keeps.
    struct Kept {
        replica: Replica,
        view: NetworkView,
    }

    impl Kept {
        fn new(slot: u64, accounts: &[(Pubkey, Vec<u8>)]) -> Self {
            let accounts = accounts.iter().map(|(key, data)| (*key, data.as_slice()));
            Self { replica: Replica::new(slot), view: NetworkView::from_accounts(PROGRAM, slot, accounts).unwrap() }
        }

        fn account(&mut self, slot: u64, (key, data): (Pubkey, Vec<u8>)) {
            self.replica.account(slot, key, &data).unwrap();
        }

        fn complete(&mut self, slot: u64) -> bool {
            let changed = self.replica.complete(slot);
            self.replica.show(&mut self.view);
            changed
        }

        /// Codes and names, and the slot.
        fn shows(&self) -> (Vec<(&str, &str)>, u64) {
            let mut names: Vec<_> =
                self.view.exchanges().values().map(|found| (found.code.as_str(), found.name.as_str())).collect();
            names.sort();
            (names, self.view.slot())
        }
    }

    #[test]
    fn a_slot_shows_when_it_is_complete() {
        let mut kept = Kept::new(10, &[exchange(1, 0)]);
        kept.replica.created(11, 10);
        kept.account(11, exchange(1, 7));
        kept.replica.active(11);
        kept.replica.show(&mut kept.view);
        assert_eq!(kept.shows(), (vec![("x1", "0")], 10));
        assert!(kept.complete(11));
        assert_eq!(kept.shows(), (vec![("x1", "7")], 11));
        assert_eq!(kept.replica.gap(), None);
    }

    #[test]
    fn an_empty_slot_moves_the_revision() {
        let mut kept = Kept::new(10, &[]);
        kept.replica.created(11, 10);
        assert!(kept.complete(11));
        assert!(!kept.complete(11));
        assert_eq!((kept.shows(), kept.replica.gap()), ((vec![], 11), None));
    }

    #[test]
    fn a_closed_account_goes() {
        let (key, data) = exchange(1, 0);
        let mut kept = Kept::new(10, &[(key, data)]);
        kept.account(11, (key, vec![]));
        kept.complete(11);
        assert_eq!(kept.shows(), (vec![], 11));
    }

    #[test]
    fn what_the_full_read_had_is_old() {
        let mut kept = Kept::new(10, &[exchange(1, 5)]);
        kept.account(10, exchange(1, 4));
        kept.complete(11);
        assert_eq!((kept.shows(), kept.replica.gap()), ((vec![("x1", "5")], 11), None));
    }

    #[test]
    fn each_kind_of_gap_is_seen() {
        let start = || Kept::new(10, &[exchange(1, 0)]);

        let mut kept = start();
        kept.replica.created(11, 10);
        kept.replica.created(13, 12);
        assert_eq!(kept.replica.gap(), Some("a slot is missing"));

        let mut kept = start();
        kept.replica.created(11, 10);
        kept.replica.created(12, 11);
        // What comes again is old.
        kept.replica.created(11, 10);
        assert_eq!(kept.replica.gap(), None);
        kept.replica.created(13, 10);
        assert_eq!(kept.replica.gap(), Some("the chain has lost its last slots"));

        // The full read was of a slot that is lost since.
        let mut kept = start();
        kept.replica.created(11, 8);
        assert_eq!(kept.replica.gap(), Some("the chain has lost its last slots"));

        let mut kept = start();
        kept.replica.active(11);
        kept.complete(11);
        assert_eq!(kept.replica.gap(), Some("a transaction came without its accounts"));

        let mut kept = start();
        kept.complete(12);
        kept.account(11, exchange(1, 1));
        assert_eq!(kept.replica.gap(), Some("an account came after its slot"));
    }

    #[test]
    fn an_account_that_cannot_be_read_is_named() {
        let mut kept = Kept::new(10, &[]);
        let (key, mut data) = exchange(1, 0);
        data.push(0);
        let error = kept.replica.account(11, key, &data).unwrap_err();
        assert_eq!(error.to_string(), format!("account {key}: 1 bytes too many in a Exchange account"));
    }

    proptest! {
        /// However late, often or out of order notifications come: the view is the chain's, or a gap was seen.
        #[test]
        fn never_wrong_without_a_gap(
            changes in prop::collection::vec((0u8..4, any::<bool>()), 1..40),
            fates in prop::collection::vec((0u8..8, 0usize..6), 40),
        ) {
            let mut chain: BTreeMap<Pubkey, Vec<u8>> = BTreeMap::new();
            let mut kept = Kept::new(0, &[]);
            let mut events: Vec<(usize, Event)> = Vec::new();
            for (step, (index, close)) in changes.iter().enumerate() {
                let slot = step as u64 + 1;
                let (key, data) = exchange(*index, step as u32);
                let data = if *close { vec![] } else { data };
                chain.insert(key, data.clone());
                let (fate, delay) = fates[step];
                let at = step * 4;
                // Fate 0 loses the account, 1 doubles it, 2 delays it; 3 loses the slot.
                let account = Event::Account(slot, key, data);
                match fate {
                    0 => {}
                    1 => events.extend([(at, account.clone()), (at + delay, account)]),
                    2 => events.push((at + delay * 4, account)),
                    _ => events.push((at, account)),
                }
                events.push((at + 1, Event::Active(slot)));
                if fate != 3 {
                    events.push((at + 2, Event::Created(slot)));
                }
                events.push((at + 3, Event::Complete(slot)));
            }
            // One more slot, so that the loss of the last is seen.
            let last = changes.len() as u64 + 1;
            events.push((usize::MAX, Event::Created(last)));
            events.push((usize::MAX, Event::Complete(last)));
            events.sort_by_key(|(at, _)| *at);
            for (_, event) in events {
                match event {
                    Event::Account(slot, key, data) => kept.account(slot, (key, data)),
                    Event::Active(slot) => kept.replica.active(slot),
                    Event::Created(slot) => kept.replica.created(slot, slot - 1),
                    Event::Complete(slot) => drop(kept.complete(slot)),
                }
            }
            let live = chain.iter().filter(|(_, data)| !data.is_empty());
            let expected = NetworkView::from_accounts(PROGRAM, last, live.map(|(k, d)| (*k, d.as_slice()))).unwrap();
            prop_assert!(kept.replica.gap().is_some() || kept.view == expected);
        }
    }

    #[derive(Clone)]
    enum Event {
        Account(u64, Pubkey, Vec<u8>),
        Active(u64),
        Created(u64),
        Complete(u64),
    }
}

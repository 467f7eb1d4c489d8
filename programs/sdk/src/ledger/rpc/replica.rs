//! A copy of the program's accounts, kept by notifications. Pure: what came in what order is all it knows.
//!
//! It shows only whole slots: what a slot changed waits until the slot is complete, so that nobody ever sees half a
//! transaction. Whatever looks like a gap makes it ask for everything again; until then the last good view stays.
//! What looks like one: a slot whose parent it has not seen, an account that comes after its slot was complete, a
//! transaction of the program's that changed nothing it heard of.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use solana_pubkey::Pubkey;

use crate::view::{NetworkView, ViewError};

pub(super) struct Replica {
    view: Arc<NetworkView>,
    /// The slot of the last full read: what is told of it or of an earlier one is old.
    floor: u64,
    /// The slot each account was last told of, if after the floor.
    told: BTreeMap<Pubkey, u64>,
    waiting: BTreeMap<u64, BTreeMap<Pubkey, Vec<u8>>>,
    /// Slots with a successful transaction of the program's.
    active: BTreeSet<u64>,
    last_created: Option<u64>,
    gap: Option<&'static str>,
}

impl Replica {
    /// A replica as a full read found it.
    pub(super) fn new(program: Pubkey, slot: u64, accounts: &[(Pubkey, Vec<u8>)]) -> Result<Self, ViewError> {
        let accounts = accounts.iter().map(|(key, data)| (*key, data.as_slice()));
        Ok(Self {
            view: Arc::new(NetworkView::from_accounts(program, slot, accounts)?),
            floor: slot,
            told: BTreeMap::new(),
            waiting: BTreeMap::new(),
            active: BTreeSet::new(),
            last_created: None,
            gap: None,
        })
    }

    pub(super) fn view(&self) -> &Arc<NetworkView> {
        &self.view
    }

    /// Why everything has to be read again, if it has.
    pub(super) fn gap(&self) -> Option<&'static str> {
        self.gap
    }

    /// An account as of a slot; empty when it was closed.
    pub(super) fn account(&mut self, slot: u64, key: Pubkey, data: Vec<u8>) {
        if slot <= self.floor {
            return;
        }
        if slot <= self.view.slot() && self.told.get(&key) != Some(&slot) {
            self.gap = Some("an account came after its slot");
        }
        self.waiting.entry(slot).or_default().insert(key, data);
    }

    /// A transaction of the program's landed.
    pub(super) fn active(&mut self, slot: u64) {
        if slot > self.floor && slot > self.view.slot() {
            self.active.insert(slot);
        }
    }

    /// A slot began on top of another.
    pub(super) fn created(&mut self, slot: u64, parent: u64) {
        let seen = self.last_created.unwrap_or(parent).max(self.floor);
        if parent > seen {
            self.gap = Some("a slot is missing");
        }
        self.last_created = self.last_created.max(Some(slot));
    }

    /// A slot and all before it are complete. True when the view has changed.
    pub(super) fn complete(&mut self, slot: u64) -> Result<bool, ViewError> {
        let later = self.waiting.split_off(&(slot + 1));
        let ready = std::mem::replace(&mut self.waiting, later);
        let later = self.active.split_off(&(slot + 1));
        let active = std::mem::replace(&mut self.active, later);
        if active.iter().any(|slot| !ready.contains_key(slot)) {
            self.gap = Some("a transaction came without its accounts");
        }
        if ready.is_empty() && slot <= self.view.slot() {
            return Ok(false);
        }
        let view = Arc::make_mut(&mut self.view);
        for (slot, accounts) in ready {
            for (key, data) in accounts {
                let told = self.told.entry(key).or_insert(slot);
                if *told <= slot {
                    *told = slot;
                    view.set_account(key, &data)?;
                }
            }
        }
        view.set_slot(slot.max(view.slot()));
        Ok(true)
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

    fn names(replica: &Replica) -> Vec<(String, String)> {
        let mut names: Vec<_> =
            replica.view().exchanges().values().map(|found| (found.code.clone(), found.name.clone())).collect();
        names.sort();
        names
    }

    fn pair(code: &str, name: &str) -> (String, String) {
        (code.to_owned(), name.to_owned())
    }

    #[test]
    fn a_slot_shows_when_it_is_complete() {
        let mut replica = Replica::new(PROGRAM, 10, &[exchange(1, 0)]).unwrap();
        let (key, data) = exchange(1, 7);
        replica.created(11, 10);
        replica.account(11, key, data);
        replica.active(11);
        assert_eq!((names(&replica), replica.view().slot()), (vec![pair("x1", "0")], 10));
        assert_eq!(replica.complete(11), Ok(true));
        assert_eq!((names(&replica), replica.view().slot()), (vec![pair("x1", "7")], 11));
        assert_eq!(replica.gap(), None);
    }

    #[test]
    fn an_empty_slot_moves_the_revision() {
        let mut replica = Replica::new(PROGRAM, 10, &[]).unwrap();
        replica.created(11, 10);
        assert_eq!(replica.complete(11), Ok(true));
        assert_eq!(replica.complete(11), Ok(false));
        assert_eq!((replica.view().slot(), replica.gap()), (11, None));
    }

    #[test]
    fn a_closed_account_goes() {
        let (key, data) = exchange(1, 0);
        let mut replica = Replica::new(PROGRAM, 10, &[(key, data)]).unwrap();
        replica.account(11, key, vec![]);
        replica.complete(11).unwrap();
        assert_eq!(names(&replica), []);
    }

    #[test]
    fn what_the_full_read_had_is_old() {
        let mut replica = Replica::new(PROGRAM, 10, &[exchange(1, 5)]).unwrap();
        let (key, data) = exchange(1, 4);
        replica.account(10, key, data);
        replica.complete(11).unwrap();
        assert_eq!((names(&replica), replica.gap()), (vec![pair("x1", "5")], None));
    }

    #[test]
    fn each_kind_of_gap_is_seen() {
        let start = || Replica::new(PROGRAM, 10, &[exchange(1, 0)]).unwrap();
        let (key, data) = exchange(1, 1);

        let mut replica = start();
        replica.created(11, 10);
        replica.created(13, 12);
        assert_eq!(replica.gap(), Some("a slot is missing"));

        let mut replica = start();
        replica.active(11);
        replica.complete(11).unwrap();
        assert_eq!(replica.gap(), Some("a transaction came without its accounts"));

        let mut replica = start();
        replica.complete(12).unwrap();
        replica.account(11, key, data);
        assert_eq!(replica.gap(), Some("an account came after its slot"));
    }

    #[test]
    fn an_account_that_cannot_be_read_is_named() {
        let mut replica = Replica::new(PROGRAM, 10, &[]).unwrap();
        let (key, mut data) = exchange(1, 0);
        data.push(0);
        replica.account(11, key, data);
        let error = replica.complete(11).unwrap_err();
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
            let mut replica = Replica::new(PROGRAM, 0, &[]).unwrap();
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
                    Event::Account(slot, key, data) => replica.account(slot, key, data),
                    Event::Active(slot) => replica.active(slot),
                    Event::Created(slot) => replica.created(slot, slot - 1),
                    Event::Complete(slot) => drop(replica.complete(slot).unwrap()),
                }
            }
            let live = chain.iter().filter(|(_, data)| !data.is_empty());
            let expected = NetworkView::from_accounts(PROGRAM, last, live.map(|(k, d)| (*k, d.as_slice()))).unwrap();
            prop_assert!(replica.gap().is_some() || **replica.view() == expected);
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

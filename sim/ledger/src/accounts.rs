//! The index of accounts: what landed transactions wrote, by address and by owner, now and some slots ago. Pure;
//! what was never written is not in it, and the bank is asked.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use solana_account::Account;
use solana_clock::Slot;
use solana_pubkey::Pubkey;

/// How many slots a read may lie behind the latest.
pub const MAX_READ_LAG: usize = 1024;

/// One account before and after a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountChange {
    /// Its address.
    pub address: Pubkey,
    /// What it was; `None` if it did not exist.
    pub before: Option<Arc<Account>>,
    /// What it is; `None` if it was closed.
    pub after: Option<Arc<Account>>,
}

/// What the index says of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The account, or that there is none.
    Known(Option<Arc<Account>>),
    /// No transaction ever wrote it: it is as genesis left it, and the bank knows.
    Unwritten,
}

#[derive(Debug, Default)]
pub(crate) struct AccountIndex {
    /// `None` is an account that was closed.
    live: BTreeMap<Pubkey, Option<Arc<Account>>>,
    /// The accounts of each owner, so that a read of a whole program looks nothing up.
    owned: BTreeMap<Pubkey, BTreeMap<Pubkey, Arc<Account>>>,
    /// What each of the last slots replaced, oldest first.
    replaced: VecDeque<(Slot, Vec<AccountChange>)>,
}

impl AccountIndex {
    /// Puts an account of the genesis in.
    pub(crate) fn genesis(&mut self, address: Pubkey, account: Account) {
        self.set(address, Some(Arc::new(account)));
    }

    /// Takes over what a slot wrote.
    pub(crate) fn apply(&mut self, slot: Slot, changes: &[AccountChange]) {
        for change in changes {
            self.set(change.address, change.after.clone());
        }
        self.replaced.push_back((slot, changes.to_vec()));
        if self.replaced.len() > MAX_READ_LAG {
            self.replaced.pop_front();
        }
    }

    /// What slots changed, the latest of them first: with what is to be put back for the state before them.
    pub(crate) fn before(&self, slots: &[Slot]) -> BTreeMap<Pubkey, Option<Arc<Account>>> {
        let mut before = BTreeMap::new();
        for (_, changes) in self.replaced.iter().rev().filter(|(slot, _)| slots.contains(slot)) {
            for change in changes.iter().rev() {
                before.insert(change.address, change.before.clone());
            }
        }
        before
    }

    /// An account as the given slot left it.
    pub(crate) fn get(&self, address: &Pubkey, at: Slot) -> Lookup {
        let after = self.replaced.iter().skip(self.first_after(at));
        for (_, changes) in after {
            if let Some(change) = changes.iter().find(|change| change.address == *address) {
                return Lookup::Known(change.before.clone());
            }
        }
        match self.live.get(address) {
            Some(account) => Lookup::Known(account.clone()),
            None => Lookup::Unwritten,
        }
    }

    /// The accounts of an owner as the given slot left them, by address.
    pub(crate) fn owned_by(&self, owner: &Pubkey, at: Slot) -> BTreeMap<Pubkey, Arc<Account>> {
        let mut accounts = self.owned.get(owner).cloned().unwrap_or_default();
        for (_, changes) in self.replaced.iter().skip(self.first_after(at)).rev() {
            for change in changes.iter().rev() {
                match &change.before {
                    Some(account) if account.owner == *owner => {
                        accounts.insert(change.address, Arc::clone(account));
                    }
                    _ => {
                        accounts.remove(&change.address);
                    }
                }
            }
        }
        accounts
    }

    fn first_after(&self, at: Slot) -> usize {
        self.replaced.partition_point(|(slot, _)| *slot <= at)
    }

    fn set(&mut self, address: Pubkey, account: Option<Arc<Account>>) {
        let owner = account.as_ref().map(|account| account.owner);
        let old = self.live.insert(address, account.clone()).flatten().map(|account| account.owner);
        if let Some(old) = old
            && Some(old) != owner
            && let Some(accounts) = self.owned.get_mut(&old)
        {
            accounts.remove(&address);
            if accounts.is_empty() {
                self.owned.remove(&old);
            }
        }
        if let Some(account) = account {
            self.owned.entry(account.owner).or_default().insert(address, account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    fn account(lamports: u64, owner: u8) -> Arc<Account> {
        Arc::new(Account { lamports, owner: key(owner), ..Account::default() })
    }

    fn change(address: u8, before: Option<Arc<Account>>, after: Option<Arc<Account>>) -> AccountChange {
        AccountChange { address: key(address), before, after }
    }

    /// Created in slot 2, given to another owner in slot 3, closed in slot 4.
    fn a_short_life() -> AccountIndex {
        let mut index = AccountIndex::default();
        index.apply(2, &[change(1, None, Some(account(5, 8)))]);
        index.apply(3, &[change(1, Some(account(5, 8)), Some(account(6, 9)))]);
        index.apply(4, &[change(1, Some(account(6, 9)), None)]);
        index
    }

    #[test]
    fn an_account_is_read_as_each_slot_left_it() {
        let index = a_short_life();
        let read: Vec<_> = (1..=4).map(|slot| index.get(&key(1), slot)).collect();
        let expected = [None, Some(account(5, 8)), Some(account(6, 9)), None].map(Lookup::Known);
        assert_eq!(read, expected);
    }

    #[test]
    fn an_owner_has_what_each_slot_left_it() {
        let index = a_short_life();
        let read = |owner: u8| (1..=4).map(|slot| index.owned_by(&key(owner), slot).len()).collect::<Vec<_>>();
        assert_eq!((read(8), read(9)), (vec![0, 1, 0, 0], vec![0, 0, 1, 0]));
        assert!(index.owned.is_empty());
    }

    #[test]
    fn what_was_never_written_is_left_to_the_bank() {
        assert_eq!(a_short_life().get(&key(2), 4), Lookup::Unwritten);
    }

    #[test]
    fn a_slot_that_wrote_an_account_twice_shows_the_last_and_hides_both() {
        let mut index = AccountIndex::default();
        index.apply(2, &[change(1, None, Some(account(1, 8))), change(1, Some(account(1, 8)), Some(account(2, 8)))]);
        assert_eq!(index.get(&key(1), 1), Lookup::Known(None));
        assert_eq!(index.get(&key(1), 2), Lookup::Known(Some(account(2, 8))));
        assert!(index.owned_by(&key(8), 1).is_empty());
    }

    #[test]
    fn only_so_many_slots_are_kept() {
        let mut index = AccountIndex::default();
        for slot in 2..(3 + MAX_READ_LAG as Slot) {
            index.apply(slot, &[]);
        }
        assert_eq!(index.replaced.len(), MAX_READ_LAG);
        assert_eq!(index.replaced.front().map(|(slot, _)| *slot), Some(3));
    }
}

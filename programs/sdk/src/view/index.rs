//! Under what accounts are found besides their addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_serviceability::state::{
    AccessPass, AccountData, AccountType, Client, Contributor, Device, Exchange, Interface, Link, MulticastGroup, Pool,
    Tenant, User,
};
use solana_pubkey::Pubkey;

type Keys<K> = BTreeMap<K, BTreeSet<Pubkey>>;

/// Addresses of accounts by what is in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    codes: BTreeMap<(AccountType, String), Pubkey>,
    users_by_client: Keys<Ipv4Addr>,
    users_by_device: Keys<Pubkey>,
    interfaces_by_device: Keys<Pubkey>,
    passes_by_payer: Keys<Pubkey>,
    /// No two interfaces have the same address: the address registry sees to it.
    interfaces_by_address: BTreeMap<Ipv4Addr, Pubkey>,
}

impl Index {
    /// Lets an account be found.
    pub(super) fn insert(&mut self, key: Pubkey, value: &dyn Indexed) {
        match value.entry() {
            Entry::None => {}
            Entry::Code(account_type, code) => {
                self.codes.insert((account_type, code.to_owned()), key);
            }
            Entry::Interface { device, address } => {
                self.interfaces_by_device.entry(device).or_default().insert(key);
                if let Some(address) = address {
                    self.interfaces_by_address.insert(address, key);
                }
            }
            Entry::Pass { payer } => {
                self.passes_by_payer.entry(payer).or_default().insert(key);
            }
            Entry::User { client_ip, device } => {
                self.users_by_client.entry(client_ip).or_default().insert(key);
                self.users_by_device.entry(device).or_default().insert(key);
            }
        }
    }

    /// The opposite, for the same value.
    pub(super) fn remove(&mut self, key: &Pubkey, value: &dyn Indexed) {
        match value.entry() {
            Entry::None => {}
            Entry::Code(account_type, code) => drop_one(&mut self.codes, &(account_type, code.to_owned()), key),
            Entry::Interface { device, address } => {
                drop_from(&mut self.interfaces_by_device, &device, key);
                if let Some(address) = address {
                    drop_one(&mut self.interfaces_by_address, &address, key);
                }
            }
            Entry::Pass { payer } => drop_from(&mut self.passes_by_payer, &payer, key),
            Entry::User { client_ip, device } => {
                drop_from(&mut self.users_by_client, &client_ip, key);
                drop_from(&mut self.users_by_device, &device, key);
            }
        }
    }

    pub(super) fn by_code(&self, account_type: AccountType, code: &str) -> Option<Pubkey> {
        self.codes.get(&(account_type, code.to_owned())).copied()
    }

    pub(super) fn users_of_client(&self, client_ip: Ipv4Addr) -> impl Iterator<Item = &Pubkey> {
        self.users_by_client.get(&client_ip).into_iter().flatten()
    }

    pub(super) fn users_of_device(&self, device: &Pubkey) -> impl Iterator<Item = &Pubkey> {
        self.users_by_device.get(device).into_iter().flatten()
    }

    pub(super) fn passes_of_payer(&self, payer: &Pubkey) -> impl Iterator<Item = &Pubkey> {
        self.passes_by_payer.get(payer).into_iter().flatten()
    }

    pub(super) fn interfaces_of_device(&self, device: &Pubkey) -> impl Iterator<Item = &Pubkey> {
        self.interfaces_by_device.get(device).into_iter().flatten()
    }

    pub(super) fn interface_by_address(&self, address: Ipv4Addr) -> Option<Pubkey> {
        self.interfaces_by_address.get(&address).copied()
    }
}

/// Takes an entry out unless it is another account's by now.
fn drop_one<K: Ord>(index: &mut BTreeMap<K, Pubkey>, entry: &K, key: &Pubkey) {
    if index.get(entry) == Some(key) {
        index.remove(entry);
    }
}

/// Takes a key out, and the entry with its last key: two views of the same accounts are equal.
fn drop_from<K: Ord>(index: &mut Keys<K>, entry: &K, key: &Pubkey) {
    if let Some(keys) = index.get_mut(entry) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(entry);
        }
    }
}

/// How an account is found.
#[derive(PartialEq)]
pub(super) enum Entry<'a> {
    None,
    Code(AccountType, &'a str),
    Interface { device: Pubkey, address: Option<Ipv4Addr> },
    Pass { payer: Pubkey },
    User { client_ip: Ipv4Addr, device: Pubkey },
}

/// An account that may be found by more than its address.
pub(super) trait Indexed {
    fn entry(&self) -> Entry<'_>;
}

macro_rules! by_code {
    ($($type:ident)*) => {
        $(impl Indexed for $type {
            fn entry(&self) -> Entry<'_> {
                Entry::Code(Self::TYPE, &self.code)
            }
        })*
    };
}

by_code!(Contributor Exchange Device Link Tenant MulticastGroup);

macro_rules! by_address_only {
    ($($type:ident)*) => {
        $(impl Indexed for $type {
            fn entry(&self) -> Entry<'_> {
                Entry::None
            }
        })*
    };
}

by_address_only!(Pool Client);

impl Indexed for AccessPass {
    fn entry(&self) -> Entry<'_> {
        Entry::Pass { payer: self.payer }
    }
}

impl Indexed for Interface {
    fn entry(&self) -> Entry<'_> {
        Entry::Interface { device: self.device, address: self.address.map(|address| address.ip) }
    }
}

impl Indexed for User {
    fn entry(&self) -> Entry<'_> {
        Entry::User { client_ip: self.client_ip, device: self.device }
    }
}

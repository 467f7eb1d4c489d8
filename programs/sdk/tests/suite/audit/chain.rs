//! A chain with something of everything, as the program makes it, with a name for each account.

use std::{collections::BTreeMap, fmt::Debug, net::Ipv4Addr, sync::LazyLock};

use dz_sdk::{
    NetworkView,
    audit::audit,
    local::{LocalBank, Record},
};
use dz_serviceability::{
    ID as P,
    network::NetworkV4,
    pda,
    state::{AccountData, DeviceCounts, Pool, PoolValue, Roles, User, UserAllocation},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

const fn key(number: u8) -> Pubkey {
    Pubkey::new_from_array([number; 32])
}

pub(super) const FOUNDATION: Pubkey = key(1);
pub(super) const ACTIVATOR: Pubkey = key(2);
/// Owns the contributor `co`, which has the device `nyc1`.
pub(super) const CO: Pubkey = key(3);
/// Owns the contributor `other`, which has the device `nyc2`.
pub(super) const OTHER: Pubkey = key(4);
/// Administers the tenant `acme`.
pub(super) const ADMINISTRATOR: Pubkey = key(5);
/// Has a pass of the foundation for her address.
pub(super) const ALICE: Pubkey = key(6);
/// Has a pass of `acme` for his address.
pub(super) const BOB: Pubkey = key(7);
/// Has a pass for any address, with roles in the group `mg01`.
pub(super) const CAROL: Pubkey = key(8);
/// Has a pass for the address of `client 9.128.0.11` that nobody connects from.
pub(super) const DAVE: Pubkey = key(9);
/// Has a pass for any address and banned users.
pub(super) const ERIN: Pubkey = key(10);
/// Of no account of the sound chain.
pub(super) const ANOTHER: Pubkey = key(11);

pub(super) const PUBLISH: Roles = Roles { publish: true, subscribe: false };
pub(super) const SUBSCRIBE: Roles = Roles { publish: false, subscribe: true };

pub(super) fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

pub(super) fn net(text: &str) -> NetworkV4 {
    text.parse().unwrap()
}

/// The chain, and the view of it that a change brings up to date.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) bank: LocalBank,
    pub(super) view: NetworkView,
    /// Of users from their creation on, of the rest once it is complete.
    pub(super) names: BTreeMap<String, Pubkey>,
}

impl Chain {
    /// A chain that only the program has written. It takes a while to make, and is the same each time.
    pub(super) fn sound() -> Self {
        static SOUND: LazyLock<Chain> = LazyLock::new(Chain::genesis);
        SOUND.clone()
    }

    pub(super) fn name_accounts(&mut self) {
        let view = &self.view;
        let mut names: BTreeMap<String, Pubkey> = BTreeMap::new();
        let keys = [("alice", ALICE), ("bob", BOB), ("carol", CAROL), ("dave", DAVE), ("erin", ERIN)];
        let more = [("another", ANOTHER), ("config", pda::config(&P).0)];
        names.extend(keys.into_iter().chain(more).map(|(name, key)| (name.to_owned(), key)));
        macro_rules! by_code {
            ($($map:ident)*) => {
                $(names.extend(view.$map().iter().map(|(key, value)| (value.code.clone(), *key)));)*
            };
        }
        by_code!(exchanges contributors devices links tenants groups);
        let name = |key: &Pubkey| names.iter().find(|(_, it)| *it == key).map(|(name, _)| name.clone()).unwrap();
        let mut more = Vec::new();
        more.extend(view.interfaces().iter().map(|(key, it)| (format!("{} {}", name(&it.device), it.name), *key)));
        more.extend(view.clients().iter().map(|(key, it)| (format!("client {}", it.client_ip), *key)));
        more.extend(view.access_passes().iter().map(|(key, it)| (format!("pass of {}", name(&it.payer)), *key)));
        more.extend(view.pools().iter().map(|(key, it)| (pool_name(&name(&it.owner), it), *key)));
        names.extend(more);
        self.names.extend(names);
    }

    pub(super) fn name(&self, key: &Pubkey) -> String {
        self.names.iter().find(|(_, it)| *it == key).map(|(name, _)| name.clone()).unwrap()
    }

    pub(super) fn key(&self, name: &str) -> Pubkey {
        *self.names.get(name).unwrap_or_else(|| panic!("no account has the name {name}: {:#?}", self.names))
    }

    /// Carries out an instruction, which must succeed.
    pub(super) fn run(&mut self, signer: Pubkey, instruction: Instruction) {
        self.bank.execute(&[signer], &[instruction]).unwrap();
        self.bank.refresh(&mut self.view).unwrap();
    }

    pub(super) fn build(&mut self, signer: Pubkey, instruction: impl FnOnce(&NetworkView) -> Instruction) {
        let instruction = instruction(&self.view);
        self.run(signer, instruction);
    }

    /// Writes an account as no instruction would.
    pub(super) fn put(&mut self, key: Pubkey, value: &impl AccountData) {
        self.set(key, Record { lamports: 1, data: value.encode(), owner: P });
    }

    pub(super) fn get<T: AccountData>(&self, name: &str) -> T {
        T::decode(&self.bank.accounts()[&self.key(name)].data).unwrap()
    }

    pub(super) fn change<T: AccountData>(&mut self, name: &str, change: impl FnOnce(&mut T)) {
        let mut value = self.get(name);
        change(&mut value);
        self.put(self.key(name), &value);
    }

    pub(super) fn change_allocation(&mut self, name: &str, change: impl FnOnce(&mut UserAllocation)) {
        self.change(name, |it: &mut User| change(it.allocation.as_mut().unwrap()));
    }

    pub(super) fn close(&mut self, name: &str) {
        self.set(self.key(name), Record::default());
    }

    fn set(&mut self, key: Pubkey, record: Record) {
        self.bank.set_account(key, record);
        self.bank.refresh(&mut self.view).unwrap();
    }

    /// What the audit finds, with names instead of keys, in alphabetical order.
    fn found(&self) -> Vec<String> {
        let in_names =
            |text: String| self.names.iter().fold(text, |text, (name, key)| text.replace(&key.to_string(), name));
        let mut found: Vec<_> = audit(&self.view).iter().map(|finding| in_names(finding.to_string())).collect();
        found.sort();
        found
    }

    /// What is found once the chain has been changed.
    pub(super) fn found_after(&self, change: impl FnOnce(&mut Self)) -> Vec<String> {
        let mut chain = self.clone();
        change(&mut chain);
        chain.found()
    }

    #[track_caller]
    pub(super) fn is_sound(&self) {
        assert_eq!(self.found(), [""; 0]);
    }

    /// Nothing is found once the chain has been changed.
    #[track_caller]
    pub(super) fn fine(&self, change: impl FnOnce(&mut Self)) {
        assert_eq!(self.found_after(change), [""; 0]);
    }

    /// Exactly this is found once the chain has been changed.
    #[track_caller]
    pub(super) fn broken<const N: usize>(&self, change: impl FnOnce(&mut Self), mut expected: [&str; N]) {
        expected.sort_unstable();
        assert_eq!(self.found_after(change), expected);
    }
}

fn pool_name(owner: &str, pool: &Pool) -> String {
    let base = match pool.kind.values() {
        PoolValue::Address => format!(" {}", pool.kind.show(pool.base)),
        PoolValue::Number => String::new(),
    };
    format!("{owner} {}{base}", pool.kind)
}

/// What is found of units of a pool that are taken and that nobody holds.
pub(super) fn lost(pool: &str, units: &[impl Debug]) -> String {
    format!("{pool}: {}: taken, and nobody holds it: {units:?}", kind(pool))
}

/// The opposite.
pub(super) fn free(pool: &str, units: &[impl Debug]) -> String {
    format!("{pool}: {}: held, and not taken: {units:?}", kind(pool))
}

/// The second word of a pool's name.
fn kind(pool: &str) -> &str {
    pool.split(' ').nth(1).unwrap()
}

/// What is found of a device that counts other users than it has: unicast ones, subscribers and publishers.
pub(super) fn seats(device: &str, written: [u16; 3], counted: [u16; 3]) -> String {
    let [written, counted] = [written, counted].map(|[unicast_users, multicast_subscribers, multicast_publishers]| {
        DeviceCounts { unicast_users, multicast_subscribers, multicast_publishers }
    });
    format!("{device}: the count of users is {written:?}, counted {counted:?}")
}

//! One consistent picture of all accounts at one slot. Everything that decides is a pure function of it.

mod change;
mod derived;
mod index;

use std::{any::Any, collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use dz_serviceability::{
    pda,
    state::{
        AccessPass, AccountData, AccountType, Client, Contributor, DecodeError, Device, Exchange, GlobalConfig, Header,
        Interface, Link, MulticastGroup, Pool, PoolKind, Tenant, User,
    },
};
use solana_pubkey::Pubkey;

pub use self::change::Change;
use self::{
    change::Value,
    derived::Derived,
    index::{Entry, Index, Indexed},
};

/// An account that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("account {account}: {source}")]
pub struct ViewError {
    /// Its address.
    pub account: Pubkey,
    /// What is wrong with its bytes.
    pub source: DecodeError,
}

/// Accounts of one type. A view is copied for each revision while somebody holds the one before, and most of it stays.
type Accounts<T> = Arc<BTreeMap<Pubkey, T>>;

/// All accounts of the program, decoded once, at one revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkView {
    program: Pubkey,
    slot: u64,
    config: Option<GlobalConfig>,
    pools: Accounts<Pool>,
    contributors: Accounts<Contributor>,
    exchanges: Accounts<Exchange>,
    devices: Accounts<Device>,
    interfaces: Accounts<Interface>,
    links: Accounts<Link>,
    tenants: Accounts<Tenant>,
    access_passes: Accounts<AccessPass>,
    groups: Accounts<MulticastGroup>,
    users: Accounts<User>,
    clients: Accounts<Client>,
    /// Which accounts there are, so that a closed one is found whatever it was, and what their headers say.
    headers: Accounts<(AccountType, Header)>,
    index: Arc<Index>,
    derived: Derived,
}

macro_rules! entities {
    ($($(#[$doc:meta])* $map:ident $one:ident $type:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $map(&self) -> &BTreeMap<Pubkey, $type> {
                &self.$map
            }

            #[doc = concat!("The ", stringify!($type), " at this address.")]
            pub fn $one(&self, key: &Pubkey) -> Option<&$type> {
                self.$map.get(key)
            }
        )*
    };
}

impl NetworkView {
    /// An empty view of a program.
    pub fn new(program: Pubkey) -> Self {
        Self { program, ..Self::default() }
    }

    /// The view of these accounts at this slot.
    ///
    /// # Errors
    /// The data is no account of the program.
    pub fn from_accounts<'a>(
        program: Pubkey,
        slot: u64,
        accounts: impl IntoIterator<Item = (Pubkey, &'a [u8])>,
    ) -> Result<Self, ViewError> {
        let mut view = Self::new(program);
        view.slot = slot;
        for (key, data) in accounts {
            view.set_account(key, data)?;
        }
        Ok(view)
    }

    /// Puts an account's new data in; empty data means that it was closed. On an error nothing has changed.
    ///
    /// # Errors
    /// The data is no account of the program.
    pub fn set_account(&mut self, key: Pubkey, data: &[u8]) -> Result<(), ViewError> {
        self.apply(Change::read(key, data)?);
        Ok(())
    }

    /// Puts an account that was read in.
    pub fn apply(&mut self, change: Change) {
        let Change { key, header, value } = change;
        self.derived.outdate();
        macro_rules! insert {
            ($map:ident, $value:expr) => {{
                let value = $value;
                let kind = (account_type(&value), header);
                let old = self.$map.get(&key).filter(|_| self.headers.get(&key) == Some(&kind));
                // Most changes are of what is inside.
                if old.is_none_or(|old| old.entry() != value.entry()) {
                    self.forget(&key);
                    Arc::make_mut(&mut self.headers).insert(key, kind);
                    if value.entry() != Entry::None {
                        Arc::make_mut(&mut self.index).insert(key, &value);
                    }
                }
                Arc::make_mut(&mut self.$map).insert(key, value);
            }};
        }
        match value {
            Value::Closed => self.forget(&key),
            Value::GlobalConfig(config) => {
                self.forget(&key);
                Arc::make_mut(&mut self.headers).insert(key, (AccountType::GlobalConfig, header));
                self.config = Some(*config);
            }
            Value::Pool(pool) => insert!(pools, pool),
            Value::Contributor(contributor) => insert!(contributors, contributor),
            Value::Exchange(exchange) => insert!(exchanges, exchange),
            Value::Device(device) => insert!(devices, *device),
            Value::Interface(interface) => insert!(interfaces, interface),
            Value::Link(link) => insert!(links, *link),
            Value::Tenant(tenant) => insert!(tenants, tenant),
            Value::AccessPass(pass) => insert!(access_passes, pass),
            Value::MulticastGroup(group) => insert!(groups, group),
            Value::User(user) => insert!(users, *user),
            Value::Client(client) => insert!(clients, client),
        }
    }

    /// The slot the view is of: its revision.
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// Sets the revision; the caller has applied everything up to it.
    pub fn set_slot(&mut self, slot: u64) {
        self.slot = slot;
    }

    /// The program whose accounts these are.
    pub fn program(&self) -> &Pubkey {
        &self.program
    }

    /// Which life of the account at this address it shows.
    pub fn life(&self, key: &Pubkey) -> Option<u64> {
        self.headers.get(key).map(|(_, header)| header.life)
    }

    /// The key that paid the rent of the account at this address, and gets it back.
    pub fn rent_payer(&self, key: &Pubkey) -> Option<Pubkey> {
        self.headers.get(key).map(|(_, header)| header.rent_payer)
    }

    /// What `make` makes of the accounts alone. It is made once for each state of them and shared by all who hold the view;
    /// one that equals the value of the state before is the same value.
    pub fn derived<T: Any + Send + Sync + PartialEq>(&self, make: impl FnOnce(&Self) -> T) -> Arc<T> {
        self.derived.get(|| make(self))
    }

    /// The config, once it is initialised.
    pub fn config(&self) -> Option<&GlobalConfig> {
        self.config.as_ref()
    }

    entities! {
        /// All pools by address.
        pools pool Pool;
        /// All contributors by address.
        contributors contributor Contributor;
        /// All metros by address.
        exchanges exchange Exchange;
        /// All devices by address.
        devices device Device;
        /// All interfaces by address.
        interfaces interface Interface;
        /// All links by address.
        links link Link;
        /// All tenants by address.
        tenants tenant Tenant;
        /// All access passes by address.
        access_passes access_pass AccessPass;
        /// All multicast groups by address.
        groups group MulticastGroup;
        /// All users by address, the rejected and banned ones too.
        users user User;
        /// All addresses that clients connect from or that the foundation has named, by address of the account.
        clients client Client;
    }

    /// The address of the entity of this type with this code.
    pub fn by_code(&self, account_type: AccountType, code: &str) -> Option<Pubkey> {
        self.index.by_code(account_type, code)
    }

    /// The device with this code.
    pub fn device_by_code(&self, code: &str) -> Option<(Pubkey, &Device)> {
        let key = self.by_code(AccountType::Device, code)?;
        Some((key, self.devices.get(&key)?))
    }

    /// The group with this code.
    pub fn group_by_code(&self, code: &str) -> Option<(Pubkey, &MulticastGroup)> {
        let key = self.by_code(AccountType::MulticastGroup, code)?;
        Some((key, self.groups.get(&key)?))
    }

    /// The tenant with this code.
    pub fn tenant_by_code(&self, code: &str) -> Option<(Pubkey, &Tenant)> {
        let key = self.by_code(AccountType::Tenant, code)?;
        Some((key, self.tenants.get(&key)?))
    }

    /// The users of a client, in address order, whatever their status.
    pub fn users_of_client(&self, client_ip: Ipv4Addr) -> impl Iterator<Item = (&Pubkey, &User)> {
        self.index.users_of_client(client_ip).filter_map(|key| self.users.get_key_value(key))
    }

    /// The users of a device, in address order, whatever their status.
    pub fn users_of_device(&self, device: &Pubkey) -> impl Iterator<Item = (&Pubkey, &User)> {
        self.index.users_of_device(device).filter_map(|key| self.users.get_key_value(key))
    }

    /// The interfaces of a device, in address order.
    pub fn interfaces_of_device(&self, device: &Pubkey) -> impl Iterator<Item = (&Pubkey, &Interface)> {
        self.index.interfaces_of_device(device).filter_map(|key| self.interfaces.get_key_value(key))
    }

    /// The interface that has this address, whatever its status.
    pub fn interface_by_address(&self, address: Ipv4Addr) -> Option<(Pubkey, &Interface)> {
        let key = self.index.interface_by_address(address)?;
        Some((key, self.interfaces.get(&key)?))
    }

    /// A device's endpoint table: its activated endpoint interfaces in the order of their addresses.
    pub fn endpoints(&self, device: &Pubkey) -> Vec<(Ipv4Addr, Pubkey)> {
        let mut endpoints: Vec<_> = self
            .interfaces_of_device(device)
            .filter_map(|(key, interface)| Some((interface.endpoint()?, *key)))
            .collect();
        endpoints.sort();
        endpoints
    }

    /// The user that holds this pair, whatever its status.
    pub fn user_at(&self, client_ip: Ipv4Addr, endpoint_ip: Ipv4Addr) -> Option<(Pubkey, &User)> {
        let key = pda::user(&self.program, client_ip, endpoint_ip).0;
        Some((key, self.users.get(&key)?))
    }

    /// What is known of an address that clients connect from.
    pub fn client_at(&self, client_ip: Ipv4Addr) -> Option<(Pubkey, &Client)> {
        let key = pda::client(&self.program, client_ip).0;
        Some((key, self.clients.get(&key)?))
    }

    /// The passes of a payer, in address order.
    pub fn passes_of_payer(&self, payer: &Pubkey) -> impl Iterator<Item = (&Pubkey, &AccessPass)> {
        self.index.passes_of_payer(payer).filter_map(|key| self.access_passes.get_key_value(key))
    }

    /// The pool of this kind, owner and base.
    pub fn pool_at(&self, kind: PoolKind, owner: &Pubkey, base: u32) -> Option<(Pubkey, &Pool)> {
        let key = pda::pool(&self.program, kind, owner, base).0;
        Some((key, self.pools.get(&key)?))
    }

    /// The pools of a kind of global blocks, in allocation order.
    pub fn block_pools(&self, kind: PoolKind) -> Vec<(Pubkey, &Pool)> {
        let owner = pda::config(&self.program).0;
        self.config
            .as_ref()
            .and_then(|config| config.blocks(kind))
            .into_iter()
            .flatten()
            .filter_map(|block| self.pool_at(kind, &owner, u32::from(block.network())))
            .collect()
    }

    fn forget(&mut self, key: &Pubkey) {
        macro_rules! remove {
            ($map:ident) => {
                if let Some(value) = Arc::make_mut(&mut self.$map).remove(key)
                    && value.entry() != Entry::None
                {
                    Arc::make_mut(&mut self.index).remove(key, &value);
                }
            };
        }
        let Some((account_type, _)) = self.headers.get(key).copied() else { return };
        Arc::make_mut(&mut self.headers).remove(key);
        match account_type {
            AccountType::GlobalConfig => self.config = None,
            AccountType::Pool => remove!(pools),
            AccountType::Contributor => remove!(contributors),
            AccountType::Exchange => remove!(exchanges),
            AccountType::Device => remove!(devices),
            AccountType::Interface => remove!(interfaces),
            AccountType::Link => remove!(links),
            AccountType::Tenant => remove!(tenants),
            AccountType::AccessPass => remove!(access_passes),
            AccountType::MulticastGroup => remove!(groups),
            AccountType::User => remove!(users),
            AccountType::Client => remove!(clients),
        }
    }
}

fn account_type<T: AccountData>(_: &T) -> AccountType {
    T::TYPE
}

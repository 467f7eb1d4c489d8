//! One account's new state, read before it goes into a view: what can fail is then behind.

use dz_serviceability::state::{
    AccessPass, AccountData, AccountType, Client, Contributor, DecodeError, Device, Exchange, GlobalConfig, Header,
    Interface, Link, MulticastGroup, Pool, Tenant, User,
};
use solana_pubkey::Pubkey;

use super::ViewError;

/// An account that was read; putting it into a view cannot fail.
#[derive(Clone, Debug)]
pub struct Change {
    pub(super) key: Pubkey,
    pub(super) header: Header,
    pub(super) value: Value,
}

/// What an account holds now.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Closed,
    GlobalConfig(Box<GlobalConfig>),
    Pool(Pool),
    Contributor(Contributor),
    Exchange(Exchange),
    Device(Box<Device>),
    Interface(Interface),
    Link(Box<Link>),
    Tenant(Tenant),
    AccessPass(AccessPass),
    MulticastGroup(MulticastGroup),
    User(Box<User>),
    Client(Client),
}

impl Change {
    /// Reads an account's data; empty data means that it was closed.
    ///
    /// # Errors
    /// The data is no account of the program.
    pub fn read(key: Pubkey, data: &[u8]) -> Result<Self, ViewError> {
        let (header, value) = read(data).map_err(|source| ViewError { account: key, source })?;
        Ok(Self { key, header, value })
    }
}

fn read(data: &[u8]) -> Result<(Header, Value), DecodeError> {
    if data.is_empty() {
        return Ok((Header::default(), Value::Closed));
    }
    let (account_type, header) = Header::read(data)?;
    let value = match account_type {
        AccountType::GlobalConfig => Value::GlobalConfig(Box::new(GlobalConfig::decode(data)?)),
        AccountType::Pool => Value::Pool(Pool::decode(data)?),
        AccountType::Contributor => Value::Contributor(Contributor::decode(data)?),
        AccountType::Exchange => Value::Exchange(Exchange::decode(data)?),
        AccountType::Device => Value::Device(Box::new(Device::decode(data)?)),
        AccountType::Interface => Value::Interface(Interface::decode(data)?),
        AccountType::Link => Value::Link(Box::new(Link::decode(data)?)),
        AccountType::Tenant => Value::Tenant(Tenant::decode(data)?),
        AccountType::AccessPass => Value::AccessPass(AccessPass::decode(data)?),
        AccountType::MulticastGroup => Value::MulticastGroup(MulticastGroup::decode(data)?),
        AccountType::User => Value::User(Box::new(User::decode(data)?)),
        AccountType::Client => Value::Client(Client::decode(data)?),
    };
    Ok((header, value))
}

//! Account addresses: seeds that identify the thing, so that two of the same cannot exist.

use std::net::Ipv4Addr;

use solana_pubkey::{MAX_SEED_LEN, Pubkey};

use crate::state::PoolKind;

/// An address and the bump that makes it one.
pub type Pda = (Pubkey, u8);

/// The place of one thing. Every list of seeds is here and nowhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    Config,
    Pool { kind: PoolKind, owner: &'a Pubkey, base: u32 },
    Contributor(&'a str),
    Exchange(&'a str),
    Device(&'a str),
    Interface { device: &'a Pubkey, name: &'a str },
    Link(&'a str),
    Tenant(&'a str),
    AccessPass { client_ip: Ipv4Addr, payer: &'a Pubkey, giver: &'a Pubkey },
    Client(Ipv4Addr),
    MulticastGroup(&'a str),
    User { client_ip: Ipv4Addr, endpoint_ip: Ipv4Addr },
}

impl Place<'_> {
    /// Calls `f` with the seeds.
    pub(crate) fn with_seeds<R>(&self, f: impl FnOnce(&[&[u8]]) -> R) -> R {
        match self {
            Self::Config => f(&[b"config"]),
            Self::Pool { kind, owner, base } => f(&[b"pool", &[*kind as u8], owner.as_ref(), &base.to_le_bytes()]),
            Self::Contributor(code) => f(&[b"contributor", text(code)]),
            Self::Exchange(code) => f(&[b"exchange", text(code)]),
            Self::Device(code) => f(&[b"device", text(code)]),
            Self::Interface { device, name } => f(&[b"interface", device.as_ref(), text(name)]),
            Self::Link(code) => f(&[b"link", text(code)]),
            Self::Tenant(code) => f(&[b"tenant", text(code)]),
            Self::AccessPass { client_ip, payer, giver } => {
                f(&[b"pass", &client_ip.octets(), payer.as_ref(), giver.as_ref()])
            }
            Self::Client(client_ip) => f(&[b"client", &client_ip.octets()]),
            Self::MulticastGroup(code) => f(&[b"group", text(code)]),
            Self::User { client_ip, endpoint_ip } => f(&[b"user", &client_ip.octets(), &endpoint_ip.octets()]),
        }
    }

    /// The address.
    pub(crate) fn find(&self, program: &Pubkey) -> Pda {
        self.with_seeds(|seeds| Pubkey::find_program_address(seeds, program))
    }
}

/// A seed has at most 32 bytes. The program refuses a longer code before it looks for its address; a builder may
/// still ask for one, and gets an address that leads to that refusal.
fn text(code: &str) -> &[u8] {
    &code.as_bytes()[..code.len().min(MAX_SEED_LEN)]
}

/// Seeds: `config`.
pub fn config(program: &Pubkey) -> Pda {
    Place::Config.find(program)
}

/// Seeds: `pool`, kind, owner, base (little endian).
pub fn pool(program: &Pubkey, kind: PoolKind, owner: &Pubkey, base: u32) -> Pda {
    Place::Pool { kind, owner, base }.find(program)
}

/// Seeds: `contributor`, code.
pub fn contributor(program: &Pubkey, code: &str) -> Pda {
    Place::Contributor(code).find(program)
}

/// Seeds: `exchange`, code.
pub fn exchange(program: &Pubkey, code: &str) -> Pda {
    Place::Exchange(code).find(program)
}

/// Seeds: `device`, code.
pub fn device(program: &Pubkey, code: &str) -> Pda {
    Place::Device(code).find(program)
}

/// Seeds: `interface`, device, name in full form.
pub fn interface(program: &Pubkey, device: &Pubkey, name: &str) -> Pda {
    Place::Interface { device, name }.find(program)
}

/// Seeds: `link`, code.
pub fn link(program: &Pubkey, code: &str) -> Pda {
    Place::Link(code).find(program)
}

/// Seeds: `tenant`, code.
pub fn tenant(program: &Pubkey, code: &str) -> Pda {
    Place::Tenant(code).find(program)
}

/// Seeds: `pass`, client_ip, payer, giver: the config of a pass that the foundation gives, else the tenant.
pub fn access_pass(program: &Pubkey, client_ip: Ipv4Addr, payer: &Pubkey, giver: &Pubkey) -> Pda {
    Place::AccessPass { client_ip, payer, giver }.find(program)
}

/// Seeds: `client`, client_ip.
pub fn client(program: &Pubkey, client_ip: Ipv4Addr) -> Pda {
    Place::Client(client_ip).find(program)
}

/// Seeds: `group`, code.
pub fn multicast_group(program: &Pubkey, code: &str) -> Pda {
    Place::MulticastGroup(code).find(program)
}

/// Seeds: `user`, client_ip, endpoint_ip. This is invariant U: one live tunnel for each pair.
pub fn user(program: &Pubkey, client_ip: Ipv4Addr, endpoint_ip: Ipv4Addr) -> Pda {
    Place::User { client_ip, endpoint_ip }.find(program)
}

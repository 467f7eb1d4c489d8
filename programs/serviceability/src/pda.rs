//! Where each account lives: seeds that say what the thing is, so that two of the same cannot exist.

use std::net::Ipv4Addr;

use solana_pubkey::Pubkey;

use crate::state::PoolKind;

/// An address and the bump that makes it one.
pub type Pda = (Pubkey, u8);

fn find(program: &Pubkey, seeds: &[&[u8]]) -> Pda {
    Pubkey::find_program_address(seeds, program)
}

/// Seeds: `config`.
pub fn config(program: &Pubkey) -> Pda {
    find(program, &[b"config"])
}

/// Seeds: `pool`, kind, owner, base (little endian).
pub fn pool(program: &Pubkey, kind: PoolKind, owner: &Pubkey, base: u32) -> Pda {
    find(program, &[b"pool", &[kind as u8], owner.as_ref(), &base.to_le_bytes()])
}

/// Seeds: `contributor`, code.
pub fn contributor(program: &Pubkey, code: &str) -> Pda {
    find(program, &[b"contributor", code.as_bytes()])
}

/// Seeds: `exchange`, code.
pub fn exchange(program: &Pubkey, code: &str) -> Pda {
    find(program, &[b"exchange", code.as_bytes()])
}

/// Seeds: `device`, code.
pub fn device(program: &Pubkey, code: &str) -> Pda {
    find(program, &[b"device", code.as_bytes()])
}

/// Seeds: `interface`, device, name in full form.
pub fn interface(program: &Pubkey, device: &Pubkey, name: &str) -> Pda {
    find(program, &[b"interface", device.as_ref(), name.as_bytes()])
}

/// Seeds: `link`, code.
pub fn link(program: &Pubkey, code: &str) -> Pda {
    find(program, &[b"link", code.as_bytes()])
}

/// Seeds: `tenant`, code.
pub fn tenant(program: &Pubkey, code: &str) -> Pda {
    find(program, &[b"tenant", code.as_bytes()])
}

/// Seeds: `pass`, client_ip, payer.
pub fn access_pass(program: &Pubkey, client_ip: Ipv4Addr, payer: &Pubkey) -> Pda {
    find(program, &[b"pass", &client_ip.octets(), payer.as_ref()])
}

/// Seeds: `group`, code.
pub fn multicast_group(program: &Pubkey, code: &str) -> Pda {
    find(program, &[b"group", code.as_bytes()])
}

/// Seeds: `user`, client_ip, endpoint_ip. This is invariant U: one live tunnel for each pair.
pub fn user(program: &Pubkey, client_ip: Ipv4Addr, endpoint_ip: Ipv4Addr) -> Pda {
    find(program, &[b"user", &client_ip.octets(), &endpoint_ip.octets()])
}

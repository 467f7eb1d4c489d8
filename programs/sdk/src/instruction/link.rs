//! Verbs of links.

use dz_serviceability::{
    instruction::ServiceabilityInstruction as I,
    lists,
    network::NetworkV4,
    pda,
    state::{Link, LinkEnd, LinkStatus},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{CLOCK, instruction};

/// The numbers of a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkNumbers {
    /// One-way delay in nanoseconds.
    pub delay_ns: u64,
    /// Bits per second.
    pub bandwidth: u64,
    /// MTU, in octets.
    pub mtu: u16,
}

/// Creates a link; the contributor is that of side A.
pub fn create_link(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    code: &str,
    ends: (LinkEnd, LinkEnd),
    numbers: LinkNumbers,
) -> Instruction {
    let (a, z) = ends;
    let LinkNumbers { delay_ns, bandwidth, mtu } = numbers;
    let list = lists::CreateLink {
        config: pda::config(program).0,
        link: pda::link(program, code).0,
        clock: CLOCK,
        contributor,
        device_a: a.device,
        interface_a: a.interface,
        device_z: z.device,
        interface_z: z.interface,
    };
    let data = I::CreateLink { code: code.to_owned(), delay_ns, bandwidth, mtu };
    instruction(program, signer, &data, list.metas(program))
}

/// Agrees to a link; the contributor is that of side Z.
pub fn accept_link(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    side_z: LinkEnd,
    link: Pubkey,
) -> Instruction {
    let list = lists::AcceptLink {
        config: pda::config(program).0,
        link,
        contributor,
        device_z: side_z.device,
        interface_z: side_z.interface,
    };
    instruction(program, signer, &I::AcceptLink, list.metas(program))
}

/// Gives it its network, out of the block with this pool.
pub fn activate_link(
    program: &Pubkey,
    signer: &Pubkey,
    link: (Pubkey, &Link),
    pool: Pubkey,
    net: NetworkV4,
) -> Instruction {
    let (key, link) = link;
    let list = lists::ActivateLink {
        config: pda::config(program).0,
        link: key,
        interface_a: link.side_a.interface,
        interface_z: link.side_z.interface,
        pool,
    };
    instruction(program, signer, &I::ActivateLink { net }, list.metas(program))
}

/// Changes delay and bandwidth; the contributor is that of side A.
pub fn update_link(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    link: Pubkey,
    delay_ns: u64,
    bandwidth: u64,
) -> Instruction {
    let list = lists::UpdateLink { config: pda::config(program).0, link, contributor };
    instruction(program, signer, &I::UpdateLink { delay_ns, bandwidth }, list.metas(program))
}

/// Drains it or takes that back, as the contributor of the side that this device is at.
pub fn set_link_status(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    link: Pubkey,
    status: LinkStatus,
) -> Instruction {
    let list = lists::SetLinkStatus { config: pda::config(program).0, link, contributor, device };
    instruction(program, signer, &I::SetLinkStatus { status }, list.metas(program))
}

/// Starts its end, as the contributor of the side that this device is at.
pub fn delete_link(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    link: Pubkey,
) -> Instruction {
    let list = lists::DeleteLink { config: pda::config(program).0, link, contributor, device };
    instruction(program, signer, &I::DeleteLink, list.metas(program))
}

//! Verbs of links.

use dz_serviceability::{
    instruction::ServiceabilityInstruction as I,
    network::NetworkV4,
    pda,
    state::{Link, LinkEnd, LinkStatus},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{instruction, r, w};

/// The numbers of a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkNumbers {
    /// One-way delay in nanoseconds.
    pub delay_ns: u64,
    /// Bits per second.
    pub bandwidth: u64,
    /// Octets of the largest packet.
    pub mtu: u16,
}

/// Creates a link. Accounts: contributor of side A, device and interface of side A, device and interface of side Z,
/// link.
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
    let accounts = [contributor, a.device, a.interface, z.device, z.interface, pda::link(program, code).0].map(w);
    instruction(program, signer, &I::CreateLink { code: code.to_owned(), delay_ns, bandwidth, mtu }, accounts)
}

/// Agrees to a link. Accounts: contributor, device and interface of side Z, link.
pub fn accept_link(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    side_z: LinkEnd,
    link: Pubkey,
) -> Instruction {
    let accounts = [r(contributor), w(side_z.device), w(side_z.interface), w(link)];
    instruction(program, signer, &I::AcceptLink, accounts)
}

/// Gives it its network. Accounts: link, its two interfaces, pool of the block.
pub fn activate_link(
    program: &Pubkey,
    signer: &Pubkey,
    link: (Pubkey, &Link),
    pool: Pubkey,
    net: NetworkV4,
) -> Instruction {
    let (key, link) = link;
    let accounts = [w(key), r(link.side_a.interface), r(link.side_z.interface), w(pool)];
    instruction(program, signer, &I::ActivateLink { net }, accounts)
}

/// Changes delay and bandwidth. Accounts: contributor of side A, link.
pub fn update_link(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    link: Pubkey,
    delay_ns: u64,
    bandwidth: u64,
) -> Instruction {
    instruction(program, signer, &I::UpdateLink { delay_ns, bandwidth }, [r(contributor), w(link)])
}

/// Drains it or opens it again. Accounts: contributor and device of either side, link.
pub fn set_link_status(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    link: Pubkey,
    status: LinkStatus,
) -> Instruction {
    instruction(program, signer, &I::SetLinkStatus { status }, [r(contributor), r(device), w(link)])
}

/// Starts its end. Accounts: contributor of side A, link.
pub fn delete_link(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, link: Pubkey) -> Instruction {
    instruction(program, signer, &I::DeleteLink, [r(contributor), w(link)])
}

/// Closes it. Accounts: contributor of side A, link, owner, device and interface of side A; those of side Z when it
/// has accepted; the pool of its network when it has one.
pub fn close_link(program: &Pubkey, signer: &Pubkey, contributor_owner: Pubkey, link: (Pubkey, &Link)) -> Instruction {
    let (key, link) = link;
    let mut accounts =
        vec![w(link.contributor), w(key), w(contributor_owner), w(link.side_a.device), w(link.side_a.interface)];
    if link.accepted {
        accounts.extend([w(link.side_z.device), w(link.side_z.interface)]);
    }
    if let Some(network) = link.network {
        accounts.push(w(network.pool));
    }
    instruction(program, signer, &I::CloseLink, accounts)
}

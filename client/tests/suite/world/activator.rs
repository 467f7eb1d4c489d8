//! What the activator does for users, and no more: the lowest free value of each pool.

use dz_sdk::{
    Ledger, NetworkView, build,
    instruction::user::Grant,
    local::LocalLedger,
    program::{
        instruction::FIRST_TUNNEL_ID,
        network::NetworkV4,
        state::{PoolKind, User, UserStatus},
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::task::JoinHandle;

/// Serves users for as long as it lives.
pub(super) struct Activator(JoinHandle<()>);

impl Activator {
    pub(super) fn start(ledger: LocalLedger) -> Self {
        Self(tokio::spawn(async move {
            let mut views = ledger.watch();
            loop {
                let view = views.borrow_and_update().clone().unwrap();
                // One thing at a time, then what the chain says afterwards.
                let next = view.users().iter().find_map(|(key, user)| serve(&view, &ledger.payer(), *key, user));
                match next {
                    Some(instructions) => {
                        ledger.send(&instructions).await.unwrap();
                    }
                    None => views.changed().await.unwrap(),
                }
            }
        }))
    }
}

impl Drop for Activator {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn serve(view: &NetworkView, signer: &Pubkey, key: Pubkey, user: &User) -> Option<Vec<Instruction>> {
    let instructions = match user.status {
        UserStatus::Pending | UserStatus::Updating => {
            vec![build::activate_user(view, signer, key, grant(view, user)).unwrap()]
        }
        UserStatus::Deleting => build::close_user(view, signer, key).unwrap(),
        UserStatus::PendingBan => build::finish_ban(view, signer, key).unwrap(),
        UserStatus::Activated | UserStatus::Rejected | UserStatus::Banned => return None,
    };
    Some(instructions)
}

fn grant(view: &NetworkView, user: &User) -> Grant {
    let lowest = |kind| view.block_pools(kind)[0].1.lowest_free(1).unwrap();
    let dz_ip = if user.is_publisher() { lowest(PoolKind::MulticastPublisherBlock).into() } else { user.client_ip };
    match user.allocation {
        Some(held) => Grant { tunnel_net: held.tunnel_net, tunnel_id: held.tunnel_id, dz_ip },
        None => {
            let (_, ids) = view.pool_at(PoolKind::TunnelIds, &user.device, FIRST_TUNNEL_ID.into()).unwrap();
            Grant {
                tunnel_net: NetworkV4::new(lowest(PoolKind::UserTunnelBlock).into(), 31).unwrap(),
                tunnel_id: ids.lowest_free(1).unwrap().try_into().unwrap(),
                dz_ip,
            }
        }
    }
}

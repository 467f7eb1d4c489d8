//! A minimal activator for users: the lowest free value of each pool.

use std::sync::Arc;

use dz_sdk::{
    Ledger, LedgerError, NetworkView, build,
    instruction::user::Grant,
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
    pub(super) fn start(ledger: Arc<dyn Ledger>) -> Self {
        Self(tokio::spawn(async move {
            let mut views = ledger.watch();
            let mut since = 0;
            loop {
                // One thing at a time, then what the chain says afterwards.
                let view = views.borrow_and_update().clone().filter(|view| view.slot() >= since);
                let next = view.and_then(|view| {
                    view.users().iter().find_map(|(key, user)| serve(&view, &ledger.payer(), *key, user))
                });
                match next {
                    Some(instructions) => match ledger.send(&instructions).await {
                        Ok(landed) => since = landed.slot,
                        // Somebody was faster, and the next view says how.
                        Err(LedgerError::Refused { .. }) => views.changed().await.unwrap(),
                        Err(error) => panic!("{error}"),
                    },
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

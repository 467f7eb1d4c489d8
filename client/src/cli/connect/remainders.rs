//! Remainders of earlier attempts at this client's address, its own and those of others: a connect clears them away.

use std::net::Ipv4Addr;

use dz_sdk::{
    LedgerError, NetworkView, build,
    instruction::decided_on,
    program::{
        error::ServiceabilityError,
        pda,
        state::{User, UserStatus},
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::Client;
use crate::cli::error::CommandError;

/// As many rejected users go in the transaction that makes a new one; a later connect takes the rest.
const AT_ONCE: usize = 4;

/// Deletes this payer's rejected users of this client, whose deposits come back with that. They hold nothing, and the one
/// at the endpoint that is asked for gives way by itself.
pub(super) fn delete_rejected(
    view: &NetworkView,
    payer: &Pubkey,
    client_ip: Ipv4Addr,
    endpoint: Ipv4Addr,
) -> Result<Vec<Instruction>, CommandError> {
    let own = view.users_of_client(client_ip).filter(|(_, user)| {
        user.owner == *payer && user.status == UserStatus::Rejected && user.endpoint_ip != endpoint
    });
    own.take(AT_ONCE).map(|(key, _)| build::delete_user(view, payer, *key).map_err(CommandError::from)).collect()
}

/// Users that others have made for this address and that this payer may end: the foundation has named it for the address,
/// and not them.
fn strangers(view: &NetworkView, payer: Pubkey, client_ip: Ipv4Addr) -> impl Iterator<Item = (Pubkey, &User)> {
    let config = pda::config(view.program()).0;
    let named =
        move |key: &Pubkey| view.access_pass(&pda::access_pass(view.program(), client_ip, key, &config).0).is_some();
    let holder = named(&payer);
    view.users_of_client(client_ip)
        .filter(move |(_, user)| holder && user.owner != payer && !named(&user.owner))
        .map(|(key, user)| (*key, user))
}

impl Client<'_> {
    /// Ends what others have made for this address before it was this payer's, and waits until it is gone.
    pub(super) async fn reclaim(&self, view: &NetworkView, client_ip: Ipv4Addr) -> Result<(), CommandError> {
        let payer = self.ledger.payer();
        let lives =
            |user: &User| matches!(user.status, UserStatus::Pending | UserStatus::Activated | UserStatus::Updating);
        let in_the_way = |user: &User| lives(user) || user.status == UserStatus::Deleting;
        if !strangers(view, payer, client_ip).any(|(_, user)| in_the_way(user)) {
            return Ok(());
        }
        let mut since = view.slot();
        for (key, _) in strangers(view, payer, client_ip).filter(|(_, user)| lives(user)) {
            let reclaim = decided_on(view, build::reclaim_address(view, &payer, key)?);
            match self.waiting.for_landing(self.ledger, &[reclaim]).await {
                Ok(slot) => since = since.max(slot),
                // It went by itself.
                Err(CommandError::Ledger(LedgerError::Refused {
                    error: ServiceabilityError::UserDeleting | ServiceabilityError::AccountNotFound,
                    ..
                })) => {}
                Err(error) => return Err(error),
            }
        }
        let step = "the tunnel of another key at this address to be released";
        let gone = |view: &NetworkView| {
            let mut left = strangers(view, payer, client_ip).filter(|(_, user)| in_the_way(user));
            left.next().is_none().then_some(())
        };
        self.waiting.for_activator(self.ledger, since, step, gone, |()| true).await
    }
}

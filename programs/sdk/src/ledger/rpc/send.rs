//! Sending one transaction and learning where it landed.

use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_rpc_client_api::config::RpcSendTransactionConfig;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;
use tokio::time::{Instant, sleep};

use super::{COMMITMENT, Inner, error};
use crate::ledger::{Landed, LedgerError};

/// A blockhash may expire between being read and being used; the transaction has then certainly not landed.
const ATTEMPTS: usize = 3;

impl Inner {
    pub(super) async fn send(&self, payer: &Keypair, instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        let mut attempt = 1;
        loop {
            let blockhash = self.rpc.get_latest_blockhash().await;
            let blockhash = blockhash.map_err(|error| error::unavailable(&self.rpc_url, &error))?;
            let mut transaction = Transaction::new_with_payer(instructions, Some(&payer.pubkey()));
            transaction
                .try_sign(&[payer], blockhash)
                .map_err(|error| LedgerError::Failed(format!("cannot sign for {}: {error}", payer.pubkey())))?;
            let signature = transaction.signatures[0];
            let config = RpcSendTransactionConfig {
                preflight_commitment: Some(COMMITMENT.commitment),
                ..RpcSendTransactionConfig::default()
            };
            match self.rpc.send_transaction_with_config(&transaction, config).await {
                Ok(_) => return self.landed(signature, instructions).await,
                Err(error) => match error.get_transaction_error() {
                    Some(TransactionError::BlockhashNotFound) if attempt < ATTEMPTS => attempt += 1,
                    Some(TransactionError::AlreadyProcessed) => return self.landed(signature, instructions).await,
                    _ => return Err(error::of_client(&self.rpc_url, &self.program, instructions, &error)),
                },
            }
        }
    }

    /// Where it landed. The simulated ledger knows at once; a validator is asked again, less and less often.
    async fn landed(&self, signature: Signature, sent: &[Instruction]) -> Result<Landed, LedgerError> {
        let deadline = Instant::now() + self.options.landing_timeout;
        let mut backoff = self.backoff();
        loop {
            let reason = match self.rpc.get_signature_statuses(&[signature]).await {
                Ok(answer) => match answer.value.into_iter().next().flatten() {
                    Some(status) if status.satisfies_commitment(COMMITMENT) => {
                        return match status.err {
                            None => Ok(Landed { signature, slot: status.slot }),
                            Some(error) => Err(error::of_transaction(&self.program, sent, &error)),
                        };
                    }
                    _ => format!("transaction {signature} has not landed"),
                },
                Err(error) => error.to_string(),
            };
            let pause = backoff.next_wait();
            if Instant::now() + pause > deadline {
                return Err(LedgerError::Unavailable { url: self.rpc_url.clone(), reason });
            }
            sleep(pause).await;
        }
    }
}

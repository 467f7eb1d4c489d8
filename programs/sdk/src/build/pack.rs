//! How many instructions fit a transaction.

use solana_instruction::Instruction;
use solana_message::Message;
use solana_pubkey::Pubkey;

/// The most bytes of a transaction on the wire.
const MAX_TRANSACTION: usize = 1232;
/// A count of one and one signature.
const SIGNATURES: usize = 1 + 64;

/// Splits instructions into transactions in their order, as many in each as fit. One that fits none stands alone.
pub fn pack(payer: &Pubkey, instructions: impl IntoIterator<Item = Instruction>) -> Vec<Vec<Instruction>> {
    let mut transactions: Vec<Vec<Instruction>> = Vec::new();
    for instruction in instructions {
        if let Some(last) = transactions.last_mut() {
            last.push(instruction);
            if size(payer, last) <= MAX_TRANSACTION {
                continue;
            }
            if let Some(instruction) = last.pop() {
                transactions.push(vec![instruction]);
            }
        } else {
            transactions.push(vec![instruction]);
        }
    }
    transactions
}

fn size(payer: &Pubkey, instructions: &[Instruction]) -> usize {
    SIGNATURES + Message::new(instructions, Some(payer)).serialize().len()
}

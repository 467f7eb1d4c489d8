//! The bytes that Solana hands to a program: accounts with room to grow, the instruction, the program's address.
//!
//! The program changes them in place, as under a bank. Layout as `solana_program_entrypoint::deserialize` reads it.

use std::collections::BTreeMap;

use solana_account_info::{AccountInfo, MAX_PERMITTED_DATA_INCREASE};
use solana_instruction::Instruction;
use solana_program_entrypoint::{BPF_ALIGN_OF_U128, NON_DUP_MARKER};
use solana_pubkey::Pubkey;

use super::bank::Record;

/// A program's input, aligned as the reader wants it.
pub(super) struct Input {
    words: Vec<u64>,
}

impl Input {
    pub(super) fn new(instruction: &Instruction, signers: &[Pubkey], record: impl Fn(&Pubkey) -> Record) -> Self {
        let mut out = Vec::new();
        let mut seen: BTreeMap<Pubkey, usize> = BTreeMap::new();
        out.extend((instruction.accounts.len() as u64).to_le_bytes());
        for (index, meta) in instruction.accounts.iter().enumerate() {
            if let Some(&first) = seen.get(&meta.pubkey) {
                out.push(first as u8);
                out.extend([0; 7]);
                continue;
            }
            seen.insert(meta.pubkey, index);
            let record = record(&meta.pubkey);
            // An account that is listed twice has the rights of both places, as in a message.
            let writable = instruction.accounts.iter().any(|other| other.pubkey == meta.pubkey && other.is_writable);
            let signer = meta.is_signer && signers.contains(&meta.pubkey);
            out.extend([NON_DUP_MARKER, u8::from(signer), u8::from(writable), 0]);
            out.extend((record.data.len() as u32).to_le_bytes());
            out.extend(meta.pubkey.as_ref());
            out.extend(record.owner.as_ref());
            out.extend(record.lamports.to_le_bytes());
            out.extend((record.data.len() as u64).to_le_bytes());
            out.extend(&record.data);
            out.resize(out.len() + MAX_PERMITTED_DATA_INCREASE, 0);
            out.resize(out.len().next_multiple_of(BPF_ALIGN_OF_U128), 0);
            out.extend(u64::MAX.to_le_bytes());
        }
        out.extend((instruction.data.len() as u64).to_le_bytes());
        out.extend(&instruction.data);
        out.extend(instruction.program_id.as_ref());
        out.resize(out.len().next_multiple_of(8), 0);
        let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap_or_default());
        Self { words: out.chunks_exact(8).map(word).collect() }
    }

    /// Calls `f` with what a program gets.
    pub(super) fn run<R>(mut self, f: impl FnOnce(&Pubkey, &[AccountInfo], &[u8]) -> R) -> R {
        // SAFETY: `new` wrote exactly what `deserialize` reads, in memory aligned for its integers, and the
        // account infos live no longer than the words they point into.
        let (program, infos, data) = unsafe { solana_program_entrypoint::deserialize(self.words.as_mut_ptr().cast()) };
        f(program, &infos, data)
    }
}

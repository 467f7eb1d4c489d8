//! The bytes that Solana hands to a program: accounts with room to grow, the instruction, the program's address.
//!
//! The program changes them in place, as under a bank. Layout as `solana_program_entrypoint::deserialize` reads it.

use std::collections::BTreeMap;

use solana_account_info::{AccountInfo, MAX_PERMITTED_DATA_INCREASE};
use solana_instruction::Instruction;
use solana_program_entrypoint::{BPF_ALIGN_OF_U128, NON_DUP_MARKER};
use solana_pubkey::Pubkey;

use super::record::Record;

/// A program's input, aligned as the reader wants it.
pub(super) struct Input {
    words: Vec<u64>,
}

/// Bytes of an account beside its data: marker and flags, lengths, key, owner, lamports, rent epoch.
const ACCOUNT_OVERHEAD: usize = 4 + 4 + 32 + 32 + 8 + 8 + 8;

impl Input {
    pub(super) fn new(instruction: &Instruction, signers: &[Pubkey], record: impl Fn(&Pubkey) -> Record) -> Self {
        let mut seen: BTreeMap<Pubkey, usize> = BTreeMap::new();
        let mut records = Vec::with_capacity(instruction.accounts.len());
        for (index, meta) in instruction.accounts.iter().enumerate() {
            let first = *seen.entry(meta.pubkey).or_insert(index);
            records.push(if first == index { Ok(record(&meta.pubkey)) } else { Err(first as u8) });
        }
        let size = |record: &Result<Record, u8>| match record {
            Ok(record) => ACCOUNT_OVERHEAD + (record.data.len() + MAX_PERMITTED_DATA_INCREASE).next_multiple_of(8),
            Err(_) => 8,
        };
        let size = 8 + records.iter().map(size).sum::<usize>() + 8 + instruction.data.len() + 32;
        // Zeroed at once: nearly all of it is room to grow.
        let mut words = vec![0u64; size.div_ceil(8)];
        // SAFETY: the same memory as bytes; every bit pattern is a byte.
        let bytes = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), words.len() * 8) };
        let mut out = Out { bytes, at: 0 };
        out.put(&(instruction.accounts.len() as u64).to_le_bytes());
        for (meta, record) in instruction.accounts.iter().zip(&records) {
            let record = match record {
                Ok(record) => record,
                Err(first) => {
                    out.put(&[*first, 0, 0, 0, 0, 0, 0, 0]);
                    continue;
                }
            };
            // An account that is listed twice has the rights of both places, as in a message.
            let writable = instruction.accounts.iter().any(|other| other.pubkey == meta.pubkey && other.is_writable);
            let signer = meta.is_signer && signers.contains(&meta.pubkey);
            out.put(&[NON_DUP_MARKER, u8::from(signer), u8::from(writable), 0]);
            out.put(&(record.data.len() as u32).to_le_bytes());
            out.put(meta.pubkey.as_ref());
            out.put(record.owner.as_ref());
            out.put(&record.lamports.to_le_bytes());
            out.put(&(record.data.len() as u64).to_le_bytes());
            out.put(&record.data);
            out.at = (out.at + MAX_PERMITTED_DATA_INCREASE).next_multiple_of(BPF_ALIGN_OF_U128);
            out.put(&u64::MAX.to_le_bytes());
        }
        out.put(&(instruction.data.len() as u64).to_le_bytes());
        out.put(&instruction.data);
        out.put(instruction.program_id.as_ref());
        Self { words }
    }

    /// Calls `f` with what a program gets.
    pub(super) fn run<R>(mut self, f: impl FnOnce(&Pubkey, &[AccountInfo], &[u8]) -> R) -> R {
        // SAFETY: `new` wrote exactly what `deserialize` reads, in memory aligned for its integers, and the
        // account infos live no longer than the words they point into.
        let (program, infos, data) = unsafe { solana_program_entrypoint::deserialize(self.words.as_mut_ptr().cast()) };
        f(program, &infos, data)
    }
}

struct Out<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Out<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

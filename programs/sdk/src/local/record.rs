//! One account of the chain in memory.

use solana_pubkey::Pubkey;

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What it owns.
    pub lamports: u64,
    /// What it holds.
    pub data: Vec<u8>,
    /// The program that may change it.
    pub owner: Pubkey,
}

impl Record {
    /// The bytes of an account of this program; none of another's, which is how a closed one looks.
    pub(super) fn data_of(&self, program: &Pubkey) -> &[u8] {
        if self.owner == *program { &self.data } else { &[] }
    }
}

//! The program's upgrade authority, from the account that Solana's upgradeable loader keeps.

use solana_pubkey::Pubkey;

/// The upgradeable loader.
pub const LOADER: Pubkey = Pubkey::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");

/// Tag of an account with a program's data, and the slot of its deployment.
const PREFIX_LEN: usize = 4 + 8;
const PROGRAM_DATA_TAG: [u8; 4] = 3u32.to_le_bytes();

/// The account in which the loader keeps a program's data.
pub fn program_data(program: &Pubkey) -> Pubkey {
    Pubkey::find_program_address(&[program.as_ref()], &LOADER).0
}

/// The upgrade authority in such an account; none when there is none any more.
pub fn authority(data: &[u8]) -> Option<Pubkey> {
    let (prefix, rest) = data.split_at_checked(PREFIX_LEN)?;
    let (some, key) = rest.split_first()?;
    let key = key.first_chunk::<32>()?;
    (prefix.starts_with(&PROGRAM_DATA_TAG) && *some == 1).then(|| Pubkey::new_from_array(*key))
}

/// The start of such an account, as a test or a genesis without the loader writes it.
pub fn header(authority: &Pubkey) -> Vec<u8> {
    let mut data = PROGRAM_DATA_TAG.to_vec();
    data.extend_from_slice(&0u64.to_le_bytes());
    data.push(1);
    data.extend_from_slice(authority.as_ref());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_program_data_with_an_authority_has_one() {
        let key = Pubkey::new_from_array([7; 32]);
        let data = header(&key);
        assert_eq!(authority(&data), Some(key));
        assert_eq!(authority(&[data.clone(), vec![1, 2, 3]].concat()), Some(key));
        for len in 0..data.len() {
            assert_eq!(authority(&data[..len]), None, "{len}");
        }
        for (at, byte) in [(0, 2), (12, 0)] {
            let mut other = data.clone();
            other[at] = byte;
            assert_eq!(authority(&other), None, "{at}");
        }
    }
}

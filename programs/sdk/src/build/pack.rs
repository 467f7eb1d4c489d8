//! Packing of instructions into transactions.

use std::collections::BTreeSet;

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// The most octets of a transaction (the payload of an IPv6 packet of minimum MTU).
const MAX_TRANSACTION: usize = 1232;

/// The most instructions of one transaction. It may use 1,400,000 compute units and each instruction brings 200,000
/// with it, so that up to this many have together what each would have alone. They also stay below the 64 calls that
/// the runtime traces in one transaction: an instruction of the program makes five at the most, itself counted.
pub const MAX_INSTRUCTIONS: usize = 7;

/// Splits instructions into transactions in their order, as many in each as fit and as may be. One that is too large
/// stands alone, and the ledger will say so.
pub fn pack(payer: &Pubkey, instructions: impl IntoIterator<Item = Instruction>) -> Vec<Vec<Instruction>> {
    pack_by(payer, instructions, |instruction| instruction, |_, _| false)
}

/// The same for things that have one instruction each and stay beside it. Those that are joined to the one before them
/// land with it, so that no other transaction comes between them; unless they are more than a transaction takes.
pub fn pack_by<T>(
    payer: &Pubkey,
    items: impl IntoIterator<Item = T>,
    instruction: impl Fn(&T) -> &Instruction,
    joined: impl Fn(&T, &T) -> bool,
) -> Vec<Vec<T>> {
    let fits = |items: &mut dyn Iterator<Item = &T>| {
        let mut size = Size::new(payer);
        items.for_each(|item| size.add(instruction(item)));
        size.instructions <= MAX_INSTRUCTIONS && size.octets() <= MAX_TRANSACTION
    };
    let mut transactions: Vec<Vec<T>> = Vec::new();
    for unit in units(items, joined) {
        let whole = fits(&mut unit.iter());
        let pieces = if whole { vec![unit] } else { unit.into_iter().map(|item| vec![item]).collect() };
        for piece in pieces {
            match transactions.last_mut() {
                Some(last) if fits(&mut last.iter().chain(&piece)) => last.extend(piece),
                _ => transactions.push(piece),
            }
        }
    }
    transactions
}

/// Runs of items each of which is joined to the one before it.
fn units<T>(items: impl IntoIterator<Item = T>, joined: impl Fn(&T, &T) -> bool) -> Vec<Vec<T>> {
    let mut units: Vec<Vec<T>> = Vec::new();
    for item in items {
        match units.last_mut() {
            Some(unit) if unit.last().is_some_and(|last| joined(last, &item)) => unit.push(item),
            _ => units.push(vec![item]),
        }
    }
    units
}

/// The size of a transaction on the wire that one key signs: signature, header, keys, block hash, instructions.
struct Size {
    keys: BTreeSet<Pubkey>,
    instructions: usize,
    instruction_octets: usize,
}

impl Size {
    fn new(payer: &Pubkey) -> Self {
        Self { keys: BTreeSet::from([*payer]), instructions: 0, instruction_octets: 0 }
    }

    fn add(&mut self, instruction: &Instruction) {
        self.keys.insert(instruction.program_id);
        self.keys.extend(instruction.accounts.iter().map(|account| account.pubkey));
        let (accounts, data) = (instruction.accounts.len(), instruction.data.len());
        self.instructions += 1;
        self.instruction_octets += 1 + length_prefix(accounts) + accounts + length_prefix(data) + data;
    }

    fn octets(&self) -> usize {
        const SIGNATURES: usize = 1 + 64;
        const HEADER: usize = 3;
        const HASH: usize = 32;
        let keys = length_prefix(self.keys.len()) + 32 * self.keys.len();
        SIGNATURES + HEADER + keys + HASH + length_prefix(self.instructions) + self.instruction_octets
    }
}

/// Octets of a compact-u16: seven bits an octet.
fn length_prefix(length: usize) -> usize {
    match length {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use solana_instruction::AccountMeta;
    use solana_message::Message;

    use super::*;

    const PAYER: Pubkey = Pubkey::new_from_array([1; 32]);

    /// Accounts are drawn from a few, so that instructions share some.
    fn instruction() -> impl Strategy<Value = Instruction> {
        let account = (0u8..40).prop_map(|key| AccountMeta::new(Pubkey::new_from_array([key; 32]), false));
        let accounts = prop::collection::vec(account, 0..20);
        (accounts, prop::collection::vec(any::<u8>(), 0..300)).prop_map(|(accounts, data)| Instruction {
            program_id: Pubkey::new_from_array([7; 32]),
            accounts,
            data,
        })
    }

    fn on_the_wire(instructions: &[Instruction]) -> usize {
        65 + Message::new(instructions, Some(&PAYER)).serialize().len()
    }

    proptest! {
        /// Nothing is lost or moved; each transaction fits and may be; none could have taken what follows it.
        #[test]
        fn as_many_as_fit_in_order(instructions in prop::collection::vec(instruction(), 0..40)) {
            let packed = pack(&PAYER, instructions.clone());
            prop_assert_eq!(packed.concat(), instructions);
            for transaction in &packed {
                prop_assert!(transaction.len() == 1 || on_the_wire(transaction) <= 1232);
                prop_assert!((1..=MAX_INSTRUCTIONS).contains(&transaction.len()));
            }
            for pair in packed.windows(2) {
                let more = [pair[0].as_slice(), &pair[1][..1]].concat();
                prop_assert!(more.len() > MAX_INSTRUCTIONS || on_the_wire(&more) > 1232);
            }
        }
    }

    #[test]
    fn things_stay_beside_their_instructions() {
        let small = Instruction { program_id: PAYER, accounts: vec![], data: vec![0] };
        let items = (0..16).map(|number| (number, small.clone()));
        let numbers = |batch: &Vec<(u32, Instruction)>| batch.iter().map(|(number, _)| *number).collect::<Vec<_>>();
        let packed: Vec<_> =
            pack_by(&PAYER, items, |(_, instruction)| instruction, |_, _| false).iter().map(numbers).collect();
        assert_eq!(packed, [(0..7).collect::<Vec<_>>(), (7..14).collect(), vec![14, 15]]);
    }

    #[test]
    fn those_that_are_joined_land_together_if_they_can() {
        let small = Instruction { program_id: PAYER, accounts: vec![], data: vec![0] };
        let packed = |count: u32, joined: std::ops::Range<u32>| {
            let items = (0..count).map(|number| (number, small.clone()));
            let joined = |_: &_, (number, _): &(u32, Instruction)| joined.contains(number);
            let packed = pack_by(&PAYER, items, |(_, instruction)| instruction, joined);
            packed.iter().map(Vec::len).collect::<Vec<_>>()
        };
        // Items 5, 6 and 7 are one unit, which the first transaction does not take as a whole.
        assert_eq!(packed(16, 6..8), [5, 7, 4]);
        assert_eq!(packed(16, 5..7), [7, 7, 2]);
        // A unit of eight is more than a transaction takes: then it is cut as if it were none.
        assert_eq!(packed(16, 2..9), [7, 7, 2]);
    }

    #[test]
    fn one_that_is_too_large_stands_alone() {
        let of = |octets: usize| Instruction { program_id: PAYER, accounts: vec![], data: vec![0; octets] };
        let sizes: Vec<_> = pack(&PAYER, [of(1), of(2000), of(1)]).iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 1, 1]);
        assert_eq!(pack(&PAYER, []), Vec::<Vec<_>>::new());
    }
}

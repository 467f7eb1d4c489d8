//! The typed lists of accounts, and what is generated from them: the table of rights and the IDL.

use std::fmt::Write;

use dz_serviceability::{
    instruction::ServiceabilityInstruction,
    lists::{ALL, Access, Presence, Right},
};
use strum::{EnumCount, IntoEnumIterator};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");

/// Every instruction has its list, in the order of the instructions; lists begin with the config, and what may stand any
/// number of times stands last.
#[test]
fn lists_and_instructions_are_one_to_one() {
    assert_eq!(ALL.len(), ServiceabilityInstruction::COUNT);
    for (tag, spec) in ALL.iter().enumerate() {
        // The tag is what a decoder makes of it; too few bytes follow for most, and a name in the error for none.
        let data = [&[u8::try_from(tag).unwrap()][..], &[0; 300]].concat();
        let decoded = (0..=300).find_map(|len| ServiceabilityInstruction::decode(&data[..=len]).ok());
        if let Some((_, instruction)) = decoded {
            assert_eq!(instruction.as_ref(), spec.instruction);
        }
        assert_eq!(spec.slots[0].name, "config", "{}", spec.instruction);
        let (last, others) = spec.slots.split_last().unwrap();
        assert!(others.iter().all(|slot| slot.presence != Presence::Many), "{}", spec.instruction);
        assert!(!spec.rights.is_empty() && last.name != "signer", "{}", spec.instruction);
    }
}

/// The table of rights in `docs/chain.md`; `UPDATE_DOCS=1` writes it again.
#[test]
fn the_table_of_rights_in_the_docs_is_the_programs() {
    const BEGIN: &str = "<!-- rights: generated -->\n";
    const END: &str = "<!-- end of rights -->\n";
    let mut table = String::from("| instruction | who may |\n|---|---|\n");
    for spec in ALL {
        let rights: Vec<_> = spec.rights.iter().map(ToString::to_string).collect();
        writeln!(table, "| {} | {} |", spec.instruction, rights.join(", ")).unwrap();
    }
    let path = format!("{DOCS}chain.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("a place for the table");
    let (_, after) = rest.split_once(END).expect("an end of the table");
    let expected = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    // Each right is somebody's.
    for right in Right::iter() {
        assert!(ALL.iter().any(|spec| spec.rights.contains(&right)), "{right}");
    }
    assert!(ALL.iter().all(|spec| spec.slots.iter().any(|slot| slot.access == Access::Write)));
}

//! Builders where they can fail, and transactions that fit.

use dz_sdk::{
    NetworkView,
    build::{self, BuildError, pack},
    instruction::{contributor, exchange},
};
use dz_serviceability::{ID as P, state::AccountType, state::UserType};
use solana_message::Message;
use solana_pubkey::Pubkey;

const NOBODY: Pubkey = Pubkey::new_from_array([9; 32]);

#[test]
fn what_is_not_there_is_named() {
    let view = NetworkView::new(P);
    let missing = |what| BuildError::Missing { what, key: NOBODY };
    assert_eq!(build::close_user(&view, &P, NOBODY), Err(missing(AccountType::User)));
    assert_eq!(build::drain_device(&view, &P, NOBODY), Err(missing(AccountType::Device)));
    assert_eq!(build::close_interface(&view, &P, NOBODY), Err(missing(AccountType::Interface)));
    assert_eq!(build::close_link(&view, &P, NOBODY), Err(missing(AccountType::Link)));
    assert_eq!(build::close_contributor(&view, &P, NOBODY), Err(missing(AccountType::Contributor)));
    assert_eq!(build::close_multicast_group(&view, &P, NOBODY), Err(missing(AccountType::MulticastGroup)));
    assert_eq!(build::close_access_pass(&view, &P, NOBODY), Err(missing(AccountType::AccessPass)));
    let (client_ip, endpoint_ip) = ([11, 0, 0, 1].into(), [9, 0, 0, 1].into());
    let wanted = build::CreateUser { client_ip, endpoint_ip, user_type: UserType::Ibrl, tenant: None, roles: vec![] };
    let error = build::create_user(&view, &P, &NOBODY, wanted).unwrap_err();
    assert_eq!(error.to_string(), format!("{NOBODY} has no access pass for 11.0.0.1"));
}

#[test]
fn transactions_fit_and_keep_the_order() {
    let many = || {
        (0..60).map(|index| match index % 2 {
            0 => exchange::create_exchange(&P, &NOBODY, &format!("x{index}"), &"n".repeat(index), 0, 0),
            _ => contributor::create_contributor(&P, &NOBODY, &format!("c{index}"), NOBODY),
        })
    };
    let packed = pack(&NOBODY, many());
    assert_eq!(packed.concat(), many().collect::<Vec<_>>());
    let size = |instructions: &[_]| 65 + Message::new(instructions, Some(&NOBODY)).serialize().len();
    assert!(packed.len() > 2 && packed.iter().all(|transaction| size(transaction) <= 1232));
    // As many as fit: one more would not.
    for (transaction, next) in packed.iter().zip(&packed[1..]) {
        assert!(size(&[transaction.as_slice(), &next[..1]].concat()) > 1232);
    }
    assert_eq!(pack(&NOBODY, []), Vec::<Vec<_>>::new());
}

/// A code that is too long leads to an address and to the program's refusal, not to a panic.
#[test]
fn a_code_of_any_length_is_built() {
    for code in ["", &"x".repeat(33), &"x".repeat(300)] {
        assert_eq!(contributor::create_contributor(&P, &NOBODY, code, NOBODY).accounts.len(), 4);
    }
}

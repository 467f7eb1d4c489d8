//! Builders where they can fail.

use dz_sdk::{
    NetworkView,
    build::{self, BuildError},
    instruction::contributor,
};
use dz_serviceability::{ID as P, state::AccountType, state::UserType};
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

/// A code that is too long leads to an address and to the program's refusal, not to a panic.
#[test]
fn a_code_of_any_length_is_built() {
    for code in ["", &"x".repeat(33), &"x".repeat(300)] {
        assert_eq!(contributor::create_contributor(&P, &NOBODY, code, NOBODY).accounts.len(), 4);
    }
}

//! Bad input of every shape: a named error, and nothing has changed.

use dz_sdk::instruction::{self as ix, global_config::set_activator};
use dz_serviceability::{
    ID as P,
    error::ServiceabilityError,
    instruction::ServiceabilityInstruction,
    pda,
    state::{AccountData, AccountType, Bootstrap, Contributor, Exchange, PoolKind, UserType},
};
use rstest::rstest;
use solana_account::Account;
use solana_instruction::AccountMeta;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use strum::IntoEnumIterator;

use crate::support::{Error, Net, ip, net, signer, with_account};

#[tokio::test]
async fn bytes_that_are_no_instruction() {
    let mut n = Net::start().await;
    let f = signer(&n.keys.foundation);
    let good = set_activator(&P, &f.pubkey(), f.pubkey());
    let with = |data: Vec<u8>| solana_instruction::Instruction { data, ..good.clone() };
    let mut oversized = good.data.clone();
    oversized.push(0);
    n.refused(&f, with(vec![]), Error::MalformedInstruction).await;
    n.refused(&f, with(vec![255]), Error::MalformedInstruction).await;
    n.refused(&f, with(good.data[..good.data.len() - 1].to_vec()), Error::MalformedInstruction).await;
    n.refused(&f, with(oversized), Error::MalformedInstruction).await;
    // A string longer than its bytes, a bool that is neither, a network with host bits.
    let code = ix::contributor::create_contributor(&P, &f.pubkey(), "abc", f.pubkey());
    let mut long = code.data.clone();
    // After tag and life comes its length.
    long[9] = 255;
    n.refused(&f, with(long), Error::MalformedInstruction).await;
    let tenant = ServiceabilityInstruction::SetPassTenant { allowed: true }.encode(0);
    n.refused(&f, with([&tenant[..9], &[2]].concat()), Error::MalformedInstruction).await;
    let block = ServiceabilityInstruction::AddDevicePrefix { net: net("9.0.0.0/29") }.encode(0);
    n.refused(&f, with([&block[..12], &[1, 29]].concat()), Error::MalformedInstruction).await;
}

#[tokio::test]
async fn lists_of_accounts_that_do_not_fit() {
    let mut n = Net::with_metro().await;
    let f = signer(&n.keys.foundation);
    let good = ix::contributor::update_contributor(&P, &f.pubkey(), n.co(), f.pubkey(), 0);

    for count in 0..good.accounts.len() {
        let mut short = good.clone();
        short.accounts.truncate(count);
        n.refused(&f, short, Error::MissingAccount).await;
    }
    let mut long = good.clone();
    long.accounts.push(AccountMeta::new(n.nyc(), false));
    n.refused(&f, long, Error::TooManyAccounts).await;
    let mut init = ix::global_config::init_global_config(&P, &f.pubkey(), Default::default());
    init.accounts.push(AccountMeta::new(n.nyc(), false));
    n.refused(&f, init, Error::TooManyAccounts).await;
    let mut twice = good.clone();
    twice.accounts.push(AccountMeta::new(n.co(), false));
    n.refused(&f, twice, Error::DuplicateAccount).await;

    let mut unsigned = good.clone();
    unsigned.accounts[0].is_signer = false;
    n.refused(&f, unsigned, Error::MissingSignature).await;
    let mut frozen = good.clone();
    frozen.accounts[0].is_writable = false;
    n.refused(&f, frozen, Error::NotWritable).await;
    let mut system = good.clone();
    system.accounts[1].pubkey = f.pubkey();
    n.refused(&f, system, Error::NotSystemProgram).await;
    let mut config = good.clone();
    config.accounts[2].pubkey = n.nyc();
    n.refused(&f, config, Error::WrongAccountType).await;
    n.refused(&f, with_account(good.clone(), "contributor", |meta| meta.is_writable = false), Error::NotWritable).await;
    n.refused(&f, with_account(good, "contributor", |meta| meta.pubkey = n.nyc()), Error::WrongAccountType).await;
}

#[tokio::test]
async fn accounts_that_are_not_what_they_should_be() {
    let mut n = Net::with_metro().await;
    let f = signer(&n.keys.foundation);
    let fk = f.pubkey();
    let update = |key| ix::contributor::update_contributor(&P, &fk, key, fk, 0);
    n.refused(&f, update(Pubkey::new_unique()), Error::AccountNotFound).await;
    // A look-alike that another program owns.
    let forged = Pubkey::new_unique();
    let contributor = n.get_contributor(n.co());
    let lamports = 10_000_000;
    let owner = Pubkey::new_unique();
    n.set_account(forged, &Account { lamports, data: contributor.encode(), owner, ..Account::default() });
    n.refused(&f, update(forged), Error::ForeignAccount).await;
    // The program's own accounts, broken from outside.
    for (data, error) in [
        (vec![], Error::MalformedAccount),
        (vec![0], Error::MalformedAccount),
        (vec![200], Error::MalformedAccount),
        ([contributor.encode(), vec![0]].concat(), Error::MalformedAccount),
        (contributor.encode()[..20].to_vec(), Error::MalformedAccount),
        (n.get_exchange(n.nyc()).encode(), Error::WrongAccountType),
    ] {
        let broken = Pubkey::new_unique();
        n.set_account(broken, &Account { lamports, data, owner: P, ..Account::default() });
        n.refused(&f, update(broken), error).await;
    }
    // A new account that is not at its place, or already there, or another program's.
    let create = |code: &str| ix::contributor::create_contributor(&P, &fk, code, fk);
    let elsewhere = create("b").accounts[3].pubkey;
    n.refused(&f, with_account(create("a"), "contributor", |meta| meta.pubkey = elsewhere), Error::WrongAddress).await;
    n.refused(&f, create("co"), Error::AlreadyExists).await;
    n.refused(&f, with_account(create("a"), "contributor", |meta| meta.is_writable = false), Error::NotWritable).await;
    n.set_account(pda::contributor(&P, "taken").0, &Account { lamports, owner, ..Account::default() });
    n.refused(&f, create("taken"), Error::ForeignAccount).await;
}

#[tokio::test]
async fn lamports_at_an_address_do_not_stop_its_creation() {
    let mut n = Net::with_metro().await;
    let f = signer(&n.keys.foundation);
    let key = pda::contributor(&P, "rich").0;
    n.set_account(key, &Account { lamports: 1, ..Account::default() });
    n.ok(&f, [ix::contributor::create_contributor(&P, &f.pubkey(), "rich", f.pubkey())]).await;
    assert_eq!(n.get_contributor(key).code, "rich");
}

/// Each of these creates four accounts. The runtime traces 64 calls in a transaction; as many as fit stay below that.
#[tokio::test]
async fn what_is_packed_together_lands_together() {
    let mut n = Net::with_metro().await;
    let o = signer(&n.keys.owner);
    let devices = (1..=7).map(|number| {
        // Each address in a registry of its own.
        let args = n.device_args(&format!("d{number}"), &format!("9.0.{number}.1"), Bootstrap::OwnPrefix);
        ix::device::create_device(&P, &o.pubkey(), n.co(), n.nyc(), 100, args)
    });
    let packed = dz_sdk::build::pack(&o.pubkey(), devices.collect::<Vec<_>>());
    assert_eq!(packed.iter().map(Vec::len).collect::<Vec<_>>(), [4, 3]);
    for transaction in packed {
        n.ok(&o, transaction).await;
    }
    assert_eq!(n.view.devices().len(), 7);
}

#[tokio::test]
async fn a_signer_who_cannot_pay() {
    let mut n = Net::start().await;
    let f = signer(&n.keys.foundation);
    n.set_account(f.pubkey(), &Account { lamports: 1_000_000, ..Account::default() });
    let create = ix::contributor::create_contributor(&P, &f.pubkey(), "co", f.pubkey());
    n.refused(&f, create, Error::PayerTooPoor).await;
}

#[tokio::test]
async fn counters_at_their_edges() {
    let mut n = Net::with_metro().await;
    let (f, owner) = (signer(&n.keys.foundation), signer(&n.keys.owner));
    let full = Contributor { reference_count: u32::MAX, ..n.get_contributor(n.co()) };
    let account = Account { lamports: 10_000_000, data: full.encode(), owner: P, ..Account::default() };
    n.set_account(n.co(), &account);
    let args = n.device_args("nyc1", "9.0.0.1", Bootstrap::OwnPrefix);
    let create = ix::device::create_device(&P, &owner.pubkey(), n.co(), n.nyc(), 100, args);
    n.refused(&owner, create, Error::CounterOverflow).await;
    n.refused(&f, ix::contributor::delete_contributor(&P, &f.pubkey(), n.co()), Error::ContributorInUse).await;
}

#[tokio::test]
async fn rent_goes_back_to_who_paid_it_and_to_nobody_else() {
    let mut n = Net::with_metro().await;
    n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    n.pass("9.1.0.1").await;
    let user = n.user("9.1.0.1", "9.0.1.1", UserType::Ibrl, vec![], 0, "9.1.0.1").await;
    let (a, payer) = (signer(&n.keys.activator), signer(&n.keys.payer));
    n.ok(&payer, [dz_sdk::build::delete_user(&n.view, &payer.pubkey(), user).unwrap()]).await;
    let close = dz_sdk::build::close_user(&n.view, &a.pubkey(), user).unwrap().pop().unwrap();
    n.refused(
        &a,
        with_account(close.clone(), "user_payer", |meta| meta.pubkey = a.pubkey()),
        Error::WrongRentRecipient,
    )
    .await;
    // The pool that knew its address goes with it, and was paid for by the same key.
    let clients = ix::clients(&P, ip("9.1.0.1"));
    let rent = n.fetch(&user).await.unwrap().lamports + n.fetch(&clients).await.unwrap().lamports;
    let before = n.fetch(&payer.pubkey()).await.unwrap().lamports;
    n.ok(&a, [close]).await;
    assert_eq!(n.fetch(&payer.pubkey()).await.unwrap().lamports, before + rent);
    assert_eq!(n.fetch(&user).await, None);
}

#[tokio::test]
async fn the_clock_is_the_clock() {
    let mut n = Net::with_metro().await;
    let f = signer(&n.keys.foundation);
    let limits = Default::default();
    let set = ix::access_pass::set_access_pass(&P, &f.pubkey(), ip("9.1.0.1"), f.pubkey(), limits, None);
    n.refused(&f, with_account(set, "clock", |meta| meta.pubkey = f.pubkey()), Error::NotClock).await;
}

/// The program never panics over bytes: an account of each type, broken at each byte, is read or refused.
#[rstest]
fn every_byte_of_an_account_may_be_anything(#[values(0, 1, 2, 3, 127, 128, 254, 255)] value: u8) {
    let exchange = Exchange {
        code: "nyc".into(),
        name: "New York".into(),
        latitude: 1,
        longitude: -1,
        status: dz_serviceability::state::ExchangeStatus::Activated,
        reference_count: 3,
    };
    let data = exchange.encode();
    for index in 0..data.len() {
        let mut broken = data.clone();
        broken[index] = value;
        if let Ok((header, read)) = Exchange::decode_with_header(&broken) {
            assert_eq!(read.encode_with(&header), broken);
        }
        let mut view = dz_sdk::NetworkView::new(P);
        if view.set_account(Pubkey::default(), &broken).is_err() {
            assert_eq!(view, dz_sdk::NetworkView::new(P));
        }
    }
}

/// Every refusal is asserted somewhere in this suite by name; the few that cannot happen say why.
#[test]
fn every_refusal_has_a_test() {
    let sources = [
        include_str!("access_pass.rs"),
        include_str!("contributor.rs"),
        include_str!("device.rs"),
        include_str!("exchange.rs"),
        include_str!("global_config.rs"),
        include_str!("hostile.rs"),
        include_str!("interface.rs"),
        include_str!("link.rs"),
        include_str!("multicast_group.rs"),
        include_str!("tenant.rs"),
        include_str!("user.rs"),
        include_str!("user_life.rs"),
        include_str!("addresses.rs"),
        include_str!("leaving.rs"),
        include_str!("account_reuse.rs"),
        include_str!("attacks.rs"),
    ]
    .concat();
    let out_of_reach = [
        // Only a runtime that breaks its own rules.
        ServiceabilityError::RuntimeRefused,
        // The program claims exact values; exhaustion is what a planner meets in `lowest_free`.
        ServiceabilityError::PoolExhausted,
        // A network is canonical, so it is aligned to its size, and the bases of all pools are to theirs.
        ServiceabilityError::Misaligned,
        // The bitmap and its holders agree, or the model would say so.
        ServiceabilityError::UnitNotTaken,
    ];
    let untested: Vec<_> = ServiceabilityError::iter()
        .filter(|error| !out_of_reach.contains(error))
        .filter(|error| {
            let name = format!("Error::{}", error.as_ref());
            let whole = |at: usize| !sources[at + name.len()..].starts_with(|c: char| c.is_alphanumeric());
            !sources.match_indices(&name).any(|(at, _)| whole(at))
        })
        .collect();
    assert_eq!(untested, []);
}

/// `docs/errors.md` is this list; `UPDATE_DOCS=1` writes it again.
#[test]
fn the_list_of_errors_in_the_docs_is_the_programs() {
    let mut text = String::from(
        "# Errors of the program\n\nOne code, one sentence: what the program logs, the command line prints and a \
         transaction carries as its custom\nerror. Generated from `programs/serviceability/src/error.rs`; a test \
         holds it.\n\n| code | name | meaning |\n|---|---|---|\n",
    );
    for error in ServiceabilityError::iter() {
        text += &format!("| {} | {} | {error} |\n", error.code(), error.as_ref());
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text);
}

#[test]
fn codes_and_errors_are_one_to_one() {
    for (index, error) in ServiceabilityError::iter().enumerate() {
        assert_eq!(error.code(), index as u32 + 1);
        assert_eq!(ServiceabilityError::from_code(error.code()), Some(error));
    }
    assert_eq!(ServiceabilityError::from_code(0), None);
    assert_eq!(ServiceabilityError::from_code(ServiceabilityError::iter().count() as u32 + 1), None);
    assert_eq!((AccountType::iter().count(), PoolKind::iter().count()), (12, 13));
}

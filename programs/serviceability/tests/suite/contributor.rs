//! Contributors and the /24s carved for them.

use dz_sdk::{build, instruction::contributor as ix};
use dz_serviceability::{
    ID as P, pda,
    state::{Bootstrap, Contributor, ContributorStatus, Pool, PoolKind, Requests},
};
use solana_signer::Signer;

use crate::support::{Error, Net, ip, net, signer};

fn fresh(code: &str, owner: &impl Signer) -> Contributor {
    Contributor {
        code: code.to_owned(),
        owner: owner.pubkey(),
        status: ContributorStatus::Activated,
        reference_count: 0,
        blocks: vec![],
        requests: Requests::default(),
    }
}

#[tokio::test]
async fn a_life() {
    let mut n = Net::with_metro().await;
    let (f, a, owner, other) =
        (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.owner), signer(&n.keys.other));
    let (fk, ak, co) = (f.pubkey(), a.pubkey(), n.co());
    assert_eq!(n.get_contributor(co), fresh("co", &owner));

    n.ok(&f, [ix::update_contributor(&P, &fk, co, other.pubkey())]).await;
    assert_eq!(n.get_contributor(co), fresh("co", &other));
    n.ok(&f, [ix::suspend_contributor(&P, &fk, co)]).await;
    assert_eq!(n.get_contributor(co).status, ContributorStatus::Suspended);
    n.ok(&f, [ix::resume_contributor(&P, &fk, co)]).await;
    assert_eq!(n.get_contributor(co), fresh("co", &other));

    let block = net("45.33.3.0/24");
    n.ok(&a, [build::allocate_contributor_block(&n.view, &ak, co, block).unwrap()]).await;
    assert_eq!(n.get_contributor(co), Contributor { blocks: vec![block], ..fresh("co", &other) });
    let config = pda::config(&P).0;
    let base = u32::from(ip("45.33.3.0"));
    let expected = Pool::new(PoolKind::ContributorBlock, co, base, 8, 32, 0);
    assert_eq!(n.pool_at(PoolKind::ContributorBlock, co, "45.33.3.0"), expected);
    assert_eq!(n.pool_at(PoolKind::AddressRegistry, config, "45.33.3.0").used(), 256);
    let taken: Vec<_> = n.pool_at(PoolKind::DoubleZeroBlock, config, "45.33.0.0").taken().collect();
    assert_eq!(taken, [base]);

    n.ok(&f, [ix::delete_contributor(&P, &fk, co)]).await;
    assert_eq!(n.get_contributor(co).status, ContributorStatus::Deleting);
    let end = build::close_contributor(&n.view, &ak, co).unwrap();
    n.refused(&a, end.last().unwrap().clone(), Error::ContributorHasBlocks).await;
    n.ok(&a, end).await;
    assert_eq!(n.view.contributor(&co), None);
    assert_eq!(n.view.pool_at(PoolKind::ContributorBlock, &co, base), None);
    assert_eq!(n.view.pool_at(PoolKind::AddressRegistry, &config, base), None);
    assert_eq!(n.pool_at(PoolKind::DoubleZeroBlock, config, "45.33.0.0").used(), 0);
}

#[tokio::test]
async fn refusals() {
    let mut n = Net::with_metro().await;
    let (f, a, s, o) =
        (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.stranger), signer(&n.keys.owner));
    let (fk, sk, co) = (f.pubkey(), s.pubkey(), n.co());
    for code in ["", "with space", "slash/", &"x".repeat(33), "ümlaut"] {
        n.refused(&f, ix::create_contributor(&P, &fk, code, fk), Error::InvalidCode).await;
    }
    n.ok(&f, [ix::create_contributor(&P, &fk, &"X".repeat(32), fk)]).await;
    n.refused(&s, ix::create_contributor(&P, &sk, "new", sk), Error::NotFoundation).await;
    // Not even the owner may give itself away, or come back from being suspended.
    for who in [&s, &o] {
        let key = who.pubkey();
        n.refused(who, ix::update_contributor(&P, &key, co, key), Error::NotFoundation).await;
        n.refused(who, ix::suspend_contributor(&P, &key, co), Error::NotFoundation).await;
        n.refused(who, ix::resume_contributor(&P, &key, co), Error::NotFoundation).await;
        n.refused(who, ix::delete_contributor(&P, &key, co), Error::NotFoundation).await;
    }
    n.refused(&f, ix::resume_contributor(&P, &fk, co), Error::ContributorNotSuspended).await;
    n.ok(&f, [ix::suspend_contributor(&P, &fk, co)]).await;
    n.refused(&f, ix::suspend_contributor(&P, &fk, co), Error::ContributorNotActive).await;
    let allocate = |n: &Net, who: &dyn Signer, block| {
        build::allocate_contributor_block(&n.view, &who.pubkey(), co, net(block)).unwrap()
    };
    n.refused(&a, allocate(&n, &a, "45.33.0.0/24"), Error::ContributorNotActive).await;
    n.ok(&f, [ix::resume_contributor(&P, &fk, co)]).await;

    n.refused(&f, allocate(&n, &f, "45.33.0.0/24"), Error::NotActivator).await;
    n.refused(&a, allocate(&n, &a, "45.33.0.0/25"), Error::NotASlash24).await;
    n.ok(&a, [allocate(&n, &a, "45.33.0.0/24")]).await;
    n.refused(&a, allocate(&n, &a, "45.33.0.0/24"), Error::UnitTaken).await;
    let outside = ix::allocate_contributor_block(&P, &a.pubkey(), co, net("45.33.0.0/21"), net("45.33.8.0/24"));
    n.refused(&a, outside, Error::OutsidePool).await;
    let mut wrong = allocate(&n, &a, "45.33.1.0/24");
    // After the contributor comes the pool of the block.
    wrong.accounts[4].pubkey = pda::pool(&P, PoolKind::UserTunnelBlock, &pda::config(&P).0, ip("169.254.0.0").into()).0;
    n.refused(&a, wrong, Error::WrongPool).await;

    let release = |n: &Net, who: &dyn Signer, co| {
        build::release_contributor_block(&n.view, &who.pubkey(), co, net("45.33.0.0/24")).unwrap()
    };
    let close = |n: &Net, who: &dyn Signer, co| build::close_contributor_account(&n.view, &who.pubkey(), co);
    let (by_f, by_a) = (release(&n, &f, co), release(&n, &a, co));
    n.refused(&f, by_f, Error::NotActivator).await;
    n.refused(&a, by_a, Error::ContributorNotDeleting).await;
    let (by_f, by_a) = (close(&n, &f, co), close(&n, &a, co));
    n.refused(&f, by_f, Error::NotActivator).await;
    n.refused(&a, by_a, Error::ContributorNotDeleting).await;

    // A device refers to it.
    n.pending_device("nyc1", "9.0.0.1", Bootstrap::Carve { prefix_len: 29 }).await;
    assert_eq!(n.get_contributor(co).reference_count, 1);
    n.refused(&f, ix::delete_contributor(&P, &fk, co), Error::ContributorInUse).await;

    let other = n.other();
    n.ok(&f, [ix::delete_contributor(&P, &fk, other)]).await;
    n.refused(&f, ix::delete_contributor(&P, &fk, other), Error::ContributorDeleting).await;
    // Its rent goes back to the foundation, which paid it, whoever owns it.
    let mut to_owner = close(&n, &a, other);
    to_owner.accounts[4].pubkey = o.pubkey();
    n.refused(&a, to_owner, Error::WrongRentRecipient).await;
    let foreign = release(&n, &a, other);
    // Its pool is another contributor's: there is none at the place it would have.
    n.refused(&a, foreign, Error::AccountNotFound).await;
}

/// An address that was registered before its block was added is not carved away from under its device.
#[tokio::test]
async fn a_block_with_somebodys_address_in_it_is_not_carved() {
    let mut n = Net::with_metro().await;
    let (f, a, co) = (signer(&n.keys.foundation), signer(&n.keys.activator), n.co());
    n.pending_device("nyc1", "46.0.1.9", Bootstrap::OwnPrefix).await;
    let add = dz_sdk::instruction::global_config::add_block;
    n.ok(&f, [add(&P, &f.pubkey(), PoolKind::DoubleZeroBlock, net("46.0.0.0/23"))]).await;
    let allocate = |n: &Net, block| build::allocate_contributor_block(&n.view, &a.pubkey(), co, net(block)).unwrap();
    n.refused(&a, allocate(&n, "46.0.1.0/24"), Error::AddressTaken).await;
    n.ok(&a, [allocate(&n, "46.0.0.0/24")]).await;
    assert_eq!(dz_sdk::audit::audit(&n.view), []);
}

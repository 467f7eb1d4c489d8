//! Contributors and the /24s carved for them.

use dz_sdk::{
    build,
    instruction::{contributor as ix, global_config::set_global_config},
};
use dz_serviceability::{
    ID as P,
    instruction::CreateDeviceArgs,
    pda,
    state::{
        Bootstrap, ConfigNumbers, Contributor, ContributorStatus, DeviceCaps, DeviceType, Pool, PoolKind, Requests,
    },
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
        prefixes: vec![],
        granted_blocks: 0,
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

    n.ok(&f, [ix::update_contributor(&P, &fk, co, other.pubkey(), 2)]).await;
    assert_eq!(n.get_contributor(co), Contributor { granted_blocks: 2, ..fresh("co", &other) });
    n.ok(&f, [ix::update_contributor(&P, &fk, co, other.pubkey(), 0)]).await;
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

/// Devices get shares of what their contributor brings; what is in use stays, and what is small is of own space only.
#[tokio::test]
async fn own_space_is_divided_among_devices() {
    let mut n = Net::with_metro().await;
    let (f, o, a) = (signer(&n.keys.foundation), signer(&n.keys.owner), signer(&n.keys.activator));
    let (s, co) = (signer(&n.keys.stranger), n.co());
    let (fk, ok, ak, sk) = (f.pubkey(), o.pubkey(), a.pubkey(), s.pubkey());
    let own = net("9.7.0.0/29");
    let add = |key| ix::add_contributor_prefix(&P, &key, co, own);
    n.refused(&s, add(sk), Error::NotContributorOwner).await;
    n.refused(&o, ix::add_contributor_prefix(&P, &ok, co, net("9.7.0.0/30")), Error::InvalidPrefixLength).await;
    n.refused(&o, ix::add_contributor_prefix(&P, &ok, co, net("45.33.0.0/29")), Error::AddressInBlock).await;
    n.ok(&o, [add(ok)]).await;
    n.refused(&o, add(ok), Error::AddressTaken).await;
    assert_eq!(n.get_contributor(co).prefixes, [own]);
    let pool = Pool::new(PoolKind::ContributorPrefix, co, ip("9.7.0.0").into(), 1, 8, 0);
    assert_eq!(n.pool_at(PoolKind::ContributorPrefix, co, "9.7.0.0"), pool);
    n.refused(&f, ix::delete_contributor(&P, &fk, co), Error::ContributorHasPrefixes).await;

    let (first, given) = (Bootstrap::Carve { prefix_len: 30 }, Bootstrap::CarveBlock { prefix_len: 29 });
    let device = n.pending_device("nyc1", "9.0.0.1", first).await;
    let other = n.pending_device("nyc2", "9.0.0.2", given).await;
    let carve = |n: &Net, device, net| build::carve_device_prefix(&n.view, &ak, device, net).unwrap();
    n.refused(&a, carve(&n, other, own), Error::WrongPool).await;
    n.refused(&a, carve(&n, device, net("9.7.0.0/29")), Error::PrefixNotWanted).await;
    n.ok(&a, [carve(&n, device, net("9.7.0.4/30"))]).await;
    assert_eq!(n.pool_at(PoolKind::ContributorPrefix, co, "9.7.0.0").used(), 4);
    assert_eq!(n.pool_at(PoolKind::DevicePrefix, device, "9.7.0.4").capacity(), 3);
    let remove = |n: &Net| build::remove_contributor_prefix(&n.view, &ok, co, own);
    n.refused(&o, remove(&n), Error::PrefixShared).await;
    let strange = build::remove_contributor_prefix(&n.view, &sk, co, own);
    n.refused(&s, strange, Error::NotContributorOwner).await;
    n.ok(&o, [build::remove_device_prefix(&n.view, &ok, device, net("9.7.0.4/30")).unwrap()]).await;
    n.ok(&o, [remove(&n)]).await;
    assert_eq!(n.get_contributor(co).prefixes, []);
    assert_eq!(n.view.pool_at(PoolKind::ContributorPrefix, &co, ip("9.7.0.0").into()), None);
    // Without space of its own a share this small is none.
    let device = ix_device(&n, Bootstrap::Carve { prefix_len: 30 });
    n.refused(&o, device, Error::InvalidPrefixLength).await;
}

fn ix_device(n: &Net, bootstrap: Bootstrap) -> solana_instruction::Instruction {
    let args = CreateDeviceArgs {
        code: "nyc9".to_owned(),
        device_type: DeviceType::Hybrid,
        public_ip: ip("9.0.0.9"),
        bootstrap,
        endpoints_wanted: None,
        tunnel_slots: 1,
        caps: DeviceCaps::default(),
    };
    build::create_device(&n.view, &n.keys.owner.pubkey(), n.co(), n.nyc(), args).unwrap()
}

/// What is kept of a block goes only to who has a grant.
#[tokio::test]
async fn kept_blocks_need_a_grant() {
    let mut n = Net::with_metro().await;
    let (f, a) = (signer(&n.keys.foundation), signer(&n.keys.activator));
    let (fk, ak, co) = (f.pubkey(), a.pubkey(), n.co());
    let config = pda::config(&P).0;
    let units = n.pool_at(PoolKind::DoubleZeroBlock, config, "45.33.0.0").capacity();
    let numbers = ConfigNumbers { kept_blocks: u16::try_from(units - 1).unwrap(), ..ConfigNumbers::default() };
    n.ok(&f, [set_global_config(&P, &fk, numbers)]).await;
    let allocate = |n: &Net, block| build::allocate_contributor_block(&n.view, &ak, co, net(block)).unwrap();
    n.ok(&a, [allocate(&n, "45.33.0.0/24")]).await;
    let second = allocate(&n, "45.33.1.0/24");
    n.refused(&a, second.clone(), Error::BlocksKept).await;
    let owner = n.keys.owner.pubkey();
    n.ok(&f, [ix::update_contributor(&P, &fk, co, owner, 1)]).await;
    n.refused(&a, second.clone(), Error::BlocksKept).await;
    n.ok(&f, [ix::update_contributor(&P, &fk, co, owner, 2)]).await;
    n.ok(&a, [second]).await;
    assert_eq!(n.get_contributor(co).blocks, [net("45.33.0.0/24"), net("45.33.1.0/24")]);
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
        n.refused(who, ix::update_contributor(&P, &key, co, key, 1), Error::NotFoundation).await;
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

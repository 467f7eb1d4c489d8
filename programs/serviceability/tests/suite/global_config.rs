//! The config: authorities, numbers, blocks.

use dz_sdk::{build, instruction::global_config as ix};
use dz_serviceability::{
    ID as P, pda,
    state::{ConfigNumbers, GlobalConfig, Pool, PoolKind},
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::support::{Error, Net, ip, net, signer};

fn fresh(foundation: Pubkey, activator: Pubkey) -> GlobalConfig {
    GlobalConfig {
        foundation: vec![foundation],
        activator,
        local_asn: 209_321,
        remote_asn: 65_000,
        endpoint_loopback_first: 100,
        endpoint_loopback_last: 199,
        min_contributor_prefix: 29,
        endpoints_per_device: 2,
        same_metro_routing: true,
        kept_blocks: 0,
        device_count: 0,
        // The pool of VRF ids and the config itself.
        lives: 2,
        double_zero_blocks: vec![],
        user_tunnel_blocks: vec![],
        device_tunnel_blocks: vec![],
        multicast_group_blocks: vec![],
        multicast_publisher_blocks: vec![],
    }
}

#[tokio::test]
async fn init_makes_the_signer_foundation_and_activator_and_reserves_vrf_1() {
    let mut n = Net::empty().await;
    let f = signer(&n.keys.foundation);
    let init = ix::init_global_config(&P, &f.pubkey(), ConfigNumbers::default());
    n.ok(&f, [init.clone()]).await;
    assert_eq!(n.config(), fresh(f.pubkey(), f.pubkey()));
    let owner = pda::config(&P).0;
    let vrf_ids = n.view.pool_at(PoolKind::VrfIds, &owner, 1).unwrap().1.clone();
    assert_eq!(vrf_ids, Pool::new(PoolKind::VrfIds, owner, 1, 1, 1023, 1));
    assert_eq!(vrf_ids.lowest_free(1), Ok(2));

    n.refused(&f, init, Error::AlreadyInitialized).await;
}

/// The network belongs to who deployed the program, not to who is first.
#[tokio::test]
async fn init_is_the_upgrade_authoritys() {
    let mut n = Net::empty().await;
    let (f, s) = (signer(&n.keys.foundation), signer(&n.keys.stranger));
    let init = |key: &Pubkey| ix::init_global_config(&P, key, ConfigNumbers::default());
    n.refused(&s, init(&s.pubkey()), Error::NotUpgradeAuthority).await;
    // An account of the stranger's own says nothing, wherever it is.
    let mut own = init(&s.pubkey());
    own.accounts[3].pubkey = s.pubkey();
    n.refused(&s, own, Error::WrongProgramData).await;
    n.ok(&f, [init(&f.pubkey())]).await;
}

#[tokio::test]
async fn every_instruction_needs_a_network() {
    let mut n = Net::empty().await;
    let f = signer(&n.keys.foundation);
    n.refused(&f, ix::set_activator(&P, &f.pubkey(), f.pubkey()), Error::ConfigNotFound).await;
}

#[tokio::test]
async fn set_changes_every_number_and_checks_each() {
    let mut n = Net::start().await;
    let f = signer(&n.keys.foundation);
    let before = n.config();
    let good = ConfigNumbers {
        local_asn: 21_682,
        remote_asn: 65_001,
        endpoint_loopback_first: 300,
        endpoint_loopback_last: 309,
        min_contributor_prefix: 28,
        endpoints_per_device: 3,
        same_metro_routing: false,
        kept_blocks: 7,
    };
    n.ok(&f, [ix::set_global_config(&P, &f.pubkey(), good.clone())]).await;
    let expected = GlobalConfig {
        local_asn: 21_682,
        remote_asn: 65_001,
        endpoint_loopback_first: 300,
        endpoint_loopback_last: 309,
        min_contributor_prefix: 28,
        endpoints_per_device: 3,
        same_metro_routing: false,
        kept_blocks: 7,
        ..before
    };
    assert_eq!(n.config(), expected);

    for (bad, error) in [
        (ConfigNumbers { local_asn: 0, ..good.clone() }, Error::InvalidAsn),
        (ConfigNumbers { remote_asn: u32::MAX, ..good.clone() }, Error::InvalidAsn),
        (ConfigNumbers { endpoint_loopback_last: 299, ..good.clone() }, Error::InvalidLoopbackRange),
        (ConfigNumbers { min_contributor_prefix: 23, ..good.clone() }, Error::InvalidContributorPrefix),
        (ConfigNumbers { min_contributor_prefix: 30, ..good.clone() }, Error::InvalidContributorPrefix),
        (ConfigNumbers { endpoints_per_device: 11, ..good.clone() }, Error::InvalidEndpointCount),
    ] {
        n.refused(&f, ix::set_global_config(&P, &f.pubkey(), bad), error).await;
    }
    let stranger = signer(&n.keys.stranger);
    n.refused(&stranger, ix::set_global_config(&P, &stranger.pubkey(), good), Error::NotFoundation).await;
}

#[tokio::test]
async fn the_loopback_range_stays_while_there_are_devices() {
    let mut n = Net::with_metro().await;
    n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let f = signer(&n.keys.foundation);
    let wider = ConfigNumbers { endpoint_loopback_last: 250, ..ConfigNumbers::default() };
    n.refused(&f, ix::set_global_config(&P, &f.pubkey(), wider), Error::LoopbackRangeInUse).await;
    let other = ConfigNumbers { endpoints_per_device: 4, ..ConfigNumbers::default() };
    n.ok(&f, [ix::set_global_config(&P, &f.pubkey(), other)]).await;
}

#[tokio::test]
async fn authorities_change_hands_and_the_last_key_stays() {
    let mut n = Net::start().await;
    let (f, stranger) = (signer(&n.keys.foundation), signer(&n.keys.stranger));
    let (fk, sk) = (f.pubkey(), stranger.pubkey());
    n.refused(&stranger, ix::set_activator(&P, &sk, sk), Error::NotFoundation).await;
    n.refused(&stranger, ix::add_foundation(&P, &sk, sk), Error::NotFoundation).await;
    n.refused(&stranger, ix::remove_foundation(&P, &sk, fk), Error::NotFoundation).await;

    n.refused(&f, ix::remove_foundation(&P, &fk, fk), Error::LastFoundationKey).await;
    n.refused(&f, ix::add_foundation(&P, &fk, fk), Error::AlreadyFoundation).await;
    n.refused(&f, ix::remove_foundation(&P, &fk, sk), Error::NotInFoundation).await;
    n.ok(&f, [ix::add_foundation(&P, &fk, sk)]).await;
    assert_eq!(n.config().foundation, [fk, sk]);
    n.ok(&stranger, [ix::remove_foundation(&P, &sk, fk)]).await;
    assert_eq!(n.config().foundation, [sk]);
    n.refused(&f, ix::set_activator(&P, &fk, fk), Error::NotFoundation).await;
    n.ok(&stranger, [ix::set_activator(&P, &sk, sk)]).await;
    assert_eq!(n.config().activator, sk);

    for number in 1..32 {
        n.ok(&stranger, [ix::add_foundation(&P, &sk, Pubkey::new_from_array([100 + number; 32]))]).await;
    }
    n.refused(&stranger, ix::add_foundation(&P, &sk, fk), Error::TooManyKeys).await;
}

#[tokio::test]
async fn blocks_come_with_their_pools_and_go_when_unused() {
    let mut n = Net::start().await;
    let (f, owner) = (signer(&n.keys.foundation), pda::config(&P).0);
    let pool = |kind, base: &str, unit, count| Pool::new(kind, owner, ip(base).into(), unit, count, 0);
    for (kind, base, unit, count) in [
        (PoolKind::DoubleZeroBlock, "45.33.0.0", 256, 8),
        (PoolKind::UserTunnelBlock, "169.254.0.0", 2, 32_768),
        (PoolKind::DeviceTunnelBlock, "172.16.0.0", 2, 32_768),
        (PoolKind::MulticastGroupBlock, "233.84.178.0", 1, 256),
        (PoolKind::MulticastPublisherBlock, "148.51.120.0", 1, 2048),
    ] {
        assert_eq!(n.pool_at(kind, owner, base), pool(kind, base, unit, count));
    }
    assert_eq!(n.config().double_zero_blocks, [net("45.33.0.0/21")]);

    let kind = PoolKind::DoubleZeroBlock;
    n.ok(&f, [ix::add_block(&P, &f.pubkey(), kind, net("45.34.0.0/24"))]).await;
    assert_eq!(n.config().double_zero_blocks, [net("45.33.0.0/21"), net("45.34.0.0/24")]);
    let rent = n.fetch(&pda::pool(&P, kind, &owner, ip("45.33.0.0").into()).0).await.unwrap().lamports;
    let before = n.fetch(&f.pubkey()).await.unwrap().lamports;
    n.ok(&f, [build::remove_block(&n.view, &f.pubkey(), kind, net("45.33.0.0/21"))]).await;
    assert_eq!(n.config().double_zero_blocks, [net("45.34.0.0/24")]);
    assert_eq!(n.view.pool_at(kind, &owner, ip("45.33.0.0").into()), None);
    assert_eq!(n.fetch(&f.pubkey()).await.unwrap().lamports - before, rent);
}

#[tokio::test]
async fn blocks_that_cannot_be_are_refused() {
    let mut n = Net::with_metro().await;
    n.device("nyc1", "148.52.0.9", "9.0.1.0/29").await;
    let f = signer(&n.keys.foundation);
    let fk = f.pubkey();
    use PoolKind::*;
    for (kind, block, error) in [
        (DoubleZeroBlock, "45.33.4.0/24", Error::BlockOverlaps),
        (UserTunnelBlock, "172.16.0.0/20", Error::BlockOverlaps),
        (MulticastPublisherBlock, "45.33.0.0/24", Error::BlockOverlaps),
        // Somebody's public address, and a device's prefix.
        (DoubleZeroBlock, "148.52.0.0/23", Error::BlockOverlaps),
        (DoubleZeroBlock, "9.0.0.0/22", Error::BlockOverlaps),
        (MulticastPublisherBlock, "148.52.0.0/24", Error::BlockOverlaps),
        (DoubleZeroBlock, "10.0.0.0/21", Error::InvalidBlock),
        // Public at one end and private at the other.
        (DoubleZeroBlock, "192.0.0.0/23", Error::InvalidBlock),
        (MulticastPublisherBlock, "203.0.112.0/21", Error::InvalidBlock),
        (DoubleZeroBlock, "46.0.0.0/25", Error::InvalidBlock),
        (DoubleZeroBlock, "8.0.0.0/20", Error::InvalidBlock),
        (UserTunnelBlock, "46.0.0.0/16", Error::InvalidBlock),
        (DeviceTunnelBlock, "10.0.0.0/14", Error::InvalidBlock),
        (DeviceTunnelBlock, "10.0.0.0/32", Error::InvalidBlock),
        (MulticastGroupBlock, "46.0.0.0/24", Error::InvalidBlock),
        (MulticastGroupBlock, "232.0.0.0/15", Error::InvalidBlock),
        (MulticastPublisherBlock, "46.0.0.0/20", Error::InvalidBlock),
        (TunnelIds, "46.0.0.0/24", Error::NotABlockKind),
    ] {
        n.refused(&f, ix::add_block(&P, &fk, kind, net(block)), error).await;
    }
    // Beside the address there is room.
    n.ok(&f, [ix::add_block(&P, &fk, MulticastPublisherBlock, net("148.52.0.16/28"))]).await;

    let stranger = signer(&n.keys.stranger);
    let add = ix::add_block(&P, &stranger.pubkey(), DoubleZeroBlock, net("46.0.0.0/24"));
    n.refused(&stranger, add, Error::NotFoundation).await;
    let remove = build::remove_block(&n.view, &stranger.pubkey(), DoubleZeroBlock, net("45.33.0.0/21"));
    n.refused(&stranger, remove, Error::NotFoundation).await;
    let remove = build::remove_block(&n.view, &fk, DoubleZeroBlock, net("46.0.0.0/24"));
    n.refused(&f, remove, Error::BlockNotFound).await;
    let remove = build::remove_block(&n.view, &fk, TunnelIds, net("46.0.0.0/24"));
    n.refused(&f, remove, Error::NotABlockKind).await;

    // The tunnel of a user is in use.
    n.pass("9.1.0.1").await;
    n.user("9.1.0.1", "9.0.1.1", dz_serviceability::state::UserType::Ibrl, vec![], 0, "9.1.0.1").await;
    let remove = build::remove_block(&n.view, &fk, UserTunnelBlock, net("169.254.0.0/16"));
    n.refused(&f, remove, Error::BlockInUse).await;
    // A pool of another block does not stand in for it.
    n.ok(&f, [ix::add_block(&P, &fk, UserTunnelBlock, net("10.0.0.0/30"))]).await;
    let mut wrong = build::remove_block(&n.view, &fk, UserTunnelBlock, net("169.254.0.0/16"));
    wrong.accounts[3] = build::remove_block(&n.view, &fk, UserTunnelBlock, net("10.0.0.0/30")).accounts[3].clone();
    n.refused(&f, wrong, Error::WrongPool).await;

    for index in 0..30u32 {
        n.ok(&f, [ix::add_block(&P, &fk, UserTunnelBlock, net(&format!("10.1.{index}.0/30")))]).await;
    }
    n.refused(&f, ix::add_block(&P, &fk, UserTunnelBlock, net("10.2.0.0/30")), Error::TooManyBlocks).await;
}

//! Plans for contributors: shares of their own space, the /24s that they are given, the way back.

use dz_activator::plan::Decision;
use dz_sdk::program::state::{Bootstrap, Contributor, ContributorStatus, PoolKind};
use rstest::rstest;
use solana_pubkey::Pubkey;

use crate::world::{World, ip, net};

const CARVE: Bootstrap = carve(29);
const NOTHING: [&str; 0] = [];
const KEPT: &str =
    "the last KEPT /24s of each DoubleZero block are kept for edge filtering: bring a prefix, or ask for a grant";

const fn carve(prefix_len: u8) -> Bootstrap {
    Bootstrap::Carve { prefix_len }
}

const fn carve_block(prefix_len: u8) -> Bootstrap {
    Bootstrap::CarveBlock { prefix_len }
}

/// The two /24s of 148.51.0.0/23, and the contributor acme.
fn world_of_acme() -> (World, Pubkey) {
    let mut world = World::new();
    let acme = world.contributor("acme", ContributorStatus::Activated);
    (world, acme)
}

/// Adds devices of acme that want a prefix and no endpoints.
fn add_devices(world: &mut World, bootstraps: &[Bootstrap]) {
    for (number, bootstrap) in bootstraps.iter().enumerate() {
        let device = world.device(&format!("d{number}"), *bootstrap);
        world.edit_device(device, |device| device.endpoints_wanted = 0);
    }
}

/// Actions and conditions but `activate-device`, without their subjects: which device is first depends on its key.
fn outcome(world: &World) -> Vec<String> {
    let lines = world.actions().into_iter().chain(world.conditions());
    let lines = lines.map(|line| line.split_once(": ").unwrap().1.to_owned());
    lines.filter(|line| line != "activate-device").collect()
}

/// Each own prefix with the number of its leading addresses that are taken.
#[rstest]
#[case::own_space_first(&[("45.33.100.0/28", 0)], carve(29), &["carve-device-prefix prefix 45.33.100.0/29"])]
#[case::lowest_aligned_run(&[("45.33.100.0/28", 1)], carve(29), &["carve-device-prefix prefix 45.33.100.8/29"])]
#[case::lowest_aligned_pair(&[("45.33.100.0/28", 1)], carve(31), &["carve-device-prefix prefix 45.33.100.2/31"])]
#[case::all_of_it(&[("45.33.100.0/24", 0)], carve(24), &["carve-device-prefix prefix 45.33.100.0/24"])]
#[case::next_own_prefix(
    &[("45.33.100.0/29", 1), ("45.33.101.0/28", 0)], carve(29), &["carve-device-prefix prefix 45.33.101.0/29"]
)]
#[case::block_when_own_space_is_full(
    &[("45.33.100.0/28", 9)],
    carve(29),
    &["allocate-contributor-block block 148.51.0.0/24", "carve-device-prefix prefix 148.51.0.0/29"]
)]
#[case::too_small_for_a_block(
    &[("45.33.100.0/28", 15), ("45.33.101.0/30", 1)],
    carve(30),
    &["pool-full: contributor acme: no free /30 in 45.33.100.0/28 (15 of 16 in use), 45.33.101.0/30 (1 of 4 in use)"]
)]
#[case::only_own_space_has_small_shares(&[], carve(30), &["pool-full: a /30 cannot be carved from a /24"])]
#[case::no_prefix_of_one_address(
    &[("45.33.100.0/28", 0)], carve(32), &["pool-full: a /32 cannot be carved from a /24"]
)]
#[case::no_prefix_of_two_blocks(&[], carve(23), &["pool-full: a /23 cannot be carved from a /24"])]
#[case::no_prefix_of_two_blocks_with_own_space(
    &[("45.33.100.0/24", 0)], carve(23), &["pool-full: a /23 cannot be carved from a /24"]
)]
#[case::foundations_space_on_request(
    &[("45.33.100.0/28", 0)],
    carve_block(29),
    &["allocate-contributor-block block 148.51.0.0/24", "carve-device-prefix prefix 148.51.0.0/29"]
)]
#[case::no_small_share_of_foundations_space(
    &[("45.33.100.0/28", 0)], carve_block(30), &["pool-full: a /30 cannot be carved from a /24"]
)]
fn a_prefix_is_a_share_of_the_own_space_or_of_a_block(
    #[case] own: &[(&str, u32)],
    #[case] bootstrap: Bootstrap,
    #[case] expected: &[&str],
) {
    let (mut world, acme) = world_of_acme();
    for (prefix, taken) in own {
        let pool = world.contributor_prefix(acme, prefix);
        let base = u32::from(net(prefix).network());
        (base..base + taken).for_each(|address| world.take(pool, address));
    }
    add_devices(&mut world, &[bootstrap]);
    assert_eq!(outcome(&world), expected);
}

#[rstest]
#[case::own_space([carve(29); 2], &["prefix 45.33.100.0/29", "prefix 45.33.100.8/29"])]
#[case::blocks([carve_block(25); 3], &[
    "block 148.51.0.0/24", "prefix 148.51.0.0/25", "prefix 148.51.0.128/25",
    "block 148.51.1.0/24", "prefix 148.51.1.0/25",
])]
fn devices_of_one_plan_get_shares_of_their_own<const COUNT: usize>(
    #[case] bootstraps: [Bootstrap; COUNT],
    #[case] expected: &[&str],
) {
    let (mut world, acme) = world_of_acme();
    world.contributor_prefix(acme, "45.33.100.0/28");
    add_devices(&mut world, &bootstraps);
    let values: Vec<_> = outcome(&world).iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(values, expected);
}

#[test]
fn devices_of_one_contributor_share_its_new_block_and_others_get_their_own() {
    let mut world = World::new();
    let devices = ["a", "b", "c"].map(|code| world.device(code, CARVE));
    let other = world.contributor("other", ContributorStatus::Activated);
    world.edit_device(devices[2], |device| device.contributor = other);
    let plan = world.plan();
    let prefix_of = |device| {
        plan.actions.iter().find_map(|action| match action.decision {
            Decision::CarveDevicePrefix { net } if action.subject.key == device => Some(net),
            _ => None,
        })
    };
    let blocks = plan.actions.iter().filter(|action| action.decision.name() == "allocate-contributor-block").count();
    assert_eq!(blocks, 2);
    let [a, b, c] = devices.map(|device| prefix_of(device).unwrap());
    assert_eq!(a.network().octets()[..3], b.network().octets()[..3]);
    assert_ne!(a, b);
    assert_ne!(a.network().octets()[..3], c.network().octets()[..3]);
}

#[test]
fn a_block_with_room_is_used_and_the_next_one_when_it_is_full() {
    let mut world = World::new();
    let device = world.device("nyc1", Bootstrap::Carve { prefix_len: 27 });
    let contributor = world.view.device(&device).unwrap().contributor;
    let first = world.contributor_block(contributor, "148.51.0.0/24");
    world.take(first, ip("148.51.0.8").into());
    assert_eq!(world.actions()[0], "device nyc1: carve-device-prefix prefix 148.51.0.32/27");

    world.exhaust(first);
    assert_eq!(
        world.actions()[..2],
        [
            "contributor acme: allocate-contributor-block block 148.51.1.0/24",
            "device nyc1: carve-device-prefix prefix 148.51.1.0/27",
        ]
    );

    let second = world.contributor_block(contributor, "148.51.1.0/24");
    assert_eq!(world.actions()[0], "device nyc1: carve-device-prefix prefix 148.51.1.0/27");

    world.exhaust(second);
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), ["device nyc1: pool-full: no free /24 in 148.51.0.0/23 (2 of 2 in use)"]);

    world.block(PoolKind::DoubleZeroBlock, "148.52.0.0/23");
    assert_eq!(world.actions()[0], "contributor acme: allocate-contributor-block block 148.52.0.0/24");
}

#[test]
fn the_reason_for_a_block_counts_those_of_the_same_plan() {
    let (mut world, _) = world_of_acme();
    add_devices(&mut world, &[carve(24); 2]);
    let plan = world.plan();
    let reasons = plan.actions.iter().filter(|action| action.decision.name() == "allocate-contributor-block");
    let reasons: Vec<_> = reasons.map(|action| action.reason.as_str()).collect();
    assert_eq!(reasons, ["its first device needs a prefix", "its blocks (1) have no room for another prefix"]);
}

/// Acme has some of the /24s of 148.51.0.0/23 and of 148.52.0.0/23; each of its new devices needs a whole one.
#[rstest]
#[case::down_to_what_is_kept(1, 0, &[], 1, &["148.51.0.0/24"], false)]
#[case::no_further(1, 0, &[], 3, &["148.51.0.0/24", "148.52.0.0/24"], true)]
#[case::kept_of_each_block(1, 0, &["148.51.0.0/24"], 1, &["148.52.0.0/24"], false)]
#[case::nothing_of_a_block_as_small_as_that(2, 0, &[], 1, &[], true)]
#[case::granted_the_first(2, 1, &[], 1, &["148.51.0.0/24"], false)]
#[case::those_of_the_plan_count(2, 1, &[], 2, &["148.51.0.0/24"], true)]
#[case::those_it_has_count(2, 1, &["148.51.0.0/24"], 1, &[], true)]
#[case::granted_the_second(2, 2, &["148.51.0.0/24"], 1, &["148.51.1.0/24"], false)]
#[case::both_count(2, 2, &["148.51.0.0/24"], 2, &["148.51.1.0/24"], true)]
#[case::granted_all(2, 4, &["148.51.0.0/24"], 3, &["148.51.1.0/24", "148.52.0.0/24", "148.52.1.0/24"], false)]
fn a_grant_opens_what_is_kept(
    #[case] kept: u16,
    #[case] granted: u8,
    #[case] held: &[&str],
    #[case] count: usize,
    #[case] given: &[&str],
    #[case] kept_back: bool,
) {
    let (mut world, acme) = world_of_acme();
    world.block(PoolKind::DoubleZeroBlock, "148.52.0.0/23");
    world.edit_config(|config| config.kept_blocks = kept);
    world.edit_contributor(acme, |contributor| contributor.granted_blocks = granted);
    for block in held {
        let pool = world.contributor_block(acme, block);
        world.exhaust(pool);
    }
    add_devices(&mut world, &vec![carve(24); count]);
    let carved = given.iter().flat_map(|block| {
        [format!("allocate-contributor-block block {block}"), format!("carve-device-prefix prefix {block}")]
    });
    let condition = kept_back.then(|| format!("pool-full: {}", KEPT.replace("KEPT", &kept.to_string())));
    assert_eq!(outcome(&world), carved.chain(condition).collect::<Vec<_>>());
}

#[test]
fn a_grant_is_not_used_up_by_another_contributor() {
    let (mut world, acme) = world_of_acme();
    let other = world.contributor("other", ContributorStatus::Activated);
    world.edit_config(|config| config.kept_blocks = 2);
    for contributor in [acme, other] {
        world.edit_contributor(contributor, |contributor| contributor.granted_blocks = 1);
    }
    add_devices(&mut world, &[CARVE; 2]);
    let device = *world.view.devices().keys().next().unwrap();
    world.edit_device(device, |device| device.contributor = other);
    assert_eq!(
        outcome(&world),
        [
            "allocate-contributor-block block 148.51.0.0/24",
            "carve-device-prefix prefix 148.51.0.0/29",
            "allocate-contributor-block block 148.51.1.0/24",
            "carve-device-prefix prefix 148.51.1.0/29",
        ]
    );
}

#[rstest]
#[case(
    Contributor::MAX_BLOCKS - 1,
    &[
        "allocate-contributor-block block 148.51.0.0/24",
        "carve-device-prefix prefix 148.51.0.0/24",
        "pool-full: contributor acme: its blocks (64) have no room, and it may have no more of them",
    ]
)]
#[case(
    Contributor::MAX_BLOCKS,
    &["pool-full: contributor acme: its blocks (64) have no room, and it may have no more of them"; 2]
)]
fn a_contributor_is_given_no_more_blocks_than_it_may_have(#[case] held: usize, #[case] expected: &[&str]) {
    let (mut world, acme) = world_of_acme();
    // They are full: that is, no pool of theirs has room.
    world.edit_contributor(acme, |contributor| contributor.blocks = vec![net("148.60.0.0/24"); held]);
    add_devices(&mut world, &[carve(24); 2]);
    assert_eq!(outcome(&world), expected);
}

#[test]
fn a_suspended_contributor_is_given_no_block() {
    let mut world = World::new();
    world.contributor("acme", ContributorStatus::Suspended);
    world.device("nyc1", CARVE);
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), ["device nyc1: out-of-use: contributor acme is suspended: it is given no block"]);
}

#[test]
fn a_contributor_that_goes_gives_its_blocks_back() {
    let mut world = World::new();
    let leaving = world.contributor("old", ContributorStatus::Deleting);
    world.contributor_block(leaving, "148.51.0.0/24");
    world.contributor_block(leaving, "148.51.1.0/24");
    world.device("nyc1", Bootstrap::Carve { prefix_len: 29 });
    assert_eq!(
        world.actions()[..4],
        [
            "contributor old: release-contributor-block block 148.51.0.0/24",
            "contributor old: release-contributor-block block 148.51.1.0/24",
            "contributor old: close-contributor",
            "contributor acme: allocate-contributor-block block 148.51.0.0/24",
        ]
    );
}

//! The pool that has nothing left for a user: of each kind, for each type of user, beside those who wait.

use std::net::Ipv4Addr;

use dz_client::select::{Full, Request, choose, lacking};
use dz_sdk::program::{
    ID, pda,
    state::{AccountData, ConfigNumbers, GlobalConfig, Pool, PoolKind, User, UserStatus, UserType},
};
use rstest::rstest;
use solana_pubkey::Pubkey;

use super::Net;

/// The foundation's space.
const FOUNDATIONS: &str = "148.51.0.0/16";
/// Where its prefix of the device begins, and a prefix of the contributor's own.
const FROM_FOUNDATION: u32 = u32::from_be_bytes([148, 51, 7, 0]);
const OWN: u32 = u32::from_be_bytes([45, 33, 100, 0]);
const GROUPS: u32 = u32::from_be_bytes([148, 51, 120, 0]);

fn nyc1() -> Pubkey {
    pda::device(&ID, "nyc1").0
}

/// One device whose prefix of its own has four addresses, three of which are taken, and a block of two addresses for
/// publishers, one of which is taken.
fn tight() -> Net {
    let mut net = Net::new("nyc1 one-id-left: 10");
    let mut config = GlobalConfig::new(Pubkey::default(), ConfigNumbers::default());
    config.double_zero_blocks.push(FOUNDATIONS.parse().unwrap());
    net.accounts.push((pda::config(&ID).0, config.encode()));
    net.pool(PoolKind::TunnelIds, nyc1(), 500, 100, 0);
    net.pool(PoolKind::DevicePrefix, nyc1(), OWN, 4, 3);
    net.pool(PoolKind::MulticastPublisherBlock, Pubkey::default(), GROUPS, 2, 1);
    net
}

/// A user of somebody else on the device.
fn user(user_type: UserType, publisher: bool, status: UserStatus) -> User {
    User {
        client_ip: Ipv4Addr::new(9, 100, 0, 9),
        endpoint_ip: Ipv4Addr::new(9, 1, 0, 1),
        owner: Pubkey::default(),
        access_pass: Pubkey::default(),
        device: nyc1(),
        interface: Pubkey::default(),
        user_type,
        tenant: None,
        status,
        allocation: None,
        publishers: if publisher { vec![Pubkey::default()] } else { vec![] },
        subscribers: vec![],
        reject_reason: String::new(),
    }
}

impl Net {
    /// One more user that waits for the activator.
    fn waiting(mut self, user_type: UserType, publisher: bool) -> Self {
        let user = user(user_type, publisher, UserStatus::Pending);
        self.accounts.push((pda::user(&ID, user.client_ip, user.endpoint_ip).0, user.encode()));
        self
    }

    /// A client connects from this address of the prefix.
    fn connected(mut self, address: u32) -> Self {
        let base = address & 0xffff_ff00;
        let mut clients = Pool::new(PoolKind::ClientAddresses, Pubkey::default(), base, 1, 256, 0);
        clients.claim(address, 1).unwrap();
        self.accounts.push((pda::pool(&ID, PoolKind::ClientAddresses, &Pubkey::default(), base).0, clients.encode()));
        self
    }

    /// One more prefix of the device, in the foundation's space.
    fn with_foundations(mut self, used: u32) -> Self {
        self.pool(PoolKind::DevicePrefix, nyc1(), FROM_FOUNDATION, 4, used);
        self
    }

    /// The pool that has nothing left, by the choice for this user.
    fn full(&self, user_type: UserType, publisher: bool) -> Option<Full> {
        let request = Request { user_type, publisher, ..self.request() };
        choose(&self.view(), &self.measured, &request).unwrap().full
    }
}

use PoolKind::{DevicePrefix, MulticastPublisherBlock};
use UserType::{EdgeFiltering, Ibrl, IbrlWithAllocatedIp, Multicast};

#[rstest]
#[case::there_is_one_left(tight(), IbrlWithAllocatedIp, false, None)]
#[case::a_client_connects_from_it(tight().connected(OWN + 3), IbrlWithAllocatedIp, false, Some((DevicePrefix, 4, 4)))]
#[case::or_from_one_that_is_taken_anyway(tight().connected(OWN + 2), IbrlWithAllocatedIp, false, None)]
#[case::or_from_one_beyond_the_prefix(tight().connected(OWN + 4), IbrlWithAllocatedIp, false, None)]
#[case::who_waits_has_it(tight().waiting(IbrlWithAllocatedIp, false), IbrlWithAllocatedIp, false, Some((DevicePrefix, 4, 4)))]
#[case::who_waits_for_no_address_has_none(tight().waiting(Ibrl, false), IbrlWithAllocatedIp, false, None)]
#[case::an_address_of_its_own_is_in_no_pool(tight().connected(OWN + 3), Ibrl, false, None)]
#[case::edge_filtering_takes_the_foundations_alone(tight().with_foundations(4), EdgeFiltering, false, Some((DevicePrefix, 4, 4)))]
#[case::of_which_there_is_one_left(tight().with_foundations(3), EdgeFiltering, false, None)]
#[case::who_needs_none_of_them_takes_any(tight().with_foundations(4), IbrlWithAllocatedIp, false, None)]
#[case::a_publisher_has_the_last_address(tight(), Multicast, true, None)]
#[case::a_publisher_that_waits_has_it(tight().waiting(Multicast, true), Multicast, true, Some((MulticastPublisherBlock, 2, 2)))]
#[case::a_subscriber_that_waits_takes_none(tight().waiting(Multicast, false), Multicast, true, None)]
#[case::a_subscriber_needs_none(tight().waiting(Multicast, true), Multicast, false, None)]
fn a_pool_is_full(
    #[case] net: Net,
    #[case] user_type: UserType,
    #[case] publisher: bool,
    #[case] expected: Option<(PoolKind, u32, u32)>,
) {
    let expected = expected.map(|(kind, used, capacity)| Full { kind, used, capacity });
    assert_eq!(net.full(user_type, publisher), expected);
}

#[rstest]
#[case::a_new_publisher_waits_for_an_address(Multicast, true, UserStatus::Updating, Some(MulticastPublisherBlock))]
#[case::a_subscriber_gains_nothing(Multicast, false, UserStatus::Updating, None)]
#[case::nor_does_a_unicast_user(Ibrl, true, UserStatus::Updating, None)]
#[case::a_pending_one_waits_for_its_prefix(IbrlWithAllocatedIp, false, UserStatus::Pending, Some(DevicePrefix))]
#[case::an_address_of_its_own_is_waited_for_by_nobody(Ibrl, false, UserStatus::Pending, None)]
fn what_a_waiting_user_lacks(
    #[case] user_type: UserType,
    #[case] publisher: bool,
    #[case] status: UserStatus,
    #[case] expected: Option<PoolKind>,
) {
    let mut net = Net::new("nyc1: 10");
    net.pool(DevicePrefix, nyc1(), OWN, 4, 4);
    net.pool(MulticastPublisherBlock, Pubkey::default(), GROUPS, 2, 2);
    let lacks = lacking(&net.view(), &user(user_type, publisher, status));
    assert_eq!(lacks.map(|full| full.kind), expected);
}

/// What is left it will have itself.
#[test]
fn who_waits_is_not_in_its_own_way() {
    let net = tight().waiting(IbrlWithAllocatedIp, false);
    let waits = user(IbrlWithAllocatedIp, false, UserStatus::Pending);
    assert_eq!(lacking(&net.view(), &waits), None);
}

#[test]
fn a_full_pool_in_words() {
    let full = Full { kind: DevicePrefix, used: 4, capacity: 4 };
    assert_eq!(full.to_string(), "no unit left in device-prefix: 4 of 4 in use");
}

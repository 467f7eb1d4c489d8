//! The chosen endpoint, or the error where there is none: one table.
//!
//! A network is written as `nyc1: 10 12*; pit1 drained: 14`: devices with the median round-trip time of each endpoint
//! in milliseconds, `x` for one that does not answer, `?` for one that is not probed yet. After it, `*` says that the
//! client has a tunnel there, `!` that another of its connects has just taken it, `(3)` that others have three. The
//! endpoints of the first device are 9.1.0.1, 9.1.0.2 and so on, those of the second 9.2.0.1.

mod capacity;

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use dz_client::select::{Measured, Request, Rtt, choose, possible};
use dz_policy::{ConnectPolicy, Rank};
use dz_sdk::{
    NetworkView,
    program::{
        ID, pda,
        state::{
            AccountData, AddressSource, Bootstrap, Device, DeviceCaps, DeviceCounts, DeviceStatus, DeviceType,
            EndpointService, Interface, InterfaceAddress, InterfaceKind, InterfaceMetadata, InterfaceStatus, Pool,
            PoolKind, User, UserStatus, UserType,
        },
    },
};
use rstest::rstest;
use solana_pubkey::Pubkey;

const CLIENT: Ipv4Addr = Ipv4Addr::new(9, 100, 0, 1);

/// A network as the table writes it.
#[derive(Default)]
struct Net {
    accounts: Vec<(Pubkey, Vec<u8>)>,
    measured: Vec<Measured>,
    lost: BTreeSet<Ipv4Addr>,
    /// Status of the users the client has.
    users: Option<UserStatus>,
}

impl Net {
    fn new(text: &str) -> Self {
        Self::with_users(text, UserStatus::Activated)
    }

    fn with_users(text: &str, status: UserStatus) -> Self {
        let mut net = Self { users: Some(status), ..Self::default() };
        net.pool(PoolKind::UserTunnelBlock, Pubkey::default(), 0xa9fe_0000, 64, 0);
        for (index, device) in (1..).zip(text.split(';')) {
            let (head, endpoints) = device.split_once(':').unwrap();
            let mut words = head.split_whitespace();
            net.device(index, words.next().unwrap(), words, endpoints);
        }
        net
    }

    fn device<'a>(&mut self, index: u8, code: &str, flags: impl Iterator<Item = &'a str>, endpoints: &str) {
        let key = pda::device(&ID, code).0;
        let mut device = Device {
            code: code.to_owned(),
            contributor: Pubkey::default(),
            exchange: Pubkey::default(),
            device_type: DeviceType::Hybrid,
            status: DeviceStatus::Activated,
            public_ip: Ipv4Addr::new(9, index, 0, 1),
            bootstrap: Bootstrap::OwnEndpoints,
            endpoints_wanted: 0,
            prefixes: vec![],
            tunnel_slots: 128,
            caps: DeviceCaps { max_users: 96, ..DeviceCaps::default() },
            counts: DeviceCounts::default(),
            public_ip_interface: None,
            interface_count: 0,
            endpoint_count: 0,
            pulled_count: 0,
            link_count: 0,
        };
        let (ids, mut ids_used) = (4, 0);
        for flag in flags {
            match flag {
                "pending" => device.status = DeviceStatus::Pending,
                "drained" => device.status = DeviceStatus::Drained,
                "deleting" => device.status = DeviceStatus::Deleting,
                "transit" => device.device_type = DeviceType::Transit,
                "edge" => device.device_type = DeviceType::Edge,
                "closed" => device.caps.max_users = 0,
                "full" => device.counts.unicast_users = device.caps.max_users,
                "reserved" => device.caps.reserved_seats = device.caps.max_users,
                "unicast-full" => (device.caps.max_unicast_users, device.counts.unicast_users) = (2, 2),
                "publishers-full" => {
                    (device.caps.max_multicast_publishers, device.counts.multicast_publishers) = (2, 2);
                }
                "subscribers-full" => {
                    (device.caps.max_multicast_subscribers, device.counts.multicast_subscribers) = (2, 2);
                }
                "ids-full" => ids_used = ids,
                "one-id-left" => ids_used = ids - 1,
                "huge" => device.caps.max_users = 960,
                other => panic!("unknown flag {other}"),
            }
        }
        let tunnels = endpoints.split_whitespace().map(|text| tunnels(text).1);
        device.counts.unicast_users += tunnels.sum::<u16>();
        self.accounts.push((key, device.encode()));
        self.pool(PoolKind::TunnelIds, key, 500, ids, ids_used);
        for (number, text) in (1..).zip(endpoints.split_whitespace()) {
            self.endpoint(key, Ipv4Addr::new(9, index, 0, number), text);
        }
    }

    fn endpoint(&mut self, device: Pubkey, ip: Ipv4Addr, text: &str) {
        let (text, tunnels) = tunnels(text);
        let name = format!("Loopback{}", 99 + u32::from(ip.octets()[3]));
        let interface = pda::interface(&ID, &device, &name).0;
        let account = Interface {
            device,
            name,
            kind: InterfaceKind::Loopback,
            status: InterfaceStatus::Activated,
            address: Some(InterfaceAddress { ip, source: AddressSource::Own }),
            loopback_number: None,
            user_tunnel_endpoint: true,
            service: EndpointService::Any,
            metadata: InterfaceMetadata::default(),
            user_count: tunnels.into(),
            link: None,
        };
        self.accounts.push((interface, account.encode()));
        match text.trim_end_matches(['*', '!']) {
            "?" => {}
            "x" => self.measured.push(Measured { endpoint: ip, rtt: None }),
            millis => {
                let min = Duration::from_secs_f64(millis.parse::<f64>().unwrap() / 1e3);
                // What a busy machine makes of the median decides nothing.
                let rtt = Some(Rtt { min, median: min + Duration::from_millis(9) });
                self.measured.push(Measured { endpoint: ip, rtt });
            }
        }
        if text.ends_with('!') {
            self.lost.insert(ip);
        }
        if let Some(status) = self.users.filter(|_| text.ends_with('*')) {
            let user = User {
                client_ip: CLIENT,
                endpoint_ip: ip,
                owner: Pubkey::default(),
                access_pass: Pubkey::default(),
                device,
                interface,
                user_type: UserType::Ibrl,
                tenant: None,
                status,
                allocation: None,
                publishers: vec![],
                subscribers: vec![],
                reject_reason: String::new(),
            };
            self.accounts.push((pda::user(&ID, CLIENT, ip).0, user.encode()));
        }
    }

    fn pool(&mut self, kind: PoolKind, owner: Pubkey, base: u32, count: u32, used: u32) {
        let mut pool = Pool::new(kind, owner, base, 1, count, 0);
        (0..used).for_each(|unit| pool.claim(base + unit, 1).unwrap());
        self.accounts.push((pda::pool(&ID, kind, &owner, base).0, pool.encode()));
    }

    fn view(&self) -> NetworkView {
        NetworkView::from_accounts(ID, 7, self.accounts.iter().map(|(key, data)| (*key, data.as_slice()))).unwrap()
    }

    fn request(&self) -> Request {
        Request {
            client_ip: CLIENT,
            user_type: UserType::Ibrl,
            publisher: false,
            device: None,
            policy: ConnectPolicy::default(),
            lost: self.lost.clone(),
            rejected: BTreeSet::new(),
            leaving: None,
        }
    }

    /// The endpoint, or what is said.
    fn choose(&self, request: &Request) -> Result<Ipv4Addr, String> {
        let choice = choose(&self.view(), &self.measured, request).map_err(|error| error.to_string())?;
        let view = self.view();
        let interface = view.interface(&choice.interface).unwrap();
        assert_eq!((interface.device, interface.endpoint()), (choice.device, Some(choice.endpoint)));
        Ok(choice.endpoint)
    }
}

/// `10(3)` is `10` and three tunnels of others.
fn tunnels(text: &str) -> (&str, u16) {
    match text.trim_end_matches(')').split_once('(') {
        Some((text, tunnels)) => (text, tunnels.parse().unwrap()),
        None => (text, 0),
    }
}

fn expected(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| text.replace(" | ", "\n  "))
}

#[rstest]
// The first tunnel.
#[case::the_fastest_device("nyc1: 10 11; pit1: 8 9; lax1: 70", "9.2.0.1")]
#[case::the_fastest_endpoint_of_a_device("nyc1: 12 10", "9.1.0.2")]
#[case::an_edge_device_serves_users("nyc1 edge: 10", "9.1.0.1")]
#[case::no_device_at_all("nyc1:", "no endpoint for the tunnel: no device has one")]
// A tie is what a probe cannot tell apart.
#[case::a_tie_goes_to_the_fewest_tunnels("nyc1: 10.0(2) 10.9(1)", "9.1.0.2")]
#[case::a_tie_of_equals_goes_to_the_lowest_address("nyc1: 10.3 10.1 10.2", "9.1.0.1")]
#[case::beyond_a_tie_the_fastest_wins("nyc1: 10.0(9) 11.1(0)", "9.1.0.1")]
#[case::a_tie_between_devices("nyc1: 10.5(1); pit1: 10.0(1); lax1: 10.9(0)", "9.3.0.1")]
// Between devices their tunnels count, not those of an endpoint: more endpoints draw no more load.
#[case::many_endpoints_draw_no_more_load("nyc1: 10(2) 10(2) 10(2) 10(2); pit1: 10(3)", "9.2.0.1")]
#[case::then_the_endpoint_of_that_device("nyc1: 10(4); pit1: 10(2) 10(1)", "9.2.0.2")]
// A full pool is a full device, and what waits for a unit has it.
#[case::a_device_without_ids_is_passed_over("nyc1 ids-full: 1; pit1: 9", "9.2.0.1")]
#[case::also_by_the_second_tunnel("nyc1 ids-full: 10* 10; pit1: 12", "9.2.0.1")]
#[case::it_is_better_than_none("nyc1 ids-full: 1", "9.1.0.1")]
#[case::and_than_what_is_too_far("nyc1 ids-full: 10* 10; lax1: 70", "9.1.0.2")]
// The second and every further tunnel.
#[case::the_second_tunnel_stays_on_its_device("nyc1: 10* 12; pit1: 9", "9.1.0.2")]
#[case::the_second_tunnel_stays_even_if_it_is_slow_there("nyc1: 10* 90; pit1: 9", "9.1.0.2")]
#[case::the_third_tunnel("nyc1: 10* 10* 10 10", "9.1.0.3")]
#[case::the_eighth_tunnel("nyc1: 10* 10* 10* 10* 10* 10* 10* 10", "9.1.0.8")]
#[case::with_tunnels_on_two_devices_either_serves("nyc1: 10* 12; pit1: 11* 10", "9.2.0.2")]
// The device has no endpoint left.
#[case::the_best_other_device_within_the_tolerance("nyc1: 10* 10*; pit1: 14.9; lax1: 13", "9.3.0.1")]
#[case::exactly_the_tolerance_is_within("nyc1: 10*; pit1: 15", "9.2.0.1")]
#[case::nothing_within_the_tolerance(
    "nyc1: 10*; pit1: 15.1; lax1: 70",
    "no endpoint for the tunnel | lax1 9.3.0.1: 70.0 ms, more than 10.0 ms + 5.0 ms tolerance | \
     nyc1 9.1.0.1: this client already has a tunnel there | pit1 9.2.0.1: 15.1 ms, more than 10.0 ms + 5.0 ms tolerance"
)]
#[case::the_tolerance_is_measured_from_the_nearest_device_of_the_client(
    "nyc1: 10*; pit1: 14*; lax1: 16",
    "no endpoint for the tunnel | lax1 9.3.0.1: 16.0 ms, more than 10.0 ms + 5.0 ms tolerance | nyc1 9.1.0.1: this client already has a tunnel there | pit1 9.2.0.1: this client already has a tunnel there"
)]
#[case::a_device_that_does_not_answer_sets_no_limit("nyc1: x*; pit1: 50", "9.2.0.1")]
#[case::a_drained_home_still_sets_the_limit("nyc1 drained: 10* 10; pit1: 12; lax1: 70", "9.2.0.1")]
// What falls out, and why.
#[case::an_unreachable_endpoint_is_never_fast("nyc1: x 50", "9.1.0.2")]
#[case::an_unreachable_device_is_passed_over("nyc1: x x; pit1: 90", "9.2.0.1")]
#[case::an_endpoint_that_is_not_probed_is_not_guessed("nyc1: ? 50", "9.1.0.2")]
#[case::a_full_device_is_passed_over("nyc1 full: 1; pit1: 9", "9.2.0.1")]
#[case::reserved_seats_are_no_seats("nyc1 reserved: 1; pit1: 9", "9.2.0.1")]
#[case::a_drained_device_is_passed_over("nyc1 drained: 1; pit1: 9", "9.2.0.1")]
#[case::a_transit_device_is_passed_over("nyc1 transit: 1; pit1: 9", "9.2.0.1")]
#[case::everything_falls_out(
    "a drained: 1; b pending: 1; c deleting: 1; d transit: 1; e closed: 1; f full: 1; g unicast-full: 1; h: x ? 3!",
    "no endpoint for the tunnel | a: device is drained | b: device is pending | c: device is deleting | \
     d: takes no users | e: takes no users | f: full: 96 of 96 users | g: full: 2 of 2 unicast users | \
     h 9.8.0.1: unreachable | h 9.8.0.2: not probed yet | h 9.8.0.3: taken by another connect of this client"
)]
// Races.
#[case::a_lost_race_goes_on_with_the_next("nyc1: 10! 12", "9.1.0.2")]
#[case::a_lost_race_goes_on_with_the_next_device("nyc1: 10!; pit1: 70", "9.2.0.1")]
fn chooses(#[case] net: &str, #[case] outcome: &str) {
    let net = Net::new(net);
    assert_eq!(net.choose(&net.request()), expected(outcome));
}

#[rstest]
#[case::what_does_not_answer_may_answer_yet("nyc1: x; pit1: ?", None)]
#[case::beyond_the_tolerance_nothing_is_before_it_is_measured("nyc1: 10*; pit1: 70", None)]
#[case::a_drained_device_is_none_whatever_the_probes_say(
    "nyc1 drained: 1; pit1 full: 9",
    Some("no endpoint for the tunnel | nyc1: device is drained | pit1: full: 96 of 96 users")
)]
#[case::a_tunnel_of_this_client_is_no_place_for_another(
    "nyc1: 10*",
    Some("no endpoint for the tunnel | nyc1 9.1.0.1: this client already has a tunnel there")
)]
fn before_anything_is_measured(#[case] net: &str, #[case] outcome: Option<&str>) {
    let net = Net::new(net);
    let answer = possible(&net.view(), &net.request()).map_err(|error| error.to_string());
    assert_eq!(answer, outcome.map_or(Ok(()), |text| Err(text.replace(" | ", "\n  "))));
}

#[rstest]
#[case::the_explicit_device("nyc1: 10; pit1: 9", "nyc1", "9.1.0.1")]
#[case::however_far_it_is("nyc1: 10* 10; pit1: 90", "pit1", "9.2.0.1")]
#[case::it_never_falls_back(
    "nyc1: 10*; pit1: 10",
    "nyc1",
    "no endpoint for the tunnel | nyc1 9.1.0.1: this client already has a tunnel there"
)]
#[case::nor_when_it_is_drained(
    "nyc1 drained: 10; pit1: 10",
    "nyc1",
    "no endpoint for the tunnel | nyc1: device is drained"
)]
#[case::nor_when_it_is_full(
    "nyc1 full: 10; pit1: 10",
    "nyc1",
    "no endpoint for the tunnel | nyc1: full: 96 of 96 users"
)]
fn an_explicit_device(#[case] net: &str, #[case] device: &str, #[case] outcome: &str) {
    let net = Net::new(net);
    let request = Request { device: Some(pda::device(&ID, device).0), ..net.request() };
    assert_eq!(net.choose(&request), expected(outcome));
}

#[rstest]
#[case("nyc1 unicast-full: 1; pit1: 9", UserType::Multicast, false, "9.1.0.1")]
#[case("nyc1 unicast-full: 1; pit1: 9", UserType::IbrlWithAllocatedIp, false, "9.2.0.1")]
#[case("nyc1 publishers-full: 1; pit1: 9", UserType::Multicast, true, "9.2.0.1")]
#[case("nyc1 publishers-full: 1; pit1: 9", UserType::Multicast, false, "9.1.0.1")]
#[case("nyc1 subscribers-full: 1; pit1: 9", UserType::Multicast, false, "9.2.0.1")]
#[case("nyc1 subscribers-full: 1; pit1: 9", UserType::Multicast, true, "9.1.0.1")]
fn only_the_cap_of_the_service_counts(
    #[case] net: &str,
    #[case] user_type: UserType,
    #[case] publisher: bool,
    #[case] outcome: &str,
) {
    let net = Net::new(net);
    let request = Request { user_type, publisher, ..net.request() };
    assert_eq!(net.choose(&request), expected(outcome));
}

#[rstest]
#[case(UserStatus::Pending, "9.1.0.2")]
#[case(UserStatus::Activated, "9.1.0.2")]
#[case(UserStatus::Updating, "9.1.0.2")]
#[case(UserStatus::Deleting, "9.1.0.2")]
#[case(UserStatus::PendingBan, "9.1.0.2")]
#[case(UserStatus::Rejected, "9.1.0.1")]
#[case(UserStatus::Banned, "9.1.0.1")]
fn an_endpoint_is_in_use_while_its_user_holds_a_seat(#[case] status: UserStatus, #[case] outcome: &str) {
    let net = Net::with_users("nyc1: 10* 12", status);
    assert_eq!(net.choose(&net.request()), expected(outcome));
}

#[rstest]
#[case(UserStatus::Pending, "9.2.0.1")]
#[case(UserStatus::Activated, "9.1.0.2")]
fn what_waits_for_an_id_has_the_last_one(#[case] status: UserStatus, #[case] outcome: &str) {
    let net = Net::with_users("nyc1 one-id-left: 10* 10; pit1: 11", status);
    assert_eq!(net.choose(&net.request()), expected(outcome));
}

#[rstest]
#[case::fewest_tunnels(Rank::FewestTunnels, "9.1.0.1")]
#[case::least_share(Rank::LeastShare, "9.2.0.1")]
#[case::latency(Rank::Latency, "9.3.0.1")]
fn equals_are_ranked_by_the_policy(#[case] rank: Rank, #[case] outcome: &str) {
    let net = Net::new("nyc1: 10.1(3); pit1 huge: 10.2(4); lax1: 10.0(5)");
    let mut request = net.request();
    request.policy.rank = rank;
    assert_eq!(net.choose(&request), expected(outcome));
}

/// Each client is drawn to one device, all of them to each, and without it to what it was drawn to next.
#[test]
fn clients_spread_over_devices() {
    let both = Net::new("nyc1: 10(90); pit1: 10");
    let one = Net::new("nyc1 drained: 10; pit1: 10");
    let mut at_nyc1 = 0;
    for last in 1..=200 {
        let mut request = both.request();
        request.policy.rank = Rank::Spread;
        request.client_ip = Ipv4Addr::new(9, 100, 1, last);
        let chosen = both.choose(&request).unwrap();
        assert_eq!(both.choose(&request), Ok(chosen));
        at_nyc1 += u32::from(chosen == Ipv4Addr::new(9, 1, 0, 1));
        assert_eq!(one.choose(&request), expected("9.2.0.1"));
    }
    assert!((70..=130).contains(&at_nyc1), "{at_nyc1} of 200");
}

#[test]
fn after_a_rejection_another_device_is_chosen() {
    let net = Net::new("nyc1: 1; pit1: 9");
    let request = Request { rejected: BTreeSet::from([pda::device(&ID, "nyc1").0]), ..net.request() };
    assert_eq!(net.choose(&request), expected("9.2.0.1"));
}

#[test]
fn two_connects_at_once_end_on_two_endpoints() {
    let both = Net::new("nyc1: 10 12");
    let first = both.choose(&both.request()).unwrap();
    // The other has read the same and chosen the same; the chain lets one of them have it.
    assert_eq!(both.choose(&both.request()), Ok(first));
    let other = both.choose(&Request { lost: BTreeSet::from([first]), ..both.request() }).unwrap();
    assert_ne!(other, first);
    // Who reads after the first was written needs no race to lose.
    let after = Net::new("nyc1: 10* 12");
    assert_eq!(after.choose(&after.request()), Ok(other));
}

#[test]
fn the_order_of_results_does_not_matter() {
    let mut net = Net::new("nyc1: 10.2 10.4 10.1; pit1: 10.3 10.0");
    let straight = net.choose(&net.request());
    net.measured.reverse();
    assert_eq!(net.choose(&net.request()), straight);
    assert_eq!(straight, expected("9.1.0.1"));
}

//! Which endpoint is chosen, and what is said when there is none: one table.
//!
//! A network is written as `nyc1: 10 12*; pit1 drained: 14`: devices with the median round-trip time of each endpoint
//! in milliseconds, `x` for one that does not answer, `?` for one that is not probed yet. After it, `*` says that the
//! client has a tunnel there, `!` that another of its connects has just taken it, `(3)` that others have three. The
//! endpoints of the first device are 9.1.0.1, 9.1.0.2 and so on, those of the second 9.2.0.1.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use dz_client::select::{Measured, Request, choose};
use dz_sdk::{
    NetworkView,
    program::{
        ID, pda,
        state::{
            AccountData, AddressSource, Bootstrap, Device, DeviceCaps, DeviceCounts, DeviceStatus, DeviceType,
            Interface, InterfaceAddress, InterfaceKind, InterfaceStatus, User, UserStatus, UserType,
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
                other => panic!("unknown flag {other}"),
            }
        }
        self.accounts.push((key, device.encode()));
        for (number, text) in (1..).zip(endpoints.split_whitespace()) {
            self.endpoint(key, Ipv4Addr::new(9, index, 0, number), text);
        }
    }

    fn endpoint(&mut self, device: Pubkey, ip: Ipv4Addr, text: &str) {
        let (text, tunnels) = match text.trim_end_matches(')').split_once('(') {
            Some((text, tunnels)) => (text, tunnels.parse().unwrap()),
            None => (text, 0),
        };
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
            user_count: tunnels,
            link: None,
        };
        self.accounts.push((interface, account.encode()));
        match text.trim_end_matches(['*', '!']) {
            "?" => {}
            "x" => self.measured.push(Measured { endpoint: ip, median: None }),
            millis => {
                let median = Some(Duration::from_secs_f64(millis.parse::<f64>().unwrap() / 1e3));
                self.measured.push(Measured { endpoint: ip, median });
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

    fn view(&self) -> NetworkView {
        NetworkView::from_accounts(ID, 7, self.accounts.iter().map(|(key, data)| (*key, data.as_slice()))).unwrap()
    }

    fn request(&self) -> Request {
        Request {
            client_ip: CLIENT,
            user_type: UserType::Ibrl,
            publisher: false,
            device: None,
            tolerance: Duration::from_millis(5),
            tie: Duration::from_millis(1),
            lost: self.lost.clone(),
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
    "no endpoint for the tunnel | lax1 9.3.0.1: 70.0 ms, more than 15.0 ms | \
     nyc1 9.1.0.1: this client already has a tunnel there | pit1 9.2.0.1: 15.1 ms, more than 15.0 ms"
)]
#[case::the_tolerance_is_measured_from_the_nearest_device_of_the_client(
    "nyc1: 10*; pit1: 14*; lax1: 16",
    "no endpoint for the tunnel | lax1 9.3.0.1: 16.0 ms, more than 15.0 ms | nyc1 9.1.0.1: this client already has a tunnel there | pit1 9.2.0.1: this client already has a tunnel there"
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

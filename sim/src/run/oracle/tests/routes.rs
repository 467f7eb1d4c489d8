//! The routes of a client's tunnel and of a device's tables.

use std::net::Ipv4Addr;

use dz_client::api::Session;
use dz_net::kernel::{RTPROT_DZ, RouteInfo, TABLE_MAIN};
use dz_sdk::{
    NetworkView,
    program::{
        ID, pda,
        state::{
            AccountData, Device, GlobalConfig, GroupAddress, MulticastGroup, MulticastGroupStatus, User, UserStatus,
            UserType,
        },
    },
};
use solana_pubkey::Pubkey;

use super::{
    super::{Mismatch, routes},
    CLIENT, FIRST, USER, users,
};

/// What is said of client 1's tunnel with this session that leads there.
fn astray(view: &NetworkView, session: Session, there: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let user = view.user(&Pubkey::new_from_array([1; 32])).unwrap();
    let way = routes::Way::of(view, user, (CLIENT, FIRST), session);
    let there = there.iter().map(|net| net.parse().unwrap()).collect();
    routes::astray("val1", &way, "doublezero0", &there, &mut found);
    let named = |it: &Mismatch| (it.subject.as_str(), it.views.1.clone()) == (USER, "kernel of val1".to_owned());
    assert!(found.iter().all(named), "{found:?}");
    found.into_iter().map(|it| (it.first, it.second)).collect()
}

#[test]
fn a_tunnel_leads_to_the_users_of_its_tenant_while_it_is_up() {
    let tenant = Some(Pubkey::new_from_array([99; 32]));
    let view = users(&[(1, None, "nyc1"), (2, None, "nyc1"), (3, None, "nyc2"), (4, tenant, "nyc1")]);
    let [both, none] = [&["9.128.0.2/32", "9.128.0.3/32"][..], &[]];
    let said = |first: &str, second: &str| vec![(first.to_owned(), second.to_owned())];
    assert_eq!(astray(&view, Session::Up, both), []);
    let lacks = "its session is up, so it leads to 9.128.0.2/32, 9.128.0.3/32";
    assert_eq!(astray(&view, Session::Up, none), said(lacks, "no route by doublezero0"));
    let others = ["9.128.0.2/32", "9.128.0.3/32", "9.128.0.4/32"];
    let leads = "its session is up, so it does not lead to 9.128.0.4/32";
    assert_eq!(astray(&view, Session::Up, &others), said(leads, "a route by doublezero0"));
    for there in [none, &both[..1], both] {
        assert_eq!(astray(&view, Session::Pending, there), []);
    }
    assert_eq!(astray(&view, Session::Down, none), []);
    let leads = "its session is down, so it does not lead to 9.128.0.3/32";
    assert_eq!(astray(&view, Session::Down, &both[1..]), said(leads, "a route by doublezero0"));
    // One in a group tunnel is nobody that a unicast tunnel leads to, and one that waits for its tunnel is not, either.
    let key = Pubkey::new_from_array([3; 32]);
    let third = view.user(&key).unwrap();
    let in_groups = User { user_type: UserType::Multicast, ..third.clone() };
    let waits = User { status: UserStatus::Pending, ..third.clone() };
    for third in [in_groups, waits] {
        let mut view = view.clone();
        view.set_account(key, &third.encode()).unwrap();
        assert_eq!(astray(&view, Session::Up, &both[..1]), []);
    }
    // Four more of them are too many to name.
    let many: Vec<_> = (1..=8).map(|client| (client, None, "nyc1")).collect();
    let lacks = "its session is up, so it leads to 9.128.0.2/32, 9.128.0.3/32, 9.128.0.4/32 and 4 more";
    assert_eq!(astray(&users(&many), Session::Up, none), said(lacks, "no route by doublezero0"));
    let four = users(&many[..4]);
    let lacks = "its session is up, so it leads to 9.128.0.2/32, 9.128.0.3/32, 9.128.0.4/32";
    assert_eq!(astray(&four, Session::Up, none), said(lacks, "no route by doublezero0"));
}

#[test]
fn the_routes_that_a_device_lacks_and_has_too_many_are_named_by_table() {
    let table = |number, addresses: &[&str]| (number, addresses.iter().map(|net| net.parse().unwrap()).collect());
    let wanted = [table(1001, &["9.128.0.1/32", "9.128.0.2/32"]), table(1002, &["9.128.0.1/32"])].into();
    let there = |index: u32, table, protocol| RouteInfo {
        table,
        protocol,
        dev: Some(index),
        ..RouteInfo::unicast("9.128.0.1/32".parse().unwrap())
    };
    let said = |there: &[RouteInfo]| {
        let mut found = Vec::new();
        routes::differences("nyc1", &wanted, &routes::tables_of(there), &mut found);
        found.into_iter().map(|it| (it.subject, it.first, it.second)).collect::<Vec<_>>()
    };
    let found =
        |table: &str, first: &str, second: &str| (format!("table {table} of nyc1"), first.into(), second.into());
    // What is in the transit table, in the table that all nodes have, or not of the products is something else.
    let foreign = [there(7, 1000, RTPROT_DZ), there(7, TABLE_MAIN, RTPROT_DZ), there(7, 1003, RTPROT_DZ - 1)];
    let lacks = [
        found("1", "routes to 9.128.0.1/32, 9.128.0.2/32", "not there"),
        found("2", "routes to 9.128.0.1/32", "not there"),
    ];
    assert_eq!(said(&foreign), lacks);
    let some = [there(7, 1001, RTPROT_DZ), there(8, 1002, RTPROT_DZ), there(9, 1003, RTPROT_DZ)];
    let differs =
        [found("1", "routes to 9.128.0.2/32", "not there"), found("3", "no routes to 9.128.0.1/32", "they are there")];
    assert_eq!(said(&some), differs);
    // By which interface is said of a tunnel alone.
    assert_eq!(routes::leads_to(&some, 8), ["9.128.0.1/32".parse().unwrap()].into());
    assert_eq!(routes::leads_to(&foreign[2..], 7), [].into());
}

#[test]
fn where_the_config_says_so_a_tunnel_leads_to_other_metros_only() {
    let mut view = users(&[(1, None, "nyc1"), (2, None, "nyc1"), (3, None, "nyc2")]);
    let (key, device) = view.device_by_code("nyc2").map(|(key, device)| (key, device.clone())).unwrap();
    view.set_account(key, &Device { exchange: Pubkey::new_from_array([98; 32]), ..device }.encode()).unwrap();
    let config = GlobalConfig { same_metro_routing: false, ..view.config().unwrap().clone() };
    view.set_account(pda::config(&ID).0, &config.encode()).unwrap();
    assert_eq!(astray(&view, Session::Up, &["9.128.0.3/32"]), []);
    let leads = "its session is up, so it does not lead to 9.128.0.2/32";
    let said = [(leads.to_owned(), "a route by doublezero0".to_owned())];
    assert_eq!(astray(&view, Session::Up, &["9.128.0.2/32", "9.128.0.3/32"]), said);
}

#[test]
fn what_is_filtered_at_the_edge_and_what_is_sent_to_a_group_never_leaves_by_the_internet() {
    let mut view = users(&[(1, None, "nyc1"), (2, None, "nyc1")]);
    let key = Pubkey::new_from_array([1; 32]);
    let user = view.user(&key).unwrap().clone();
    view.set_account(key, &User { user_type: UserType::EdgeFiltering, ..user.clone() }.encode()).unwrap();
    for session in [Session::Pending, Session::Down] {
        assert_eq!(astray(&view, session, &["0.0.0.0/0"]), []);
        let lacks = format!("its session is {session}, so it leads to 0.0.0.0/0");
        assert_eq!(astray(&view, session, &[]), [(lacks, "no route by doublezero0".to_owned())]);
    }
    let group = Pubkey::new_from_array([97; 32]);
    let account = MulticastGroup {
        code: "mg01".to_owned(),
        owner: Pubkey::default(),
        status: MulticastGroupStatus::Activated,
        address: Some(GroupAddress { ip: Ipv4Addr::new(233, 84, 178, 0), pool: Pubkey::default() }),
        max_bandwidth: 1,
        publisher_count: 2,
        subscriber_count: 0,
        allowlist_count: 0,
    };
    view.set_account(group, &account.encode()).unwrap();
    for (publishers, subscribers) in [(vec![group], Vec::new()), (Vec::new(), vec![group])] {
        let user = User { user_type: UserType::Multicast, publishers, subscribers, ..user.clone() };
        view.set_account(key, &user.encode()).unwrap();
        for session in [Session::Pending, Session::Up, Session::Down] {
            assert_eq!(astray(&view, session, &["233.84.178.0/32"]), []);
            let lacks = format!("its session is {session}, so it leads to 233.84.178.0/32");
            assert_eq!(astray(&view, session, &[]), [(lacks, "no route by doublezero0".to_owned())]);
        }
    }
}

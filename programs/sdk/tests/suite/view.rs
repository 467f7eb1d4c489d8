//! The view's indexes against a view built from scratch.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dz_sdk::NetworkView;
use dz_serviceability::{
    ID as P,
    state::{
        AccountData, AccountType, AddressSource, EndpointService, Exchange, ExchangeStatus, Interface,
        InterfaceAddress, InterfaceKind, InterfaceMetadata, InterfaceStatus, MulticastGroup, MulticastGroupStatus,
        User, UserStatus, UserType,
    },
};
use proptest::prelude::*;
use solana_pubkey::Pubkey;

fn exchange(code: u8) -> Vec<u8> {
    let (code, status) = (format!("x{code}"), ExchangeStatus::Activated);
    Exchange { code, name: "n".into(), latitude: 0, longitude: 0, status, reference_count: 0 }.encode()
}

fn group(code: u8) -> Vec<u8> {
    MulticastGroup {
        code: format!("x{code}"),
        owner: P,
        status: MulticastGroupStatus::Pending,
        address: None,
        max_bandwidth: 1,
        publisher_count: 0,
        subscriber_count: 0,
        allowlist_count: 0,
    }
    .encode()
}

fn key(number: u8) -> Pubkey {
    Pubkey::new_from_array([number; 32])
}

fn interface(device: u8, address: u8) -> Vec<u8> {
    let source = AddressSource::Own;
    Interface {
        device: key(100 + device),
        name: "Loopback100".into(),
        kind: InterfaceKind::Loopback,
        status: if address.is_multiple_of(2) { InterfaceStatus::Activated } else { InterfaceStatus::Pending },
        address: (address > 0).then(|| InterfaceAddress { ip: Ipv4Addr::new(9, 0, 0, address), source }),
        loopback_number: Some(100),
        user_tunnel_endpoint: address > 0,
        service: EndpointService::Any,
        metadata: InterfaceMetadata::default(),
        user_count: 0,
        link: None,
    }
    .encode()
}

fn user(client: u8, device: u8) -> Vec<u8> {
    User {
        client_ip: Ipv4Addr::new(11, 0, 0, client),
        endpoint_ip: Ipv4Addr::new(9, 0, 0, 1),
        owner: P,
        access_pass: P,
        device: key(100 + device),
        interface: P,
        user_type: UserType::Ibrl,
        tenant: None,
        status: UserStatus::Pending,
        allocation: None,
        publishers: vec![],
        subscribers: vec![],
        reject_reason: String::new(),
    }
    .encode()
}

/// An account key and its new bytes; none when it is closed. Interfaces are apart, so that no two share an address.
fn change() -> impl Strategy<Value = (Pubkey, Vec<u8>)> {
    (0u8..8, 0u8..6, 0u8..4, 0u8..4).prop_map(|(slot, kind, a, b)| {
        let data = match kind {
            0 => exchange(slot),
            1 => group(slot),
            2 => interface(a, slot * 4 + b),
            3 | 4 => user(a, b),
            _ => vec![],
        };
        (key(slot), data)
    })
}

proptest! {
    #[test]
    fn changes_lead_where_a_fresh_view_is(changes in prop::collection::vec(change(), 0..60)) {
        let mut view = NetworkView::new(P);
        let mut accounts: BTreeMap<Pubkey, Vec<u8>> = BTreeMap::new();
        for (key, data) in changes {
            view.set_account(key, &data).unwrap();
            if data.is_empty() { accounts.remove(&key) } else { accounts.insert(key, data) };
            let fresh = NetworkView::from_accounts(P, 0, accounts.iter().map(|(key, data)| (*key, data.as_slice())));
            prop_assert_eq!(&view, &fresh.unwrap());
        }
    }
}

#[test]
fn look_ups() {
    let accounts = [
        (key(1), exchange(1)),
        (key(2), group(1)),
        (key(3), interface(1, 4)),
        (key(4), interface(1, 2)),
        (key(5), interface(1, 7)),
        (key(6), user(1, 1)),
        (key(7), user(1, 2)),
    ];
    let view = NetworkView::from_accounts(P, 9, accounts.iter().map(|(key, data)| (*key, data.as_slice()))).unwrap();
    assert_eq!((view.slot(), view.program()), (9, &P));
    assert_eq!(view.by_code(AccountType::Exchange, "x1"), Some(key(1)));
    assert_eq!(view.by_code(AccountType::Exchange, "x2"), None);
    assert_eq!(view.group_by_code("x1").map(|(found, _)| found), Some(key(2)));
    // In the order of addresses, and only what users' tunnels may end on.
    let endpoints = view.endpoints(&key(101));
    assert_eq!(endpoints, [(Ipv4Addr::new(9, 0, 0, 2), key(4)), (Ipv4Addr::new(9, 0, 0, 4), key(3))]);
    assert_eq!(view.interface_by_address(Ipv4Addr::new(9, 0, 0, 7)).map(|(found, _)| found), Some(key(5)));
    let of_client: Vec<_> = view.users_of_client(Ipv4Addr::new(11, 0, 0, 1)).map(|(found, _)| *found).collect();
    assert_eq!(of_client, [key(6), key(7)]);
    assert_eq!(view.users_of_device(&key(102)).map(|(found, _)| *found).collect::<Vec<_>>(), [key(7)]);
    // The place of a pair is its address; these users were put elsewhere.
    assert_eq!(view.user_at(Ipv4Addr::new(11, 0, 0, 1), Ipv4Addr::new(9, 0, 0, 1)), None);
}

#[test]
fn an_account_that_cannot_be_read_changes_nothing() {
    let mut view = NetworkView::from_accounts(P, 9, [(key(1), exchange(1).as_slice())]).unwrap();
    let before = view.clone();
    for (data, text) in [
        (vec![99], "unknown account type 99"),
        (exchange(2)[..9].to_vec(), "malformed Exchange account: header: "),
        ([exchange(2), vec![1]].concat(), "1 bytes too many in a Exchange account"),
    ] {
        let error = view.set_account(key(1), &data).unwrap_err();
        assert_eq!(error.account, key(1));
        assert!(error.source.to_string().starts_with(text), "{error}");
        assert_eq!(view, before);
    }
}

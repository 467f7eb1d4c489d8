//! Interfaces of devices.

use dz_sdk::{build, instruction::interface as ix};
use dz_serviceability::{
    ID as P, pda,
    state::{
        AddressSource, Bootstrap, Cyoa, EndpointService, Interface, InterfaceAddress, InterfaceKind, InterfaceMetadata,
        InterfaceStatus, PoolKind, UserType,
    },
};
use rstest::rstest;
use solana_signer::Signer;

use crate::support::{Error, Net, ip, signer, with_account};

#[rstest]
#[case::port("et1/1", "Ethernet1/1", None, false, None)]
#[case::own_address("lo7", "Loopback7", Some("9.0.5.1"), true, None)]
#[case::in_the_range("Loopback150", "Loopback150", Some("9.0.5.1"), true, Some(150))]
#[case::public_address("vl10", "Vlan10", Some("9.0.0.1"), true, None)]
#[tokio::test]
async fn a_life(
    #[case] short: &str,
    #[case] name: &str,
    #[case] address: Option<&str>,
    #[case] endpoint: bool,
    #[case] loopback_number: Option<u16>,
) {
    let mut n = Net::with_metro().await;
    let (o, a) = (signer(&n.keys.owner), signer(&n.keys.activator));
    let (ok, ak) = (o.pubkey(), a.pubkey());
    let device = n.pending_device("nyc1", "9.0.0.1", Bootstrap::OwnEndpoints).await;
    let clean = n.get_device(device);
    let public = address == Some("9.0.0.1");
    n.ok(&o, [build::create_interface(&n.view, &ok, device, short, address.map(ip), endpoint).unwrap()]).await;
    let key = pda::interface(&P, &device, name).0;
    let source = if public { AddressSource::PublicIp } else { AddressSource::Own };
    let fresh = Interface {
        device,
        name: name.into(),
        kind: if name.starts_with("Loopback") { InterfaceKind::Loopback } else { InterfaceKind::Physical },
        status: InterfaceStatus::Pending,
        address: address.map(|address| InterfaceAddress { ip: ip(address), source }),
        loopback_number,
        user_tunnel_endpoint: endpoint,
        service: EndpointService::Any,
        metadata: InterfaceMetadata::default(),
        user_count: 0,
        link: None,
    };
    assert_eq!(n.get_interface(key), fresh);
    assert_eq!(n.get_device(device).public_ip_interface, public.then_some(key));
    let taken: Vec<_> = n.view.pool_at(PoolKind::EndpointLoopbacks, &device, 100).unwrap().1.taken().collect();
    assert_eq!(taken, loopback_number.map(u32::from).into_iter().collect::<Vec<_>>());
    assert_eq!(n.view.endpoints(&device), []);

    n.ok(&a, [build::activate_interface(&n.view, &ak, key).unwrap()]).await;
    assert_eq!(n.get_interface(key), Interface { status: InterfaceStatus::Activated, ..fresh });
    assert_eq!((n.get_device(device).interface_count, n.get_device(device).endpoint_count), (1, u32::from(endpoint)));
    n.ok(&o, [build::delete_interface(&n.view, &ok, key).unwrap()]).await;
    assert_eq!(n.get_device(device).endpoint_count, 0);
    n.ok(&a, [build::close_interface(&n.view, &ak, key).unwrap()]).await;
    assert_eq!((n.view.interface(&key), n.get_device(device)), (None, clean));
    let registry = n.view.pool_at(PoolKind::AddressRegistry, &pda::config(&P).0, ip("9.0.5.0").into());
    assert_eq!(registry, None);
    assert_eq!(n.view.pool_at(PoolKind::EndpointLoopbacks, &device, 100).unwrap().1.used(), 0);
}

#[tokio::test]
async fn what_is_noted_and_what_may_end_here_can_change() {
    let mut n = Net::with_metro().await;
    let (o, p, s) = (signer(&n.keys.owner), signer(&n.keys.payer), signer(&n.keys.stranger));
    let (ok, sk) = (o.pubkey(), s.pubkey());
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let (port, first) = (n.port(device, "et1", &o).await, pda::interface(&P, &device, "Loopback100").0);
    let update =
        |n: &Net, key, service, metadata| build::update_interface(&n.view, &ok, key, service, metadata).unwrap();
    let (any, unicast) = (EndpointService::Any, EndpointService::Unicast);
    let plain = InterfaceMetadata::default();
    let dia = InterfaceMetadata { bandwidth: 10, mtu: 1500, vlan_id: 4094, cyoa: Cyoa::GreOverDia };

    n.ok(&o, [update(&n, port, any, dia)]).await;
    assert_eq!((n.get_interface(port).service, n.get_interface(port).metadata), (any, dia));
    for (key, service, metadata, error) in [
        (port, unicast, plain, Error::NotAnEndpoint),
        (port, any, InterfaceMetadata { vlan_id: 4095, ..plain }, Error::InvalidVlan),
        (port, any, InterfaceMetadata { mtu: 1279, ..plain }, Error::InvalidMtu),
        (port, any, InterfaceMetadata { mtu: 9217, ..plain }, Error::InvalidMtu),
        (port, any, InterfaceMetadata { mtu: 9000, ..dia }, Error::InvalidMtu),
        (port, any, InterfaceMetadata { bandwidth: 0, ..dia }, Error::InvalidBandwidth),
        (first, any, dia, Error::CyoaNeedsPort),
    ] {
        n.refused(&o, update(&n, key, service, metadata), error).await;
    }
    let foreign = build::update_interface(&n.view, &sk, port, any, plain).unwrap();
    n.refused(&s, foreign, Error::NotContributorOwner).await;

    // An endpoint that is kept for one service takes no new tunnel of the other.
    n.ok(&o, [update(&n, first, EndpointService::Multicast, plain)]).await;
    n.pass("9.1.0.1").await;
    let create = n.create_user_with("9.1.0.1", "9.0.1.1", UserType::Ibrl, None, vec![]);
    n.refused(&p, create.clone(), Error::EndpointKept).await;
    n.ok(&o, [update(&n, first, unicast, plain)]).await;
    n.ok(&p, [create]).await;
    n.ok(&o, [update(&n, first, EndpointService::Multicast, plain)]).await;
    assert_eq!(n.get_interface(first).user_count, 1);
}

#[tokio::test]
async fn refusals() {
    let mut n = Net::with_metro().await;
    let (f, o, a, s) =
        (signer(&n.keys.foundation), signer(&n.keys.owner), signer(&n.keys.activator), signer(&n.keys.stranger));
    let (ok, ak, sk) = (o.pubkey(), a.pubkey(), s.pubkey());
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let create = |n: &Net, name: &str, address: Option<&str>, endpoint| {
        build::create_interface(&n.view, &ok, device, name, address.map(ip), endpoint).unwrap()
    };
    n.refused(&o, create(&n, "eth0", None, false), Error::InvalidInterfaceName).await;
    n.refused(&o, create(&n, &"et".repeat(40), None, false), Error::InvalidInterfaceName).await;
    n.refused(&o, create(&n, "et1", None, true), Error::EndpointNeedsAddress).await;
    n.refused(&o, create(&n, "lo7", Some("172.16.0.1"), true), Error::AddressNotPublic).await;
    n.refused(&o, create(&n, "lo7", Some("45.33.0.1"), true), Error::AddressInBlock).await;
    n.refused(&o, create(&n, "lo7", Some("9.0.1.3"), true), Error::AddressTaken).await;
    n.refused(&o, create(&n, "lo100", Some("9.0.5.1"), true), Error::UnitTaken).await;
    let foreign = build::create_interface(&n.view, &sk, device, "et1", None, false).unwrap();
    n.refused(&s, foreign, Error::NotContributorOwner).await;
    n.ok(&o, [create(&n, "et1", Some("9.0.0.1"), true)]).await;
    n.refused(&o, create(&n, "et1", None, false), Error::AlreadyExists).await;
    n.refused(&o, create(&n, "et2", Some("9.0.0.1"), true), Error::PublicIpInUse).await;
    let fk = f.pubkey();
    n.ok(&f, [dz_sdk::instruction::contributor::suspend_contributor(&P, &fk, n.co())]).await;
    n.refused(&o, create(&n, "et2", None, false), Error::ContributorNotActive).await;
    n.ok(&f, [dz_sdk::instruction::contributor::resume_contributor(&P, &fk, n.co())]).await;

    let (first, port) = (pda::interface(&P, &device, "Loopback100").0, pda::interface(&P, &device, "Ethernet1").0);
    n.refused(&o, build::activate_interface(&n.view, &ok, port).unwrap(), Error::NotActivator).await;
    n.refused(&a, build::activate_interface(&n.view, &ak, first).unwrap(), Error::InterfaceNotPending).await;
    let far = n.device("far", "9.0.0.7", "9.0.8.0/29").await;
    n.refused(&a, ix::activate_interface(&P, &ak, far, port), Error::WrongInterface).await;
    n.refused(&s, build::delete_interface(&n.view, &sk, port).unwrap(), Error::NotContributorOwner).await;
    // Only for a device that goes away is it the activator's.
    n.refused(&a, build::delete_interface(&n.view, &ak, port).unwrap(), Error::NotContributorOwner).await;
    n.refused(&a, build::close_interface(&n.view, &ak, port).unwrap(), Error::InterfaceNotDeleting).await;

    // Nothing goes away under a live user: neither its endpoint nor, Pending or not, anything it stands on.
    n.pass("9.1.0.1").await;
    n.pending_user("9.1.0.1", "9.0.1.1", UserType::Ibrl, vec![]).await;
    assert_eq!(n.get_interface(first).user_count, 1);
    n.refused(&o, build::delete_interface(&n.view, &ok, first).unwrap(), Error::InterfaceHasUsers).await;
    let second = pda::interface(&P, &device, "Loopback101").0;
    n.ok(&o, [build::delete_interface(&n.view, &ok, second).unwrap()]).await;
    n.refused(&o, build::delete_interface(&n.view, &ok, second).unwrap(), Error::InterfaceDeleting).await;
    n.refused(&o, build::close_interface(&n.view, &ok, second).unwrap(), Error::NotActivator).await;
    let elsewhere = pda::pool(&P, PoolKind::DevicePrefix, &far, ip("9.0.8.0").into()).0;
    let close = build::close_interface(&n.view, &ak, second).unwrap();
    n.refused(&a, with_account(close.clone(), "prefix", |meta| meta.pubkey = elsewhere), Error::WrongPool).await;
    n.ok(&a, [close]).await;
    assert_eq!(n.get_device(device).pulled_count, 1);

    let (a_port, z_port) = (n.port(device, "et5", &o).await, n.port(far, "et5", &o).await);
    let link = build::create_link(&n.view, &ok, "l1", a_port, z_port, crate::support::LINK_NUMBERS).unwrap();
    n.ok(&o, [link]).await;
    n.refused(&o, build::delete_interface(&n.view, &ok, a_port).unwrap(), Error::InterfaceHasLink).await;
}

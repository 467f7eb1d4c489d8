//! Devices: three ways to start, prefixes, endpoints, drains, ends.

use dz_sdk::{
    build,
    instruction::{self as all, device as ix},
};
use dz_serviceability::{
    ID as P,
    instruction::{CreateDeviceArgs, ServiceabilityInstruction},
    pda,
    state::{
        AddressSource, Bootstrap, Device, DeviceCaps, DeviceCounts, DevicePrefix, DeviceStatus, DeviceType,
        EndpointService, Interface, InterfaceAddress, InterfaceKind, InterfaceMetadata, InterfaceStatus, Pool,
        PoolKind, PrefixSource, UserType,
    },
};
use solana_signer::Signer;

use crate::support::{Error, Net, caps, ip, net, place_of, signer, with_account};

fn registered(n: &Net, base: &str) -> Vec<u32> {
    let found = n.view.pool_at(PoolKind::AddressRegistry, &pda::config(&P).0, ip(base).into());
    found.map_or(vec![], |(_, pool)| pool.taken().map(|address| address & 0xff).collect())
}

fn pending(n: &Net, bootstrap: Bootstrap, endpoints_wanted: u8) -> Device {
    Device {
        code: "nyc1".into(),
        contributor: n.co(),
        exchange: n.nyc(),
        device_type: DeviceType::Hybrid,
        status: DeviceStatus::Pending,
        public_ip: ip("9.0.0.1"),
        bootstrap,
        endpoints_wanted,
        prefixes: vec![],
        tunnel_slots: 128,
        caps: caps(96),
        counts: DeviceCounts::default(),
        public_ip_interface: None,
        interface_count: 0,
        endpoint_count: 0,
        pulled_count: 0,
        link_count: 0,
    }
}

#[tokio::test]
async fn a_device_with_nothing_is_given_a_prefix_and_endpoints() {
    let mut n = Net::with_metro().await;
    let (a, co) = (signer(&n.keys.activator), n.co());
    let ak = a.pubkey();
    let bootstrap = Bootstrap::Carve { prefix_len: 29 };
    let device = n.pending_device("nyc1", "9.0.0.1", bootstrap).await;
    let fresh = pending(&n, bootstrap, 2);
    assert_eq!(n.get_device(device), fresh);
    assert_eq!((n.get_contributor(co).reference_count, n.get_exchange(n.nyc()).reference_count), (1, 1));
    assert_eq!((n.config().device_count, registered(&n, "9.0.0.0")), (1, vec![1]));
    let ids = n.view.pool_at(PoolKind::TunnelIds, &device, 500).unwrap().1.clone();
    assert_eq!(ids, Pool::new(PoolKind::TunnelIds, device, 500, 1, 128, 0));
    let loopbacks = n.view.pool_at(PoolKind::EndpointLoopbacks, &device, 100).unwrap().1.clone();
    assert_eq!(loopbacks, Pool::new(PoolKind::EndpointLoopbacks, device, 100, 1, 100, 0));

    n.refused(&a, ix::activate_device(&P, &ak, device), Error::DeviceNotReady).await;
    n.ok(&a, [build::allocate_contributor_block(&n.view, &ak, co, net("45.33.0.0/24")).unwrap()]).await;
    n.ok(&a, [build::carve_device_prefix(&n.view, &ak, device, net("45.33.0.8/29")).unwrap()]).await;
    let block = pda::pool(&P, PoolKind::ContributorBlock, &co, ip("45.33.0.0").into()).0;
    let prefix = DevicePrefix { net: net("45.33.0.8/29"), source: PrefixSource::Carved { pool: block } };
    assert_eq!(n.get_device(device), Device { prefixes: vec![prefix], ..fresh.clone() });
    let addresses = n.pool_at(PoolKind::DevicePrefix, device, "45.33.0.8");
    assert_eq!(addresses, Pool::new(PoolKind::DevicePrefix, device, ip("45.33.0.8").into(), 1, 8, 1));
    let other = n.pending_device("nyc2", "9.0.0.2", bootstrap).await;
    let taken = build::carve_device_prefix(&n.view, &ak, other, net("45.33.0.8/29")).unwrap();
    n.refused(&a, taken, Error::UnitTaken).await;
    let again = build::carve_device_prefix(&n.view, &ak, device, net("45.33.0.16/29")).unwrap();
    n.refused(&a, again, Error::PrefixComplete).await;
    let block = pda::pool(&P, PoolKind::ContributorBlock, &n.other(), ip("45.34.0.0").into()).0;
    let free = ix::carve_device_prefix(&P, &ak, block, device, net("45.34.0.8/29"));
    n.refused(&a, free, Error::AccountNotFound).await;

    for (number, address) in [(100, "45.33.0.9"), (101, "45.33.0.10")] {
        n.refused(&a, ix::activate_device(&P, &ak, device), Error::DeviceNotReady).await;
        n.ok(&a, [build::pull_endpoint(&n.view, &ak, device, ip(address), number).unwrap()]).await;
    }
    let pool = pda::pool(&P, PoolKind::DevicePrefix, &device, ip("45.33.0.8").into()).0;
    let endpoint = pda::interface(&P, &device, "Loopback100").0;
    let expected = Interface {
        device,
        name: "Loopback100".into(),
        kind: InterfaceKind::Loopback,
        status: InterfaceStatus::Activated,
        address: Some(InterfaceAddress { ip: ip("45.33.0.9"), source: AddressSource::Pulled { pool } }),
        loopback_number: Some(100),
        user_tunnel_endpoint: true,
        service: EndpointService::Any,
        metadata: InterfaceMetadata::default(),
        user_count: 0,
        link: None,
    };
    assert_eq!(n.get_interface(endpoint), expected);
    n.ok(&a, [ix::activate_device(&P, &ak, device)]).await;
    let active = Device {
        status: DeviceStatus::Activated,
        prefixes: vec![prefix],
        interface_count: 2,
        endpoint_count: 2,
        pulled_count: 2,
        ..fresh
    };
    assert_eq!(n.get_device(device), active);
}

#[tokio::test]
async fn own_prefixes_never_overlap_anything() {
    let mut n = Net::with_metro().await;
    let (o, a) = (signer(&n.keys.owner), signer(&n.keys.activator));
    let (ok, ak, co) = (o.pubkey(), a.pubkey(), n.co());
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    assert_eq!(registered(&n, "9.0.1.0"), (0..8).collect::<Vec<_>>());
    let add = |prefix: &str| ix::add_device_prefix(&P, &ok, co, device, net(prefix));
    // Its own, its own public address, another prefix, a carved /24, the network's blocks.
    n.ok(&a, [build::allocate_contributor_block(&n.view, &ak, co, net("45.33.1.0/24")).unwrap()]).await;
    for (prefix, error) in [
        ("9.0.1.0/29", Error::AddressTaken),
        ("9.0.1.0/28", Error::AddressTaken),
        ("9.0.0.0/29", Error::AddressTaken),
        ("9.0.0.0/24", Error::AddressTaken),
        ("45.33.1.0/29", Error::AddressInBlock),
        ("148.51.120.0/29", Error::AddressInBlock),
        ("10.0.0.0/24", Error::AddressNotPublic),
        ("9.0.2.0/30", Error::InvalidPrefixLength),
        ("9.0.0.0/23", Error::InvalidPrefixLength),
    ] {
        n.refused(&o, add(prefix), error).await;
    }
    n.ok(&o, [add("9.0.1.8/29")]).await;
    // What others register later is refused by the same.
    let args = n.device_args("nyc2", "9.0.1.9", Bootstrap::OwnPrefix);
    n.refused(&o, ix::create_device(&P, &ok, co, n.nyc(), 100, args), Error::AddressTaken).await;
    let own = build::create_interface(&n.view, &ok, device, "lo50", Some(ip("9.0.1.15")), true).unwrap();
    n.refused(&o, own, Error::AddressTaken).await;

    for index in 2..8 {
        n.ok(&o, [add(&format!("9.0.{index}.0/24"))]).await;
    }
    n.refused(&o, add("9.0.9.0/24"), Error::TooManyPrefixes).await;
    // A public address inside a DoubleZero block that is carved later: refused when carved, not when registered.
    let remove = build::remove_device_prefix(&n.view, &ok, device, net("9.0.7.0/24")).unwrap();
    n.ok(&o, [remove]).await;
    assert_eq!(registered(&n, "9.0.7.0"), Vec::<u32>::new());
}

#[tokio::test]
async fn a_prefix_stays_while_it_is_used() {
    let mut n = Net::with_metro().await;
    let (o, s) = (signer(&n.keys.owner), signer(&n.keys.stranger));
    let (ok, sk, co) = (o.pubkey(), s.pubkey(), n.co());
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let remove = build::remove_device_prefix(&n.view, &ok, device, net("9.0.1.0/29")).unwrap();
    n.refused(&o, remove.clone(), Error::PrefixInUse).await;
    n.ok(&o, [ix::add_device_prefix(&P, &ok, co, device, net("9.0.2.0/29"))]).await;
    n.pass("9.1.0.1").await;
    n.user("9.1.0.1", "9.0.1.1", UserType::IbrlWithAllocatedIp, vec![], 0, "9.0.2.1").await;
    let second = build::remove_device_prefix(&n.view, &ok, device, net("9.0.2.0/29")).unwrap();
    n.refused(&o, second.clone(), Error::PrefixInUse).await;
    n.refused(
        &s,
        build::remove_device_prefix(&n.view, &sk, device, net("9.0.2.0/29")).unwrap(),
        Error::NotContributorOwner,
    )
    .await;
    let mut unknown = second.clone();
    unknown.data = ServiceabilityInstruction::RemoveDevicePrefix { net: net("9.0.3.0/29") }.encode(0);
    let pool = second.accounts[place_of(&second, "pool")].pubkey;
    let unknown = with_account(unknown, "pool", |meta| meta.pubkey = pool);
    n.refused(&o, unknown, Error::PrefixNotFound).await;
    let swapped = with_account(remove, "pool", |meta| meta.pubkey = pool);
    n.refused(&o, swapped, Error::WrongPool).await;
}

#[tokio::test]
async fn endpoints_are_pulled_once_and_from_the_right_places() {
    let mut n = Net::with_metro().await;
    let (o, a) = (signer(&n.keys.owner), signer(&n.keys.activator));
    let (ok, ak) = (o.pubkey(), a.pubkey());
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let pull =
        |n: &Net, address: &str, number| build::pull_endpoint(&n.view, &ak, device, ip(address), number).unwrap();
    n.refused(&a, pull(&n, "9.0.1.3", 102), Error::EndpointsComplete).await;
    n.ok(&o, [build::update_device(&n.view, &ok, device, DeviceType::Hybrid, caps(96), 4).unwrap()]).await;
    n.refused(&o, build::pull_endpoint(&n.view, &ok, device, ip("9.0.1.3"), 102).unwrap(), Error::NotActivator).await;
    // Index 0 of a prefix is nobody's.
    n.refused(&a, pull(&n, "9.0.1.0", 102), Error::ReservedUnit).await;
    n.refused(&a, pull(&n, "9.0.1.1", 102), Error::UnitTaken).await;
    n.refused(&a, pull(&n, "9.0.1.3", 101), Error::UnitTaken).await;
    n.refused(&a, pull(&n, "9.0.1.3", 99), Error::LoopbackNotInRange).await;
    n.refused(&a, pull(&n, "9.0.1.3", 200), Error::LoopbackNotInRange).await;
    let outside = ix::pull_endpoint(&P, &ak, device, net("9.0.1.0/29"), 100, ip("9.0.1.8"), 102);
    n.refused(&a, outside, Error::OutsidePool).await;
    // A number that the contributor took for its own loopback is not free.
    let own = build::create_interface(&n.view, &ok, device, "Loopback102", Some(ip("9.0.5.1")), true).unwrap();
    n.ok(&o, [own]).await;
    n.refused(&a, pull(&n, "9.0.1.3", 102), Error::UnitTaken).await;
    n.ok(&a, [pull(&n, "9.0.1.3", 103)]).await;
    assert_eq!(n.get_device(device).pulled_count, 3);
}

#[tokio::test]
async fn own_termination_addresses_need_no_prefix() {
    let mut n = Net::with_metro().await;
    let (o, a, co) = (signer(&n.keys.owner), signer(&n.keys.activator), n.co());
    let (ok, ak) = (o.pubkey(), a.pubkey());
    let device = n.pending_device("nyc1", "9.0.0.1", Bootstrap::OwnEndpoints).await;
    assert_eq!(n.get_device(device), pending(&n, Bootstrap::OwnEndpoints, 0));
    n.refused(&a, ix::activate_device(&P, &ak, device), Error::DeviceNotReady).await;
    let block = pda::pool(&P, PoolKind::ContributorBlock, &co, ip("45.33.0.0").into()).0;
    let carve = ix::carve_device_prefix(&P, &ak, block, device, net("45.33.0.0/29"));
    n.ok(&a, [build::allocate_contributor_block(&n.view, &ak, co, net("45.33.0.0/24")).unwrap()]).await;
    n.refused(&a, carve, Error::PrefixNotWanted).await;
    // The public address is an endpoint only because the device says so.
    let public = build::create_interface(&n.view, &ok, device, "et1", Some(ip("9.0.0.1")), true).unwrap();
    n.ok(&o, [public]).await;
    n.ok(&o, [build::create_interface(&n.view, &ok, device, "lo7", Some(ip("9.0.0.9")), true).unwrap()]).await;
    for name in ["Ethernet1", "Loopback7"] {
        let key = pda::interface(&P, &device, name).0;
        n.ok(&a, [build::activate_interface(&n.view, &ak, key).unwrap()]).await;
    }
    n.ok(&a, [ix::activate_device(&P, &ak, device)]).await;
    let addresses: Vec<_> = n.view.endpoints(&device).into_iter().map(|(address, _)| address).collect();
    assert_eq!(addresses, [ip("9.0.0.1"), ip("9.0.0.9")]);
    n.refused(&a, ix::activate_device(&P, &ak, device), Error::DeviceNotPending).await;
}

#[tokio::test]
async fn creation_refusals() {
    let mut n = Net::with_metro().await;
    let (f, o, s) = (signer(&n.keys.foundation), signer(&n.keys.owner), signer(&n.keys.stranger));
    let (fk, ok, co, nyc) = (f.pubkey(), o.pubkey(), n.co(), n.nyc());
    let good = n.device_args("nyc1", "9.0.0.1", Bootstrap::OwnPrefix);
    let create = |args: CreateDeviceArgs| ix::create_device(&P, &ok, co, nyc, 100, args);
    let carve = |prefix_len| Bootstrap::Carve { prefix_len };
    for (args, error) in [
        (CreateDeviceArgs { code: "NYC1".into(), ..good.clone() }, Error::InvalidCode),
        (CreateDeviceArgs { code: "".into(), ..good.clone() }, Error::InvalidCode),
        (CreateDeviceArgs { tunnel_slots: 0, ..good.clone() }, Error::InvalidTunnelSlots),
        (CreateDeviceArgs { tunnel_slots: 4097, ..good.clone() }, Error::InvalidTunnelSlots),
        (CreateDeviceArgs { bootstrap: carve(30), ..good.clone() }, Error::InvalidPrefixLength),
        (CreateDeviceArgs { bootstrap: carve(23), ..good.clone() }, Error::InvalidPrefixLength),
        (
            CreateDeviceArgs { bootstrap: carve(29), endpoints_wanted: Some(8), ..good.clone() },
            Error::InvalidEndpointCount,
        ),
        (CreateDeviceArgs { endpoints_wanted: Some(101), ..good.clone() }, Error::InvalidEndpointCount),
        (
            CreateDeviceArgs { bootstrap: Bootstrap::OwnEndpoints, endpoints_wanted: Some(1), ..good.clone() },
            Error::InvalidEndpointCount,
        ),
        (CreateDeviceArgs { public_ip: ip("192.168.0.1"), ..good.clone() }, Error::AddressNotPublic),
        (CreateDeviceArgs { public_ip: ip("45.33.7.1"), ..good.clone() }, Error::AddressInBlock),
    ] {
        n.refused(&o, create(args), error).await;
    }
    n.refused(&s, ix::create_device(&P, &s.pubkey(), co, nyc, 100, good.clone()), Error::NotContributorOwner).await;
    n.refused(&o, ix::create_device(&P, &ok, n.other(), nyc, 100, good.clone()), Error::NotContributorOwner).await;
    n.ok(&f, [all::contributor::suspend_contributor(&P, &fk, co)]).await;
    n.refused(&o, create(good.clone()), Error::ContributorNotActive).await;
    n.ok(&f, [all::contributor::resume_contributor(&P, &fk, co)]).await;
    n.ok(&f, [all::exchange::suspend_exchange(&P, &fk, nyc)]).await;
    n.refused(&o, create(good.clone()), Error::ExchangeNotActive).await;
    n.ok(&f, [all::exchange::resume_exchange(&P, &fk, nyc)]).await;
    // The foundation may, too; the registry of an address is where the address says.
    let elsewhere = all::registry(&P, ip("9.9.9.9"));
    let wrong = with_account(create(good.clone()), "registry", |meta| meta.pubkey = elsewhere);
    n.refused(&o, wrong, Error::WrongAddress).await;
    n.ok(&f, [ix::create_device(&P, &fk, co, nyc, 100, good.clone())]).await;
    n.refused(&o, create(CreateDeviceArgs { public_ip: ip("9.0.0.2"), ..good.clone() }), Error::AlreadyExists).await;
    n.refused(&o, create(CreateDeviceArgs { code: "nyc2".into(), ..good }), Error::AddressTaken).await;
}

#[tokio::test]
async fn updates_drains_and_moves() {
    let mut n = Net::with_metro().await;
    let (o, s, a) = (signer(&n.keys.owner), signer(&n.keys.stranger), signer(&n.keys.activator));
    let (ok, sk, co) = (o.pubkey(), s.pubkey(), n.co());
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let before = n.get_device(device);
    let new = DeviceCaps {
        max_users: 1,
        max_unicast_users: 2,
        max_multicast_subscribers: 3,
        max_multicast_publishers: 4,
        reserved_seats: 5,
        reserved_unicast: 6,
        reserved_multicast: 7,
    };
    let update = |key, kind, wanted| ix::update_device(&P, key, co, device, kind, new, wanted);
    n.ok(&o, [update(&ok, DeviceType::Edge, 3)]).await;
    assert_eq!(
        n.get_device(device),
        Device { device_type: DeviceType::Edge, caps: new, endpoints_wanted: 3, ..before.clone() }
    );
    n.refused(&o, update(&ok, DeviceType::Edge, 101), Error::InvalidEndpointCount).await;
    n.refused(&s, update(&sk, DeviceType::Edge, 2), Error::NotContributorOwner).await;
    n.refused(&o, ix::update_device(&P, &ok, n.other(), device, DeviceType::Edge, new, 2), Error::NotContributorOwner)
        .await;
    let other = signer(&n.keys.other);
    let foreign = ix::update_device(&P, &other.pubkey(), n.other(), device, DeviceType::Edge, new, 2);
    n.refused(&other, foreign, Error::WrongContributor).await;
    n.ok(&o, [ix::update_device(&P, &ok, co, device, DeviceType::Hybrid, caps(96), 2)]).await;

    n.refused(&o, ix::undrain_device(&P, &ok, co, device), Error::DeviceNotDrained).await;
    n.refused(&s, ix::drain_device(&P, &sk, co, device), Error::NotContributorOwner).await;
    n.ok(&o, [ix::drain_device(&P, &ok, co, device)]).await;
    assert_eq!(n.get_device(device), Device { status: DeviceStatus::Drained, ..before.clone() });
    n.refused(&o, ix::drain_device(&P, &ok, co, device), Error::DeviceNotActivated).await;
    n.refused(&s, ix::undrain_device(&P, &sk, co, device), Error::NotContributorOwner).await;
    n.ok(&o, [ix::undrain_device(&P, &ok, co, device)]).await;

    let go = |n: &Net, to: &str| build::set_device_public_ip(&n.view, &ok, device, ip(to)).unwrap();
    n.ok(&o, [go(&n, "9.0.0.2")]).await;
    assert_eq!((n.get_device(device).public_ip, registered(&n, "9.0.0.0")), (ip("9.0.0.2"), vec![2]));
    n.ok(&o, [go(&n, "9.0.9.2")]).await;
    assert_eq!((registered(&n, "9.0.0.0"), registered(&n, "9.0.9.0")), (vec![], vec![2]));
    n.refused(&o, go(&n, "9.0.9.2"), Error::AddressTaken).await;
    n.refused(&o, go(&n, "9.0.1.1"), Error::AddressTaken).await;
    n.refused(&o, go(&n, "10.0.0.1"), Error::AddressNotPublic).await;
    n.ok(&o, [build::create_interface(&n.view, &ok, device, "et1", Some(ip("9.0.9.2")), true).unwrap()]).await;
    n.refused(&o, go(&n, "9.0.9.3"), Error::PublicIpInUse).await;

    n.pass("9.1.0.1").await;
    n.pending_user("9.1.0.1", "9.0.1.1", UserType::Ibrl, vec![]).await;
    n.refused(&o, ix::update_device(&P, &ok, co, device, DeviceType::Transit, caps(96), 2), Error::DeviceHasUsers)
        .await;
    n.refused(&o, ix::delete_device(&P, &ok, co, device), Error::DeviceHasUsers).await;
    n.refused(&o, ix::activate_device(&P, &ok, device), Error::NotActivator).await;
    let wrong_type = with_account(ix::activate_device(&P, &a.pubkey(), device), "device", |meta| meta.pubkey = n.co());
    n.refused(&a, wrong_type, Error::WrongAccountType).await;
}

#[tokio::test]
async fn everything_goes_back_when_a_device_goes() {
    let mut n = Net::with_metro().await;
    let (o, a, s, co) = (signer(&n.keys.owner), signer(&n.keys.activator), signer(&n.keys.stranger), n.co());
    let (ok, ak, sk) = (o.pubkey(), a.pubkey(), s.pubkey());
    let device = n.pending_device("nyc1", "9.0.0.1", Bootstrap::Carve { prefix_len: 29 }).await;
    n.ok(&a, [build::allocate_contributor_block(&n.view, &ak, co, net("45.33.0.0/24")).unwrap()]).await;
    n.ok(&a, [build::carve_device_prefix(&n.view, &ak, device, net("45.33.0.0/29")).unwrap()]).await;
    n.ok(&a, [build::pull_endpoint(&n.view, &ak, device, ip("45.33.0.1"), 100).unwrap()]).await;
    n.ok(&a, [build::pull_endpoint(&n.view, &ak, device, ip("45.33.0.2"), 101).unwrap()]).await;
    n.ok(&a, [ix::activate_device(&P, &ak, device)]).await;
    n.ok(&o, [ix::add_device_prefix(&P, &ok, co, device, net("9.0.2.0/28"))]).await;
    n.ok(&o, [build::create_interface(&n.view, &ok, device, "lo105", Some(ip("9.0.3.1")), true).unwrap()]).await;
    n.ok(&o, [build::create_interface(&n.view, &ok, device, "et1", Some(ip("9.0.0.1")), false).unwrap()]).await;
    let port = n.port(device, "et2", &o).await;
    let end = build::close_device(&n.view, &ak, device).unwrap();
    n.refused(&a, end.last().unwrap().clone(), Error::DeviceNotDeleting).await;
    n.refused(&s, ix::delete_device(&P, &sk, co, device), Error::NotContributorOwner).await;
    // A link ends on it.
    let far = n.device("far", "9.0.0.7", "9.0.8.0/29").await;
    let far_port = n.port(far, "et1", &o).await;
    let link = build::create_link(&n.view, &ok, "l1", port, far_port, crate::support::LINK_NUMBERS).unwrap();
    n.ok(&o, [link]).await;
    n.refused(&o, ix::delete_device(&P, &ok, co, device), Error::DeviceHasLinks).await;
    let link = pda::link(&P, "l1").0;
    n.ok(&o, [build::delete_link(&n.view, &ok, link).unwrap()]).await;
    n.ok(&a, [build::close_link(&n.view, &ak, link).unwrap()]).await;

    n.ok(&o, [ix::delete_device(&P, &ok, co, device)]).await;
    assert_eq!(n.get_device(device).status, DeviceStatus::Deleting);
    // Nothing can be added to it any more.
    n.refused(&o, ix::delete_device(&P, &ok, co, device), Error::DeviceDeleting).await;
    n.refused(&o, ix::add_device_prefix(&P, &ok, co, device, net("9.0.4.0/28")), Error::DeviceDeleting).await;
    n.refused(&a, build::pull_endpoint(&n.view, &ak, device, ip("45.33.0.3"), 102).unwrap(), Error::DeviceDeleting)
        .await;
    n.refused(
        &a,
        build::carve_device_prefix(&n.view, &ak, device, net("45.33.0.8/29")).unwrap(),
        Error::DeviceDeleting,
    )
    .await;
    let remove = |key| build::remove_device_prefix(&n.view, key, device, net("9.0.2.0/28")).unwrap();
    let (by_owner, by_activator) = (remove(&ok), remove(&ak));
    n.refused(&o, by_owner, Error::NotActivator).await;

    let end = build::close_device(&n.view, &ak, device).unwrap();
    n.refused(&a, end.last().unwrap().clone(), Error::DeviceHasInterfaces).await;
    let (last, steps) = end.split_last().unwrap();
    let prefixes = steps.len() - 2;
    for step in &steps[..prefixes] {
        n.ok(&a, [step.clone()]).await;
    }
    n.ok(&a, [by_activator]).await;
    n.refused(&a, last.clone(), Error::DeviceHasPrefixes).await;
    n.ok(&a, [build::remove_device_prefix(&n.view, &ak, device, net("45.33.0.0/29")).unwrap()]).await;
    n.refused(&o, build::close_device(&n.view, &ok, device).unwrap().pop().unwrap(), Error::NotActivator).await;
    let exchange = with_account(last.clone(), "exchange", |meta| meta.pubkey = pda::exchange(&P, "pit").0);
    let f = signer(&n.keys.foundation);
    n.ok(&f, [all::exchange::create_exchange(&P, &f.pubkey(), "pit", "Pittsburgh", 0, 0)]).await;
    n.refused(&a, exchange, Error::WrongExchange).await;
    n.ok(&a, [last.clone()]).await;

    assert_eq!(n.view.device(&device), None);
    assert_eq!(n.view.pools().values().filter(|pool| pool.owner == device).count(), 0);
    assert_eq!(n.pool_at(PoolKind::ContributorBlock, co, "45.33.0.0").used(), 0);
    assert_eq!(
        (registered(&n, "9.0.0.0"), registered(&n, "9.0.2.0"), registered(&n, "9.0.3.0")),
        (vec![7], vec![], vec![])
    );
    assert_eq!((n.config().device_count, n.get_contributor(co).reference_count), (1, 1));
}

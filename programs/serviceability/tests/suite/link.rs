//! Backbone links, within one contributor and between two.

use dz_sdk::{
    build,
    instruction::link::{self as ix, LinkNumbers},
};
use dz_serviceability::{
    ID as P, pda,
    state::{Bootstrap, Link, LinkDrain, LinkEnd, LinkNetwork, LinkStatus, LinkType, PoolKind},
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::support::{Error, LINK_NUMBERS, Net, ip, net, signer, with_account};

/// Two devices of `co` and one of `other`, each with a port `Ethernet1`.
async fn three_devices() -> (Net, [Pubkey; 3], [Pubkey; 3]) {
    let mut n = Net::with_metro().await;
    let (o, other) = (signer(&n.keys.owner), signer(&n.keys.other));
    let a = n.device("a", "9.0.0.1", "9.0.1.0/29").await;
    let b = n.device("b", "9.0.0.2", "9.0.2.0/29").await;
    let args = n.device_args("z", "9.0.0.3", Bootstrap::OwnPrefix);
    let create = dz_sdk::instruction::device::create_device;
    n.ok(&other, [create(&P, &other.pubkey(), n.other(), n.nyc(), 100, args)]).await;
    let z = pda::device(&P, "z").0;
    let ports = [n.port(a, "et1", &o).await, n.port(b, "et1", &o).await, n.port(z, "et1", &other).await];
    (n, [a, b, z], ports)
}

#[tokio::test]
async fn a_life_within_one_contributor() {
    let (mut n, devices, ports) = three_devices().await;
    let (o, a) = (signer(&n.keys.owner), signer(&n.keys.activator));
    let (ok, ak, key) = (o.pubkey(), a.pubkey(), pda::link(&P, "a-b").0);
    n.ok(&o, [build::create_link(&n.view, &ok, "a-b", ports[0], ports[1], LINK_NUMBERS).unwrap()]).await;
    let fresh = Link {
        code: "a-b".into(),
        contributor: n.co(),
        link_type: LinkType::Wan,
        side_a: LinkEnd { device: devices[0], interface: ports[0] },
        side_z: LinkEnd { device: devices[1], interface: ports[1] },
        status: LinkStatus::Pending,
        drained_by_a: LinkDrain::None,
        drained_by_z: LinkDrain::None,
        accepted: true,
        network: None,
        delay_ns: LINK_NUMBERS.delay_ns,
        bandwidth: LINK_NUMBERS.bandwidth,
        mtu: LINK_NUMBERS.mtu,
    };
    assert_eq!(n.get_link(key), fresh);
    let counts = |n: &Net| {
        let links = devices.map(|device| n.get_device(device).link_count);
        (links, n.get_contributor(n.co()).reference_count, ports.map(|port| n.get_interface(port).link))
    };
    assert_eq!(counts(&n), ([1, 1, 0], 3, [Some(key), Some(key), None]));
    n.ok(&a, [build::activate_link(&n.view, &ak, key, net("172.16.0.0/31")).unwrap()]).await;
    let pool = pda::pool(&P, PoolKind::DeviceTunnelBlock, &pda::config(&P).0, ip("172.16.0.0").into()).0;
    let network = Some(LinkNetwork { net: net("172.16.0.0/31"), pool });
    let active = Link { status: LinkStatus::Activated, network, ..fresh };
    assert_eq!(n.get_link(key), active);
    n.ok(&o, [ix::update_link(&P, &ok, n.co(), key, 10_000, 400_000_000_000)]).await;
    assert_eq!(n.get_link(key), Link { delay_ns: 10_000, bandwidth: 400_000_000_000, ..active });
    n.refused(&o, build::delete_link(&n.view, &ok, key).unwrap(), Error::LinkStillActivated).await;
    for status in [LinkStatus::SoftDrained, LinkStatus::Activated, LinkStatus::HardDrained] {
        n.ok(&o, [build::set_link_status(&n.view, &ok, key, status).unwrap()]).await;
        assert_eq!(n.get_link(key).status, status);
    }
    n.ok(&o, [build::delete_link(&n.view, &ok, key).unwrap()]).await;
    n.ok(&a, [build::close_link(&n.view, &ak, key).unwrap()]).await;
    assert_eq!((n.view.link(&key), counts(&n)), (None, ([0, 0, 0], 2, [None, None, None])));
    assert_eq!(n.view.pool(&pool).unwrap().used(), 0);
}

#[tokio::test]
async fn another_contributors_side_is_bound_when_it_accepts() {
    let (mut n, devices, ports) = three_devices().await;
    let (o, a, other) = (signer(&n.keys.owner), signer(&n.keys.activator), signer(&n.keys.other));
    let (ok, ak, zk, key) = (o.pubkey(), a.pubkey(), other.pubkey(), pda::link(&P, "a-z").0);
    n.ok(&o, [build::create_link(&n.view, &ok, "a-z", ports[0], ports[2], LINK_NUMBERS).unwrap()]).await;
    let requested = n.get_link(key);
    assert_eq!(
        (requested.link_type, requested.status, requested.accepted),
        (LinkType::Dzx, LinkStatus::Requested, false)
    );
    assert_eq!((n.get_device(devices[2]).link_count, n.get_interface(ports[2]).link), (0, None));
    n.refused(&a, build::activate_link(&n.view, &ak, key, net("172.16.0.0/31")).unwrap(), Error::LinkNotPending).await;
    n.refused(&o, build::accept_link(&n.view, &ok, key).unwrap(), Error::NotContributorOwner).await;
    let mine = ix::accept_link(&P, &ok, n.co(), requested.side_a, key);
    n.refused(&o, mine, Error::NotALinkEnd).await;
    let not_mine = ix::accept_link(&P, &zk, n.other(), requested.side_a, key);
    n.refused(&other, not_mine, Error::WrongContributor).await;
    n.ok(&other, [build::accept_link(&n.view, &zk, key).unwrap()]).await;
    assert_eq!((n.get_device(devices[2]).link_count, n.get_interface(ports[2]).link), (1, Some(key)));
    n.refused(&other, build::accept_link(&n.view, &zk, key).unwrap(), Error::LinkNotRequested).await;
    n.ok(&a, [build::activate_link(&n.view, &ak, key, net("172.16.0.2/31")).unwrap()]).await;
    // Either side may drain it; only side A may change it.
    n.ok(&other, [build::set_link_status(&n.view, &zk, key, LinkStatus::HardDrained).unwrap()]).await;
    let update = ix::update_link(&P, &zk, n.other(), key, 10_000, 10_000_000_000);
    n.refused(&other, update, Error::WrongContributor).await;
    n.ok(&o, [build::delete_link(&n.view, &ok, key).unwrap()]).await;
    n.ok(&a, [build::close_link(&n.view, &ak, key).unwrap()]).await;
    assert_eq!((n.get_device(devices[2]).link_count, n.get_interface(ports[2]).link), (0, None));

    // One that nobody accepted goes without side Z, which may be gone by then.
    n.ok(&o, [build::create_link(&n.view, &ok, "a-z", ports[0], ports[2], LINK_NUMBERS).unwrap()]).await;
    n.ok(&other, [build::delete_interface(&n.view, &zk, ports[2]).unwrap()]).await;
    n.refused(&other, build::accept_link(&n.view, &zk, key).unwrap(), Error::InterfaceDeleting).await;
    n.ok(&a, [build::close_interface(&n.view, &ak, ports[2]).unwrap()]).await;
    n.ok(&o, [build::delete_link(&n.view, &ok, key).unwrap()]).await;
    n.ok(&a, [build::close_link(&n.view, &ak, key).unwrap()]).await;
    assert_eq!(n.view.link(&key), None);
}

/// Pitfall 15.
#[tokio::test]
async fn a_network_is_given_once() {
    let (mut n, devices, ports) = three_devices().await;
    let (o, a) = (signer(&n.keys.owner), signer(&n.keys.activator));
    let (ok, ak) = (o.pubkey(), a.pubkey());
    let more = [n.port(devices[0], "et2", &o).await, n.port(devices[1], "et2", &o).await];
    for (code, [from, to]) in [("one", [ports[0], ports[1]]), ("two", more)] {
        n.ok(&o, [build::create_link(&n.view, &ok, code, from, to, LINK_NUMBERS).unwrap()]).await;
    }
    let (one, two) = (pda::link(&P, "one").0, pda::link(&P, "two").0);
    let give = |n: &Net, key, network| build::activate_link(&n.view, &ak, key, net(network)).unwrap();
    n.ok(&a, [give(&n, one, "172.16.0.0/31")]).await;
    n.refused(&a, give(&n, two, "172.16.0.0/31"), Error::UnitTaken).await;
    // A drained link keeps its own.
    n.ok(&o, [build::set_link_status(&n.view, &ok, one, LinkStatus::HardDrained).unwrap()]).await;
    n.refused(&a, give(&n, two, "172.16.0.0/31"), Error::UnitTaken).await;
    n.ok(&o, [build::delete_link(&n.view, &ok, one).unwrap()]).await;
    n.refused(&a, give(&n, two, "172.16.0.0/31"), Error::UnitTaken).await;
    n.ok(&a, [build::close_link(&n.view, &ak, one).unwrap()]).await;
    n.ok(&a, [give(&n, two, "172.16.0.0/31")]).await;
}

#[tokio::test]
async fn refusals() {
    let (mut n, devices, ports) = three_devices().await;
    let (o, a, s) = (signer(&n.keys.owner), signer(&n.keys.activator), signer(&n.keys.stranger));
    let (ok, ak, sk) = (o.pubkey(), a.pubkey(), s.pubkey());
    let create =
        |n: &Net, code: &str, z, numbers| build::create_link(&n.view, &ok, code, ports[0], z, numbers).unwrap();
    n.refused(&o, create(&n, "A-B", ports[1], LINK_NUMBERS), Error::InvalidCode).await;
    for (numbers, error) in [
        (LinkNumbers { delay_ns: 9_999, ..LINK_NUMBERS }, Error::InvalidDelay),
        (LinkNumbers { delay_ns: 1_000_000_001, ..LINK_NUMBERS }, Error::InvalidDelay),
        (LinkNumbers { bandwidth: 9_999_999_999, ..LINK_NUMBERS }, Error::InvalidBandwidth),
        (LinkNumbers { bandwidth: u64::MAX, ..LINK_NUMBERS }, Error::InvalidBandwidth),
        (LinkNumbers { mtu: 1279, ..LINK_NUMBERS }, Error::InvalidMtu),
        (LinkNumbers { mtu: 9217, ..LINK_NUMBERS }, Error::InvalidMtu),
    ] {
        n.refused(&o, create(&n, "a-b", ports[1], numbers), error).await;
    }
    // Two ends on one device are one account twice.
    let second = n.port(devices[0], "et2", &o).await;
    n.refused(&o, create(&n, "a-a", second, LINK_NUMBERS), Error::DuplicateAccount).await;
    let loopback = pda::interface(&P, &devices[1], "Loopback100").0;
    n.refused(&o, create(&n, "a-b", loopback, LINK_NUMBERS), Error::InterfaceNotPhysical).await;
    let foreign = build::create_link(&n.view, &sk, "a-b", ports[0], ports[1], LINK_NUMBERS).unwrap();
    n.refused(&s, foreign, Error::NotContributorOwner).await;
    let swapped = with_account(create(&n, "a-b", ports[1], LINK_NUMBERS), "interface_z", |meta| meta.pubkey = second);
    n.refused(&o, swapped, Error::WrongInterface).await;
    let theirs = build::create_link(&n.view, &ok, "a-b", ports[2], ports[1], LINK_NUMBERS).unwrap();
    let theirs = with_account(theirs, "contributor", |meta| meta.pubkey = n.co());
    n.refused(&o, theirs, Error::WrongContributor).await;
    let fk = n.keys.foundation.pubkey();
    let f = signer(&n.keys.foundation);
    n.ok(&f, [dz_sdk::instruction::contributor::suspend_contributor(&P, &fk, n.co())]).await;
    n.refused(&o, create(&n, "a-b", ports[1], LINK_NUMBERS), Error::ContributorNotActive).await;
    n.ok(&f, [dz_sdk::instruction::contributor::resume_contributor(&P, &fk, n.co())]).await;

    // A port may still be pending when the link is made; not when it is activated.
    let pending = build::create_interface(&n.view, &ok, devices[1], "et9", None, false).unwrap();
    n.ok(&o, [pending]).await;
    let pending = pda::interface(&P, &devices[1], "Ethernet9").0;
    n.ok(&o, [create(&n, "a-b", pending, LINK_NUMBERS)]).await;
    let key = pda::link(&P, "a-b").0;
    n.refused(&o, create(&n, "a-c", ports[1], LINK_NUMBERS), Error::InterfaceHasLink).await;
    let again = build::create_link(&n.view, &ok, "a-b", second, ports[1], LINK_NUMBERS).unwrap();
    n.refused(&o, again, Error::AlreadyExists).await;
    let activate = |n: &Net, by, to: &str| build::activate_link(&n.view, by, key, net(to)).unwrap();
    n.refused(&a, activate(&n, &ak, "172.16.0.0/31"), Error::InterfaceNotActivated).await;
    n.ok(&a, [build::activate_interface(&n.view, &ak, pending).unwrap()]).await;
    n.refused(&o, activate(&n, &ok, "172.16.0.0/31"), Error::NotActivator).await;
    n.refused(&a, activate(&n, &ak, "172.16.0.0/30"), Error::NotATunnelNet).await;
    let mut outside = activate(&n, &ak, "172.16.0.0/31");
    outside.data =
        dz_serviceability::instruction::ServiceabilityInstruction::ActivateLink { net: net("172.17.0.0/31") }.encode(0);
    n.refused(&a, outside, Error::OutsidePool).await;
    let wrong_end = with_account(activate(&n, &ak, "172.16.0.0/31"), "interface_z", |meta| meta.pubkey = ports[1]);
    n.refused(&a, wrong_end, Error::WrongInterface).await;
    let status = |n: &Net, by, to| build::set_link_status(&n.view, by, key, to).unwrap();
    n.refused(&o, status(&n, &ok, LinkStatus::SoftDrained), Error::LinkNotActivated).await;
    n.ok(&a, [activate(&n, &ak, "172.16.0.0/31")]).await;
    n.refused(&a, activate(&n, &ak, "172.16.0.2/31"), Error::LinkNotPending).await;
    n.refused(&o, status(&n, &ok, LinkStatus::Deleting), Error::InvalidLinkStatus).await;
    n.refused(&o, status(&n, &ok, LinkStatus::Pending), Error::InvalidLinkStatus).await;
    n.refused(&s, status(&n, &sk, LinkStatus::SoftDrained), Error::NotContributorOwner).await;
    let other = signer(&n.keys.other);
    let outsider = ix::set_link_status(&P, &other.pubkey(), n.other(), devices[2], key, LinkStatus::SoftDrained);
    n.refused(&other, outsider, Error::NotALinkEnd).await;
    n.refused(&o, ix::update_link(&P, &ok, n.co(), key, 1, 10_000_000_000), Error::InvalidDelay).await;
    n.refused(&s, build::delete_link(&n.view, &sk, key).unwrap(), Error::NotContributorOwner).await;
    n.refused(&a, build::close_link(&n.view, &ak, key).unwrap(), Error::LinkNotDeleting).await;
    n.ok(&o, [status(&n, &ok, LinkStatus::HardDrained)]).await;
    n.ok(&o, [build::delete_link(&n.view, &ok, key).unwrap()]).await;
    n.refused(&o, build::delete_link(&n.view, &ok, key).unwrap(), Error::LinkDeleting).await;
    n.refused(&o, build::close_link(&n.view, &ok, key).unwrap(), Error::NotActivator).await;
    n.refused(&o, ix::update_link(&P, &ok, n.co(), key, 10_000, 10_000_000_000), Error::LinkDeleting).await;
}

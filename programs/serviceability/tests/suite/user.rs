//! Taking a seat: who may, where, with which roles, and what is in the way.

use dz_sdk::{build, instruction as ix, instruction::access_pass::PassLimits};
use dz_serviceability::{
    ID as P, pda,
    state::{Bootstrap, DeviceCaps, DeviceCounts, DeviceType, User, UserStatus, UserType},
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::support::{BOTH, Error, NONE, Net, PUBLISH, SUBSCRIBE, caps, ip, place_of, signer, with_account};

use UserType::{Ibrl, IbrlWithAllocatedIp, Multicast};

/// `nyc1` with endpoints 9.0.1.1 and .2, group `mg01`, and a pass of 9.1.0.1 that may do everything with it.
async fn network() -> (Net, Pubkey, Pubkey, Pubkey) {
    let mut n = Net::with_metro().await;
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let (group, pass) = (n.group("mg01", 0).await, n.pass("9.1.0.1").await);
    n.allow(pass, group).await;
    (n, device, group, pass)
}

#[tokio::test]
async fn two_tunnels_of_one_client_end_on_two_endpoints_of_one_device() {
    let (mut n, device, group, pass) = network().await;
    let payer = n.keys.payer.pubkey();
    let unicast = n.pending_user("9.1.0.1", "9.0.1.1", Ibrl, vec![]).await;
    let multicast = n.pending_user("9.1.0.1", "9.0.1.2", Multicast, vec![(group, BOTH)]).await;
    let fresh = User {
        client_ip: ip("9.1.0.1"),
        endpoint_ip: ip("9.0.1.1"),
        owner: payer,
        access_pass: pass,
        device,
        interface: pda::interface(&P, &device, "Loopback100").0,
        user_type: Ibrl,
        tenant: None,
        status: UserStatus::Pending,
        allocation: None,
        publishers: vec![],
        subscribers: vec![],
        reject_reason: String::new(),
    };
    let second = User {
        endpoint_ip: ip("9.0.1.2"),
        interface: pda::interface(&P, &device, "Loopback101").0,
        user_type: Multicast,
        publishers: vec![group],
        subscribers: vec![group],
        ..fresh.clone()
    };
    assert_eq!((n.get_user(unicast), n.get_user(multicast)), (fresh, second));
    let counts = DeviceCounts { unicast_users: 1, multicast_subscribers: 0, multicast_publishers: 1 };
    assert_eq!(n.get_device(device).counts, counts);
    assert_eq!((n.get_pass(pass).unicast_users, n.get_pass(pass).multicast_users), (1, 1));
    assert_eq!((n.get_group(group).publisher_count, n.get_group(group).subscriber_count), (1, 1));
    assert_eq!(dz_sdk::audit::audit(&n.view), []);
}

/// Pitfalls 1 to 6 and 11 of the live network: one pair, one tunnel, on an endpoint that is really there.
#[tokio::test]
async fn invariant_u_for_every_signer() {
    let (mut n, device, group, _) = network().await;
    let (p, f) = (signer(&n.keys.payer), signer(&n.keys.foundation));
    n.pending_user("9.1.0.1", "9.0.1.1", Ibrl, vec![]).await;
    // The same again, the other service, another payer, the foundation.
    n.refused(&p, n.create_user("9.1.0.1", "9.0.1.1", Ibrl), Error::EndpointInUse).await;
    let multicast = n.create_user_with("9.1.0.1", "9.0.1.1", Multicast, None, vec![(group, SUBSCRIBE)]);
    n.refused(&p, multicast.clone(), Error::EndpointInUse).await;
    let mut by_foundation = multicast;
    by_foundation.accounts[0].pubkey = f.pubkey();
    n.refused(&f, by_foundation, Error::EndpointInUse).await;
    let s = signer(&n.keys.stranger);
    let any = ix::access_pass::set_access_pass(&P, &f.pubkey(), ip("0.0.0.0"), s.pubkey(), PassLimits::default(), None);
    n.ok(&f, [any]).await;
    let wanted = build::CreateUser {
        client_ip: ip("9.1.0.1"),
        endpoint_ip: ip("9.0.1.1"),
        user_type: Ibrl,
        tenant: None,
        roles: vec![],
    };
    let by_stranger = build::create_user(&n.view, &s.pubkey(), &s.pubkey(), wanted).unwrap();
    n.refused(&s, by_stranger, Error::EndpointInUse).await;

    // An endpoint of another device, one that is none, one that is pending, and "0.0.0.0".
    let far = n.device("far", "9.0.0.7", "9.0.8.0/29").await;
    let good = n.create_user_with("9.1.0.1", "9.0.1.2", Multicast, None, vec![(group, SUBSCRIBE)]);
    n.refused(&p, with_account(good.clone(), "device", |meta| meta.pubkey = far), Error::WrongInterface).await;
    let mismatch = pda::interface(&P, &device, "Loopback100").0;
    n.refused(&p, with_account(good.clone(), "interface", |meta| meta.pubkey = mismatch), Error::EndpointMismatch)
        .await;
    let o = signer(&n.keys.owner);
    for (name, address, endpoint) in [("lo7", "9.0.5.1", true), ("lo8", "9.0.5.2", false)] {
        let create = build::create_interface(&n.view, &o.pubkey(), device, name, Some(ip(address)), endpoint).unwrap();
        n.ok(&o, [create]).await;
    }
    n.refused(&p, n.create_user("9.1.0.1", "9.0.5.1", Ibrl), Error::NotAnEndpoint).await;
    let a = signer(&n.keys.activator);
    let plain = pda::interface(&P, &device, "Loopback8").0;
    n.ok(&a, [build::activate_interface(&n.view, &a.pubkey(), plain).unwrap()]).await;
    n.refused(&p, n.create_user("9.1.0.1", "9.0.5.2", Ibrl), Error::NotAnEndpoint).await;
    let nowhere = ix::user::create_user(
        &P,
        &p.pubkey(),
        ix::user::CreateUser {
            access_pass: good.accounts[place_of(&good, "access_pass")].pubkey,
            device,
            interface: mismatch,
            client_ip: ip("9.1.0.1"),
            endpoint_ip: ip("0.0.0.0"),
            user_type: Ibrl,
            tenant: None,
            roles: vec![],
            old_payer: None,
            named_pass: None,
        },
    );
    n.refused(&p, nowhere, Error::EndpointMismatch).await;
    n.refused(&p, with_account(good.clone(), "user", |meta| meta.pubkey = mismatch), Error::WrongAccountType).await;
    let swapped = good.accounts[place_of(&good, "interface")].pubkey;
    n.refused(&p, with_account(good.clone(), "user", |meta| meta.pubkey = swapped), Error::DuplicateAccount).await;
    n.ok(&p, [good]).await;
}

#[tokio::test]
async fn the_pass_decides_who_and_how_many() {
    let (mut n, _, group, pass) = network().await;
    let (f, p, s) = (signer(&n.keys.foundation), signer(&n.keys.payer), signer(&n.keys.stranger));
    let fk = f.pubkey();
    let good = n.create_user("9.1.0.1", "9.0.1.1", Ibrl);
    let mut stolen = good.clone();
    stolen.accounts[0].pubkey = s.pubkey();
    n.refused(&s, stolen, Error::NotPassPayer).await;
    n.pass("9.1.0.2").await;
    let elsewhere = with_account(n.create_user("9.1.0.2", "9.0.1.1", Ibrl), "access_pass", |meta| meta.pubkey = pass);
    n.refused(&p, elsewhere, Error::PassForOtherAddress).await;
    n.pass("0.0.0.0").await;
    n.refused(&p, n.create_user("10.0.0.1", "9.0.1.1", Ibrl), Error::AddressNotPublic).await;
    // Its dz_ip would be one that publishers, or users of a carved prefix, are given.
    for client in ["148.51.120.1", "45.33.0.3"] {
        n.refused(&p, n.create_user(client, "9.0.1.1", Ibrl), Error::AddressInBlock).await;
    }
    let any = ix::access_pass::pass_address(&P, ip("0.0.0.0"), &p.pubkey(), None);
    n.ok(&f, build::close_access_pass(&n.view, &fk, any).unwrap()).await;

    n.pending_user("9.1.0.1", "9.0.1.1", Ibrl, vec![]).await;
    n.refused(&p, n.create_user("9.1.0.1", "9.0.1.2", Ibrl), Error::PassUnicastFull).await;
    n.pending_user("9.1.0.1", "9.0.1.2", Multicast, vec![(group, SUBSCRIBE)]).await;
    n.device("far", "9.0.0.7", "9.0.8.0/29").await;
    let third = n.create_user_with("9.1.0.1", "9.0.8.1", Multicast, None, vec![(group, SUBSCRIBE)]);
    n.refused(&p, third.clone(), Error::PassMulticastFull).await;
    // Simultaneous tunnels are not limited to two: a pass may allow more.
    let more = PassLimits { max_unicast_users: 2, max_multicast_users: 2, ..PassLimits::default() };
    n.pass_with("9.1.0.1", more, &[]).await;
    n.ok(&p, [third]).await;
    n.ok(&p, [n.create_user("9.1.0.1", "9.0.8.2", IbrlWithAllocatedIp)]).await;
    assert_eq!(dz_sdk::audit::audit(&n.view), []);

    // The epoch bars unicast users only (pitfall 38).
    n.warp_to_epoch(5);
    n.blockhash().await;
    let late = PassLimits { last_access_epoch: 0, ..more };
    n.pass_with("9.1.0.3", late, &[]).await;
    let pass = ix::access_pass::pass_address(&P, ip("9.1.0.3"), &p.pubkey(), None);
    n.ok(&f, [ix::access_pass::set_pass_group(&P, &fk, pass, group, None, (false, true))]).await;
    n.refused(&p, n.create_user("9.1.0.3", "9.0.1.1", Ibrl), Error::PassExpired).await;
    n.pending_user("9.1.0.3", "9.0.1.1", Multicast, vec![(group, SUBSCRIBE)]).await;
}

#[tokio::test]
async fn tenants_are_for_unicast_users() {
    let (mut n, _, group, _) = network().await;
    let (f, p) = (signer(&n.keys.foundation), signer(&n.keys.payer));
    let (mine, other) = (n.tenant("mine", 2).await, n.tenant("other", 3).await);
    let pass = n.pass_with("9.1.0.2", PassLimits::default(), &[mine]).await;
    n.allow(pass, group).await;
    let create = |n: &Net, tenant| n.create_user_with("9.1.0.2", "9.0.1.1", Ibrl, tenant, vec![]);
    n.refused(&p, create(&n, None), Error::TenantRequired).await;
    n.refused(&p, create(&n, Some(other)), Error::TenantNotAllowed).await;
    n.ok(&p, [create(&n, Some(mine))]).await;
    let user = pda::user(&P, ip("9.1.0.2"), ip("9.0.1.1")).0;
    assert_eq!((n.get_user(user).tenant, n.get_tenant(mine).reference_count), (Some(mine), 2));
    // A tenant's pass does not stand in the way of multicast.
    n.pending_user("9.1.0.2", "9.0.1.2", Multicast, vec![(group, SUBSCRIBE)]).await;

    let pending = pda::tenant(&P, "pending").0;
    n.ok(&f, [ix::tenant::create_tenant(&P, &f.pubkey(), "pending", vec![])]).await;
    n.pass_with("9.1.0.3", PassLimits::default(), &[pending]).await;
    let early = n.create_user_with("9.1.0.3", "9.0.1.1", Ibrl, Some(pending), vec![]);
    n.refused(&p, early, Error::TenantNotActivated).await;
}

#[tokio::test]
async fn roles_are_within_the_allowlists() {
    let (mut n, _, group, pass) = network().await;
    let (f, p) = (signer(&n.keys.foundation), signer(&n.keys.payer));
    let fk = f.pubkey();
    let create = |n: &Net, roles| n.create_user_with("9.1.0.1", "9.0.1.1", Multicast, None, roles);
    n.refused(&p, create(&n, vec![]), Error::RolesRequired).await;
    n.refused(&p, create(&n, vec![(group, NONE)]), Error::EmptyRole).await;
    n.refused(&p, create(&n, vec![(group, PUBLISH), (group, SUBSCRIBE)]), Error::DuplicateAccount).await;
    let mut short = create(&n, vec![(group, PUBLISH)]);
    short.accounts.pop();
    n.refused(&p, short, Error::RolesMismatch).await;
    let unicast = n.create_user_with("9.1.0.1", "9.0.1.1", Ibrl, None, vec![(group, PUBLISH)]);
    n.refused(&p, unicast, Error::UnicastWithRoles).await;
    let other = n.group("other", 1).await;
    n.refused(&p, create(&n, vec![(group, PUBLISH), (other, PUBLISH)]), Error::PublishNotAllowed).await;
    n.refused(&p, create(&n, vec![(other, SUBSCRIBE)]), Error::SubscribeNotAllowed).await;
    n.ok(&f, [ix::access_pass::set_pass_group(&P, &fk, pass, other, None, (false, true))]).await;
    n.refused(&p, create(&n, vec![(other, BOTH)]), Error::PublishNotAllowed).await;
    let pending = pda::multicast_group(&P, "pending").0;
    n.ok(&f, [ix::multicast_group::create_multicast_group(&P, &fk, "pending", fk, 1)]).await;
    n.allow(pass, pending).await;
    n.refused(&p, create(&n, vec![(pending, SUBSCRIBE)]), Error::GroupNotActivated).await;

    let mut many = vec![];
    for index in 0..13 {
        let group = n.group(&format!("g{index}"), 2 + index).await;
        n.allow(pass, group).await;
        many.push((group, SUBSCRIBE));
    }
    n.refused(&p, create(&n, many.clone()), Error::TooManyRoles).await;
    many.pop();
    n.ok(&p, [create(&n, many)]).await;
}

/// Pitfall 29 and the caps of RFC 13: a cap is the most there may be, for the device and for a kind.
#[tokio::test]
async fn capacity_is_counted_by_kind() {
    let (mut n, device, group, _) = network().await;
    let (o, p) = (signer(&n.keys.owner), signer(&n.keys.payer));
    let many = PassLimits { max_unicast_users: 9, max_multicast_users: 9, ..PassLimits::default() };
    let pass = n.pass_with("0.0.0.0", many, &[]).await;
    n.allow(pass, group).await;
    let set = async |n: &mut Net, caps: DeviceCaps, kind| {
        let update = build::update_device(&n.view, &o.pubkey(), device, kind, caps, 2).unwrap();
        n.ok(&o, [update]).await;
    };
    let unicast = |n: &Net, client| n.create_user(client, "9.0.1.1", Ibrl);
    let multicast = |n: &Net, client, role| n.create_user_with(client, "9.0.1.1", Multicast, None, vec![(group, role)]);

    set(&mut n, caps(0), DeviceType::Hybrid).await;
    n.refused(&p, unicast(&n, "9.2.0.1"), Error::DeviceClosed).await;
    set(&mut n, caps(9), DeviceType::Transit).await;
    n.refused(&p, unicast(&n, "9.2.0.1"), Error::DeviceClosed).await;
    let tight = DeviceCaps {
        max_users: 9,
        max_unicast_users: 1,
        max_multicast_subscribers: 1,
        max_multicast_publishers: 1,
        ..DeviceCaps::default()
    };
    set(&mut n, tight, DeviceType::Edge).await;
    n.ok(&p, [unicast(&n, "9.2.0.1")]).await;
    n.refused(&p, unicast(&n, "9.2.0.2"), Error::DeviceUnicastFull).await;
    n.ok(&p, [multicast(&n, "9.2.0.2", SUBSCRIBE)]).await;
    n.refused(&p, multicast(&n, "9.2.0.3", SUBSCRIBE), Error::DeviceSubscribersFull).await;
    n.ok(&p, [multicast(&n, "9.2.0.3", BOTH)]).await;
    n.refused(&p, multicast(&n, "9.2.0.4", PUBLISH), Error::DevicePublishersFull).await;
    let counts = DeviceCounts { unicast_users: 1, multicast_subscribers: 1, multicast_publishers: 1 };
    assert_eq!(n.get_device(device).counts, counts);
    set(&mut n, caps(3), DeviceType::Hybrid).await;
    n.refused(&p, unicast(&n, "9.2.0.5"), Error::DeviceFull).await;
    set(&mut n, DeviceCaps { reserved_seats: 1, ..caps(4) }, DeviceType::Hybrid).await;
    n.refused(&p, unicast(&n, "9.2.0.5"), Error::DeviceFull).await;
    // What one service has reserved and not taken is not for the other: of four seats three are taken.
    let kept = DeviceCaps { reserved_unicast: 2, reserved_multicast: 2, ..caps(4) };
    set(&mut n, kept, DeviceType::Hybrid).await;
    n.refused(&p, multicast(&n, "9.2.0.5", PUBLISH), Error::DeviceFull).await;
    set(&mut n, DeviceCaps { reserved_multicast: 3, ..caps(4) }, DeviceType::Hybrid).await;
    n.refused(&p, unicast(&n, "9.2.0.5"), Error::DeviceFull).await;
    set(&mut n, caps(4), DeviceType::Hybrid).await;
    n.ok(&p, [unicast(&n, "9.2.0.5")]).await;
    // A cap may fall below what is there; nobody is thrown out.
    set(&mut n, caps(1), DeviceType::Hybrid).await;
    assert_eq!(n.get_device(device).counts.users(), 4);

    // Neither pending nor drained devices take users.
    let far = n.pending_device("far", "9.0.0.7", Bootstrap::OwnEndpoints).await;
    let own = build::create_interface(&n.view, &o.pubkey(), far, "lo7", Some(ip("9.0.0.8")), true).unwrap();
    n.ok(&o, [own]).await;
    n.refused(&p, n.create_user("9.2.0.9", "9.0.0.8", Ibrl), Error::DeviceNotActivated).await;
    n.ok(&o, [build::drain_device(&n.view, &o.pubkey(), device).unwrap()]).await;
    n.refused(&p, unicast(&n, "9.2.0.9"), Error::DeviceNotActivated).await;
}

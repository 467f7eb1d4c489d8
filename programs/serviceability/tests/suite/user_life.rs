//! A user after it has its seat: activation, roles, refusal, end, ban; and every unit back where it came from.

use dz_sdk::{
    audit::audit,
    build,
    instruction::{self as ix, access_pass::PassLimits, user::Grant},
};
use dz_serviceability::{
    ID as P,
    instruction::RoleChange,
    pda,
    state::{
        AccessPass, Bootstrap, DeviceCaps, DeviceCounts, DeviceType, PoolKind, Roles, User, UserAllocation, UserStatus,
        UserType,
    },
};
use rstest::rstest;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::support::{BOTH, Error, NONE, Net, PUBLISH, SUBSCRIBE, caps, grant, ip, net, signer, with_account};

use UserType::{EdgeFiltering, Ibrl, IbrlWithAllocatedIp, Multicast};

/// `nyc1` with endpoints 9.0.1.1 and .2, groups `mg01` and `mg02`, and a pass of anywhere that may do everything.
async fn network() -> (Net, Pubkey, [Pubkey; 2], Pubkey) {
    let mut n = Net::with_metro().await;
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let groups = [n.group("mg01", 0).await, n.group("mg02", 1).await];
    let many = PassLimits { max_unicast_users: 20, max_multicast_users: 20, ..PassLimits::default() };
    let pass = n.pass_with("0.0.0.0", many, &[]).await;
    for group in groups {
        n.allow(pass, group).await;
    }
    (n, device, groups, pass)
}

fn pool(kind: PoolKind, owner: Pubkey, base: &str) -> Pubkey {
    pda::pool(&P, kind, &owner, ip(base).into()).0
}

fn config() -> Pubkey {
    pda::config(&P).0
}

/// What is taken of the pools users draw from: networks, ids, prefix, publishers.
fn taken(n: &Net, device: Pubkey) -> [u32; 4] {
    [
        n.pool_at(PoolKind::UserTunnelBlock, config(), "169.254.0.0").used(),
        n.view.pool_at(PoolKind::TunnelIds, &device, 500).unwrap().1.used(),
        n.pool_at(PoolKind::DevicePrefix, device, "9.0.1.0").used(),
        n.pool_at(PoolKind::MulticastPublisherBlock, config(), "148.51.120.0").used(),
    ]
}

/// A pass, whatever was asked under it this hour.
fn idle(pass: AccessPass) -> AccessPass {
    AccessPass { requests: Default::default(), ..pass }
}

#[rstest]
#[case::ibrl(Ibrl, None, "9.2.0.1", None)]
#[case::allocated(IbrlWithAllocatedIp, None, "9.0.1.3", Some(PoolKind::DevicePrefix))]
#[case::subscriber(Multicast, Some(SUBSCRIBE), "9.2.0.1", None)]
#[case::publisher(Multicast, Some(PUBLISH), "148.51.120.0", Some(PoolKind::MulticastPublisherBlock))]
#[case::both(Multicast, Some(BOTH), "148.51.127.255", Some(PoolKind::MulticastPublisherBlock))]
#[tokio::test]
async fn a_life(
    #[case] user_type: UserType,
    #[case] role: Option<Roles>,
    #[case] dz_ip: &str,
    #[case] source: Option<PoolKind>,
) {
    let (mut n, device, groups, pass) = network().await;
    let (a, p) = (signer(&n.keys.activator), signer(&n.keys.payer));
    let baseline = (taken(&n, device), n.get_device(device), idle(n.get_pass(pass)), n.get_group(groups[0]));
    let roles = role.map(|role| (groups[0], role)).into_iter().collect();
    let key = n.pending_user("9.2.0.1", "9.0.1.1", user_type, roles).await;
    let fresh = n.get_user(key);
    n.ok(&a, [n.activate_user(key, 7, dz_ip)]).await;
    let dz_ip_pool = source.map(|kind| match kind {
        PoolKind::DevicePrefix => pool(kind, device, "9.0.1.0"),
        _ => pool(kind, config(), "148.51.120.0"),
    });
    let allocation = UserAllocation {
        tunnel_net: net("169.254.0.14/31"),
        tunnel_pool: pool(PoolKind::UserTunnelBlock, config(), "169.254.0.0"),
        tunnel_id: 507,
        dz_ip: ip(dz_ip),
        dz_ip_pool,
    };
    let active = User { status: UserStatus::Activated, allocation: Some(allocation), ..fresh };
    assert_eq!((n.get_user(key), audit(&n.view)), (active.clone(), vec![]));

    n.ok(&p, [build::delete_user(&n.view, &p.pubkey(), key).unwrap()]).await;
    assert_eq!(n.get_user(key), User { status: UserStatus::Deleting, ..active });
    n.ok(&a, build::close_user(&n.view, &a.pubkey(), key).unwrap()).await;
    assert_eq!(n.view.user(&key), None);
    assert_eq!((taken(&n, device), n.get_device(device), idle(n.get_pass(pass)), n.get_group(groups[0])), baseline);
}

/// Edge filtering is for addresses of the foundation's space, and takes them like any other.
#[tokio::test]
async fn edge_filtering_needs_the_foundations_space() {
    let (mut n, device, _, _) = network().await;
    let (a, ak) = (signer(&n.keys.activator), n.keys.activator.pubkey());
    let own = n.pending_user("9.2.0.1", "9.0.1.1", EdgeFiltering, vec![]).await;
    n.refused(&a, n.activate_user(own, 0, "9.0.1.3"), Error::NotFoundationsSpace).await;
    assert_eq!(taken(&n, device), [0, 0, 2, 0]);

    let given = n.pending_device("edge", "9.0.0.9", Bootstrap::CarveBlock { prefix_len: 29 }).await;
    let block = build::allocate_contributor_block(&n.view, &ak, n.co(), net("45.33.0.0/24")).unwrap();
    n.ok(&a, [block]).await;
    n.ok(&a, [build::carve_device_prefix(&n.view, &ak, given, net("45.33.0.0/29")).unwrap()]).await;
    for (number, address) in [(100, "45.33.0.1"), (101, "45.33.0.2")] {
        n.ok(&a, [build::pull_endpoint(&n.view, &ak, given, ip(address), number).unwrap()]).await;
    }
    n.ok(&a, [dz_sdk::instruction::device::activate_device(&P, &ak, given)]).await;
    let user = n.user("9.2.0.2", "45.33.0.1", EdgeFiltering, vec![], 0, "45.33.0.3").await;
    let held = n.get_user(user).allocation.unwrap();
    assert_eq!(
        (held.dz_ip, held.dz_ip_pool),
        (ip("45.33.0.3"), Some(pool(PoolKind::DevicePrefix, given, "45.33.0.0")))
    );
    assert_eq!(audit(&n.view), vec![]);
}

/// Pitfalls 14, 20, 23, 27: nothing is given twice, out of range, or off its grid; index 0 of a prefix never.
#[tokio::test]
async fn allocations_are_checked_to_the_unit() {
    let (mut n, device, groups, _) = network().await;
    let (a, p) = (signer(&n.keys.activator), signer(&n.keys.payer));
    n.user("9.2.0.1", "9.0.1.1", IbrlWithAllocatedIp, vec![], 0, "9.0.1.3").await;
    let key = n.pending_user("9.2.0.2", "9.0.1.1", IbrlWithAllocatedIp, vec![]).await;
    let give = |n: &Net, key, grant: Grant| build::activate_user(&n.view, &a.pubkey(), key, grant).unwrap();
    let good = grant(1, "9.0.1.4");
    for (grant, error) in [
        (Grant { tunnel_net: net("169.254.0.0/31"), ..good }, Error::UnitTaken),
        (Grant { tunnel_net: net("169.254.0.2/32"), ..good }, Error::NotATunnelNet),
        (Grant { tunnel_net: net("169.254.0.0/30"), ..good }, Error::NotATunnelNet),
        (Grant { tunnel_id: 500, ..good }, Error::UnitTaken),
        (Grant { tunnel_id: 499, ..good }, Error::OutsidePool),
        // The device has 128 slots: an activated user always has its tunnel (pitfall 25).
        (Grant { tunnel_id: 628, ..good }, Error::OutsidePool),
        (Grant { dz_ip: ip("9.0.1.0"), ..good }, Error::ReservedUnit),
        (Grant { dz_ip: ip("9.0.1.1"), ..good }, Error::UnitTaken),
        (Grant { dz_ip: ip("9.0.1.3"), ..good }, Error::UnitTaken),
    ] {
        n.refused(&a, give(&n, key, grant), error).await;
    }
    let outside = |grant: Grant| {
        let mut instruction = give(&n, key, good);
        instruction.data = dz_serviceability::instruction::ServiceabilityInstruction::ActivateUser {
            tunnel_net: grant.tunnel_net,
            tunnel_id: grant.tunnel_id,
            dz_ip: grant.dz_ip,
        }
        .encode(0);
        instruction
    };
    let cases = [
        outside(Grant { tunnel_net: net("169.253.0.0/31"), ..good }),
        outside(Grant { dz_ip: ip("9.0.2.1"), ..good }),
        outside(Grant { dz_ip: ip("9.2.0.2"), ..good }),
    ];
    for case in cases {
        n.refused(&a, case, Error::OutsidePool).await;
    }
    // Other people's pools.
    let far = n.device("far", "9.0.0.7", "9.0.8.0/29").await;
    for (index, wrong) in [
        ("tunnel_nets", pool(PoolKind::DeviceTunnelBlock, config(), "172.16.0.0")),
        ("tunnel_ids", ix::tunnel_ids(&P, &far)),
        ("dz_ips", pool(PoolKind::DevicePrefix, far, "9.0.8.0")),
        ("dz_ips", pool(PoolKind::MulticastPublisherBlock, config(), "148.51.120.0")),
    ] {
        n.refused(&a, with_account(give(&n, key, good), index, |meta| meta.pubkey = wrong), Error::WrongPool).await;
    }
    n.refused(&p, build::activate_user(&n.view, &p.pubkey(), key, good).unwrap(), Error::NotActivator).await;
    n.ok(&a, [give(&n, key, good)]).await;
    n.refused(&a, give(&n, key, Grant { tunnel_net: net("169.254.1.0/31"), ..good }), Error::UserNotPending).await;
    // Who is known by its own address cannot be given another, and a publisher cannot keep its own.
    let ibrl = n.pending_user("9.2.0.3", "9.0.1.1", Ibrl, vec![]).await;
    n.refused(&a, give(&n, ibrl, grant(2, "9.0.1.5")), Error::InvalidDzIp).await;
    let subscriber = n.pending_user("9.2.0.4", "9.0.1.1", Multicast, vec![(groups[0], SUBSCRIBE)]).await;
    n.refused(&a, give(&n, subscriber, grant(2, "148.51.120.0")), Error::InvalidDzIp).await;
    assert_eq!((taken(&n, device), audit(&n.view)), ([2, 2, 4, 0], vec![]));
}

/// Pitfalls 16 to 19: a change of roles moves exactly one address, never the tunnel, and every count follows.
#[tokio::test]
async fn roles_move_the_dz_ip_and_the_seat_and_nothing_else() {
    let (mut n, device, groups, pass) = network().await;
    let (a, p) = (signer(&n.keys.activator), signer(&n.keys.payer));
    let (ak, pk) = (a.pubkey(), p.pubkey());
    let key = n.user("9.2.0.1", "9.0.1.1", Multicast, vec![(groups[0], SUBSCRIBE)], 3, "9.2.0.1").await;
    let before = n.get_user(key);
    let held = before.allocation.unwrap();
    let set = |roles: &[_]| ix::user::set_user_roles(&P, &pk, pass, device, key, None, roles);
    let seats = |n: &Net| {
        let DeviceCounts { multicast_subscribers, multicast_publishers, .. } = n.get_device(device).counts;
        [multicast_subscribers, multicast_publishers]
    };
    // A further subscription needs nobody's help.
    n.ok(&p, [set(&[(groups[1], SUBSCRIBE)])]).await;
    assert_eq!(n.get_user(key), User { subscribers: groups.to_vec(), ..before.clone() });
    // The first group to publish to asks for an address; the subscription to it stays (pitfall 30).
    n.ok(&p, [set(&[(groups[1], BOTH)])]).await;
    let updating =
        User { status: UserStatus::Updating, publishers: vec![groups[1]], subscribers: groups.to_vec(), ..before };
    assert_eq!((n.get_user(key), seats(&n)), (updating.clone(), [0, 1]));
    for (wrong, error) in [
        (Grant { tunnel_id: 504, ..grant(3, "148.51.120.0") }, Error::TunnelKept),
        (grant(4, "148.51.120.0"), Error::TunnelKept),
    ] {
        n.refused(&a, build::activate_user(&n.view, &ak, key, wrong).unwrap(), error).await;
    }
    n.ok(&a, [n.activate_user(key, 3, "148.51.120.0")]).await;
    let block = pool(PoolKind::MulticastPublisherBlock, config(), "148.51.120.0");
    let moved = UserAllocation { dz_ip: ip("148.51.120.0"), dz_ip_pool: Some(block), ..held };
    let publisher = User { status: UserStatus::Activated, allocation: Some(moved), ..updating };
    assert_eq!((n.get_user(key), taken(&n, device), audit(&n.view)), (publisher.clone(), [1, 1, 2, 1], vec![]));
    // A second group to publish to allocates nothing again.
    n.ok(&p, [set(&[(groups[0], BOTH)])]).await;
    assert_eq!((n.get_user(key).status, n.get_user(key).allocation), (UserStatus::Activated, Some(moved)));
    // Stopping and starting again before the activator looks is as if nothing had been.
    n.ok(&p, [set(&[(groups[0], SUBSCRIBE), (groups[1], SUBSCRIBE)])]).await;
    assert_eq!((n.get_user(key).status, seats(&n)), (UserStatus::Updating, [1, 0]));
    n.ok(&p, [set(&[(groups[1], BOTH)])]).await;
    assert_eq!((n.get_user(key), seats(&n)), (User { subscribers: n.get_user(key).subscribers, ..publisher }, [0, 1]));
    // Stopping for good gives the address back.
    n.ok(&p, [set(&[(groups[1], NONE)])]).await;
    n.refused(&a, n.activate_user(key, 3, "148.51.120.1"), Error::InvalidDzIp).await;
    n.ok(&a, [n.activate_user(key, 3, "9.2.0.1")]).await;
    assert_eq!((n.get_user(key).allocation, taken(&n, device)), (Some(held), [1, 1, 2, 0]));
    // An idle tunnel stays.
    n.ok(&p, [set(&[(groups[0], NONE)])]).await;
    assert_eq!((n.get_user(key).status, n.get_user(key).subscribers), (UserStatus::Activated, vec![]));
    assert_eq!(audit(&n.view), []);
}

/// Two commands that looked at the same moment both hold, whichever lands first.
#[tokio::test]
async fn a_role_that_a_change_does_not_name_stays() {
    let (mut n, device, groups, pass) = network().await;
    let p = signer(&n.keys.payer);
    let key = n.user("9.2.0.1", "9.0.1.1", Multicast, vec![(groups[0], SUBSCRIBE)], 3, "9.2.0.1").await;
    let set = |publish, subscribe| {
        let change = [(groups[1], RoleChange { publish, subscribe })];
        ix::user::set_user_roles(&P, &p.pubkey(), pass, device, key, None, &change)
    };
    let roles = |n: &Net| [n.get_user(key).publishers, n.get_user(key).subscribers];
    n.ok(&p, [set(Some(true), None)]).await;
    n.ok(&p, [set(None, Some(true))]).await;
    assert_eq!(roles(&n), [vec![groups[1]], groups.to_vec()]);
    n.ok(&p, [set(None, None)]).await;
    assert_eq!(roles(&n), [vec![groups[1]], groups.to_vec()]);
    n.ok(&p, [set(None, Some(false))]).await;
    n.ok(&p, [set(Some(false), None)]).await;
    assert_eq!(roles(&n), [vec![], vec![groups[0]]]);
    assert_eq!(audit(&n.view), []);
}

#[tokio::test]
async fn role_refusals() {
    let (mut n, device, groups, pass) = network().await;
    let (f, a, p, s, o) = (
        signer(&n.keys.foundation),
        signer(&n.keys.activator),
        signer(&n.keys.payer),
        signer(&n.keys.stranger),
        signer(&n.keys.owner),
    );
    let key = n.pending_user("9.2.0.1", "9.0.1.1", Multicast, vec![(groups[0], SUBSCRIBE)]).await;
    let set = |by: &Pubkey, key, roles: &[_]| ix::user::set_user_roles(&P, by, pass, device, key, None, roles);
    n.refused(&p, set(&p.pubkey(), key, &[(groups[0], NONE)]), Error::UserNotActivated).await;
    n.refused(&a, set(&a.pubkey(), key, &[(groups[0], BOTH)]), Error::ActivatorMayOnlyStrip).await;
    n.ok(&a, [n.activate_user(key, 0, "9.2.0.1")]).await;
    n.refused(&a, set(&a.pubkey(), key, &[(groups[0], NONE)]), Error::NotUserOwner).await;
    n.refused(&s, set(&s.pubkey(), key, &[(groups[0], NONE)]), Error::NotUserOwner).await;
    n.refused(&p, set(&p.pubkey(), key, &[]), Error::RolesMismatch).await;
    let mut short = set(&p.pubkey(), key, &[(groups[0], NONE), (groups[1], BOTH)]);
    short.accounts.pop();
    n.refused(&p, short, Error::RolesMismatch).await;
    n.refused(&p, set(&p.pubkey(), key, &[(groups[0], NONE); 13]), Error::DuplicateAccount).await;
    let other = n.pass("9.2.0.1").await;
    let good = set(&p.pubkey(), key, &[(groups[1], BOTH)]);
    n.refused(&p, with_account(good.clone(), "access_pass", |meta| meta.pubkey = other), Error::WrongPass).await;
    let far = n.device("far", "9.0.0.7", "9.0.8.0/29").await;
    n.refused(&p, with_account(good.clone(), "device", |meta| meta.pubkey = far), Error::WrongDevice).await;
    let third = n.group("mg03", 2).await;
    n.refused(&p, set(&p.pubkey(), key, &[(third, PUBLISH)]), Error::PublishNotAllowed).await;
    n.refused(&p, set(&p.pubkey(), key, &[(third, SUBSCRIBE)]), Error::SubscribeNotAllowed).await;
    let ibrl = n.user("9.2.0.2", "9.0.1.1", Ibrl, vec![], 1, "9.2.0.2").await;
    n.refused(&p, set(&p.pubkey(), ibrl, &[(groups[0], SUBSCRIBE)]), Error::UserNotMulticast).await;
    // A publisher's seat is asked for as if it were new (pitfall 29).
    let tight = DeviceCaps { max_multicast_publishers: 1, ..caps(96) };
    n.ok(&o, [build::update_device(&n.view, &o.pubkey(), device, DeviceType::Hybrid, tight, 2).unwrap()]).await;
    n.user("9.2.0.3", "9.0.1.1", Multicast, vec![(groups[0], PUBLISH)], 2, "148.51.120.0").await;
    n.refused(&p, good.clone(), Error::DevicePublishersFull).await;
    // The foundation may whatever the payer may.
    n.ok(&f, [set(&f.pubkey(), key, &[(groups[1], SUBSCRIBE)])]).await;
    n.ok(&p, [build::delete_user(&n.view, &p.pubkey(), key).unwrap()]).await;
    n.refused(&p, good, Error::UserDeleting).await;
    // What a pass forbids later stays until its user lets it go.
    let forbid = ix::access_pass::set_pass_group(&P, &f.pubkey(), pass, groups[0], None, (false, false));
    n.ok(&f, [forbid]).await;
    assert_eq!(audit(&n.view), []);
}

/// A refused user holds nothing and gives way; its reason is there to be read.
#[tokio::test]
async fn a_pending_user_is_rejected_and_gives_way() {
    let (mut n, device, groups, pass) = network().await;
    let (a, p) = (signer(&n.keys.activator), signer(&n.keys.payer));
    let ak = a.pubkey();
    let baseline = (taken(&n, device), n.get_device(device), idle(n.get_pass(pass)), n.get_group(groups[0]));
    let key = n.pending_user("9.2.0.1", "9.0.1.1", Multicast, vec![(groups[0], BOTH)]).await;
    let reject = |n: &Net, reason: &str| build::reject_user(&n.view, &ak, key, reason).unwrap();
    let bare = reject(&n, "no room").pop().unwrap();
    n.refused(&a, bare.clone(), Error::UserHasRoles).await;
    let short = build::reject_user_alone(&n.view, &ak, key, "").unwrap();
    n.refused(&a, short, Error::InvalidReason).await;
    let long = build::reject_user_alone(&n.view, &ak, key, &"x".repeat(257)).unwrap();
    n.refused(&a, long, Error::InvalidReason).await;
    let by_payer = build::reject_user_alone(&n.view, &p.pubkey(), key, "x").unwrap();
    n.refused(&p, by_payer, Error::NotActivator).await;
    let pending = n.get_user(key);
    n.ok(&a, reject(&n, "no room")).await;
    let rejected = User {
        status: UserStatus::Rejected,
        publishers: vec![],
        subscribers: vec![],
        reject_reason: "no room".into(),
        ..pending.clone()
    };
    assert_eq!(n.get_user(key), rejected);
    assert_eq!((taken(&n, device), n.get_device(device), idle(n.get_pass(pass)), n.get_group(groups[0])), baseline);
    n.refused(&a, bare, Error::UserNotPending).await;
    let set = ix::user::set_user_roles(&P, &p.pubkey(), pass, device, key, None, &[(groups[0], BOTH)]);
    n.refused(&p, set, Error::UserRejected).await;
    let f = signer(&n.keys.foundation);
    n.refused(&f, build::ban_user(&n.view, &f.pubkey(), key).unwrap(), Error::UserRejected).await;

    // The next attempt takes the address over, whatever it is (pitfall 40).
    n.pending_user("9.2.0.1", "9.0.1.1", Ibrl, vec![]).await;
    assert_eq!(n.get_user(key), User { user_type: Ibrl, publishers: vec![], subscribers: vec![], ..pending });
    n.ok(&a, build::reject_user(&n.view, &ak, key, "no").unwrap()).await;
    // Or it is closed at once.
    n.ok(&p, [build::delete_user(&n.view, &p.pubkey(), key).unwrap()]).await;
    assert_eq!((n.view.user(&key), audit(&n.view)), (None, vec![]));
}

#[tokio::test]
async fn a_refused_change_of_roles_leaves_the_tunnel() {
    let (mut n, device, groups, pass) = network().await;
    let (a, p) = (signer(&n.keys.activator), signer(&n.keys.payer));
    let ak = a.pubkey();
    let key = n.user("9.2.0.1", "9.0.1.1", Multicast, vec![(groups[0], SUBSCRIBE)], 0, "9.2.0.1").await;
    let before = n.get_user(key);
    n.ok(&p, [ix::user::set_user_roles(&P, &p.pubkey(), pass, device, key, None, &[(groups[0], BOTH)])]).await;
    let instructions = build::reject_user(&n.view, &ak, key, "no publisher address").unwrap();
    n.refused(&a, instructions.last().unwrap().clone(), Error::UserHasRoles).await;
    n.ok(&a, instructions).await;
    assert_eq!(n.get_user(key), User { reject_reason: "no publisher address".into(), ..before.clone() });
    assert_eq!(audit(&n.view), []);
    // The next change clears the reason.
    n.ok(&p, [ix::user::set_user_roles(&P, &p.pubkey(), pass, device, key, None, &[(groups[0], SUBSCRIBE)])]).await;
    assert_eq!(n.get_user(key), before);
}

#[tokio::test]
async fn ends() {
    let (mut n, _, groups, pass) = network().await;
    let (f, a, p, s) =
        (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.payer), signer(&n.keys.stranger));
    let (fk, ak, pk, sk) = (f.pubkey(), a.pubkey(), p.pubkey(), s.pubkey());
    let key = n.user("9.2.0.1", "9.0.1.1", Multicast, vec![(groups[0], BOTH)], 0, "148.51.120.7").await;
    n.refused(&s, build::delete_user(&n.view, &sk, key).unwrap(), Error::NotUserOwner).await;
    n.refused(&a, build::close_user(&n.view, &ak, key).unwrap().pop().unwrap(), Error::UserNotDeleting).await;
    let other = n.pass("9.2.0.1").await;
    let wrong = with_account(build::delete_user(&n.view, &pk, key).unwrap(), "access_pass", |meta| meta.pubkey = other);
    n.refused(&p, wrong, Error::WrongPass).await;
    // The tunnel that is going still stands in the way of the same pair (pitfall 40).
    n.ok(&p, [build::delete_user(&n.view, &pk, key).unwrap()]).await;
    n.refused(&p, build::delete_user(&n.view, &pk, key).unwrap(), Error::UserDeleting).await;
    n.refused(&p, n.create_user("9.2.0.1", "9.0.1.1", Ibrl), Error::UserDeleting).await;
    n.refused(&f, build::ban_user(&n.view, &fk, key).unwrap(), Error::UserDeleting).await;
    n.refused(&a, build::finish_ban(&n.view, &ak, key).unwrap().pop().unwrap(), Error::UserNotPendingBan).await;
    let end = build::close_user(&n.view, &ak, key).unwrap();
    let (close, strips) = end.split_last().unwrap();
    n.refused(&a, close.clone(), Error::UserHasRoles).await;
    n.refused(&p, build::close_user(&n.view, &pk, key).unwrap().pop().unwrap(), Error::NotActivator).await;
    n.ok(&a, strips.to_vec()).await;
    // Every account of what goes back is checked (pitfall 22): none can be left out or swapped.
    let far = n.device("far", "9.0.0.7", "9.0.8.0/29").await;
    let far_interface = pda::interface(&P, &far, "Loopback100").0;
    for (index, wrong, error) in [
        ("device", far, Error::WrongDevice),
        ("interface", far_interface, Error::WrongInterface),
        ("access_pass", other, Error::WrongPass),
        ("client", pda::client(&P, ip("9.2.0.9")).0, Error::AccountNotFound),
        ("tunnel_ids", ix::tunnel_ids(&P, &far), Error::WrongPool),
        ("dz_ips", pool(PoolKind::DevicePrefix, far, "9.0.8.0"), Error::WrongPool),
    ] {
        n.refused(&a, with_account(close.clone(), index, |meta| meta.pubkey = wrong), error).await;
    }
    for missing in 1..=3 {
        let mut short = close.clone();
        short.accounts.truncate(close.accounts.len() - missing);
        n.refused(&a, short, Error::MissingAccount).await;
    }
    n.ok(&a, [close.clone()]).await;
    assert_eq!((n.view.user(&key), n.get_pass(pass).multicast_users, audit(&n.view)), (None, 0, vec![]));

    // A pending one goes, too, and a tenant's is counted down.
    let tenant = n.tenant("acme", 2).await;
    let (three, limits) = (n.tenant("three", 3).await, PassLimits::default());
    n.pass_with("9.2.0.5", limits, &[tenant]).await;
    n.ok(&p, [n.create_user_with("9.2.0.5", "9.0.1.1", Ibrl, Some(tenant), vec![])]).await;
    let key = pda::user(&P, ip("9.2.0.5"), ip("9.0.1.1")).0;
    n.ok(&p, [build::delete_user(&n.view, &pk, key).unwrap()]).await;
    let close = build::close_user(&n.view, &ak, key).unwrap().pop().unwrap();
    n.refused(&a, with_account(close.clone(), "tenant", |meta| meta.pubkey = three), Error::WrongTenant).await;
    n.ok(&a, [close]).await;
    assert_eq!((n.get_tenant(tenant).reference_count, audit(&n.view)), (1, vec![]));
}

/// Pitfall 28: a banned user takes no capacity, its pass is barred, and a ban does not require roles to be taken first.
#[tokio::test]
async fn bans() {
    let (mut n, device, groups, pass) = network().await;
    let (f, a, p) = (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.payer));
    let (fk, ak, pk) = (f.pubkey(), a.pubkey(), p.pubkey());
    let baseline = (taken(&n, device), n.get_device(device));
    let key = n.user("9.2.0.1", "9.0.1.1", Multicast, vec![(groups[0], BOTH)], 0, "148.51.120.0").await;
    n.refused(&p, build::ban_user(&n.view, &pk, key).unwrap(), Error::NotFoundation).await;
    let other = n.pass("9.2.0.9").await;
    let wrong = with_account(build::ban_user(&n.view, &fk, key).unwrap(), "access_pass", |meta| meta.pubkey = other);
    n.refused(&f, wrong, Error::WrongPass).await;
    n.ok(&f, [build::ban_user(&n.view, &fk, key).unwrap()]).await;
    assert_eq!((n.get_user(key).status, n.get_pass(pass).banned_users), (UserStatus::PendingBan, 1));
    // Barred at once, everywhere the pass reaches.
    n.refused(&p, n.create_user("9.2.0.2", "9.0.1.1", Ibrl), Error::PassBanned).await;
    n.refused(&f, build::ban_user(&n.view, &fk, key).unwrap(), Error::UserBanned).await;
    n.refused(&p, build::delete_user(&n.view, &pk, key).unwrap(), Error::UserBanned).await;
    let finish = build::finish_ban(&n.view, &ak, key).unwrap();
    n.refused(&a, finish.last().unwrap().clone(), Error::UserHasRoles).await;
    n.refused(&f, build::finish_ban(&n.view, &fk, key).unwrap().pop().unwrap(), Error::NotActivator).await;
    n.ok(&a, finish).await;
    let banned = n.get_user(key);
    assert_eq!((banned.status, banned.allocation, banned.publishers.len()), (UserStatus::Banned, None, 0));
    assert_eq!((taken(&n, device), n.get_device(device), audit(&n.view)), (baseline.0, baseline.1, vec![]));
    // Its pair is nobody's until the ban ends, also under another pass.
    n.pass("9.2.0.1").await;
    n.refused(&p, n.create_user("9.2.0.1", "9.0.1.1", Ibrl), Error::UserBanned).await;
    let close = build::close_access_pass_account(&n.view, &fk, pass).unwrap();
    n.refused(&f, close, Error::PassInUse).await;
    n.refused(&p, build::delete_user(&n.view, &pk, key).unwrap(), Error::NotFoundation).await;
    n.ok(&f, [build::delete_user(&n.view, &fk, key).unwrap()]).await;
    assert_eq!((n.view.user(&key), n.get_pass(pass).banned_users), (None, 0));
    n.ok(&p, [n.create_user("9.2.0.2", "9.0.1.1", Ibrl)]).await;
}

/// Pitfalls 23 and 24: a pool fills to the last unit, refuses, and finds what was freed, wherever it lies.
#[tokio::test]
async fn a_full_prefix_recovers_after_one_end() {
    let (mut n, device, _, _) = network().await;
    let (a, p) = (signer(&n.keys.activator), signer(&n.keys.payer));
    let free = |n: &Net| n.pool_at(PoolKind::DevicePrefix, device, "9.0.1.0").lowest_free(1);
    let mut users = vec![];
    for index in 0..5u16 {
        let address = std::net::Ipv4Addr::from(free(&n).unwrap()).to_string();
        assert_eq!(address, format!("9.0.1.{}", 3 + index));
        let client = format!("9.2.0.{}", index + 1);
        users.push(n.user(&client, "9.0.1.1", IbrlWithAllocatedIp, vec![], index, &address).await);
    }
    let full = dz_serviceability::state::PoolError::Exhausted { units: 1 };
    assert_eq!(free(&n), Err(full));
    n.ok(&p, [build::delete_user(&n.view, &p.pubkey(), users[2]).unwrap()]).await;
    n.ok(&a, build::close_user(&n.view, &a.pubkey(), users[2]).unwrap()).await;
    assert_eq!(free(&n), Ok(ip("9.0.1.5").into()));
    n.user("9.2.0.9", "9.0.1.1", IbrlWithAllocatedIp, vec![], 2, "9.0.1.5").await;
    assert_eq!((free(&n), audit(&n.view)), (Err(full), vec![]));
}

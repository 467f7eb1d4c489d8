//! Attacks on money, addresses and rights of others, in plain instructions: the exact refusal of each.
//!
//! | point | more of it in |
//! |---|---|
//! | 1 an address is one thing's | `addresses` |
//! | 2 whose an address is | `addresses`, `user` |
//! | 3 grants stay where they were given | `access_pass`, `account_reuse` |
//! | 4 who pays is paid back, and fees have a bound | `account_reuse`, `hostile`, `model` |
//! | 5 generations | `account_reuse`, `model` |
//! | 6 leaving is possible | `leaving`, `link` |
//! | 7 who creates the network | `global_config` |
//! | 8 what a cap means | `user`, `interface` |
//! | 9 reads of the chain | `sim/ledger/tests` |

use dz_sdk::{
    audit::audit,
    build::{self, CreateUser},
    instruction::{self as ix, access_pass::PassLimits, decided_on},
};
use dz_serviceability::{
    ID as P, pda,
    state::{
        AccountData, Bootstrap, ConfigNumbers, Contributor, DeviceCaps, DeviceType, EndpointService, InterfaceMetadata,
        LinkStatus, UserStatus, UserType::*,
    },
    upgrade,
};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::support::{BOTH, Error, LINK_NUMBERS, Net, PUBLISH, SUBSCRIBE, caps, grant, ip, net, signer, with_account};

/// A device `nyc1` with endpoints 9.0.1.1 and 9.0.1.2.
async fn network() -> (Net, Pubkey) {
    let mut n = Net::with_metro().await;
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    (n, device)
}

const MANY: PassLimits = PassLimits { last_access_epoch: u64::MAX, max_unicast_users: 9, max_multicast_users: 9 };

fn unicast(client_ip: &str, endpoint_ip: &str) -> CreateUser {
    CreateUser { client_ip: ip(client_ip), endpoint_ip: ip(endpoint_ip), user_type: Ibrl, tenant: None, roles: vec![] }
}

/// A contributor brings a prefix around a client: the client's address is handed out to nobody. Nor does a client come from
/// an address of it that is another's, or that nobody has yet.
#[tokio::test]
async fn point_1_an_address_is_one_things_in_either_order() {
    let (mut n, _) = network().await;
    let (a, o, p) = (signer(&n.keys.activator), signer(&n.keys.owner), signer(&n.keys.payer));
    let (ak, ok) = (a.pubkey(), o.pubkey());
    n.pass_with("0.0.0.0", MANY, &[]).await;
    n.pending_user("9.7.0.1", "9.0.1.1", Ibrl, vec![]).await;
    n.ok(&o, [ix::contributor::add_contributor_prefix(&P, &ok, n.co(), net("9.7.0.0/29"))]).await;
    let share = n.pending_device("far", "9.0.0.2", Bootstrap::Carve { prefix_len: 29 }).await;
    n.ok(&a, [build::carve_device_prefix(&n.view, &ak, share, net("9.7.0.0/29")).unwrap()]).await;
    let pull = |n: &Net, to, number| build::pull_endpoint(&n.view, &ak, share, ip(to), number).unwrap();
    n.refused(&a, pull(&n, "9.7.0.1", 100), Error::ClientAddress).await;
    for (to, number) in [("9.7.0.2", 100), ("9.7.0.3", 101)] {
        n.ok(&a, [pull(&n, to, number)]).await;
    }
    n.ok(&a, [ix::device::activate_device(&P, &ak, share)]).await;
    let allocated = n.pending_user("9.3.0.1", "9.7.0.2", IbrlWithAllocatedIp, vec![]).await;
    let give = |n: &Net, to| build::activate_user(&n.view, &ak, allocated, grant(0, to)).unwrap();
    n.refused(&a, give(&n, "9.7.0.1"), Error::ClientAddress).await;
    n.ok(&a, [give(&n, "9.7.0.4")]).await;
    for (taken, endpoint) in [("9.7.0.2", "9.0.1.1"), ("9.7.0.4", "9.0.1.1"), ("9.7.0.7", "9.7.0.3")] {
        n.refused(&p, n.create_user(taken, endpoint, Ibrl), Error::AddressTaken).await;
    }
    for (block, endpoint) in [("148.51.120.9", "9.0.1.1"), ("45.33.0.9", "9.7.0.3")] {
        n.refused(&p, n.create_user(block, endpoint, Ibrl), Error::AddressInBlock).await;
    }
    assert_eq!(audit(&n.view), []);
}

/// A thief with a pass for any address: what it left behind rejected is no claim, and it does nothing with the user, the
/// pass or the right of the holder.
#[tokio::test]
async fn point_2_a_pass_for_any_address_takes_nothing_of_its_holder() {
    let (mut n, _) = network().await;
    let (f, a, p, s) =
        (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.payer), signer(&n.keys.stranger));
    let (ak, pk, sk) = (a.pubkey(), p.pubkey(), s.pubkey());
    let any = |holder, of: &str| ix::access_pass::set_access_pass(&P, &f.pubkey(), ip(of), holder, MANY, None);
    n.ok(&f, [any(sk, "0.0.0.0"), any(sk, "9.7.0.2")]).await;
    n.ok(&s, [build::create_user(&n.view, &sk, &sk, unicast("9.7.0.1", "9.0.1.1")).unwrap()]).await;
    let user = pda::user(&P, ip("9.7.0.1"), ip("9.0.1.1")).0;
    n.ok(&a, [build::reject_user_alone(&n.view, &ak, user, "no room").unwrap()]).await;

    n.ok(&f, [any(pk, "9.7.0.1")]).await;
    n.ok(&p, [build::create_user(&n.view, &pk, &pk, unicast("9.7.0.1", "9.0.1.1")).unwrap()]).await;
    assert_eq!((n.get_user(user).owner, n.get_user(user).status), (pk, UserStatus::Pending));
    let under = build::create_user(&n.view, &sk, &pk, unicast("9.7.0.1", "9.0.1.2")).unwrap();
    n.refused(&s, under, Error::NotPassPayer).await;
    let beside = build::create_user(&n.view, &sk, &sk, unicast("9.7.0.1", "9.0.1.2")).unwrap();
    n.refused(&s, beside, Error::AddressNamed).await;
    n.refused(&s, build::delete_user(&n.view, &sk, user).unwrap(), Error::NotUserOwner).await;
    let holder = ix::access_pass::pass_address(&P, ip("9.7.0.1"), &pk, None);
    let own = ix::access_pass::pass_address(&P, ip("9.7.0.2"), &sk, None);
    let reclaim = ix::user::reclaim_address(&P, &sk, ip("9.7.0.1"), &pk, user);
    n.refused(&s, reclaim, Error::AccountNotFound).await;
    let reclaim = ix::user::reclaim_address(&P, &sk, ip("9.7.0.2"), &pk, user);
    let by_own = with_account(reclaim.clone(), "access_pass", |meta| meta.pubkey = own);
    n.refused(&s, by_own, Error::PassForOtherAddress).await;
    let by_theirs = with_account(reclaim, "access_pass", |meta| meta.pubkey = holder);
    n.refused(&s, by_theirs, Error::NotAddressHolder).await;
    assert_eq!(audit(&n.view), []);
}

/// An administrator or a group's owner that is one no more has no right left, and none ever reaches another's grant.
#[tokio::test]
async fn point_3_rights_end_with_the_role_and_reach_no_other_grant() {
    let (mut n, _) = network().await;
    let (f, t, g, s) = (
        signer(&n.keys.foundation),
        signer(&n.keys.administrator),
        signer(&n.keys.group_owner),
        signer(&n.keys.stranger),
    );
    let (fk, tk, gk, sk, payer) = (f.pubkey(), t.pubkey(), g.pubkey(), s.pubkey(), n.keys.payer.pubkey());
    let (tenant, group) = (n.tenant("acme", 2).await, n.group("mg01", 0).await);
    let set = |by| ix::access_pass::set_access_pass(&P, by, ip("9.1.0.1"), payer, MANY, Some(tenant));
    n.ok(&t, [set(&tk)]).await;
    let pass = ix::access_pass::pass_address(&P, ip("9.1.0.1"), &payer, Some(tenant));
    let given = n.pass("9.1.0.1").await;
    let allow = |by, to| ix::access_pass::set_pass_group(&P, by, to, group, None, (true, true));
    n.ok(&g, [allow(&gk, pass), allow(&gk, given)]).await;
    let strip = ix::access_pass::set_pass_group(&P, &tk, given, group, Some(tenant), (false, false));
    n.refused(&t, strip, Error::WrongTenant).await;
    n.refused(&t, ix::tenant::update_tenant(&P, &tk, tenant, vec![tk, sk]), Error::NotFoundation).await;

    n.ok(&f, [ix::tenant::update_tenant(&P, &fk, tenant, vec![sk])]).await;
    n.refused(&t, set(&tk), Error::NotTenantAdministrator).await;
    let close = build::close_access_pass_account(&n.view, &tk, pass).unwrap();
    n.refused(&t, close, Error::NotTenantAdministrator).await;
    n.ok(&g, [ix::multicast_group::update_multicast_group(&P, &gk, group, sk, 1)]).await;
    n.refused(&g, allow(&gk, pass), Error::NotGroupOwner).await;
    n.refused(&g, ix::multicast_group::update_multicast_group(&P, &gk, group, gk, 1), Error::NotGroupOwner).await;
    n.refused(&g, ix::multicast_group::delete_multicast_group(&P, &gk, group), Error::NotGroupOwner).await;
    // The rent of what it gave is its own, whoever closes it.
    let before = n.fetch(&tk).await.unwrap().lamports;
    let rent = n.fetch(&pass).await.unwrap().lamports;
    n.ok(&s, [ix::access_pass::set_pass_group(&P, &sk, pass, group, None, (false, false))]).await;
    n.ok(&s, build::close_access_pass(&n.view, &sk, pass).unwrap()).await;
    assert_eq!(n.fetch(&tk).await.unwrap().lamports, before + rent);
    assert_eq!((n.get_pass(given).publish, audit(&n.view)), (vec![group], vec![]));
}

/// A contributor asks for a hundred endpoints in one instruction: it counts as a hundred. Its prefix and the share that the
/// activator made of it come back to who paid for each.
#[tokio::test]
async fn point_4_what_the_activator_is_made_to_do_is_counted_and_paid_back() {
    let mut n = Net::with_metro().await;
    let (a, o) = (signer(&n.keys.activator), signer(&n.keys.owner));
    let (ak, ok, co) = (a.pubkey(), o.pubkey(), n.co());
    let money = async |n: &mut Net| [n.fetch(&ak).await.unwrap().lamports, n.fetch(&ok).await.unwrap().lamports];
    let own = net("9.7.0.0/29");
    let before = money(&mut n).await;
    n.ok(&o, [ix::contributor::add_contributor_prefix(&P, &ok, co, own)]).await;
    let device = n.pending_device("nyc1", "9.0.0.1", Bootstrap::Carve { prefix_len: 29 }).await;
    assert_eq!(n.get_contributor(co).requests.count, 1 + 2);
    for _ in 0..2 {
        n.ok(&a, [build::carve_device_prefix(&n.view, &ak, device, own).unwrap()]).await;
        n.ok(&o, [build::remove_device_prefix(&n.view, &ok, device, own).unwrap()]).await;
    }
    n.ok(&o, [build::delete_device(&n.view, &ok, device).unwrap()]).await;
    n.ok(&a, build::close_device(&n.view, &ak, device).unwrap()).await;
    n.ok(&o, [build::remove_contributor_prefix(&n.view, &ok, co, own)]).await;
    assert_eq!(money(&mut n).await, before);

    let clock = n.fetch(&ix::CLOCK).await.unwrap();
    let hour = i64::from_le_bytes(clock.data[32..40].try_into().unwrap()) / 3600;
    let mut almost = n.get_contributor(co);
    almost.requests.hour = u32::try_from(hour).unwrap();
    almost.requests.count = Contributor::REQUESTS_PER_HOUR - 5;
    let account = n.fetch(&co).await.unwrap();
    let header = Contributor::decode_with_header(&account.data).unwrap().0;
    n.set_account(co, &Account { data: almost.encode_with(&header), ..account });
    let create = |n: &Net, endpoints| {
        let args = n.device_args("nyc1", "9.0.0.1", Bootstrap::OwnPrefix);
        let args = dz_serviceability::instruction::CreateDeviceArgs { endpoints_wanted: Some(endpoints), ..args };
        build::create_device(&n.view, &ok, co, n.nyc(), args).unwrap()
    };
    n.refused(&o, create(&n, 5), Error::TooManyRequests).await;
    n.ok(&o, [create(&n, 2)]).await;
    let want = |n: &Net, by: &Pubkey, endpoints| {
        build::update_device(&n.view, by, device, DeviceType::Hybrid, caps(96), endpoints).unwrap()
    };
    n.refused(&o, want(&n, &ok, 4), Error::TooManyRequests).await;
    n.ok(&o, [want(&n, &ok, 3)]).await;
    assert_eq!(n.get_contributor(co).requests.count, Contributor::REQUESTS_PER_HOUR);
    n.refused(&o, want(&n, &ok, 2), Error::TooManyRequests).await;
    let f = signer(&n.keys.foundation);
    n.ok(&f, [want(&n, &f.pubkey(), 100)]).await;
}

/// Whatever anybody decided on one user, link, interface or pass is refused by the next one at the same address.
#[tokio::test]
async fn point_5_what_is_late_meets_nobody_else() {
    let (mut n, device) = network().await;
    let (f, a, o, z, p) = (
        signer(&n.keys.foundation),
        signer(&n.keys.activator),
        signer(&n.keys.owner),
        signer(&n.keys.other),
        signer(&n.keys.payer),
    );
    let (fk, ak, ok, zk, pk) = (f.pubkey(), a.pubkey(), o.pubkey(), z.pubkey(), p.pubkey());
    let group = n.group("mg01", 0).await;
    let pass = n.pass("9.1.0.1").await;
    n.allow(pass, group).await;
    let user = n.pending_user("9.1.0.1", "9.0.1.1", Multicast, vec![(group, SUBSCRIBE)]).await;
    let now = |n: &Net, instruction: Instruction| decided_on(&n.view, instruction);
    let one = |list: Vec<Instruction>| list.into_iter().next().unwrap();
    let late = [
        (&a, now(&n, n.activate_user(user, 0, "9.1.0.1"))),
        (&a, now(&n, build::reject_user_alone(&n.view, &ak, user, "no room").unwrap())),
        (&a, now(&n, one(build::strip_roles(&n.view, &ak, user).unwrap()))),
        (&a, now(&n, build::close_user_account(&n.view, &ak, user).unwrap())),
        (&a, now(&n, build::finish_ban(&n.view, &ak, user).unwrap().pop().unwrap())),
        (&f, now(&n, build::ban_user(&n.view, &fk, user).unwrap())),
        (&o, now(&n, build::evict_user(&n.view, &ok, user).unwrap())),
        (&p, now(&n, build::delete_user(&n.view, &pk, user).unwrap())),
        (&p, now(&n, one(build::set_user_roles(&n.view, &pk, user, &[(group, BOTH)]).unwrap()))),
    ];
    n.ok(&p, [build::delete_user(&n.view, &pk, user).unwrap()]).await;
    n.ok(&a, build::close_user(&n.view, &ak, user).unwrap()).await;
    n.pending_user("9.1.0.1", "9.0.1.1", Multicast, vec![(group, SUBSCRIBE)]).await;
    for (who, instruction) in late {
        n.refused(who, instruction, Error::AnotherLife).await;
    }
    assert_eq!((n.get_user(user).status, n.get_user(user).subscribers), (UserStatus::Pending, vec![group]));

    // Side Z has agreed to another link than the one that side A has put in its place.
    let args = n.device_args("far", "9.0.0.5", Bootstrap::OwnPrefix);
    n.ok(&z, [ix::device::create_device(&P, &zk, n.other(), n.nyc(), 100, args)]).await;
    let ports = [n.port(device, "et1", &o).await, n.port(pda::device(&P, "far").0, "et1", &z).await];
    let request = |n: &Net| build::create_link(&n.view, &ok, "l1", ports[0], ports[1], LINK_NUMBERS).unwrap();
    n.ok(&o, [request(&n)]).await;
    let link = pda::link(&P, "l1").0;
    let agreed = now(&n, build::accept_link(&n.view, &zk, link).unwrap());
    n.ok(&o, [build::delete_link(&n.view, &ok, link).unwrap()]).await;
    n.ok(&a, [build::close_link(&n.view, &ak, link).unwrap()]).await;
    n.ok(&o, [request(&n)]).await;
    n.refused(&z, agreed, Error::AnotherLife).await;

    let delete = now(&n, build::delete_interface(&n.view, &zk, ports[1]).unwrap());
    n.ok(&z, [delete.clone()]).await;
    n.ok(&a, [build::close_interface(&n.view, &ak, ports[1]).unwrap()]).await;
    n.port(pda::device(&P, "far").0, "et1", &z).await;
    n.refused(&z, delete, Error::AnotherLife).await;

    let other = n.pass("9.1.0.2").await;
    let close = now(&n, build::close_access_pass_account(&n.view, &fk, other).unwrap());
    n.ok(&f, [close.clone()]).await;
    n.pass("9.1.0.2").await;
    n.refused(&f, close, Error::AnotherLife).await;
    assert_eq!(audit(&n.view), []);
}

/// Side Z is suspended: it takes nothing more, and drains, ends the link and takes its own back without asking anybody. Side
/// A holds it with nothing.
#[tokio::test]
async fn point_6_who_is_suspended_leaves_and_nobody_holds_it() {
    let (mut n, near) = network().await;
    let (f, a, o, z) =
        (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.owner), signer(&n.keys.other));
    let (ak, ok, zk, other) = (a.pubkey(), o.pubkey(), z.pubkey(), n.other());
    let args = |n: &Net, code, at| n.device_args(code, at, Bootstrap::OwnPrefix);
    n.ok(&z, [ix::device::create_device(&P, &zk, other, n.nyc(), 100, args(&n, "far", "9.0.0.5"))]).await;
    n.ok(&z, [ix::contributor::add_contributor_prefix(&P, &zk, other, net("9.7.0.0/29"))]).await;
    let far = pda::device(&P, "far").0;
    let mut ports = vec![];
    for name in ["et1", "et2"] {
        ports.push((n.port(near, name, &o).await, n.port(far, name, &z).await));
    }
    for (code, (mine, theirs)) in ["l1", "l2"].into_iter().zip(&ports) {
        n.ok(&o, [build::create_link(&n.view, &ok, code, *mine, *theirs, LINK_NUMBERS).unwrap()]).await;
    }
    let [link, asked] = ["l1", "l2"].map(|code| pda::link(&P, code).0);
    n.ok(&z, [build::accept_link(&n.view, &zk, link).unwrap()]).await;
    n.ok(&a, [build::activate_link(&n.view, &ak, link, net("172.16.0.0/31")).unwrap()]).await;
    n.ok(&f, [ix::contributor::suspend_contributor(&P, &f.pubkey(), other)]).await;
    let third = n.port(near, "et3", &o).await;
    for takes in [
        ix::device::create_device(&P, &zk, other, n.nyc(), 100, args(&n, "far2", "9.0.0.6")),
        ix::contributor::add_contributor_prefix(&P, &zk, other, net("9.7.0.8/29")),
        build::accept_link(&n.view, &zk, asked).unwrap(),
        build::create_link(&n.view, &zk, "l3", ports[1].1, third, LINK_NUMBERS).unwrap(),
    ] {
        n.refused(&z, takes, Error::ContributorNotActive).await;
    }
    let set = |n: &Net, by: &Pubkey, to| build::set_link_status(&n.view, by, link, to).unwrap();
    n.ok(&z, [set(&n, &zk, LinkStatus::HardDrained)]).await;
    n.ok(&o, [set(&n, &ok, LinkStatus::Activated)]).await;
    assert_eq!(n.get_link(link).status, LinkStatus::HardDrained);
    n.ok(&z, [build::delete_link(&n.view, &zk, link).unwrap()]).await;
    n.refused(&o, set(&n, &ok, LinkStatus::Activated), Error::LinkNotActivated).await;
    n.ok(&a, [build::close_link(&n.view, &ak, link).unwrap()]).await;
    // A link that it has not agreed to holds nothing of its.
    for (_, port) in ports {
        n.ok(&z, [build::delete_interface(&n.view, &zk, port).unwrap()]).await;
        n.ok(&a, [build::close_interface(&n.view, &ak, port).unwrap()]).await;
    }
    n.ok(&z, [build::remove_contributor_prefix(&n.view, &zk, other, net("9.7.0.0/29"))]).await;
    n.ok(&z, [build::delete_device(&n.view, &zk, far).unwrap()]).await;
    n.ok(&a, build::close_device(&n.view, &ak, far).unwrap()).await;
    assert_eq!((n.view.device(&far), audit(&n.view)), (None, vec![]));
}

/// A stranger is first, with every account it could bring; and a program that nobody may upgrade has no network.
#[tokio::test]
async fn point_7_the_network_is_the_upgrade_authoritys() {
    let forged = Pubkey::new_unique();
    let stranger = Net::empty().await.keys.stranger.pubkey();
    let program_data = |data| Account { lamports: 1_000_000_000, data, owner: upgrade::LOADER, ..Account::default() };
    let mut n = Net::with_accounts([(forged, program_data(upgrade::header(&stranger)))]).await;
    let (f, s) = (signer(&n.keys.foundation), signer(&n.keys.stranger));
    let init = |key: &Pubkey| ix::global_config::init_global_config(&P, key, ConfigNumbers::default());
    n.refused(&s, init(&s.pubkey()), Error::NotUpgradeAuthority).await;
    let mut brought = init(&s.pubkey());
    let place = brought.accounts.iter().position(|meta| meta.pubkey == upgrade::program_data(&P)).unwrap();
    brought.accounts[place].pubkey = forged;
    n.refused(&s, brought, Error::WrongProgramData).await;
    let mut unsigned = init(&f.pubkey());
    unsigned.accounts[0].is_signer = false;
    n.refused(&s, unsigned, Error::MissingSignature).await;
    n.ok(&f, [init(&f.pubkey())]).await;
    n.refused(&s, init(&s.pubkey()), Error::NotUpgradeAuthority).await;
    let set = ix::global_config::add_foundation(&P, &s.pubkey(), s.pubkey());
    n.refused(&s, set, Error::NotFoundation).await;

    let mut nobodys = upgrade::header(&f.pubkey());
    nobodys[12] = 0;
    let mut n = Net::with_accounts([(upgrade::program_data(&P), program_data(nobodys))]).await;
    n.refused(&f, init(&f.pubkey()), Error::NotUpgradeAuthority).await;
}

/// 0 is none at all, in each cap of a device and of a pass; and an endpoint may say that it is not for unicast.
#[tokio::test]
async fn point_8_no_cap_lets_in_more_than_it_says() {
    let (mut n, device) = network().await;
    let (f, o, p) = (signer(&n.keys.foundation), signer(&n.keys.owner), signer(&n.keys.payer));
    let (ok, group) = (o.pubkey(), n.group("mg01", 0).await);
    let pass = n.pass_with("0.0.0.0", MANY, &[]).await;
    n.allow(pass, group).await;
    let limit = DeviceCaps::default();
    let single = |n: &Net| n.create_user("9.2.0.1", "9.0.1.1", Ibrl);
    let listens = |n: &Net| n.create_user_with("9.2.0.1", "9.0.1.1", Multicast, None, vec![(group, SUBSCRIBE)]);
    let publishes = |n: &Net| n.create_user_with("9.2.0.1", "9.0.1.1", Multicast, None, vec![(group, PUBLISH)]);
    let closed = DeviceCaps { max_users: 0, ..limit };
    for (caps, connect, error) in [
        (closed, single(&n), Error::DeviceClosed),
        (closed, listens(&n), Error::DeviceClosed),
        (DeviceCaps { max_unicast_users: 0, ..limit }, single(&n), Error::DeviceUnicastFull),
        (DeviceCaps { max_multicast_subscribers: 0, ..limit }, listens(&n), Error::DeviceSubscribersFull),
        (DeviceCaps { max_multicast_publishers: 0, ..limit }, publishes(&n), Error::DevicePublishersFull),
        (DeviceCaps { reserved_seats: u16::MAX, ..limit }, single(&n), Error::DeviceFull),
        (DeviceCaps { reserved_multicast: u16::MAX, ..limit }, single(&n), Error::DeviceFull),
        (DeviceCaps { reserved_unicast: u16::MAX, ..limit }, listens(&n), Error::DeviceFull),
    ] {
        n.ok(&o, [build::update_device(&n.view, &ok, device, DeviceType::Hybrid, caps, 2).unwrap()]).await;
        n.refused(&p, connect, error).await;
    }
    n.ok(&o, [build::update_device(&n.view, &ok, device, DeviceType::Hybrid, limit, 2).unwrap()]).await;
    let give = |limits| ix::access_pass::set_access_pass(&P, &f.pubkey(), ip("0.0.0.0"), p.pubkey(), limits, None);
    n.ok(&f, [give(PassLimits { max_unicast_users: 0, ..MANY })]).await;
    n.refused(&p, single(&n), Error::PassUnicastFull).await;
    n.ok(&f, [give(PassLimits { max_multicast_users: 0, ..MANY })]).await;
    n.refused(&p, listens(&n), Error::PassMulticastFull).await;
    n.ok(&f, [give(MANY)]).await;
    let endpoint = pda::interface(&P, &device, "Loopback100").0;
    let keep =
        build::update_interface(&n.view, &ok, endpoint, EndpointService::Multicast, InterfaceMetadata::default());
    n.ok(&o, [keep.unwrap()]).await;
    n.refused(&p, single(&n), Error::EndpointKept).await;
    n.ok(&p, [listens(&n)]).await;
    assert_eq!(audit(&n.view), []);
}

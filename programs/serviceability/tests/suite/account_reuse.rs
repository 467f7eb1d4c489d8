//! One life of an account is not the next: who pays is paid back, and what was decided on the one is refused by the other.

use dz_sdk::{audit::audit, build, instruction as ix, instruction::decided_on};
use dz_serviceability::{
    ID as P, pda,
    state::{AccessPass, AccountData, Client, PoolKind, Tenant, UserStatus, UserType::*},
};
use solana_account::Account;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::support::{BOTH, Error, Net, SUBSCRIBE, grant, ip, net, signer, with_account};

async fn lamports(n: &mut Net, key: &Pubkey) -> u64 {
    n.fetch(key).await.map_or(0, |account| account.lamports)
}

#[tokio::test]
async fn what_was_decided_on_one_life_is_refused_by_the_next() {
    let mut n = Net::with_metro().await;
    n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let (a, p) = (signer(&n.keys.activator), signer(&n.keys.payer));
    let (ak, pk) = (a.pubkey(), p.pubkey());
    n.pass("9.1.0.1").await;
    let user = n.pending_user("9.1.0.1", "9.0.1.1", Ibrl, vec![]).await;
    let first = n.view.life(&user).unwrap();
    let activate = decided_on(&n.view, build::activate_user(&n.view, &ak, user, grant(0, "9.1.0.1")).unwrap());
    let reject = decided_on(&n.view, build::reject_user_alone(&n.view, &ak, user, "no room").unwrap());
    let delete = decided_on(&n.view, build::delete_user(&n.view, &pk, user).unwrap());
    n.ok(&p, [delete.clone()]).await;
    let close = decided_on(&n.view, build::close_user_account(&n.view, &ak, user).unwrap());
    n.ok(&a, [close.clone()]).await;
    n.pending_user("9.1.0.1", "9.0.1.1", Ibrl, vec![]).await;
    assert!(n.view.life(&user).unwrap() > first);
    for (who, late) in [(&a, activate.clone()), (&a, reject.clone()), (&a, close.clone()), (&p, delete.clone())] {
        n.refused(who, late, Error::AnotherLife).await;
    }
    // A rejected user that gives way has another life, too.
    let reject = decided_on(&n.view, build::reject_user_alone(&n.view, &ak, user, "no room").unwrap());
    n.ok(&a, [reject]).await;
    let delete = decided_on(&n.view, build::delete_user(&n.view, &pk, user).unwrap());
    let create = decided_on(&n.view, n.create_user("9.1.0.1", "9.0.1.1", Ibrl));
    n.ok(&p, [create.clone()]).await;
    n.refused(&p, delete, Error::AnotherLife).await;
    n.refused(&p, create, Error::AnotherLife).await;
    assert_eq!(n.get_user(user).status, UserStatus::Pending);
    assert_eq!(audit(&n.view), []);
}

/// Another payer takes the place of a rejected user: each gets back what it has paid, and no more.
#[tokio::test]
async fn a_rejected_users_deposit_is_its_payers() {
    let mut n = Net::with_metro().await;
    n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let (f, a, p, s) =
        (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.payer), signer(&n.keys.stranger));
    let (ak, pk, sk) = (a.pubkey(), p.pubkey(), s.pubkey());
    for key in [pk, sk] {
        let set = ix::access_pass::set_access_pass(&P, &f.pubkey(), ip("0.0.0.0"), key, Default::default(), None);
        n.ok(&f, [set]).await;
    }
    let (payer, other) = (lamports(&mut n, &pk).await, lamports(&mut n, &sk).await);
    let user = n.pending_user("9.1.0.1", "9.0.1.1", Ibrl, vec![]).await;
    let deposit = lamports(&mut n, &user).await;
    n.ok(&a, [build::reject_user_alone(&n.view, &ak, user, "no room").unwrap()]).await;
    // The account of the address has gone with the user; what is left is the user's own.
    assert_eq!(payer - lamports(&mut n, &pk).await, deposit);
    let wanted = build::CreateUser {
        client_ip: ip("9.1.0.1"),
        endpoint_ip: ip("9.0.1.1"),
        user_type: Ibrl,
        tenant: None,
        roles: vec![],
    };
    let create = build::create_user(&n.view, &sk, &sk, wanted).unwrap();
    let to_itself = with_account(create.clone(), "old_payer", |meta| meta.pubkey = sk);
    n.refused(&s, to_itself, Error::WrongRentRecipient).await;
    let to_nobody = with_account(create.clone(), "old_payer", |meta| {
        meta.pubkey = P;
        meta.is_writable = false;
    });
    n.refused(&s, to_nobody, Error::WrongRentRecipient).await;
    n.ok(&s, [create]).await;
    assert_eq!(lamports(&mut n, &pk).await, payer);
    n.ok(&s, [build::delete_user(&n.view, &sk, user).unwrap()]).await;
    n.ok(&a, build::close_user(&n.view, &ak, user).unwrap()).await;
    assert_eq!(lamports(&mut n, &sk).await, other);
    assert_eq!(audit(&n.view), []);
}

/// Whatever others put into an account later, its creator has paid for: the activator that gives a tunnel, a
/// reason or a block, the group's owner that allows a pass, pay nothing, and no one gains.
#[tokio::test]
async fn nobody_pays_for_what_another_account_grows_by() {
    let mut n = Net::with_metro().await;
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let (a, g) = (signer(&n.keys.activator), signer(&n.keys.group_owner));
    let (ak, gk) = (a.pubkey(), g.pubkey());
    let (group, tenant) = (n.group("mg01", 0).await, n.tenant("acme", 2).await);
    let pass = n.pass("9.1.0.1").await;
    let (activator, owner) = (lamports(&mut n, &ak).await, lamports(&mut n, &gk).await);
    n.ok(&g, [ix::access_pass::set_pass_group(&P, &gk, pass, group, None, (true, true))]).await;
    let user = n.pending_user("9.1.0.1", "9.0.1.1", Multicast, vec![(group, BOTH)]).await;
    n.ok(&a, [build::activate_user(&n.view, &ak, user, grant(0, "148.51.120.0")).unwrap()]).await;
    n.ok(&a, [build::allocate_contributor_block(&n.view, &ak, n.co(), net("45.33.0.0/24")).unwrap()]).await;
    let paid = [
        pda::pool(&P, PoolKind::ContributorBlock, &n.co(), ip("45.33.0.0").into()).0,
        ix::registry(&P, ip("45.33.0.0")),
    ];
    let mut created = 0;
    for key in paid {
        created += lamports(&mut n, &key).await;
    }
    // The pool and the registry that it has created come back to it when they go; nothing else has cost it anything.
    assert_eq!(activator - lamports(&mut n, &ak).await, created);
    assert_eq!(lamports(&mut n, &gk).await, owner);
    assert_eq!((n.get_device(device).prefixes.len(), n.get_tenant(tenant).vrf_id), (1, Some(2)));
}

/// A pulled endpoint that its contributor deletes is the activator's money, not the device owner's.
#[tokio::test]
async fn what_the_activator_has_paid_for_comes_back_to_it() {
    let mut n = Net::with_metro().await;
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let (a, o) = (signer(&n.keys.activator), signer(&n.keys.owner));
    let (ak, ok) = (a.pubkey(), o.pubkey());
    let (activator, owner) = (lamports(&mut n, &ak).await, lamports(&mut n, &ok).await);
    let endpoint = pda::interface(&P, &device, "Loopback101").0;
    for _ in 0..3 {
        n.ok(&o, [build::delete_interface(&n.view, &ok, endpoint).unwrap()]).await;
        n.ok(&a, [build::close_interface(&n.view, &ak, endpoint).unwrap()]).await;
        n.ok(&a, [build::pull_endpoint(&n.view, &ak, device, ip("9.0.1.2"), 101).unwrap()]).await;
    }
    assert_eq!((lamports(&mut n, &ak).await, lamports(&mut n, &ok).await), (activator, owner));
}

/// What a key makes the activator do is counted by the hour; what the foundation does is not.
#[tokio::test]
async fn requests_are_counted_by_the_hour() {
    let mut n = Net::with_metro().await;
    n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let (p, f) = (signer(&n.keys.payer), signer(&n.keys.foundation));
    let pass = n.pass("9.1.0.1").await;
    let clock = n.fetch(&ix::CLOCK).await.unwrap();
    let hour = i64::from_le_bytes(clock.data[32..40].try_into().unwrap()) / 3600;
    let mut full: AccessPass = n.get_pass(pass);
    full.requests.hour = u32::try_from(hour).unwrap();
    full.requests.count = full.requests_per_hour();
    assert_eq!(full.requests.count, 240 + 4 * 2);
    let account = n.fetch(&pass).await.unwrap();
    let header = AccessPass::decode_with_header(&account.data).unwrap().0;
    n.set_account(pass, &Account { data: full.encode_with(&header), ..account.clone() });
    let create = n.create_user("9.1.0.1", "9.0.1.1", Ibrl);
    n.refused(&p, create.clone(), Error::TooManyRequests).await;
    // An hour that is over counts no more.
    full.requests.hour -= 1;
    n.set_account(pass, &Account { data: full.encode_with(&header), ..account });
    n.ok(&p, [create]).await;
    assert_eq!(n.get_pass(pass).requests.count, 1);
    let user = pda::user(&P, ip("9.1.0.1"), ip("9.0.1.1")).0;
    n.ok(&f, [build::delete_user(&n.view, &f.pubkey(), user).unwrap()]).await;
    assert_eq!(n.get_pass(pass).requests.count, 1);
    let client: Client = n.view.client_at(ip("9.1.0.1")).unwrap().1.clone();
    assert_eq!(client, Client { client_ip: ip("9.1.0.1"), payer: Some(p.pubkey()), user_count: 1, named_passes: 1 });
}

/// An administrator that gives itself one pass after the other asks for no more than its tenant may, under all of them.
#[tokio::test]
async fn the_passes_of_a_tenant_share_its_requests() {
    let mut n = Net::with_metro().await;
    n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let (t, f) = (signer(&n.keys.administrator), signer(&n.keys.foundation));
    let tk = t.pubkey();
    let (tenant, group) = (n.tenant("acme", 2).await, n.group("mg01", 0).await);
    for client in ["9.1.0.1", "9.1.0.2", "9.1.0.3"] {
        let set = ix::access_pass::set_access_pass(&P, &tk, ip(client), tk, Default::default(), Some(tenant));
        n.ok(&t, [set]).await;
    }
    let clock = n.fetch(&ix::CLOCK).await.unwrap();
    let hour = i64::from_le_bytes(clock.data[32..40].try_into().unwrap()) / 3600;
    let mut almost = n.get_tenant(tenant);
    almost.requests.hour = u32::try_from(hour).unwrap();
    almost.requests.count = Tenant::REQUESTS_PER_HOUR - 3;
    let account = n.fetch(&tenant).await.unwrap();
    let header = Tenant::decode_with_header(&account.data).unwrap().0;
    n.set_account(tenant, &Account { data: almost.encode_with(&header), ..account });

    let connect = |n: &Net, by: &Pubkey, client, user_type, tenant, roles| {
        let wanted = build::CreateUser { client_ip: ip(client), endpoint_ip: ip("9.0.1.1"), user_type, tenant, roles };
        build::create_user(&n.view, by, &tk, wanted).unwrap()
    };
    n.ok(&t, [connect(&n, &tk, "9.1.0.1", Ibrl, Some(tenant), vec![])]).await;
    // A multicast user is in no tenant; its pass is the tenant's all the same.
    let pass = ix::access_pass::pass_address(&P, ip("9.1.0.2"), &tk, Some(tenant));
    n.allow(pass, group).await;
    let multicast = connect(&n, &tk, "9.1.0.2", Multicast, None, vec![(group, BOTH)]);
    let hidden = with_account(multicast.clone(), "tenant", |meta| {
        meta.pubkey = P;
        meta.is_writable = false;
    });
    n.refused(&t, hidden, Error::TenantRequired).await;
    let other = n.tenant("other", 3).await;
    let elsewhere = with_account(multicast.clone(), "tenant", |meta| meta.pubkey = other);
    n.refused(&t, elsewhere, Error::TenantNotAllowed).await;
    n.ok(&t, [multicast]).await;
    let user = pda::user(&P, ip("9.1.0.2"), ip("9.0.1.1")).0;
    let a = signer(&n.keys.activator);
    n.ok(&a, [build::activate_user(&n.view, &a.pubkey(), user, grant(0, "148.51.120.0")).unwrap()]).await;
    n.ok(&t, build::set_user_roles(&n.view, &tk, user, &[(group, SUBSCRIBE)]).unwrap()).await;
    assert_eq!(n.get_tenant(tenant).requests.count, Tenant::REQUESTS_PER_HOUR);
    let third = |n: &Net, by: &Pubkey| connect(n, by, "9.1.0.3", Ibrl, Some(tenant), vec![]);
    n.refused(&t, third(&n, &tk), Error::TooManyRequests).await;
    for change in build::set_user_roles(&n.view, &tk, user, &[(group, BOTH)]).unwrap() {
        n.refused(&t, change, Error::TooManyRequests).await;
    }
    // What the foundation does counts for nobody.
    n.ok(&f, [third(&n, &f.pubkey())]).await;
    assert_eq!(audit(&n.view), []);
}

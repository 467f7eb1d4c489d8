//! Leaving is possible: a side of a link, a suspended contributor, a drained device need no permission of others.

use dz_sdk::{audit::audit, build, instruction as ix};
use dz_serviceability::{
    ID as P, pda,
    state::{Bootstrap, DeviceStatus, DeviceType, LinkStatus, UserStatus, UserType::Ibrl},
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::support::{Error, LINK_NUMBERS, Net, caps, ip, net, signer};

/// A link between a device of `co` and one of `other`, in service.
async fn between() -> (Net, Pubkey) {
    let mut n = Net::with_metro().await;
    let (a, o, z) = (signer(&n.keys.activator), signer(&n.keys.owner), signer(&n.keys.other));
    let near = n.device("near", "9.0.0.1", "9.0.1.0/29").await;
    let args = n.device_args("far", "9.0.0.5", Bootstrap::OwnPrefix);
    n.ok(&z, [ix::device::create_device(&P, &z.pubkey(), n.other(), n.nyc(), 100, args)]).await;
    let ports = [n.port(near, "et1", &o).await, n.port(pda::device(&P, "far").0, "et1", &z).await];
    n.ok(&o, [build::create_link(&n.view, &o.pubkey(), "l1", ports[0], ports[1], LINK_NUMBERS).unwrap()]).await;
    let link = pda::link(&P, "l1").0;
    n.ok(&z, [build::accept_link(&n.view, &z.pubkey(), link).unwrap()]).await;
    n.ok(&a, [build::activate_link(&n.view, &a.pubkey(), link, net("172.16.0.0/31")).unwrap()]).await;
    (n, link)
}

#[tokio::test]
async fn each_side_drains_for_itself_and_either_ends_the_link() {
    let (mut n, link) = between().await;
    let (a, f, o, z) =
        (signer(&n.keys.activator), signer(&n.keys.foundation), signer(&n.keys.owner), signer(&n.keys.other));
    let (fk, ok, zk) = (f.pubkey(), o.pubkey(), z.pubkey());
    let set = |n: &Net, by: &Pubkey, to| build::set_link_status(&n.view, by, link, to).unwrap();
    n.ok(&z, [set(&n, &zk, LinkStatus::HardDrained)]).await;
    // Side A cannot open what side Z has drained; it can drain as well, and then it takes both to open it.
    n.ok(&o, [set(&n, &ok, LinkStatus::Activated)]).await;
    assert_eq!(n.get_link(link).status, LinkStatus::HardDrained);
    n.ok(&o, [set(&n, &ok, LinkStatus::SoftDrained)]).await;
    n.ok(&z, [set(&n, &zk, LinkStatus::Activated)]).await;
    assert_eq!(n.get_link(link).status, LinkStatus::SoftDrained);
    n.ok(&f, [set(&n, &fk, LinkStatus::Activated)]).await;
    assert_eq!(n.get_link(link).status, LinkStatus::Activated);

    n.refused(&z, build::delete_link(&n.view, &zk, link).unwrap(), Error::LinkStillActivated).await;
    n.ok(&z, [set(&n, &zk, LinkStatus::HardDrained)]).await;
    n.ok(&z, [build::delete_link(&n.view, &zk, link).unwrap()]).await;
    n.ok(&a, [build::close_link(&n.view, &a.pubkey(), link).unwrap()]).await;
    assert_eq!((n.view.link(&link), audit(&n.view)), (None, vec![]));
}

#[tokio::test]
async fn a_suspended_contributor_takes_nothing_and_leaves() {
    let (mut n, link) = between().await;
    let (a, f, o) = (signer(&n.keys.activator), signer(&n.keys.foundation), signer(&n.keys.owner));
    let (ok, co, device) = (o.pubkey(), n.co(), pda::device(&P, "near").0);
    n.pass("9.1.0.1").await;
    let user = n.pending_user("9.1.0.1", "9.0.1.1", Ibrl, vec![]).await;
    n.ok(&f, [ix::contributor::suspend_contributor(&P, &f.pubkey(), co)]).await;
    let set = |n: &Net, to| build::set_link_status(&n.view, &ok, link, to).unwrap();
    let update = build::update_device(&n.view, &ok, device, DeviceType::Hybrid, caps(200), 6).unwrap();
    for takes in [
        update,
        build::set_device_public_ip(&n.view, &ok, device, ip("9.0.0.9")).unwrap(),
        build::add_device_prefix(&n.view, &ok, device, net("9.0.2.0/29")).unwrap(),
        build::create_interface(&n.view, &ok, device, "et9", None, false).unwrap(),
        build::update_link(&n.view, &ok, link, 10_000, 10_000_000_000).unwrap(),
    ] {
        n.refused(&o, takes, Error::ContributorNotActive).await;
    }
    n.ok(&o, [set(&n, LinkStatus::HardDrained)]).await;
    n.refused(&o, set(&n, LinkStatus::Activated), Error::ContributorNotActive).await;
    n.ok(&o, [build::delete_link(&n.view, &ok, link).unwrap()]).await;
    n.ok(&a, [build::close_link(&n.view, &a.pubkey(), link).unwrap()]).await;

    // Its users are not in its way once the device is drained.
    n.refused(&o, build::evict_user(&n.view, &ok, user).unwrap(), Error::DeviceNotDrained).await;
    n.ok(&o, [build::drain_device(&n.view, &ok, device).unwrap()]).await;
    n.refused(&o, build::undrain_device(&n.view, &ok, device).unwrap(), Error::ContributorNotActive).await;
    let s = signer(&n.keys.stranger);
    let foreign = build::evict_user(&n.view, &s.pubkey(), user).unwrap();
    n.refused(&s, foreign, Error::NotContributorOwner).await;
    n.ok(&o, [build::evict_user(&n.view, &ok, user).unwrap()]).await;
    assert_eq!(n.get_user(user).status, UserStatus::Deleting);
    n.ok(&a, build::close_user(&n.view, &a.pubkey(), user).unwrap()).await;
    n.ok(&o, [build::delete_device(&n.view, &ok, device).unwrap()]).await;
    assert_eq!(n.get_device(device).status, DeviceStatus::Deleting);
    let end = build::close_device(&n.view, &a.pubkey(), device).unwrap();
    for step in end {
        n.ok(&a, [step]).await;
    }
    assert_eq!((n.view.device(&device), audit(&n.view)), (None, vec![]));
}

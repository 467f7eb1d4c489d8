//! Counters, each one too high and one too low, and what is counted for accounts that are not there.

use std::ops::{Add, Sub};

use dz_serviceability::state::{
    AccessPass, AccountData, Client, Contributor, Device, Exchange, GlobalConfig, Interface, Link, MulticastGroup,
    Tenant, User, UserStatus,
};

use super::chain::{ALICE, ANOTHER, BOB, Chain, DAVE, free, ip, lost, seats};

/// A counter that is one too high or one too low is found, with what the account says and what it said before.
#[track_caller]
fn counter<T: AccountData, C>(
    chain: &Chain,
    name: &str,
    what: &str,
    says: fn(&T) -> String,
    field: fn(&mut T) -> &mut C,
) where
    C: Copy + From<u8> + PartialEq + Add<Output = C> + Sub<Output = C>,
{
    let mut account: T = chain.get(name);
    let (counted, number) = (says(&account), *field(&mut account));
    let [zero, one] = [0, 1].map(C::from);
    let low = (number != zero).then(|| number - one);
    for written in [Some(number + one), low].into_iter().flatten() {
        *field(&mut account) = written;
        let found = format!("{name}: {what} is {}, counted {counted}", says(&account));
        chain.broken(|c| c.put(c.key(name), &account), [&found]);
    }
}

#[test]
fn users_are_counted_in_their_device_by_service_and_role() {
    let (sound, what) = (Chain::sound(), "the count of users");
    let says = |it: &Device| format!("{:?}", it.counts);
    for name in ["nyc1", "nyc2"] {
        counter(&sound, name, what, says, |it| &mut it.counts.unicast_users);
        counter(&sound, name, what, says, |it| &mut it.counts.multicast_publishers);
        counter(&sound, name, what, says, |it| &mut it.counts.multicast_subscribers);
    }
}

#[test]
fn users_are_counted_in_their_pass_by_service_and_those_banned_apart() {
    let (sound, what) = (Chain::sound(), "the count of users");
    let says = |it: &AccessPass| format!("{:?}", [it.unicast_users, it.multicast_users, it.banned_users]);
    for name in ["pass of alice", "pass of carol", "pass of erin"] {
        counter(&sound, name, what, says, |it| &mut it.unicast_users);
        counter(&sound, name, what, says, |it| &mut it.multicast_users);
        counter(&sound, name, what, says, |it| &mut it.banned_users);
    }
}

#[test]
fn users_are_counted_in_their_interface_and_groups() {
    let sound = Chain::sound();
    for name in ["nyc1 Loopback100", "nyc1 Ethernet1"] {
        let says = |it: &Interface| it.user_count.to_string();
        counter(&sound, name, "the count of users", says, |it| &mut it.user_count);
    }
    for name in ["mg01", "mg02"] {
        let says = |it: &MulticastGroup| it.publisher_count.to_string();
        counter(&sound, name, "the count of publishers", says, |it| &mut it.publisher_count);
        let says = |it: &MulticastGroup| it.subscriber_count.to_string();
        counter(&sound, name, "the count of subscribers", says, |it| &mut it.subscriber_count);
    }
}

/// A refused one that lives again, and a waiting one that is refused.
#[test]
fn a_user_takes_a_seat_exactly_while_it_is_live() {
    let sound = Chain::sound();
    let to = |status| move |it: &mut User| it.status = status;
    sound.broken(
        |c| c.change("user rejected", to(UserStatus::Pending)),
        [
            &free("config client-addresses 9.128.0.0", &["9.128.0.7"]),
            "config: 9.128.0.7 has no account",
            "nyc2 Ethernet9: the count of users is 1, counted 2",
            &seats("nyc2", [3, 0, 0], [4, 0, 0]),
            "pass of carol: the count of users is [3, 2, 0], counted [4, 2, 0]",
            "user rejected: the payer of its address is None, counted Some(carol)",
        ],
    );
    for (status, pass) in [(UserStatus::Rejected, "[2, 2, 0]"), (UserStatus::Banned, "[2, 2, 1]")] {
        sound.broken(
            |c| c.change("user pending", to(status)),
            [
                "client 9.128.0.6: an address that nobody connects from",
                "client 9.128.0.6: that it has a payer is true, counted false",
                "client 9.128.0.6: the count of users is 1, counted 0",
                &lost("config client-addresses 9.128.0.0", &["9.128.0.6"]),
                "nyc2 Ethernet9: the count of users is 1, counted 0",
                &seats("nyc2", [3, 0, 0], [2, 0, 0]),
                &format!("pass of carol: the count of users is [3, 2, 0], counted {pass}"),
            ],
        );
    }
    sound.broken(
        |c| c.change("user pending", to(UserStatus::PendingBan)),
        ["pass of carol: the count of users is [3, 2, 0], counted [3, 2, 1]"],
    );
}

#[test]
fn the_account_of_an_address_counts_users_and_the_foundations_passes() {
    let sound = Chain::sound();
    // In turn: two users, one with a pass of a tenant, one with a pass of the foundation, nobody and such a pass.
    for name in ["client 9.128.0.3", "client 9.128.0.2", "client 9.128.0.1"] {
        counter(&sound, name, "the count of users", |it: &Client| it.user_count.to_string(), |it| &mut it.user_count);
    }
    for name in ["client 9.128.0.3", "client 9.128.0.2", "client 9.128.0.1", "client 9.128.0.11"] {
        let says = |it: &Client| it.named_passes.to_string();
        counter(&sound, name, "the count of passes", says, |it| &mut it.named_passes);
    }
}

#[test]
fn an_address_has_an_account_and_a_payer_exactly_while_it_is_used() {
    let sound = Chain::sound();
    sound.broken(
        |c| c.change("client 9.128.0.1", |it: &mut Client| it.payer = None),
        [
            "client 9.128.0.1: that it has a payer is false, counted true",
            "user unicast: the payer of its address is None, counted Some(alice)",
        ],
    );
    sound.broken(
        |c| c.change("client 9.128.0.1", |it: &mut Client| it.payer = Some(BOB)),
        ["user unicast: the payer of its address is Some(bob), counted Some(alice)"],
    );
    sound.broken(
        |c| c.change("client 9.128.0.11", |it: &mut Client| it.payer = Some(DAVE)),
        ["client 9.128.0.11: that it has a payer is true, counted false"],
    );
    sound.broken(
        |c| c.close("client 9.128.0.6"),
        ["config: 9.128.0.6 has no account", "user pending: the payer of its address is None, counted Some(carol)"],
    );
    sound.broken(|c| c.close("client 9.128.0.11"), ["config: 9.128.0.11 has no account"]);
    let unused = Client { client_ip: ip("9.128.0.99"), payer: None, user_count: 0, named_passes: 0 };
    sound.broken(|c| c.put(ANOTHER, &unused), ["another: an address that nobody connects from"]);
    let left = Client { payer: Some(ALICE), ..unused };
    sound.broken(
        |c| c.put(ANOTHER, &left),
        ["another: an address that nobody connects from", "another: that it has a payer is true, counted false"],
    );
}

#[test]
fn a_device_counts_its_interfaces_endpoints_and_links() {
    let sound = Chain::sound();
    for name in ["nyc1", "nyc2"] {
        let says = |it: &Device| it.interface_count.to_string();
        counter(&sound, name, "the count of interfaces", says, |it| &mut it.interface_count);
        let says = |it: &Device| it.endpoint_count.to_string();
        counter(&sound, name, "the count of endpoints", says, |it| &mut it.endpoint_count);
        let says = |it: &Device| it.pulled_count.to_string();
        counter(&sound, name, "the count of pulled endpoints", says, |it| &mut it.pulled_count);
        counter(&sound, name, "the count of links", |it: &Device| it.link_count.to_string(), |it| &mut it.link_count);
    }
}

#[test]
fn references_are_counted() {
    let (sound, what) = (Chain::sound(), "the count of references");
    counter(&sound, "co", what, |it: &Contributor| it.reference_count.to_string(), |it| &mut it.reference_count);
    counter(&sound, "nyc", what, |it: &Exchange| it.reference_count.to_string(), |it| &mut it.reference_count);
    for name in ["acme", "idle"] {
        counter(&sound, name, what, |it: &Tenant| it.reference_count.to_string(), |it| &mut it.reference_count);
    }
    let says = |it: &GlobalConfig| it.device_count.to_string();
    counter(&sound, "config", "the count of devices", says, |it| &mut it.device_count);
    for name in ["mg01", "mg02"] {
        let says = |it: &MulticastGroup| it.allowlist_count.to_string();
        counter(&sound, name, "the count of allowlist entries", says, |it| &mut it.allowlist_count);
    }
    // A refused user is no reference to its tenant.
    let acme = sound.key("acme");
    sound.fine(|c| c.change("user rejected", |it: &mut User| it.tenant = Some(acme)));
}

#[test]
fn what_refers_to_an_account_that_is_not_there_is_found() {
    let sound = Chain::sound();
    sound.broken(|c| c.close("nyc"), ["nyc: is not there, and the count of references would be 2"]);
    sound.broken(
        |c| c.change("nyc2", |it: &mut Device| it.contributor = ANOTHER),
        [
            "another: is not there, and the count of references would be 1",
            "other: the count of references is 1, counted 0",
        ],
    );
    sound.broken(
        |c| c.change("asked", |it: &mut Link| it.contributor = ANOTHER),
        [
            "another: is not there, and the count of references would be 1",
            "co: the count of references is 3, counted 2",
        ],
    );
    sound.broken(
        |c| c.change("pass of carol", |it: &mut AccessPass| it.publish = vec![ANOTHER]),
        [
            "another: is not there, and the count of allowlist entries would be 1",
            "mg01: the count of allowlist entries is 2, counted 1",
        ],
    );
    sound.broken(
        |c| c.change("pass of dave", |it: &mut AccessPass| it.tenants = vec![ANOTHER]),
        [
            "acme: the count of references is 3, counted 2",
            "another: is not there, and the count of references would be 1",
        ],
    );
    sound.broken(
        |c| c.change("user publisher", |it: &mut User| it.publishers = vec![ANOTHER]),
        [
            "another: is not there, and the count of publishers would be 1",
            "mg01: the count of publishers is 1, counted 0",
        ],
    );
    sound.broken(
        |c| c.change("user subscriber", |it: &mut User| it.subscribers = vec![ANOTHER]),
        [
            "another: is not there, and the count of subscribers would be 1",
            "mg01: the count of subscribers is 1, counted 0",
        ],
    );
    sound.broken(
        |c| c.close("pass of alice"),
        [
            "client 9.128.0.1: the count of passes is 1, counted 0",
            "pass of alice: is not there, and the count of users would be [1, 0, 0]",
            "user unicast: the payer of its pass is None, counted Some(alice)",
        ],
    );
    // A refused user does not keep its pass.
    sound.fine(|c| c.change("user rejected", |it: &mut User| it.access_pass = ANOTHER));
}

//! Users: pair, status, roles, dz_ip, endpoint, device, pass and tenant.

use dz_serviceability::state::{
    AccessPass, Device, DeviceStatus, Interface, MulticastGroup, Pool, User, UserStatus, UserType,
};
use solana_pubkey::Pubkey;

use super::chain::{ANOTHER, BOB, Chain, ip, lost, net, seats};

#[test]
fn two_live_users_of_one_pair_are_found() {
    let sound = Chain::sound();
    // The publisher takes the place of the subscriber of the same client.
    let loopback = sound.key("nyc1 Loopback101");
    let twin = |it: &mut User| (it.endpoint_ip, it.interface) = (ip("45.33.3.2"), loopback);
    sound.broken(
        |c| c.change("user publisher", twin),
        [
            "nyc1 Loopback100: the count of users is 2, counted 1",
            "nyc1 Loopback101: the count of users is 3, counted 4",
            "user publisher: has the same client and endpoint as user subscriber",
        ],
    );
    let of_alice = |it: &mut User| (it.client_ip, it.endpoint_ip) = (ip("9.128.0.1"), ip("45.33.3.1"));
    sound.fine(|c| c.change("user rejected", of_alice));
    sound.fine(|c| c.change("user banned", of_alice));
}

#[test]
fn a_user_holds_a_tunnel_if_its_status_says_so() {
    use UserStatus::{Activated, Deleting, Pending, Updating};
    let sound = Chain::sound();
    let to = |name: &'static str, status| move |c: &mut Chain| c.change(name, |it: &mut User| it.status = status);
    for status in [Activated, Updating] {
        sound.broken(to("user pending", status), ["user pending: that it holds a tunnel is false, counted true"]);
        sound.fine(to("user unicast", status));
    }
    sound.fine(to("user pending", Deleting));
    sound.fine(to("user unicast", Deleting));
    sound.broken(to("user unicast", Pending), ["user unicast: that it holds a tunnel is true, counted false"]);
    let allocation = sound.get::<User>("user pending ban").allocation;
    for name in ["user rejected", "user banned"] {
        sound.broken(
            |c| {
                c.change("user pending ban", |it: &mut User| it.allocation = None);
                c.change(name, |it: &mut User| it.allocation = allocation);
            },
            [
                &format!("{name}: has a dz_ip that is neither its own address nor from a pool"),
                &format!("{name}: that it holds a tunnel is true, counted false"),
            ],
        );
    }
}

#[test]
fn roles_are_of_multicast_users_that_hold_something_and_there_once() {
    let sound = Chain::sound();
    let group = sound.key("mg01");
    let publish = |name: &'static str, times: usize| {
        move |c: &mut Chain| {
            let before = c.get::<User>(name).publishers.len() as u32;
            c.change(name, |it: &mut User| it.publishers = vec![group; times]);
            c.change("mg01", |it: &mut MulticastGroup| it.publisher_count += times as u32 - before);
        }
    };
    let subscribe = |name: &'static str, times: usize| {
        move |c: &mut Chain| {
            let before = c.get::<User>(name).subscribers.len() as u32;
            c.change(name, |it: &mut User| it.subscribers = vec![group; times]);
            c.change("mg01", |it: &mut MulticastGroup| it.subscriber_count += times as u32 - before);
        }
    };
    sound.broken(publish("user publisher", 2), ["user publisher: has a role twice"]);
    sound.broken(subscribe("user subscriber", 2), ["user subscriber: has a role twice"]);
    // One of each in one group is no role twice.
    sound.fine(subscribe("user publisher", 1));
    sound.broken(publish("user unicast", 1), ["user unicast: is a unicast user with roles"]);
    sound.broken(subscribe("user unicast", 1), ["user unicast: is a unicast user with roles"]);
    for name in ["user rejected", "user banned"] {
        let mut idle = sound.clone();
        idle.change(name, |it: &mut User| it.user_type = UserType::Multicast);
        idle.is_sound();
        let found = format!("{name}: has roles although it holds nothing");
        idle.broken(publish(name, 1), [&found]);
        idle.broken(subscribe(name, 1), [&found]);
    }
}

/// Gives a user another dz_ip, and lets the pools that it leaves and enters know.
fn move_dz_ip(c: &mut Chain, name: &str, address: &str, pool: Option<&str>) {
    let held = c.get::<User>(name).allocation.unwrap();
    if let Some(left) = held.dz_ip_pool {
        c.change(&c.name(&left), |it: &mut Pool| it.release(held.dz_ip.into(), 1).unwrap());
    }
    if let Some(entered) = pool {
        c.change(entered, |it: &mut Pool| it.claim(ip(address).into(), 1).unwrap());
    }
    let pool = pool.map(|pool| c.key(pool));
    c.change_allocation(name, |it| (it.dz_ip, it.dz_ip_pool) = (ip(address), pool));
}

const OWN: &str = "nyc1 device-prefix 9.0.1.0";
const CARVED: &str = "nyc1 device-prefix 45.33.3.0";
const PUBLISHERS: &str = "config multicast-publisher-block 148.51.120.0";

#[test]
fn a_dz_ip_comes_from_where_the_service_takes_it() {
    let sound = Chain::sound();
    let update = |c: &mut Chain, name: &str| c.change(name, |it: &mut User| it.status = UserStatus::Updating);
    for (name, address, pool) in [
        ("user unicast", "9.0.1.2", Some(OWN)),
        ("user allocated", "9.128.0.4", None),
        ("user publisher", "9.128.0.3", None),
        ("user subscriber", "148.51.120.1", Some(PUBLISHERS)),
    ] {
        let from_pool = pool.is_some();
        let found = format!("{name}: that its dz_ip comes from a pool is {from_pool}, counted {}", !from_pool);
        sound.broken(|c| move_dz_ip(c, name, address, pool), [&found]);
        let updating = |c: &mut Chain| {
            move_dz_ip(c, name, address, pool);
            update(c, name);
        };
        // One that waits for its dz_ip to follow its roles may have either.
        match sound.get::<User>(name).user_type {
            UserType::Multicast => sound.fine(updating),
            _ => sound.broken(updating, [&found]),
        }
    }
    sound.broken(
        |c| c.change_allocation("user unicast", |it| it.dz_ip = ip("9.128.0.77")),
        ["user unicast: has a dz_ip that is neither its own address nor from a pool"],
    );
}

#[test]
fn only_filtering_at_the_edge_needs_the_foundations_space() {
    let sound = Chain::sound();
    let found = "user filtered: filters at the edge for an address that is not of the foundation's space";
    sound.broken(|c| move_dz_ip(c, "user filtered", "9.0.1.2", Some(OWN)), [found]);
    sound.broken(
        |c| move_dz_ip(c, "user filtered", "9.128.0.5", None),
        [found, "user filtered: that its dz_ip comes from a pool is false, counted true"],
    );
    sound.fine(|c| move_dz_ip(c, "user allocated", "45.33.3.4", Some(CARVED)));
}

#[test]
fn a_tunnel_network_is_a_slash_31() {
    let sound = Chain::sound();
    // Two free units, so that only the length is wrong.
    sound.broken(
        |c| {
            c.change_allocation("user pending ban", |it| it.tunnel_net = net("169.254.0.20/30"));
            let name = "config user-tunnel-block 169.254.0.0";
            c.change(name, |it: &mut Pool| it.release(ip("169.254.0.18").into(), 1).unwrap());
            c.change(name, |it: &mut Pool| it.claim(ip("169.254.0.20").into(), 2).unwrap());
        },
        ["user pending ban: the length of its network is 30, counted 31"],
    );
}

#[test]
fn a_live_user_ends_on_an_endpoint_of_its_device() {
    let sound = Chain::sound();
    sound.broken(
        |c| c.change("user unicast", |it: &mut User| it.endpoint_ip = ip("45.33.3.2")),
        ["user unicast: its endpoint is Some(45.33.3.1), counted Some(45.33.3.2)"],
    );
    sound.broken(
        |c| c.change("user unicast", |it: &mut User| it.interface = ANOTHER),
        [
            "another: is not there, and the count of users would be 1",
            "nyc1 Loopback100: the count of users is 2, counted 1",
            "user unicast: its endpoint is None, counted Some(45.33.3.1)",
        ],
    );
    let nyc1 = sound.key("nyc1");
    sound.broken(
        |c| c.change("user pending", |it: &mut User| it.device = nyc1),
        [
            &seats("nyc1", [3, 1, 1], [4, 1, 1]),
            &seats("nyc2", [3, 0, 0], [2, 0, 0]),
            "user pending: its endpoint is None, counted Some(9.0.0.2)",
        ],
    );
    let closed = |it: &mut Interface| it.user_tunnel_endpoint = false;
    sound.broken(
        |c| c.change("nyc1 Loopback100", closed),
        [
            "nyc1: the count of endpoints is 2, counted 1",
            "user publisher: its endpoint is None, counted Some(45.33.3.1)",
            "user unicast: its endpoint is None, counted Some(45.33.3.1)",
        ],
    );
    // Of one that is not live, nothing is asked.
    let elsewhere = |it: &mut User| (it.endpoint_ip, it.interface, it.device) = (ip("10.0.0.1"), ANOTHER, ANOTHER);
    sound.fine(|c| c.change("user rejected", elsewhere));
    sound.fine(|c| c.change("user banned", elsewhere));
}

#[test]
fn an_endpoint_is_public() {
    let sound = Chain::sound();
    sound.broken(
        |c| {
            c.change("user tenant", |it: &mut User| it.endpoint_ip = ip("10.0.0.1"));
            c.change("user pending ban", |it: &mut User| it.endpoint_ip = ip("10.0.0.1"));
            c.change("nyc2 Loopback150", |it: &mut Interface| it.address.as_mut().unwrap().ip = ip("10.0.0.1"));
        },
        [
            &lost("config address-registry 9.0.3.0", &["9.0.3.1"]),
            "nyc2 Loopback150: holds 10.0.0.1/32 of a pool that is not there",
            "user pending ban: ends on an address that is not public",
            "user tenant: ends on an address that is not public",
        ],
    );
}

#[test]
fn a_live_user_is_on_a_device_that_serves() {
    let sound = Chain::sound();
    let to = |status| move |c: &mut Chain| c.change("nyc2", |it: &mut Device| it.status = status);
    sound.fine(to(DeviceStatus::Activated));
    sound.fine(to(DeviceStatus::Drained));
    sound.broken(
        to(DeviceStatus::Pending),
        [
            "user pending ban: is live on a device that is Some(Pending)",
            "user pending: is live on a device that is Some(Pending)",
            "user tenant: is live on a device that is Some(Pending)",
        ],
    );
    sound.broken(
        to(DeviceStatus::Deleting),
        [
            "user pending ban: is live on a device that is Some(Deleting)",
            "user pending: is live on a device that is Some(Deleting)",
            "user tenant: is live on a device that is Some(Deleting)",
        ],
    );
}

#[test]
fn a_live_user_is_its_pass_holders_and_connects_from_where_that_may() {
    let sound = Chain::sound();
    sound.broken(
        |c| c.change("pass of alice", |it: &mut AccessPass| it.payer = BOB),
        ["user unicast: the payer of its pass is Some(bob), counted Some(alice)"],
    );
    sound.broken(
        |c| c.change("pass of bob", |it: &mut AccessPass| it.client_ip = ip("9.128.0.12")),
        ["user tenant: connects from an address that its pass is not for"],
    );
}

#[test]
fn a_tenants_user_has_a_vrf() {
    let sound = Chain::sound();
    let idle = sound.key("idle");
    let to = |tenant: Pubkey| move |c: &mut Chain| c.change("user tenant", |it: &mut User| it.tenant = Some(tenant));
    sound.broken(
        to(idle),
        [
            "acme: the count of references is 3, counted 2",
            "idle: the count of references is 0, counted 1",
            "user tenant: is in a tenant that has no VRF",
        ],
    );
    sound.broken(
        to(ANOTHER),
        [
            "acme: the count of references is 3, counted 2",
            "another: is not there, and the count of references would be 1",
            "user tenant: is in a tenant that has no VRF",
        ],
    );
}

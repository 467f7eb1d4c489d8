//! Every counter on chain equals a recount of what it counts.

use dz_sdk::{
    NetworkView,
    program::state::{User, UserStatus},
};

use super::Mismatch;

fn equal(subject: String, counter: &'static str, stored: u64, counted: usize, found: &mut Vec<Mismatch>) {
    if stored != counted as u64 {
        found.push(Mismatch {
            invariant: "a counter equals a recount",
            subject: format!("{counter} of {subject}"),
            views: ("counter".to_owned(), "recount".to_owned()),
            first: stored.to_string(),
            second: counted.to_string(),
        });
    }
}

pub(super) fn check(view: &NetworkView, found: &mut Vec<Mismatch>) {
    let seated: Vec<&User> = view.users().values().filter(|user| user.status.holds_seat()).collect();
    let users = |is: &dyn Fn(&User) -> bool| seated.iter().filter(|user| is(user)).count();
    for (key, device) in view.devices() {
        let subject = || format!("device {}", device.code);
        let here = |user: &User| user.device == *key;
        let counts = device.counts;
        let unicast = users(&|user| here(user) && !user.user_type.is_multicast());
        equal(subject(), "unicast_users", counts.unicast_users.into(), unicast, found);
        let publishers = users(&|user| here(user) && user.user_type.is_multicast() && user.is_publisher());
        equal(subject(), "multicast_publishers", counts.multicast_publishers.into(), publishers, found);
        let subscribers = users(&|user| here(user) && user.user_type.is_multicast() && !user.is_publisher());
        equal(subject(), "multicast_subscribers", counts.multicast_subscribers.into(), subscribers, found);
        let interfaces = view.interfaces_of_device(key).count();
        equal(subject(), "interface_count", device.interface_count.into(), interfaces, found);
        let endpoints = view.endpoints(key).len();
        equal(subject(), "endpoint_count", device.endpoint_count.into(), endpoints, found);
    }
    for (key, interface) in view.interfaces() {
        let on = users(&|user| user.interface == *key);
        equal(format!("interface {}", interface.name), "user_count", interface.user_count.into(), on, found);
    }
    for (key, pass) in view.access_passes() {
        let subject = || format!("access pass of {}", pass.client_ip);
        let under = |user: &User| user.access_pass == *key;
        let unicast = users(&|user| under(user) && !user.user_type.is_multicast());
        equal(subject(), "unicast_users", pass.unicast_users.into(), unicast, found);
        let multicast = users(&|user| under(user) && user.user_type.is_multicast());
        equal(subject(), "multicast_users", pass.multicast_users.into(), multicast, found);
        let banned = |user: &&User| under(user) && matches!(user.status, UserStatus::PendingBan | UserStatus::Banned);
        let banned = view.users().values().filter(banned).count();
        equal(subject(), "banned_users", pass.banned_users.into(), banned, found);
    }
    for (key, group) in view.groups() {
        let subject = || format!("group {}", group.code);
        let publishers = view.users().values().filter(|user| user.publishers.contains(key)).count();
        equal(subject(), "publisher_count", group.publisher_count.into(), publishers, found);
        let subscribers = view.users().values().filter(|user| user.subscribers.contains(key)).count();
        equal(subject(), "subscriber_count", group.subscriber_count.into(), subscribers, found);
    }
    for (key, exchange) in view.exchanges() {
        let devices = view.devices().values().filter(|device| device.exchange == *key).count();
        equal(
            format!("exchange {}", exchange.code),
            "reference_count",
            exchange.reference_count.into(),
            devices,
            found,
        );
    }
}

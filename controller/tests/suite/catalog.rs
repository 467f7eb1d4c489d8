//! The controller's answers while the network changes, and when the ledger gives nonsense.

use std::collections::BTreeSet;

use dz_controller::serve::{Catalog, FailedLinks, Implausible};
use dz_sdk::NetworkView;

use crate::view_builder::{Chain, Kind, NewUser, PROGRAM};

fn user(client: &str, id: u16) -> NewUser<'_> {
    NewUser { client, device: "nyc1", endpoint: 0, id, kind: Kind::Own { tenant: None } }
}

fn network() -> Chain {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    chain.device("pit1", "9.0.0.2", &["45.33.100.9", "45.33.100.10"]);
    chain
}

#[test]
fn a_config_keeps_the_revision_it_first_had() {
    let mut chain = network();
    let none = FailedLinks::new();
    let first = Catalog::default().next(&chain.view(), &none).unwrap();
    let before = first.slot;
    chain.user(user("9.1.0.1", 500));
    let second = first.next(&chain.view(), &none).unwrap();

    let revision = |catalog: &Catalog, device| {
        let entry = &catalog.devices[&chain.key(device)];
        entry.rendered.as_ref().unwrap().revision
    };
    assert_eq!(revision(&second, "nyc1"), second.slot);
    assert_eq!(revision(&second, "pit1"), before);
    assert_eq!(second.devices[&chain.key("pit1")], first.devices[&chain.key("pit1")]);
}

#[test]
fn a_device_that_cannot_be_rendered_keeps_its_config() {
    let mut chain = network();
    let none = FailedLinks::new();
    let key = chain.user(user("9.1.0.1", 500));
    let good = Catalog::default().next(&chain.view(), &none).unwrap();
    chain.set_user(key, |user| user.allocation = None);
    let bad = good.next(&chain.view(), &none).unwrap();

    let (nyc1, pit1) = (chain.key("nyc1"), chain.key("pit1"));
    assert_eq!(bad.devices[&nyc1].rendered, good.devices[&nyc1].rendered);
    assert_eq!(bad.devices[&nyc1].error, Some(format!("user {key} has a tunnel and no allocation")));
    assert_eq!(bad.devices[&pit1], good.devices[&pit1]);
}

#[test]
fn a_view_without_the_network_is_refused() {
    let chain = network();
    let good = Catalog::default().next(&chain.view(), &FailedLinks::new()).unwrap();
    let mut empty = NetworkView::new(PROGRAM);
    empty.set_slot(99);
    assert_eq!(good.next(&empty, &FailedLinks::new()), Err(Implausible::NoConfig { slot: 99 }));
}

#[test]
fn a_link_is_broken_when_a_device_at_its_end_says_so() {
    let mut chain = network();
    chain.device("ams1", "9.0.0.3", &["45.33.100.17"]);
    chain.link("nyc1-pit1", ("nyc1", "Ethernet1"), ("pit1", "Ethernet1"), 5);
    chain.user(user("9.1.0.1", 500));
    let transit = |says: &[(&str, &[&str])]| {
        let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<BTreeSet<_>>();
        let failed = says.iter().map(|(device, said)| (chain.key(device), codes(said))).collect();
        let catalog = Catalog::default().next(&chain.view(), &failed).unwrap();
        catalog.devices[&chain.key("pit1")].rendered.clone().unwrap().config.transit.len()
    };
    assert_eq!(transit(&[]), 1);
    assert_eq!(transit(&[("nyc1", &["nyc1-pit1", "no such link"])]), 0);
    assert_eq!(transit(&[("nyc1", &[]), ("pit1", &["nyc1-pit1"])]), 0);
    // What ends elsewhere is not for others to say.
    assert_eq!(transit(&[("ams1", &["nyc1-pit1"])]), 1);
}

#[test]
fn what_a_device_said_counts_no_more_when_it_is_gone() {
    let mut chain = network();
    chain.link("east", ("nyc1", "Ethernet1"), ("pit1", "Ethernet1"), 5);
    chain.user(user("9.1.0.1", 500));
    let said = FailedLinks::from([(chain.key("pit1"), BTreeSet::from(["east".to_owned()]))]);
    // Its link goes with it, and another takes the code.
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    chain.device("ams1", "9.0.0.3", &["45.33.100.17"]);
    chain.link("east", ("nyc1", "Ethernet1"), ("ams1", "Ethernet1"), 5);
    chain.user(user("9.1.0.1", 500));
    let catalog = Catalog::default().next(&chain.view(), &said).unwrap();
    assert_eq!(catalog.devices[&chain.key("ams1")].rendered.clone().unwrap().config.transit.len(), 1);
}

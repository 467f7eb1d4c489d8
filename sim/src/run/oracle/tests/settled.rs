//! A part that is settled, and one that is not.

use dz_client::api::Status;
use dz_controller::serve::api::{DeviceAnswer, Report, Revision};

use super::{super::settle, CLIENT, FIRST};

#[test]
fn a_part_is_settled_when_it_has_done_what_the_latest_slot_asks_for() {
    assert_eq!([None, Some(6), Some(7), Some(8)].map(|seen| settle::has_seen(seen, 7)), [false, false, true, true]);

    let planned = |planned_slot, idle| settle::planned(&settle::ActivatorHealth { planned_slot, idle }, 7);
    let behind = |slot: &str| Err(format!("planned slot {slot} of 7"));
    assert_eq!(planned(Some(7), true), Ok(()));
    assert_eq!(planned(Some(6), true), behind("Some(6)"));
    assert_eq!(planned(Some(7), false), behind("Some(7)"));

    let revision = |hash: &str| Some(Revision { revision: 1, hash: hash.parse().unwrap() });
    let [old, new] = ["00000000000000aa", "00000000000000bb"].map(revision);
    let applied = |rendered, report: Option<(Option<Revision>, &[&str])>| {
        let report = report.map(|(running, failures)| Report {
            running,
            failures: failures.iter().copied().map(str::to_owned).collect(),
            ..Report::default()
        });
        let (pubkey, code) = (String::new(), "nyc1".to_owned());
        settle::applied(&DeviceAnswer { pubkey, code, rendered, error: None, report })
    };
    let behind = |failures: &str| Err(format!("it does not run what is rendered; failures: {failures}"));
    assert_eq!(applied(new, Some((new, &[]))), Ok(()));
    assert_eq!(applied(new, Some((old, &[]))), behind("[]"));
    assert_eq!(applied(new, Some((None, &[]))), behind("[]"));
    assert_eq!(applied(new, None), behind("[]"));
    assert_eq!(applied(new, Some((new, &["no such port"]))), behind("[\"no such port\"]"));
    // There is nothing that it could run.
    assert_eq!(applied(None, None), Ok(()));
    assert_eq!(applied(None, Some((old, &[]))), Ok(()));

    let acted = |slot, settled| {
        let network = "devnet".to_owned();
        let services = Vec::new();
        let status =
            Status { version: 1, reconciler_enabled: true, client_ip: CLIENT, network, slot, settled, services };
        [CLIENT, FIRST].map(|address| settle::acted(&status, address, 7))
    };
    let behind = |slot: &str| Err(format!("it has acted on slot {slot} of 7"));
    let other = Err("it acts for 9.128.0.1, and its host has 45.33.100.1".to_owned());
    assert_eq!(acted(Some(7), true), [Ok(()), other]);
    assert_eq!(acted(Some(6), true), [behind("Some(6)"), behind("Some(6)")]);
    assert_eq!(acted(Some(7), false), [behind("Some(7)"), behind("Some(7)")]);

    assert_eq!(settle::stood_still(7, 7), Ok(()));
    assert_eq!(settle::stood_still(7, 8), Err("it has moved from slot 7 to 8".to_owned()));
}

//! The rendered tables, followed from device to device.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dz_controller::config::{
    DeviceConfig, DeviceState, IfName, LinkPort, LinkState, NextHop, Port, Service, Table, Tunnel,
};
use dz_sdk::{
    NetworkView,
    program::state::{AccountData, Device, DeviceStatus},
};

use super::{super::reach, FIRST, users};

/// nyc1 with client 1, nyc2 with client 2 and the link between them, as they should be rendered.
fn linked() -> (NetworkView, reach::Configs) {
    let mut view = users(&[(1, None, "nyc1"), (2, None, "nyc2")]);
    let (key, device) = view.device_by_code("nyc2").map(|(key, device)| (key, device.clone())).unwrap();
    view.set_account(key, &Device { status: DeviceStatus::Activated, ..device }.encode()).unwrap();
    let port = || "Ethernet1".parse::<IfName>().unwrap();
    let config = |device: &str, own: u8, peer: &str, other: u8| {
        let [dz_ip, far] = [own, other].map(|client| Ipv4Addr::new(9, 128, 0, client));
        let link = LinkPort {
            code: "one".to_owned(),
            peer: peer.to_owned(),
            gateway: Ipv4Addr::new(172, 16, 0, other),
            metric: 1,
            state: LinkState::Active,
        };
        let tunnel = Tunnel {
            user: String::new(),
            source: FIRST,
            destination: dz_ip,
            overlay: "169.254.0.0/31".parse().unwrap(),
            mtu: 1476,
            ttl: 64,
            shut: false,
            service: Service::Unicast { vrf: 1, dz_ip, allocated: false },
        };
        let far_way = NextHop::Link { port: port(), gateway: link.gateway };
        let routes = BTreeMap::from([(dz_ip, NextHop::Tunnel(500)), (far, far_way)]);
        let name = "Ethernet1".to_owned();
        DeviceConfig {
            device: device.to_owned(),
            state: DeviceState::Serving,
            public_ip: FIRST,
            loopbacks: BTreeMap::new(),
            ports: BTreeMap::from([(port(), Port { name, address: None, endpoint: false, link: Some(link) })]),
            tunnels: BTreeMap::from([(500, tunnel)]),
            tables: BTreeMap::from([(1, Table { tenant: None, routes: routes.clone() })]),
            transit: routes,
            groups: Vec::new(),
        }
    };
    let configs = [config("nyc1", 1, "nyc2", 2), config("nyc2", 2, "nyc1", 1)];
    (view, configs.map(|config| (config.device.clone(), config)).into())
}

/// What is said of the tables after a change to the first of the two devices, and to the second.
fn tables(change: impl FnOnce(&mut DeviceConfig, &mut DeviceConfig)) -> Vec<String> {
    let (view, mut configs) = linked();
    let [mut first, mut second] = ["nyc1", "nyc2"].map(|code| configs.remove(code).unwrap());
    change(&mut first, &mut second);
    configs.extend([first, second].map(|config| (config.device.clone(), config)));
    let mut found = Vec::new();
    reach::check(&view, &configs, &mut found);
    let invariant = "a tenant's table leads to the tenant's users";
    assert!(found.iter().all(|it| it.invariant == invariant && it.views.0 == "chain"), "{found:?}");
    found.into_iter().map(|it| format!("{}; {}; {}; {}", it.subject, it.views.1, it.first, it.second)).collect()
}

#[test]
fn a_table_leads_to_all_users_of_its_tenant_and_each_route_to_its_user() {
    let [near, far] = [1, 2].map(|client| Ipv4Addr::new(9, 128, 0, client));
    let routes = |config: &mut DeviceConfig| std::mem::take(&mut config.tables.get_mut(&1).unwrap().routes);
    let table = |routes| BTreeMap::from([(1, Table { tenant: None, routes })]);
    assert_eq!(tables(|_, _| ()), [""; 0]);
    let other = "user (9.128.0.2, 45.33.100.1); table 1 of nyc1; can be reached; ";
    let leads_elsewhere = |why: &str| format!("{other}its route to 9.128.0.2 does not lead there: {why}");
    let without = |config: &mut DeviceConfig| {
        let mut routes = routes(config);
        routes.remove(&far);
        config.tables = table(routes);
    };
    assert_eq!(tables(|first, _| without(first)), [format!("{other}no route to 9.128.0.2")]);
    let own = "user (9.128.0.1, 45.33.100.1); table 1 of nyc1; can be reached; ";
    let all = [format!("{own}no route to 9.128.0.1"), format!("{other}no route to 9.128.0.2")];
    assert_eq!(tables(|first, _| first.tables.clear()), all);
    // Another tenant's, and a table of a tenant that nobody is in here.
    let stranger = Ipv4Addr::new(9, 128, 0, 9);
    let add = |config: &mut DeviceConfig, vrf| {
        let there = config.tables.entry(vrf).or_insert(Table { tenant: None, routes: BTreeMap::new() });
        there.routes.insert(stranger, NextHop::Tunnel(500));
    };
    for vrf in [1, 2] {
        let said = format!("9.128.0.9; table {vrf} of nyc1; no such user that can be reached; a route to 9.128.0.9");
        assert_eq!(tables(|first, _| add(first, vrf)), [said]);
    }
    let by = |config: &mut DeviceConfig, next| {
        let mut routes = routes(config);
        routes.insert(far, next);
        config.tables = table(routes);
    };
    let said = leads_elsewhere("nyc1 has no unicast tunnel 501");
    assert_eq!(tables(|first, _| by(first, NextHop::Tunnel(501))), [said]);
    let said = leads_elsewhere("tunnel 500 of nyc1 is that of 9.128.0.1");
    assert_eq!(tables(|first, _| by(first, NextHop::Tunnel(500))), [said]);
    let nowhere = || NextHop::Link { port: "Ethernet2".parse().unwrap(), gateway: near };
    let said = leads_elsewhere("Ethernet2 of nyc1 has no link that carries");
    assert_eq!(tables(|first, _| by(first, nowhere())), [said]);
    let forget = |_: &mut DeviceConfig, second: &mut DeviceConfig| second.transit.retain(|dz_ip, _| *dz_ip != far);
    assert_eq!(tables(forget), [leads_elsewhere("nyc2 knows no way on")]);
    let send_back = |_: &mut DeviceConfig, second: &mut DeviceConfig| {
        second.transit.insert(far, second.transit[&near].clone());
    };
    assert_eq!(tables(send_back), [leads_elsewhere("it goes round in circles")]);
}

#[test]
fn who_is_behind_a_link_that_carries_nothing_is_not_led_to() {
    for state in [LinkState::Closed, LinkState::Failed] {
        let cut = |config: &mut DeviceConfig| {
            config.ports.values_mut().for_each(|port| port.link.as_mut().unwrap().state = state);
        };
        let said = |number: u8, at: &str| {
            let dz_ip = Ipv4Addr::new(9, 128, 0, number);
            format!("{dz_ip}; table 1 of {at}; no such user that can be reached; a route to {dz_ip}")
        };
        let both = |first: &mut DeviceConfig, second: &mut DeviceConfig| [first, second].into_iter().for_each(cut);
        assert_eq!(tables(both), [said(2, "nyc1"), said(1, "nyc2")]);
        let done = |first: &mut DeviceConfig, second: &mut DeviceConfig| {
            for (config, far) in [(first, 2), (second, 1)] {
                cut(config);
                config.tables.get_mut(&1).unwrap().routes.remove(&Ipv4Addr::new(9, 128, 0, far));
            }
        };
        assert_eq!(tables(done), [""; 0]);
    }
}

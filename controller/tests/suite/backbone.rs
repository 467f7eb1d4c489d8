//! Three devices on the internet and a backbone between them, all running.

use dz_net::kernel::{LinkKind, LinkSpec};

use crate::{
    view_builder::Chain,
    wire::{Controller, Host, Internet, Process, agent, cable},
};

/// Three devices in a row and one direct link, with what runs on them.
pub(crate) struct Backbone {
    pub(crate) chain: Chain,
    pub(crate) internet: Internet,
    pub(crate) controller: Controller,
    devices: Vec<(&'static str, Host)>,
    pub(crate) agents: Vec<Process>,
    /// In the direct link.
    pub(crate) switch: Switch,
}

const DEVICES: [(&str, &str, &str); 3] =
    [("nyc1", "9.0.0.1", "45.33.100.1"), ("pit1", "9.0.0.2", "45.33.100.9"), ("chi1", "9.0.0.3", "45.33.100.17")];

impl Backbone {
    /// nyc1 to pit1 to chi1 in 20 ms, nyc1 to chi1 in 15 ms.
    pub(crate) async fn new() -> Self {
        let mut chain = Chain::new();
        let mut internet = Internet::new().await;
        let mut devices = Vec::new();
        for (code, public_ip, endpoint) in DEVICES {
            chain.device(code, public_ip, &[endpoint]);
            devices.push((code, internet.host(&[public_ip, endpoint]).await));
        }
        chain.link("nyc1-pit1", ("nyc1", "Ethernet1"), ("pit1", "Ethernet1"), 10);
        chain.link("pit1-chi1", ("pit1", "Ethernet2"), ("chi1", "Ethernet2"), 10);
        chain.link("nyc1-chi1", ("nyc1", "Ethernet3"), ("chi1", "Ethernet3"), 15);
        let [nyc1, pit1, chi1] = [0, 1, 2].map(|index: usize| &devices[index].1);
        cable((nyc1, "Ethernet1"), (pit1, "Ethernet1")).await;
        cable((pit1, "Ethernet2"), (chi1, "Ethernet2")).await;
        let switch = Switch::new((nyc1, "Ethernet3"), (chi1, "Ethernet3")).await;
        let controller = Controller::start(chain.view(), &[nyc1, pit1, chi1]);
        let agents = devices.iter().map(|(code, host)| agent(host, chain.key(code))).collect();
        Self { chain, internet, controller, devices, agents, switch }
    }

    pub(crate) async fn settle(&self) {
        self.controller.show(self.chain.view());
        self.controller.settled(self.chain.view().slot()).await;
    }

    pub(crate) fn host(&self, device: &str) -> &Host {
        &self.devices.iter().find(|(code, _)| *code == device).unwrap().1
    }
}

/// In the middle of a cable: what it does not pass on is lost without a sign at either end.
pub(crate) struct Switch(Host);

impl Switch {
    async fn new(a: (&Host, &str), z: (&Host, &str)) -> Self {
        let switch = Self(Host::new().await);
        cable(a, (&switch.0, "a")).await;
        cable(z, (&switch.0, "z")).await;
        switch.connect().await;
        switch
    }

    pub(crate) async fn connect(&self) {
        let netlink = &self.0.netlink;
        let bridge = LinkSpec { name: "bridge".to_owned(), kind: LinkKind::Bridge, mtu: None };
        let _ = netlink.add_link(&bridge).await.unwrap();
        let bridge = self.0.index("bridge").await;
        netlink.set_link_up(bridge, true).await.unwrap();
        for port in ["a", "z"] {
            netlink.set_link_master(self.0.index(port).await, bridge).await.unwrap();
        }
    }

    /// Lays the cable to `a` again, which gives the port another interface. It is connected to nothing.
    pub(crate) async fn lay_again(&self, a: (&Host, &str)) {
        // Both ends go.
        a.0.netlink.delete_link(a.0.index(a.1).await).await.unwrap();
        cable(a, (&self.0, "a")).await;
    }

    pub(crate) async fn cut(&self) {
        self.0.netlink.delete_link(self.0.index("bridge").await).await.unwrap();
    }
}

/// The one endpoint of a device.
pub(crate) fn endpoint_of(device: &str) -> &'static str {
    DEVICES.iter().find(|(code, ..)| *code == device).unwrap().2
}

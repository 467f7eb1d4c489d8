//! A small network: hosts on the internet, 4 ms from each other.

use std::net::Ipv4Addr;
use std::time::Duration;

use dz_net::host::Host;
use dz_net::probe::{ProbeConfig, ProbeResult};
use dzsim_fabric::{FabricConfig, PathProfile};
use dzsim_host::{HostSpec, Modules, Network, NetworkConfig, PortSpec, VirtualHost};

pub(crate) const A: Ipv4Addr = Ipv4Addr::new(9, 1, 0, 1);
pub(crate) const B: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 1);
pub(crate) const DELAY: Duration = Duration::from_micros(4_200);

pub(crate) const HELPER: Modules = Modules { dummy: false, gre: false };
pub(crate) const KERNEL: Modules = Modules { dummy: true, gre: true };

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) a: VirtualHost,
    pub(crate) b: VirtualHost,
}

impl World {
    /// Host `a` and router `b`.
    pub(crate) fn new(modules: Modules) -> Self {
        let config = NetworkConfig { fabric: FabricConfig::default(), epoch: Duration::ZERO };
        let network = Network::new(&config).unwrap();
        let host = |name: &str, address, router| {
            let uplink = PortSpec::uplink("eth0", address);
            network.add_host(HostSpec { name: name.to_owned(), router, modules, uplink }).unwrap()
        };
        let (a, b) = (host("a", A, false), host("b", B, true));
        network.fabric().set_default_path(PathProfile::with_delay(DELAY)).unwrap();
        Self { network, a, b }
    }

    /// Runs a future while time passes.
    pub(crate) async fn run<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            value = future => value,
            () = self.network.run() => unreachable!("it runs for as long as it is polled"),
        }
    }

    /// What comes of echo requests from a host.
    pub(crate) async fn ping(&self, from: &dyn Host, to: Ipv4Addr, config: ProbeConfig) -> ProbeResult {
        let round = async { from.pinger(config).await.unwrap().round([to].into()).await.unwrap() };
        self.run(round).await.remove(&to).expect("the one target")
    }
}

pub(crate) fn once() -> ProbeConfig {
    ProbeConfig { probes: 1, timeout: Duration::from_millis(100), ..ProbeConfig::default() }
}

//! A small real network: namespaces for hosts, a router for the internet between them, cables for the backbone, agents
//! as processes, a controller on a thread.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use dz_controller::serve::{
    self,
    api::{DeviceAnswer, DevicesAnswer},
};
use dz_net::{
    gre::{self, Dataplane, HelperCommand, TunnelSpec},
    kernel::{AddrInfo, LinkKind, LinkSpec, Netlink, RTPROT_STATIC, RouteInfo, Scope, sysctl},
    netns::NetNs,
    probe::{ProbeConfig, Prober},
};
use dz_sdk::NetworkView;
use dz_testing::eventually;
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;
use tokio::sync::watch;

/// Where devices find the controller.
const CONTROLLER: &str = "127.0.0.1:7000";

/// A host, a device or the internet.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) ns: NetNs,
    pub(crate) netlink: Netlink,
}

impl Host {
    pub(crate) async fn new() -> Self {
        let ns = NetNs::new().unwrap();
        let netlink = Netlink::open_in(&ns).unwrap();
        netlink.set_link_up(1, true).await.unwrap();
        Self { ns, netlink }
    }

    /// Runs a future inside, on a runtime of its own.
    pub(crate) async fn run<T, F, Fut>(&self, f: F) -> T
    where
        T: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T>,
    {
        self.ns.spawn("host", f).unwrap().output().await.unwrap()
    }

    pub(crate) async fn index(&self, link: &str) -> u32 {
        self.netlink.link_index(link).await.unwrap()
    }

    /// Puts an address on a link, as an administrator does.
    pub(crate) async fn address(&self, link: &str, address: &str, scope: Scope) {
        let address = AddrInfo {
            protocol: RTPROT_STATIC,
            ..AddrInfo::new(self.index(link).await, address.parse().unwrap()).scoped(scope)
        };
        let _ = self.netlink.add_addr(&address).await.unwrap();
    }

    /// Adds a route of the main table, as an administrator does.
    pub(crate) async fn route(&self, destination: &str, link: &str, source: Option<Ipv4Addr>) {
        let route = RouteInfo {
            dev: Some(self.index(link).await),
            source,
            protocol: RTPROT_STATIC,
            ..RouteInfo::unicast(destination.parse().unwrap())
        };
        let _ = self.netlink.add_route(&route).await.unwrap();
    }

    /// A UDP socket of this host.
    pub(crate) fn udp(&self, address: Ipv4Addr, port: u16) -> UdpSocket {
        let socket = self.ns.run(|| UdpSocket::bind((address, port))).unwrap().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        socket
    }

    /// Whether someone answers an echo request from an address of this host.
    pub(crate) async fn answers(&self, from: Ipv4Addr, to: Ipv4Addr) -> Result<(), String> {
        let config =
            ProbeConfig { probes: 1, timeout: Duration::from_secs(2), source: Some(from), ..ProbeConfig::default() };
        let mut prober = Prober::open_in(&self.ns, config).map_err(|error| error.to_string())?;
        let results = prober.round([to]).await.map_err(|error| error.to_string())?;
        if results[&to].reachable() { Ok(()) } else { Err(format!("{:?}", results[&to])) }
    }
}

/// Two links of two hosts, wired and up.
pub(crate) async fn cable(a: (&Host, &str), b: (&Host, &str)) {
    let pair = LinkSpec { name: a.1.to_owned(), kind: LinkKind::Veth { peer: "far".to_owned() }, mtu: None };
    let _ = a.0.netlink.add_link(&pair).await.unwrap();
    a.0.netlink.move_link(a.0.index("far").await, &b.0.ns).await.unwrap();
    b.0.netlink.rename_link(b.0.index("far").await, b.1).await.unwrap();
    for (host, link) in [a, b] {
        host.netlink.set_link_up(host.index(link).await, true).await.unwrap();
    }
}

/// The router's address at every host.
const GATEWAY: &str = "100.64.0.1";

/// Hosts on the internet, which is one router.
pub(crate) struct Internet {
    router: Host,
    ports: u32,
}

impl Internet {
    pub(crate) async fn new() -> Self {
        let router = Host::new().await;
        router.ns.run(|| sysctl::write("net/ipv4/ip_forward", "1")).unwrap().unwrap();
        Self { router, ports: 0 }
    }

    /// A host with these addresses on `eth0`; the first is what it sends from.
    pub(crate) async fn host(&mut self, addresses: &[&str]) -> Host {
        let host = Host::new().await;
        let port = format!("port{}", self.ports);
        self.ports += 1;
        cable((&host, "eth0"), (&self.router, &port)).await;
        host.address("eth0", &format!("{}/32", addresses[0]), Scope::Global).await;
        self.router.address(&port, &format!("{GATEWAY}/32"), Scope::Link).await;
        host.route(&format!("{GATEWAY}/32"), "eth0", None).await;
        let default = RouteInfo {
            via: Some(GATEWAY.parse().unwrap()),
            source: Some(addresses[0].parse().unwrap()),
            protocol: RTPROT_STATIC,
            ..RouteInfo::unicast(Ipv4Net::default())
        };
        let _ = host.netlink.add_route(&default).await.unwrap();
        for address in addresses {
            self.router.route(&format!("{address}/32"), &port, None).await;
        }
        host
    }
}

/// A process that ends with the value.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        std::mem::forget(self);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An agent on a device.
pub(crate) fn agent(device: &Host, key: Pubkey) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dz-agent"));
    command.args(["--device", &key.to_string(), "--dataplane", "userspace"]).stdin(Stdio::null());
    Process(device.ns.wrap(&mut command).spawn().unwrap())
}

/// A controller that devices reach on their own loopback.
pub(crate) struct Controller {
    views: watch::Sender<Option<Arc<NetworkView>>>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    port: u16,
}

impl Controller {
    pub(crate) fn start(view: Arc<NetworkView>, devices: &[&Host]) -> Self {
        let bind = |ns: &NetNs| ns.run(|| TcpListener::bind(CONTROLLER)).unwrap().unwrap();
        let mut listeners: Vec<TcpListener> = devices.iter().map(|device| bind(&device.ns)).collect();
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = own.local_addr().unwrap().port();
        listeners.push(own);
        for listener in &listeners {
            listener.set_nonblocking(true).unwrap();
        }
        let (views, receiver) = watch::channel(Some(view));
        let task = tokio::spawn(serve::serve(serve::Deps {
            views: receiver,
            listeners: serve::accepting(listeners).unwrap(),
            ready: Box::new(|| {}),
        }));
        Self { views, task, port }
    }

    pub(crate) fn show(&self, view: Arc<NetworkView>) {
        self.views.send_replace(Some(view));
    }

    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub(crate) async fn devices(&self) -> Result<DevicesAnswer, String> {
        let (status, body) = get(self.port, "/v1/devices").await?;
        if status != 200 {
            return Err(format!("{status}: {body}"));
        }
        serde_json::from_str(&body).map_err(|error| error.to_string())
    }

    /// Waits until every device runs what the view of this slot gives, without failures.
    pub(crate) async fn settled(&self, slot: u64) -> DevicesAnswer {
        self.settled_where(slot, |_| true).await
    }

    /// Waits until this device does; the others are on chain only.
    pub(crate) async fn settled_of(&self, code: &str, slot: u64) -> DevicesAnswer {
        self.settled_where(slot, |device| device.code == code).await
    }

    async fn settled_where(&self, slot: u64, of: impl Fn(&DeviceAnswer) -> bool) -> DevicesAnswer {
        eventually("all devices run the current config", async || {
            let answer = self.devices().await?;
            let runs = |device: &DeviceAnswer| {
                device.report.as_ref().is_some_and(|report| {
                    report.running == device.rendered && report.failures.is_empty() && device.error.is_none()
                })
            };
            let settled = answer.slot >= slot && answer.devices.iter().filter(|device| of(device)).all(runs);
            if settled { Ok(answer) } else { Err(format!("{answer:?}")) }
        })
        .await
    }
}

/// What comes in at `inbox`, with its source, until this word came; an error if it does not.
pub(crate) fn receive_until(inbox: &UdpSocket, last: u32) -> Result<Vec<(Ipv4Addr, u32)>, String> {
    let mut all = Vec::new();
    loop {
        let mut bytes = [0; 4];
        match inbox.recv_from(&mut bytes) {
            Ok((4, SocketAddr::V4(from))) => all.push((*from.ip(), u32::from_be_bytes(bytes))),
            other => return Err(format!("{other:?} after {all:?}")),
        }
        if all.last().is_some_and(|(_, word)| *word == last) {
            return Ok(all);
        }
    }
}

/// A `GET`, without keeping the connection.
pub(crate) async fn get(port: u16, path: &str) -> Result<(u16, String), String> {
    request(port, "GET", path, "").await
}

/// One HTTP request with a body of JSON, without keeping the connection.
pub(crate) async fn request(port: u16, method: &str, path: &str, body: &str) -> Result<(u16, String), String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: controller\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        io::Result::Ok(text)
    };
    let text = ask.await.map_err(|error| error.to_string())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no body")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
    Ok((status, body.to_owned()))
}

/// The client's end of a tunnel, as the daemon makes it.
pub(crate) async fn client_tunnel(
    client: &Host,
    name: &'static str,
    endpoint: Ipv4Addr,
    client_ip: Ipv4Addr,
    overlay: Ipv4Net,
) {
    let spec = TunnelSpec { name: name.to_owned(), local: client_ip, remote: endpoint, ttl: 64, mtu: gre::DEFAULT_MTU };
    client
        .run(move || async move {
            let helper = HelperCommand::new(env!("CARGO_BIN_EXE_dz-agent"), ["gre-helper"]);
            let tunnels = gre::open(Dataplane::Userspace, helper).await.unwrap();
            tunnels.create(&spec).await.unwrap();
        })
        .await;
    let odd = Ipv4Addr::from(u32::from(overlay.network()) + 1);
    client.address(name, &format!("{odd}/31"), Scope::Link).await;
}

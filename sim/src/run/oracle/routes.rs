//! Routes of the kernels: at a client each tunnel leads to whom the chain says and to nobody else, and at a device a tenant's
//! table to whom its configuration says.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
};

use dz_client::api::Session;
use dz_controller::{
    agent::VRF_TABLES,
    config::{DeviceConfig, Table},
};
use dz_net::kernel::{RTPROT_DZ, RouteInfo};
use dz_sdk::{
    NetworkView,
    program::state::{User, UserType},
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::{Mismatch, Pair, audit};

/// Where a client's tunnel has to lead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Whose it is.
    pub(super) user: String,
    pub(super) tunnel: Pair,
    /// What its daemon says of it. There are routes to other users while it is up (docs/decisions/0091).
    pub(super) session: Session,
    users: Arc<Users>,
    tenant: Option<Pubkey>,
    metro: Option<Pubkey>,
    own: BTreeSet<Ipv4Addr>,
    /// Where it leads whatever the session is.
    always: BTreeSet<Ipv4Net>,
}

/// The dz_ip of every user that has a unicast tunnel, by tenant and metro. All ways share it.
#[derive(Debug, PartialEq, Eq)]
struct Users {
    by_tenant: BTreeMap<Option<Pubkey>, BTreeMap<Option<Pubkey>, BTreeSet<Ipv4Addr>>>,
    /// Whether tunnels lead to users of the same metro, too.
    same_metro: bool,
}

impl Users {
    fn of(view: &NetworkView) -> Self {
        let mut all = Self {
            by_tenant: BTreeMap::new(),
            same_metro: view.config().is_none_or(|config| config.same_metro_routing),
        };
        for user in view.users().values() {
            if let Some(dz_ip) = unicast(user) {
                let metros = all.by_tenant.entry(user.tenant).or_default();
                metros.entry(metro(view, user)).or_default().insert(dz_ip);
            }
        }
        all
    }
}

/// The dz_ip of a user that has a unicast tunnel.
fn unicast(user: &User) -> Option<Ipv4Addr> {
    let allocation = user.allocation.filter(|_| user.status.has_tunnel() && !user.user_type.is_multicast())?;
    Some(allocation.dz_ip)
}

fn metro(view: &NetworkView, user: &User) -> Option<Pubkey> {
    view.device(&user.device).map(|device| device.exchange)
}

impl Way {
    /// That of a user whose tunnel has these ends on the client.
    pub(super) fn of(view: &NetworkView, user: &User, tunnel: Pair, session: Session) -> Self {
        let addresses = user.publishers.iter().chain(&user.subscribers);
        let addresses = addresses.filter_map(|group| Some(Ipv4Net::from(view.group(group)?.address?.ip)));
        let rest = (user.user_type == UserType::EdgeFiltering).then(Ipv4Net::default);
        let own = view.users_of_client(user.client_ip).filter(|(_, other)| other.tenant == user.tenant);
        Self {
            user: audit::name(user),
            tunnel,
            session,
            // A group tunnel leads to no user.
            users: if user.user_type.is_multicast() { Arc::default() } else { view.derived(Users::of) },
            tenant: user.tenant,
            metro: metro(view, user),
            own: own.filter_map(|(_, other)| unicast(other)).collect(),
            always: addresses.chain(rest).collect(),
        }
    }

    /// The users that it leads to while it is up: all others of the tenant, but where the config says so those of the same
    /// metro.
    fn peers(&self) -> impl Iterator<Item = Ipv4Net> {
        let metros = self.users.by_tenant.get(&self.tenant).into_iter().flatten();
        let metros = metros.filter(|(metro, _)| self.users.same_metro || **metro != self.metro);
        metros.flat_map(|(_, dz_ips)| dz_ips).filter(|dz_ip| !self.own.contains(dz_ip)).map(|dz_ip| (*dz_ip).into())
    }

    /// What it costs to look at its routes: how many there may be.
    pub(super) fn size(&self) -> usize {
        let metros = self.users.by_tenant.get(&self.tenant).into_iter().flatten();
        self.always.len() + metros.map(|(_, dz_ips)| dz_ips.len()).sum::<usize>()
    }
}

impl Default for Users {
    fn default() -> Self {
        Self { by_tenant: BTreeMap::new(), same_metro: true }
    }
}

/// Where the interface of this number leads by routes of the products.
pub(super) fn leads_to(routes: &[RouteInfo], index: u32) -> BTreeSet<Ipv4Net> {
    let routes = routes.iter().filter(|route| route.protocol == RTPROT_DZ && route.dev == Some(index));
    routes.map(|route| route.destination).collect()
}

/// The destinations of a device's tables, by the kernel's number of the table.
pub(super) type Tables = BTreeMap<u32, BTreeSet<Ipv4Net>>;

/// The tenants' tables that a device is to have.
pub(super) fn tables(config: &DeviceConfig) -> Tables {
    let table = |(vrf, table): (&u16, &Table)| {
        (VRF_TABLES + u32::from(*vrf), table.routes.keys().map(|dz_ip| Ipv4Net::from(*dz_ip)).collect())
    };
    config.tables.iter().map(table).collect()
}

/// The tenants' tables that a device has.
pub(super) fn tables_of(routes: &[RouteInfo]) -> Tables {
    let mut tables = Tables::new();
    for route in routes.iter().filter(|route| route.protocol == RTPROT_DZ && route.table > VRF_TABLES) {
        tables.entry(route.table).or_default().insert(route.destination);
    }
    tables
}

/// What a device's tables lack, and what they should not have.
pub(super) fn differences(device: &str, wanted: &Tables, there: &Tables, found: &mut Vec<Mismatch>) {
    let none = BTreeSet::new();
    let tables: BTreeSet<u32> = wanted.keys().chain(there.keys()).copied().collect();
    for table in tables {
        let [wanted, there] = [wanted, there].map(|tables| tables.get(&table).unwrap_or(&none));
        let mut say = |nets: Vec<&Ipv4Net>, first: &str, second: &str| {
            if !nets.is_empty() {
                found.push(Mismatch {
                    invariant: "a device has the routes of its configuration",
                    subject: format!("table {} of {device}", table - VRF_TABLES),
                    views: (format!("configuration of {device}"), format!("kernel of {device}")),
                    first: format!("{first} {}", some(&nets)),
                    second: second.to_owned(),
                });
            }
        };
        say(wanted.difference(there).collect(), "routes to", "not there");
        say(there.difference(wanted).collect(), "no routes to", "they are there");
    }
}

/// What a tunnel's routes lack, and what they should not have. Before a session's first answer what is there may stay.
pub(super) fn astray(node: &str, way: &Way, interface: &str, there: &BTreeSet<Ipv4Net>, found: &mut Vec<Mismatch>) {
    let mut must = way.always.clone();
    let mut may = way.always.clone();
    if way.session == Session::Up {
        must.extend(way.peers());
    }
    if way.session != Session::Down {
        may.extend(way.peers());
    }
    let mut say = |nets: Vec<&Ipv4Net>, first: &str, second: &str| {
        if !nets.is_empty() {
            found.push(Mismatch {
                invariant: "a tunnel leads to whom the chain says",
                subject: way.user.clone(),
                views: ("chain".to_owned(), format!("kernel of {node}")),
                first: format!("its session is {}, so {first} {}", way.session, some(&nets)),
                second: format!("{second} {interface}"),
            });
        }
    };
    say(must.difference(there).collect(), "it leads to", "no route by");
    say(there.difference(&may).collect(), "it does not lead to", "a route by");
}

/// The first of many.
fn some(nets: &[&Ipv4Net]) -> String {
    const NAMED: usize = 3;
    let named: Vec<_> = nets.iter().take(NAMED).map(|net| net.to_string()).collect();
    match nets.len().checked_sub(NAMED) {
        None | Some(0) => named.join(", "),
        Some(more) => format!("{} and {more} more", named.join(", ")),
    }
}

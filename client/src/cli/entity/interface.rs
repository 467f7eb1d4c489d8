//! `doublezero interface`: interfaces of devices, among them the endpoints that users' tunnels end on.

use std::net::Ipv4Addr;

use clap::Subcommand;
use dz_sdk::{
    NetworkView, build,
    program::{
        pda,
        state::{AddressSource, Cyoa, Device, EndpointService, InterfaceMetadata},
        validation::InterfaceName,
    },
};
use solana_pubkey::Pubkey;

use super::{Changed, Operator, args::bandwidth, code_of, row::row};
use crate::cli::{error::CommandError, names};

const KIND: &str = "interface";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all, or those of a device
    List {
        /// Code or account of the device
        device: Option<String>,
    },
    /// Show one
    Get {
        /// Code or account of the device
        device: String,
        /// Its name
        name: String,
    },
    /// Create one
    Create {
        /// Code or account of the device
        device: String,
        /// Its name, such as Ethernet1/1 or lo100
        name: String,
        /// Its own address
        #[arg(long, value_name = "ADDRESS")]
        ip: Option<Ipv4Addr>,
        /// Users' tunnels may end on it
        #[arg(long)]
        user_tunnel_endpoint: bool,
    },
    /// Change what is given
    Update {
        /// Code or account of the device
        device: String,
        /// Its name
        name: String,
        /// Service whose new tunnels may end on it: any, unicast or multicast
        #[arg(long, value_name = "SERVICE")]
        service: Option<EndpointService>,
        /// Bits per second, such as 10gbps
        #[arg(long, value_name = "BANDWIDTH", value_parser = bandwidth)]
        bandwidth: Option<u64>,
        /// Largest packet in octets
        #[arg(long, value_name = "OCTETS")]
        mtu: Option<u16>,
        /// VLAN tag; 0 for none
        #[arg(long, value_name = "NUMBER")]
        vlan_id: Option<u16>,
        /// By what users reach the device here: none, gre-over-dia, gre-over-fabric, gre-over-private-peering,
        /// gre-over-public-peering or gre-over-cable
        #[arg(long, value_name = "WAY")]
        cyoa: Option<Cyoa>,
    },
    /// Delete one that has neither users nor a link
    Delete {
        /// Code or account of the device
        device: String,
        /// Its name
        name: String,
    },
}

row! {
    /// An interface.
    InterfaceRow {
        account: String => "Account",
        device: String => "Device",
        name: String => "Name",
        kind: String => "Kind",
        ip: Option<Ipv4Addr> => "IP",
        ip_source: Option<String> => "IP Source",
        user_tunnel_endpoint: bool => "Endpoint",
        service: String => "Service",
        bandwidth: u64 => "Bandwidth",
        mtu: u16 => "MTU",
        vlan_id: u16 => "VLAN",
        cyoa: String => "CYOA",
        users: u32 => "Users",
        link: Option<String> => "Link",
        status: String => "Status",
    }
}

fn rows(view: &NetworkView, of: Option<Pubkey>, only: Option<Pubkey>) -> Vec<InterfaceRow> {
    let mut rows: Vec<_> = view
        .interfaces()
        .iter()
        .filter(|(key, interface)| {
            of.is_none_or(|device| interface.device == device) && only.is_none_or(|only| only == **key)
        })
        .map(|(key, interface)| InterfaceRow {
            account: key.to_string(),
            device: code_of(view, &interface.device),
            name: interface.name.clone(),
            kind: interface.kind.to_string(),
            ip: interface.address.map(|address| address.ip),
            ip_source: interface.address.map(|address| {
                match address.source {
                    AddressSource::Pulled { .. } => "pulled",
                    AddressSource::Own => "own",
                    AddressSource::PublicIp => "public-ip",
                }
                .to_owned()
            }),
            user_tunnel_endpoint: interface.user_tunnel_endpoint,
            service: interface.service.to_string(),
            bandwidth: interface.metadata.bandwidth,
            mtu: interface.metadata.mtu,
            vlan_id: interface.metadata.vlan_id,
            cyoa: interface.metadata.cyoa.to_string(),
            users: interface.user_count,
            link: interface.link.map(|link| code_of(view, &link)),
            status: interface.status.to_string(),
        })
        .collect();
    rows.sort_by(|a, b| (&a.device, &a.name).cmp(&(&b.device, &b.name)));
    rows
}

/// The name in full form; a name that is none leads to the program's refusal.
fn full_name(name: &str) -> String {
    name.parse::<InterfaceName>().map_or_else(|_| name.to_owned(), |name| name.to_string())
}

/// The account of a device's interface.
pub(super) fn find(view: &NetworkView, device: &str, name: &str) -> Result<Pubkey, CommandError> {
    let device = names::account::<Device>(view, device)?;
    let account = pda::interface(view.program(), &device, &full_name(name)).0;
    if view.interface(&account).is_some() {
        return Ok(account);
    }
    let names = view.interfaces_of_device(&device).map(|(_, interface)| interface.name.as_str());
    Err(CommandError::Unknown { kind: KIND, name: name.to_owned(), nearest: names::nearest(name, names) })
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let payer = operator.payer();
    let view = operator.view().await?;
    let (device, name, account, instruction) = match command {
        Command::List { device } => {
            let device = device.as_deref().map(|device| names::account::<Device>(&view, device)).transpose()?;
            return operator.list(&rows(&view, device, None));
        }
        Command::Get { device, name } => return operator.list_one(rows(&view, None, Some(find(&view, device, name)?))),
        Command::Create { device, name, ip, user_tunnel_endpoint } => {
            let key = names::account::<Device>(&view, device)?;
            let create = build::create_interface(&view, &payer, key, name, *ip, *user_tunnel_endpoint)?;
            (device, name, pda::interface(view.program(), &key, &full_name(name)).0, create)
        }
        Command::Update { device, name, service, bandwidth, mtu, vlan_id, cyoa } => {
            let account = find(&view, device, name)?;
            let old = view.interface(&account).cloned();
            let (old_service, old) = old.map(|old| (old.service, old.metadata)).unwrap_or_default();
            let metadata = InterfaceMetadata {
                bandwidth: bandwidth.unwrap_or(old.bandwidth),
                mtu: mtu.unwrap_or(old.mtu),
                vlan_id: vlan_id.unwrap_or(old.vlan_id),
                cyoa: cyoa.unwrap_or(old.cyoa),
            };
            let service = service.unwrap_or(old_service);
            (device, name, account, build::update_interface(&view, &payer, account, service, metadata)?)
        }
        Command::Delete { device, name } => {
            let account = find(&view, device, name)?;
            (device, name, account, build::delete_interface(&view, &payer, account)?)
        }
    };
    let name = format!("{device}:{}", full_name(name));
    operator.change(&view, Changed { kind: KIND, name: &name, account }, [instruction]).await
}

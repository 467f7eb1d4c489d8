//! `doublezero device`.

use std::net::Ipv4Addr;

use clap::{Args, Subcommand};
use dz_sdk::{
    NetworkView, build,
    program::{
        instruction::{CreateDeviceArgs, MAX_TUNNEL_SLOTS},
        pda,
        state::{Bootstrap, Contributor, Device, DeviceCaps, DeviceType, Exchange},
    },
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::{
    Changed, Look, Named, Operator, code_of, interface, limit,
    row::{Share, row},
};
use crate::cli::{error::CommandError, names};

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all, or show one
    #[command(flatten)]
    Look(Look),
    /// Register one
    Create(CreateArgs),
    /// Change what is given
    Update(UpdateArgs),
    /// Drain it: no new users, and the tunnels of present ones are shut
    Drain(Named),
    /// Let it serve users again
    Undrain(Named),
    /// Delete one that has neither users nor links
    Delete(Named),
    /// Its interfaces
    #[command(subcommand)]
    Interface(interface::Command),
}

/// Arguments of `create`.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// Its unique code
    code: String,
    /// Code or account of its contributor
    #[arg(long, value_name = "CODE")]
    contributor: String,
    /// Code or account of its metro
    #[arg(long, value_name = "CODE")]
    exchange: String,
    /// Type: hybrid, transit or edge
    #[arg(long = "type", value_name = "TYPE", default_value_t = DeviceType::Hybrid)]
    device_type: DeviceType,
    /// Its address on the internet
    #[arg(long, value_name = "ADDRESS")]
    public_ip: Ipv4Addr,
    /// Carve a prefix of this length out of what the contributor has: its own space first, else a /24 that it is given
    #[arg(long, value_name = "LENGTH", default_value_t = 29)]
    carve: u8,
    /// Carve it out of the foundation's space, even if the contributor has room of its own: for edge filtering
    #[arg(long, conflicts_with_all = ["own_prefix", "own_endpoints"])]
    from_block: bool,
    /// It comes with own prefixes, added by `prefix add`
    #[arg(long, conflicts_with_all = ["carve", "own_endpoints"])]
    own_prefix: bool,
    /// It comes with own termination addresses, added by `interface create`
    #[arg(long, conflicts_with = "carve")]
    own_endpoints: bool,
    /// Number of endpoints that the activator pulls off its prefixes [default: as the config says]
    #[arg(long, value_name = "NUMBER")]
    endpoints: Option<u8>,
    /// Maximum of tunnels it can terminate
    #[arg(long, value_name = "NUMBER", default_value_t = Device::DEFAULT_TUNNEL_SLOTS, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_TUNNEL_SLOTS)))]
    tunnel_slots: u16,
    /// Maximum of users
    #[command(flatten)]
    caps: CapArgs,
}

/// Arguments of `update`.
#[derive(Args, Debug)]
pub struct UpdateArgs {
    /// Which
    #[command(flatten)]
    code: Named,
    /// Type: hybrid, transit or edge
    #[arg(long = "type", value_name = "TYPE")]
    device_type: Option<DeviceType>,
    /// Its address on the internet
    #[arg(long, value_name = "ADDRESS")]
    public_ip: Option<Ipv4Addr>,
    /// Number of endpoints that the activator pulls off its prefixes
    #[arg(long, value_name = "NUMBER")]
    endpoints: Option<u8>,
    /// Maximum of users
    #[command(flatten)]
    caps: CapArgs,
}

/// Maximum of users of each kind; 0 is none at all.
#[derive(Args, Clone, Copy, Debug)]
struct CapArgs {
    /// Maximum of users [default: 96]
    #[arg(long, value_name = "NUMBER")]
    max_users: Option<u16>,
    /// Maximum of unicast users [default: no limit]
    #[arg(long, value_name = "NUMBER")]
    max_unicast_users: Option<u16>,
    /// Maximum of multicast users that only subscribe [default: no limit]
    #[arg(long, value_name = "NUMBER")]
    max_multicast_subscribers: Option<u16>,
    /// Maximum of multicast users that publish [default: no limit]
    #[arg(long, value_name = "NUMBER")]
    max_multicast_publishers: Option<u16>,
    /// Seats kept free
    #[arg(long, value_name = "NUMBER")]
    reserved_seats: Option<u16>,
    /// Seats that only unicast users get
    #[arg(long, value_name = "NUMBER")]
    reserved_unicast: Option<u16>,
    /// Seats that only multicast users get
    #[arg(long, value_name = "NUMBER")]
    reserved_multicast: Option<u16>,
}

impl CapArgs {
    /// What is given, over what was.
    fn over(self, old: DeviceCaps) -> DeviceCaps {
        DeviceCaps {
            max_users: self.max_users.unwrap_or(old.max_users),
            max_unicast_users: self.max_unicast_users.unwrap_or(old.max_unicast_users),
            max_multicast_subscribers: self.max_multicast_subscribers.unwrap_or(old.max_multicast_subscribers),
            max_multicast_publishers: self.max_multicast_publishers.unwrap_or(old.max_multicast_publishers),
            reserved_seats: self.reserved_seats.unwrap_or(old.reserved_seats),
            reserved_unicast: self.reserved_unicast.unwrap_or(old.reserved_unicast),
            reserved_multicast: self.reserved_multicast.unwrap_or(old.reserved_multicast),
        }
    }
}

row! {
    /// A device.
    DeviceRow {
        account: String => "Account",
        code: String => "Code",
        contributor: String => "Contributor",
        exchange: String => "Exchange",
        device_type: String => "Type",
        public_ip: Ipv4Addr => "Public IP",
        prefixes: Vec<Ipv4Net> => "Prefixes",
        endpoints: Vec<Ipv4Addr> => "Endpoints",
        users: Share => "Users",
        unicast_users: Share => "Unicast",
        multicast_subscribers: Share => "Subscribers",
        multicast_publishers: Share => "Publishers",
        reserved_seats: u16 => "Reserved",
        reserved_unicast: u16 => "Reserved Unicast",
        reserved_multicast: u16 => "Reserved Multicast",
        links: u32 => "Links",
        first_limit: String => "First Limit",
        status: String => "Status",
    }
}

fn row_of(view: &NetworkView, key: &Pubkey, device: &Device) -> DeviceRow {
    let (caps, counts) = (device.caps, device.counts);
    DeviceRow {
        account: key.to_string(),
        code: device.code.clone(),
        contributor: code_of(view, &device.contributor),
        exchange: code_of(view, &device.exchange),
        device_type: device.device_type.to_string(),
        public_ip: device.public_ip,
        prefixes: device.prefixes.iter().map(|prefix| *prefix.net).collect(),
        endpoints: view.endpoints(key).into_iter().map(|(address, _)| address).collect(),
        users: Share { used: counts.users(), max: Some(caps.max_users.into()) },
        unicast_users: Share::capped(counts.unicast_users, caps.max_unicast_users),
        multicast_subscribers: Share::capped(counts.multicast_subscribers, caps.max_multicast_subscribers),
        multicast_publishers: Share::capped(counts.multicast_publishers, caps.max_multicast_publishers),
        reserved_seats: caps.reserved_seats,
        reserved_unicast: caps.reserved_unicast,
        reserved_multicast: caps.reserved_multicast,
        links: device.link_count,
        first_limit: limit::first(view, key, device),
        status: device.status.to_string(),
    }
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let payer = operator.payer();
    if let Command::Interface(command) = command {
        return interface::run(command, operator).await;
    }
    let view = operator.view().await?;
    let (changed, instructions) = match command {
        Command::Look(look) => return operator.look(&view, look, row_of),
        Command::Interface(_) => return Ok(()),
        Command::Create(args) => {
            let contributor = names::account::<Contributor>(&view, &args.contributor)?;
            let exchange = names::account::<Exchange>(&view, &args.exchange)?;
            let changed = Changed::new::<Device>(&args.code, pda::device(view.program(), &args.code).0);
            (changed, vec![build::create_device(&view, &payer, contributor, exchange, args.registration())?])
        }
        Command::Update(args) => {
            let (changed, old) = args.code.find::<Device>(&view)?;
            let device_type = args.device_type.unwrap_or(old.device_type);
            let endpoints = args.endpoints.unwrap_or(old.endpoints_wanted);
            let caps = args.caps.over(old.caps);
            let mut list = vec![build::update_device(&view, &payer, changed.account, device_type, caps, endpoints)?];
            if let Some(public_ip) = args.public_ip.filter(|public_ip| *public_ip != old.public_ip) {
                list.push(build::set_device_public_ip(&view, &payer, changed.account, public_ip)?);
            }
            (changed, list)
        }
        Command::Drain(code) => {
            let (changed, _) = code.find::<Device>(&view)?;
            (changed, vec![build::drain_device(&view, &payer, changed.account)?])
        }
        Command::Undrain(code) => {
            let (changed, _) = code.find::<Device>(&view)?;
            (changed, vec![build::undrain_device(&view, &payer, changed.account)?])
        }
        Command::Delete(code) => {
            let (changed, _) = code.find::<Device>(&view)?;
            (changed, vec![build::delete_device(&view, &payer, changed.account)?])
        }
    };
    operator.change(&view, changed, instructions).await
}

impl CreateArgs {
    fn registration(&self) -> CreateDeviceArgs {
        let (bootstrap, endpoints_wanted) = if self.own_endpoints {
            (Bootstrap::OwnEndpoints, Some(self.endpoints.unwrap_or(0)))
        } else if self.own_prefix {
            (Bootstrap::OwnPrefix, self.endpoints)
        } else if self.from_block {
            (Bootstrap::CarveBlock { prefix_len: self.carve }, self.endpoints)
        } else {
            (Bootstrap::Carve { prefix_len: self.carve }, self.endpoints)
        };
        CreateDeviceArgs {
            code: self.code.clone(),
            device_type: self.device_type,
            public_ip: self.public_ip,
            bootstrap,
            endpoints_wanted,
            tunnel_slots: self.tunnel_slots,
            caps: self.caps.over(DeviceCaps::default()),
        }
    }
}

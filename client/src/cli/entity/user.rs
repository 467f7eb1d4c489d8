//! `doublezero user`: tunnels as the chain has them, of any client.

use std::{collections::BTreeMap, net::Ipv4Addr};

use clap::{Args, Subcommand};
use dz_sdk::{
    NetworkView, build,
    program::{
        pda,
        state::{Cyoa, Device, MulticastGroup, Roles, Tenant, User, UserType},
    },
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::{Changed, Operator, code_of, row::row};
use crate::cli::{error::CommandError, names};

const KIND: &str = "user";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all, or those of a client or a device
    List {
        /// Only of this client
        #[arg(long, value_name = "ADDRESS")]
        client_ip: Option<Ipv4Addr>,
        /// Only of this device
        #[arg(long, value_name = "CODE")]
        device: Option<String>,
    },
    /// Show one
    Get {
        /// Which
        #[command(flatten)]
        user: UserArgs,
    },
    /// Create one under the payer's access pass, at an endpoint of the caller's choice
    Create(CreateArgs),
    /// Delete one; of a banned one this lifts the ban
    Delete {
        /// Which
        #[command(flatten)]
        user: UserArgs,
    },
    /// End a user of another payer at an address that a pass of the foundation gives the caller
    Reclaim {
        /// Which
        #[command(flatten)]
        user: UserArgs,
    },
    /// End one of a drained device, as its contributor
    Evict {
        /// Which
        #[command(flatten)]
        user: UserArgs,
    },
    /// Remove its tunnel and bar its access pass
    Ban {
        /// Which
        #[command(flatten)]
        user: UserArgs,
    },
}

/// Which user: its account, or the pair that makes it one.
#[derive(Args, Clone, Debug)]
pub struct UserArgs {
    /// Its account
    #[arg(required_unless_present_all = ["client_ip", "endpoint"])]
    account: Option<Pubkey>,
    /// The client's address
    #[arg(long, value_name = "ADDRESS", requires = "endpoint", conflicts_with = "account")]
    client_ip: Option<Ipv4Addr>,
    /// The endpoint's address
    #[arg(long, value_name = "ADDRESS", requires = "client_ip")]
    endpoint: Option<Ipv4Addr>,
}

/// Arguments of `create`.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// The client's address
    #[arg(long, value_name = "ADDRESS")]
    client_ip: Ipv4Addr,
    /// The endpoint's address
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Ipv4Addr,
    /// Service: IBRL, IBRLWithAllocatedIP, EdgeFiltering or Multicast
    #[arg(long = "type", value_name = "TYPE")]
    user_type: UserType,
    /// The tenant of a unicast user
    #[arg(long, value_name = "CODE")]
    tenant: Option<String>,
    /// Send to these groups
    #[arg(long, value_name = "CODE", value_delimiter = ',', num_args = 1..)]
    publish: Vec<String>,
    /// Receive these groups
    #[arg(long, value_name = "CODE", value_delimiter = ',', num_args = 1..)]
    subscribe: Vec<String>,
}

row! {
    /// A user.
    UserRow {
        account: String => "Account",
        user_type: String => "User Type",
        client_ip: Ipv4Addr => "Client IP",
        dz_ip: Option<Ipv4Addr> => "DZ IP",
        device: String => "Device",
        location: String => "Location",
        cyoa_type: String => "CYOA Type",
        tunnel_endpoint: Ipv4Addr => "Tunnel Endpoint",
        tunnel_id: Option<u16> => "Tunnel ID",
        tunnel_net: Option<Ipv4Net> => "Tunnel Net",
        tenant: Option<String> => "Tenant",
        groups: Vec<String> => "Groups",
        access_pass: String => "Access Pass",
        owner: String => "Owner",
        status: String => "Status",
        reject_reason: Option<String> => "Reason",
    }
}

/// By what a user's packets come to its device: as noted with the interface that its tunnel ends on or, as that is mostly a
/// loopback, with the device's first port that has a note.
fn cyoa(view: &NetworkView, user: &User) -> Cyoa {
    let own = view.interface(&user.interface).map(|interface| interface.metadata.cyoa);
    let ports = view.interfaces_of_device(&user.device).map(|(_, interface)| interface.metadata.cyoa);
    own.into_iter().chain(ports).find(|cyoa| *cyoa != Cyoa::None).unwrap_or_default()
}

fn row_of(view: &NetworkView, key: &Pubkey, user: &User) -> UserRow {
    let location = view.device(&user.device).map_or_else(|| "-".to_owned(), |device| code_of(view, &device.exchange));
    let roles = |role: char, keys: &[Pubkey]| -> Vec<String> {
        let mut codes: Vec<_> = keys.iter().map(|key| format!("{role}:{}", code_of(view, key))).collect();
        codes.sort();
        codes
    };
    UserRow {
        account: key.to_string(),
        user_type: user.user_type.to_string(),
        client_ip: user.client_ip,
        dz_ip: user.allocation.map(|held| held.dz_ip),
        device: code_of(view, &user.device),
        location,
        cyoa_type: cyoa(view, user).to_string(),
        tunnel_endpoint: user.endpoint_ip,
        tunnel_id: user.allocation.map(|held| held.tunnel_id),
        tunnel_net: user.allocation.map(|held| *held.tunnel_net),
        tenant: user.tenant.map(|tenant| code_of(view, &tenant)),
        groups: [roles('P', &user.publishers), roles('S', &user.subscribers)].concat(),
        access_pass: user.access_pass.to_string(),
        owner: user.owner.to_string(),
        status: user.status.to_string(),
        reject_reason: (!user.reject_reason.is_empty()).then(|| user.reject_reason.clone()),
    }
}

fn rows(view: &NetworkView, wanted: impl Fn(&Pubkey, &User) -> bool) -> Vec<UserRow> {
    let mut users: Vec<_> = view.users().iter().filter(|(key, user)| wanted(key, user)).collect();
    users.sort_by_key(|(_, user)| (user.client_ip, user.endpoint_ip));
    users.into_iter().map(|(key, user)| row_of(view, key, user)).collect()
}

impl UserArgs {
    fn find(&self, view: &NetworkView) -> Result<Pubkey, CommandError> {
        let unknown = |name| CommandError::Unknown { kind: KIND, name, nearest: None };
        match (self.account, self.client_ip, self.endpoint) {
            (Some(account), ..) if view.user(&account).is_some() => Ok(account),
            (Some(account), ..) => Err(unknown(account.to_string())),
            (None, Some(client_ip), Some(endpoint)) => match view.user_at(client_ip, endpoint) {
                Some((account, _)) => Ok(account),
                None => Err(unknown(pair(client_ip, endpoint))),
            },
            (None, ..) => Err(CommandError::Usage("name the account, or --client-ip and --endpoint".to_owned())),
        }
    }
}

fn pair(client_ip: Ipv4Addr, endpoint: Ipv4Addr) -> String {
    format!("{client_ip} at {endpoint}")
}

impl CreateArgs {
    fn wanted(&self, view: &NetworkView) -> Result<build::CreateUser, CommandError> {
        let group = |code: &String| names::account::<MulticastGroup>(view, code);
        let mut roles: BTreeMap<Pubkey, Roles> = BTreeMap::new();
        for code in &self.publish {
            roles.entry(group(code)?).or_default().publish = true;
        }
        for code in &self.subscribe {
            roles.entry(group(code)?).or_default().subscribe = true;
        }
        let tenant = self.tenant.as_deref().map(|code| names::account::<Tenant>(view, code)).transpose()?;
        Ok(build::CreateUser {
            client_ip: self.client_ip,
            endpoint_ip: self.endpoint,
            user_type: self.user_type,
            tenant,
            roles: roles.into_iter().collect(),
        })
    }
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let payer = operator.payer();
    let view = operator.view().await?;
    let (account, instruction) = match command {
        Command::List { client_ip, device } => {
            let device = device.as_deref().map(|device| names::account::<Device>(&view, device)).transpose()?;
            return operator.list(&rows(&view, |_, user| {
                client_ip.is_none_or(|ip| ip == user.client_ip) && device.is_none_or(|device| device == user.device)
            }));
        }
        Command::Get { user } => {
            let account = user.find(&view)?;
            return operator.list_one(rows(&view, |key, _| *key == account));
        }
        Command::Create(args) => {
            let account = pda::user(view.program(), args.client_ip, args.endpoint).0;
            (account, build::create_user(&view, &payer, &payer, args.wanted(&view)?)?)
        }
        Command::Delete { user } => {
            let account = user.find(&view)?;
            (account, build::delete_user(&view, &payer, account)?)
        }
        Command::Reclaim { user } => {
            let account = user.find(&view)?;
            (account, build::reclaim_address(&view, &payer, account)?)
        }
        Command::Evict { user } => {
            let account = user.find(&view)?;
            (account, build::evict_user(&view, &payer, account)?)
        }
        Command::Ban { user } => {
            let account = user.find(&view)?;
            (account, build::ban_user(&view, &payer, account)?)
        }
    };
    let name = match command {
        Command::Create(args) => pair(args.client_ip, args.endpoint),
        _ => view.user(&account).map_or_else(|| account.to_string(), |user| pair(user.client_ip, user.endpoint_ip)),
    };
    operator.change(&view, Changed { kind: KIND, name: &name, account }, [instruction]).await
}

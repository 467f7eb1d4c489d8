//! `doublezero prefix`: public addresses of devices, from which endpoints and users' addresses are taken.

use clap::Subcommand;
use dz_sdk::{
    NetworkView, build,
    program::{
        network::NetworkV4,
        state::{Device, PoolKind, PrefixSource},
    },
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::{
    Changed, Operator,
    row::{Share, row},
};
use crate::cli::{error::CommandError, names};

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all, or those of a device
    List {
        /// Code or account of the device
        device: Option<String>,
    },
    /// Register an own prefix of a device
    Add {
        /// Code or account of the device
        device: String,
        /// The network
        net: NetworkV4,
    },
    /// Remove a prefix that neither users nor endpoints use
    Remove {
        /// Code or account of the device
        device: String,
        /// The network
        net: NetworkV4,
    },
}

row! {
    /// A prefix of a device.
    PrefixRow {
        device: String => "Device",
        prefix: Ipv4Net => "Prefix",
        source: String => "Source",
        addresses: Share => "Addresses",
    }
}

fn rows(view: &NetworkView, of: Option<Pubkey>) -> Vec<PrefixRow> {
    let devices = view.devices().iter().filter(|(key, _)| of.is_none_or(|of| of == **key));
    let mut rows: Vec<_> = devices
        .flat_map(|(key, device)| {
            device.prefixes.iter().map(move |prefix| {
                let pool = view.pool_at(PoolKind::DevicePrefix, key, prefix.net.network().into());
                PrefixRow {
                    device: device.code.clone(),
                    prefix: *prefix.net,
                    source: match prefix.source {
                        PrefixSource::Carved { .. } => "carved".to_owned(),
                        PrefixSource::Own => "own".to_owned(),
                    },
                    addresses: pool.map_or(Share { used: 0, max: None }, |(_, pool)| Share {
                        used: pool.used(),
                        max: Some(pool.capacity()),
                    }),
                }
            })
        })
        .collect();
    rows.sort_by(|a, b| (&a.device, a.prefix).cmp(&(&b.device, b.prefix)));
    rows
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let payer = operator.payer();
    let view = operator.view().await?;
    let find = |device: &str| names::account::<Device>(&view, device);
    let (name, account, instruction) = match command {
        Command::List { device } => {
            let device = device.as_deref().map(find).transpose()?;
            return operator.list(&rows(&view, device));
        }
        Command::Add { device, net } => {
            let key = find(device)?;
            (device, key, build::add_device_prefix(&view, &payer, key, *net)?)
        }
        Command::Remove { device, net } => {
            let key = find(device)?;
            (device, key, build::remove_device_prefix(&view, &payer, key, *net)?)
        }
    };
    operator.change(&view, Changed::new::<Device>(name, account), [instruction]).await
}

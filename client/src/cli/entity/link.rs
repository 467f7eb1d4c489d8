//! `doublezero link`: the backbone.

use std::time::Duration;

use clap::Subcommand;
use dz_sdk::{
    NetworkView, build,
    instruction::link::LinkNumbers,
    program::{
        pda,
        state::{Link, LinkEnd, LinkStatus},
    },
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::{
    Changed, Look, Named, Operator,
    args::{EndArg, bandwidth},
    code_of, interface,
    row::row,
};
use crate::cli::error::CommandError;

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all, or show one
    #[command(flatten)]
    Look(Look),
    /// Create one from a device to another
    Create {
        /// Its unique code
        code: String,
        /// The end of the requesting contributor
        #[arg(long, value_name = "DEVICE:INTERFACE")]
        side_a: EndArg,
        /// The other end
        #[arg(long, value_name = "DEVICE:INTERFACE")]
        side_z: EndArg,
        /// One-way delay
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        delay: Duration,
        /// Bits per second
        #[arg(long, value_name = "BANDWIDTH", value_parser = bandwidth, default_value = "10gbps")]
        bandwidth: u64,
        /// MTU, in octets
        #[arg(long, value_name = "OCTETS", default_value_t = 9000)]
        mtu: u16,
    },
    /// Accept a link that another contributor has requested
    Accept(Named),
    /// Change what is given
    Update {
        /// Which
        #[command(flatten)]
        code: Named,
        /// One-way delay
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        delay: Option<Duration>,
        /// Bits per second
        #[arg(long, value_name = "BANDWIDTH", value_parser = bandwidth)]
        bandwidth: Option<u64>,
    },
    /// Use it only where there is no other way
    Drain {
        /// Which
        #[command(flatten)]
        code: Named,
        /// Do not use it at all
        #[arg(long)]
        hard: bool,
    },
    /// Use it again
    Undrain(Named),
    /// Delete one that is drained
    Delete(Named),
}

row! {
    /// A link.
    LinkRow {
        account: String => "Account",
        code: String => "Code",
        contributor: String => "Contributor",
        link_type: String => "Type",
        side_a: String => "Side A",
        side_z: String => "Side Z",
        bandwidth: u64 => "Bandwidth",
        mtu: u16 => "MTU",
        delay_ns: u64 => "Delay ns",
        tunnel_net: Option<Ipv4Net> => "Net",
        status: String => "Status",
    }
}

fn row_of(view: &NetworkView, key: &Pubkey, link: &Link) -> LinkRow {
    let end = |end: LinkEnd| {
        let name = view.interface(&end.interface).map_or_else(|| end.interface.to_string(), |found| found.name.clone());
        format!("{}:{name}", code_of(view, &end.device))
    };
    LinkRow {
        account: key.to_string(),
        code: link.code.clone(),
        contributor: code_of(view, &link.contributor),
        link_type: link.link_type.to_string(),
        side_a: end(link.side_a),
        side_z: end(link.side_z),
        bandwidth: link.bandwidth,
        mtu: link.mtu,
        delay_ns: link.delay_ns,
        tunnel_net: link.network.map(|network| *network.net),
        status: link.status.to_string(),
    }
}

/// What does not fit is for the program to refuse.
fn nanos(delay: Duration) -> u64 {
    u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) async fn run<'c>(command: &'c Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let payer = operator.payer();
    let view = operator.view().await?;
    let set = |code: &'c Named, status: LinkStatus| -> Result<_, CommandError> {
        let (changed, _) = code.find::<Link>(&view)?;
        Ok((changed, build::set_link_status(&view, &payer, changed.account, status)?))
    };
    let (changed, instruction) = match command {
        Command::Look(look) => return operator.look(&view, look, row_of),
        Command::Create { code, side_a, side_z, delay, bandwidth, mtu } => {
            let a = interface::find(&view, &side_a.device, &side_a.interface)?;
            let z = interface::find(&view, &side_z.device, &side_z.interface)?;
            let numbers = LinkNumbers { delay_ns: nanos(*delay), bandwidth: *bandwidth, mtu: *mtu };
            let changed = Changed::new::<Link>(code, pda::link(view.program(), code).0);
            (changed, build::create_link(&view, &payer, code, a, z, numbers)?)
        }
        Command::Accept(code) => {
            let (changed, _) = code.find::<Link>(&view)?;
            (changed, build::accept_link(&view, &payer, changed.account)?)
        }
        Command::Update { code, delay, bandwidth } => {
            let (changed, old) = code.find::<Link>(&view)?;
            let (delay, bandwidth) = (delay.map_or(old.delay_ns, nanos), bandwidth.unwrap_or(old.bandwidth));
            (changed, build::update_link(&view, &payer, changed.account, delay, bandwidth)?)
        }
        Command::Drain { code, hard: true } => set(code, LinkStatus::HardDrained)?,
        Command::Drain { code, hard: false } => set(code, LinkStatus::SoftDrained)?,
        Command::Undrain(code) => set(code, LinkStatus::Activated)?,
        Command::Delete(code) => {
            let (changed, _) = code.find::<Link>(&view)?;
            (changed, build::delete_link(&view, &payer, changed.account)?)
        }
    };
    operator.change(&view, changed, [instruction]).await
}

//! `doublezero multicast group allowlist`: who may publish to a group and who may subscribe to it. It is the same list as
//! `access-pass allow` and `forbid` change, group by group instead of pass by pass.

use std::net::Ipv4Addr;

use clap::{Args, Subcommand};
use dz_sdk::{
    NetworkView,
    instruction::access_pass,
    program::state::{AccessPass, MulticastGroup},
};

use super::{
    Changed, Operator,
    access_pass::{PassArgs, Subject},
    row::row,
};
use crate::cli::{error::CommandError, names};

/// The roles.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Clients that may send to it
    #[command(subcommand)]
    Publisher(Verb),
    /// Clients that may receive it
    #[command(subcommand)]
    Subscriber(Verb),
}

/// What is done to the list.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List all
    List {
        /// Code or account of the group
        #[arg(long)]
        code: String,
    },
    /// Add an access pass
    Add(EntryArgs),
    /// Remove an access pass
    Remove(EntryArgs),
}

/// Which pass, and which group.
#[derive(Args, Debug)]
pub struct EntryArgs {
    /// Code or account of the group
    #[arg(long)]
    code: String,
    /// Which pass
    #[command(flatten)]
    pass: PassArgs,
}

row! {
    /// An entry.
    AllowedRow {
        group: String => "Group",
        client_ip: Ipv4Addr => "Client IP",
        user_payer: String => "User Payer",
    }
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let (publisher, verb) = match command {
        Command::Publisher(verb) => (true, verb),
        Command::Subscriber(verb) => (false, verb),
    };
    let view = operator.view().await?;
    let (args, add) = match verb {
        Verb::List { code } => return operator.list(&rows(&view, code, publisher)?),
        Verb::Add(args) => (args, true),
        Verb::Remove(args) => (args, false),
    };
    let (program, payer) = (operator.program(), operator.payer());
    let Subject { account, tenant, old } = args.pass.find(&view, payer)?;
    let Some(pass) = old else { return Err(args.pass.missing(payer)) };
    let group = names::account::<MulticastGroup>(&view, &args.code)?;
    let (mut publish, mut subscribe) = (pass.publish.contains(&group), pass.subscribe.contains(&group));
    *(if publisher { &mut publish } else { &mut subscribe }) = add;
    // Who gave a pass takes away; only the owner of a group, or the foundation, gives.
    let tenant = tenant.filter(|_| !add);
    let set = access_pass::set_pass_group(&program, &payer, account, group, tenant, (publish, subscribe));
    let name = format!("{} of {}", pass.client_ip, pass.payer);
    operator.change(&view, Changed { kind: "access-pass", name: &name, account }, [set]).await
}

fn rows(view: &NetworkView, code: &str, publisher: bool) -> Result<Vec<AllowedRow>, CommandError> {
    let group = names::account::<MulticastGroup>(view, code)?;
    let list = |pass: &AccessPass| match publisher {
        true => pass.publish.contains(&group),
        false => pass.subscribe.contains(&group),
    };
    let code = view.group(&group).map_or_else(|| code.to_owned(), |group| group.code.clone());
    let mut rows: Vec<_> = view
        .access_passes()
        .values()
        .filter(|pass| list(pass))
        .map(|pass| AllowedRow { group: code.clone(), client_ip: pass.client_ip, user_payer: pass.payer.to_string() })
        .collect();
    rows.sort_by(|a, b| (a.client_ip, &a.user_payer).cmp(&(b.client_ip, &b.user_payer)));
    Ok(rows)
}

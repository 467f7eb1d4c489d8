//! Runs a command line and returns its exit code.

use std::{ffi::OsString, io::Write, sync::Arc};

use clap::{CommandFactory, Parser};
use dz_sdk::{Ledger, program::state::UserType};

use super::{
    args::{Cli, Command, ConnectArgs, MulticastCommand, PlaceArgs, RoleArg, ServiceArgs, WhatArg},
    connect::{ChangeRoles, Client, Connect, Request, Service, Verb},
    deadline::Waiting,
    disconnect::{self, What},
    entity::{self, Operator},
    error::CommandError,
    exit::Exit,
    key, latency, output,
    progress::{self, Progress},
    routes, status,
};
use crate::{api::Daemon, keypair};

/// What a command works with, each made when it is needed.
pub struct Deps<'a> {
    /// The chain, as who pays.
    pub ledger: &'a (dyn Fn(&Cli) -> anyhow::Result<Arc<dyn Ledger>> + Sync),
    /// The daemon.
    pub daemon: &'a (dyn Fn(&Cli) -> Daemon + Sync),
    /// Hears what a command waits for.
    pub progress: &'a dyn Progress,
}

/// Runs the command line on standard output and standard error.
pub async fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let progress = progress::for_stderr();
    let deps = Deps { ledger: &Cli::connect, daemon: &|cli| Daemon::at(&cli.socket), progress: progress.as_ref() };
    execute(&deps, args, &mut std::io::stdout(), &mut std::io::stderr()).await
}

/// Runs the command line: the answer goes to `out`; why there is none, in one piece, and warnings go to `err`.
pub async fn execute(
    deps: &Deps<'_>,
    args: impl IntoIterator<Item = OsString>,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let wanted = !error.use_stderr();
            // Help on a closed pipe is nobody's loss.
            let _ = match wanted {
                true => write!(out, "{}", error.render()),
                false => write!(err, "{}", error.render()),
            };
            return if wanted { Exit::Done } else { Exit::Usage };
        }
    };
    match run_command(deps, &cli, out, err).await {
        Ok(()) => Exit::Done,
        Err(error) => {
            let exit = error.exit();
            let text = error_text(&error);
            // Where even the error cannot be written, the exit code still says it.
            let _ = match cli.json {
                true => output::json(err, &serde_json::json!({"error": text, "exit": exit as u8})),
                false => writeln!(err, "error: {text}"),
            };
            exit
        }
    }
}

fn error_text(error: &CommandError) -> String {
    match error {
        // The cause chain of what is not ours to word.
        CommandError::Other(error) => format!("{error:#}"),
        error => error.to_string(),
    }
}

async fn run_command(
    deps: &Deps<'_>,
    cli: &Cli,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), CommandError> {
    let daemon = (deps.daemon)(cli);
    let format = cli.format();
    let waiting = Waiting::new(cli.timeout, cli.patience, deps.progress);
    match &cli.command {
        Command::Status => status::run(&daemon, &waiting, format, out).await,
        Command::Latency => latency::run(&daemon, &waiting, format, out).await,
        Command::Routes => routes::run(&daemon, &waiting, format, out).await,
        Command::Enable | Command::Disable => {
            let status = waiting.for_enabled(&daemon, matches!(cli.command, Command::Enable)).await?;
            match format {
                output::Format::Json => output::json(out, &status),
                output::Format::Table if status.reconciler_enabled => writeln!(out, "enabled"),
                output::Format::Table => writeln!(out, "disabled"),
            }
            .map_err(anyhow::Error::from)?;
            Ok(())
        }
        Command::Connect(args) => {
            let ledger = (deps.ledger)(cli)?;
            let client = Client { ledger: ledger.as_ref(), daemon: &daemon, waiting };
            let connect = Connect { client, policy: args.policy };
            connect.run(&request(args), format, out).await
        }
        Command::Multicast(command) => {
            let ledger = (deps.ledger)(cli)?;
            let (verb, args) = match command {
                MulticastCommand::Group(command) => {
                    let operator = Operator { ledger: ledger.as_ref(), waiting, wait: cli.wait, format, out };
                    return entity::run_group(command, operator).await;
                }
                MulticastCommand::Publish(args) => (Verb::Publish, args),
                MulticastCommand::Unpublish(args) => (Verb::Unpublish, args),
                MulticastCommand::Subscribe(args) => (Verb::Subscribe, args),
                MulticastCommand::Unsubscribe(args) => (Verb::Unsubscribe, args),
            };
            let change = ChangeRoles { verb, groups: args.groups.clone(), endpoint: args.endpoint };
            let client = Client { ledger: ledger.as_ref(), daemon: &daemon, waiting };
            client.change_roles(&change, format, out, err).await
        }
        Command::Entity(command) => {
            let ledger = (deps.ledger)(cli)?;
            let operator = Operator { ledger: ledger.as_ref(), waiting, wait: cli.wait, format, out };
            entity::run(command, operator).await
        }
        Command::Address => {
            let Some(path) = &cli.keypair else {
                return Err(CommandError::Usage("no key: give one with --keypair or DZ_KEYPAIR".to_owned()));
            };
            key::print(&keypair::read_keypair(path)?, format, out)
        }
        Command::Balance => {
            let ledger = (deps.ledger)(cli)?;
            key::print_balance(waiting.for_balance(ledger.as_ref()).await?, format, out)
        }
        Command::Keygen { outfile } => key::print(&key::generate(outfile)?, format, out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "doublezero", &mut script);
            Ok(out.write_all(&script).map_err(anyhow::Error::from)?)
        }
        Command::Disconnect(args) => {
            let ledger = (deps.ledger)(cli)?;
            let what = match args.what {
                None => What::All,
                Some(WhatArg::Ibrl) => What::Ibrl,
                Some(WhatArg::Multicast) => What::Multicast,
            };
            let client = Client { ledger: ledger.as_ref(), daemon: &daemon, waiting };
            disconnect::run(client, what, !args.no_wait, format, out).await
        }
    }
}

fn request(args: &ConnectArgs) -> Request {
    let (service, PlaceArgs { device, another, moves }) = match &args.service {
        ServiceArgs::Ibrl { allocate_addr, tenant, place } => {
            let user_type = if *allocate_addr { UserType::IbrlWithAllocatedIp } else { UserType::Ibrl };
            (Service::Unicast { user_type, tenant: tenant.clone() }, place)
        }
        ServiceArgs::EdgeFiltering { tenant, place } => {
            (Service::Unicast { user_type: UserType::EdgeFiltering, tenant: tenant.clone() }, place)
        }
        ServiceArgs::Multicast { role, codes, publish, subscribe, place } => {
            let (publish, subscribe) = match role {
                None => (publish, subscribe),
                Some(RoleArg::Publisher) => (codes, subscribe),
                Some(RoleArg::Subscriber) => (publish, codes),
            };
            (Service::Multicast { publish: publish.clone(), subscribe: subscribe.clone() }, place)
        }
    };
    Request { service, device: device.clone(), another: *another, moves: *moves }
}

//! `doublezerod`: holds this host's tunnels as the chain says.

use clap::{Parser, Subcommand};
use dz_client::daemon;

/// Holds this host's DoubleZero tunnels as the chain says
#[derive(Parser)]
#[command(name = "doublezerod", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    args: daemon::Args,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Carries userspace tunnels; the daemon starts it where the kernel has none
    #[command(hide = true)]
    GreHelper,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::GreHelper) => Ok(dz_net::gre::helper::serve()?),
        None => run(cli.args),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(args: daemon::Args) -> anyhow::Result<()> {
    daemon::run(args).await
}

//! `dz-agent`: keeps this machine's kernel like its device's configuration.

use clap::{Parser, Subcommand};
use dz_controller::agent;

/// Keeps this machine's kernel like its device's configuration
#[derive(Parser)]
#[command(name = "dz-agent", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(flatten)]
    args: Option<agent::Args>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Carries userspace tunnels; the agent starts it where the kernel has none
    #[command(hide = true)]
    GreHelper,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match (cli.command, cli.args) {
        (Some(Command::GreHelper), _) => Ok(dz_net::gre::helper::serve()?),
        (None, Some(args)) => run(args),
        (None, None) => anyhow::bail!("--device is needed"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(args: agent::Args) -> anyhow::Result<()> {
    agent::run(args).await
}

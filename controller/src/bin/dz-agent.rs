//! `dz-agent`: keeps this machine's kernel like its device's configuration.

use clap::Parser;
use dz_controller::agent;
use dz_net::gre::helper;

/// Keeps this machine's kernel like its device's configuration
#[derive(Parser)]
#[command(name = "dz-agent", version)]
struct Cli {
    #[command(flatten)]
    args: agent::Args,
}

fn main() -> anyhow::Result<()> {
    if helper::is_wanted(std::env::args_os()) {
        return Ok(helper::serve()?);
    }
    run(Cli::parse().args)
}

#[tokio::main(flavor = "current_thread")]
async fn run(args: agent::Args) -> anyhow::Result<()> {
    agent::run(args).await
}

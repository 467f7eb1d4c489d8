//! `doublezerod`: holds this host's tunnels as the chain says.

use clap::Parser;
use dz_client::daemon;
use dz_net::gre::helper;

fn main() -> anyhow::Result<()> {
    if helper::is_wanted(std::env::args_os()) {
        return Ok(helper::serve()?);
    }
    run(daemon::Args::parse())
}

#[tokio::main(flavor = "current_thread")]
async fn run(args: daemon::Args) -> anyhow::Result<()> {
    daemon::run(args).await
}

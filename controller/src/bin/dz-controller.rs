//! `dz-controller`: renders each device's configuration from the chain and serves it.

use clap::Parser;
use dz_controller::serve;

/// Renders each device's whole configuration from the chain and serves it
#[derive(Parser)]
#[command(name = "dz-controller", version)]
struct Cli {
    #[command(flatten)]
    args: serve::Args,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    serve::run(Cli::parse().args).await
}

//! `dz-activator`: see [`dz_activator`].

use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    dz_activator::run(dz_activator::Args::parse()).await
}

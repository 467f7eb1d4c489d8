//! The tunnels a node has, whichever way they were made.

use dz_net::{
    gre::{self, Dataplane, HelperCommand, Tunnel},
    netns::NetNs,
};

/// All tunnels of a node. Looking starts no helper: one that does not run has no tunnels.
///
/// # Errors
/// A node that is gone, or a kernel or helper that does not answer.
pub async fn list(netns: &NetNs, dataplane: Dataplane) -> anyhow::Result<Vec<Tunnel>> {
    let helper = HelperCommand::this_program(["gre-helper"])?;
    // Both backends work on the namespace of the thread that asks.
    let listing = netns.spawn("tunnels", move || async move { gre::open(dataplane, helper).await?.list().await })?;
    Ok(listing.output().await??)
}

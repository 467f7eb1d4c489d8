//! The helper of userspace tunnels as a program of its own, for hosts whose products are not multi-call binaries.

fn main() -> anyhow::Result<()> {
    Ok(dz_net::gre::helper::serve()?)
}

//! The names of a device's interfaces, on chain and in its kernel.

use dz_controller::config::IfName;

/// The device interface that its uplink is, on chain and in its kernel.
pub const UPLINK_INTERFACE: &str = "Ethernet0";

/// The name of a physical interface in a device's kernel: where its agent looks for it.
///
/// # Errors
/// A name that no kernel interface can have.
pub fn port_name(interface: &str) -> anyhow::Result<String> {
    Ok(IfName::of_interface(interface)?.as_str().to_owned())
}

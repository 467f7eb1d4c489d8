//! Values that come from callers, checked: text here, interface names as a type of their own.

mod interface_name;

pub use interface_name::{InterfaceName, InvalidInterfaceName};

use crate::{
    error::{Result, ensure},
    instruction::MAX_CODE_LEN,
    state::{CYOA_MTU, Cyoa, InterfaceKind, InterfaceMetadata, MAX_NAME_LEN},
};

/// Whether a code is one: 1 to 32 letters, digits or `-_:.`.
///
/// # Errors
/// The text is too long, empty, or has letters that are not allowed.
pub fn check_code(code: &str) -> Result {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte);
    ensure!((1..=MAX_CODE_LEN).contains(&code.len()) && code.bytes().all(known), InvalidCode);
    Ok(())
}

/// Whether a code of a device or a link is one: those are in lower case.
///
/// # Errors
/// The text is too long, empty, or has letters that are not allowed.
pub fn check_lower_code(code: &str) -> Result {
    check_code(code)?;
    ensure!(!code.bytes().any(|byte| byte.is_ascii_uppercase()), InvalidCode);
    Ok(())
}

/// Whether a name for people is one.
///
/// # Errors
/// The text is too long, empty, or has letters that are not allowed.
pub fn check_name(name: &str) -> Result {
    ensure!((1..=MAX_NAME_LEN).contains(&name.len()), InvalidName);
    Ok(())
}

/// Whether an interface of this kind can have this metadata.
///
/// # Errors
/// An MTU or a VLAN tag out of range; a way for users that is no port, has no bandwidth or another MTU than 1500.
pub fn check_metadata(metadata: &InterfaceMetadata, kind: InterfaceKind) -> Result {
    ensure!((1280..=9216).contains(&metadata.mtu), InvalidMtu);
    ensure!(metadata.vlan_id <= 4094, InvalidVlan);
    if metadata.cyoa != Cyoa::None {
        ensure!(kind == InterfaceKind::Physical, CyoaNeedsPort);
        ensure!(metadata.mtu == CYOA_MTU, InvalidMtu);
        ensure!(metadata.bandwidth > 0, InvalidBandwidth);
    }
    Ok(())
}

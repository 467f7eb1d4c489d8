//! TTL and MTU of DoubleZero tunnels: both ends take them from here.

use crate::wire::gre::OVERHEAD;

/// Outer TTL of what a client sends, as the live client sets it.
pub const CLIENT_TTL: u8 = 64;

/// Outer TTL of what a device sends, as the live devices set it.
pub const DEVICE_TTL: u8 = 32;

/// MTU of a tunnel over a path of 1500 bytes, in bytes.
///
/// The live device has 9,216 on its side, which leaves large packets to fragments of outer ones. Here both ends have the
/// client's value, so that a packet too large is answered by "fragmentation needed" wherever it enters the tunnel.
pub const DEFAULT_MTU: u32 = 1500 - OVERHEAD as u32;

//! A translator (NAT) while clients are put behind it.

use std::net::Ipv4Addr;

use crate::plan::NatFilter;

/// A translator, and how many clients are behind it so far.
pub(super) struct Translator {
    pub(super) outside: Ipv4Addr,
    pub(super) lets_in: NatFilter,
    /// Its place among the translators, which is part of the addresses behind it.
    pub(super) number: u8,
    pub(super) clients: u8,
}

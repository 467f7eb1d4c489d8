//! Pure packet codecs: bytes in, values out, no sockets.
//!
//! pnet's packet types read and write single fields; here is what it lacks: GRE, and building whole packets with their
//! lengths and checksums right. Decoders take bytes from outside: they return an error that carries the bad value and
//! never panic.

pub mod checksum;
pub mod coalesce;
pub mod fragment;
pub mod gre;
pub mod icmp;
pub mod ipv4;
pub mod offload;
pub mod udp;

//! Virtual hosts on the fabric, through what the products see of them.

mod packets;
mod tunnels;
mod world;

//! Packets, kernel configuration and GRE tunnels.

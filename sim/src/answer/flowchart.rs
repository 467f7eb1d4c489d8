//! The network as a Mermaid flowchart, which also says in words what a picture of it shows.

use std::fmt::Write;

use crate::run::network::{Link, Network};

/// Formatting into a string cannot fail.
macro_rules! line {
    ($text:expr, $($arg:tt)*) => {{ let _ = writeln!($text, $($arg)*); }};
}

/// The text of the flowchart.
pub(super) fn mermaid(network: &Network) -> String {
    let mut text = String::from("flowchart LR\n");
    for code in network.metros.keys() {
        line!(text, "  subgraph metro_{}[\"{code}\"]", word(code));
        for device in network.devices_in(code) {
            line!(text, "    {}[\"{device}\"]", word(device));
        }
        for client in network.clients_in(code) {
            line!(text, "    {}([\"{client}\"])", word(client));
        }
        line!(text, "  end");
    }
    for Link { a, z, delay } in network.links.values() {
        line!(text, "  {} ---|\"{delay}\"| {}", word(a), word(z));
    }
    text
}

/// A name as Mermaid takes it for an identifier.
fn word(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

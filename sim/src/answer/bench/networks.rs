//! The scenarios that are measured, as text.

use std::{fmt::Write as _, time::Duration};

use super::rows::Size;

/// Metros that nodes are spread over.
const METROS: [&str; 8] = ["nyc", "lon", "fra", "ams", "tyo", "sin", "chi", "lax"];

/// The smallest scenario: one device, one client with both services.
pub const SMALL: &str = include_str!("../../../../scenarios/termination/secondary-address.yaml");

/// The head of a scenario with this number of nodes. Clients are hosted together, so that the real world has room for them,
/// and probe as often as doublezerod does by itself: what scenarios have as a default is for a handful of endpoints.
fn head(Size { devices, clients }: Size) -> String {
    let mut text = "# Measured by `dzsim bench`.\n\
                    timeouts: { step: 1h, bring_up: 1h, settle: 1h, scenario: 4h }\n\
                    policy: { client: { latency_tie: 20ms, latency_tolerance: 20ms, probe_period: 30s } }\nnetwork:\n  devices:\n"
        .to_owned();
    let metro = |number: usize| METROS[number % METROS.len()];
    // Writing to a text cannot fail.
    for number in 0..devices {
        let _ = writeln!(text, "    d{number}: {{ exchange: {} }}", metro(number));
    }
    text.push_str("  clients:\n");
    for number in 0..clients {
        let _ = writeln!(text, "    c{number}: {{ exchange: {}, hosted: shared }}", metro(number));
    }
    text.push_str("steps:\n");
    text
}

/// Twenty nodes that do nothing for this number of seconds while one of them is pinged now and then.
pub fn idle(seconds: u32) -> String {
    let count = seconds / 10;
    format!(
        "{}  - ping: {{ from: c0, to: d0, count: {count}, interval: 10s }}\n",
        head(Size { devices: 10, clients: 10 })
    )
}

/// The step of [`connect`] in which nothing is asked of the network, from 1.
pub const IDLE_STEP: usize = 3;

/// All clients but the first connect at the same time, then that one. Nothing is asked of the network for more than the
/// idle time if there is one. Then each is answered one ping.
pub fn connect(size: Size, idle: Option<Duration>) -> String {
    let mut text = head(size);
    text.push_str("  - parallel:\n");
    // Writing to a text cannot fail.
    for number in 1..size.clients {
        let _ = writeln!(text, "      - [{{ run: doublezero connect ibrl, on: c{number} }}]");
    }
    text.push_str("  - run: doublezero connect ibrl\n    on: c0\n");
    if let Some(idle) = idle {
        let interval = idle.as_millis() / 2;
        let _ = writeln!(text, "  - ping: {{ from: c0, to: d0, count: 4, interval: {interval}ms }}");
    }
    text.push_str("  - parallel:\n");
    for number in 0..size.clients {
        let to = number % size.devices;
        let _ = writeln!(text, "      - [{{ ping: {{ from: c{number}, to: d{to}, count: 1 }} }}]");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Duration, Size};
    use crate::scenario_files::Words;

    #[test]
    fn every_scenario_is_valid() {
        let size = Size { devices: 10, clients: 50 };
        let large = [None, Some(Duration::from_secs(20))].map(|idle| super::connect(size, idle));
        for text in [super::SMALL.to_owned(), super::idle(100)].into_iter().chain(large) {
            let cases = dzsim_scenario::parse(std::path::Path::new("bench.yaml"), &text, &Words::default());
            assert!(cases.is_ok(), "{:?}\n{text}", cases.err());
        }
    }
}

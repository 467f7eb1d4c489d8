//! The scenarios that are measured, as text.

use std::{fmt::Write as _, time::Duration};

use super::rows::Size;

/// Metros that nodes are spread over.
const METROS: [&str; 8] = ["nyc", "lon", "fra", "ams", "tyo", "sin", "chi", "lax"];

/// The smallest scenario: one device, one client with both services.
pub const SMALL: &str = include_str!("../../../../scenarios/termination/secondary-address.yaml");

/// What a busy machine adds to a round trip is no reason to choose another metro.
const TIE: &str = "latency_tie: 20ms, latency_tolerance: 20ms";

/// The head of a scenario with this number of nodes and this policy of clients. They are hosted together, so that the real
/// world has room for them.
fn head(Size { devices, clients }: Size, policy: &str) -> String {
    let mut text = format!(
        "# Measured by `dzsim bench`.\n\
         timeouts: {{ step: 1h, bring_up: 1h, settle: 1h, scenario: 4h }}\n\
         policy: {{ client: {{ {policy} }} }}\nnetwork:\n  devices:\n"
    );
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
        head(Size { devices: 10, clients: 10 }, TIE)
    )
}

/// The step of [`large`] in which nothing is asked of the network, from 1.
pub const IDLE_STEP: usize = 3;

/// A network of a sweep.
pub fn swept(size: Size) -> String {
    connect(size, TIE, None)
}

/// The large network. It probes as often as doublezerod does by itself: the default of scenarios is for a handful of
/// endpoints.
pub fn large(size: Size, idle: Option<Duration>) -> String {
    connect(size, &format!("{TIE}, probe_period: 30s"), idle)
}

/// All clients but the first connect at the same time, then that one. Nothing is asked of the network for more than the
/// idle time if there is one. Then each is answered one ping.
fn connect(size: Size, policy: &str, idle: Option<Duration>) -> String {
    let mut text = head(size, policy);
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
        let large = [None, Some(Duration::from_secs(20))].map(|idle| super::large(size, idle));
        let others = [super::SMALL.to_owned(), super::idle(100), super::swept(size)];
        for text in others.into_iter().chain(large) {
            let cases = dzsim_scenario::parse(std::path::Path::new("bench.yaml"), &text, &Words::default());
            assert!(cases.is_ok(), "{:?}\n{text}", cases.err());
        }
    }
}

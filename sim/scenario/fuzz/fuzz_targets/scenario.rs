//! Text that may be a scenario: its author gets cases, or diagnostics that point into the text.
#![no_main]

use std::path::Path;

use dzsim_scenario::{Metros, parse, plan::LatLng};
use libfuzzer_sys::fuzz_target;

/// One metro is known.
struct Nyc;

impl Metros for Nyc {
    fn get(&self, code: &str) -> Option<LatLng> {
        (code == "nyc").then_some(LatLng { lat: 40.7, lng: -74.0 })
    }

    fn codes(&self) -> Vec<&str> {
        vec!["nyc"]
    }
}

fuzz_target!(|text: &str| {
    match parse(Path::new("topic/case.yaml"), text, &Nyc) {
        Ok(cases) => assert!(!cases.is_empty()),
        Err(diagnostics) => {
            assert!(!diagnostics.render().is_empty());
            let lines = text.lines().count();
            for diagnostic in diagnostics.iter() {
                assert!((1..=lines.max(1)).contains(&diagnostic.line), "{diagnostic:?}");
                assert!(diagnostic.column >= 1 && !diagnostic.message.is_empty(), "{diagnostic:?}");
            }
        }
    }
});

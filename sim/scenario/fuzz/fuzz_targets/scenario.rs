//! Text that may be a scenario: its author gets cases, or diagnostics that point into the text.
#![no_main]

use std::path::Path;

use dzsim_scenario::{Lexicon, Refusal, parse, plan::LatLng};
use libfuzzer_sys::fuzz_target;

/// One metro is known.
struct Nyc;

impl Lexicon for Nyc {
    fn metro(&self, code: &str) -> Option<LatLng> {
        (code == "nyc").then_some(LatLng { lat: 40.7, lng: -74.0 })
    }

    fn metros(&self) -> Vec<&str> {
        vec!["nyc"]
    }

    fn refusal(&self, words: &[String]) -> Option<Refusal> {
        let word = words.first().filter(|word| *word == "verb")?.clone();
        Some(Refusal { word, message: "unknown verb".to_owned(), help: String::new() })
    }

    fn is_interface(&self, name: &str) -> bool {
        name.starts_with("Loopback")
    }

    fn interface_words(&self) -> Vec<&str> {
        vec!["Loopback"]
    }
}

fuzz_target!(|text: &str| {
    match parse(Path::new("topic/case.yaml"), text, &Nyc) {
        Ok(cases) => assert!(!cases.is_empty()),
        Err(diagnostics) => {
            assert!(!diagnostics.render(dzsim_scenario::Look::PLAIN).is_empty());
            let lines = text.lines().count();
            for diagnostic in diagnostics.iter() {
                assert!((1..=lines.max(1)).contains(&diagnostic.line), "{diagnostic:?}");
                assert!(diagnostic.column >= 1 && !diagnostic.message.is_empty(), "{diagnostic:?}");
            }
        }
    }
});

//! Tests of the scenario language as its users meet it: text in, plan or diagnostics out.

mod changes;
mod diagnostics;
mod docs;
mod files;
mod plans;
mod properties;

use std::path::Path;

use dzsim_scenario::{Case, Diagnostics, Lexicon, Refusal, parse, plan::LatLng};

/// A few metros, so that these tests do not depend on whose table is used.
struct Few;

const FEW: [(&str, f64, f64); 5] =
    [("ams", 52.37, 4.90), ("fra", 50.11, 8.68), ("lon", 51.51, -0.13), ("nyc", 40.71, -74.01), ("pit", 40.44, -80.00)];

impl Lexicon for Few {
    fn metro(&self, code: &str) -> Option<LatLng> {
        FEW.iter().find(|(known, ..)| *known == code).map(|(_, lat, lng)| LatLng { lat: *lat, lng: *lng })
    }

    fn metros(&self) -> Vec<&str> {
        FEW.iter().map(|(code, ..)| *code).collect()
    }

    /// One verb is known to be wrong.
    fn refusal(&self, words: &[String]) -> Option<Refusal> {
        let word = words.iter().find(|word| *word == "conect")?;
        let message = format!("unknown verb `{word}`");
        Some(Refusal { word: word.clone(), message, help: "did you mean `connect`?".to_owned() })
    }

    fn is_interface(&self, name: &str) -> bool {
        let number = self.interface_words().into_iter().find_map(|word| name.strip_prefix(word));
        number.is_some_and(|number| number.parse::<u16>().is_ok())
    }

    fn interface_words(&self) -> Vec<&str> {
        vec!["Ethernet", "Loopback"]
    }
}

/// Which metros and commands there are is known to who runs the scenarios, and tested there.
struct Every;

impl Lexicon for Every {
    fn metro(&self, code: &str) -> Option<LatLng> {
        (code.len() == 3).then_some(LatLng { lat: 0.0, lng: 0.0 })
    }

    fn metros(&self) -> Vec<&str> {
        Vec::new()
    }

    fn refusal(&self, _: &[String]) -> Option<Refusal> {
        None
    }

    fn is_interface(&self, _: &str) -> bool {
        true
    }

    fn interface_words(&self) -> Vec<&str> {
        Vec::new()
    }
}

fn read(text: &str) -> Result<Vec<Case>, Diagnostics> {
    parse(Path::new("topic/case.yaml"), text, &Few)
}

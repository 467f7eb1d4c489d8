//! Text from people: interface names and networks are refused, or have one full form that reads back as the same.
#![no_main]

use dz_serviceability::{network::NetworkV4, validation::InterfaceName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(name) = text.parse::<InterfaceName>() {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    if let Ok(net) = text.parse::<NetworkV4>() {
        assert_eq!(net.to_string().parse(), Ok(net));
    }
});

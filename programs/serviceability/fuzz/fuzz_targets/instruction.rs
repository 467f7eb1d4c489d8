//! Bytes of an instruction: refused, or read and written back as the same bytes.
#![no_main]

use dz_serviceability::{error::ServiceabilityError, instruction::ServiceabilityInstruction};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match ServiceabilityInstruction::decode(data) {
        Ok((life, instruction)) => assert_eq!(instruction.encode(life), data),
        Err(error) => assert_eq!(error, ServiceabilityError::MalformedInstruction),
    }
});

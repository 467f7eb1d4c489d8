//! Every refusal of the program: one code, one sentence, written once.
//!
//! The code is the position in this list plus one and travels as Solana's custom error; the text is what the
//! program logs and what the command line prints.

/// Why an instruction was refused. Nothing has changed then.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    num_enum::TryFromPrimitive,
    strum::EnumIter,
    strum::AsRefStr,
    thiserror::Error,
)]
#[repr(u32)]
pub enum ServiceabilityError {
    /// The bytes are no instruction.
    #[error("the instruction cannot be decoded")]
    MalformedInstruction = 1,
}

//! An enumeration of words: the same in flags, keys, JSON and text.

/// Derives everything that a word needs in the places where it is written and read.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($body:tt)* }) => {
        $(#[$meta])*
        #[derive(
            Clone,
            Copy,
            Debug,
            Default,
            PartialEq,
            Eq,
            clap::ValueEnum,
            schemars::JsonSchema,
            serde::Deserialize,
            serde::Serialize,
            strum::Display,
            strum::EnumIter,
            strum::EnumString,
        )]
        #[serde(rename_all = "kebab-case")]
        #[strum(serialize_all = "kebab-case")]
        pub enum $name { $($body)* }
    };
}

pub(crate) use words;

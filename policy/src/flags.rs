//! A policy as flags and as environment variables.

use serde::Serialize;
use serde_json::Value;

use crate::{ActivatorPolicy, ConnectPolicy};

/// A policy whose keys are flags and environment variables of a product.
pub trait Flags: Serialize {
    /// As arguments: `--when-full=reject`.
    fn flags(&self) -> Vec<String> {
        entries(self).map(|(key, value)| format!("--{}={value}", key.replace('_', "-"))).collect()
    }

    /// As environment variables: `DZ_WHEN_FULL` is `reject`.
    fn variables(&self) -> Vec<(String, String)> {
        entries(self).map(|(key, value)| (format!("DZ_{}", key.to_uppercase()), value)).collect()
    }
}

impl Flags for ActivatorPolicy {}
impl Flags for ConnectPolicy {}

/// Keys and values; a policy is a table of words, and anything else has none.
fn entries<P: Serialize + ?Sized>(policy: &P) -> impl Iterator<Item = (String, String)> {
    let table = match serde_json::to_value(policy) {
        Ok(Value::Object(table)) => table,
        _ => serde_json::Map::new(),
    };
    table.into_iter().map(|(key, value)| match value {
        Value::String(word) => (key, word),
        other => (key, other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use clap::{Args, CommandFactory, Parser, ValueEnum};
    use serde::{Deserialize, de::DeserializeOwned};
    use std::fmt::Debug;
    use strum::IntoEnumIterator;

    use super::*;
    use crate::{DzIp, EndpointPull, LoopbackNumbering, Rank, WhenDrained, WhenFull};

    #[derive(Debug, Parser)]
    struct Program<P: Args> {
        #[command(flatten)]
        policy: P,
    }

    /// What is not the default in any key.
    fn chosen() -> (ActivatorPolicy, ConnectPolicy) {
        let activator = ActivatorPolicy {
            when_full: WhenFull::Wait,
            endpoint_strategy: EndpointPull::Spread,
            dz_ip_strategy: DzIp::Spread,
            loopback_strategy: LoopbackNumbering::ByAddress,
            in_flight: 3.try_into().unwrap(),
        };
        let connect = ConnectPolicy {
            latency_tolerance: "7ms".parse().unwrap(),
            latency_tie: "2ms".parse().unwrap(),
            rank: Rank::Spread,
            when_drained: WhenDrained::Move,
        };
        (activator, connect)
    }

    /// Flags, keys and variables are the same words, and the defaults are the same.
    fn agree<P: Args + Flags + DeserializeOwned + Default + PartialEq + Debug + Clone>(chosen: P) {
        let parse = |flags: Vec<String>| {
            Program::<P>::try_parse_from(std::iter::once("program".to_owned()).chain(flags)).unwrap().policy
        };
        let default: Vec<_> = entries(&P::default()).collect();
        let differs = entries(&chosen).zip(&default).all(|(chosen, default)| chosen.1 != default.1);
        assert!(differs, "a key that has its default proves nothing");

        assert_eq!(parse(chosen.flags()), chosen);
        assert_eq!(serde_json::from_value::<P>(serde_json::to_value(&chosen).unwrap()).unwrap(), chosen);
        assert_eq!(parse(vec![]), P::default());
        assert_eq!(serde_json::from_str::<P>("{}").unwrap(), P::default());

        let command = Program::<P>::command();
        let read: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect();
        let mut read: Vec<_> = read.into_iter().map(str::to_owned).collect();
        let mut written: Vec<_> = chosen.variables().into_iter().map(|(name, _)| name).collect();
        read.sort();
        written.sort();
        assert_eq!(written, read);
    }

    #[test]
    fn flags_keys_and_variables_are_the_same_words() {
        let (activator, connect) = chosen();
        agree(activator);
        agree(connect);
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let error = serde_json::from_str::<ActivatorPolicy>(r#"{ "when_empty": "wait" }"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `when_empty`"), "{error}");
    }

    fn spelled_alike<W>()
    where
        W: IntoEnumIterator + ToString + Serialize + ValueEnum + for<'a> Deserialize<'a> + PartialEq + Debug,
    {
        for word in W::iter() {
            let text = word.to_string();
            assert_eq!(serde_json::to_value(&word).unwrap(), text);
            assert_eq!(word.to_possible_value().unwrap().get_name(), text);
        }
    }

    #[test]
    fn a_word_is_spelled_alike_everywhere() {
        spelled_alike::<WhenFull>();
        spelled_alike::<EndpointPull>();
        spelled_alike::<DzIp>();
        spelled_alike::<LoopbackNumbering>();
        spelled_alike::<Rank>();
        spelled_alike::<WhenDrained>();
    }
}

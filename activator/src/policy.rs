//! What an operator may choose about allocation. Nothing in it changes what is correct, only which correct value is
//! taken and whether a user waits for one.

use serde::{Deserialize, Serialize};

use crate::strategy::{DzIp, EndpointPull, LoopbackNumbering};

/// What happens to a user for whom nothing is left.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    strum::Display,
    strum::EnumString,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum WhenFull {
    /// It is rejected with the reason.
    #[default]
    Reject,
    /// It stays pending, keeps its seat, and is activated as soon as there is room.
    Wait,
}

/// How the activator allocates. The same words are flags of `dz-activator` and keys of a scenario's `policy:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    /// What happens to a user for whom nothing is left
    #[arg(long, env = "DZ_WHEN_FULL", value_enum, default_value_t)]
    pub when_full: WhenFull,
    /// Off which of a device's prefixes an endpoint is pulled
    #[arg(long, env = "DZ_ENDPOINT_STRATEGY", value_enum, default_value_t)]
    pub endpoint_strategy: EndpointPull,
    /// Out of which of a device's prefixes, or of the publisher blocks, a dz_ip is taken
    #[arg(long, env = "DZ_DZ_IP_STRATEGY", value_enum, default_value_t)]
    pub dz_ip_strategy: DzIp,
    /// Which number the loopback of an endpoint gets
    #[arg(long, env = "DZ_LOOPBACK_STRATEGY", value_enum, default_value_t)]
    pub loopback_strategy: LoopbackNumbering,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        policy: Policy,
    }

    #[test]
    fn flags_and_keys_are_the_same_words() {
        let chosen = Policy {
            when_full: WhenFull::Wait,
            endpoint_strategy: EndpointPull::Spread,
            dz_ip_strategy: DzIp::Spread,
            loopback_strategy: LoopbackNumbering::ByAddress,
        };
        let keys = serde_json::json!({
            "when-full": "wait",
            "endpoint-strategy": "spread",
            "dz-ip-strategy": "spread",
            "loopback-strategy": "by-address",
        });
        assert_eq!(serde_json::to_value(chosen).unwrap(), keys);
        assert_eq!(serde_json::from_value::<Policy>(keys.clone()).unwrap(), chosen);

        let flags = keys.as_object().unwrap().iter().map(|(key, value)| format!("--{key}={}", value.as_str().unwrap()));
        let parsed = Flags::try_parse_from(std::iter::once("dz-activator".to_owned()).chain(flags)).unwrap();
        assert_eq!(parsed.policy, chosen);
        assert_eq!(Flags::try_parse_from(["dz-activator"]).unwrap().policy, Policy::default());
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let error = serde_json::from_str::<Policy>(r#"{ "when-empty": "wait" }"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `when-empty`"), "{error}");
    }
}

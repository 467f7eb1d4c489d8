//! Steps. A step is a table; the one key that names a kind says which.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::{
    Any, Bound, Duration, FaultStep, HealStep, JoinStep, LeaveStep, OneOrMany, PingStep, SendStep, TrafficStep,
};

/// One step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(untagged)]
pub(crate) enum Step {
    Run(RunStep),
    Expect(ExpectStep),
    Ping(PingStep),
    Send(SendStep),
    Join(JoinStep),
    Leave(LeaveStep),
    ExpectTraffic(TrafficStep),
    Fault(FaultStep),
    Heal(HealStep),
    Epoch(EpochStep),
    Snapshot(SnapshotStep),
    Measure(MeasureStep),
    UntilRefused(UntilRefusedStep),
    Parallel(ParallelStep),
    #[allow(dead_code, reason = "unrolled before the file is read; here for the schema")]
    ForEach(ForEachStep),
}

/// Runs a real command in a node's namespace and waits for its end.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunStep {
    /// The command line, such as `doublezero connect ibrl`. Words in quotes stay together; a word such as
    /// `nyc1.endpoints.1` is replaced by that address. A program with a `/` in its name, such as `./my-check.sh`, is one of
    /// your own, seen from the file's folder; only the real world can run it.
    pub(crate) run: String,
    /// A client, a device, or `operator`. Default: the only client, or the operator if `as` is given.
    pub(crate) on: Option<String>,
    /// Whose key the command has: `foundation`, a contributor, a tenant (its administrator) or a client. Default: that of
    /// the node's user, which is the foundation for `operator` and the contributor for a device.
    #[serde(rename = "as")]
    pub(crate) identity: Option<String>,
    /// Exit code: a number, `failure` for any but 0, or `any`; with `any`, a command that names an
    /// address which is not there is left out. Default: 0.
    #[serde(default)]
    pub(crate) exit: Exit,
    /// What standard output must contain: a text, several, or a table of `contains`, `lacks`, `matches`.
    #[serde(default)]
    pub(crate) stdout: TextMatch,
    /// The same for standard error.
    #[serde(default)]
    pub(crate) stderr: TextMatch,
    /// What standard output, read as JSON, must hold; as in `expect`.
    pub(crate) json: Option<Any>,
    /// Name under which the command's time is measured, one sample for each run; `dzsim sweep` makes a column of it.
    pub(crate) record: Option<String>,
    /// Deadline for the command to end. Default: `timeouts.step`.
    pub(crate) within: Option<Duration>,
    /// Title in reports. Default: the command.
    pub(crate) name: Option<String>,
}

/// The exit code a command must end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(u8),
    Failure,
    Any,
}

impl Default for Exit {
    fn default() -> Self {
        Self::Code(0)
    }
}

impl<'de> Deserialize<'de> for Exit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Exit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an exit code from 0 to 255, `failure` or `any`")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Exit, E> {
                let code = u8::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))?;
                Ok(Exit::Code(code))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Exit, E> {
                match text {
                    "failure" => Ok(Exit::Failure),
                    "any" => Ok(Exit::Any),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Exit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Exit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 255 }, { "enum": ["failure", "any"] }] })
    }
}

/// What a text must be like.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TextTable {
    /// Texts that occur in it.
    #[serde(default)]
    contains: OneOrMany<String>,
    /// Texts that do not occur in it.
    #[serde(default)]
    lacks: OneOrMany<String>,
    /// Regular expressions that match somewhere in it.
    #[serde(default)]
    matches: OneOrMany<String>,
}

/// What a text must be like.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextMatch {
    pub(crate) contains: Vec<String>,
    pub(crate) lacks: Vec<String>,
    pub(crate) matches: Vec<String>,
}

impl<'de> Deserialize<'de> for TextMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = TextMatch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a list of texts, or a table of `contains`, `lacks` and `matches`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TextMatch, E> {
                Ok(TextMatch { contains: vec![text.to_owned()], ..TextMatch::default() })
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<TextMatch, A::Error> {
                let mut contains = Vec::new();
                while let Some(text) = seq.next_element()? {
                    contains.push(text);
                }
                Ok(TextMatch { contains, ..TextMatch::default() })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<TextMatch, A::Error> {
                let table = TextTable::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(TextMatch { contains: table.contains.0, lacks: table.lacks.0, matches: table.matches.0 })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for TextMatch {
    fn schema_name() -> Cow<'static, str> {
        "TextMatch".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<TextTable>();
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }, table] })
    }
}

/// Waits until every named view holds what is expected of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectStep {
    /// Views and what they must hold. Tables are subsets: keys that are not named are not compared. Lists have the same
    /// length and order.
    pub(crate) expect: BTreeMap<String, Any>,
    /// Deadline. Default: `timeouts.step`.
    pub(crate) within: Option<Duration>,
    /// How long it must stay so once it is. Default: not at all.
    pub(crate) stays: Option<Duration>,
    /// Title in reports. Default: the views.
    pub(crate) name: Option<String>,
}

/// The last epoch that a step can bring about: 992 slots come before it, one for each transaction.
pub(crate) const LAST_EPOCH: u64 = 5;

/// Lets time pass on the chain until an epoch begins, or not at all if it has begun. Each transaction is a slot, so time
/// passes by transactions that do nothing. The first epoch is number 0 and has 32 slots, each later one twice as many as
/// the one before it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EpochStep {
    /// Its number, at most 5.
    pub(crate) epoch: u64,
    /// Deadline. Default: `timeouts.step`.
    pub(crate) within: Option<Duration>,
    /// Title in reports.
    pub(crate) name: Option<String>,
}

/// Compares views with the files under `snapshots/`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnapshotStep {
    /// Which views.
    pub(crate) snapshot: OneOrMany<Snapshot>,
    /// Suffix of the snapshots' names. Default: their number in the scenario.
    pub(crate) name: Option<String>,
}

/// A view that can be compared as a whole. Volatile fields are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Snapshot {
    /// All accounts.
    Chain,
    /// The rendered configuration of every device.
    Config,
    /// `doublezero status` of every client.
    Status,
    /// Interfaces, addresses, rules and routes of every node.
    Kernel,
    /// Exit code and output of the last command.
    Output,
}

/// Records values under names: a column each in `dzsim sweep`, and in `summary.json` after every run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasureStep {
    /// Names and the places of views to look at: a number, a text, or a list or table, whose elements are counted. A field
    /// whose name ends in `_ns` is shown in milliseconds.
    pub(crate) measure: BTreeMap<String, String>,
    /// Title in reports. Default: the names.
    pub(crate) name: Option<String>,
}

/// Runs steps until one of their commands is refused, and measures how many were not: what a network can serve. The refusal ends
/// the step well; that none was refused is a failure.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UntilRefusedStep {
    /// Name under which the number of commands that succeeded is measured, and with ` refused by` behind it what the first
    /// refused one printed.
    pub(crate) until_refused: String,
    /// The steps, such as a `for_each` over more clients than can be served.
    #[serde(rename = "do")]
    pub(crate) steps: Vec<Step>,
    /// Deadline. Default: `timeouts.step` for each of the steps.
    pub(crate) within: Option<Duration>,
    /// Title in reports. Default: the name.
    pub(crate) name: Option<String>,
}

/// Lets several steps happen at the same time and waits for all of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParallelStep {
    /// Each a step, or a list of steps that happen one after the other. A `for_each` here is one such list for each of its
    /// rounds.
    pub(crate) parallel: Vec<Branch>,
    /// How many of them must succeed, such as 1 or ">= 2". Default: all.
    pub(crate) succeed: Option<Bound>,
    /// Title in reports.
    pub(crate) name: Option<String>,
}

/// A step, or a list of steps that happen one after the other; a single step is made a list before it is read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Branch(pub(crate) Vec<Step>);

impl JsonSchema for Branch {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Branch".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let step = generator.subschema_for::<Step>();
        json_schema!({ "anyOf": [step, { "type": "array", "items": step }] })
    }
}

/// Repeats steps with a variable set to each of several values.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "expanded before the file is read; here for the schema")]
pub(crate) struct ForEachStep {
    /// One variable and its values: a list, or a range such as `1..20`. `$name` stands for the value in the steps below.
    pub(crate) for_each: BTreeMap<String, OneOrMany<Any>>,
    /// The steps of one round.
    #[serde(rename = "do")]
    pub(crate) steps: Vec<Step>,
}

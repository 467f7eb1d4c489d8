//! Evidence of each step of a scenario: it is left out once, and the scenario must then fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
};

use dzsim_scenario::plan::StepPlace;

/// A scenario file without one of its steps; without a step it is the file as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// The file.
    pub file: PathBuf,
    /// The step that is left out.
    pub without: Option<StepPlace>,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.without.map_or(Ok(()), |place| write!(f, ":{place}"))
    }
}

/// What became of all variants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Scenarios that fail as they are, or cannot be run here, with why.
    pub broken: BTreeMap<Variant, String>,
    /// Cases that only the other world can run.
    pub elsewhere: usize,
    /// Steps that were left out.
    pub tried: usize,
    /// Those without which the scenario still passes, with what they do.
    pub survivors: BTreeMap<Variant, String>,
}

/// Steps that may be left out, each with its reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(BTreeMap<String, String>);

impl std::str::FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let allowed = lines.map(|line| match line.split_once(' ') {
            Some((step, reason)) if !reason.trim().is_empty() => Ok((step.to_owned(), reason.trim().to_owned())),
            _ => Err(format!("expected FILE:LINE:COLUMN and a reason, got {line}")),
        });
        allowed.collect::<Result<_, _>>().map(Self)
    }
}

impl Evidence {
    /// What is wrong, a line each: scenarios that fail as they are, steps that prove nothing and are not allowed to, and
    /// what is allowed and is not needed.
    pub fn faults(&self, allowed: &Allowed) -> Vec<String> {
        let survivors: BTreeSet<String> = self.survivors.keys().map(Variant::to_string).collect();
        let broken = self.broken.iter().map(|(variant, why)| format!("{variant}: it does not pass as it is: {why}"));
        let idle = self.survivors.iter().filter(|(variant, _)| !allowed.0.contains_key(&variant.to_string()));
        let idle = idle.map(|(variant, title)| format!("{variant}: it passes without `{title}`"));
        let stale = allowed.0.keys().filter(|step| !survivors.contains(*step));
        let stale = stale.map(|step| format!("{step}: it is in the list, but nothing passes without it"));
        broken.chain(idle).chain(stale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proves_nothing_is_named_unless_it_has_a_reason() {
        let variant = |line| Variant { file: "a/b.yaml".into(), without: Some(StepPlace { line, column: 5 }) };
        let survivors = [(variant(7), "val1 joins mg01".to_owned()), (variant(9), "epoch 2".to_owned())].into();
        let evidence = Evidence { tried: 5, survivors, ..Evidence::default() };
        let allowed: Allowed = "a/b.yaml:7:5 it is the same\na/b.yaml:3:5 was once\n".parse().unwrap();
        assert_eq!(
            evidence.faults(&allowed),
            [
                "a/b.yaml:9:5: it passes without `epoch 2`",
                "a/b.yaml:3:5: it is in the list, but nothing passes without it"
            ]
        );
        assert_eq!(
            "a/b.yaml:7:5".parse::<Allowed>(),
            Err("expected FILE:LINE:COLUMN and a reason, got a/b.yaml:7:5".to_owned())
        );
    }
}

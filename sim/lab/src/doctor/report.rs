//! The doctor's report: pure data, and its rendering for people.

use std::collections::BTreeMap;
use std::fmt;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::{Facts, Need, Probe, fix};

/// The name of the capability that `--dataplane kernel` needs.
pub const KERNEL_GRE: &str = "kernel GRE";
/// Memory below which a scenario may not fit, in MiB.
const MEMORY: u64 = 1024;
/// Open files below which a larger lab does not fit.
const FILES: u64 = 4096;

/// How it stands with a capability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// It is there.
    Ready,
    /// It is not.
    Missing {
        /// What the kernel said, or how much there is.
        reason: String,
        /// The command that gives it, or what else does.
        fix: String,
    },
    /// It could not be tried.
    Unknown {
        /// The capability that is missing for that.
        without: String,
    },
}

/// A capability and how it stands with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// What it is.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Whether a scenario can do without.
    pub need: Need,
    /// How it stands.
    #[serde(flatten)]
    pub state: State,
}

/// All capabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// In the order in which they build on each other.
    pub capabilities: Vec<Capability>,
}

impl Report {
    /// What a trial's outcomes mean on a machine with these facts. A probe without an outcome was not tried.
    pub(super) fn of(outcomes: &BTreeMap<Probe, Result<(), i32>>, facts: &Facts) -> Self {
        let mut capabilities: Vec<_> = Probe::ALL
            .into_iter()
            .map(|probe| {
                let (name, purpose, need) = probe.about();
                let state = match outcomes.get(&probe) {
                    Some(Ok(())) => State::Ready,
                    Some(Err(number)) => {
                        let errno = Errno::from_raw(*number);
                        State::Missing { reason: errno.desc().to_owned(), fix: fix::of(probe, errno, facts) }
                    }
                    None => State::Unknown { without: blocker(probe, outcomes).about().0.to_owned() },
                };
                Capability { name: name.to_owned(), purpose: purpose.to_owned(), need, state }
            })
            .collect();
        let size = |name: &str, purpose: &str, have: Option<u64>, want: u64, fix: &str| Capability {
            name: name.to_owned(),
            purpose: purpose.to_owned(),
            need: Need::Optional,
            state: match have {
                Some(have) if have < want => State::Missing { reason: format!("{have}"), fix: fix.to_owned() },
                _ => State::Ready,
            },
        };
        let memory = "1024 MiB of memory available";
        capabilities.push(size(memory, "a scenario takes some hundred", facts.memory, MEMORY, "fewer --jobs"));
        let files = "4096 open files";
        let purpose = "a node takes about four";
        capabilities.push(size(files, purpose, facts.files, FILES, "ulimit -Hn 65536, as root"));
        Self { capabilities }
    }

    /// What is missing that no scenario runs without, each cause once: what could not be tried for want of another is
    /// left out. If it is empty this machine can run scenarios.
    pub fn missing_required(&self) -> Vec<&Capability> {
        let missing = |c: &&Capability| c.need == Need::Required && matches!(c.state, State::Missing { .. });
        self.capabilities.iter().filter(missing).collect()
    }
}

/// The first thing that is missing of what a probe builds on.
fn blocker(probe: Probe, outcomes: &BTreeMap<Probe, Result<(), i32>>) -> Probe {
    match probe.builds_on() {
        Some(base) if outcomes.get(&base) != Some(&Ok(())) => blocker(base, outcomes),
        _ => probe,
    }
}

impl fmt::Display for Capability {
    /// Two or three lines: how it stands and what it is for, and why and the fix if it is missing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match (&self.state, self.need) {
            (State::Ready, _) => "ok",
            (State::Missing { .. }, Need::Required) => "MISSING",
            (State::Missing { .. }, Need::Optional) => "absent",
            (State::Unknown { .. }, _) => "unknown",
        };
        write!(f, "{mark:<8} {:<30} {}", self.name, self.purpose)?;
        match &self.state {
            State::Ready => Ok(()),
            State::Missing { reason, fix } => write!(f, "\n         found: {reason}\n         fix: {fix}"),
            State::Unknown { without } => write!(f, "\n         can not be tried without: {without}"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for capability in &self.capabilities {
            writeln!(f, "{capability}")?;
        }
        match self.missing_required().len() {
            0 => writeln!(f, "this machine can run scenarios in the real world and in the virtual one"),
            n => {
                let missing = if n == 1 { "1 thing is".to_owned() } else { format!("{n} things are") };
                writeln!(f, "this machine can not run scenarios in the real world: {missing} missing")?;
                writeln!(f, "it can run them in the virtual world, which needs none of this: --world virtual")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_ready() -> BTreeMap<Probe, Result<(), i32>> {
        Probe::ALL.into_iter().map(|probe| (probe, Ok(()))).collect()
    }

    #[test]
    fn a_machine_without_optional_things_can_run_scenarios() {
        let mut outcomes = all_ready();
        outcomes.insert(Probe::Gre, Err(libc::EOPNOTSUPP));
        let report = Report::of(&outcomes, &Facts::default());
        assert_eq!(report.missing_required(), Vec::<&Capability>::new());
        let gre = report.capabilities.iter().find(|c| c.name == "kernel GRE").unwrap();
        assert_eq!(
            gre.to_string(),
            "absent   kernel GRE                     for --dataplane kernel; else tunnels end in userspace\
             \n         found: Operation not supported on transport endpoint\n         fix: sudo modprobe ip_gre"
        );
        let last = report.to_string().lines().last().map(str::to_owned);
        assert_eq!(last.unwrap(), "this machine can run scenarios in the real world and in the virtual one");
    }

    #[test]
    fn what_was_not_tried_says_for_want_of_what() {
        let outcomes = BTreeMap::from([
            (Probe::User, Err(libc::EPERM)),
            (Probe::PidFd, Ok(())),
            (Probe::TunOpen, Err(libc::EACCES)),
        ]);
        let facts = Facts { max_user_namespaces: Some(0), ..Facts::default() };
        let report = Report::of(&outcomes, &facts);
        let state = |name: &str| report.capabilities.iter().find(|c| c.name == name).unwrap().state.clone();
        assert_eq!(
            state("user namespaces"),
            State::Missing {
                reason: "Operation not permitted".to_owned(),
                fix: "sudo sysctl -w user.max_user_namespaces=15000".to_owned()
            }
        );
        assert_eq!(state("multicast routing"), State::Unknown { without: "user namespaces".to_owned() });
        assert_eq!(state("TUN devices"), State::Unknown { without: "open /dev/net/tun".to_owned() });
        let missing: Vec<_> = report.missing_required().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(missing, ["user namespaces", "open /dev/net/tun"]);
    }

    #[test]
    fn survives_json() {
        let report = Report::of(&all_ready(), &Facts { memory: Some(100), ..Facts::default() });
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        assert!(json.contains(r#""state":"missing","reason":"100","fix":"fewer --jobs""#), "{json}");
    }
}

//! Lateness of a run caused by the machine, and its effect on the outcome.
//!
//! A run that is late sees what no network did: probes that nobody answered in time, an endpoint that seems far, a step
//! that a process had no processor for. Such a run has neither passed nor failed. What is late is measured by [`watch`];
//! what a scenario bears is in [`Bears`]; this file compares the two and knows neither clock nor process.

pub mod watch;

use std::{collections::BTreeMap, fmt, time::Duration};

use dzsim_scenario::plan::{Plan, Policy};

/// What was late.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The whole process that holds fabric, ledger and steps: it was stopped, or the machine was.
    Run,
    /// A thread of it.
    Thread(String),
    /// A packet, after the fabric should have delivered it.
    Packet,
    /// An answer of the ledger.
    Answer,
    /// A process of a role.
    Role(String),
    /// A round trip as a client measured it, against what its path takes.
    RoundTrip(String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("the process of the scenario"),
            Self::Thread(name) => write!(f, "its thread {name}"),
            Self::Packet => f.write_str("a packet of the fabric"),
            Self::Answer => f.write_str("an answer of the ledger"),
            Self::Role(name) => write!(f, "a process of the role {name}"),
            Self::RoundTrip(client) => write!(f, "a round trip as {client} measured it"),
        }
    }
}

/// By how much each part was late, or how long each waited.
pub type Times = BTreeMap<Part, Duration>;

/// Enters a time where it is the longest of its part.
pub fn longest(times: &mut Times, part: Part, time: Duration) {
    let known = times.entry(part).or_default();
    *known = time.max(*known);
}

/// What a scenario bears, and why not more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bears {
    /// Anything that is late by more than this at once may have changed what the network did.
    pub at_once: Duration,
    /// What in the scenario says it.
    pub because: &'static str,
    /// An answer of the ledger may take longer: nobody takes its silence for a fact, but deadlines go on.
    pub answer: Duration,
}

/// How the names of the ledger's threads begin.
const LEDGER: &str = "ledger-";
/// Probes without an answer after which an agent counts a backbone link as silent, times the least that one of them waits.
const LINK_SILENT: Duration = Duration::from_millis(250);

impl Bears {
    /// What a scenario bears: the shortest time after which one of its parts draws a conclusion from silence.
    pub fn of(plan: &Plan, policy: &Policy) -> Self {
        let links = if plan.links.is_empty() { Duration::MAX } else { LINK_SILENT };
        let all = [
            (policy.hold_time / 5, "a tunnel's probe is answered within a fifth of policy.client.hold_time"),
            (policy.probes.timeout, "an endpoint's probe is answered within policy.client.probes.timeout"),
            (links, "a backbone link counts as silent after 5 probes without an answer"),
        ];
        let (at_once, because) = all.into_iter().min().unwrap_or((Duration::MAX, "nothing waits"));
        Self { at_once, because, answer: plan.timeouts.settle / SHARE }
    }

    /// What was late by more than the scenario bears; none if nothing was.
    pub fn exceeded(&self, late: &Times) -> Option<TooSlow> {
        let limit = |part: &Part| match part {
            Part::Answer => self.answer,
            // The network sees nothing of the ledger but its answers.
            Part::Thread(name) if name.starts_with(LEDGER) => self.answer,
            // It is noted only when a choice may rest on it.
            Part::RoundTrip(_) => Duration::ZERO,
            _ => self.at_once,
        };
        let late: Times =
            late.iter().filter(|(part, by)| **by > limit(part)).map(|(part, by)| (part.clone(), *by)).collect();
        (!late.is_empty()).then(|| TooSlow { late, bears: format!("{:?}: {}", self.at_once, self.because) })
    }
}

/// A part that waited for a processor for more than one in this number of parts of a step had too little of it.
const SHARE: u32 = 4;
/// And not less than this, since a short step may meet a single bad moment.
const AT_LEAST: Duration = Duration::from_millis(300);

/// Who waited for a processor during a step of that length for too long to say why it did not hold; none if nobody did.
pub fn starved(step: Duration, waited: &Times) -> Option<TooSlow> {
    let limit = (step / SHARE).max(AT_LEAST);
    let late: Times =
        waited.iter().filter(|(_, time)| **time > limit).map(|(part, time)| (part.clone(), *time)).collect();
    (!late.is_empty())
        .then(|| TooSlow { late, bears: format!("{limit:?} of waiting for a processor in a step of {step:?}") })
}

/// Why a run says nothing about the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooSlow {
    /// What was late, and by how much.
    pub late: Times,
    /// What would have been borne.
    pub bears: String,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "this machine was too slow, so what was seen says nothing about the network")?;
        for (part, by) in &self.late {
            writeln!(f, "  {part} was late by {:.0} ms", by.as_secs_f64() * 1e3)?;
        }
        writeln!(f, "  this scenario bears {}", self.bears)?;
        write!(f, "  what helps: fewer scenarios at a time (--jobs 1), nothing else on the machine, a release build")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn times(all: &[(Part, u64)]) -> Times {
        all.iter().map(|(part, millis)| (part.clone(), ms(*millis))).collect()
    }

    #[test]
    fn what_exceeds_is_named_and_the_rest_is_not() {
        let bears = Bears { at_once: ms(250), because: "of a reason", answer: ms(5000) };
        let fabric = Part::Thread("fabric".to_owned());
        let late = times(&[(Part::Run, 250), (Part::Packet, 251), (Part::Answer, 5000), (fabric, 1200)]);
        let expected = "\
this machine was too slow, so what was seen says nothing about the network
  its thread fabric was late by 1200 ms
  a packet of the fabric was late by 251 ms
  this scenario bears 250ms: of a reason
  what helps: fewer scenarios at a time (--jobs 1), nothing else on the machine, a release build";
        assert_eq!(bears.exceeded(&late).unwrap().to_string(), expected);
        assert_eq!(bears.exceeded(&times(&[(Part::Run, 250), (Part::Answer, 5000)])), None);
        assert!(bears.exceeded(&times(&[(Part::Answer, 5001)])).is_some());
        let bank = |millis| times(&[(Part::Thread("ledger-bank".to_owned()), millis)]);
        assert_eq!(bears.exceeded(&bank(5000)), None);
        assert_eq!(bears.exceeded(&bank(5001)).map(|slow| slow.late), Some(bank(5001)));
    }

    #[test]
    fn a_role_starves_by_its_share_of_the_step() {
        let waited = |millis| times(&[(Part::Role("agent".to_owned()), millis)]);
        assert_eq!(starved(ms(10_000), &waited(2_500)), None);
        assert_eq!(starved(ms(10_000), &waited(2_501)).map(|slow| slow.late), Some(waited(2_501)));
        assert_eq!(starved(ms(100), &waited(300)), None);
        assert!(starved(ms(100), &waited(301)).is_some());
    }

    #[test]
    fn the_longest_of_a_part_is_kept() {
        let mut all = Times::new();
        [5, 7, 6].into_iter().for_each(|millis| longest(&mut all, Part::Packet, ms(millis)));
        assert_eq!(all, times(&[(Part::Packet, 7)]));
    }
}

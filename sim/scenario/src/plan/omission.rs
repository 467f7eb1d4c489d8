//! A plan without one of its steps: what still holds then did not hold because of that step.

use std::{collections::BTreeMap, fmt, str::FromStr};

use super::{Action, Arg, ExitCode, Run, Step};

/// Verbs of `doublezero` that only look.
const LOOKS: [&str; 8] = ["address", "balance", "get", "latency", "list", "routes", "show", "status"];

/// Where a step begins in its file. All rounds of a `for_each` begin at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepPlace {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl fmt::Display for StepPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl FromStr for StepPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text
            .split_once(':')
            .and_then(|(line, column)| Some(Self { line: line.parse().ok()?, column: column.parse().ok()? }));
        place.ok_or_else(|| format!("expected a line and a column such as 12:5, got {text}"))
    }
}

impl Step {
    /// Where it begins.
    pub fn place(&self) -> StepPlace {
        StepPlace { line: self.line, column: self.column }
    }

    /// The lists of steps that happen inside it.
    pub fn inner(&self) -> Vec<&Vec<Step>> {
        match &self.action {
            Action::Ping(ping) => vec![&ping.meanwhile],
            Action::Send(send) => vec![&send.meanwhile],
            Action::UntilRefused { steps, .. } => vec![steps],
            Action::Parallel { branches, .. } => branches.iter().collect(),
            _ => Vec::new(),
        }
    }

    fn inner_mut(&mut self) -> Vec<&mut Vec<Step>> {
        match &mut self.action {
            Action::Ping(ping) => vec![&mut ping.meanwhile],
            Action::Send(send) => vec![&mut send.meanwhile],
            Action::UntilRefused { steps, .. } => vec![steps],
            Action::Parallel { branches, .. } => branches.iter_mut().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it changes something that a later step can see. What only looks is its own evidence, and so is a command
    /// that must be refused; packets are if nobody counts them afterwards.
    fn acts(&self, next: Option<&Step>) -> bool {
        let counted = next.is_some_and(|next| match &next.action {
            // That none pass is seen without them, too.
            Action::Traffic(traffic) => !traffic.packets.holds(&0),
            _ => false,
        });
        match &self.action {
            Action::Run(run) => run.acts(),
            Action::Join { .. } | Action::Leave { .. } | Action::Fault(_) | Action::Heal(_) | Action::Epoch(_) => true,
            Action::Ping(_) => counted,
            Action::Send(send) => counted || (send.received_by.is_empty() && send.not_received_by.is_empty()),
            Action::Expect { .. }
            | Action::Traffic(_)
            | Action::Snapshot { .. }
            | Action::Measure { .. }
            | Action::UntilRefused { .. }
            | Action::Parallel { .. } => false,
        }
    }
}

impl Run {
    fn acts(&self) -> bool {
        let looks = self.argv.iter().any(|arg| matches!(arg, Arg::Text(word) if LOOKS.contains(&word.as_str())));
        matches!(self.exit, ExitCode::Code(0) | ExitCode::Any) && !looks
    }
}

/// The steps that act, also those inside others, with their titles; of several rounds the first one's.
pub fn acting(steps: &[Step]) -> BTreeMap<StepPlace, String> {
    let mut found = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        if step.acts(steps.get(index + 1)) {
            found.entry(step.place()).or_insert_with(|| step.title.clone());
        }
        for (place, title) in step.inner().into_iter().flat_map(|inner| acting(inner)) {
            found.entry(place).or_insert(title);
        }
    }
    found
}

/// Takes away every step that begins there, and returns how many.
pub fn leave_out(steps: &mut Vec<Step>, place: StepPlace) -> usize {
    let before = steps.len();
    steps.retain(|step| step.place() != place);
    let inside = steps.iter_mut().flat_map(Step::inner_mut).map(|inner| leave_out(inner, place)).sum::<usize>();
    before - steps.len() + inside
}

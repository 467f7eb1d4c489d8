//! The page of a run: the tally, and each case with its pictures.

use std::time::Duration;

use maud::{Markup, html};

use super::{failure, network, packets, pools, record, record::Record, shell, timeline};
use crate::run::{
    artifacts,
    protocol::{CaseSummary, Outcome},
};

/// The page of these cases, which took so long together.
pub fn page(records: &[Record], took: Duration) -> String {
    let outcomes = [Outcome::Passed, Outcome::Failed, Outcome::TooSlow, Outcome::CannotRun, Outcome::NotRun];
    let count = |outcome: &Outcome| records.iter().filter(|record| record.summary.outcome == *outcome).count();
    let tally: Vec<String> = outcomes
        .iter()
        .filter(|outcome| count(outcome) > 0)
        .map(|outcome| format!("{} {}", count(outcome), outcome.words()))
        .collect();
    let title = match records {
        [one] => one.summary.case.clone(),
        _ => format!("{} scenarios", records.len()),
    };
    let tally = tally.join(", ");
    let body = html! {
        h1 { (title) }
        p { (tally) span.faint { " in " (format!("{:.1} s", took.as_secs_f64())) } }
        @for record in ordered(records) { (case(record, records.len() == 1)) }
    };
    shell::page(&format!("{title}: {tally}"), &body)
}

/// What did not pass comes first.
fn ordered(records: &[Record]) -> Vec<&Record> {
    let mut ordered: Vec<&Record> = records.iter().collect();
    ordered.sort_by_key(|record| record.summary.outcome == Outcome::Passed);
    ordered
}

/// A case that can be opened.
pub(super) fn case(record: &Record, open: bool) -> Markup {
    let summary = &record.summary;
    let CaseSummary { outcome, case, steps, step_count, .. } = summary;
    let held = match outcome {
        Outcome::Passed => format!("{step_count} steps"),
        _ => format!("{} of {step_count} steps", steps.len()),
    };
    html! {
        details.case open[open || *outcome == Outcome::Failed] {
            summary {
                span class=(class(*outcome)) { (outcome.words()) } " " (case) span.faint { " " (held) }
            }
            (facts(record))
            @if let Some(why) = &summary.failure { (failure::part(summary, why)) }
            (measures(summary))
            (network::part(record))
            (timeline::part(record))
            (packets::part(record))
            (pools::part(record))
        }
    }
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::TooSlow | Outcome::CannotRun => "cannot_run",
        Outcome::NotRun => "not_run",
    }
}

fn facts(record: &Record) -> Markup {
    let summary = &record.summary;
    let files = [
        artifacts::SUMMARY,
        artifacts::EVENTS,
        artifacts::CAPTURE,
        artifacts::CHAIN,
        artifacts::LOGS,
        artifacts::CAPSULE,
    ];
    let there = |name: &&&str| summary.artifacts.join(name).exists();
    html! {
        dl.facts {
            dt { "file" } dd { (summary.file.display()) }
            dt { "run" } dd { (summary.world) " world, seed " (summary.seed) ", dzsim " (summary.version)
                @if let Some(used) = &summary.dataplane_used { ", tunnels in " (used) } }
            @if !summary.started.is_empty() { dt { "began" } dd { (summary.started) } }
            @if let Some(folder) = &record.artifacts {
                dt { "artifacts" }
                dd { @for name in files.iter().filter(there) { a href=(record::link(&folder.join(name))) { (name) } " " } }
            }
            dt { "again" } dd { code { (summary.again()) } }
        }
    }
}

fn measures(summary: &CaseSummary) -> Markup {
    if summary.measures.is_empty() {
        return html! {};
    }
    let rows = summary.measures.iter().map(|(name, measure)| vec![name.clone(), measure.show()]);
    html! { section { h3 { "Measures" } div.scroll { (shell::table(&["measure", "value"], rows)) } } }
}

//! The failure of a case: expected beside actual.

use maud::{Markup, html};

use super::axis::seconds;
use crate::run::protocol::{CaseSummary, Failure};

/// The part of the page.
pub(super) fn part(summary: &CaseSummary, failure: &Failure) -> Markup {
    let place = match failure.step {
        Some(step) => format!("Step {step} of {}: {}", summary.step_count, failure.title),
        None => failure.title.clone(),
    };
    html! {
        section.wrong {
            h3 { (place) }
            @if failure.line > 0 {
                p.faint { code { (summary.file.display()) ":" (failure.line) } }
                pre { (failure.source) }
            }
            @for line in failure.message.lines() { p { (line) } }
            @if failure.expected.is_some() || failure.actual.is_some() {
                div.beside {
                    div { h4.passed { "expected" } pre { (failure.expected.as_deref().unwrap_or_default()) } }
                    div { h4.failed { "actual" } pre { (failure.actual.as_deref().unwrap_or_default()) } }
                }
            }
            @for difference in &failure.differences {
                h4 { (difference.of) }
                pre {
                    @for line in difference.lines.lines() { span class=(side(line)) { (line) "\n" } }
                }
            }
            @if !failure.oracle.is_empty() {
                h4 { "The oracle" }
                ul { @for line in &failure.oracle { li { (line) } } }
            }
            @if !failure.logs.is_empty() {
                details open {
                    summary { "Log" }
                    div.scroll { table.log { tbody {
                        @for line in &failure.logs {
                            tr { td.faint { (seconds(line.t_ns)) } td { (line.who) } td { (line.level) } td { (line.message) } }
                        }
                    } } }
                    @if let Some(rest) = failure.logs_left_out.told() { p.faint { (rest) } }
                }
            }
            @if !summary.stderr.trim().is_empty() {
                h4 { "Standard error of the run" }
                pre { (summary.stderr.trim_end()) }
            }
        }
    }
}

/// The side that a line of a difference is of.
fn side(line: &str) -> &'static str {
    match line.chars().next() {
        Some('-') => "less",
        Some('+') => "more",
        _ => "both",
    }
}

//! The timeline: steps, faults and tunnels as spans, and a lane for each process of the stack.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use maud::{Markup, html};

use super::{
    axis::{Axis, lane, left, seconds},
    record::{Event, Record, Span},
    shell,
};

/// Lanes of processes that are drawn.
const LANES: usize = 40;
/// Lanes of tunnels that are drawn.
const TUNNELS: usize = 24;
/// Places on a lane: what falls on one is one mark.
const PLACES: f64 = 240.0;
/// Lines of one mark.
const TOLD: usize = 6;
/// Rows of the table.
const ROWS: usize = 500;

/// The part of the page.
pub(super) fn part(record: &Record) -> Markup {
    if record.events.is_empty() {
        return html! {};
    }
    let axis = Axis::new(record.end_ns);
    let (steps, faults) = (record.steps(), record.faults());
    let (roles, left_out) = roles(record);
    let picture = html! {
        div.lanes {
            (axis.scale())
            (lane("steps", &spans(&steps, axis)))
            @if !faults.is_empty() { (lane("faults", &spans(&faults, axis))) }
            @for life in record.lives.iter().take(TUNNELS) {
                @let title = format!("{} to {} {}, {}, {}", life.client, life.device, life.pair.1, life.kind, life.status);
                @let span = Span { from_ns: life.from_ns, to_ns: life.to_ns, title, class: life.class() };
                (lane(&format!("{} tunnel", life.client), &spans(&[span], axis)))
            }
            @for (who, events) in &roles { (lane(who, &marks(events, axis))) }
            (axis.scale())
        }
        ul.key {
            li { i style="background:var(--faint)" {} "event or decision" }
            li { i style="background:var(--neither)" {} "warning" }
            li { i style="background:var(--bad)" {} "error, step that failed" }
        }
        @if left_out > 0 { p.faint { (left_out) " more processes are in events.jsonl only" } }
    };
    let (rows, left_out) = rows(record);
    let table = html! {
        (shell::table(&["time", "who", "level", "what"], rows))
        @if left_out > 0 { p.faint { (left_out) " more lines are in events.jsonl" } }
    };
    shell::picture("Timeline", &picture, &table)
}

fn spans(spans: &[Span], axis: Axis) -> Markup {
    html! {
        @for Span { from_ns, to_ns, title, class } in spans {
            @let (from, to) = (axis.percent(*from_ns), axis.percent(*to_ns));
            @let told = format!("{title}\n{} to {}", seconds(*from_ns), seconds(*to_ns));
            span.span.(class) title=(told) style=(format!("{};width:{:.3}%", left(from), to - from)) { (title) }
        }
    }
}

/// The events of each process. Of many processes, those that a failure is about, and then the busiest; and how many are left out.
fn roles(record: &Record) -> (Vec<(&str, Vec<&Event>)>, usize) {
    let mut roles: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in record.events.iter().filter(|event| event.who != "scenario" && event.who != "chain") {
        roles.entry(&event.who).or_default().push(event);
    }
    let named: BTreeSet<&str> = record
        .summary
        .failure
        .iter()
        .flat_map(|failure| {
            failure.title.split(|letter: char| !letter.is_alphanumeric() && letter != '-' && letter != '_')
        })
        .collect();
    let about = |who: &str| named.contains(who.split('.').next().unwrap_or_default());
    let mut order: Vec<(&str, Vec<&Event>)> = roles.into_iter().collect();
    order.sort_by_key(|(who, events)| (!about(who), Reverse(events.len())));
    let left_out = order.len().saturating_sub(LANES);
    order.truncate(LANES);
    // What belongs to no node stands first.
    order.sort_by_key(|(who, _)| (!who.starts_with("core."), *who));
    (order, left_out)
}

/// A mark for each place that has events: as bad as the worst of them.
fn marks(events: &[&Event], axis: Axis) -> Markup {
    let mut places: BTreeMap<u32, Vec<&Event>> = BTreeMap::new();
    for event in events {
        places.entry((axis.percent(event.t_ns) / 100.0 * PLACES) as u32).or_default().push(event);
    }
    html! {
        @for (place, events) in &places {
            span.mark.(class(events)) title=(told(events)) style=(left(f64::from(*place) / PLACES * 100.0)) {}
        }
    }
}

fn class(events: &[&Event]) -> &'static str {
    let has = |level: &str| events.iter().any(|event| event.level == level);
    match (has("ERROR"), has("WARN")) {
        (true, _) => "error",
        (_, true) => "warn",
        _ => "plain",
    }
}

fn told(events: &[&Event]) -> String {
    let line = |event: &&Event| format!("{} {}", seconds(event.t_ns), shortened(&event.line(), 160));
    let mut lines: Vec<String> = events.iter().take(TOLD).map(line).collect();
    if events.len() > TOLD {
        lines.push(format!("and {} more", events.len() - TOLD));
    }
    lines.join("\n")
}

fn shortened(line: &str, most: usize) -> String {
    match line.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

/// Rows of the table in the order of time. If there are too many, steps, faults, warnings and errors go before the rest.
fn rows(record: &Record) -> (Vec<Vec<String>>, usize) {
    let weight = |event: &Event| match (event.who.as_str(), event.level.as_str()) {
        ("scenario", _) => 0,
        (_, "ERROR" | "WARN") => 1,
        ("chain", _) if event.name == "user" => 2,
        (_, "INFO") => 3,
        _ => 4,
    };
    // Pools have a table of their own.
    let mut chosen: Vec<&Event> = record.events.iter().filter(|event| event.name != "pools").collect();
    let left_out = chosen.len().saturating_sub(ROWS);
    chosen.sort_by_key(|event| weight(event));
    chosen.truncate(ROWS);
    chosen.sort_by_key(|event| event.t_ns);
    let row = |event: &Event| {
        vec![seconds(event.t_ns), event.who.clone(), event.level.clone(), shortened(&event.line(), 400)]
    };
    (chosen.into_iter().map(row).collect(), left_out)
}

//! Units of each pool in use over time.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::{
    axis::{Axis, lane, seconds},
    record::{Event, Record},
    shell,
};

/// Pools that are drawn; the table has all.
const DRAWN: usize = 30;

/// How much of a pool was used, from a time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) t_ns: u64,
    pub(super) used: u64,
    pub(super) capacity: u64,
}

/// The levels of each pool in the order of time. A pool that goes is at zero from then on.
pub(super) fn levels(events: &[Event]) -> BTreeMap<String, Vec<Level>> {
    let mut pools: BTreeMap<String, Vec<Level>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.who == "chain" && event.name == "pools") {
        let changed = event.fields.get("pools").and_then(Value::as_object);
        for (name, value) in changed.into_iter().flatten() {
            let number = |field: &str| value.get(field).and_then(Value::as_u64);
            let series = pools.entry(name.clone()).or_default();
            let capacity = number("capacity").or(series.last().map(|level| level.capacity)).unwrap_or_default();
            series.push(Level { t_ns: event.t_ns, used: number("used").unwrap_or_default(), capacity });
        }
    }
    pools
}

/// The part of the page: pools that changed after the network was up come first.
pub(super) fn part(record: &Record) -> Markup {
    let pools = levels(&record.events);
    if pools.is_empty() {
        return html! {};
    }
    let axis = Axis::new(record.end_ns);
    let mut drawn: Vec<(&String, &Vec<Level>)> = pools.iter().collect();
    drawn.sort_by_key(|(name, series)| (std::cmp::Reverse(series.len()), (*name).clone()));
    let last = |series: &[Level]| {
        series.last().map(|level| format!("{} of {}", level.used, level.capacity)).unwrap_or_default()
    };
    let picture = html! {
        div.lanes {
            @for (name, series) in drawn.iter().take(DRAWN) {
                (lane(&format!("{name}: {}", last(series)), &html! {
                    svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" { path.area d=(steps(series, axis)) {} }
                }))
            }
            (axis.scale())
        }
        p.faint { "The full height of a lane is the most that was in use."
            @if drawn.len() > DRAWN { " " (drawn.len() - DRAWN) " more pools are in the table." } }
    };
    let rows = drawn.iter().map(|(name, series)| {
        let used = |level: Option<&Level>| level.map(|level| level.used.to_string()).unwrap_or_default();
        let most = series.iter().max_by_key(|level| level.used);
        vec![
            (*name).clone(),
            used(series.first()),
            used(most),
            most.map(|level| seconds(level.t_ns)).unwrap_or_default(),
            used(series.last()),
            series.last().map(|level| level.capacity.to_string()).unwrap_or_default(),
        ]
    });
    let table = shell::table(&["pool", "used first", "most", "at", "used last", "capacity"], rows);
    shell::picture("Pools over time", &picture, &table)
}

/// The levels as an area: each lasts until the next one.
fn steps(series: &[Level], axis: Axis) -> String {
    let most = series.iter().map(|level| level.used).max().unwrap_or_default().max(1);
    let Some(first) = series.first() else { return String::new() };
    let mut path = format!("M{:.3} 1", axis.percent(first.t_ns));
    for (index, level) in series.iter().enumerate() {
        let until = series.get(index + 1).map_or(100.0, |next| axis.percent(next.t_ns));
        path.push_str(&format!("V{:.3}H{until:.3}", 1.0 - level.used as f64 / most as f64 * 0.92));
    }
    path + "V1z"
}

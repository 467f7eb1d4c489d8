//! Packets of each tunnel over time, as its device sees them.

use std::net::Ipv4Addr;

use maud::{Markup, html};

use super::{
    axis::{Axis, lane, seconds},
    record::{Life, Record},
    shell,
    traffic::{Flow, PARTS},
};

/// Tunnels that are drawn; the table has all.
const DRAWN: usize = 40;

/// The part of the page.
pub(super) fn part(record: &Record) -> Markup {
    let flows: Vec<(&(Ipv4Addr, Ipv4Addr), &Flow)> = record.traffic.flows().iter().collect();
    if flows.is_empty() {
        return html! {};
    }
    let axis = Axis::new(record.end_ns);
    let most =
        flows.iter().flat_map(|(_, flow)| flow.to_device.iter().chain(&flow.to_client)).max().copied().unwrap_or(1);
    let name = |pair: &(Ipv4Addr, Ipv4Addr)| {
        let life: Option<&Life> = record.lives.iter().find(|life| life.pair == *pair);
        life.map_or_else(
            || format!("{} to {}", pair.0, pair.1),
            |life| format!("{} to {} {}", life.client, life.device, pair.1),
        )
    };
    let picture = html! {
        ul.key {
            li { i style="background:var(--blue)" {} "to the device" }
            li { i style="background:var(--violet)" {} "to the client" }
            li { "full height: " (most) " packets in " (seconds(record.end_ns / PARTS as u64)) }
        }
        div.lanes {
            @for (pair, flow) in flows.iter().take(DRAWN) {
                (lane(&name(pair), &html! {
                    svg viewBox=(format!("0 0 {PARTS} 2")) preserveAspectRatio="none" aria-hidden="true" {
                        path.area d=(bars(&flow.to_device, most, -1.0)) {}
                        path.area.in d=(bars(&flow.to_client, most, 1.0)) {}
                    }
                }))
            }
            (axis.scale())
        }
        @if flows.len() > DRAWN { p.faint { (flows.len() - DRAWN) " more tunnels are in the table" } }
    };
    let sum = |series: &[u32]| series.iter().map(|count| u64::from(*count)).sum::<u64>().to_string();
    let span = |flow: &Flow| {
        let busy = |part: &usize| flow.to_device[*part] + flow.to_client[*part] > 0;
        let at = |part: usize| seconds(record.end_ns / PARTS as u64 * part as u64);
        let (first, last) = ((0..PARTS).find(busy), (0..PARTS).rev().find(busy));
        (first.map(at).unwrap_or_default(), last.map(|part| at(part + 1)).unwrap_or_default())
    };
    let rows = flows.iter().map(|(pair, flow)| {
        let (first, last) = span(flow);
        vec![name(pair), pair.0.to_string(), sum(&flow.to_device), sum(&flow.to_client), first, last]
    });
    let table = shell::table(&["tunnel", "client address", "to the device", "to the client", "from", "to"], rows);
    shell::picture("Packets per tunnel", &picture, &table)
}

/// Bars from the middle line, up (-1) or down (1).
fn bars(series: &[u32], most: u32, way: f64) -> String {
    let bar = |(part, count): (usize, &u32)| {
        let height = way * f64::from(*count) / f64::from(most.max(1)) * 0.95;
        format!("M{part} 1v{height:.3}h1V1z")
    };
    series.iter().enumerate().filter(|(_, count)| **count > 0).map(bar).collect()
}

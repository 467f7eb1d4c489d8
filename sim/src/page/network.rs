//! The network, drawn.

use maud::{Markup, PreEscaped, html};

use super::{axis::seconds, record::Record, shell};
use crate::answer::map;

/// The part of the page.
pub(super) fn part(record: &Record) -> Markup {
    let network = &record.network;
    if network.metros.is_empty() {
        return html! {};
    }
    let tunnels = record.tunnels();
    let picture = html! {
        div.draw { (PreEscaped(map::svg(network, &tunnels))) }
        ul.key {
            li { i style="background:#2b8cbe" {} "device, unicast tunnel" }
            li { i style="background:#b5771b;border-radius:50%" {} "client" }
            li { i style="background:#9a63c4" {} "multicast tunnel" }
            li { i style="background:#888" {} "backbone link" }
            li { "dashed: it had ended" }
        }
    };
    let devices = network
        .devices
        .iter()
        .map(|(code, device)| vec!["device".to_owned(), code.clone(), format!("in {}", device.metro)]);
    let clients = network
        .clients
        .iter()
        .map(|(name, client)| vec!["client".to_owned(), name.clone(), format!("in {}, {}", client.metro, client.ip)]);
    let metros = network.metros.iter().map(|(code, metro)| {
        vec!["metro".to_owned(), code.clone(), format!("latitude {:.2}, longitude {:.2}", metro.lat, metro.lng)]
    });
    let links = network
        .links
        .iter()
        .map(|(code, link)| vec!["link".to_owned(), code.clone(), format!("{} to {}, {}", link.a, link.z, link.delay)]);
    let lives = record.lives.iter().map(|life| {
        let time = format!("from {} to {}", seconds(life.from_ns), seconds(life.to_ns));
        let what = format!(
            "{} to {} at {}: {}, {time}, at the end {}",
            life.client, life.device, life.pair.1, life.kind, life.status
        );
        vec!["tunnel".to_owned(), life.client.clone(), what]
    });
    let rows = metros.chain(devices).chain(clients).chain(links).chain(lives);
    shell::picture("Network", &picture, &shell::table(&["kind", "name", "where"], rows))
}

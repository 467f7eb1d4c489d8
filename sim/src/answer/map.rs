//! The network as a picture: metros where they are on the globe, with their devices and clients around them, links, and
//! tunnels. Metros that would cover each other are pushed apart; a crowd is shown by its numbers.

use std::{
    collections::BTreeMap,
    f64::consts::{PI, TAU},
    fmt::Write,
};

use super::flowchart;
use crate::run::network::Network;

/// A tunnel to draw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tunnel {
    /// The client's name.
    pub client: String,
    /// The device's code.
    pub device: String,
    /// Unicast or multicast: a word of the style.
    pub kind: String,
    /// Whether it is there at the end.
    pub lives: bool,
}

/// The least size of the picture, in user units.
const SIZE: (f64, f64) = (640.0, 400.0);
/// Nodes beyond which metros are drawn without them.
const CROWD: usize = 80;
/// Room around a metro's nodes, and between metros.
const ROOM: f64 = 26.0;
/// How often metros that cover each other are pushed apart.
const ROUNDS: usize = 400;

/// Colours are readable on light and dark; text has the page's.
const STYLE: &str = ".map text{font:600 12px system-ui,sans-serif;fill:currentColor;text-anchor:middle}.map \
    .client text{font-weight:400}.map .metro{fill:#8882;stroke:#8886}.map .metro-name{font-size:13px;opacity:.75}.map \
    .device rect{fill:#2b8cbe}.map .client circle{fill:#b5771b}.map .link{stroke:#888;stroke-width:3;fill:none}.map \
    .tunnel{stroke-width:2;fill:none}.map .unicast{stroke:#2b8cbe}.map .multicast{stroke:#9a63c4}.map \
    .ended{stroke-dasharray:4 4;opacity:.6}";

/// A metro as it is drawn.
struct Spot {
    x: f64,
    y: f64,
    /// Of the circle around its nodes.
    radius: f64,
}

/// A picture that stands by itself.
pub fn svg(network: &Network, tunnels: &[Tunnel]) -> String {
    let crowd = network.devices.len() + network.clients.len() > CROWD;
    let (size, spots) = spots(network, crowd);
    let mut nodes: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (code, spot) in &spots {
        let names: Vec<&str> = network.devices_in(code).chain(network.clients_in(code)).collect();
        for (index, name) in names.iter().enumerate() {
            nodes.insert(name, if crowd { (spot.x, spot.y) } else { on_ring(spot, index, names.len()) });
        }
    }
    let mut body = String::new();
    for (code, spot) in &spots {
        metro(&mut body, network, code, spot, crowd);
    }
    for link in network.links.values() {
        if let (Some((x1, y1)), Some((x2, y2))) = (nodes.get(link.a.as_str()), nodes.get(link.z.as_str())) {
            let _ = writeln!(
                body,
                "<path class=\"link\" d=\"M{x1:.0} {y1:.0}L{x2:.0} {y2:.0}\"><title>{} to {}: {}</title></path>",
                escape(&link.a),
                escape(&link.z),
                escape(&link.delay)
            );
        }
    }
    lines(&mut body, tunnels, &nodes);
    if !crowd {
        let names =
            network.devices.keys().map(|name| (name, true)).chain(network.clients.keys().map(|name| (name, false)));
        names.for_each(|(name, device)| node(&mut body, name, device, nodes.get(name.as_str())));
    }
    // What the picture shows, for those who cannot see it.
    let words = escape(&flowchart::mermaid(network));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" class=\"map\" \
         style=\"color-scheme:light dark\">\n<title>The network</title>\n<desc>{words}</desc>\n<style>{STYLE}</style>\n\
         {body}</svg>\n",
        size.0, size.1
    )
}

fn metro(body: &mut String, network: &Network, code: &str, spot: &Spot, crowd: bool) {
    let Spot { x, y, radius } = spot;
    let _ = writeln!(body, "<circle class=\"metro\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"{radius:.0}\"/>");
    let above = y - radius - 6.0;
    let _ = writeln!(body, "<text class=\"metro-name\" x=\"{x:.0}\" y=\"{above:.0}\">{}</text>", escape(code));
    if crowd {
        let counts = [(network.devices_in(code).count(), "devices"), (network.clients_in(code).count(), "clients")];
        for (row, (count, what)) in counts.iter().enumerate() {
            let y = y + 15.0 * row as f64 - 3.0;
            let _ = writeln!(body, "<text x=\"{x:.0}\" y=\"{y:.0}\">{count} {what}</text>");
        }
    }
}

/// Each tunnel as a curve; those of one client and device lie beside each other.
fn lines(body: &mut String, tunnels: &[Tunnel], nodes: &BTreeMap<&str, (f64, f64)>) {
    let mut drawn: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for Tunnel { client, device, kind, lives } in tunnels {
        let (Some((x1, y1)), Some((x2, y2))) = (nodes.get(client.as_str()), nodes.get(device.as_str())) else {
            continue;
        };
        let beside = drawn.entry((client, device)).and_modify(|count| *count += 1).or_default();
        // 1, -1, 2, -2: on both sides of the straight line in turn.
        let side = f64::from((*beside / 2 + 1) as i32 * if beside.is_multiple_of(2) { 1 } else { -1 });
        let bend = 0.09 * side;
        let (cx, cy) = ((x1 + x2) / 2.0 - (y2 - y1) * bend, (y1 + y2) / 2.0 + (x2 - x1) * bend);
        let ended = if *lives { "" } else { " ended" };
        let _ = writeln!(
            body,
            "<path class=\"tunnel {kind}{ended}\" d=\"M{x1:.0} {y1:.0}Q{cx:.0} {cy:.0} {x2:.0} {y2:.0}\"><title>{} to {}: \
             {kind}{}</title></path>",
            escape(client),
            escape(device),
            if *lives { "" } else { ", ended" }
        );
    }
}

fn node(body: &mut String, name: &str, device: bool, place: Option<&(f64, f64)>) {
    let Some((x, y)) = place else { return };
    let below = y + 19.0;
    let (class, mark) = match device {
        true => {
            ("device", format!("<rect x=\"{:.0}\" y=\"{:.0}\" width=\"13\" height=\"13\" rx=\"2\"/>", x - 6.5, y - 6.5))
        }
        false => ("client", format!("<circle cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"6\"/>")),
    };
    let _ =
        writeln!(body, "<g class=\"{class}\">{mark}<text x=\"{x:.0}\" y=\"{below:.0}\">{}</text></g>", escape(name));
}

/// The place of a node among this number of nodes around the middle of a metro.
fn on_ring(spot: &Spot, index: usize, of: usize) -> (f64, f64) {
    let ring = spot.radius - ROOM;
    // From the left, so that two stand beside each other and their names have room.
    let angle = PI + TAU * index as f64 / of.max(1) as f64;
    (spot.x + ring * angle.cos(), spot.y + ring * angle.sin())
}

/// The size of the picture and where metros are in it: as on a map of what lies between them, with room for their nodes.
fn spots(network: &Network, crowd: bool) -> ((f64, f64), BTreeMap<&str, Spot>) {
    let longest = network.devices.keys().chain(network.clients.keys()).map(|name| name.chars().count()).max();
    let apart = (longest.unwrap_or_default() as f64 * 7.5).clamp(44.0, 100.0);
    let radius = |code: &str| match network.devices_in(code).count() + network.clients_in(code).count() {
        _ if crowd => 44.0,
        0 | 1 => ROOM,
        // The chord between neighbours is `apart` long.
        count => ROOM + apart / 2.0 / (PI / count as f64).sin(),
    };
    let radii: BTreeMap<&str, f64> = network.metros.keys().map(|code| (code.as_str(), radius(code))).collect();
    // Circles fill a third of the picture at most.
    let area: f64 = radii.values().map(|radius| (2.0 * radius + ROOM).powi(2)).sum();
    let grown = (3.0 * area / (SIZE.0 * SIZE.1)).sqrt().max(1.0);
    let size = (SIZE.0 * grown, SIZE.1 * grown);
    let scale = |of: fn(&crate::run::network::Metro) -> f64| {
        let values = network.metros.values().map(of);
        let (least, most) =
            values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        move |value: f64| if most > least { (value - least) / (most - least) } else { 0.5 }
    };
    let (east, north) = (scale(|metro| metro.lng), scale(|metro| metro.lat));
    let mut spots: BTreeMap<&str, Spot> = network
        .metros
        .iter()
        .map(|(code, metro)| {
            let radius = radii.get(code.as_str()).copied().unwrap_or(ROOM);
            let (x, y) = (east(metro.lng) * size.0, (1.0 - north(metro.lat)) * size.1);
            (code.as_str(), inside(Spot { x, y, radius }, size))
        })
        .collect();
    for _ in 0..ROUNDS {
        if !push_apart(&mut spots, size) {
            break;
        }
    }
    (size, spots)
}

/// A spot that is wholly in the picture, its name above it and those of its nodes below them, too.
fn inside(spot: Spot, size: (f64, f64)) -> Spot {
    let Spot { x, y, radius } = spot;
    let side = radius + 14.0;
    let x = x.max(side).min((size.0 - side).max(side));
    let y = y.max(radius + 22.0).min((size.1 - radius - 8.0).max(radius + 22.0));
    Spot { x, y, radius }
}

/// Moves each two spots that cover each other apart; false if there were none.
fn push_apart(spots: &mut BTreeMap<&str, Spot>, size: (f64, f64)) -> bool {
    let codes: Vec<String> = spots.keys().map(|code| (*code).to_owned()).collect();
    let mut moved = false;
    for (index, a) in codes.iter().enumerate() {
        for b in &codes[index + 1..] {
            let (Some(one), Some(other)) = (spots.get(a.as_str()), spots.get(b.as_str())) else { continue };
            let (dx, dy) = (other.x - one.x, other.y - one.y);
            let distance = dx.hypot(dy);
            let missing = one.radius + other.radius + ROOM - distance;
            if missing <= 0.5 {
                continue;
            }
            moved = true;
            // Two at one place go to the left and to the right.
            let (ux, uy) = if distance > 0.0 { (dx / distance, dy / distance) } else { (1.0, 0.0) };
            let half = missing / 2.0;
            for (code, way) in [(a, -half), (b, half)] {
                if let Some(spot) = spots.get_mut(code.as_str()) {
                    *spot = inside(Spot { x: spot.x + ux * way, y: spot.y + uy * way, radius: spot.radius }, size);
                }
            }
        }
    }
    moved
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::network::{Client, Device, Link, Metro};

    /// Metros by code, latitude and longitude, each with its number of devices and clients.
    fn network(metros: &[(&str, f64, f64, usize, usize)]) -> Network {
        let mut network = Network::default();
        for (code, lat, lng, devices, clients) in metros {
            network.metros.insert((*code).to_owned(), Metro { lat: *lat, lng: *lng });
            for number in 1..=*devices {
                network.devices.insert(format!("{code}{number}"), Device { metro: (*code).to_owned() });
            }
            for number in 1..=*clients {
                let client = Client { metro: (*code).to_owned(), ip: [192, 0, 2, number as u8].into() };
                network.clients.insert(format!("{code}-val{number}"), client);
            }
        }
        network
    }

    #[test]
    fn metros_stand_as_on_a_map() {
        let network = network(&[("ams", 52.4, 4.9, 1, 0), ("nyc", 40.7, -74.0, 1, 0)]);
        let (_, spots) = spots(&network, false);
        assert!(spots["ams"].x > spots["nyc"].x && spots["ams"].y < spots["nyc"].y, "north is up and east is right");
    }

    #[test]
    fn nothing_covers_anything_or_leaves_the_picture() {
        // Two at one place, one close by, and one on the other side of the earth.
        let places = [
            ("ewr", 40.7, -74.2, 3, 5),
            ("lga", 40.7, -74.2, 2, 2),
            ("pit", 40.4, -80.0, 1, 9),
            ("sin", 1.3, 103.8, 2, 1),
        ];
        let network = network(&places);
        let (size, spots) = spots(&network, false);
        let list: Vec<&Spot> = spots.values().collect();
        for (index, one) in list.iter().enumerate() {
            assert!(one.x - one.radius >= 0.0 && one.x + one.radius <= size.0, "{} {}", one.x, one.radius);
            assert!(one.y - one.radius >= 0.0 && one.y + one.radius <= size.1, "{} {}", one.y, one.radius);
            for other in &list[index + 1..] {
                let distance = (one.x - other.x).hypot(one.y - other.y);
                assert!(distance + 1.0 >= one.radius + other.radius, "{distance} {} {}", one.radius, other.radius);
            }
        }
    }

    #[test]
    fn tunnels_of_one_pair_lie_beside_each_other_and_ended_ones_are_dashed() {
        let network = network(&[("nyc", 40.7, -74.0, 1, 1)]);
        let tunnel = |kind: &str, lives| Tunnel {
            client: "nyc-val1".to_owned(),
            device: "nyc1".to_owned(),
            kind: kind.to_owned(),
            lives,
        };
        let picture = svg(&network, &[tunnel("unicast", true), tunnel("multicast", false)]);
        let curves: Vec<&str> = picture.lines().filter(|line| line.contains("class=\"tunnel")).collect();
        assert!(
            curves[0].contains("\"tunnel unicast\"") && curves[1].contains("\"tunnel multicast ended\""),
            "{curves:?}"
        );
        let path = |line: &str| line.split(" d=").nth(1).unwrap().split('>').next().unwrap().to_owned();
        assert_ne!(path(curves[0]), path(curves[1]));
    }

    #[test]
    fn a_crowd_is_shown_by_its_numbers() {
        let mut network = network(&[("nyc", 40.7, -74.0, 40, 60), ("ams", 52.4, 4.9, 2, 0)]);
        network
            .links
            .insert("x".to_owned(), Link { a: "nyc1".to_owned(), z: "ams1".to_owned(), delay: "40ms".to_owned() });
        let picture = svg(&network, &[]);
        assert!(picture.contains(">40 devices</text>") && picture.contains(">60 clients</text>"), "{picture}");
        assert!(picture.contains("class=\"link\"") && !picture.contains("nyc-val1</text>"), "{picture}");
    }
}

//! The network of a case as a drawing: for Markdown (Mermaid), for Graphviz (DOT), or as a picture (SVG) in which metros
//! stand where they are on the globe.

use std::{collections::BTreeMap, fmt::Write};

use dzsim_scenario::{Plan, plan::Delay};

/// Output formats of `graph`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// A Mermaid flowchart, which GitHub draws in Markdown.
    Mermaid,
    /// Graphviz.
    Dot,
    /// A picture of its own.
    Svg,
}

/// What is drawn, independent of how.
struct Drawing<'a> {
    /// Devices and clients by metro.
    metros: BTreeMap<&'a str, Metro<'a>>,
    /// Links: two devices, and what stands on the line.
    links: Vec<(&'a str, &'a str, String)>,
}

#[derive(Default)]
struct Metro<'a> {
    lat: f64,
    lng: f64,
    devices: Vec<&'a str>,
    clients: Vec<&'a str>,
}

impl<'a> Drawing<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut metros: BTreeMap<&str, Metro<'_>> = plan
            .exchanges
            .iter()
            .map(|(code, exchange)| {
                let place = exchange.location;
                (code.as_str(), Metro { lat: place.lat, lng: place.lng, ..Metro::default() })
            })
            .collect();
        for (code, device) in &plan.devices {
            metros.entry(device.exchange.as_str()).or_default().devices.push(code.as_str());
        }
        for (name, client) in &plan.clients {
            metros.entry(client.exchange.as_str()).or_default().clients.push(name.as_str());
        }
        let delay = |delay: &Delay| match delay {
            Delay::Fixed(delay) => format!("{delay:?}"),
            Delay::ByDistance => "by distance".to_owned(),
        };
        let links = plan.links.values().map(|link| (link.a.as_str(), link.z.as_str(), delay(&link.delay))).collect();
        Self { metros, links }
    }
}

/// Draws the network of a plan.
pub fn draw(plan: &Plan, form: Form) -> String {
    let drawing = Drawing::of(plan);
    match form {
        Form::Mermaid => mermaid(&drawing),
        Form::Dot => dot(&drawing),
        Form::Svg => svg(&drawing),
    }
}

/// Formatting into a string cannot fail.
macro_rules! line {
    ($text:expr, $($arg:tt)*) => {{ let _ = writeln!($text, $($arg)*); }};
}

fn mermaid(drawing: &Drawing<'_>) -> String {
    let mut text = String::from("flowchart LR\n");
    for (code, metro) in &drawing.metros {
        line!(text, "  subgraph metro_{}[\"{code}\"]", word(code));
        for device in &metro.devices {
            line!(text, "    {}[\"{device}\"]", word(device));
        }
        for client in &metro.clients {
            line!(text, "    {}([\"{client}\"])", word(client));
        }
        line!(text, "  end");
    }
    for (a, z, delay) in &drawing.links {
        line!(text, "  {} ---|\"{delay}\"| {}", word(a), word(z));
    }
    text
}

fn dot(drawing: &Drawing<'_>) -> String {
    let mut text = String::from("graph network {\n  node [fontname=\"sans-serif\"];\n");
    for (code, metro) in &drawing.metros {
        line!(text, "  subgraph \"cluster_{code}\" {{\n    label=\"{code}\";");
        for device in &metro.devices {
            line!(text, "    \"{device}\" [shape=box];");
        }
        for client in &metro.clients {
            line!(text, "    \"{client}\" [shape=ellipse];");
        }
        line!(text, "  }}");
    }
    for (a, z, delay) in &drawing.links {
        line!(text, "  \"{a}\" -- \"{z}\" [label=\"{delay}\"];");
    }
    text.push_str("}\n");
    text
}

/// Width and height of a picture, and the room around the metros, in user units.
const SIZE: (f64, f64) = (800.0, 480.0);
const ROOM: f64 = 90.0;
/// Distance between the names under a metro.
const ROW: f64 = 15.0;

fn svg(drawing: &Drawing<'_>) -> String {
    let places: BTreeMap<&str, (f64, f64)> = places(drawing);
    let device_at = |device: &str| {
        let (code, _) = drawing.metros.iter().find(|(_, metro)| metro.devices.contains(&device))?;
        places.get(code).copied()
    };
    let mut body = String::new();
    for (a, z, delay) in &drawing.links {
        let (Some((x1, y1)), Some((x2, y2))) = (device_at(a), device_at(z)) else { continue };
        line!(
            body,
            "<line x1=\"{x1:.0}\" y1=\"{y1:.0}\" x2=\"{x2:.0}\" y2=\"{y2:.0}\"><title>{a} to {z}: {delay}</title></line>"
        );
    }
    for (code, metro) in &drawing.metros {
        let Some((x, y)) = places.get(code) else { continue };
        line!(body, "<circle cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"7\"/>");
        line!(body, "<text x=\"{x:.0}\" y=\"{:.0}\" class=\"metro\">{code}</text>", y - 12.0);
        let names =
            metro.devices.iter().map(|name| (name, "device")).chain(metro.clients.iter().map(|name| (name, "client")));
        for (row, (name, class)) in names.enumerate() {
            line!(body, "<text x=\"{x:.0}\" y=\"{:.0}\" class=\"{class}\">{name}</text>", y + 22.0 + ROW * row as f64);
        }
    }
    let (width, height) = SIZE;
    // What the picture shows, for those who cannot see it.
    let words = mermaid(drawing).replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>The network</title>\n\
         <desc>{words}</desc>\n<style>svg{{color-scheme:light dark}}text{{font:12px system-ui;fill:currentColor;\
         text-anchor:middle}}.metro,.device{{font-weight:bold}}line{{stroke:currentColor}}circle{{fill:#2b8cbe}}</style>\n\
         {body}</svg>\n"
    )
}

/// Where the metros are in the picture: as on a map of what lies between them.
fn places<'a>(drawing: &Drawing<'a>) -> BTreeMap<&'a str, (f64, f64)> {
    let range = |of: fn(&Metro<'_>) -> f64| {
        let values = drawing.metros.values().map(of);
        let (least, most) =
            values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        (least, (most - least).max(f64::MIN_POSITIVE))
    };
    let ((west, wide), (south, high)) = (range(|metro| metro.lng), range(|metro| metro.lat));
    drawing
        .metros
        .iter()
        .map(|(code, metro)| {
            let x = ROOM + (metro.lng - west) / wide * (SIZE.0 - 2.0 * ROOM);
            let y = SIZE.1 - ROOM - (metro.lat - south) / high * (SIZE.1 - 2.0 * ROOM);
            (*code, (x, y))
        })
        .collect()
}

/// A name as Mermaid takes it for an identifier.
fn word(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario_files::Words;

    fn plan() -> Plan {
        let text = "network:\n  devices: { ams1: { exchange: ams }, nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: \
                    nyc } }\n  links: { ams1-nyc1: { delay: 40ms } }\nsteps: []\n";
        let cases = dzsim_scenario::parse(Path::new("topic/case.yaml"), text, &Words).unwrap();
        cases.into_iter().next().unwrap().plan
    }

    #[test]
    fn every_form_has_every_metro_node_and_link() {
        assert_eq!(
            draw(&plan(), Form::Mermaid),
            "flowchart LR\n  subgraph metro_ams[\"ams\"]\n    ams1[\"ams1\"]\n  end\n  subgraph metro_nyc[\"nyc\"]\n    \
             nyc1[\"nyc1\"]\n    val1([\"val1\"])\n  end\n  ams1 ---|\"40ms\"| nyc1\n"
        );
        let dot = draw(&plan(), Form::Dot);
        assert!(dot.contains("  \"ams1\" -- \"nyc1\" [label=\"40ms\"];\n") && dot.ends_with("}\n"), "{dot}");
        let svg = draw(&plan(), Form::Svg);
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains(">nyc1</text>") && svg.contains("ams1 to nyc1: 40ms"), "{svg}");
    }

    #[test]
    fn metros_stand_as_on_a_map() {
        let plan = plan();
        let places = places(&Drawing::of(&plan));
        let ((nyc_x, nyc_y), (ams_x, ams_y)) = (places["nyc"], places["ams"]);
        // Amsterdam is east and north of New York.
        assert!(ams_x > nyc_x && ams_y < nyc_y, "{places:?}");
    }
}

//! The network of a case as a drawing: for Markdown (Mermaid), for Graphviz (DOT), or as a picture (SVG, by [`map`]).

use std::fmt::Write;

use super::{flowchart, map};
use crate::run::network::{Link, Network};

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

/// Draws a network.
pub fn draw(network: &Network, form: Form) -> String {
    match form {
        Form::Mermaid => flowchart::mermaid(network),
        Form::Dot => dot(network),
        Form::Svg => map::svg(network, &[]),
    }
}

/// Formatting into a string cannot fail.
macro_rules! line {
    ($text:expr, $($arg:tt)*) => {{ let _ = writeln!($text, $($arg)*); }};
}

fn dot(network: &Network) -> String {
    let mut text = String::from("graph network {\n  node [fontname=\"sans-serif\"];\n");
    for code in network.metros.keys() {
        line!(text, "  subgraph \"cluster_{code}\" {{\n    label=\"{code}\";");
        for device in network.devices_in(code) {
            line!(text, "    \"{device}\" [shape=box];");
        }
        for client in network.clients_in(code) {
            line!(text, "    \"{client}\" [shape=ellipse];");
        }
        line!(text, "  }}");
    }
    for Link { a, z, delay } in network.links.values() {
        line!(text, "  \"{a}\" -- \"{z}\" [label=\"{delay}\"];");
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario_files::Words;

    fn network() -> Network {
        let text = "network:\n  devices: { ams1: { exchange: ams }, nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: \
                    nyc } }\n  links: { ams1-nyc1: { delay: 40ms } }\nsteps: []\n";
        let cases = dzsim_scenario::parse(Path::new("topic/case.yaml"), text, &Words::default()).unwrap();
        Network::of(&cases.into_iter().next().unwrap().plan)
    }

    #[test]
    fn every_form_has_every_metro_node_and_link() {
        assert_eq!(
            draw(&network(), Form::Mermaid),
            "flowchart LR\n  subgraph metro_ams[\"ams\"]\n    ams1[\"ams1\"]\n  end\n  subgraph metro_nyc[\"nyc\"]\n    \
             nyc1[\"nyc1\"]\n    val1([\"val1\"])\n  end\n  ams1 ---|\"40ms\"| nyc1\n"
        );
        let dot = draw(&network(), Form::Dot);
        assert!(dot.contains("  \"ams1\" -- \"nyc1\" [label=\"40ms\"];\n") && dot.ends_with("}\n"), "{dot}");
        let svg = draw(&network(), Form::Svg);
        for part in [">ams</text>", ">nyc1</text>", ">val1</text>", "ams1 to nyc1: 40ms"] {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
    }
}

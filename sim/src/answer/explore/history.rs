//! A history as a scenario file: the network of another file, and steps.

use dzsim_scenario::Case;

use super::draw::Names;

/// The network that is explored if no file is given: two metros, three devices, three clients, a backbone, two groups.
pub const NETWORK: &str = "\
network:
  devices:
    nyc1: { exchange: nyc }
    nyc2: { exchange: nyc }
    pit1: { exchange: pit }
  clients:
    val1: { exchange: nyc }
    val2: { exchange: pit }
    pub1: { exchange: nyc }
  groups:
    mg01: { publishers: [pub1, val1], subscribers: [val1, val2] }
    mg02: { publishers: [pub1], subscribers: [val2] }
  links: { nyc1-pit1: {}, nyc1-nyc2: {}, nyc2-pit1: {} }
";

/// The part of a scenario's text before its steps.
///
/// # Errors
/// If there is no line `steps:` at its left edge, where every scenario has one.
pub fn head(text: &str) -> Result<&str, String> {
    let from_line =
        text.match_indices("steps:").map(|(at, _)| at).find(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n');
    from_line.map(|at| &text[..at]).ok_or_else(|| "expected a line that begins with `steps:`".to_owned())
}

/// The names in a case's network.
pub fn names(case: &Case) -> Names {
    let plan = &case.plan;
    Names {
        contributors: plan.contributors.keys().map(|code| code.as_str().to_owned()).collect(),
        devices: plan.devices.keys().map(|code| code.as_str().to_owned()).collect(),
        clients: plan.clients.keys().map(|name| name.as_str().to_owned()).collect(),
        groups: plan.groups.keys().map(|code| code.as_str().to_owned()).collect(),
        links: plan.links.keys().map(|code| code.as_str().to_owned()).collect(),
    }
}

/// The text of a scenario with this head and these steps.
pub fn scenario(comment: &str, head: &str, steps: &[String]) -> String {
    let comment: String = comment.lines().map(|line| format!("# {line}\n")).collect();
    // A comment of the file that the head is from would speak of its steps.
    let body = head.lines().skip_while(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let steps: String = match steps.is_empty() {
        true => "steps: []\n".to_owned(),
        false => steps.iter().fold("steps:\n".to_owned(), |text, step| format!("{text}  - {step}\n")),
    };
    format!("{comment}{}\n{steps}", body.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        answer::explore::draw::{Drawer, Weights},
        scenario_files::Words,
    };

    #[test]
    fn the_head_ends_where_the_steps_begin() {
        assert_eq!(head("# a\nnetwork: {}\nsteps:\n  - heal: all\n"), Ok("# a\nnetwork: {}\n"));
        assert_eq!(head("network: { x: 'steps:' }\n"), Err("expected a line that begins with `steps:`".to_owned()));
    }

    #[test]
    fn every_history_is_a_valid_scenario() {
        let parse = |text: &str| dzsim_scenario::parse("explore/some.yaml".as_ref(), text, &Words::default());
        let case = parse(&scenario("", NETWORK, &[])).unwrap().remove(0);
        let names = names(&case);
        for seed in 0..300 {
            let steps = Drawer::new(&names, Weights::default(), seed).history(20);
            let text = scenario("A history.", NETWORK, &steps);
            if let Err(diagnostics) = parse(&text) {
                panic!("seed {seed}: {diagnostics}");
            }
        }
    }
}

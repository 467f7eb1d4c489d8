//! Names in the commands of a file: things that a command makes have names that the network section does not know.

use std::{collections::BTreeSet, net::Ipv4Addr};

use ipnet::Ipv4Net;

use crate::schema::{Branch, Fault, Step};

/// The words of all commands, and of what is written as a list in them.
#[derive(Debug, Default)]
pub(super) struct Mentioned {
    words: BTreeSet<String>,
    networks: Vec<Ipv4Net>,
}

impl Mentioned {
    /// What the commands of these steps mention, and what addresses clients move to.
    pub(super) fn in_steps(steps: &[Step]) -> Self {
        let mut mentioned = Self::default();
        mentioned.steps(steps);
        mentioned.networks = mentioned.words.iter().filter_map(|word| word.parse().ok()).collect();
        mentioned
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Run(step) => {
                    let words = step.run.split(|c: char| c.is_whitespace() || "=,:'\"".contains(c));
                    self.words.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
                }
                Step::Fault(step) => {
                    if let Fault::Client(fault) = &step.fault {
                        self.words.insert(fault.public_ip.0.to_string());
                    }
                }
                Step::Ping(step) => self.steps(&step.meanwhile),
                Step::Send(step) => self.steps(&step.meanwhile),
                Step::Parallel(step) => step.parallel.iter().for_each(|Branch(steps)| self.steps(steps)),
                _ => {}
            }
        }
    }

    /// Whether a command has this word.
    pub(super) fn has(&self, word: &str) -> bool {
        self.words.contains(word)
    }

    /// Whether a command has this address, or a network that it is in.
    pub(super) fn has_address(&self, address: Ipv4Addr) -> bool {
        self.has(&address.to_string()) || self.networks.iter().any(|network| network.contains(&address))
    }
}

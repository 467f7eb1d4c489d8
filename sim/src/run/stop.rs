//! A run that stops before a step, for somebody to look around: in the real world in a shell, in virtual time with a few
//! words. Both ends speak lines: this one asks by [`Progress`], the other one answers on standard input.

use std::{io::BufRead, time::Duration};

use dzsim_scenario::{
    Plan,
    plan::{ClientName, DeviceCode, Node, Step},
};

use super::{
    keys::Owner,
    protocol::Progress,
    world::{
        World,
        backend::{Call, Output},
    },
};

/// Deadline of a command, in virtual time.
const PATIENCE: Duration = Duration::from_secs(120);

/// What can be said in virtual time.
const WORDS: &str = "\
doublezero ...   a command of this node's user
on NODE          another node
next             run the next step and stop again
go               run to the end
exit             end here";

/// Where a run stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The first step before which it stops, from 1.
    pub before: usize,
    /// The node that commands run at first.
    at: Node,
}

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// With the next step.
    Next,
    /// Not at all.
    End,
}

impl Stop {
    /// Before this step.
    pub fn new(before: usize) -> Self {
        Self { before, at: Node::Operator }
    }

    /// Stops before `step`, which has this number, and does what is said on standard input. Virtual time stands meanwhile: nothing
    /// else runs on this thread.
    pub async fn look(&mut self, world: &World, number: usize, step: &Step, tell: &mut dyn FnMut(Progress)) -> Then {
        if let Some(node) = named(&world.plan, &step.title) {
            self.at = node;
        }
        loop {
            tell(Progress::Asks { before: number, title: step.title.clone(), node: self.at.to_string() });
            let Some(line) = read_line() else { return Then::End };
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let answer = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                [] => continue,
                ["next"] => {
                    self.before = number + 1;
                    return Then::Next;
                }
                ["go"] => {
                    self.before = usize::MAX;
                    return Then::Next;
                }
                ["exit"] => return Then::End,
                ["on", name] => match node(&world.plan, name) {
                    Some(node) => {
                        self.at = node;
                        continue;
                    }
                    None => format!("no node {name}"),
                },
                ["doublezero", ..] => match Owner::at(&self.at, &world.plan) {
                    Ok(owner) => {
                        let call = Call { node: &self.at, owner, program: None, args: &words[1..] };
                        said(world.backend.command(call, PATIENCE).await)
                    }
                    Err(error) => format!("{error:#}"),
                },
                _ => WORDS.to_owned(),
            };
            tell(Progress::Answer { text: answer });
        }
    }
}

/// The next line of standard input; none at its end.
pub fn read_line() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).ok()?;
    (read > 0).then_some(line)
}

fn said(output: anyhow::Result<Output>) -> String {
    match output {
        Ok(Output { code, stdout, stderr }) => {
            let code = if code == 0 { String::new() } else { format!("exit code {code}\n") };
            format!("{stdout}{stderr}{code}").trim_end().to_owned()
        }
        Err(error) => format!("{error:#}"),
    }
}

fn node(plan: &Plan, name: &str) -> Option<Node> {
    let device = |code: &DeviceCode| code.as_str() == name;
    let client = |client: &ClientName| client.as_str() == name;
    let device = plan.devices.keys().find(|code| device(code)).cloned().map(Node::Device);
    let client = plan.clients.keys().find(|name| client(name)).cloned().map(Node::Client);
    device.or(client).or_else(|| (name == Node::Operator.as_str()).then_some(Node::Operator))
}

/// The first node that a step's title names.
pub fn named(plan: &Plan, title: &str) -> Option<Node> {
    title
        .split(|letter: char| !letter.is_alphanumeric() && letter != '-' && letter != '_')
        .find_map(|word| node(plan, word))
}

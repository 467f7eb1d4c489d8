//! Steps: every name known, every expectation readable.

use std::time::Duration;

use super::{
    command::{Created, command},
    context::{At, Context},
    fault,
    known::Known,
    reference::{self, Word},
    resolver::Resolver,
    traffic, view,
};
use crate::{
    Lexicon, Plan,
    diagnostic::nearest,
    plan::{
        Action, Arg, Bound, ExitCode, Expectation, Match, Node, Output, Pattern, Policy, Run, Snapshot, Step,
        TextMatch, Traffic, TrafficEnd,
    },
    schema::{self, Any},
};

/// Keys that, alone in a table, say how to compare instead of what to hold.
pub(crate) const OPERATORS: [(&str, &str); 6] = [
    ("contains", "a list that has such an element, or one for each of a list; a text with this text in it"),
    ("count", "a list or table of this length, such as `3` or `\">= 1\"`"),
    ("matches", "a text in which the regular expression matches somewhere"),
    ("any_of", "one of a list"),
    ("not", "anything else, or nothing"),
    ("exists", "`true`: anything but null; `false`: null or not there"),
];

pub(super) fn steps<'t>(
    context: &mut Context<'t, '_, '_>,
    at: At<'t>,
    file: &[schema::Step],
    surroundings: Surroundings<'_>,
) -> Vec<Step> {
    let Surroundings { plan, known, policy, lexicon, deadline } = surroundings;
    let (created, snapshots, flows) = (Created::default(), Vec::new(), Vec::new());
    Resolver { context, plan, known, policy, lexicon, deadline, created, snapshots, flows }.steps(at, file)
}

/// What steps may refer to.
pub(super) struct Surroundings<'p> {
    pub(super) plan: &'p Plan,
    pub(super) known: &'p Known,
    pub(super) policy: &'p Policy,
    pub(super) lexicon: &'p dyn Lexicon,
    /// For steps that say nothing else.
    pub(super) deadline: Duration,
}

impl<'t> Resolver<'_, 't, '_, '_, '_> {
    pub(super) fn steps(&mut self, at: At<'t>, file: &[schema::Step]) -> Vec<Step> {
        file.iter().enumerate().filter_map(|(index, step)| self.step(at.item(index), step)).collect()
    }

    fn step(&mut self, at: At<'t>, step: &schema::Step) -> Option<Step> {
        let (action, name, within) = match step {
            schema::Step::Run(step) => (self.run(at, step)?, &step.name, step.within),
            schema::Step::Expect(step) => (self.expect(at, step)?, &step.name, step.within),
            schema::Step::Ping(step) => (traffic::ping(self, at, step)?, &step.name, step.within),
            schema::Step::Send(step) => (traffic::send(self, at, step)?, &step.name, step.within),
            schema::Step::Join(step) => {
                let client = self.client(at, step.on.as_ref());
                let group = reference::group(self.context, at.key("join"), &step.join, self.plan);
                (Action::Join { client: client?, group: group? }, &step.name, None)
            }
            schema::Step::Leave(step) => {
                let client = self.client(at, step.on.as_ref());
                let group = reference::group(self.context, at.key("leave"), &step.leave, self.plan);
                (Action::Leave { client: client?, group: group? }, &step.name, None)
            }
            schema::Step::ExpectTraffic(step) => (traffic::traffic(self, at, step)?, &step.name, step.within),
            schema::Step::Fault(step) => (fault::fault(self, at.key("fault"), &step.fault)?, &step.name, None),
            schema::Step::Heal(step) => (fault::heal(self, at.key("heal"), &step.heal)?, &step.name, None),
            schema::Step::Epoch(step) => {
                if step.epoch > schema::LAST_EPOCH {
                    let message = format!("expected an epoch up to {}, got {}", schema::LAST_EPOCH, step.epoch);
                    self.context.error(at.key("epoch"), message, "each epoch is twice as long as the one before it");
                }
                (Action::Epoch(step.epoch), &step.name, step.within)
            }
            schema::Step::Snapshot(step) => (self.snapshot(at, step)?, &None, None),
            schema::Step::Measure(step) => (self.measure(at, step)?, &step.name, None),
            schema::Step::UntilRefused(step) => {
                let steps = self.steps(at.key("do"), &step.steps);
                if !steps.iter().any(|step| matches!(step.action, Action::Run(_))) {
                    self.context.error(at, "no command that could be refused: expected at least one `run`", "");
                }
                (Action::UntilRefused { measure: step.until_refused.clone(), steps }, &step.name, step.within)
            }
            schema::Step::Parallel(step) => {
                let at = at.key("parallel");
                let branches = step.parallel.iter().enumerate();
                let branches: Vec<Vec<Step>> =
                    branches.map(|(index, branch)| self.steps(at.item(index), &branch.0)).collect();
                if step.parallel.is_empty() {
                    self.context.error(at, "no steps: expected at least one", "");
                }
                (Action::Parallel { branches, succeed: step.succeed.map(|bound| bound.0) }, &step.name, None)
            }
            // Unrolled before the file was read.
            schema::Step::ForEach(_) => return None,
        };
        let title = name.clone().unwrap_or_else(|| title(&action));
        // What happens inside has its own time, and that is added.
        let most = match &action {
            Action::UntilRefused { steps, .. } => in_order(steps),
            Action::Parallel { branches, .. } => {
                branches.iter().map(|branch| in_order(branch)).max().unwrap_or_default()
            }
            Action::Ping(ping) => self.deadline + ping.interval * u32::from(ping.count) + in_order(&ping.meanwhile),
            Action::Send(send) => self.deadline + send.interval * u32::from(send.count) + in_order(&send.meanwhile),
            _ => self.deadline,
        };
        let deadline = within.map_or(most, |within| within.0);
        if within.is_some() && deadline.is_zero() {
            self.context.error(at.key("within"), "a deadline is longer than 0", "");
        }
        let record = match step {
            schema::Step::Run(step) => step.record.clone(),
            schema::Step::Ping(step) => step.record.clone(),
            _ => None,
        };
        let (idle_allowed, hits) = match step {
            schema::Step::Fault(step) => (step.idle.is_some(), None),
            schema::Step::Heal(step) => (false, step.hits.map(|bound| bound.0)),
            _ => (false, None),
        };
        let (random_within, after_transactions, after_packets) = match step {
            schema::Step::Fault(step) => {
                let within = step.random_within.map_or(Duration::ZERO, |time| time.0);
                (within, step.after_transactions, step.after_packets)
            }
            _ => (Duration::ZERO, 0, 0),
        };
        let deadline = deadline + random_within;
        let record = record.unwrap_or_default();
        let (line, column) = at.place();
        Some(Step {
            line,
            column,
            title,
            deadline,
            record,
            random_within,
            after_transactions,
            after_packets,
            idle_allowed,
            hits,
            action,
        })
    }

    /// The number of a flow, which is new if nothing has its name.
    pub(super) fn flow(&mut self, name: Option<&String>) -> u16 {
        let Some(name) = name else { return 0 };
        let known = self.flows.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.flows.push(name.clone());
            self.flows.len() - 1
        });
        u16::try_from(index + 1).unwrap_or(u16::MAX)
    }

    /// The number of a flow that an earlier step has.
    pub(super) fn known_flow(&mut self, at: At<'t>, name: &str) -> Option<u16> {
        let known = self.flows.iter().position(|known| known == name);
        if known.is_none() {
            let help = nearest(name, self.flows.iter().map(String::as_str));
            self.context.error(at, format!("no earlier `ping` or `send` has the flow `{name}`"), help);
        }
        u16::try_from(known? + 1).ok()
    }

    /// The client a step names, or the only one.
    fn client(&mut self, at: At<'t>, name: Option<&String>) -> Option<crate::plan::ClientName> {
        match name {
            Some(name) => reference::client(self.context, at.key("on"), name, self.plan),
            None => reference::only_client(self.context, at, self.plan),
        }
    }

    fn run(&mut self, at: At<'t>, step: &schema::RunStep) -> Option<Action> {
        let on = match &step.on {
            Some(name) => reference::place(self.context, at.key("on"), name, self.plan),
            None if step.identity.is_some() => Some(Node::Operator),
            None => reference::only_client(self.context, at, self.plan).map(Node::Client),
        };
        let identity = match &step.identity {
            Some(name) => Some(reference::identity(self.context, at.key("as"), name, self.plan)?),
            None => None,
        };
        let exit = match step.exit {
            schema::Exit::Code(code) => ExitCode::Code(code),
            schema::Exit::Failure => ExitCode::Failure,
            schema::Exit::Any => ExitCode::Any,
        };
        let known = (self.plan, self.lexicon);
        let (program, argv) = command(self.context, at.key("run"), &step.run, exit, known, &mut self.created);
        let run = Run {
            identity,
            program,
            argv,
            exit,
            stdout: self.text(at.key("stdout"), &step.stdout),
            stderr: self.text(at.key("stderr"), &step.stderr),
            json: match &step.json {
                Some(json) => Output::Json(self.matching(at.key("json"), json)),
                None => Output::Unread,
            },
            on: on?,
        };
        Some(Action::Run(run))
    }

    fn text(&mut self, at: At<'t>, file: &schema::TextMatch) -> TextMatch {
        let mut matches = Vec::new();
        for (index, expression) in file.matches.iter().enumerate() {
            matches.extend(self.pattern(at.key("matches").item(index), expression));
        }
        TextMatch { contains: file.contains.clone(), lacks: file.lacks.clone(), matches }
    }

    fn pattern(&mut self, at: At<'t>, expression: &str) -> Option<Pattern> {
        Pattern::new(expression)
            .map_err(|error| {
                // The library draws its own snippet; its last line is the reason.
                let error = error.to_string();
                let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.context.error(at, format!("not a regular expression: {why}"), "");
            })
            .ok()
    }

    fn expect(&mut self, at: At<'t>, step: &schema::ExpectStep) -> Option<Action> {
        let views = at.key("expect");
        let mut expectations = Vec::new();
        for (path, expected) in &step.expect {
            let found = view::view_path(self.context, views.label(path), path, self.plan);
            let expected = self.matching(views.key(path), expected);
            if let Some((path_found, shape)) = found {
                view::check(self.context, views.key(path), &expected, shape);
                expectations.push(Expectation { path: path_found, expected });
            }
        }
        if step.expect.is_empty() {
            self.context.error(views, "nothing is expected: name at least one view", "");
        }
        let stays = step.stays.map_or(Duration::ZERO, |stays| stays.0);
        (!expectations.is_empty()).then_some(Action::Expect { expectations, stays })
    }

    fn matching(&mut self, at: At<'t>, any: &Any) -> Match {
        match any {
            Any::Null => Match::Null,
            Any::Bool(value) => Match::Bool(*value),
            Any::Int(value) => Match::Int(*value),
            Any::Float(value) => Match::Float(*value),
            Any::Text(text) => self.word(at, text),
            Any::List(items) => Match::List(self.matchings(at, items)),
            Any::Table(table) => match table.first_key_value() {
                Some((key, value)) if table.len() == 1 && OPERATORS.iter().any(|(operator, _)| operator == key) => {
                    self.operator(at.key(key), key, value)
                }
                _ => Match::Table(
                    table.iter().map(|(key, value)| (key.clone(), self.matching(at.key(key), value))).collect(),
                ),
            },
        }
    }

    fn matchings(&mut self, at: At<'t>, items: &[Any]) -> Vec<Match> {
        items.iter().enumerate().map(|(index, item)| self.matching(at.item(index), item)).collect()
    }

    fn operator(&mut self, at: At<'t>, operator: &str, value: &Any) -> Match {
        match (operator, value) {
            ("contains", Any::List(items)) => Match::Contains(self.matchings(at, items)),
            ("contains", one) => Match::Contains(vec![self.matching(at, one)]),
            ("any_of", Any::List(items)) => Match::AnyOf(self.matchings(at, items)),
            ("not", one) => Match::Not(Box::new(self.matching(at, one))),
            ("exists", Any::Bool(true)) => Match::Exists,
            ("exists", Any::Bool(false)) => Match::Null,
            ("matches", Any::Text(text)) => self.pattern(at, text).map_or(Match::Null, Match::Matches),
            ("count", value) => {
                let text = match value {
                    Any::Int(value) => value.to_string(),
                    Any::Text(text) => text.clone(),
                    _ => String::new(),
                };
                match text.parse::<schema::Bound>() {
                    Ok(bound) => Match::Count(bound.0),
                    Err(_) => {
                        self.context.error(at, "expected a number such as 3 or \">= 1\"", "");
                        Match::Null
                    }
                }
            }
            (operator, _) => {
                let expected = match operator {
                    "any_of" => "a list",
                    "exists" => "true or false",
                    _ => "a regular expression",
                };
                self.context.error(at, format!("`{operator}` takes {expected}"), "");
                Match::Null
            }
        }
    }

    /// A text: a bound, a reference, or itself.
    fn word(&mut self, at: At<'t>, text: &str) -> Match {
        if text.starts_with(['<', '>']) || text.starts_with("!=") || text.starts_with("= ") {
            let (comparison, rest) = schema::comparison(text);
            if let Ok(value) = rest.parse() {
                return Match::Number(Bound { comparison, value });
            }
            return match rest.parse::<schema::Duration>() {
                Ok(value) => Match::Duration(Bound { comparison, value: value.0 }),
                Err(why) => {
                    let message = format!("expected a number or a duration behind the sign, got `{rest}`: {why}");
                    self.context.error(at, message, "");
                    Match::Null
                }
            };
        }
        match reference::word(text, self.plan) {
            Ok(Some(Word::Address(address))) => Match::Text(address.to_string()),
            Ok(Some(Word::Ref(found))) => Match::Ref(found),
            Ok(None) => Match::Text(text.to_owned()),
            Err(stray) => {
                reference::stray(self.context, at, &stray, self.plan);
                Match::Null
            }
        }
    }

    fn measure(&mut self, at: At<'t>, step: &schema::MeasureStep) -> Option<Action> {
        let names = at.key("measure");
        if step.measure.is_empty() {
            self.context.error(names, "nothing is measured: name at least one value", "");
        }
        let found = step.measure.iter().filter_map(|(name, path)| {
            Some((name.clone(), view::view_path(self.context, names.key(name), path, self.plan)?.0))
        });
        let measures: std::collections::BTreeMap<_, _> = found.collect();
        (!measures.is_empty()).then_some(Action::Measure { measures })
    }

    fn snapshot(&mut self, at: At<'t>, step: &schema::SnapshotStep) -> Option<Action> {
        let views = step.snapshot.0.iter().map(|view| match view {
            schema::Snapshot::Chain => Snapshot::Chain,
            schema::Snapshot::Config => Snapshot::Config,
            schema::Snapshot::Status => Snapshot::Status,
            schema::Snapshot::Kernel => Snapshot::Kernel,
            schema::Snapshot::Output => Snapshot::Output,
        });
        let name = step.name.clone().unwrap_or_else(|| (self.snapshots.len() + 1).to_string());
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') || name.is_empty() {
            self.context.error(at.key("name"), "a snapshot's name is made of letters, digits, `-` and `_`", "");
        }
        if self.snapshots.contains(&name) {
            self.context.error(at.key("name"), format!("two snapshots are called `{name}`"), "");
        }
        self.snapshots.push(name.clone());
        if step.snapshot.0.is_empty() {
            self.context.error(at.key("snapshot"), "no views: expected at least one", "");
            return None;
        }
        Some(Action::Snapshot { views: views.collect(), name })
    }
}

/// The time that steps may take one after the other.
fn in_order(steps: &[Step]) -> Duration {
    steps.iter().map(|step| step.deadline).sum()
}

/// What a step is called that has no name.
fn title(action: &Action) -> String {
    match action {
        Action::Run(run) => {
            let words = run.argv.iter().map(|arg| match arg {
                Arg::Text(text) if text.is_empty() || text.contains(char::is_whitespace) => format!("'{text}'"),
                Arg::Text(text) => text.clone(),
                Arg::Ref(found) => found.to_string(),
            });
            let who = run.identity.as_ref().map_or_else(|| run.on.to_string(), |who| format!("{} as {who}", run.on));
            format!("{who}: {}", words.collect::<Vec<_>>().join(" "))
        }
        Action::Expect { expectations, .. } => {
            let paths: Vec<&str> = expectations.iter().map(|expectation| expectation.path.text.as_str()).collect();
            format!("expect {}", paths.join(", "))
        }
        Action::Ping(ping) => format!("ping {} to {}{}", ping.from, ping.to, ping.via),
        Action::Send(send) => format!("send {} to {}{}", send.from, send.to, send.via),
        Action::Join { client, group } => format!("{client} joins {group}"),
        Action::Leave { client, group } => format!("{client} leaves {group}"),
        Action::Traffic(traffic) => format!("expect traffic {} packets{}", traffic.packets, course(traffic)),
        Action::Fault(fault) => format!("fault {fault}"),
        Action::Heal(healing) => format!("heal {healing}"),
        Action::Epoch(epoch) => format!("epoch {epoch}"),
        Action::Snapshot { views, .. } => {
            format!("snapshot {}", views.iter().map(Snapshot::to_string).collect::<Vec<_>>().join(", "))
        }
        Action::UntilRefused { measure, .. } => format!("until refused: {measure}"),
        Action::Measure { measures } => {
            format!("measure {}", measures.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        Action::Parallel { branches, .. } => format!("{} at the same time", branches.len()),
    }
}

/// Which way packets go, as far as a step says it.
fn course(traffic: &Traffic) -> String {
    let mut course = match (&traffic.from, &traffic.to) {
        (TrafficEnd::Any, TrafficEnd::Any) => String::new(),
        (from, TrafficEnd::Any) => format!(" from {from}"),
        (TrafficEnd::Any, to) => format!(" to {to}"),
        (from, to) => format!(" {from} to {to}"),
    };
    if let Some(link) = &traffic.link {
        course.push_str(&format!(" over {link}"));
    }
    course
}

//! Resolution of the file's types into the plan: defaults taken, names looked up, addresses given out and checked.

mod addresses;
mod client;
mod command;
mod context;
mod device;
mod fault;
mod known;
mod link;
mod mentioned;
mod names;
mod network;
mod policy;
mod reference;
mod resolver;
mod step;
mod timeouts;
mod traffic;
mod translator;
mod view;

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use crate::{
    Change, Diagnostics, Lexicon, Plan,
    diagnostic::Sink,
    expand::{Expanded, expand},
    misfits::{Read, read},
    plan::{Action, Fault, OnlyIn, Policy, Program, Run, Step, World},
    schema,
    yaml::{Node, Place},
};

use context::{At, Context};
use mentioned::Mentioned;

pub(crate) use reference::FORMS;
pub(crate) use step::OPERATORS;

/// One case of a scenario file. A file without `matrix` has one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Case {
    /// Unique among the cases of a folder: the file's last folder and stem, and the values of the matrix, such as
    /// `selection/fallback[tolerance=5ms]`.
    pub name: String,
    /// The values of the matrix's variables, as the name shows them.
    pub variables: BTreeMap<String, String>,
    /// Seed of everything random; `None` leaves it to the run.
    pub seed: Option<u64>,
    /// The only world that can show what it is about; none if both can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_in: Option<OnlyIn>,
    /// What exists and what happens.
    pub plan: Plan,
    /// What was chosen about the components.
    pub policy: Policy,
}

/// Reads the scenario file at `path` with this text.
///
/// `path` only names the file in messages and the cases. `lexicon` is what the file may use without saying it.
///
/// # Errors
/// Everything that is wrong with the file, not just the first thing.
pub fn parse(path: &Path, text: &str, lexicon: &dyn Lexicon) -> Result<Vec<Case>, Diagnostics> {
    parse_changed(path, text, &[], lexicon)
}

/// The same with changes made to what the file says, in order.
///
/// # Errors
/// Everything that is wrong with the file or with what the changes make of it. What is wrong with a changed value is shown at the
/// nearest place of the file.
pub fn parse_changed(
    path: &Path,
    text: &str,
    changes: &[Change],
    lexicon: &dyn Lexicon,
) -> Result<Vec<Case>, Diagnostics> {
    let mut sink = Sink::new(path.to_owned(), text);
    let mut cases = Vec::new();
    match Node::parse(text) {
        Ok((mut root, duplicates)) => {
            changes.iter().for_each(|change| change.apply(&mut root));
            for duplicate in duplicates {
                sink.report(duplicate.place, &duplicate.path, "", duplicate.message, String::new());
            }
            for expanded in expand(&root, &mut sink) {
                cases.extend(case(path, &expanded, lexicon, &mut sink));
            }
        }
        Err(malformed) => sink.report(malformed.place, &malformed.path, "", malformed.message, String::new()),
    }
    sink.finish()?;
    Ok(cases)
}

/// What a suite asks of a file beyond being valid: its first comment says which property it proves and why that matters.
///
/// # Errors
/// The file does not begin with a comment.
pub fn review(path: &Path, text: &str) -> Result<(), Diagnostics> {
    let mut sink = Sink::new(path.to_owned(), text);
    if !text.starts_with("# ") {
        let place = Place { line: 1, column: 1, len: 1 };
        let help = "such as `# A second tunnel ends on the device's second address.`".to_owned();
        sink.report(place, "", "", "the file does not begin with a comment that says what it proves".to_owned(), help);
    }
    sink.finish()
}

fn case(path: &Path, expanded: &Expanded, lexicon: &dyn Lexicon, sink: &mut Sink<'_>) -> Option<Case> {
    let Read { file, tree, holed } = read(&expanded.root, sink)?;
    let mentioned = Mentioned::in_steps(&file.steps);
    let mut context = Context::new(&expanded.root, &tree, &holed, &mentioned, sink);
    let top = context.top();
    let only_in = file.only_in.as_ref().map(|only| only_in(&mut context, top.key("only_in"), only));
    let policy = policy::policy(&mut context, top.key("policy"), &file.policy);
    let timeouts = timeouts::timeouts(&mut context, top.key("timeouts"), &file.timeouts);
    let (mut plan, known) = network::network(&mut context, top.key("network"), &file.network, &policy, lexicon);
    plan.timeouts = timeouts.deadlines;
    let surroundings =
        step::Surroundings { plan: &plan, known: &known, policy: &policy, lexicon, deadline: timeouts.step };
    plan.steps = step::steps(&mut context, top.key("steps"), &file.steps, surroundings);
    let own = needs_world(&plan.steps);
    if let (Some(said), Some(own)) = (&only_in, &own)
        && said.world != own.world
    {
        let message = format!("only the {} world can run this: {}", own.world, own.because);
        context.error(top.key("only_in").key("world"), message, "");
    }
    let only_in = only_in.or(own);
    let variables = expanded.variables.clone();
    Some(Case { name: name(path, &expanded.label), variables, seed: file.seed, only_in, plan, policy })
}

fn only_in<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, file: &schema::OnlyIn) -> OnlyIn {
    if file.because.trim().is_empty() {
        context.error(at.key("because"), "expected what the other world cannot show", "");
    }
    let world = match file.world {
        schema::World::Real => World::Real,
        schema::World::Virtual => World::Virtual,
    };
    OnlyIn { world, because: file.because.clone() }
}

/// Steps that run a program of the file's author need processes, which only the real world has; a clock that can be set is
/// there in the virtual world only.
fn needs_world(steps: &[Step]) -> Option<OnlyIn> {
    steps.iter().find_map(|step| match &step.action {
        Action::Run(Run { program: Program::Own(program), .. }) => Some(OnlyIn {
            world: World::Real,
            because: format!("it runs {program}, and the virtual world has no processes"),
        }),
        Action::Fault(Fault::Clock { client, .. }) => Some(OnlyIn {
            world: World::Virtual,
            because: format!("it sets the clock of {client}, and all processes of the real world have the machine's"),
        }),
        _ => step.inner().into_iter().find_map(|inner| needs_world(inner)),
    })
}

fn name(path: &Path, label: &str) -> String {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = part(path.file_stem()).unwrap_or_default();
    let name = match part(path.parent().and_then(Path::file_name)) {
        Some(folder) => format!("{folder}/{stem}"),
        None => stem,
    };
    if label.is_empty() { name } else { format!("{name}[{label}]") }
}

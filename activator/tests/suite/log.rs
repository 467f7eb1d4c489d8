//! The log: one line for each decision, whatever became of it, with its reason.

use std::{cell::RefCell, collections::BTreeMap, fmt, sync::Arc};

use dz_activator::{
    plan,
    reconciler::{Pace, Pass, Reconciler},
};
use dz_policy::ActivatorPolicy;
use dz_sdk::program::error::ServiceabilityError;
use tokio::sync::watch;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    histories::block_on,
    operator::genesis,
    scripted::{Script, Scripted},
};

/// The fields of a line; its text is the field `message`.
type Line = BTreeMap<&'static str, String>;

thread_local! {
    /// What this thread has logged since it wanted to know.
    static LINES: RefCell<Option<Vec<Line>>> = const { RefCell::new(None) };
}

/// Keeps what is logged. It is one for the whole process, since `tracing` asks only the subscriber of the thread that
/// comes by a line first whether anybody wants it, and holds that for all threads.
struct Lines;

struct Fields(Line);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dz_activator")
    }

    fn event(&self, event: &Event<'_>) {
        LINES.with_borrow_mut(|lines| {
            let Some(lines) = lines else { return };
            let mut fields = Fields(Line::new());
            event.record(&mut fields);
            lines.push(fields.0);
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The lines about decisions of this many passes from one view: decision, subject, values, reason, and what came of it.
fn decisions(script: Script, passes: usize) -> Vec<[String; 5]> {
    let ledger = genesis();
    let view = ledger.bank().view().unwrap();
    let way = Scripted::new(&ledger, script, 0);
    let (policy, pace) = (ActivatorPolicy::default(), Pace::default());
    let mut activator = Reconciler::new(way, policy, pace, Arc::default(), Arc::default(), 7);
    let (_stop, stop) = watch::channel(false);
    // Whichever test is first; a line that another thread comes by at this moment is asked for again.
    let _ = tracing::subscriber::set_global_default(Lines);
    tracing::callsite::rebuild_interest_cache();
    LINES.set(Some(Vec::new()));
    for _ in 0..passes {
        let pass = block_on(activator.pass(&view, &stop));
        assert!(matches!(pass, Pass::Landed { .. } | Pass::Stale | Pass::Quiet), "{pass:?}");
    }
    let lines = LINES.take().unwrap();
    let of = |line: &Line| {
        let field = |name| line.get(name).cloned().unwrap_or_default();
        let came = format!("{} {}", field("outcome"), field("refusal"));
        [field("decision"), field("subject"), field("values"), field("reason"), came.trim().to_owned()]
    };
    lines.iter().filter(|line| line.contains_key("decision")).map(of).collect()
}

/// What the same view is planned to need.
fn planned(came: &str, first_of_each: bool) -> Vec<[String; 5]> {
    let view = genesis().bank().view().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let actions = plan(&view, &ActivatorPolicy::default()).actions.into_iter();
    let actions = actions.filter(|action| seen.insert(action.subject.key) || !first_of_each);
    let line = |action: dz_activator::plan::Action| {
        assert!(!action.reason.is_empty(), "{action:?}");
        let (decision, values) = (action.decision.name().to_owned(), action.decision.to_string());
        [decision, action.subject.to_string(), values, action.reason, came.to_owned()]
    };
    actions.map(line).collect()
}

#[test]
fn what_landed_is_said_once_with_its_reason() {
    assert_eq!(decisions(Script::default(), 1), planned("landed", false));
}

#[test]
fn what_was_refused_says_why_it_was_wanted_and_why_not() {
    let refuses = Some(ServiceabilityError::NotActivator);
    let lines = decisions(Script { refuses, ..Script::default() }, 2);
    let refusal = ServiceabilityError::NotActivator;
    let twice = [planned(&format!("conflict {refusal}"), true), planned(&format!("given-up {refusal}"), true)];
    assert_eq!(lines, twice.concat());
}

//! Deadlines with their defaults.

use std::time::Duration;

use super::context::{At, Context};
use crate::{plan::Timeouts, schema};

pub(super) struct AllTimeouts {
    pub(super) deadlines: Timeouts,
    /// For steps that say nothing else.
    pub(super) step: Duration,
}

pub(super) fn timeouts<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, file: &schema::Timeouts) -> AllTimeouts {
    let mut time = |key: &str, value: Option<schema::Duration>, seconds| {
        if value.is_some_and(|value| value.0.is_zero()) {
            context.error(at.key(key), "a deadline is longer than 0", "");
        }
        value.map_or(Duration::from_secs(seconds), |value| value.0)
    };
    AllTimeouts {
        deadlines: Timeouts {
            bring_up: time("bring_up", file.bring_up, 30),
            settle: time("settle", file.settle, 15),
            scenario: time("scenario", file.scenario, 120),
        },
        step: time("step", file.step, 15),
    }
}

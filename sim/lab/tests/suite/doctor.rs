//! The doctor is right about the machine it runs on.

use dzsim_lab::doctor::{self, State};

use crate::support::{alone, netns_of, processes};

#[test]
fn a_machine_that_runs_these_tests_lacks_nothing() {
    let report = doctor::check();
    assert!(report.missing_required().is_empty(), "{report}");
    // Whatever this kernel has, it was tried.
    assert!(report.capabilities.iter().all(|c| !matches!(c.state, State::Unknown { .. })), "{report}");
}

#[test]
fn the_caller_stays_what_it_was() {
    alone(|| {
        let me = std::process::id() as i32;
        let state = || (netns_of(me), std::fs::read_to_string("/proc/self/mounts").unwrap(), processes());
        let before = state();
        doctor::check();
        assert_eq!(state(), before);
    });
}

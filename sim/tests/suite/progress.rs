//! Commands that run many scenarios say in a log how far they are, on standard error.

use crate::support::{Place, QUIET};

#[test]
fn exploring() {
    let ended = Place::new().run(&["explore", "--histories", "1", "--length", "1"]).code(0);
    assert_eq!(ended.out, "1 histories of 1 steps: no failure\n");
    assert!(ended.err.starts_with("1 of 1 histories passed in "), "{}", ended.err);
}

#[test]
fn a_sweep_counts_its_runs_with_every_seed() {
    let place = Place::new();
    place.file("quiet.yaml", QUIET);
    let ended = place.run(&["sweep", "quiet.yaml", "--seeds", "3"]).code(0);
    let last = ended.err.lines().last().unwrap_or_default();
    assert!(last.starts_with("3 of 3 runs done in "), "{}", ended.err);
}

#[test]
fn evidence_counts_the_variants_it_runs() {
    let place = Place::new();
    place.file("quiet.yaml", QUIET);
    let ended = place.run(&["evidence", "quiet.yaml"]);
    let last = ended.err.lines().last().unwrap_or_default();
    assert!(last.starts_with("1 of 1 variants run in "), "{}", ended.err);
}

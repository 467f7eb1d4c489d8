//! Every scenario of the repository is right, and the design's example reads as it stands there.

use std::path::PathBuf;

use dzsim_scenario::{parse, review};
use rstest::rstest;

use crate::{Every, read};

#[rstest]
fn every_scenario_of_the_repository_is_right(#[files("../../scenarios/**/*.yaml")] file: PathBuf) {
    let text = std::fs::read_to_string(&file).unwrap();
    if let Err(diagnostics) = parse(&file, &text, &Every) {
        panic!("{diagnostics}");
    }
    if let Err(diagnostics) = review(&file, &text) {
        panic!("{diagnostics}");
    }
}

#[test]
fn the_example_of_the_design_reads_as_it_stands_there() {
    let text = r#"
# A client's second tunnel terminates on the device's second address.
network:
  exchanges: { nyc: {}, pit: {} }             # known metros carry their coordinates
  devices:
    nyc1: { exchange: nyc, prefix: 45.33.100.0/29 }
    pit1: { exchange: pit }
  clients:
    val1: { exchange: nyc }
  groups: { mg01: { subscribers: [val1] } }
steps:
  - run: doublezero connect ibrl
    on: val1
  - run: doublezero connect multicast --subscribe mg01
    on: val1
  - expect:
      val1.tunnels:
        - { name: doublezero0, type: ibrl,      endpoint: nyc1.endpoints.0 }
        - { name: doublezero1, type: multicast, endpoint: nyc1.endpoints.1 }
  - ping: { from: val1, to: nyc1, via: doublezero1 }
  - expect_traffic: { gre_to: nyc1.endpoints.1, from: val1, packets: ">= 1" }
  - snapshot: [chain, config, status]
"#;
    let cases = read(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    insta::with_settings!({ snapshot_path => "../../../../snapshots/plans", prepend_module_to_snapshot => false }, {
        insta::assert_yaml_snapshot!("design-example", cases);
    });
}

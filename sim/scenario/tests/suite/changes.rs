//! Changes from outside of the file: `--set policy.x=y`.

use std::path::Path;

use dzsim_scenario::{Case, Change, parse_changed};

use crate::Every;

const FILE: &str = "
network:
  devices: { nyc1: { exchange: nyc } }
policy: { endpoints_per_device: 3 }
steps: []
";

fn changed(changes: &[&str]) -> Result<Vec<Case>, String> {
    let changes: Vec<Change> = changes.iter().map(|change| change.parse().unwrap()).collect();
    parse_changed(Path::new("topic/case.yaml"), FILE, &changes, &Every).map_err(|diagnostics| diagnostics.to_string())
}

#[test]
fn a_value_is_put_in_the_place_of_the_file_s() {
    let cases = changed(&["policy.endpoints_per_device=1", "network.clients.val1.exchange=nyc"]).unwrap();
    let [case] = cases.as_slice() else { panic!("one case, got {}", cases.len()) };
    assert_eq!(case.policy.endpoints_per_device, 1);
    assert_eq!(case.plan.clients.len(), 1);
}

#[test]
fn a_matrix_can_come_from_outside() {
    let cases = changed(&["matrix.n=[1, 2]", "policy.endpoints_per_device=$n"]).unwrap();
    let found: Vec<_> = cases.iter().map(|case| (case.name.as_str(), case.policy.endpoints_per_device)).collect();
    assert_eq!(found, [("topic/case[n=1]", 1), ("topic/case[n=2]", 2)]);
    assert_eq!(cases[1].variables, [("n".to_owned(), "2".to_owned())].into());
}

#[test]
fn what_a_change_makes_wrong_is_an_error_of_the_file() {
    let error = changed(&["policy.endpoints_per_device=many"]).unwrap_err();
    assert!(error.contains("topic/case.yaml:4:") && error.contains("many"), "{error}");
    let error = changed(&["policy.endpoint_per_device=1"]).unwrap_err();
    assert!(error.contains("endpoints_per_device"), "{error}");
}

#[test]
fn a_text_that_is_no_change_is_refused() {
    for (text, reason) in [
        ("policy.x", "got no `=`"),
        ("policy..x=1", "got the path `policy..x`"),
        ("=1", "got the path ``"),
        ("a=[1", "and the value is no YAML"),
    ] {
        let error = text.parse::<Change>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{text}` is no change: expected KEY.KEY=VALUE")), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

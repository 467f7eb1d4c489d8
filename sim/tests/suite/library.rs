//! The simulator as a library: what a test in Rust says of a network, in both worlds.

use dzsim::{Error, Network, Scenario};

#[dzsim::test]
async fn a_client_gets_a_tunnel(net: Network) -> dzsim::Result {
    net.client("val1").run("doublezero connect ibrl").await?;
    let tunnels = net.client("val1").tunnels().await?;
    assert_eq!(tunnels.len(), 1);
    assert!(net.device("nyc1").endpoints()?.contains(&tunnels[0].tunnel_dst));
    assert_eq!(net.chain()?.users().len(), 1);
    assert_eq!(net.device("nyc1").config().await?.tunnels.len(), 1);
    Ok(())
}

#[dzsim::test(yaml = "
network:
  devices: { nyc1: { exchange: nyc }, pit1: { exchange: pit } }
  clients: { val1: { exchange: nyc } }
steps:
  - { run: doublezero connect ibrl, on: val1 }
")]
async fn steps_of_the_scenario_come_first_and_more_can_follow(net: Network) -> dzsim::Result {
    assert_eq!(net.client("val1").tunnels().await?.len(), 1);
    net.steps("[{ ping: { from: val1, to: nyc1, via: doublezero0 } }, { fault: { node: nyc1, how: reboot } }]").await?;
    net.operator().run("doublezero device drain pit1").await?;
    assert_eq!(net.client("val1").latency().await?.iter().filter(|found| found.device_code == "nyc1").count(), 2);
    Ok(())
}

#[dzsim::test(scenario = Scenario::from_yaml("network: { devices: {} }"), world = "virtual")]
async fn what_does_not_hold_is_an_error_that_says_so(net: Network) {
    let unknown = net.client("val9").tunnels().await.unwrap_err();
    assert!(matches!(unknown, Error::Unknown { kind: "client", .. }), "{unknown}");
    let refused = net.operator().run("doublezero exchange get nowhere").await.unwrap_err().to_string();
    assert!(refused.contains("the command ended with exit code 10"), "{refused}");
    let invalid = net.steps("[{ pnig: {} }]").await.unwrap_err().to_string();
    assert!(invalid.contains("ping"), "{invalid}");
}

#[dzsim::test(world = "virtual")]
#[should_panic(expected = "as intended")]
async fn a_body_that_panics_fails_the_test(_net: Network) {
    panic!("as intended");
}

#[test]
fn a_scenario_that_is_not_one_case_is_refused() {
    let cases =
        Scenario::from_yaml("matrix: { n: [1, 2] }\nnetwork: { devices: { nyc: { exchange: nyc, count: $n } } }");
    assert!(matches!(cases, Err(Error::Cases(2))), "{cases:?}");
    assert!(matches!(Scenario::from_yaml("netwrok: {}"), Err(Error::Invalid(_))));
}

/// A program of this library may have a name that is a role's: only labs start roles.
#[test]
fn arguments_do_not_make_a_program_a_role() {
    let this = std::env::current_exe().unwrap();
    let output = std::process::Command::new(this).args(["node", "controller", "--help"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("--listen"));
}

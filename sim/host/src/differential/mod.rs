//! The model against the kernel: the same random changes are made to a virtual host and to a network namespace of this
//! machine, and the same packets sent into both. Both must answer alike, list the same, and let the same packets out.
//!
//! `DZSIM_DIFFERENTIAL` sets the number of sequences and `DZSIM_DIFFERENTIAL_SEED` where they begin;
//! `ci/differential.sh` runs ten thousand. A difference is shrunk and printed with its seed.

mod addresses;
mod compare;
mod op;
mod packet;
mod real;

use dz_net::{gre, sandbox};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use self::compare::Pair;
use self::op::{Op, op};

/// Sequences when nothing else is said.
const CASES: u32 = 60;
/// Changes and packets in one sequence, at most.
const LENGTH: usize = 24;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn a_virtual_host_does_what_the_kernel_does() {
    let cases = u32::try_from(number("DZSIM_DIFFERENTIAL", CASES.into())).unwrap();
    let seed = number("DZSIM_DIFFERENTIAL_SEED", 1);
    sandbox::run(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let result = runner.run(&proptest::collection::vec(op(), 1..LENGTH), |ops| {
            runtime.block_on(sequence(&ops)).map_err(TestCaseError::fail)
        });
        match result {
            Ok(()) => {}
            Err(TestError::Fail(why, ops)) => panic!("seed {seed}: {why}\nafter {ops:#?}"),
            Err(error) => panic!("seed {seed}: {error}"),
        }
    });
}

async fn sequence(ops: &[Op]) -> Result<(), String> {
    let mut pair = Pair::new().await;
    for op in ops {
        pair.step(op).await.map_err(|difference| format!("{op:?}: {difference}"))?;
    }
    Ok(())
}

/// The process that carries the namespace's tunnels: started by the test above with this test's name.
#[test]
#[ignore = "started by another test as the gre helper"]
fn gre_helper() {
    gre::helper::serve().unwrap();
}

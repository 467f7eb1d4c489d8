//! The table of `dzsim bench`: every row of both worlds, with a value or the reason why there is none.

use std::{path::PathBuf, time::Duration};

use dzsim::{
    World,
    answer::bench::{
        Bench, Effort,
        report::{Figure, Value},
        rows::{Row, Size},
    },
    interrupt::Programs,
};

/// A bench that takes as little time as it can.
fn figures(lacks: Option<&str>, dzsim: &str) -> (Vec<Figure>, bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut figures = Vec::new();
    let bench = Bench {
        dzsim: PathBuf::from(dzsim),
        programs: Programs::default(),
        folder: folder.path(),
        suite: Err("it takes too long here".to_owned()),
        worlds: vec![World::Real],
        lacks: lacks.map(ToOwned::to_owned),
        size: Size { devices: 2, clients: 3 },
        effort: Effort { runs: 1, idle: Duration::from_secs(1), pings: 5, rounds: 1 },
    };
    let all = bench.measure(&mut |figure| figures.push(figure));
    (figures, all)
}

const DZSIM: &str = env!("CARGO_BIN_EXE_dzsim");

fn names(figures: &[Figure]) -> Vec<&str> {
    figures.iter().map(|figure| figure.what.as_str()).collect()
}

/// The rows of the real world, with this size of the large network.
const ROWS: [&str; 10] = [
    "real: RTT error at 40 ms one way, idle: median",
    "real: RTT error at 40 ms one way, idle: p99",
    "real: TCP through a userspace tunnel, of plain veth without offloads",
    "real: secondary-address, whole process",
    "real: the suite",
    "real: the suite: peak memory",
    "real: 2 devices, 3 clients: to all tunnels up",
    "real: 2 devices, 3 clients: one more connect, step and oracle",
    "real: 2 devices, 3 clients: idle share of one core",
    "real: 2 devices, 3 clients: memory while idle",
];

#[test]
fn the_real_world_has_a_value_in_each_row() {
    let (figures, all) = figures(None, DZSIM);
    assert_eq!(names(&figures), ROWS);
    assert!(all);
    for (figure, row) in figures.iter().zip(Row::of(World::Real)) {
        match (row, &figure.value) {
            (Row::Suite | Row::SuiteMemory, Value::Missing(reason)) => assert_eq!(reason, "it takes too long here"),
            // No more than all processors of the machine, in percent of one.
            (Row::IdleShare, Value::Measured(share)) => {
                let all = std::thread::available_parallelism().unwrap().get() as f64 * 100.0;
                assert!(*share > 0.0 && *share < all, "{figure}");
            }
            (_, Value::Measured(value)) => assert!(*value > 0.0, "{figure}"),
            (_, Value::Missing(_)) => panic!("{figure}"),
        }
    }
}

#[test]
fn a_machine_without_namespaces_has_the_reason_in_each_row() {
    let (figures, all) = figures(Some("this machine lacks user namespaces: see `dzsim doctor`"), DZSIM);
    assert_eq!(names(&figures), ROWS);
    assert!(all);
    let reason = Value::Missing("this machine lacks user namespaces: see `dzsim doctor`".to_owned());
    for figure in figures {
        assert_eq!(figure.value, reason, "{}", figure.what);
    }
}

#[test]
fn a_run_that_fails_leaves_the_rest_of_the_table() {
    let (figures, all) = figures(None, "/bin/false");
    assert_eq!(names(&figures), ROWS);
    assert!(!all);
    for figure in figures {
        assert!(matches!(figure.value, Value::Missing(_)), "{figure}");
    }
}

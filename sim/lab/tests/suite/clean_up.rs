//! kill -9, of whatever, whenever, leaves nothing.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;

use dz_testing::eventually_blocking;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Held, alone, netns_of, processes};

fn kill_9(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the process is there");
}

/// Kills one of the processes of a lab that is up, and waits until all of them and all its namespaces are gone.
fn killing(victim: impl FnOnce(&Held) -> i32) {
    let mut held = Held::start();
    assert_eq!(held.netns.len(), 3, "the lab's own and two nodes");
    kill_9(victim(&held));
    held.caller.wait().expect("the caller ends");
    eventually_blocking("processes of the lab are left", || {
        let left: BTreeSet<i32> = processes().intersection(&held.all).copied().collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
    eventually_blocking("namespaces of the lab are left", || {
        let used: BTreeSet<u64> = processes().into_iter().filter_map(netns_of).collect();
        let left: BTreeSet<u64> = used.intersection(&held.netns).copied().collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

#[test]
fn killing_the_caller() {
    alone(|| killing(|held| held.caller.id() as i32));
}

#[test]
fn killing_the_outer_half() {
    alone(|| killing(|held| held.outer));
}

#[test]
fn killing_init() {
    alone(|| killing(|held| held.init));
}

#[test]
fn killing_the_scenario() {
    alone(|| killing(|held| held.scenario));
}

/// While the lab comes up: each time a little later, by the number of processes there are.
#[test]
fn killing_the_outer_half_at_any_moment() {
    alone(|| {
        for moment in 2..12 {
            let mut hold = std::process::Command::new(crate::support::hold())
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .spawn()
                .expect("hold starts");
            let outer = hold.id() as i32;
            eventually_blocking("the lab does not come up", || {
                let count = processes().len();
                if count >= moment.min(8) { Ok(()) } else { Err(count) }
            });
            kill_9(outer);
            assert_eq!(hold.wait().expect("it ends").signal(), Some(libc::SIGKILL));
            eventually_blocking("processes are left", || {
                let left = processes();
                if left == BTreeSet::from([std::process::id() as i32]) { Ok(()) } else { Err(left) }
            });
        }
    });
}

//! A command in a node of a lab that another process holds, as `dzsim exec` runs one.

use std::process::Command;

use crate::support::{Held, alone, example, parent};
use dz_testing::eventually_blocking;

#[test]
fn a_command_runs_in_the_node_from_outside() {
    alone(|| {
        let mut held = Held::start();
        let attach = |host: &str, script: &str| {
            let command = [&held.init.to_string(), host, "/bin/sh", "-c", script];
            let output = Command::new(example("attach"))
                .args(command)
                .current_dir("/usr/bin")
                // What it says of an error must not depend on who runs the tests.
                .env("RUST_BACKTRACE", "0")
                .output()
                .unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code(), text(output.stdout), text(output.stderr))
        };
        let script = "grep -c 198.51.100.2 /proc/net/fib_trie; id -u; pwd; echo $HOME; uname -n; exit 4";
        assert_eq!(attach("n2", script), (Some(4), "2\n0\n/usr/bin\n/run/dz/n2\nn2\n".to_owned(), String::new()));
        // It is a process of the lab.
        assert_eq!(attach("core", "cat /proc/1/comm; ls /run").1, "hold\ndz\nlogs\n");
        let refused = "Error: no node n3 in the lab, it has n1, n2\n".to_owned();
        assert_eq!(attach("n3", "true"), (Some(1), String::new(), refused));
        held.caller.kill().unwrap();
        held.caller.wait().unwrap();
        eventually_blocking("init lives", || if parent(held.init).is_some() { Err(held.init) } else { Ok(()) });
        let (code, _, error) = attach("n1", "true");
        assert_eq!(code, Some(1));
        assert!(error.contains(&format!("no lab with pid {}: it has ended", held.init)), "{error}");
    });
}

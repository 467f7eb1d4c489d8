//! A process after `enter`.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::support::hold;

fn run(script: &str) -> std::process::Output {
    Command::new(hold()).args(["/bin/sh", "-c", script]).output().expect("hold starts")
}

fn stdout(script: &str) -> String {
    let output = run(script);
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_command_is_root_in_a_lab_of_its_own() {
    assert_eq!(stdout("id -u; id -g; cat /proc/1/comm; cat /proc/2/comm"), "0\n0\nhold\nhold\n");
    // Nothing of the machine's network, and the lab's loopback is up.
    let mut interfaces: Vec<String> = stdout("cat /proc/net/dev").lines().skip(2).map(str::to_owned).collect();
    interfaces.iter_mut().for_each(|line| *line = line.split(':').next().unwrap_or_default().trim().to_owned());
    interfaces.retain(|name| name == "lo" || name.starts_with("eth"));
    assert_eq!(interfaces, ["lo", "eth0"]);
}

#[test]
fn run_is_the_labs_own() {
    let here = std::fs::read_dir("/run").unwrap().count();
    assert_eq!(stdout("ls /run; touch /run/left-by-the-lab"), "dz\nlogs\n");
    assert_eq!(std::fs::read_dir("/run").unwrap().count(), here);
}

#[test]
fn mounts_do_not_propagate() {
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert_eq!(stdout("grep -c shared: /proc/self/mountinfo || true"), "0\n");
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
}

#[test]
fn the_exit_code_comes_out() {
    assert_eq!(run("exit 0").status.code(), Some(0));
    assert_eq!(run("exit 7").status.code(), Some(7));
}

#[test]
fn the_signal_that_killed_the_scenario_comes_out() {
    // The scenario process is pid 2; a command in a node may kill it, as both are root of the same lab.
    assert_eq!(run("kill -TERM 2; sleep 100").status.signal(), Some(libc::SIGTERM));
    assert_eq!(run("kill -KILL 2; sleep 100").status.signal(), Some(libc::SIGKILL));
}

#[test]
fn orphans_are_reaped() {
    // The middle shell ends at once; its child becomes init's and ends; then nothing of it is left.
    let script = "sh -c 'sh -c \"echo \\$\\$; exec true\" & ' > /run/orphan; pid=$(cat /run/orphan); \
                  while [ -z \"$pid\" ]; do pid=$(cat /run/orphan); done; \
                  while [ -e /proc/$pid ]; do :; done; echo gone";
    assert_eq!(stdout(script), "gone\n");
}

#[test]
fn a_process_with_threads_is_refused() {
    let error = dzsim_lab::enter().unwrap_err();
    assert!(matches!(error, dzsim_lab::EnterError::Threads(n) if n > 1), "{error}");
}

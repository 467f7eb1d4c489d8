//! Messages about wrong input: exit code 2, the place, and the nearest valid name.

use std::{fs, process::Command};

use crate::support::Place;

fn check(text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("case.yaml");
    fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_dzsim")).arg("check").arg(&file).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).replace(&folder.path().display().to_string(), "");
    (output.status.code(), stderr)
}

#[test]
fn a_misspelt_key() {
    let (code, text) = check("network:\n  devises: { nyc1: { exchange: nyc } }\nsteps: []\n");
    assert_eq!(code, Some(2));
    assert!(text.contains("case.yaml:2:3") && text.contains("devices"), "{text}");
}

#[test]
fn an_unknown_device() {
    let (code, text) = check(
        "network:\n  devices: { nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: nyc } }\nsteps:\n  - ping: { from: val1, to: nyc2 }\n",
    );
    assert_eq!(code, Some(2));
    assert!(text.contains("case.yaml:5:") && text.contains("nyc1"), "{text}");
}

#[test]
fn an_address_twice() {
    let (code, text) = check(
        "network:\n  clients:\n    a: { exchange: nyc, ip: 9.1.1.1 }\n    b: { exchange: nyc, ip: 9.1.1.1 }\nsteps: []\n",
    );
    assert_eq!(code, Some(2));
    assert!(text.contains("9.1.1.1") && text.contains("case.yaml:4:"), "{text}");
}

#[test]
fn a_folder_without_scenarios() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_dzsim")).arg("check").arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no scenario files"));
}

#[test]
fn a_misspelt_verb() {
    let network = "network:\n  devices: { nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: nyc } }\n";
    let (code, text) = check(&format!("# Why.\n{network}steps:\n  - run: doublezero conect ibrl\n"));
    assert_eq!(code, Some(2));
    assert!(text.contains("case.yaml:6:21") && text.contains("did you mean `connect`?"), "{text}");
    let (code, text) = check(&format!("# Why.\n{network}steps:\n  - run: doublezero connect ibrl --devise nyc1\n"));
    assert_eq!(code, Some(2));
    assert!(text.contains("case.yaml:6:34") && text.contains("--device"), "{text}");
    // A scenario may show what becomes of it.
    let (code, text) = check(&format!("# Why.\n{network}steps:\n  - run: doublezero conect ibrl\n    exit: 2\n"));
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_file_that_does_not_say_what_it_proves() {
    let (code, text) = check("network:\n  devices: { nyc1: { exchange: nyc } }\n");
    assert_eq!(code, Some(2));
    assert!(text.contains("case.yaml:1:1") && text.contains("comment"), "{text}");
}

#[test]
fn everything_wrong_is_there_for_programs_and_for_github() {
    let place = Place::new();
    let file = place.file("topic/case.yaml", "network:\n  devises: { nyc1: { exchange: nyc } }\nsteps: []\n");
    let json: serde_json::Value =
        serde_json::from_str(&place.run(&["check", "topic", "--format", "json"]).code(2).out).unwrap();
    assert_eq!(
        (&json[0]["file"], &json[0]["line"], &json[0]["column"]),
        (&"topic/case.yaml".into(), &2.into(), &3.into())
    );
    let github = place.run(&["check", "topic", "--format", "github"]).code(2).out;
    let line = "::error file=topic/case.yaml,line=2,col=3,title=scenario::unknown key `devises`%0Ahelp: did you mean `devices`?\n";
    assert_eq!(github, line);
    fs::write(file, crate::support::QUIET).unwrap();
    assert_eq!(place.run(&["check", "topic", "--format", "json"]).code(0).out, "[]\n");
}

#[test]
fn what_has_no_end_is_refused() {
    let place = Place::new();
    nix::unistd::mkfifo(&place.path("fifo.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    place.file("long.yaml", &"# long\n".repeat(10 << 20 >> 3));
    for (file, why) in
        [("/dev/zero", "not a regular file"), ("fifo.yaml", "not a regular file"), ("long.yaml", "longer than")]
    {
        let ended = place.run(&["check", file]).code(2);
        assert!(ended.err.contains(file) && ended.err.contains(why), "{}", ended.err);
    }
}

#[test]
fn an_argument_longer_than_a_command_line_is_refused() {
    let place = Place::new();
    let long = crate::support::QUIET.replace("status", &format!("status {}", "x".repeat(65_600)));
    place.file("topic/long.yaml", &long);
    let ended = place.run(&["run", "topic"]).code(2);
    assert!(ended.err.contains("topic/long.yaml:6:"), "{}", ended.err);
    assert!(ended.err.len() < 2000, "the argument itself is not shown: {}", ended.err);
}

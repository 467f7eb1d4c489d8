//! `dzsim run` from outside: reports, exit codes, artifacts, interruption, and what has no effect on a run.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::Stdio,
};

use nix::{
    mount::{MsFlags, mount},
    sys::signal::Signal,
};
use serde_json::Value;

use crate::support::{Ended, FAILING, Place, QUIET, Running, appears};

/// A step that takes longer than any test waits.
fn endless() -> String {
    QUIET.replace(
        "status\n    on: val1",
        "status\n    on: val1\n  - expect: { val1.tunnels: { count: 9 } }\n    within: 200s",
    )
}

#[test]
fn a_file_named_twice_runs_once() {
    let place = Place::new();
    place.file("topic/quiet.yaml", QUIET);
    let ended = place.run(&["run", "topic/quiet.yaml", "./topic/quiet.yaml", "topic"]).code(0);
    assert!(ended.out.ends_with("\n") && ended.out.contains("\n1 passed, 0 failed in "), "{}", ended.out);
}

#[test]
fn a_report_goes_to_a_file_beside_the_lines_for_people() {
    let place = Place::new();
    place.file("topic/failing.yaml", FAILING);
    let ended = place.run(&["run", "topic", "--junit", "report.xml"]).code(1);
    let junit = fs::read_to_string(place.path("report.xml")).unwrap();
    for part in ["topic/failing.yaml:6:5", "exit code 5", "exit code 0", "artifacts/topic/failing", "val1.doublezerod"]
    {
        assert!(ended.out.contains(part), "{part} is not in:\n{}", ended.out);
        assert!(junit.contains(part), "{part} is not in:\n{junit}");
    }
    // Asked for at a place that cannot be, it is the machine's fault, before anything runs.
    let ended = place.run(&["run", "topic", "--junit", "no/such/folder.xml"]).code(3);
    assert!(ended.out.is_empty() && ended.err.contains("no/such/folder.xml"), "{}", ended.err);
}

#[test]
fn failures_are_annotations_in_github_actions() {
    let place = Place::new();
    place.file("topic/failing.yaml", FAILING);
    let output = place.dzsim(&["run", "topic"]).env("GITHUB_ACTIONS", "true").output().unwrap();
    let ended = Ended::of(output).code(1);
    let annotation = ended.out.lines().find(|line| line.starts_with("::error ")).unwrap_or_default();
    assert!(
        annotation.starts_with("::error file=topic/failing.yaml,line=6,title=failed topic/failing::"),
        "{}",
        ended.out
    );
}

#[test]
fn a_reader_that_goes_away_is_no_verdict() {
    let place = Place::new();
    place.file("topic/a.yaml", QUIET);
    place.file("topic/b.yaml", QUIET);
    let junit = ["run", "topic", "--world", "virtual", "--format", "junit"];
    let run = ["run", "topic", "--jobs", "1", "--junit", "report.xml"];
    for args in [&["schema"][..], &["--help"], &["doctor"], &["check", "topic"], &junit, &run] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = Ended::of(place.dzsim(args).stdout(writer).output().unwrap()).code(141);
        assert_eq!(ended.err, "", "{args:?}");
    }
    let junit = fs::read_to_string(place.path("report.xml")).unwrap();
    assert!(junit.contains("tests=\"2\"") && junit.contains("<skipped"), "the other report is whole: {junit}");
}

#[test]
fn a_full_disk_is_named() {
    let place = Place::new();
    place.file("topic/quiet.yaml", QUIET);
    let junit = ["run", "topic", "--world", "virtual", "--format", "junit"];
    for args in [&["schema"][..], &["--help"], &["check", "topic"], &["run", "topic"], &junit, &["status"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = Ended::of(place.dzsim(args).stdout(full).output().unwrap()).code(3);
        assert!(ended.err.contains("writing to standard output: No space left on device"), "{args:?}: {}", ended.err);
    }
}

#[test]
fn a_disk_that_fills_up_fails_no_scenario_and_its_file_is_named() {
    dz_net::sandbox::run(|| {
        let place = Place::new();
        place.file("topic/quiet.yaml", QUIET);
        let small = place.path("small");
        fs::create_dir(&small).unwrap();
        mount(Some("tmpfs"), &small, Some("tmpfs"), MsFlags::empty(), Some("size=16k")).unwrap();
        let ended = place.run(&["run", "topic", "--world", "virtual", "--artifacts", "small"]).code(3);
        let said: Vec<&str> = ended.out.lines().filter(|line| line.contains("No space left on device")).collect();
        assert_eq!(said.len(), 1, "{}", ended.out);
        assert!(said[0].starts_with("error: ") && said[0].contains("small/topic/quiet/"), "{}", ended.out);
        assert!(ended.out.contains("cannot run  topic/quiet  1 of 1 steps"), "{}", ended.out);
    });
}

#[test]
fn the_virtual_world_needs_no_proc() {
    dz_net::sandbox::run(|| {
        let place = Place::new();
        place.file("topic/quiet.yaml", QUIET);
        mount(Some("tmpfs"), "/proc", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        assert!(fs::read_dir("/proc").unwrap().next().is_none());
        let doctor = place.run(&["doctor"]).code(3);
        assert!(doctor.out.contains("which needs none of this: --world virtual"), "{}", doctor.out);
        let ended = place.run(&["run", "topic", "--world", "virtual"]).code(0);
        assert!(ended.out.contains("\n1 passed, 0 failed in "), "{}", ended.out);
    });
}

#[test]
fn a_folder_that_cannot_be_written_is_said_once() {
    let place = Place::new();
    place.file("topic/a.yaml", QUIET);
    place.file("topic/b.yaml", QUIET);
    place.file("artifacts", "a file");
    let ended = place.run(&["run", "topic"]).code(3);
    assert_eq!(ended.err.matches("cannot be written").count(), 1, "{}", ended.err);
    assert_eq!(ended.out, "");
}

#[test]
fn a_data_plane_that_is_not_there_is_said_once() {
    let place = Place::new();
    place.file("topic/a.yaml", QUIET);
    place.file("topic/b.yaml", QUIET);
    let ended = place.run(&["run", "topic", "--dataplane", "kernel"]);
    let report: Value = serde_json::from_str(&place.run(&["doctor", "--json"]).out).unwrap();
    let gre = report["capabilities"].as_array().unwrap().iter().find(|found| found["name"] == "kernel GRE").unwrap();
    if gre["state"] == "ready" {
        ended.code(0);
    } else {
        let ended = ended.code(3);
        assert_eq!(ended.err.matches("kernel GRE").count(), 1, "{}", ended.err);
        assert!(ended.err.contains("fix: ") && ended.err.ends_with("see `dzsim doctor`\n"), "{}", ended.err);
    }
}

#[test]
fn colours_are_for_who_wants_them() {
    let place = Place::new();
    place.file("topic/quiet.yaml", QUIET);
    place.file("wrong.yaml", "network: { devises: {} }\n");
    let coloured = |args: &[&str], set: &[&str]| {
        let mut command = place.dzsim(args);
        for name in set {
            command.env(name, "1");
        }
        let ended = Ended::of(command.output().unwrap());
        format!("{}{}", ended.out, ended.err).contains('\x1b')
    };
    for args in [&["run", "topic", "--world", "virtual"][..], &["check", "wrong.yaml"]] {
        assert!(!coloured(args, &[]), "nobody asked for colours in a pipe: {args:?}");
        assert!(coloured(args, &["CLICOLOR_FORCE"]), "{args:?}");
        assert!(!coloured(args, &["CLICOLOR_FORCE", "NO_COLOR"]), "{args:?}");
    }
}

#[test]
fn an_interrupted_run_reports_what_it_has() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let place = Place::new();
        place.file("topic/a.yaml", QUIET);
        place.file("topic/b.yaml", &endless());
        place.file("topic/c.yaml", QUIET);
        let out = fs::File::create(place.path("out")).unwrap();
        let args = ["run", "topic", "--jobs", "1", "--junit", "report.xml", "--format", "json"];
        let running = Running(place.dzsim(&args).stdout(out).spawn().unwrap());
        appears(&place.path("out"), "\"number\":2");
        running.signal(signal);
        assert_eq!(running.end(), Some(code));
        let out = fs::read_to_string(place.path("out")).unwrap();
        let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        let expected = serde_json::json!({"topic/a": "passed", "topic/b": "not_run", "topic/c": "not_run"});
        assert_eq!(last["outcomes"], expected, "{out}");
        let junit = fs::read_to_string(place.path("report.xml")).unwrap();
        assert_eq!(junit.matches("<skipped").count(), 2, "{junit}");
        assert!(junit.contains("interrupted in step 2"), "{junit}");
        // What was under way has its artifacts.
        let summary: Value =
            serde_json::from_slice(&fs::read(place.path("artifacts/topic/b/summary.json")).unwrap()).unwrap();
        assert_eq!((&summary["outcome"], &summary["steps"][0]["number"]), (&"not_run".into(), &1.into()));
    }
}

/// Whether a folder has a file of this name, however deep.
fn holds(folder: &Path, name: &str) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name() == name || holds(&entry.path(), name))
}

#[test]
fn an_interrupted_verb_ends_its_runs_and_leaves_nothing() {
    const RUN: &str = "events.jsonl";
    let verbs = [
        (&["sweep", "topic", "--world", "real"][..], RUN, "interrupted after 0 runs: no table\n"),
        (&["compare", "topic/a.yaml", "topic/a.yaml", "--world", "real"], RUN, ""),
        (&["evidence", "topic", "--world", "real"], RUN, "interrupted: what some steps are for is not known\n"),
        (&["explore", "--world", "real"], RUN, ""),
        (&["rfc", "check", "rfcs/0001-endless.md", "--world", "real"], RUN, "interrupted\n"),
        (&["bench", "--world", "virtual"], "small.yaml", "virtual: the suite: not measured: interrupted\n"),
    ];
    for (args, begun, said) in verbs {
        for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
            let place = Place::new();
            place.file("topic/a.yaml", &endless());
            place.file("scenarios/a.yaml", QUIET);
            place.file("rfcs/0001-endless.md", "# It never ends\n\n- **C1** It ends. Proof: [a](../topic/a.yaml).\n");
            fs::create_dir(place.path("tmp")).unwrap();
            let errors = fs::File::create(place.path("errors")).unwrap();
            let mut command = place.dzsim(args);
            command.env("TMPDIR", place.path("tmp")).stdout(Stdio::null()).stderr(errors);
            let running = Running(command.spawn().unwrap());
            dz_testing::eventually_blocking(begun, || {
                holds(&place.path("tmp"), begun).then_some(()).ok_or("not there")
            });
            running.signal(signal);
            assert_eq!(running.end(), Some(code), "{args:?}");
            let left: Vec<_> = fs::read_dir(place.path("tmp")).unwrap().collect();
            assert!(left.is_empty(), "{args:?}: {left:?}");
            let errors = fs::read_to_string(place.path("errors")).unwrap();
            assert!(errors.contains(said), "{args:?}: {errors}");
        }
    }
}

#[test]
fn a_pause_shows_the_reason_and_ends_by_enter() {
    let place = Place::new();
    place.file("topic/failing.yaml", FAILING);
    let mut command = place.dzsim(&["run", "topic", "--pause-on-failure"]);
    let mut running = Running(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut out = BufReader::new(running.0.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("the network is held") {
        assert_ne!(out.read_line(&mut text).unwrap(), 0, "{text}");
    }
    assert!(text.contains("ended with exit code 0"), "the reason is there first: {text}");
    assert!(place.run(&["status"]).code(0).out.contains("topic/failing"));
    running.0.stdin.take().unwrap().write_all(b"\n").unwrap();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(running.end(), Some(1));
    assert!(text.contains("1 failed"), "{text}");
}

#[test]
fn a_held_network_survives_later_runs() {
    let place = Place::new();
    place.file("topic/quiet.yaml", QUIET);
    let out = fs::File::create(place.path("out")).unwrap();
    let held = Running(place.dzsim(&["up", "topic/quiet.yaml"]).stdout(out).spawn().unwrap());
    appears(&place.path("out"), "is up: ");
    let refused = place.run(&["run", "topic"]).code(3);
    assert!(refused.out.contains("in use by another run or a held network"), "{}", refused.out);
    assert!(refused.out.contains("1 cannot run"), "{}", refused.out);
    // An unknown case or node is the caller's error in every verb.
    place.run(&["exec", "--case", "topic/other", "val1", "true"]).code(2);
    place.run(&["down", "topic/other"]).code(2);
    place.run(&["up", "topic/quiet.yaml", "--case", "topic/other"]).code(2);
    place.run(&["run", "topic", "--filter", "other"]).code(2);
    let unknown = place.run(&["exec", "val9", "true"]).code(2);
    assert!(unknown.err.contains("no node val9 in topic/quiet; it has nyc1, val1, operator"), "{}", unknown.err);
    // It still answers, by the name of the node, and not to what the caller's shell has set.
    let mut command = place.dzsim(&["exec", "val1", "sh", "-c", "uname -n; doublezero status"]);
    let output = command.env("DZ_SOCKET", "/nowhere").env("DZ_RPC_URL", "http://127.0.0.1:1").output().unwrap();
    let answer = Ended::of(output).code(0);
    assert!(answer.out.starts_with("val1\n") && answer.out.contains("disconnected"), "{}", answer.out);
    assert_eq!(place.run(&["down"]).code(0).out, "topic/quiet is down\n");
    assert_eq!(held.end(), Some(0));
    place.run(&["run", "topic"]).code(0);
}

#[test]
fn two_runs_at_once_never_mix_their_artifacts() {
    let place = Place::new();
    place.file("topic/endless.yaml", &endless());
    let out = fs::File::create(place.path("out")).unwrap();
    let running = Running(place.dzsim(&["run", "topic"]).stdout(out).spawn().unwrap());
    appears(&place.path("out"), "network up");
    let refused = place.run(&["run", "topic", "--keep"]).code(3);
    assert!(refused.out.contains("in use by another run"), "{}", refused.out);
    assert!(place.path("artifacts/topic/endless/events.jsonl").exists());
    running.signal(Signal::SIGINT);
    assert_eq!(running.end(), Some(130));
}

#[test]
fn the_callers_environment_decides_nothing() {
    let place = Place::new();
    place.file("topic/quiet.yaml", QUIET);
    let mut command = place.dzsim(&["run", "topic"]);
    for name in ["http_proxy", "https_proxy", "ALL_PROXY", "DZ_RPC_URL", "DZ_WS_URL", "DZ_SOCKET", "DZ_KEYPAIR"] {
        command.env(name, "http://127.0.0.1:1");
    }
    command.env("LC_ALL", "tr_TR.UTF-8").env("TZ", "Asia/Tokyo").env("RUST_BACKTRACE", "full").env("SBF_OUT_DIR", "/");
    Ended::of(command.output().unwrap()).code(0);
    let doctor = place.dzsim(&["doctor"]).env("http_proxy", "x").env("DZ_RPC_URL", "x").output().unwrap();
    let text = String::from_utf8(doctor.stdout).unwrap();
    let first = text.lines().next().unwrap_or_default();
    assert!(first.starts_with("set here, and ignored by runs: ") && first.contains("DZ_RPC_URL, "), "{text}");
    assert!(first.contains("http_proxy"), "{text}");
}

#[test]
fn a_mask_that_hides_files_hides_none_of_a_run() {
    let place = Place::new();
    place.file("topic/quiet.yaml", QUIET);
    let run = format!("umask 077; exec {} run topic", env!("CARGO_BIN_EXE_dzsim"));
    let output = std::process::Command::new("sh").args(["-c", &run]).current_dir(place.root.path()).output().unwrap();
    Ended::of(output).code(0);
    for (name, expected) in [("artifacts", 0o755), ("artifacts/topic/quiet/summary.json", 0o644)] {
        let mode = fs::metadata(place.path(name)).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, expected, "{name}");
    }
}

#[test]
fn a_scenario_runs_from_any_folder_with_the_snapshots_of_its_tree() {
    let place = Place::new();
    let text = QUIET.to_owned() + "  - snapshot: [chain, status]\n";
    let file = place.file("tree/scenarios/topic/quiet.yaml", &text);
    let file = file.to_str().unwrap();
    let missing = place.run(&["run", file]).code(1);
    assert!(
        missing.out.contains("there is no snapshot of the chain; there is no snapshot of the status"),
        "{}",
        missing.out
    );
    assert!(missing.out.contains("--update-snapshots` writes"), "{}", missing.out);
    place.run(&["run", file, "--update-snapshots"]).code(0);
    let snapshot = place.path("tree/snapshots/scenarios/topic/quiet@1.chain.snap");
    let stored = fs::read_to_string(&snapshot).unwrap_or_else(|_| {
        panic!("{snapshot:?} in {:?}", fs::read_dir(snapshot.parent().unwrap()).unwrap().collect::<Vec<_>>())
    });
    // By another path, from another folder, and with the line ends of another system.
    fs::write(&snapshot, stored.replace('\n', "\r\n")).unwrap();
    let mut command = place.dzsim(&["run", "quiet.yaml"]);
    Ended::of(command.current_dir(place.path("tree/scenarios/topic")).output().unwrap()).code(0);
    // Every view that differs is shown, and nothing else.
    fs::write(&snapshot, stored.replace("nyc1", "pit1")).unwrap();
    let status = place.path("tree/snapshots/scenarios/topic/quiet@1.status.snap");
    fs::write(&status, "---\nsource: x\n---\nnothing\n").unwrap();
    let differs = place.run(&["run", file]).code(1);
    for part in ["the chain differs", "the status differs", "-nothing", "quiet@1.chain.snap"] {
        assert!(differs.out.contains(part), "{part} is not in {}", differs.out);
    }
    assert!(!differs.out.contains("val1.doublezerod"), "no logs: {}", differs.out);
}

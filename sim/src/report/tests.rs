//! Output of a run for people and programs: snapshots at three widths, with and without colour.

use std::{path::PathBuf, time::Duration};

use rstest::rstest;

use super::{Github, Human, Json, Junit, Report};
use crate::{
    run::{
        diff::Difference,
        logs::LogLine,
        protocol::{CaseSummary, Failure, Outcome, Progress, StepSummary},
        relevance::LeftOut,
    },
    shell_word::quoted,
    terminal::Terminal,
};

fn summary(case: &str, outcome: Outcome, failure: Option<Failure>) -> CaseSummary {
    let step = |number: usize, title: &str| StepSummary {
        number,
        title: title.to_owned(),
        line: 6 + number,
        millis: 90.4,
        oracle_millis: 15.0,
    };
    CaseSummary {
        file: format!("scenarios/{case}.yaml").into(),
        case: case.to_owned(),
        outcome,
        seed: 7,
        started: "2026-01-02T03:04:05.678Z".to_owned(),
        version: "0.1.0".to_owned(),
        world: "real".to_owned(),
        dataplane: "auto".to_owned(),
        dataplane_used: Some("userspace".to_owned()),
        millis: 1742.4,
        phases: [("steps".to_owned(), 1200.0)].into(),
        step_count: 12,
        steps: match outcome {
            Outcome::Passed => (1..=12).map(|number| step(number, "expect val1.tunnels")).collect(),
            _ => vec![step(1, "val1: doublezero connect ibrl"), step(2, LONG)],
        },
        variables: Default::default(),
        measures: Default::default(),
        failure,
        stderr: String::new(),
        artifacts: PathBuf::from("/tmp/artifacts").join(case),
    }
}

/// A title that no terminal is wide enough for.
const LONG: &str = "val1: doublezero connect multicast --subscribe mg01,mg02,mg03 --publish mg04 --device nyc1 --timeout 30s \
                    --tenant red --json";

fn log(t_ns: u64, who: &str, level: &str, message: &str) -> LogLine {
    LogLine { t_ns, who: who.to_owned(), level: level.to_owned(), message: message.to_owned() }
}

fn failure() -> Failure {
    Failure {
        step: Some(3),
        title: "val1: doublezero connect multicast".to_owned(),
        line: 9,
        source: "  - run: doublezero connect multicast --subscribe mg01".to_owned(),
        message: "the command ended with exit code 9".to_owned(),
        expected: Some("exit code 0".to_owned()),
        actual: Some(
            "exit code 9\nstandard error:\nerror: no tunnel after 30 s: the activator has not answered".to_owned(),
        ),
        differences: Vec::new(),
        oracle: vec!["user 148.51.120.1 at 45.33.100.2: on chain, not in the kernel of nyc1".to_owned()],
        began_ns: 900_000_000,
        logs_left_out: LeftOut {
            lines: 1203,
            files: ["val1.doublezerod.log", "core.activator.log"].map(str::to_owned).to_vec(),
            more_files: 998,
        },
        logs: vec![
            log(982_123_456, "val1.doublezerod", "INFO", "probed every endpoint endpoints=4 lost=0"),
            log(
                1_034_000_000,
                "core.activator",
                "WARN",
                "the ledger refused a transaction code=12 of=\"user 148.51.120.1\" why=\"taken\"",
            ),
            log(31_034_000_000, "val1.doublezerod", "ERROR", "no answer\nfrom the activator"),
        ],
    }
}

fn snapshot_failure() -> Failure {
    Failure {
        step: Some(3),
        title: "snapshot chain, status".to_owned(),
        line: 9,
        source: "  - snapshot: [chain, status]".to_owned(),
        message: "the chain differs from its snapshot; there is no snapshot of the status\n\
                  `dzsim run a.yaml --filter topic/a --update-snapshots` writes what is there now"
            .to_owned(),
        differences: vec![
            Difference { of: "snapshots/a@x.chain.snap".to_owned(), lines: " users:\n-  1\n+  2\n".to_owned() },
            Difference { of: "snapshots/a@x.status.snap does not exist".to_owned(), lines: String::new() },
        ],
        ..Failure::default()
    }
}

/// A case that runs alone, with a step that takes its time.
fn alone(report: &mut dyn Report, end: CaseSummary) {
    let at = Duration::from_millis;
    let case = end.case.clone();
    let mut tell = |millis, progress| report.progress(&case, &progress, at(millis)).unwrap();
    tell(195, Progress::Up { millis: 195.2, steps: end.step_count });
    for step in &end.steps {
        tell(200, Progress::Step { number: step.number, title: step.title.clone() });
        tell(300, Progress::StepDone(step.clone()));
    }
    let next = end.steps.len() + 1;
    if next <= end.step_count {
        tell(300, Progress::Step { number: next, title: LONG.to_owned() });
        report.tick(at(400)).unwrap();
        report.tick(at(2400)).unwrap();
    }
    report.progress(&case, &Progress::Finished(Box::new(end.clone())), at(2500)).unwrap();
    report.finished(&[end], at(2500)).unwrap();
}

/// Several cases, one of each outcome.
fn several(report: &mut dyn Report) -> Vec<CaseSummary> {
    let at = Duration::from_millis;
    let not_run = Failure { message: "interrupted in step 3: ping val1 to nyc1".to_owned(), ..Failure::default() };
    let cannot = Failure { message: "artifacts/topic/c is in use by another run".to_owned(), ..Failure::default() };
    let cases = vec![
        summary("topic/a", Outcome::Passed, None),
        summary(
            "topic/b-with-a-name-that-goes-on[strategy=least-loaded,tolerance=5ms]",
            Outcome::Failed,
            Some(failure()),
        ),
        summary("topic/c", Outcome::CannotRun, Some(cannot)),
        summary("topic/d", Outcome::NotRun, Some(not_run)),
    ];
    for case in &cases {
        report.started(&case.case, at(0)).unwrap();
        report.progress(&case.case, &Progress::Up { millis: 195.2, steps: 12 }, at(195)).unwrap();
        let step = Progress::Step { number: 3, title: "ping val1 to nyc1 via doublezero0".to_owned() };
        report.progress(&case.case, &step, at(1000)).unwrap();
    }
    for case in &cases[..2] {
        report.progress(&case.case, &Progress::Finished(Box::new(case.clone())), at(1742)).unwrap();
        report.tick(at(2500)).unwrap();
    }
    report.interrupted().unwrap();
    for case in &cases[2..] {
        report.progress(&case.case, &Progress::Finished(Box::new(case.clone())), at(3000)).unwrap();
    }
    report.finished(&cases, at(3000)).unwrap();
    cases
}

fn hold(name: &str, bytes: Vec<u8>) {
    let text = String::from_utf8(bytes).unwrap().replace('\x1b', "␛").replace('\r', "␍");
    insta::with_settings!({ snapshot_path => "../../../snapshots/terminal", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

/// Lines without colour codes, by what ends them on a terminal.
fn visible(text: &str) -> Vec<String> {
    let plain: String = anstream::adapter::strip_str(text).to_string();
    plain.split(['\n', '\r']).map(str::to_owned).collect()
}

#[rstest]
fn people_see_what_fits(#[values(60, 80, 120)] width: usize, #[values(false, true)] colour: bool) {
    let terminal = Terminal { colour, width: Some(width), live: true };
    let name = |what: &str| format!("{what}-{width}{}", if colour { "-colour" } else { "" });
    let mut bytes = Vec::new();
    let mut report = Human::new(&mut bytes, terminal, 1);
    report.started("topic/a", Duration::ZERO).unwrap();
    alone(&mut report, summary("topic/a", Outcome::Failed, Some(failure())));
    for line in visible(&String::from_utf8_lossy(&bytes)) {
        // What happened is never cut, only what repeats the scenario or a log.
        let whole = line.starts_with("  user 148") || line.starts_with("  error:") || line.starts_with("again");
        assert!(whole || line.chars().count() <= width, "{line}");
    }
    hold(&name("alone"), bytes);

    let mut bytes = Vec::new();
    several(&mut Human::new(&mut bytes, terminal, 4));
    hold(&name("several"), bytes);

    let mut bytes = Vec::new();
    let mut report = Human::new(&mut bytes, terminal, 1);
    report.started("topic/a", Duration::ZERO).unwrap();
    alone(&mut report, summary("topic/a", Outcome::Failed, Some(snapshot_failure())));
    hold(&name("snapshot"), bytes);
}

#[test]
fn a_pipe_gets_whole_lines_and_nothing_that_is_written_over() {
    let mut bytes = Vec::new();
    let mut report = Human::new(&mut bytes, Terminal::NONE, 1);
    report.started("topic/a", Duration::ZERO).unwrap();
    alone(&mut report, summary("topic/a", Outcome::Failed, Some(failure())));
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(!text.contains('\r') && !text.contains('\x1b'), "{text}");
    assert!(text.contains(LONG), "nothing is cut: {text}");
    hold("pipe", bytes);
}

#[test]
fn a_pause_shows_the_reason_first_and_once() {
    let mut bytes = Vec::new();
    let mut report = Human::new(&mut bytes, Terminal::NONE, 1);
    let end = summary("topic/a", Outcome::Failed, Some(failure()));
    report.started("topic/a", Duration::ZERO).unwrap();
    let held = Progress::Held { nodes: vec!["val1".to_owned()], summary: Some(Box::new(end.clone())) };
    report.progress("topic/a", &held, Duration::ZERO).unwrap();
    report.progress("topic/a", &Progress::Finished(Box::new(end)), Duration::ZERO).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} is not in {text}"));
    assert!(at("ended with exit code 9") < at("the network is held: val1"), "{text}");
    assert!(at("the network is held: val1") < at("artifacts"), "{text}");
    assert_eq!(text.matches("ended with exit code 9").count(), 1, "{text}");
}

#[rstest]
#[case::a_value(Failure { actual: Some("a user\n".repeat(700)), ..failure() })]
#[case::an_invariant(Failure { oracle: vec!["a user\n  chain: a\n  kernel: b".to_owned(); 50], ..failure() })]
#[case::a_command(Failure { message: "it failed\n".to_owned() + &"a line of its output\n".repeat(300), ..failure() })]
#[case::a_snapshot(Failure {
    differences: ["chain", "status"].map(|of| Difference { of: of.to_owned(), lines: "-a user\n".repeat(400) }).to_vec(),
    ..snapshot_failure()
})]
fn a_failure_in_a_network_of_any_size_fits_on_a_screen(#[case] mut failure: Failure) {
    if failure.differences.is_empty() {
        failure.logs =
            (0..40).map(|t_ns| log(t_ns, "val1.doublezerod", "WARN", &format!("it is {t_ns}\nor so"))).collect();
    }
    let end = summary("topic/a", Outcome::Failed, Some(failure.clone()));
    let mut bytes = Vec::new();
    let mut report = Human::new(&mut bytes, Terminal::NONE, 1);
    report.progress("topic/a", &Progress::Finished(Box::new(end.clone())), Duration::ZERO).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.lines().count() <= 45, "{} lines: {text}", text.lines().count());
    assert!(text.contains(" more lines are in summary.json"), "{text}");
    if failure.differences.is_empty() {
        // At least as many of the log as matter most, the last of their kind.
        assert!(text.matches("  WARN ").count() >= 4 && text.contains("it is 39"), "{text}");
        let all = failure.logs_left_out.lines + failure.logs.len() - text.matches("  WARN ").count();
        assert!(text.contains(&format!("  {all} more lines are in logs/: ")), "{text}");
    }
    // A report in a file has all of it.
    let mut bytes = Vec::new();
    Junit::new(&mut bytes).finished(&[end], Duration::ZERO).unwrap();
    let junit = String::from_utf8(bytes).unwrap();
    assert!(junit.lines().count() > 150 && !junit.contains("summary.json"), "{junit}");
}

#[test]
fn programs_get_what_people_see() {
    let (mut json, mut junit, mut github) = (Vec::new(), Vec::new(), Vec::new());
    several(&mut Json::new(&mut json));
    several(&mut Junit::new(&mut junit));
    several(&mut Github::new(&mut github));
    let (json, junit) = (String::from_utf8(json).unwrap(), String::from_utf8(junit).unwrap());
    let text = String::from_utf8(github).unwrap();
    for part in ["exit code 0", "the activator has not answered", "not in the kernel of nyc1", "from the activator"] {
        for (name, report) in [("json", &json), ("junit", &junit), ("github", &text)] {
            assert!(report.contains(part), "{name} lacks {part:?}: {report}");
        }
    }
    assert!(json.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{json}");
    hold("junit", junit.into_bytes());
    hold("github", text.into_bytes());
}

#[test]
fn the_standard_error_of_a_run_is_in_every_report() {
    let end = CaseSummary {
        stderr: "thread 'main' panicked at x.rs\n".to_owned(),
        ..summary("a", Outcome::Failed, Some(failure()))
    };
    let text = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        String::from_utf8(bytes).unwrap()
    };
    for report in [
        text(&|out| alone(&mut Human::new(out, Terminal::NONE, 1), end.clone())),
        text(&|out| alone(&mut Json::new(out), end.clone())),
        text(&|out| alone(&mut Junit::new(out), end.clone())),
    ] {
        assert!(report.contains("panicked at x.rs"), "{report}");
    }
}

#[test]
fn the_command_that_runs_a_case_again_is_one_a_shell_understands() {
    assert_eq!(quoted("a b"), "'a b'");
    assert_eq!(quoted("it's"), r"'it'\''s'");
    assert_eq!(quoted("scenarios/a.yaml"), "scenarios/a.yaml");
    let summary = summary("topic/x[y=1]", Outcome::Failed, None);
    assert_eq!(
        summary.again(),
        "dzsim run 'scenarios/topic/x[y=1].yaml' --filter 'topic/x[y=1]' --seed 7 --world real --dataplane auto"
    );
}

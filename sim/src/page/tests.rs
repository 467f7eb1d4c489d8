//! Pages of runs that are written by hand here, so that each part can be seen to show what it is given.

use std::{fs, path::Path, time::Duration};

use super::*;
use crate::run::protocol::{CaseSummary, Failure, Outcome};

const EVENTS: &str = r#"{"t_ns":0,"who":"scenario","event":"started","case":"topic/a"}
{"t_ns":1000000000,"who":"chain","event":"pools","slot":3,"pools":{"nyc1:tunnel-ids":{"capacity":8,"used":0,"free":8}}}
{"t_ns":2000000000,"who":"scenario","event":"step","number":1,"line":6,"title":"val1: doublezero connect ibrl"}
{"t_ns":2100000000,"who":"chain","event":"user","client_ip":"192.0.2.1","endpoint_ip":"198.51.100.1","device":"nyc1","type":"IBRL","status":"Pending"}
{"t_ns":2200000000,"who":"core.activator","event":"activated","level":"INFO","user":"192.0.2.1"}
{"t_ns":2300000000,"who":"chain","event":"user","client_ip":"192.0.2.1","endpoint_ip":"198.51.100.1","device":"nyc1","type":"IBRL","status":"Activated"}
{"t_ns":2300000000,"who":"chain","event":"pools","slot":5,"pools":{"nyc1:tunnel-ids":{"capacity":8,"used":1,"free":7}}}
{"t_ns":3000000000,"who":"scenario","event":"step done","number":1,"line":6,"title":"val1: doublezero connect ibrl"}
{"t_ns":3000000000,"who":"scenario","event":"step","number":2,"line":8,"title":"fault <link>"}
{"t_ns":3100000000,"who":"scenario","event":"broken","faults":["link a-b is faulty"]}
{"t_ns":3500000000,"who":"val1.doublezerod","event":"tunnel is down","level":"WARN","tunnel":"doublezero0"}
{"t_ns":4000000000,"who":"scenario","event":"broken","faults":[]}
{"t_ns":4500000000,"who":"chain","event":"user","client_ip":"192.0.2.1","endpoint_ip":"198.51.100.1","device":"nyc1","type":"IBRL","status":"gone"}
"#;

const NETWORK: &str = r#"{"metros":{"nyc":{"lat":40.7,"lng":-74.0}},"devices":{"nyc1":{"metro":"nyc"}},
"clients":{"val1":{"metro":"nyc","ip":"192.0.2.1"}},"links":{}}"#;

/// A case that left these events in a folder.
fn left(folder: &Path, outcome: Outcome) -> CaseSummary {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("events.jsonl"), EVENTS).unwrap();
    fs::write(folder.join("network.json"), NETWORK).unwrap();
    let failure = Failure {
        step: Some(2),
        title: "fault <link>".to_owned(),
        line: 8,
        source: "  - fault: <link>".to_owned(),
        message: "it did not hold".to_owned(),
        expected: Some("exit code 0".to_owned()),
        actual: Some("exit code 5 & more".to_owned()),
        oracle: vec!["user 192.0.2.1: on chain, not in the kernel".to_owned()],
        ..Failure::default()
    };
    CaseSummary {
        file: "scenarios/topic/a.yaml".into(),
        case: "topic/a".to_owned(),
        outcome,
        seed: 7,
        started: "2026-01-01T00:00:00.000000000Z".to_owned(),
        version: "0.1.0".to_owned(),
        world: "virtual".to_owned(),
        dataplane: "auto".to_owned(),
        dataplane_used: Some("userspace".to_owned()),
        millis: 12.0,
        phases: Default::default(),
        step_count: 3,
        steps: Vec::new(),
        variables: Default::default(),
        measures: Default::default(),
        failure: (outcome == Outcome::Failed).then_some(failure),
        stderr: String::new(),
        artifacts: folder.to_owned(),
    }
}

fn record(outcome: Outcome) -> (tempfile::TempDir, Record) {
    let root = tempfile::tempdir().unwrap();
    let summary = left(&root.path().join("topic/a"), outcome);
    let record = Record::read(&summary, Some("artifacts/topic/a[x=1%2F2]".into())).unwrap();
    (root, record)
}

#[test]
fn what_lasted_is_read_from_the_events() {
    let (_root, record) = record(Outcome::Failed);
    let spans = |spans: Vec<record::Span>| {
        spans
            .into_iter()
            .map(|span| (span.title, span.from_ns / 1_000_000, span.to_ns / 1_000_000, span.class))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        spans(record.steps()),
        [
            ("1 val1: doublezero connect ibrl".to_owned(), 2000, 3000, "odd"),
            // It did not hold, so it lasts until the end.
            ("2 fault <link>".to_owned(), 3000, 4500, "bad"),
        ]
    );
    assert_eq!(spans(record.faults()), [("link a-b is faulty".to_owned(), 3100, 4000, "fault")]);
    let lives: Vec<_> =
        record.lives.iter().map(|life| (life.client.as_str(), life.status.as_str(), life.to_ns)).collect();
    assert_eq!(lives, [("val1", "gone", 4_500_000_000)]);
    assert_eq!(record.tunnels().iter().map(|tunnel| tunnel.lives).collect::<Vec<_>>(), [false]);
    let levels = pools::levels(&record.events);
    let used: Vec<_> = levels["nyc1:tunnel-ids"].iter().map(|level| (level.t_ns / 1_000_000, level.used)).collect();
    assert_eq!(used, [(1000, 0), (2300, 1)]);
}

#[test]
fn a_page_has_every_picture_its_table_and_the_failure() {
    let (_root, record) = record(Outcome::Failed);
    let page = run(&[record], Duration::from_secs(2));
    for part in [
        "<title>topic/a: 1 failed</title>",
        "Step 2 of 3: fault &lt;link&gt;",
        "exit code 5 &amp; more",
        "not in the kernel",
        "<h3>Network</h3>",
        "<h3>Timeline</h3>",
        "<h3>Pools over time</h3>",
        "tunnel is down tunnel=doublezero0",
        "href=\"artifacts/topic/a%5Bx%3D1%252F2%5D/events.jsonl\"",
        "dzsim run scenarios/topic/a.yaml --filter topic/a --seed 7",
    ] {
        assert!(page.contains(part), "{part} is not in:\n{page}");
    }
    assert_eq!(page.matches("As a table").count(), page.matches("class=\"picture\"").count());
}

#[test]
fn a_page_asks_for_nothing_and_runs_nothing() {
    let (_root, record) = record(Outcome::Failed);
    let page = run(&[record], Duration::ZERO);
    assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"), "{page}");
    for word in ["<script", "src=", "@import", "url(", "http://", "onload"] {
        let found = page.replace("http://www.w3.org/2000/svg", "").replace("img-src ", "").replace("style-src ", "");
        assert!(!found.contains(word), "{word} is in the page");
    }
}

#[test]
fn what_was_not_begun_shows_no_earlier_run() {
    let root = tempfile::tempdir().unwrap();
    let summary = CaseSummary { started: String::new(), ..left(root.path(), Outcome::NotRun) };
    let record = Record::read(&summary, None).unwrap();
    assert!(record.events.is_empty());
    let page = run(&[record], Duration::ZERO);
    assert!(page.contains("not run") && !page.contains("<h3>Timeline</h3>"), "{page}");
}

#[test]
fn links_lead_from_the_page_to_the_artifacts() {
    let way = |page: &str, to: &str| relative(Path::new(page), Path::new(to)).to_string_lossy().into_owned();
    assert_eq!(way("/a/report.html", "/a/artifacts/x"), "artifacts/x");
    assert_eq!(way("/a/b/report.html", "/a/artifacts/x"), "../artifacts/x");
}

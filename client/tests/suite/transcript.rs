//! Transcripts: commands with their output and exit codes, kept as snapshots.

use std::fmt::Write;

use dz_client::cli::exit::Exit;
use regex::Regex;

use crate::world::Answer;

/// Commands and answers, in order.
#[derive(Default)]
pub(crate) struct Transcript(String);

impl Transcript {
    /// Notes a command and what came of it.
    pub(crate) fn note(&mut self, command: &str, answer: &Answer) {
        let Answer { exit, out, err } = answer;
        writeln!(self.0, "$ doublezero {command}\n{out}{err}").unwrap();
        if *exit != Exit::Done {
            writeln!(self.0, "exit {}\n", *exit as u8).unwrap();
        }
    }

    /// Compares with what was kept under this name.
    pub(crate) fn check(&self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../snapshots/client"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, steady(self.0.trim_end())));
    }
}

/// Without what differs in each run.
fn steady(text: &str) -> String {
    let volatile = [
        (r"\d+\.\d{3}ms +", "[time] "),
        (r#"((?:_latency_ns|_rtt_nanoseconds)": )\d+"#, "$1[ns]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[      date        ]"),
        (r#"((?:last_seen|last_session_update)": )\d+"#, "$1[s]"),
        (r#"((?:version|slot)": )\d+"#, "$1[n]"),
        (r"/\S*/doublezerod\.sock", "[socket]"),
    ];
    let replace = |text: String, (pattern, with): &(&str, &str)| {
        Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned()
    };
    volatile.iter().fold(text.to_owned(), replace)
}

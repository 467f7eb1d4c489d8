//! `dzsim status`.

use anyhow::Context;

use crate::{
    cli::HeldArgs,
    exit::{Error, Exit, answer},
    held_networks::Held,
    terminal::Terminal,
};

/// Prints the networks that are held.
pub(super) fn run(args: &HeldArgs) -> Result<Exit, Error> {
    let held = Held::all(&args.artifacts).context("looking for networks that are held")?;
    answer(if held.is_empty() { "no network is held".to_owned() } else { table(&held, Terminal::of_stdout()) })?;
    Ok(Exit::Passed)
}

/// A paragraph for each network: its case and holder, and its nodes in lines that fit.
fn table(held: &[Held], terminal: Terminal) -> String {
    let width = terminal.width.unwrap_or(80);
    let mut text = String::new();
    for Held { case, holder, nodes, .. } in held {
        let tail = format!("  process {holder}");
        text.push_str(&format!("{}{tail}\n", terminal.fit(case, tail.len())));
        let mut line = " ".to_owned();
        for node in nodes {
            if line.len() > 1 && line.len() + 1 + node.len() > width {
                text.push_str(&format!("{line}\n"));
                line = " ".to_owned();
            }
            line.push_str(&format!(" {node}"));
        }
        text.push_str(&format!("{line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let nodes = (0..40).map(|number| format!("client{number:02}")).collect();
        let case = "topic/a-case-with-a-rather-long-name[strategy=least-loaded,tolerance=5ms,endpoints=2]".to_owned();
        let held = [
            Held { case, holder: 4_194_304, init: 2, started: 3, nodes },
            Held { case: "topic/short".to_owned(), holder: 1, init: 2, started: 3, nodes: vec!["operator".to_owned()] },
        ];
        for width in [60, 80, 120] {
            let text = table(&held, Terminal { width: Some(width), ..Terminal::NONE });
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
        }
        insta::with_settings!({ snapshot_path => "../../../snapshots/terminal", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!("status-80", table(&held, Terminal { width: Some(80), ..Terminal::NONE }));
        });
    }
}

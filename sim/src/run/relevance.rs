//! Relevance of log lines: those that a failure shows, in a network of any size.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Serialize};

use super::logs::LogLine;

/// How many lines a report has.
pub const SHOWN: usize = 40;
/// How many of them say the same in different places.
const ALIKE: usize = 4;
/// How many files are named for the rest.
const FILES: usize = 4;

/// What of the logs is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Lines that are not shown.
    pub lines: usize,
    /// Where most of them are: names in the folder of logs, those of what the failure is about first.
    pub files: Vec<String>,
    /// How many more files have such lines.
    pub more_files: usize,
}

impl LeftOut {
    /// With what was left out of those that were shown.
    #[must_use]
    pub fn with(self, more: Self) -> Self {
        match self.lines {
            0 => more,
            lines => Self { lines: lines + more.lines, ..self },
        }
    }

    /// Where those lines are; nothing if there are none.
    pub fn told(&self) -> Option<String> {
        let Self { lines, files, more_files } = self;
        let more = if *more_files == 0 { String::new() } else { format!(" and {more_files} more") };
        (*lines > 0).then(|| format!("{lines} more lines are in logs/: {}{more}", files.join(", ")))
    }
}

/// Picks at most `most` lines that a failure shows, in the order of time. `about` is what its step and its reason say, `began_ns` when the
/// step began: what happened since then, in what is named, and as a warning or an error, goes before the rest.
pub fn choose(lines: Vec<LogLine>, about: &str, began_ns: u64, most: usize) -> (Vec<LogLine>, LeftOut) {
    let words: BTreeSet<&str> =
        about.split(|letter: char| !(letter.is_alphanumeric() || "-_.".contains(letter))).collect();
    let words: BTreeSet<&str> =
        words.into_iter().map(|word| word.trim_matches('.')).filter(|word| !word.is_empty()).collect();
    // Addresses and keys are looked for in what a line says; other words are too common for that.
    let accounts: Vec<&str> = words.iter().copied().filter(|word| is_account(word)).collect();
    let named = |line: &LogLine| {
        line.who.split('.').next().is_some_and(|node| words.contains(node))
            || accounts.iter().any(|account| line.message.contains(account))
    };
    let rank = |line: &LogLine| {
        let bad = matches!(line.level.as_str(), "ERROR" | "WARN" | "");
        match (line.t_ns >= began_ns, named(line), bad) {
            (true, true, true) => 0,
            (true, false, true) => 1,
            (true, true, false) => 2,
            (false, true, true) => 3,
            (true, false, false) => 4,
            (false, false, true) => 5,
            (false, true, false) => 6,
            (false, false, false) => 7,
        }
    };
    let ranks: Vec<u8> = lines.iter().map(rank).collect();
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|index| (ranks[*index], Reverse(*index)));
    let mut alike: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    for index in order {
        if chosen.len() >= most {
            break;
        }
        let line = &lines[index];
        let count = alike.entry(kind(&line.message)).or_default();
        // What is named has its say however often.
        if named(line) || *count < ALIKE {
            chosen.insert(index);
        }
        *count += 1;
    }
    let mut left: BTreeMap<String, (bool, usize)> = BTreeMap::new();
    for (_, line) in lines.iter().enumerate().filter(|(index, _)| !chosen.contains(index)) {
        let (is_named, count) = left.entry(format!("{}.log", line.who)).or_default();
        *is_named |= line.who.split('.').next().is_some_and(|node| words.contains(node));
        *count += 1;
    }
    let mut files: Vec<(String, (bool, usize))> = left.into_iter().collect();
    files.sort_by_key(|(_, (named, count))| (!named, Reverse(*count)));
    let left_out = LeftOut {
        lines: lines.len() - chosen.len(),
        files: files.iter().take(FILES).map(|(name, _)| name.clone()).collect(),
        more_files: files.len().saturating_sub(FILES),
    };
    (chosen.into_iter().map(|index| lines[index].clone()).collect(), left_out)
}

/// Whether a word is an address or a key.
fn is_account(word: &str) -> bool {
    word.parse::<std::net::Ipv4Addr>().is_ok()
        || (word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// What a line says, without its fields.
fn kind(message: &str) -> &str {
    let field = message.match_indices(' ').map(|(at, _)| at).find(|at| {
        let word = message[at + 1..].split(' ').next().unwrap_or_default();
        word.contains('=')
    });
    field.map_or(message, |at| &message[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(t_ns: u64, who: &str, level: &str, message: &str) -> LogLine {
        LogLine { t_ns, who: who.to_owned(), level: level.to_owned(), message: message.to_owned() }
    }

    /// A network in which a thousand daemons say the same, twice, and few lines matter.
    fn crowd() -> Vec<LogLine> {
        let mut lines = vec![
            line(1, "val7.doublezerod", "INFO", "started"),
            line(2, "core.activator", "WARN", "the ledger refused a transaction code=12 user=192.0.2.7"),
        ];
        for number in 0..1000 {
            lines.push(line(
                10,
                &format!("val{number}.doublezerod"),
                "WARN",
                &format!("the view is not live retry_in_ms={number}"),
            ));
        }
        lines.push(line(11, "nyc1.agent", "INFO", "applied changes=3"));
        lines.push(line(12, "core.activator", "INFO", "activated user=192.0.2.7"));
        for number in 0..1000 {
            lines.push(line(
                13,
                &format!("val{number}.doublezerod"),
                "INFO",
                &format!("endpoint probed rtt_ns={number}"),
            ));
        }
        lines
    }

    #[test]
    fn what_the_step_names_is_shown_of_a_network_of_any_size() {
        let (chosen, left) = choose(crowd(), "val7: doublezero connect ibrl: user 192.0.2.7 is pending", 5, SHOWN);
        assert!(chosen.len() <= SHOWN, "{}", chosen.len());
        let has =
            |who: &str, message: &str| chosen.iter().any(|line| line.who == who && line.message.starts_with(message));
        assert!(has("val7.doublezerod", "the view is not live"));
        assert!(has("val7.doublezerod", "endpoint probed"));
        assert!(has("core.activator", "activated user=192.0.2.7"));
        assert!(has("core.activator", "the ledger refused"), "an account that is named, before the step");
        assert!(has("nyc1.agent", "applied"));
        assert!(chosen.is_sorted_by_key(|line| line.t_ns));
        // Of those who say the same, a few.
        let alike = chosen.iter().filter(|line| line.message.starts_with("the view is not live")).count();
        assert_eq!(alike, ALIKE, "{chosen:?}");
        assert_eq!(left.lines, 2004 - chosen.len());
        assert_eq!((left.files.len(), left.more_files > 900), (FILES, true));
    }

    #[test]
    fn few_lines_are_all_shown() {
        let lines = vec![line(1, "a.agent", "INFO", "one"), line(2, "b.agent", "ERROR", "two")];
        assert_eq!(choose(lines.clone(), "", 0, SHOWN), (lines, LeftOut::default()));
    }

    #[test]
    fn later_lines_go_before_earlier_ones_of_their_kind() {
        let lines: Vec<_> =
            (0..100).map(|number| line(number, "val1.doublezerod", "INFO", &format!("step {number}"))).collect();
        let (chosen, left) = choose(lines, "val1", 0, SHOWN);
        assert_eq!((chosen[0].t_ns, chosen.len()), (60, SHOWN));
        assert_eq!(left, LeftOut { lines: 60, files: vec!["val1.doublezerod.log".to_owned()], more_files: 0 });
    }
}

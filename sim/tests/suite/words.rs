//! The words of help texts, first lines of modules, comments and documents: those of the field.

use std::{fs, path::PathBuf};

use clap::{Args as _, Command, CommandFactory as _};

use crate::arrows::{sources, workspace};

/// Words and phrases that have plainer ones; as words of their own, in any case.
const REFUSED: &[&str] = &[
    "anew",
    "as it pleases",
    "at the wish",
    "dear",
    "in vain",
    "it is so",
    "so many",
    "tell apart",
    "telling",
    "tells",
    "told",
    "was so already",
    "whoever",
    "whomever",
];

/// A first line names the module's subject; it does not begin as a question.
const QUESTIONS: &[&str] = &["How", "What", "When", "Where", "Whether", "Which", "Who", "Whose", "Why"];

/// The refused words of a text.
fn refused(text: &str) -> Vec<&'static str> {
    let lower = text.to_lowercase();
    let is_end = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
    let whole = |word: &str| {
        lower
            .match_indices(word)
            .any(|(at, _)| is_end(lower[..at].chars().next_back()) && is_end(lower[at + word.len()..].chars().next()))
    };
    REFUSED.iter().copied().filter(|word| whole(word)).collect()
}

fn check(place: &str, text: &str, wrong: &mut Vec<String>) {
    wrong.extend(refused(text).into_iter().map(|word| format!("{place}: `{word}` in: {}", text.trim())));
}

/// The help of a command and of all below it.
fn help(path: &str, command: &Command, wrong: &mut Vec<String>, seen: &mut usize) {
    let path = format!("{path} {}", command.get_name());
    let own = [command.get_about(), command.get_long_about(), command.get_after_help()];
    let arguments = command.get_arguments().flat_map(|argument| [argument.get_help(), argument.get_long_help()]);
    let values = command.get_arguments().flat_map(clap::Arg::get_possible_values);
    let values = values.filter_map(|value| Some(value.get_help()?.to_string()));
    for text in own.into_iter().chain(arguments).flatten().map(ToString::to_string).chain(values).collect::<Vec<_>>() {
        *seen += 1;
        check(&path, &text, wrong);
        if let Some(first) = text.split_whitespace().next().filter(|first| QUESTIONS.contains(first)) {
            wrong.push(format!("{path}: begins with `{first}`: {text}"));
        }
    }
    command.get_subcommands().for_each(|verb| help(&path, verb, wrong, seen));
}

#[test]
fn help_texts_have_the_words_of_the_field() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for program in [
        dzsim::cli::Cli::command(),
        dz_client::cli::args::Cli::command(),
        dz_client::daemon::Args::command(),
        dz_activator::Args::command(),
        dz_controller::serve::Args::augment_args(Command::new("dz-controller")),
        dz_controller::agent::Args::augment_args(Command::new("dz-agent")),
    ] {
        help("", &program, &mut wrong, &mut seen);
    }
    assert_eq!(wrong, [""; 0]);
    assert!(seen > 300, "only {seen} texts were found");
}

fn folders() -> Vec<PathBuf> {
    let names = ["activator", "client", "controller", "net", "policy", "programs", "service", "sim", "testing"];
    names.map(|name| workspace().join(name)).to_vec()
}

#[test]
fn comments_have_the_words_of_the_field() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for file in folders().iter().flat_map(|folder| sources(folder)).filter(|file| !file.ends_with("words.rs")) {
        let (text, place) = (fs::read_to_string(&file).unwrap(), file.display().to_string());
        let first = text.lines().next().unwrap_or_default().trim_start_matches("//! ");
        if let Some(word) = first.split_whitespace().next().filter(|word| QUESTIONS.contains(word)) {
            wrong.push(format!("{place}: the first line begins with `{word}`"));
        }
        for line in text.lines().filter(|line| ["//!", "///"].iter().any(|mark| line.trim_start().starts_with(mark))) {
            seen += 1;
            check(&place, line, &mut wrong);
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(seen > 5_000, "only {seen} lines were found");
}

#[test]
fn documents_have_the_words_of_the_field() {
    let mut wrong = Vec::new();
    let folders = ["", "docs", "docs/decisions", "rfcs", "scenarios"].map(|name| workspace().join(name));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "md")) {
        for line in fs::read_to_string(&file).unwrap().lines() {
            check(&file.display().to_string(), line, &mut wrong);
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn words_are_found_as_words() {
    assert_eq!(refused("Told, and TELLS; a renewed foretold `whoever`."), ["tells", "told", "whoever"]);
    assert!(refused("The endeared fortelling").is_empty());
}

//! Output of the operators' commands: a network set up and taken down by the command line alone.

use std::sync::Arc;

use clap::CommandFactory;
use dz_client::{
    api::Daemon,
    cli::{self, args::Cli, exit::Exit},
};
use dz_sdk::{
    local::{LocalBank, LocalLedger},
    program::ID,
};
use solana_pubkey::Pubkey;

use crate::{
    transcript::Transcript,
    world::{Answer, Chain},
};

/// Runs a command line on a chain; the activator does its part afterwards.
async fn run(chain: &Chain, command: &str) -> Answer {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let words = std::iter::once("doublezero".into()).chain(words(command));
    let deps = cli::Deps {
        ledger: &|_| Ok(chain.ledger.clone()),
        daemon: &|cli| Daemon::at(&cli.socket),
        progress: &cli::progress::Quiet,
    };
    let exit = cli::execute(&deps, words, &mut out, &mut err).await;
    chain.settle().await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { exit, out: text(out), err: text(err) }
}

/// Words as a shell makes them: those in quotes stay together.
fn words(command: &str) -> impl Iterator<Item = std::ffi::OsString> {
    let parts = command.split('\'').enumerate();
    parts.flat_map(|(index, part)| match index % 2 {
        0 => part.split_whitespace().map(Into::into).collect::<Vec<_>>(),
        _ => vec![part.into()],
    })
}

fn chain() -> Chain {
    // Keys that are plain to see in the answers.
    let foundation = Pubkey::new_from_array([1; 32]);
    let mut bank = LocalBank::new(ID, &foundation);
    bank.airdrop(foundation, 1_000_000_000_000);
    Chain { ledger: Arc::new(LocalLedger::new(bank, foundation).unwrap()) }
}

#[tokio::test]
async fn a_network_from_nothing_to_nothing() {
    let chain = chain();
    let mut transcript = Transcript::default();
    for command in include_str!("operator.txt").lines().filter(|line| !line.is_empty()) {
        transcript.note(command, &run(&chain, command).await);
    }
    transcript.check("operator");
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
    dz_client::daemon::Args::command().debug_assert();
}

#[tokio::test]
async fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let answer = run(&chain(), &format!("completions {shell}")).await;
        assert_eq!(answer.exit, Exit::Done);
        assert!(answer.out.contains("access-pass") && answer.out.contains("multicast"), "{shell}");
    }
}

/// The page and the program say the same.
#[test]
fn the_exit_codes_are_those_of_the_page() {
    use strum::IntoEnumIterator;
    let page = include_str!("../../../docs/cli.md");
    let documented: Vec<_> =
        page.lines().filter(|line| line.starts_with("| ") && line[2..].starts_with(char::is_numeric)).collect();
    let coded: Vec<_> = Exit::iter().map(|exit| format!("| {} | {} |", exit as u8, exit.meaning())).collect();
    assert_eq!(documented, coded);
    let codes: std::collections::BTreeSet<u8> = Exit::iter().map(|exit| exit as u8).collect();
    assert_eq!(codes.len(), coded.len());
}

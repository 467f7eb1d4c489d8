//! `dzsim completions`.

use clap::CommandFactory;

use crate::{
    cli::{Cli, CompletionsArgs},
    exit::{Error, Exit, answer},
};

/// Prints the completions for a shell.
pub(super) fn run(args: &CompletionsArgs) -> Result<Exit, Error> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dzsim", &mut text);
    answer(String::from_utf8_lossy(&text))?;
    Ok(Exit::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_the_verbs() {
        for shell in clap::ValueEnum::value_variants() {
            let mut text = Vec::new();
            clap_complete::generate::<clap_complete::Shell, _>(*shell, &mut Cli::command(), "dzsim", &mut text);
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains("pause-on-failure") && text.contains("doctor"), "{shell}");
        }
    }
}

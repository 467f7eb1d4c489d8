//! `dzsim man`: a page for each program and verb.

use std::{fs, path::Path};

use anyhow::Context;
use clap::{Args, Command, CommandFactory};

use crate::{
    cli::{Cli, ManArgs},
    exit::{Error, Exit},
};

/// Writes the pages.
pub(super) fn run(args: &ManArgs) -> Result<Exit, Error> {
    write(&args.folder).with_context(|| format!("writing man pages to {}", args.folder.display()))?;
    Ok(Exit::Passed)
}

fn write(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    programs().into_iter().try_for_each(|program| clap_mangen::generate_to(program, folder))
}

/// dzsim and the products' programs, under the names their users know.
fn programs() -> [Command; 6] {
    let version = env!("CARGO_PKG_VERSION");
    let controller =
        Command::new("dz-controller").about("Renders each device's configuration from the chain and serves it");
    let agent = Command::new("dz-agent").about("Keeps this machine's kernel like its device's configuration");
    [
        Cli::command(),
        dz_client::cli::args::Cli::command(),
        dz_client::daemon::Args::command(),
        dz_activator::Args::command(),
        dz_controller::serve::Args::augment_args(controller.version(version)),
        dz_controller::agent::Args::augment_args(agent.version(version)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_and_verb_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let page =
            |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page("dzsim-run.1").contains("pause\\-on\\-failure"));
        assert!(page("doublezero-connect-ibrl.1").contains("device"));
        for program in ["dzsim", "doublezero", "doublezerod", "dz-activator", "dz-controller", "dz-agent"] {
            assert!(page(&format!("{program}.1")).starts_with(".ie"), "{program}");
        }
        assert!(!folder.path().join("dzsim-node.1").exists(), "hidden verbs have no page");
    }
}

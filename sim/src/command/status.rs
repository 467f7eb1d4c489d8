//! `dzsim status`.

use crate::{cli::HeldArgs, exit::Exit, held_networks::Held};

/// Prints the networks that are held.
pub(super) fn run(args: &HeldArgs) -> anyhow::Result<Exit> {
    let held = Held::all(&args.artifacts)?;
    if held.is_empty() {
        println!("no network is held");
    }
    for Held { case, holder, nodes, .. } in held {
        println!("{case}  (process {holder})  {}", nodes.join(" "));
    }
    Ok(Exit::Passed)
}

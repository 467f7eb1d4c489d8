//! `doublezero`, the command line.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    dz_client::cli::run(std::env::args_os()).await.into()
}

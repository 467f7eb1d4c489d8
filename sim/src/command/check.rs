//! `dzsim check` and `dzsim schema`.

use crate::{cli::FilesArgs, exit::Exit, files};

/// Validates the files, with what the suite asks of them, and says how many cases they hold.
pub(super) fn run(args: &FilesArgs) -> anyhow::Result<Exit> {
    let found = files::find(&args.paths).and_then(|files| {
        let cases = files::load(&files, &[])?;
        files::review(&files)?;
        Ok((files.len(), cases))
    });
    match found {
        Ok((files, cases)) => {
            println!("{files} files, {} cases: all valid", cases.len());
            Ok(Exit::Passed)
        }
        Err(error) => {
            eprintln!("{error}");
            Ok(Exit::BadInput)
        }
    }
}

/// Prints the JSON Schema.
pub(super) fn schema() -> anyhow::Result<Exit> {
    println!("{:#}", dzsim_scenario::json_schema());
    Ok(Exit::Passed)
}

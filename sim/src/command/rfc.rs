//! `dzsim rfc`: an RFC whose claims name what proves them.

use std::{fs, path::Path};

use anyhow::Context;

use crate::{
    answer::rfc::{
        Document, check, create,
        prove::Prover,
        table::{self, Status},
    },
    cli::{RfcCommand, RfcFormat, RfcProofArgs},
    exit::{Error, Exit, answer, complain},
    interrupt::Programs,
    page,
};

/// Does what the command line says.
pub(super) fn run(command: &RfcCommand) -> Result<Exit, Error> {
    let programs = Programs::watched()?;
    let done = run_with(command, &programs);
    match programs.ended_by() {
        Some(exit) => {
            complain("interrupted");
            Ok(exit)
        }
        None => done,
    }
}

fn run_with(command: &RfcCommand, programs: &Programs) -> Result<Exit, Error> {
    match command {
        RfcCommand::New { title, folder } => {
            answer(create::create(folder, title).context("starting a new RFC")?.display())?;
            Ok(Exit::Passed)
        }
        RfcCommand::Check { files, update_figures, proof } => {
            let mut wrong = 0;
            for file in files {
                let prover = prover(file, proof, false, programs)?;
                if *update_figures {
                    answer(format!("{}: {} figures written", file.display(), prover.update_figures(file)?))?;
                }
                wrong += check_one(file, &prover)?;
            }
            Ok(if wrong == 0 { Exit::Passed } else { Exit::Failed })
        }
        RfcCommand::Run { file, format, html, proof } => {
            prove(file, *format, html.as_deref(), &prover(file, proof, true, programs)?)
        }
    }
}

fn prover(file: &Path, proof: &RfcProofArgs, tests: bool, programs: &Programs) -> anyhow::Result<Prover> {
    let world = vec!["--world".to_owned(), proof.world.to_string()];
    Prover::new(file, world, tests && !proof.skip_tests, programs.clone())
}

fn read(file: &Path) -> anyhow::Result<Document> {
    Ok(Document::parse(&fs::read_to_string(file).with_context(|| file.display().to_string())?))
}

/// Prints what is wrong with an RFC, and returns how much that is.
fn check_one(file: &Path, prover: &Prover) -> Result<usize, Error> {
    let document = read(file)?;
    let mut problems = check::problems(&document, &prover.folder);
    for figure in &document.figures {
        problems.extend(prover.figure(figure)?.err());
    }
    let mut lines: Vec<_> = problems.iter().map(|problem| format!("{}:{problem}", file.display())).collect();
    for claim in prover.claims(&document)?.iter().filter(|claim| claim.status == Status::Fails) {
        let failed =
            claim.proofs.iter().filter(|proof| proof.status == Status::Fails && !proof.proof.starts_with("figure"));
        lines.extend(failed.map(|proof| {
            format!(
                "{}: {}: {} fails: {}",
                file.display(),
                claim.id,
                proof.proof,
                proof.reason.as_deref().unwrap_or_default()
            )
        }));
    }
    for line in &lines {
        complain(line);
    }
    if lines.is_empty() {
        let claims = document.claims.iter().filter(|claim| !claim.id.question).count();
        answer(format!("{}: {claims} claims, {} figures: all hold", file.display(), document.figures.len()))?;
    }
    Ok(lines.len())
}

/// Runs all proofs and prints the status of each claim.
fn prove(file: &Path, format: RfcFormat, html: Option<&Path>, prover: &Prover) -> Result<Exit, Error> {
    let document = read(file)?;
    let claims = prover.claims(&document)?;
    if let Some(path) = html {
        fs::write(path, page::claims(&document.title, &claims))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    answer(match format {
        RfcFormat::Md => table::markdown(&claims),
        RfcFormat::Json => serde_json::to_string_pretty(&claims).context("writing the claims as JSON")?,
    })?;
    let failed = claims.iter().filter(|claim| claim.status == Status::Fails);
    for (claim, proof) in failed.flat_map(|claim| claim.proofs.iter().map(move |proof| (claim, proof))) {
        if let Some(reason) = &proof.reason {
            complain(format!("{}: {}: {reason}", claim.id, proof.proof));
        }
    }
    Ok(if claims.iter().any(|claim| claim.status == Status::Fails) { Exit::Failed } else { Exit::Passed })
}

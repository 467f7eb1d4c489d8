//! Runs what an RFC rests on: its scenarios, its tests, the commands of its figures.
//!
//! Each is a program of its own, this one or cargo, so a proof is run exactly as a reader of the RFC would run it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use similar::TextDiff;

use super::{
    check::{Kind, Problem},
    document::{Document, Figure, Proof},
    table::{ClaimStatus, ProofStatus, Status},
};
use crate::{interrupt::Programs, this_program};

/// How proofs are run.
#[derive(Clone, Debug)]
pub struct Prover {
    /// This program.
    pub dzsim: PathBuf,
    /// What is under way, which ends when this process is to end.
    pub programs: Programs,
    /// The folder of the RFC: links are relative to it.
    pub folder: PathBuf,
    /// Where commands are run: the folder that the RFC's folder is in.
    pub root: PathBuf,
    /// The options of `dzsim run` for scenarios.
    pub run_options: Vec<String>,
    /// Whether tests are run, by cargo. Where they are not, their proofs are taken as they stand: the test suite runs them.
    pub tests: bool,
}

/// What a command came to.
type Ran = Result<(), String>;

impl Prover {
    /// For an RFC in `file`.
    ///
    /// # Errors
    /// If this program's own file cannot be found or the RFC has no folder.
    pub fn new(file: &Path, run_options: Vec<String>, tests: bool, programs: Programs) -> anyhow::Result<Self> {
        let folder = std::path::absolute(file)?.parent().context("an RFC stands in a folder")?.to_owned();
        let root = folder.parent().unwrap_or(&folder).to_owned();
        Ok(Self { dzsim: this_program::path()?, programs, folder, root, run_options, tests })
    }

    /// Runs every proof once, whichever claims name it, and says how each claim stands.
    ///
    /// # Errors
    /// If a program cannot be started, or was interrupted. A proof that fails is a result.
    pub fn claims(&self, document: &Document) -> anyhow::Result<Vec<ClaimStatus>> {
        let mut ran: BTreeMap<String, Ran> = BTreeMap::new();
        let mut claims = Vec::new();
        for claim in &document.claims {
            let mut proofs = Vec::new();
            for proof in &claim.proofs {
                let name = proof.to_string();
                if !ran.contains_key(&name) {
                    ran.insert(name.clone(), self.prove(proof, &document.figures)?);
                }
                let reason = ran.get(&name).and_then(|ran| ran.clone().err());
                let status = if reason.is_some() { Status::Fails } else { Status::Holds };
                proofs.push(ProofStatus { proof: name, status, reason });
            }
            claims.push(ClaimStatus::new(claim, proofs));
        }
        Ok(claims)
    }

    fn prove(&self, proof: &Proof, figures: &[Figure]) -> anyhow::Result<Ran> {
        match proof {
            Proof::Scenario { file } => self.scenario(&self.folder.join(file)),
            Proof::Test { file, name } if self.tests => self.test(&self.folder.join(file), name),
            Proof::Test { .. } => Ok(Ok(())),
            Proof::Figure { anchor } => match figures.iter().find(|figure| figure.anchor == *anchor) {
                Some(figure) => Ok(self.figure(figure)?.map_err(|problem| problem.kind.to_string())),
                None => Ok(Err("there is no such figure".to_owned())),
            },
            Proof::Unknown { .. } => Ok(Err("it is no proof".to_owned())),
        }
    }

    fn scenario(&self, file: &Path) -> anyhow::Result<Ran> {
        let artifacts = tempfile::tempdir()?;
        let mut command = Command::new(&self.dzsim);
        command.current_dir(&self.root).arg("run").arg(file).args(&self.run_options);
        command.arg("--artifacts").arg(artifacts.path());
        Ok(self.ran(&mut command)?.map(drop))
    }

    /// Runs one test of the package that a Rust file belongs to.
    fn test(&self, file: &Path, name: &str) -> anyhow::Result<Ran> {
        let package = file
            .ancestors()
            .skip(1)
            .map(|folder| folder.join("Cargo.toml"))
            .find(|manifest| manifest.is_file())
            .with_context(|| format!("{} belongs to no package", file.display()))?;
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).args(["test", "--quiet", "--locked", "--manifest-path"]).arg(package).arg(name);
        let text = match self.ran(&mut command)? {
            Ok(text) => text,
            Err(said) => return Ok(Err(said)),
        };
        let passed = text.split(" passed").filter_map(|part| part.rsplit(' ').next()?.parse::<u32>().ok()).sum::<u32>();
        Ok(if passed > 0 { Ok(()) } else { Err(format!("no test of that package is called {name}")) })
    }

    /// Runs a figure's command; the problem is that it failed, or what differs.
    ///
    /// # Errors
    /// If this program cannot be started.
    pub fn figure(&self, figure: &Figure) -> anyhow::Result<Result<(), Problem>> {
        let command = figure.arguments.join(" ");
        let problem = |kind| Ok(Err(Problem { line: figure.line, kind }));
        let anchor = figure.anchor.clone();
        match self.output(figure)? {
            Err(reason) => problem(Kind::NoFigure { anchor, command, reason }),
            Ok(output) if output == figure.output => Ok(Ok(())),
            Ok(output) => {
                let difference =
                    TextDiff::from_lines(&figure.output, &output).unified_diff().context_radius(1).to_string();
                problem(Kind::Stale { anchor, command, difference })
            }
        }
    }

    /// What a figure's command prints, or why it failed.
    fn output(&self, figure: &Figure) -> anyhow::Result<Result<String, String>> {
        self.ran(Command::new(&self.dzsim).current_dir(&self.root).args(&figure.arguments))
    }

    /// What a command prints; what it said on its standard output and error if it failed.
    fn ran(&self, command: &mut Command) -> anyhow::Result<Result<String, String>> {
        let (status, text, errors) = self.programs.start(command)?.output()?;
        anyhow::ensure!(self.programs.ended_by().is_none(), "interrupted");
        Ok(match status.success() {
            true => Ok(text),
            false => Err(format!("{}\n{}", text.trim(), errors.trim()).trim().to_owned()),
        })
    }

    /// Writes what every figure's command gives now into the file; returns how many have changed.
    ///
    /// # Errors
    /// If a command fails or the file cannot be read or written.
    pub fn update_figures(&self, file: &Path) -> anyhow::Result<usize> {
        let mut text = fs::read_to_string(file)?;
        let document = Document::parse(&text);
        let mut changed = 0;
        // From the last to the first, so that the places of those before stay.
        for figure in document.figures.iter().rev() {
            let now = self.output(figure)?.map_err(anyhow::Error::msg).with_context(|| figure.arguments.join(" "))?;
            if now != figure.output {
                text.replace_range(figure.span.clone(), &now);
                changed += 1;
            }
        }
        if changed > 0 {
            fs::write(file, text)?;
        }
        Ok(changed)
    }
}

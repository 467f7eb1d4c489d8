//! Problems of an RFC that its text and its files show. Running proofs is [`super::prove`]'s.

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use super::document::{Document, Figure, Id, OPEN_QUESTIONS, Proof};

/// The sections of an RFC, in order: the template of the live project.
pub const SECTIONS: [&str; 9] = [
    "Summary",
    "Motivation",
    "New Terminology",
    "Alternatives Considered",
    "Detailed Design",
    "Impact",
    "Security Considerations",
    "Backwards Compatibility",
    OPEN_QUESTIONS,
];

/// Something to mend, at a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line in the file, from 1.
    pub line: usize,
    /// What is wrong.
    pub kind: Kind,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Kind {
    /// The sections are not the template's.
    #[error("expected the sections {}, got {}", SECTIONS.join(", "), .found.join(", "))]
    Sections {
        /// What is there.
        found: Vec<String>,
    },
    /// A section says nothing.
    #[error("section {0} is empty")]
    Empty(String),
    /// A sentence with a word of RFC 2119 is no claim.
    #[error("a normative sentence without a claim id: \"{0}\"")]
    Unclaimed(String),
    /// Two claims have one id.
    #[error("{0} is used twice")]
    Twice(Id),
    /// A claim has no proof and is no open question.
    #[error("{0} has no proof and is not under {OPEN_QUESTIONS}")]
    Unproved(Id),
    /// A proof leads nowhere.
    #[error("{id}: {proof}: {reason}")]
    Proof {
        /// The claim.
        id: Id,
        /// Its proof.
        proof: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A figure is not what its command gives.
    #[error("figure #{anchor} is not what `dzsim {command}` gives now:\n{difference}")]
    Stale {
        /// The figure.
        anchor: String,
        /// Its command.
        command: String,
        /// Line by line.
        difference: String,
    },
    /// A figure's command failed.
    #[error("figure #{anchor}: `dzsim {command}` failed: {reason}")]
    NoFigure {
        /// The figure.
        anchor: String,
        /// Its command.
        command: String,
        /// What it said.
        reason: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.kind)
    }
}

/// Everything that is wrong with an RFC whose links are relative to `folder`, in order of lines.
pub fn problems(document: &Document, folder: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    let names: Vec<String> = document.sections.iter().map(|section| section.name.clone()).collect();
    if names != SECTIONS {
        found.push(Problem { line: 1, kind: Kind::Sections { found: names } });
    }
    let empty = document.sections.iter().filter(|section| section.empty);
    found.extend(empty.map(|section| Problem { line: section.line, kind: Kind::Empty(section.name.clone()) }));
    let unclaimed = document.unclaimed.iter();
    found.extend(unclaimed.map(|(line, text)| Problem { line: *line, kind: Kind::Unclaimed(text.clone()) }));
    let mut seen = BTreeSet::new();
    for claim in &document.claims {
        let mut add = |kind| found.push(Problem { line: claim.line, kind });
        if !seen.insert(&claim.id) {
            add(Kind::Twice(claim.id.clone()));
        }
        if claim.proofs.is_empty() && !claim.id.question && !document.questioned.contains(&claim.id) {
            add(Kind::Unproved(claim.id.clone()));
        }
        for proof in &claim.proofs {
            if let Err(reason) = exists(proof, &document.figures, folder) {
                add(Kind::Proof { id: claim.id.clone(), proof: proof.to_string(), reason });
            }
        }
    }
    found.sort();
    found
}

/// Whether there is such a scenario, test or figure.
fn exists(proof: &Proof, figures: &[Figure], folder: &Path) -> Result<(), String> {
    match proof {
        Proof::Scenario { file } => read(folder, file).map(drop),
        Proof::Test { file, name } => {
            let text = read(folder, file)?;
            // `tests::name` is the function `name`.
            let function = name.rsplit("::").next().unwrap_or(name);
            match text.contains(&format!("fn {function}(")) {
                true => Ok(()),
                false => Err(format!("there is no `fn {function}` in that file")),
            }
        }
        Proof::Figure { anchor } => match figures.iter().any(|figure| figure.anchor == *anchor) {
            true => Ok(()),
            false => Err("there is no such figure in this document".to_owned()),
        },
        Proof::Unknown { .. } => {
            Err("expected a scenario (.yaml), a test (.rs, the link's text its name) or a figure (#figure-...)"
                .to_owned())
        }
    }
}

fn read(folder: &Path, file: &PathBuf) -> Result<String, String> {
    fs::read_to_string(folder.join(file)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An RFC with one claim as given, in a folder that has a scenario and a test file.
    fn check(claim: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "").unwrap();
        fs::write(folder.path().join("a.rs"), "#[test]\nfn it_holds() {}\n").unwrap();
        let sections = SECTIONS.map(|name| {
            let body = if name == "Detailed Design" { claim } else { "Some words." };
            format!("## {name}\n\n{body}\n")
        });
        let document = Document::parse(&sections.join("\n"));
        problems(&document, folder.path()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_claim_needs_a_proof_that_exists() {
        assert_eq!(check("- **C1** A. Proof: [s](a.yaml), [tests::it_holds](a.rs)."), [""; 0]);
        assert_eq!(check("- **C1** A."), ["19: C1 has no proof and is not under Open Questions"]);
        assert_eq!(
            check("- **C1** A. Proof: [s](b.yaml), [not_there](a.rs), [f](#figure-x), [p](https://example.org/a)."),
            [
                "19: C1: figure #figure-x: there is no such figure in this document",
                "19: C1: link https://example.org/a: expected a scenario (.yaml), a test (.rs, the link's text its name) \
                 or a figure (#figure-...)",
                "19: C1: scenario b.yaml: No such file or directory (os error 2)",
                "19: C1: test not_there in a.rs: there is no `fn not_there` in that file",
            ]
        );
    }

    #[test]
    fn an_id_is_used_once_and_a_normative_sentence_has_one() {
        assert_eq!(
            check("It MUST hold.\n\n- **C1** A. Proof: [s](a.yaml).\n- **C1** B. Proof: [s](a.yaml)."),
            ["19: a normative sentence without a claim id: \"It MUST hold.\"", "22: C1 is used twice"]
        );
    }

    #[test]
    fn an_open_question_needs_no_proof() {
        assert_eq!(check("- **Q1** Who? Settled by a vote."), [""; 0]);
    }

    #[test]
    fn the_sections_are_the_template_s() {
        let document = Document::parse("## Summary\n\n## Impact\n\nSome.\n");
        let found: Vec<_> = problems(&document, Path::new(".")).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "1: expected the sections Summary, Motivation, New Terminology, Alternatives Considered, Detailed \
                 Design, Impact, Security Considerations, Backwards Compatibility, Open Questions, got Summary, Impact",
                "1: section Summary is empty",
            ]
        );
    }
}

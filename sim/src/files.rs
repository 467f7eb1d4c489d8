//! From the files and folders on the command line to cases.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{
    Parser as _,
    error::{ContextKind, ContextValue, ErrorKind},
};
use dz_client::cli::args::Cli;
use dzsim_fabric::geo::{METROS, metro};
use dzsim_scenario::{Case, Change, Diagnostics, Lexicon, Refusal, plan::LatLng};

/// Why there are no cases.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder without scenarios.
    #[error("{0}: no scenario files (*.yaml) in it")]
    Empty(PathBuf),
    /// Files that are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Diagnostics>),
}

/// The metros of the fabric's geography and the commands of `doublezero`, for the scenario language.
pub struct Words;

impl Lexicon for Words {
    fn metro(&self, code: &str) -> Option<LatLng> {
        let position = metro(code)?.position;
        Some(LatLng { lat: position.latitude(), lng: position.longitude() })
    }

    fn metros(&self) -> Vec<&str> {
        METROS.iter().map(|metro| metro.code).collect()
    }

    fn refusal(&self, words: &[String]) -> Option<Refusal> {
        let line = std::iter::once("doublezero").chain(words.iter().map(String::as_str));
        let error = Cli::try_parse_from(line).err()?;
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return None;
        }
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            // The most similar one is the last.
            Some(ContextValue::Strings(texts)) => texts.last().cloned(),
            _ => None,
        };
        let word = text(ContextKind::InvalidSubcommand).or_else(|| text(ContextKind::InvalidValue));
        let word = word.or_else(|| text(ContextKind::InvalidArg)).filter(|word| words.contains(word));
        let near = text(ContextKind::SuggestedSubcommand).or_else(|| text(ContextKind::SuggestedValue));
        let near = near.or_else(|| text(ContextKind::SuggestedArg));
        // The first paragraph says what is wrong; tips and usage follow.
        let rendered = error.render().to_string();
        let first = rendered.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
        let message = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Some(Refusal {
            word: word.unwrap_or_default(),
            message: format!("doublezero: {message}"),
            help: near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default(),
        })
    }
}

/// The scenario files among these and below these, in order.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            below(path, &mut files)?;
            if files.len() == before {
                return Err(FileError::Empty(path.clone()));
            }
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), FileError> {
    let failed = |source| FileError::Read { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            below(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}

/// What a suite asks of these files beyond being valid.
pub fn review(files: &[PathBuf]) -> Result<(), FileError> {
    let mut wrong = Vec::new();
    for file in files {
        wrong.extend(dzsim_scenario::review(file, &read(file)?).err());
    }
    if wrong.is_empty() { Ok(()) } else { Err(FileError::Wrong(wrong)) }
}

fn read(file: &Path) -> Result<String, FileError> {
    fs::read_to_string(file).map_err(|source| FileError::Read { path: file.to_owned(), source })
}

/// The cases of these files with these changes made to each, each case with its file; everything that is wrong with any of them.
pub fn load(files: &[PathBuf], changes: &[Change]) -> Result<Vec<(PathBuf, Case)>, FileError> {
    let mut cases = Vec::new();
    let mut wrong = Vec::new();
    for file in files {
        let text = read(file)?;
        match dzsim_scenario::parse_changed(file, &text, changes, &Words) {
            Ok(found) => cases.extend(found.into_iter().map(|case| (file.clone(), case))),
            Err(diagnostics) => wrong.push(diagnostics),
        }
    }
    if wrong.is_empty() { Ok(cases) } else { Err(FileError::Wrong(wrong)) }
}

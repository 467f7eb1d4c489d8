//! From the files and folders on the command line to cases.

use std::{
    fs,
    path::{Path, PathBuf},
};

use dzsim_fabric::geo::{METROS, metro};
use dzsim_scenario::{Case, Change, Diagnostics, Metros, plan::LatLng};

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

/// The metros of the fabric's geography, for the scenario language.
pub struct KnownMetros;

impl Metros for KnownMetros {
    fn get(&self, code: &str) -> Option<LatLng> {
        let position = metro(code)?.position;
        Some(LatLng { lat: position.latitude(), lng: position.longitude() })
    }

    fn codes(&self) -> Vec<&str> {
        METROS.iter().map(|metro| metro.code).collect()
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

/// The cases of these files with these changes made to each, each case with its file; everything that is wrong with any of them.
pub fn load(files: &[PathBuf], changes: &[Change]) -> Result<Vec<(PathBuf, Case)>, FileError> {
    let mut cases = Vec::new();
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).map_err(|source| FileError::Read { path: file.clone(), source })?;
        match dzsim_scenario::parse_changed(file, &text, changes, &KnownMetros) {
            Ok(found) => cases.extend(found.into_iter().map(|case| (file.clone(), case))),
            Err(diagnostics) => wrong.push(diagnostics),
        }
    }
    if wrong.is_empty() { Ok(cases) } else { Err(FileError::Wrong(wrong)) }
}

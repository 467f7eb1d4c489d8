//! Networks that are held: by `up`, or by `run --pause-on-failure` after a failure.
//!
//! A note in the artifacts of the case says which processes hold it, so nothing is left outside that folder. A note
//! whose process has ended, or is another one by now, is no network.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::exit::Error;

/// The note's name.
const NOTE: &str = "held.json";

/// A network that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its case.
    pub case: String,
    /// The process that ends it when it is asked to.
    pub holder: i32,
    /// Pid 1 of the lab, as the world outside counts.
    pub init: i32,
    /// When that process was started, in clock ticks since boot: a pid alone may be another's by now.
    pub started: u64,
    /// Its nodes.
    pub nodes: Vec<String>,
}

impl Held {
    /// Notes that `init` holds this case.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn note(
        artifacts: &Path,
        case: &str,
        holder: i32,
        init: Pid,
        started: u64,
        nodes: Vec<String>,
    ) -> io::Result<()> {
        let held = Self { case: case.to_owned(), holder, init: init.as_raw(), started, nodes };
        serde_json::to_writer(fs::File::create(artifacts.join(NOTE))?, &held)?;
        Ok(())
    }

    /// Takes the note away.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn forget(artifacts: &Path) -> io::Result<()> {
        match fs::remove_file(artifacts.join(NOTE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The networks below a folder of artifacts that are held right now, by case.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn all(root: &Path) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let path: PathBuf = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.ends_with(NOTE)
                    && let Ok(held) = serde_json::from_slice::<Self>(&fs::read(&path)?)
                    && start_of(held.init).is_some_and(|start| start == held.started)
                {
                    found.push(held);
                }
            }
        }
        found.sort_by(|a, b| a.case.cmp(&b.case));
        Ok(found)
    }

    /// The one network of this name, or the only one.
    ///
    /// # Errors
    /// There is none, or no name and several; or the folder cannot be read.
    pub fn one(root: &Path, case: Option<&str>) -> Result<Self, Error> {
        let held = Self::all(root).context("looking for networks that are held")?;
        let names = held.iter().map(|held| held.case.as_str()).collect::<Vec<_>>().join(", ");
        let found = match case {
            Some(case) => held.iter().find(|held| held.case == case).cloned(),
            None if held.len() == 1 => held.first().cloned(),
            None => None,
        };
        found.ok_or_else(|| match case {
            _ if held.is_empty() => Error::input("no network is held; `dzsim up FILE` brings one up"),
            Some(case) => Error::input(format!("no network {case} is held; held are: {names}")),
            None => Error::input(format!("several networks are held, name one with --case: {names}")),
        })
    }
}

/// When a process was started, in clock ticks since boot (proc_pid_stat(5), field 22).
pub fn start_of(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may hold anything; the third follows the last one.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

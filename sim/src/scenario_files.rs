//! Cases from the files and folders on the command line.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::{
    CommandFactory as _, FromArgMatches as _,
    error::{ContextKind, ContextValue, ErrorKind},
};
use dz_client::cli::args::Cli;
use dz_sdk::program::validation::InterfaceName;
use dzsim_fabric::geo::{METROS, metro};
use dzsim_scenario::{Case, Change, Diagnostics, Lexicon, Look, Refusal, plan::LatLng};

/// A scenario file is at most this long: it is written and read by people.
const MAX_BYTES: u64 = 1 << 20;

/// Why there are no cases.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file or folder cannot be read.
    #[error("error: {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder without scenarios.
    #[error("error: {}: no scenario files (*.yaml) in it", .0.display())]
    Empty(PathBuf),
    /// Two files whose cases have the same name, and with it the same folder of artifacts.
    #[error("error: {} and {} both have the case {case}: run them one after the other, or rename one", first.display(), second.display())]
    SameCase {
        /// The case.
        case: String,
        /// A file with that case.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// Files that are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Diagnostics>),
}

impl FileError {
    /// What is wrong, as JSON: all diagnostics, or the one message that is about no place.
    pub fn diagnostics(&self) -> Vec<serde_json::Value> {
        match self {
            Self::Wrong(list) => {
                list.iter().flat_map(Diagnostics::iter).map(|found| serde_json::json!(found)).collect()
            }
            other => vec![serde_json::json!({"message": other.to_string().trim_start_matches("error: ")})],
        }
    }

    /// The text for a terminal of this look.
    pub fn render(&self, look: Look) -> String {
        match self {
            Self::Wrong(list) => list.iter().map(|wrong| wrong.render(look)).collect::<Vec<_>>().join("\n"),
            other => other.to_string(),
        }
    }
}

impl From<FileError> for crate::exit::Error {
    fn from(error: FileError) -> Self {
        Self::Input(error.render(crate::terminal::Terminal::of_stderr().look()))
    }
}

/// The metros of the fabric's geography and the commands of `doublezero`, for the scenario language.
#[derive(Debug)]
pub struct Words {
    /// Built once: a scenario has many commands.
    doublezero: RefCell<clap::Command>,
}

impl Default for Words {
    fn default() -> Self {
        Self { doublezero: RefCell::new(Cli::command()) }
    }
}

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
        let mut command = self.doublezero.borrow_mut();
        let error = match command.try_get_matches_from_mut(line) {
            Ok(found) => Cli::from_arg_matches(&found).err()?.format(&mut command),
            Err(error) => error,
        };
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

    fn is_interface(&self, name: &str) -> bool {
        name.parse::<InterfaceName>().is_ok()
    }

    fn interface_words(&self) -> Vec<&str> {
        InterfaceName::words().collect()
    }
}

/// The scenario files among these and below these, in order, each once however often and by whichever path it is
/// named.
///
/// # Errors
/// A folder that cannot be read or has no scenario.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
    let mut search = Search::default();
    for path in paths {
        if path.is_dir() {
            let before = search.named.len();
            search.below(path)?;
            if search.named.len() == before {
                return Err(FileError::Empty(path.clone()));
            }
        } else {
            search.file(path.clone());
        }
    }
    let mut files: Vec<PathBuf> = search.files.into_values().collect();
    files.sort();
    Ok(files)
}

#[derive(Default)]
struct Search {
    /// Files by their real path, each with the path it was first found by.
    files: BTreeMap<PathBuf, PathBuf>,
    /// Everything that was found, also what was found before.
    named: Vec<PathBuf>,
    /// Real paths of the folders on the way down: a link to one of them leads in a circle.
    above: BTreeSet<PathBuf>,
}

impl Search {
    fn file(&mut self, path: PathBuf) {
        // A file that does not exist is reported when it is read.
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        self.named.push(path.clone());
        self.files.entry(real).or_insert(path);
    }

    fn below(&mut self, folder: &Path) -> Result<(), FileError> {
        let failed = |source| FileError::Read { path: folder.to_owned(), source };
        let real = folder.canonicalize().map_err(failed)?;
        if !self.above.insert(real.clone()) {
            return Ok(());
        }
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                self.below(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                self.file(path);
            }
        }
        self.above.remove(&real);
        Ok(())
    }
}

/// What a suite asks of these files beyond being valid.
///
/// # Errors
/// A file does not hold it, or cannot be read.
pub fn review(files: &[PathBuf]) -> Result<(), FileError> {
    let mut wrong = Vec::new();
    for file in files {
        let text = read(file).map_err(|source| FileError::Read { path: file.clone(), source })?;
        wrong.extend(dzsim_scenario::review(file, &text).err());
    }
    if wrong.is_empty() { Ok(()) } else { Err(FileError::Wrong(wrong)) }
}

/// The cases of these files with these changes made to each, each case with its file; everything that is wrong with any of
/// them.
///
/// # Errors
/// [`FileError`].
pub fn load(files: &[PathBuf], changes: &[Change]) -> Result<Vec<(PathBuf, Case)>, FileError> {
    let mut cases: Vec<(PathBuf, Case)> = Vec::new();
    let mut wrong = Vec::new();
    for file in files {
        let failed = |source| FileError::Read { path: file.clone(), source };
        let text = read(file).map_err(failed)?;
        // A case is named by where its file is, not by the path that leads there from the working directory.
        match dzsim_scenario::parse_changed(&file.canonicalize().map_err(failed)?, &text, changes, &Words::default()) {
            Ok(found) => cases.extend(found.into_iter().map(|case| (file.clone(), case))),
            Err(diagnostics) => wrong.push(diagnostics.named(file)),
        }
    }
    if !wrong.is_empty() {
        return Err(FileError::Wrong(wrong));
    }
    let mut owners: BTreeMap<&str, &PathBuf> = BTreeMap::new();
    for (file, case) in &cases {
        if let Some(first) = owners.insert(&case.name, file) {
            return Err(FileError::SameCase { case: case.name.clone(), first: first.clone(), second: file.clone() });
        }
    }
    Ok(cases)
}

/// Where the snapshots of a scenario are unless something else is said: in `snapshots/scenarios` beside the innermost
/// folder `scenarios` that the file is in, else in `snapshots` beside the file. `file` is a whole path.
pub fn snapshots(file: &Path) -> PathBuf {
    let tree = file.ancestors().skip(1).find(|folder| folder.file_name().is_some_and(|name| name == "scenarios"));
    match (tree.and_then(Path::parent), file.parent()) {
        (Some(root), _) => root.join("snapshots/scenarios"),
        (None, beside) => beside.unwrap_or(file).join("snapshots"),
    }
}

/// Reads a regular file of bounded length.
///
/// # Errors
/// Besides those of reading: it is a device, a pipe or a folder, is too long, or is not UTF-8.
pub fn read(path: &Path) -> io::Result<String> {
    let other = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
    // Without waiting: a named pipe that nobody writes to would block the open itself.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(other("not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    // One more than allowed, to see that there is more; the length in the metadata may be out of date.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(other(format!("longer than {} KiB, the most that a scenario file may have", MAX_BYTES >> 10)));
    }
    String::from_utf8(bytes).map_err(|_| other("not UTF-8 text".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "# Nothing.\nnetwork: { exchanges: { nyc: {} } }\nsteps: []\n";

    #[test]
    fn a_file_named_by_several_paths_is_found_once() {
        let root = tempfile::tempdir().unwrap();
        let topic = root.path().join("topic");
        fs::create_dir(&topic).unwrap();
        let file = topic.join("case.yaml");
        fs::write(&file, CASE).unwrap();
        std::os::unix::fs::symlink(&topic, root.path().join("again")).unwrap();
        std::os::unix::fs::symlink(root.path(), topic.join("circle")).unwrap();
        let around = topic.join("../topic/case.yaml");
        assert_eq!(find(&[file.clone(), around, root.path().to_owned(), file.clone()]).unwrap(), [file]);
    }

    #[test]
    fn two_files_with_one_case_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = ["a/topic", "b/topic"]
            .into_iter()
            .map(|folder| {
                fs::create_dir_all(root.path().join(folder)).unwrap();
                let file = root.path().join(folder).join("case.yaml");
                fs::write(&file, CASE).unwrap();
                file
            })
            .collect();
        let error = load(&files, &[]).unwrap_err();
        assert!(matches!(&error, FileError::SameCase { case, .. } if case == "topic/case"), "{error}");
    }

    #[test]
    fn snapshots_are_beside_the_tree_that_the_file_is_in() {
        let of = |file: &str| snapshots(Path::new(file));
        assert_eq!(of("/a/scenarios/topic/case.yaml"), Path::new("/a/snapshots/scenarios"));
        assert_eq!(of("/scenarios/b/scenarios/case.yaml"), Path::new("/scenarios/b/snapshots/scenarios"));
        assert_eq!(of("/home/me/case.yaml"), Path::new("/home/me/snapshots"));
    }

    #[test]
    fn what_is_no_file_of_bounded_length_is_refused_at_once() {
        let root = tempfile::tempdir().unwrap();
        let (fifo, long) = (root.path().join("fifo.yaml"), root.path().join("long.yaml"));
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::write(&long, vec![b'#'; 10 << 20]).unwrap();
        let error = |path: &Path| read(path).unwrap_err().to_string();
        assert_eq!(error(&fifo), "not a regular file");
        assert_eq!(error(Path::new("/dev/zero")), "not a regular file");
        assert_eq!(error(root.path()), "not a regular file");
        assert_eq!(error(&long), "longer than 1024 KiB, the most that a scenario file may have");
        fs::write(&long, vec![b'#'; 1 << 20]).unwrap();
        assert!(read(&long).is_ok());
    }
}

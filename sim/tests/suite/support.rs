//! Running the program as a person or a CI job does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A folder of its own with scenarios, from which the program is called.
pub(crate) struct Place {
    pub(crate) root: tempfile::TempDir,
}

/// A network of one device and one client, and nothing to do.
pub(crate) const QUIET: &str = "# Nothing happens.\n\
    network:\n  devices: { nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: nyc } }\n\
    steps:\n  - run: doublezero status\n    on: val1\n";

/// The same with a step that fails.
pub(crate) const FAILING: &str = "# A step that fails.\n\
    network:\n  devices: { nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: nyc } }\n\
    steps:\n  - run: doublezero status\n    on: val1\n    exit: 5\n";

impl Place {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The program with these arguments, in this folder.
    pub(crate) fn dzsim(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dzsim"));
        command.args(args).current_dir(self.root.path()).stdin(Stdio::null());
        // What a CI job or a terminal adds of its own is the subject of single tests.
        command.env_remove("GITHUB_ACTIONS").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.dzsim(args).output().unwrap())
    }
}

/// How the program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Checks the exit code, and shows everything if it is another.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, Some(expected), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

/// A program that is killed with the test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0.id().cast_signed()), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Option<i32> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not end");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the file is there and holds the text.
#[track_caller]
pub(crate) fn appears(path: &Path, text: &str) {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if fs::read_to_string(path).is_ok_and(|found| found.contains(text)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{} does not come to hold {text:?}", path.display());
}

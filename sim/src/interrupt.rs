//! Ctrl-C and SIGTERM.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;

/// Calls `each` for every SIGINT and SIGTERM from now on, from a thread of its own, with the exit code it asks for.
///
/// # Errors
/// The handlers cannot be installed.
pub fn watch(mut each: impl FnMut(Exit) + Send + 'static) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    drop(guard);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async move {
            loop {
                each(tokio::select! {
                    biased;
                    _ = interrupt.recv() => Exit::Interrupted,
                    _ = terminate.recv() => Exit::Terminated,
                });
            }
        });
    })?;
    Ok(())
}

/// Programs that this one starts, and that end in good order when it is to end. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Programs(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    running: BTreeSet<i32>,
    /// What has asked for the end first.
    ended_by: Option<Exit>,
}

impl Programs {
    /// From now on SIGINT and SIGTERM are passed on to the programs, and none is started after the first. This process goes
    /// on: it has to say what was done, and to remove what it made.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn watched() -> anyhow::Result<Self> {
        let programs = Self::default();
        let passed_on = programs.clone();
        watch(move |exit| passed_on.end(exit))?;
        Ok(programs)
    }

    /// What has asked for the end, if anything has.
    pub fn ended_by(&self) -> Option<Exit> {
        self.locked().ended_by
    }

    fn end(&self, exit: Exit) {
        let mut state = self.locked();
        state.ended_by.get_or_insert(exit);
        let signal = if exit == Exit::Interrupted { Signal::SIGINT } else { Signal::SIGTERM };
        for pid in &state.running {
            // It is not reaped while it is among the running, so the pid is its own.
            let _ = kill(Pid::from_raw(*pid), signal);
        }
    }

    /// Starts a program, whose output is read by [`Running::finish`] or [`Running::output`].
    ///
    /// # Errors
    /// It cannot be started, or the end was asked for.
    pub fn start(&self, command: &mut Command) -> anyhow::Result<Running> {
        // A process group of its own: what the terminal sends would reach it twice.
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut state = self.locked();
        anyhow::ensure!(state.ended_by.is_none(), "interrupted");
        let child = command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        state.running.insert(child.id().cast_signed());
        Ok(Running { child, programs: self.clone() })
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them.
#[derive(Debug)]
pub struct Running {
    child: Child,
    programs: Programs,
}

impl Running {
    /// Its pid.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, which comes with all that it wrote to standard output and standard error.
    ///
    /// # Errors
    /// Its output is not text.
    pub fn output(self) -> anyhow::Result<(ExitStatus, String, String)> {
        let mut text = String::new();
        let (status, errors) = self.finish(|line| {
            text.extend([&line, "\n"]);
            Ok(())
        })?;
        Ok((status, text, errors))
    }

    /// Hands each line of its output to `line` and waits for its end, which comes with what it wrote to standard error.
    ///
    /// # Errors
    /// Its output is not text, or the first error of `line`.
    pub fn finish(
        mut self,
        mut line: impl FnMut(String) -> anyhow::Result<()>,
    ) -> anyhow::Result<(ExitStatus, String)> {
        let (out, errors) = (self.child.stdout.take(), self.child.stderr.take());
        // Read beside the other stream: a pipe that nobody reads stops its writer.
        let errors = thread::spawn(move || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            errors.map_or(Ok(0), |mut errors| errors.read_to_end(&mut bytes))?;
            Ok(bytes)
        });
        let mut result = Ok(());
        for text in out.into_iter().flat_map(|out| BufReader::new(out).lines()) {
            let taken = text.map_err(anyhow::Error::from).and_then(&mut line);
            result = result.and(taken);
        }
        let errors = errors.join().map_err(|_| anyhow::anyhow!("the reader of standard error panicked"))??;
        let ended = {
            let mut state = self.programs.locked();
            state.running.remove(&self.child.id().cast_signed());
            self.child.wait()?
        };
        result?;
        Ok((ended, String::from_utf8_lossy(&errors).into_owned()))
    }
}

//! The reports of one run: one to standard output, and any number to files.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::{Github, Html, Human, Json, Junit, Report, Trace};
use crate::{
    cli::{Format, RunArgs},
    exit::Error,
    terminal::Terminal,
};

/// Hands what happens to each report. One that cannot be written is dropped and keeps no other from going on.
pub struct Reports {
    list: Vec<(Target, Box<dyn Report>)>,
    failed: Vec<(Target, io::Error)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Stdout,
    File(PathBuf),
}

impl Reports {
    /// The reports that the arguments ask for, about this many cases. Files are made now: an old one of the same name
    /// must not pass for the report of a run that was killed.
    ///
    /// # Errors
    /// A file cannot be created.
    pub fn new(args: &RunArgs, cases: usize) -> Result<Self, Error> {
        let terminal = Terminal::of_stdout();
        let mut list: Vec<(Target, Box<dyn Report>)> = vec![(
            Target::Stdout,
            match args.format {
                Format::Human => Box::new(Human::new(io::stdout(), terminal, cases)),
                Format::Json => Box::new(Json::new(io::stdout())),
                Format::Junit => Box::new(Junit::new(io::stdout())),
            },
        )];
        // What runs in GitHub Actions says so in this variable.
        if args.format == Format::Human && std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
            list.push((Target::Stdout, Box::new(Github::new(io::stdout()))));
        }
        if let Some(path) = &args.junit {
            list.push((Target::File(path.clone()), Box::new(Junit::new(create(path)?))));
        }
        if let Some(path) = &args.trace {
            list.push((Target::File(path.clone()), Box::new(Trace::new(create(path)?))));
        }
        if let Some(path) = &args.html {
            list.push((Target::File(path.clone()), Box::new(Html::new(create(path)?, path.clone()))));
        }
        Ok(Self { list, failed: Vec::new() })
    }

    /// Passes an event to each report.
    pub fn each(&mut self, mut tell: impl FnMut(&mut dyn Report) -> io::Result<()>) {
        let Self { list, failed } = self;
        list.retain_mut(|(target, report)| match tell(report.as_mut()) {
            Ok(()) => true,
            Err(error) => {
                failed.push((target.clone(), error));
                false
            }
        });
    }

    /// Whether no reader of the reports is left.
    pub fn stdout_failed(&self) -> bool {
        self.failed.iter().any(|(target, _)| *target == Target::Stdout)
    }

    /// The first report that could not be written.
    ///
    /// # Errors
    /// That one's.
    pub fn end(self) -> Result<(), Error> {
        match self.failed.into_iter().next() {
            None => Ok(()),
            Some((Target::Stdout, error)) => Err(Error::Output(error)),
            Some((Target::File(path), error)) => {
                Err(Error::Machine(anyhow::Error::from(error).context(format!("writing {}", path.display()))))
            }
        }
    }
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(path).with_context(|| format!("creating {}", path.display()))?))
}

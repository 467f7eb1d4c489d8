//! A scenario as a value: its YAML, the world it runs in, and where its artifacts go.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use dz_net::gre::Dataplane;
use dz_policy::Flags;
use dzsim_fabric::CaptureConfig;
use dzsim_scenario::Case;
use tokio::runtime::Builder;

use super::{Error, Network, before_main};
use crate::{
    entropy, environment,
    run::{artifacts, world::Kind},
    scenario_files::{self, Words},
};

/// The seed of a scenario that says none.
const SEED: u64 = 1;

/// Stack of the thread that runs a scenario in virtual time, in bytes: as much as a main thread has.
const STACK: usize = 8 << 20;

/// The network of [`Scenario::default`].
pub const SMALL: &str = include_str!("small.yaml");

/// A network to bring up, and how.
///
/// ```no_run
/// use dzsim::{Scenario, World};
///
/// fn main() -> dzsim::Result {
///     let scenario = Scenario::from_yaml("network: { devices: { nyc1: { exchange: nyc } }, clients: { val1: { exchange: nyc } } }")?;
///     scenario.world(World::Virtual).run(async |net| {
///         net.client("val1").run("doublezero connect ibrl").await?;
///         println!("{}", net.client("val1").run("doublezero status").await?.stdout);
///         Ok(())
///     })?
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) case: Case,
    pub(super) world: Kind,
    pub(super) seed: u64,
    pub(super) dataplane: Dataplane,
    pub(super) program: Option<PathBuf>,
    artifacts: Option<PathBuf>,
}

impl Default for Scenario {
    /// Two metros, two devices, two clients and a group, as [`SMALL`] says.
    fn default() -> Self {
        Self::from_yaml(SMALL).expect("the small scenario is valid")
    }
}

impl Scenario {
    /// A scenario from its text. Its steps, if it has any, run before the function that is given to [`Scenario::run`].
    ///
    /// # Errors
    /// The text is not a valid scenario, or has more than one case.
    pub fn from_yaml(text: impl Into<String>) -> Result<Self, Error> {
        Self::parse(Path::new("scenario.yaml"), text.into())
    }

    /// A scenario from its file.
    ///
    /// # Errors
    /// The file cannot be read, is not a valid scenario, or has more than one case.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = scenario_files::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(path, text)
    }

    fn parse(path: &Path, text: String) -> Result<Self, Error> {
        let mut cases = dzsim_scenario::parse(path, &text, &Words::default()).map_err(Error::Invalid)?;
        let case = match cases.pop() {
            Some(case) if cases.is_empty() => case,
            _ => return Err(Error::Cases(cases.len() + 1)),
        };
        let seed = case.seed.unwrap_or(SEED);
        let world = case.only_in.as_ref().map_or(Kind::Virtual, |only| only.world.into());
        let path = path.to_owned();
        Ok(Self { path, text, case, world, seed, dataplane: Dataplane::default(), program: None, artifacts: None })
    }

    /// The world to run in. Default: the virtual one, which needs nothing of the machine.
    #[must_use]
    pub fn world(mut self, world: Kind) -> Self {
        self.world = world;
        self
    }

    /// The seed of all randomness. Default: the scenario's own, or 1.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Data plane: where tunnels are created. Default: in the kernel where it can.
    #[must_use]
    pub fn dataplane(mut self, dataplane: Dataplane) -> Self {
        self.dataplane = dataplane;
        self
    }

    /// The `dzsim` program that plays the roles of the real world, such as another build. Default: the calling program
    /// itself, which has the roles linked in.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// The folder for events, capture, logs and the chain. Default: a temporary one, kept when the run fails.
    #[must_use]
    pub fn artifacts(mut self, folder: impl Into<PathBuf>) -> Self {
        self.artifacts = Some(folder.into());
        self
    }

    /// Brings the network up, calls `body` with it and takes it down.
    ///
    /// The virtual world runs in a thread of its own, on a clock that passes when nothing is left to do. The real world
    /// runs in fresh namespaces: the first call enters them, and the rest of the program stays in them. For that the
    /// process must have one thread; a test gets a process of its own by [`macro@crate::test`].
    ///
    /// # Errors
    /// The machine does not allow the world, the network does not come up, or a step of the scenario fails.
    pub fn run<T: Send>(self, body: impl AsyncFnOnce(Network) -> T + Send) -> Result<T, Error> {
        let folder = Folder::new(self.artifacts.as_deref())?;
        let claim = artifacts::claim(&folder.path, false)?;
        let done = match self.world {
            Kind::Real => self.in_real_time(&folder.path, body),
            Kind::Virtual => self.in_virtual_time(&folder.path, body),
        };
        drop(claim);
        folder.end(done)
    }

    fn in_real_time<T>(&self, folder: &Path, body: impl AsyncFnOnce(Network) -> T) -> Result<T, Error> {
        before_main::enter_once()?;
        environment::fix_umask();
        let runtime =
            Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(anyhow::Error::from)?;
        let done = runtime.block_on(self.up_and_down(folder, body));
        runtime.shutdown_background();
        done
    }

    fn in_virtual_time<T: Send>(&self, folder: &Path, body: impl AsyncFnOnce(Network) -> T + Send) -> Result<T, Error> {
        set_variables(&self.variables())?;
        entropy::from_seed(self.seed);
        let run = || {
            let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.map_err(anyhow::Error::from)?.block_on(self.up_and_down(folder, body))
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("world".to_owned()).stack_size(STACK).spawn_scoped(scope, run);
            let thread = thread.map_err(anyhow::Error::from)?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    async fn up_and_down<T>(&self, folder: &Path, body: impl AsyncFnOnce(Network) -> T) -> Result<T, Error> {
        let capture = CaptureConfig { path: folder.join(artifacts::CAPTURE), snaplen: None, ring: None };
        let (network, up) = Network::up(self.clone(), folder, capture).await?;
        let done = body(network).await;
        up.finish(folder)?;
        Ok(done)
    }

    /// What the environment of the process must say for the command lines of the virtual world, which run in it.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        self.case.policy.connect.variables()
    }
}

/// Sets variables of this process, unless they have these values.
fn set_variables(variables: &[(String, String)]) -> Result<(), Error> {
    let missing: Vec<_> =
        variables.iter().filter(|(name, value)| std::env::var(name).as_ref().ok() != Some(value)).collect();
    let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads > 1 && !missing.is_empty() {
        return Err(Error::Threads(threads));
    }
    // SAFETY: this process has one thread.
    missing.into_iter().for_each(|(name, value)| unsafe { std::env::set_var(name, value) });
    Ok(())
}

/// The folder of the artifacts: given, or temporary and removed unless the run fails.
struct Folder {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Folder {
    fn new(given: Option<&Path>) -> Result<Self, Error> {
        Ok(match given {
            Some(folder) => Self { path: std::path::absolute(folder).map_err(anyhow::Error::from)?, temporary: None },
            None => {
                let folder = tempfile::Builder::new().prefix("dzsim-").tempdir().map_err(anyhow::Error::from)?;
                Self { path: folder.path().to_owned(), temporary: Some(folder) }
            }
        })
    }

    fn end<T>(self, done: Result<T, Error>) -> Result<T, Error> {
        if let (Err(error), Some(folder)) = (&done, self.temporary) {
            tracing::error!(%error, artifacts = %folder.keep().display(), "the run failed");
        }
        done
    }
}

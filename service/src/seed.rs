//! The seed of a process.

/// The option of a process that takes decisions at random, such as how long to wait before it tries again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct SeedArgs {
    /// Seed of all randomness, for runs that can be repeated [default: from the system]
    #[arg(long, env = "DZ_SEED", value_name = "NUMBER")]
    pub seed: Option<u64>,
}

impl SeedArgs {
    /// The seed, or one of the system's.
    #[allow(clippy::disallowed_methods, reason = "the seed of the real world")]
    pub fn get(self) -> u64 {
        self.seed.unwrap_or_else(rand::random)
    }
}

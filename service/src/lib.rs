//! What every long-running process of the stack does alike: how it logs, says that it is ready, is asked to stop, and
//! waits before it tries again. Knows nothing of DoubleZero.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod backoff;
pub mod clock;
pub mod http;
pub mod log;
pub mod look_interval;
pub mod notify;
pub mod seed;
pub mod stop;
pub mod stream;
pub mod tasks;

pub use backoff::Backoff;
pub use clock::WallClock;
pub use log::LogFormat;
pub use look_interval::{LookInterval, next_tick};
pub use seed::SeedArgs;
pub use stop::stop_signal;
pub use tasks::{Task, Tasks};

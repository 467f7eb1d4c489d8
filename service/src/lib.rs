//! Parts that every long-running process of the stack shares: logging, readiness, stopping, and
//! waits before it tries again. Knows nothing of DoubleZero.
//!
//! ```
//! use std::time::Duration;
//!
//! let mut backoff = dz_service::Backoff::new(Duration::from_millis(100), Duration::from_secs(5), 1);
//! assert!(backoff.next_wait() <= Duration::from_millis(100));
//! assert!(backoff.next_wait() <= Duration::from_millis(200));
//! ```

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

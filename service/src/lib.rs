//! What every long-running process of the stack does alike: how it logs, says that it is ready, is asked to stop, and
//! waits before it tries again. Knows nothing of DoubleZero.

pub mod backoff;
pub mod log;
pub mod notify;
pub mod stop;

pub use backoff::Backoff;
pub use log::LogFormat;
pub use stop::stop_signal;

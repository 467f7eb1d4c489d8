//! The wall clock, passed in. What measures or waits goes by [`tokio::time`] instead.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

/// Says what time it is.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl WallClock {
    /// The machine's, which may be set.
    #[allow(clippy::disallowed_methods, reason = "the wall clock of the real world")]
    pub fn system() -> Self {
        Self(Arc::new(SystemTime::now))
    }

    /// One that shows what `now` says.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// One that stands at `since_1970` now and goes as [`tokio::time`] does.
    pub fn starting_at(since_1970: Duration) -> Self {
        let start = Instant::now();
        Self(Arc::new(move || SystemTime::UNIX_EPOCH + since_1970 + start.elapsed()))
    }

    /// The time.
    pub fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WallClock").field(&self.now()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_goes_as_tokio_does() {
        let clock = WallClock::starting_at(Duration::from_secs(1_767_225_600));
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_690));
    }
}

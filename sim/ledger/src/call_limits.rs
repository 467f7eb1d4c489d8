//! Limits on processor time and memory of answers, shared fairly between clients.
//!
//! A call whose answer may be long runs on a thread of its own, and only a few do at a time. They are let in in the order
//! they came; a connection has one call at a time, so connections take turns. The text of an answer is counted from when
//! it is made until the client has taken it, or the connection is gone.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which memory is counted, in bytes.
const UNIT: usize = 1024;

/// The places and the memory there are.
#[derive(Debug)]
pub(crate) struct CallLimits {
    places: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

/// Memory that answers take, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "it is held, not used")] OwnedSemaphorePermit);

impl CallLimits {
    /// The most concurrent calls with long answers, and the most bytes for the answers of all clients.
    pub(crate) fn new(places: usize, bytes: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), memory: Arc::new(Semaphore::new(bytes / UNIT)) }
    }

    /// Runs on a thread of its own when it is this caller's turn. None if the thread panicked, or there is no runtime any
    /// more to run it.
    pub(crate) async fn take<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        // The place goes with the work: it runs on when nobody waits for it any more.
        let work = move || {
            let _place = place;
            work()
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// Counts an answer of this length; none if the answers that wait for their clients leave no room.
    pub(crate) fn hold(&self, bytes: usize) -> Option<Held> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        Arc::clone(&self.memory).try_acquire_many_owned(units).ok().map(Held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_with_the_answer() {
        let call_limits = CallLimits::new(1, 10 * UNIT);
        let held = call_limits.hold(9 * UNIT + 1).expect("room for ten");
        assert!(call_limits.hold(1).is_none());
        drop(held);
        assert!(call_limits.hold(10 * UNIT).is_some());
        assert!(call_limits.hold(11 * UNIT).is_none());
    }

    #[tokio::test]
    async fn calls_wait_for_a_place() {
        let call_limits = Arc::new(CallLimits::new(1, 0));
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let call_limits = Arc::clone(&call_limits);
            async move { call_limits.take(move || wait.recv()).await }
        });
        while call_limits.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let mut second = std::pin::pin!(call_limits.take(|| 2));
        assert!(futures_util::poll!(&mut second).is_pending());
        go.send(()).unwrap();
        assert_eq!(second.await, Some(2));
        assert_eq!(first.await.unwrap(), Some(Ok(())));
    }
}

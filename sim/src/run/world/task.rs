//! A role as a task of this process, that can be paused and killed between two awaits: each process of the virtual world, and
//! clients that are hosted together in the real one.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use anyhow::Context as _;
use futures_util::future::BoxFuture;
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

/// A role's future.
pub(super) type Role = BoxFuture<'static, anyhow::Result<()>>;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It ended, in good order.
    Done,
    /// It ended with an error.
    Failed(String),
    /// It was killed.
    Killed,
}

/// A process that was started. Clones are the same one.
#[derive(Clone)]
pub(super) struct Running {
    shared: Arc<Shared>,
    /// Asks it to end in good order.
    stop: Arc<Mutex<Option<oneshot::Sender<()>>>>,
}

struct Shared {
    state: Mutex<State>,
    ended: watch::Sender<Option<Ended>>,
}

struct State {
    /// None when it has ended.
    role: Option<Role>,
    paused: bool,
    waker: Option<Waker>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, how: Ended) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                *ended = Some(how);
            }
            first
        });
    }
}

impl Running {
    /// Starts a role; what it says when it is ready is passed on. Must be called within the runtime.
    pub(super) fn start(
        role: Role,
        ready: oneshot::Receiver<()>,
        stop: Option<oneshot::Sender<()>>,
    ) -> (Self, oneshot::Receiver<()>) {
        let state = State { role: Some(role), paused: false, waker: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), ended: watch::Sender::new(None) });
        tokio::spawn(Polled(Arc::clone(&shared)));
        (Self { shared, stop: Arc::new(Mutex::new(stop)) }, ready)
    }

    /// Ends it where it stands.
    pub(super) fn kill(&self) {
        let (role, waker) = {
            let mut state = self.shared.state();
            (state.role.take(), state.waker.take())
        };
        // Outside of the lock: what it holds may wake others, or look at this process.
        drop(role);
        self.shared.end(Ended::Killed);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Asks it to end in good order; one that cannot be asked ends where it stands, as after a signal that it does not
    /// wait for.
    pub(super) fn ask_to_stop(&self) {
        match self.stop.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(stop) => {
                // It has ended if nobody waits for it.
                let _ = stop.send(());
            }
            None => self.kill(),
        }
    }

    /// Asks it to stop; if it does not within this time it is killed, as a service manager does.
    pub(super) async fn stop(&self, within: Duration) {
        self.ask_to_stop();
        // Whether it ended or not, it is gone afterwards.
        let _ = timeout(within, self.ended()).await;
        self.kill();
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// It has ended before.
    pub(super) async fn until_ready(&self, mut ready: oneshot::Receiver<()>) -> anyhow::Result<()> {
        tokio::select! {
            biased;
            ready = &mut ready => ready.context("it ended before it was ready"),
            ended = self.ended() => match ended {
                Ended::Failed(error) => anyhow::bail!("it ended before it was ready: {error}"),
                Ended::Done | Ended::Killed => anyhow::bail!("it ended before it was ready"),
            },
        }
    }

    /// Polls it no more until it is resumed.
    pub(super) fn pause(&self) {
        self.shared.state().paused = true;
    }

    /// Lets it go on.
    pub(super) fn resume(&self) {
        let waker = {
            let mut state = self.shared.state();
            state.paused = false;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) -> Ended {
        let mut ended = self.shared.ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await;
        // The sender lives as long as this value.
        ended.ok().and_then(|ended| ended.clone()).unwrap_or(Ended::Killed)
    }
}

/// The task.
struct Polled(Arc<Shared>);

impl Future for Polled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.state();
        state.waker = Some(context.waker().clone());
        if state.paused {
            return Poll::Pending;
        }
        // It is out of the state while it runs, so that it may look at itself.
        let Some(mut role) = state.role.take() else { return Poll::Ready(()) };
        drop(state);
        let polled = catch_unwind(AssertUnwindSafe(|| role.as_mut().poll(context)));
        let ended = match polled.unwrap_or_else(|_| Poll::Ready(Err(anyhow::anyhow!("it panicked")))) {
            // It may have been killed meanwhile, by another thread or by itself.
            Poll::Pending if self.0.ended.borrow().is_some() => Ended::Killed,
            Poll::Pending => {
                self.0.state().role = Some(role);
                return Poll::Pending;
            }
            Poll::Ready(Ok(())) => Ended::Done,
            Poll::Ready(Err(error)) => {
                tracing::error!("{error:#}");
                Ended::Failed(format!("{error:#}"))
            }
        };
        drop(role);
        self.0.end(ended);
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::*;

    /// A process that counts seconds.
    fn counting() -> (Running, watch::Receiver<u32>) {
        let (count, counted) = watch::channel(0);
        let (_ready, is_ready) = oneshot::channel();
        let role = Box::pin(async move {
            loop {
                sleep(Duration::from_secs(1)).await;
                count.send_modify(|count| *count += 1);
            }
        });
        (Running::start(role, is_ready, None).0, counted)
    }

    #[tokio::test(start_paused = true)]
    async fn paused_it_does_nothing_and_resumed_it_goes_on() {
        let (running, counted) = counting();
        sleep(Duration::from_millis(2500)).await;
        assert_eq!(*counted.borrow(), 2);
        running.pause();
        sleep(Duration::from_secs(10)).await;
        assert_eq!(*counted.borrow(), 2);
        running.resume();
        sleep(Duration::from_millis(10)).await;
        assert_eq!(*counted.borrow(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn killed_it_is_gone_at_once() {
        let (running, counted) = counting();
        sleep(Duration::from_millis(1500)).await;
        let now = Instant::now();
        running.kill();
        assert_eq!(running.ended().await, Ended::Killed);
        assert!(counted.has_changed().is_err(), "its sender is still there");
        assert_eq!(Instant::now(), now);
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_ends_with_is_kept() {
        let (_ready, is_ready) = oneshot::channel();
        let (running, _) = Running::start(Box::pin(async { anyhow::bail!("no key") }), is_ready, None);
        assert_eq!(running.ended().await, Ended::Failed("no key".to_owned()));
        running.kill();
        assert_eq!(running.ended().await, Ended::Failed("no key".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_panics_has_failed() {
        let (_ready, is_ready) = oneshot::channel();
        let (running, _) = Running::start(Box::pin(async { panic!("of this test") }), is_ready, None);
        assert_eq!(running.ended().await, Ended::Failed("it panicked".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_can_be_asked_ends_itself() {
        let ((_ready, is_ready), (stop, asked)) = (oneshot::channel(), oneshot::channel::<()>());
        let role = Box::pin(async move {
            asked.await?;
            sleep(Duration::from_secs(1)).await;
            Ok(())
        });
        let (running, _) = Running::start(role, is_ready, Some(stop));
        let start = Instant::now();
        running.ask_to_stop();
        assert_eq!(running.ended().await, Ended::Done);
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
}

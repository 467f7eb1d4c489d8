//! Turns of commands and of daemons that start, so that not too many run at the same time. Where a thousand start at once, each
//! client measures its round trips while the machine is busy with all the others: none of them is true, so each is taken again,
//! and nobody gets any further.

use std::{sync::Arc, thread, time::Duration};

use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use crate::run::world::backend::Turn;

/// Commands at a time, for each processor.
const COMMANDS: usize = 16;
/// Daemons at a time, for each processor: they wait for the farthest endpoint most of the time.
const STARTS: usize = 48;
/// After this one counts no longer: one that waits for another must not keep that from its turn.
pub(super) const LONGEST: Duration = Duration::from_secs(2);

/// The turns of one kind.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Turns {
    /// Of commands: as many at a time as this machine can serve.
    pub(super) fn of_commands() -> Self {
        Self::of(COMMANDS * processors())
    }

    /// Of daemons that start.
    pub(super) fn of_starts() -> Self {
        Self::of(STARTS * processors())
    }

    fn of(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// Waits for a turn, which ends when what is returned is dropped.
    pub(super) async fn next(&self) -> Turn {
        let (turn, ended) = oneshot::channel();
        // Nobody closes it.
        if let Ok(permit) = Arc::clone(&self.0).acquire_owned().await {
            tokio::spawn(async move {
                let _ = timeout(LONGEST, ended).await;
                drop(permit);
            });
        }
        Turn::until(turn)
    }
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_late_waits_for_an_end_or_for_the_longest_turn() {
        let turns = Turns::of(2);
        let (first, _second) = (turns.next().await, turns.next().await);
        assert!(turns.next().now_or_never().is_none());
        let begin = tokio::time::Instant::now();
        drop(first);
        let _third = turns.next().await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        let _fourth = turns.next().await;
        assert_eq!(begin.elapsed(), LONGEST);
    }
}

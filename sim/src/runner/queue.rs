//! Jobs done side by side, each worker taking the next one as soon as it is free.

use std::{
    collections::VecDeque,
    iter,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// What is still to be done. Clones are the same queue.
#[derive(Debug)]
pub(super) struct Queue<J>(Arc<Mutex<VecDeque<J>>>);

impl<J> Clone for Queue<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J: Send> Queue<J> {
    /// Starts workers that do the jobs in order.
    pub(super) fn start<'scope>(
        scope: &'scope thread::Scope<'scope, '_>,
        workers: usize,
        jobs: Vec<J>,
        work: impl Fn(J) + Clone + Send + 'scope,
    ) -> Self
    where
        J: 'scope,
    {
        let queue = Self(Arc::new(Mutex::new(VecDeque::from(jobs))));
        for _ in 0..workers {
            let (queue, work) = (queue.clone(), work.clone());
            scope.spawn(move || iter::from_fn(|| queue.take()).for_each(work));
        }
        queue
    }

    fn take(&self) -> Option<J> {
        self.locked().pop_front()
    }

    /// Takes all that has not begun.
    pub(super) fn drain(&self) -> Vec<J> {
        self.locked().drain(..).collect()
    }

    /// A poisoned queue means that another worker panicked; what is left in it is still whole.
    fn locked(&self) -> std::sync::MutexGuard<'_, VecDeque<J>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[test]
    fn as_many_jobs_run_at_the_same_time_as_there_are_workers() {
        let (arrive, arrived) = mpsc::channel();
        thread::scope(|scope| {
            let work = move |open: mpsc::Receiver<()>| {
                arrive.send(()).unwrap();
                // Nobody sends: it ends when the test lets go of the other end.
                let _ = open.recv_timeout(Duration::from_secs(20));
            };
            let (doors, jobs): (Vec<_>, Vec<_>) = (0..6).map(|_| mpsc::channel()).unzip();
            let queue = Queue::start(scope, 3, jobs, work);
            for _ in 0..3 {
                arrived.recv_timeout(Duration::from_secs(10)).unwrap();
            }
            assert_eq!(arrived.try_recv(), Err(mpsc::TryRecvError::Empty));
            assert_eq!(queue.locked().pop_back().map(drop), Some(()), "three are waiting");
            drop(doors);
            for _ in 0..2 {
                arrived.recv_timeout(Duration::from_secs(10)).unwrap();
            }
        });
    }

    #[test]
    fn what_is_drained_is_not_begun() {
        let (begin, begun) = mpsc::channel();
        let (open, door) = mpsc::channel();
        let door = Arc::new(Mutex::new(door));
        thread::scope(|scope| {
            let work = move |job: u32| {
                begin.send(job).unwrap();
                door.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap();
            };
            let queue = Queue::start(scope, 1, vec![1, 2, 3], work);
            assert_eq!(begun.recv_timeout(Duration::from_secs(10)).unwrap(), 1);
            assert_eq!(queue.drain(), [2, 3]);
            open.send(()).unwrap();
        });
        assert_eq!(begun.iter().count(), 0);
    }
}

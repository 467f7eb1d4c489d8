//! Tasks that live in the future they were started from.
//!
//! A role of the stack is one future: [`scope`] runs what it starts inside of it. Who drops that future ends everything
//! between two awaits, as `kill -9` does; who does not poll it pauses everything; a span or subscriber around it covers
//! everything. Tasks run in an order that depends on nothing but what wakes them.

use std::pin::pin;

use futures_util::{
    FutureExt, StreamExt,
    future::{AbortHandle, BoxFuture, abortable},
    stream::FuturesUnordered,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Starts tasks in the scope it was given by. What is started after the end of the scope never runs.
#[derive(Clone, Debug)]
pub struct Tasks(UnboundedSender<BoxFuture<'static, ()>>);

/// A running task, which ends when this is dropped.
#[derive(Debug)]
#[must_use = "the task ends when this is dropped"]
pub struct Task(AbortHandle);

impl Tasks {
    /// Starts a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Task {
        let (task, handle) = abortable(task);
        // Without a receiver the scope has ended, and its tasks with it.
        let _ = self.0.send(task.map(drop).boxed());
        Task(handle)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs `body` and the tasks it starts, until `body` is done.
pub async fn scope<T, F: Future<Output = T>>(body: impl FnOnce(Tasks) -> F) -> T {
    let (sender, mut started) = unbounded_channel();
    let mut body = pin!(body(Tasks(sender)));
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            value = &mut body => return value,
            Some(task) = started.recv() => running.push(task),
            Some(()) = running.next() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_task_runs_beside_the_body() {
        let heard = scope(|tasks| async move {
            let (sender, receiver) = oneshot::channel();
            let _task = tasks.spawn(async move { sender.send(7).unwrap() });
            receiver.await
        });
        assert_eq!(heard.await, Ok(7));
    }

    #[tokio::test]
    async fn a_task_ends_with_its_handle() {
        let alive = Arc::new(());
        scope(|tasks| {
            let alive = Arc::clone(&alive);
            async move {
                let held = Arc::clone(&alive);
                let task = tasks.spawn(async move {
                    let _held = held;
                    std::future::pending().await
                });
                tokio::task::yield_now().await;
                assert_eq!(Arc::strong_count(&alive), 3);
                drop(task);
                tokio::task::yield_now().await;
                assert_eq!(Arc::strong_count(&alive), 2);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn all_tasks_end_with_the_scope() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let mut scope = Box::pin(scope(|tasks| async move {
            let inner = tasks.clone();
            let _task = tasks.spawn(async move {
                let _inner = inner.spawn(async move {
                    let _held = held;
                    std::future::pending().await
                });
                std::future::pending().await
            });
            std::future::pending::<()>().await
        }));
        assert!(scope.as_mut().now_or_never().is_none());
        assert_eq!(Arc::strong_count(&alive), 2);
        drop(scope);
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}

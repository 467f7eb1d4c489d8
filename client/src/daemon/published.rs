//! Values that the daemon serves over its socket, versioned, so that a reader can wait for the next.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};

use crate::api::{HOLD, Latency, Status};

/// A value with a version that grows with each change.
pub(super) trait Versioned: Clone + PartialEq {
    /// The version.
    fn version(&self) -> u64;
    /// Sets it.
    fn set_version(&mut self, version: u64);
}

impl Versioned for Status {
    fn version(&self) -> u64 {
        self.version
    }

    fn set_version(&mut self, version: u64) {
        self.version = version;
    }
}

impl Versioned for Latency {
    fn version(&self) -> u64 {
        self.version
    }

    fn set_version(&mut self, version: u64) {
        self.version = version;
    }
}

/// One published value; clones are handles of the same.
#[derive(Clone, Debug)]
pub(super) struct Published<T>(watch::Sender<T>);

impl<T: Versioned> Published<T> {
    /// With this first value.
    pub(super) fn new(first: T) -> Self {
        Self(watch::Sender::new(first))
    }

    /// The value now.
    pub(super) fn now(&self) -> T {
        self.0.borrow().clone()
    }

    /// Looks at the value without a copy of it. Nothing is published meanwhile.
    pub(super) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0.borrow())
    }

    /// Publishes another value. One that differs in nothing but the version keeps the version.
    pub(super) fn publish(&self, mut value: T) {
        self.0.send_if_modified(|old| {
            value.set_version(old.version());
            let changed = value != *old;
            if changed {
                value.set_version(old.version() + 1);
                *old = value.clone();
            }
            changed
        });
    }

    /// Changes it in place; it has a new version if `change` says that it is another value.
    pub(super) fn change(&self, change: impl FnOnce(&mut T) -> bool) {
        self.0.send_if_modified(|value| {
            let changed = change(value);
            if changed {
                value.set_version(value.version() + 1);
            }
            changed
        });
    }

    /// Changes what nobody waits for: the version stays.
    pub(super) fn amend(&self, change: impl FnOnce(&mut T)) {
        self.0.send_if_modified(|value| {
            change(value);
            false
        });
    }

    /// The value once its version is another than `after`, or as it is when it does not change for [`HOLD`]. Who asks
    /// with a version of an earlier daemon has an answer at once.
    pub(super) async fn after(&self, after: u64) -> T {
        self.until(|value| value.version() != after).await
    }

    /// Waits up to [`HOLD`] for the predicate, then returns the latest value.
    pub(super) async fn until(&self, is_so: impl FnMut(&T) -> bool) -> T {
        self.until_within(is_so, HOLD).await
    }

    async fn until_within(&self, is_so: impl FnMut(&T) -> bool, hold: Duration) -> T {
        let mut receiver = self.0.subscribe();
        // The sender lives as long as `self`; a deadline that passes answers with what there is.
        let _ = timeout(hold, receiver.wait_for(is_so)).await;
        self.now()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn status(enabled: bool) -> Status {
        Status {
            version: 7,
            reconciler_enabled: enabled,
            client_ip: Ipv4Addr::new(9, 0, 0, 1),
            network: "localnet".to_owned(),
            slot: None,
            settled: true,
            services: Vec::new(),
        }
    }

    #[tokio::test]
    async fn the_version_grows_with_changes_only() {
        let told = Published::new(status(true));
        told.publish(status(true));
        assert_eq!(told.now().version, 7);
        told.publish(status(false));
        assert_eq!(told.now().version, 8);
    }

    #[tokio::test]
    async fn a_reader_waits_for_the_next_version() {
        let told = Published::new(status(true));
        let waiting = tokio::spawn({
            let told = told.clone();
            async move { told.after(7).await }
        });
        told.publish(status(false));
        assert!(!waiting.await.unwrap().reconciler_enabled);
    }

    #[tokio::test]
    async fn a_reader_that_knows_another_daemon_s_version_does_not_wait() {
        let told = Published::new(status(true));
        assert_eq!(told.after(12).await, status(true));
    }

    #[tokio::test]
    async fn a_reader_that_waits_in_vain_gets_what_there_is() {
        let told = Published::new(status(true));
        assert_eq!(told.until_within(|status| status.version > 7, Duration::ZERO).await, status(true));
    }
}

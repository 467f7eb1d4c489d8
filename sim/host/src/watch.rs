//! Notices of changes, as rtnetlink and nfnetlink multicast them. Those of routes name the program that asked for them, and
//! its own watch leaves them out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dz_net::host::Watched;
use dz_net::kernel::Change;
use tokio::sync::Notify;

/// Watchers, and the notifications that each has not read yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watchers {
    by_id: BTreeMap<u64, Watcher>,
    next: u64,
    /// The program whose request is being served, if it is one about routes.
    asking: Option<u64>,
}

#[derive(Clone, Debug)]
struct Watcher {
    what: Watched,
    program: u64,
    changes: BTreeSet<Change>,
    news: Arc<Notify>,
}

impl Watchers {
    /// Watches from now on for a program.
    pub(crate) fn add(&mut self, what: Watched, program: u64) -> (u64, Arc<Notify>) {
        let (id, news) = (self.next, Arc::new(Notify::new()));
        self.next += 1;
        self.by_id.insert(id, Watcher { what, program, changes: BTreeSet::new(), news: Arc::clone(&news) });
        (id, news)
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.by_id.remove(&id);
    }

    /// What has changed since this was last asked; none if no watcher is left.
    pub(crate) fn take(&mut self, id: u64) -> Option<BTreeSet<Change>> {
        self.by_id.get_mut(&id).map(|watcher| std::mem::take(&mut watcher.changes))
    }

    /// From now on a program is served that asks for a change of routes, or no such.
    pub(crate) fn serve(&mut self, program: Option<u64>) {
        self.asking = program;
    }

    pub(crate) fn notify(&mut self, change: Change) {
        for watcher in self.by_id.values_mut() {
            let router = matches!(change, Change::Parameter | Change::Filter);
            let own = change == Change::Route && self.asking == Some(watcher.program);
            if !own && (!router || watcher.what == Watched::Router) {
                watcher.changes.insert(change);
                watcher.news.notify_one();
            }
        }
    }

    /// Ends all watching, as the end of its namespace does to a socket.
    pub(crate) fn end(&mut self) {
        for (_, watcher) in std::mem::take(&mut self.by_id) {
            watcher.news.notify_one();
        }
    }
}

//! The sessions of all tunnels: a probing task for each, and its last result.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use dz_net::host::Host;
use dz_service::{Task, Tasks, WallClock};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};

use super::session::{Subject, keep_asking};
use crate::{
    UnixTime,
    api::{Session, SessionStatus},
};

/// Asks every tunnel's far end for as long as it lives.
#[derive(Debug)]
pub(super) struct Sessions {
    host: Arc<dyn Host>,
    tasks: Tasks,
    clock: WallClock,
    /// How long the far end of a tunnel that is up may be silent.
    hold: Duration,
    origin: Instant,
    asked: BTreeMap<Subject, Asked>,
    sender: UnboundedSender<(Subject, Session)>,
    receiver: UnboundedReceiver<(Subject, Session)>,
}

#[derive(Debug)]
struct Asked {
    /// Asks for as long as this is kept.
    _task: Task,
    session: Session,
    since: UnixTime,
}

impl Sessions {
    /// Sessions of a host's tunnels, asked by these tasks.
    pub(super) fn new(host: Arc<dyn Host>, tasks: Tasks, clock: WallClock, hold: Duration, origin: Instant) -> Self {
        let (sender, receiver) = unbounded_channel();
        Self { host, tasks, clock, hold, origin, asked: BTreeMap::new(), sender, receiver }
    }

    /// Asks these from now on, and no others. A tunnel that stays the same keeps its session.
    pub(super) fn follow(&mut self, subjects: BTreeSet<Subject>) {
        self.asked.retain(|subject, _| subjects.contains(subject));
        for subject in subjects {
            let (host, hold, origin, sender) = (&self.host, self.hold, self.origin, &self.sender);
            let (tasks, now) = (&self.tasks, self.clock.now().into());
            self.asked.entry(subject).or_insert_with_key(|subject| Asked {
                _task: tasks.spawn(keep_asking(host.clone(), subject.clone(), hold, origin, sender.clone())),
                session: Session::Pending,
                since: now,
            });
        }
    }

    /// What a tunnel's far end said last, and when that was news.
    pub(super) fn of(&self, subject: &Subject) -> SessionStatus {
        let asked = self.asked.get(subject);
        SessionStatus {
            session_status: asked.map_or(Session::Pending, |asked| asked.session),
            last_session_update: asked.map(|asked| asked.since),
        }
    }

    /// Waits until a session changes, and says of which interface to what.
    pub(super) async fn changed(&mut self) -> (String, Session) {
        loop {
            // The channel cannot close: a sender is kept.
            let Some((subject, session)) = self.receiver.recv().await else {
                return std::future::pending().await;
            };
            if let Some(asked) = self.asked.get_mut(&subject) {
                asked.session = session;
                asked.since = self.clock.now().into();
                return (subject.name, session);
            }
        }
    }
}

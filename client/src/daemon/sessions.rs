//! The sessions of all tunnels: one asking task for each, and what each was told last.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
};

use super::session::{Subject, keep_asking};
use crate::{
    UnixTime,
    api::{Session, SessionStatus},
};

/// Asks every tunnel's far end for as long as it lives.
#[derive(Debug)]
pub(super) struct Sessions {
    /// How long the far end of a tunnel that is up may be silent.
    hold: Duration,
    asked: BTreeMap<Subject, Asked>,
    sender: UnboundedSender<(Subject, Session)>,
    receiver: UnboundedReceiver<(Subject, Session)>,
}

#[derive(Debug)]
struct Asked {
    task: JoinHandle<()>,
    session: Session,
    since: UnixTime,
}

impl Sessions {
    pub(super) fn new(hold: Duration) -> Self {
        let (sender, receiver) = unbounded_channel();
        Self { hold, asked: BTreeMap::new(), sender, receiver }
    }

    /// Asks these from now on, and no others. A tunnel that stays the same keeps its session.
    pub(super) fn follow(&mut self, subjects: BTreeSet<Subject>) {
        self.asked.retain(|subject, asked| {
            let stays = subjects.contains(subject);
            if !stays {
                asked.task.abort();
            }
            stays
        });
        for subject in subjects {
            let (hold, sender) = (self.hold, &self.sender);
            self.asked.entry(subject).or_insert_with_key(|subject| Asked {
                task: tokio::spawn(keep_asking(subject.clone(), hold, sender.clone())),
                session: Session::Pending,
                since: UnixTime::now(),
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
                asked.since = UnixTime::now();
                return (subject.name, session);
            }
        }
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.asked.values().for_each(|asked| asked.task.abort());
    }
}

//! The sessions of all tunnels: one asking task for each, and what each was told last.

use std::collections::{BTreeMap, BTreeSet};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
};

use super::session::{Subject, keep_asking};
use crate::api::Session;

/// Asks every tunnel's far end for as long as it lives.
#[derive(Debug)]
pub(super) struct Sessions {
    asked: BTreeMap<Subject, Asked>,
    sender: UnboundedSender<(Subject, Session)>,
    receiver: UnboundedReceiver<(Subject, Session)>,
}

#[derive(Debug)]
struct Asked {
    task: JoinHandle<()>,
    session: Session,
}

impl Sessions {
    pub(super) fn new() -> Self {
        let (sender, receiver) = unbounded_channel();
        Self { asked: BTreeMap::new(), sender, receiver }
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
            let sender = &self.sender;
            self.asked.entry(subject).or_insert_with_key(|subject| Asked {
                task: tokio::spawn(keep_asking(subject.clone(), sender.clone())),
                session: Session::Pending,
            });
        }
    }

    /// What a tunnel's far end said last.
    pub(super) fn of(&self, subject: &Subject) -> Session {
        self.asked.get(subject).map_or(Session::Pending, |asked| asked.session)
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

//! Health of backbone links: probes from one end to the other.
//!
//! A port that is up says nothing about the far end of a long link. So the far end's address is asked for an echo: now and
//! then while it answers, and in quick succession once it does not. The far kernel answers, so a device whose agent is
//! down still counts as there. What the answers mean is decided by [`Health`], which knows neither sockets nor clocks.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use dz_net::{
    host::{Host, KeptPinger},
    probe::ProbeConfig,
};
use dz_service::{Task, Tasks, next_tick};
use tokio::{sync::watch, time::Instant};

use crate::config::{DeviceConfig, IfName, LinkState};

/// Between two echo requests while they are answered.
const CALM: Duration = Duration::from_secs(1);
/// What an answer may take besides the link's own delay.
const SLACK: Duration = Duration::from_millis(50);

/// Requests without an answer after which a link that has answered before counts as silent.
const MISSED: u8 = 5;
/// The same for one that has never answered: its other end may be configured a little later than this one.
const MISSED_AT_FIRST: u8 = 20;
/// Answers in a row after which a silent link is taken back.
const HEARD: u8 = 3;

/// What is known of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// Has not answered yet, and is given time.
    New { missed: u8 },
    /// Answers, but for the last few times.
    Alive { missed: u8 },
    /// Carries nothing; has answered again a few times.
    Silent { heard: u8 },
}

impl Health {
    fn after(self, heard: bool) -> Self {
        match (self, heard) {
            (Self::New { .. } | Self::Alive { .. }, true) => Self::Alive { missed: 0 },
            (Self::New { missed }, false) if missed + 1 >= MISSED_AT_FIRST => Self::Silent { heard: 0 },
            (Self::New { missed }, false) => Self::New { missed: missed + 1 },
            (Self::Alive { missed }, false) if missed + 1 >= MISSED => Self::Silent { heard: 0 },
            (Self::Alive { missed }, false) => Self::Alive { missed: missed + 1 },
            (Self::Silent { heard }, true) if heard + 1 >= HEARD => Self::Alive { missed: 0 },
            (Self::Silent { heard }, true) => Self::Silent { heard: heard + 1 },
            (Self::Silent { .. }, false) => Self::Silent { heard: 0 },
        }
    }

    fn is_silent(self) -> bool {
        matches!(self, Self::Silent { .. })
    }

    /// Whether the next request can wait, as nothing is about to change.
    fn is_calm(self) -> bool {
        matches!(self, Self::Alive { missed: 0 } | Self::Silent { heard: 0 })
    }
}

/// One end of a link, as it is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    code: String,
    port: IfName,
    gateway: Ipv4Addr,
    /// How long an answer may take.
    limit: Duration,
}

/// The links of a device that are to carry traffic.
pub(super) struct Links {
    host: Arc<dyn Host>,
    tasks: Tasks,
    /// All links are asked at the same time, which wakes the agent once for all.
    origin: Instant,
    ends: BTreeMap<End, Task>,
    silent: watch::Sender<BTreeSet<String>>,
}

impl Links {
    /// Links of this host, watched by these tasks.
    pub(super) fn new(host: Arc<dyn Host>, tasks: Tasks) -> Self {
        Self { host, tasks, origin: Instant::now(), ends: BTreeMap::new(), silent: watch::Sender::new(BTreeSet::new()) }
    }

    /// The codes of links that carry nothing, and their changes.
    pub(super) fn silent(&self) -> watch::Receiver<BTreeSet<String>> {
        self.silent.subscribe()
    }

    /// Watches the links of this config, and no others.
    pub(super) fn follow(&mut self, config: &DeviceConfig) {
        let wanted: BTreeSet<End> = ends(config).collect();
        let silent = &self.silent;
        self.ends.retain(|end, _| {
            let stays = wanted.contains(end);
            if !stays {
                silent.send_if_modified(|codes| codes.remove(&end.code));
            }
            stays
        });
        for end in wanted {
            let (host, watched, origin, silent) = (self.host.clone(), end.clone(), self.origin, silent.clone());
            self.ends.entry(end).or_insert_with(|| self.tasks.spawn(watch_end(host, watched, origin, silent)));
        }
    }
}

fn ends(config: &DeviceConfig) -> impl Iterator<Item = End> {
    config.ports.iter().filter_map(|(port, entry)| {
        let link = entry.link.as_ref().filter(|link| link.state != LinkState::Closed)?;
        // There and back, half as much again for jitter.
        let limit = Duration::from_micros(u64::from(link.metric)) * 3 + SLACK;
        Some(End { code: link.code.clone(), port: port.clone(), gateway: link.gateway, limit })
    })
}

async fn watch_end(host: Arc<dyn Host>, end: End, origin: Instant, silent: watch::Sender<BTreeSet<String>>) {
    let mut health = Health::New { missed: 0 };
    let device = Some(end.port.to_string());
    let config = ProbeConfig { probes: 1, timeout: end.limit, device, ..ProbeConfig::default() };
    let mut pinger = KeptPinger::default();
    loop {
        let asked = Instant::now();
        let heard = pinger.answers(host.as_ref(), &config, end.gateway).await.unwrap_or_else(|error| {
            tracing::debug!(link = end.code, %error, "cannot ask the far end");
            false
        });
        let before = health;
        health = health.after(heard);
        if health.is_silent() != before.is_silent() {
            if health.is_silent() {
                tracing::warn!(link = end.code, port = %end.port, gateway = %end.gateway, "link is silent");
            } else {
                tracing::info!(link = end.code, port = %end.port, gateway = %end.gateway, "link answers again");
            }
            silent.send_if_modified(|codes| {
                if health.is_silent() { codes.insert(end.code.clone()) } else { codes.remove(&end.code) }
            });
        }
        let next = if health.is_calm() { next_tick(origin, CALM) } else { asked + end.limit };
        tokio::time::sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The link's state after answers (`+`) and misses (`-`).
    fn after(answers: &str) -> Health {
        answers.chars().fold(Health::New { missed: 0 }, |health, answer| health.after(answer == '+'))
    }

    #[test]
    fn a_few_misses_in_a_row_make_a_link_silent_and_a_few_answers_bring_it_back() {
        for (answers, expected) in [
            ("+", Health::Alive { missed: 0 }),
            ("+----", Health::Alive { missed: 4 }),
            ("+----+", Health::Alive { missed: 0 }),
            ("+-----", Health::Silent { heard: 0 }),
            ("+-----++", Health::Silent { heard: 2 }),
            ("+-----++-", Health::Silent { heard: 0 }),
            ("+-----+++", Health::Alive { missed: 0 }),
        ] {
            assert_eq!(after(answers), expected, "{answers}");
        }
    }

    #[test]
    fn a_new_link_is_given_more_time() {
        assert_eq!(after(&"-".repeat(19)), Health::New { missed: 19 });
        assert_eq!(after(&"-".repeat(20)), Health::Silent { heard: 0 });
        assert_eq!(after(&format!("{}+", "-".repeat(19))), Health::Alive { missed: 0 });
    }

    #[test]
    fn questions_are_quick_only_while_something_may_change() {
        for (answers, calm) in [("-", false), ("+", true), ("+-", false), ("+-----", true), ("+-----+", false)] {
            assert_eq!(after(answers).is_calm(), calm, "{answers}");
        }
    }
}

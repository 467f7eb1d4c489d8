//! The session of a tunnel: up while its far end answers probes.
//!
//! [`Pulse`] decides what an answer or its absence means and when to ask next; [`keep_asking`] asks.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use dz_net::{
    host::{Host, KeptPinger},
    probe::ProbeConfig,
};
use dz_service::next_tick;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tracing::debug;

use crate::api::Session;

/// Probes in a row without an answer after which a tunnel that was up counts as down.
const LOST_BEFORE_DOWN: u32 = 3;
/// First time between probes of a tunnel that does not answer; grows by half each time.
const EAGER: Duration = Duration::from_millis(20);
/// The longest of these.
const PATIENT: Duration = Duration::from_secs(1);
/// How long an answer is waited for at first, when nothing is known of the path; doubles each time.
const FIRST_TIMEOUT: Duration = Duration::from_millis(50);
/// The longest of these.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1);

/// One tunnel's session as probes show it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pulse {
    /// How long the far end of a tunnel that is up may be silent: the times between its probes are shares of it, which
    /// add up to it. A calm pause, then three unanswered probes with two pauses of doubt between them.
    hold: Duration,
    session: Session,
    lost: u32,
}

impl Pulse {
    fn new(hold: Duration) -> Self {
        Self { hold, session: Session::Pending, lost: 0 }
    }

    /// Takes the outcome of a probe in.
    fn heard(&mut self, answered: bool) {
        if answered {
            (self.session, self.lost) = (Session::Up, 0);
            return;
        }
        self.lost = self.lost.saturating_add(1);
        if self.session == Session::Up && self.lost >= LOST_BEFORE_DOWN {
            (self.session, self.lost) = (Session::Down, 0);
        }
    }

    /// Whether nothing is about to change.
    fn is_calm(&self) -> bool {
        self.session == Session::Up && self.lost == 0
    }

    /// Time until the next probe, at the most.
    fn wait(&self) -> Duration {
        match (self.session, self.lost) {
            (Session::Up, 0) => self.hold / 3,
            (Session::Up, _) => self.hold / 30,
            // A dozen steps are far beyond the bound already.
            (Session::Pending | Session::Down, lost) => {
                PATIENT.min(EAGER.mul_f64(1.5f64.powi(lost.min(20).cast_signed())))
            }
        }
    }

    /// How long the next answer is waited for.
    fn timeout(&self) -> Duration {
        match self.session {
            Session::Up => self.hold / 5,
            Session::Pending | Session::Down => {
                LONGEST_TIMEOUT.min(FIRST_TIMEOUT.saturating_mul(1 << self.lost.min(10)))
            }
        }
    }
}

/// What is asked and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    /// The tunnel's interface.
    pub(super) name: String,
    /// The number of it: another one is another tunnel.
    pub(super) ifindex: u32,
    /// This end's overlay address.
    pub(super) overlay: Ipv4Addr,
    /// The far end's.
    pub(super) peer: Ipv4Addr,
    /// The far end's address on the internet.
    pub(super) endpoint: Ipv4Addr,
}

impl Subject {
    /// Where in a period its questions are: at the same time as those to the same endpoint, so that it is woken once for
    /// all, and at another time than those to others.
    fn phase(&self, period: Duration) -> Duration {
        // Neighbours in number are far from each other in what is left of the product (Fibonacci hashing).
        let share = u32::from(self.endpoint).wrapping_mul(0x9E37_79B9);
        period.mul_f64(f64::from(share) / 2f64.powi(32))
    }
}

/// Asks for as long as it is polled and reports each change. While a tunnel is calm it is asked once in a period, counted from
/// `origin`, in its phase.
pub(super) async fn keep_asking(
    host: Arc<dyn Host>,
    subject: Subject,
    hold: Duration,
    origin: Instant,
    changes: mpsc::UnboundedSender<(Subject, Session)>,
) {
    let mut pulse = Pulse::new(hold);
    let mut pinger = KeptPinger::default();
    loop {
        let before = pulse.session;
        pulse.heard(answers(host.as_ref(), &mut pinger, &subject, pulse.timeout()).await);
        if pulse.session != before && changes.send((subject.clone(), pulse.session)).is_err() {
            return;
        }
        match pulse.is_calm() {
            true => sleep_until(next_tick(origin + subject.phase(pulse.wait()), pulse.wait())).await,
            false => sleep(pulse.wait()).await,
        }
    }
}

/// Probes once.
async fn answers(host: &dyn Host, pinger: &mut KeptPinger, subject: &Subject, timeout: Duration) -> bool {
    let config = ProbeConfig {
        probes: 1,
        timeout,
        source: Some(subject.overlay),
        device: Some(subject.name.clone()),
        ..ProbeConfig::default()
    };
    pinger.answers(host, &config, subject.peer).await.unwrap_or_else(|error| {
        debug!(tunnel = subject.name, %error, "the far end cannot be asked");
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(3);

    fn after(outcomes: &[bool]) -> Pulse {
        let mut pulse = Pulse::new(HOLD);
        outcomes.iter().for_each(|answered| pulse.heard(*answered));
        pulse
    }

    #[test]
    fn one_answer_is_enough_and_three_losses_in_a_row_are_too_many() {
        assert_eq!(after(&[false, false]).session, Session::Pending);
        assert_eq!(after(&[false, true]).session, Session::Up);
        assert_eq!(after(&[true, false, false, true, false, false]).session, Session::Up);
        assert_eq!(after(&[true, false, false, false]).session, Session::Down);
        assert_eq!(after(&[true, false, false, false, false, true]).session, Session::Up);
    }

    #[test]
    fn it_asks_eagerly_at_first_and_calmly_later() {
        assert_eq!(after(&[]).wait(), EAGER);
        assert!(after(&[false; 4]).wait() < Duration::from_millis(110));
        assert_eq!(after(&[false; 4000]).wait(), PATIENT);
        assert_eq!(after(&[true]).wait(), Duration::from_secs(1));
        assert_eq!(after(&[true, false]).wait(), Duration::from_millis(100));
        assert_eq!(after(&[true, false, false, false]).wait(), EAGER);
    }

    #[test]
    fn it_waits_longer_for_each_answer_that_does_not_come() {
        assert_eq!(after(&[]).timeout(), FIRST_TIMEOUT);
        assert_eq!(after(&[false, false]).timeout(), 4 * FIRST_TIMEOUT);
        assert_eq!(after(&[false; 4000]).timeout(), LONGEST_TIMEOUT);
        assert_eq!(after(&[true, false]).timeout(), Duration::from_millis(600));
    }

    #[test]
    fn tunnels_to_one_endpoint_are_asked_at_the_same_time_and_others_spread_over_the_period() {
        let subject = |overlay: u8, endpoint: u8| Subject {
            name: "doublezero0".to_owned(),
            ifindex: 1,
            overlay: [169, 254, 0, overlay].into(),
            peer: [169, 254, 0, overlay + 1].into(),
            endpoint: [5, 0, 0, endpoint].into(),
        };
        let period = Duration::from_secs(1);
        assert_eq!(subject(0, 1).phase(period), subject(2, 1).phase(period));
        let mut phases: Vec<_> = (0..100).map(|endpoint| subject(0, endpoint).phase(period)).collect();
        phases.sort();
        assert!(phases.iter().all(|phase| *phase < period));
        let gaps = phases.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.clone().all(|gap| gap > Duration::from_millis(1)), "{phases:?}");
        assert!(gaps.max().unwrap() < Duration::from_millis(50), "{phases:?}");
    }

    #[test]
    fn a_tunnel_is_down_when_its_far_end_was_silent_for_the_hold_time() {
        let mut pulse = after(&[true]);
        let mut silent = Duration::ZERO;
        while pulse.session == Session::Up {
            silent += pulse.wait() + pulse.timeout();
            pulse.heard(false);
        }
        assert_eq!((pulse.session, silent), (Session::Down, HOLD));
    }
}

//! Faults between one client and the ledger, set from outside while both run. Every decision is drawn
//! from the ledger's seed and the client's name.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde::Serialize;
use solana_clock::Slot;
use solana_sha256_hasher::hashv;
use tokio::sync::watch;

/// Who asks: the node a pair of listeners was made for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientName(String);

impl ClientName {
    /// A name; any text will do.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A probability, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Chance(f64);

/// A number that is no probability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("expected a probability from 0 to 1, got {0}")]
pub struct NotAChance(pub f64);

impl Chance {
    /// It does not happen.
    pub const NEVER: Self = Self(0.0);
    /// It happens each time.
    pub const ALWAYS: Self = Self(1.0);

    /// The same number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Draws.
    pub(crate) fn happens(self, rng: &mut SmallRng) -> bool {
        self.0 > 0.0 && rng.random_bool(self.0)
    }
}

impl TryFrom<f64> for Chance {
    type Error = NotAChance;

    fn try_from(number: f64) -> Result<Self, NotAChance> {
        if (0.0..=1.0).contains(&number) { Ok(Self(number)) } else { Err(NotAChance(number)) }
    }
}

/// What happens to notifications on their way to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NotificationFaults {
    /// They come so much later, in order.
    pub delay: Duration,
    /// And up to so much later again; still in order.
    pub jitter: Duration,
    /// One is lost.
    pub drop: Chance,
    /// One comes twice.
    pub duplicate: Chance,
    /// One is held back by `reorder_by` and those behind it pass.
    pub reorder: Chance,
    /// How long a reordered one is held back.
    pub reorder_by: Duration,
}

/// What goes wrong between one client and the ledger. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// What happens to notifications.
    pub notifications: NotificationFaults,
    /// Reads are answered as of this number of slots ago, at most [`crate::MAX_READ_LAG`]: a replica that lags.
    pub read_lag: Slot,
    /// Every HTTP answer comes so much later.
    pub answer_delay: Duration,
    /// A send is refused with "node is unhealthy"; it is not executed.
    pub refuse_sends: Chance,
    /// A send is answered with its signature but never executed.
    pub lose_sends: Chance,
    /// A send is executed, but its connection is reset instead of answered.
    pub lose_answers: Chance,
    /// A request of any kind finds its connection reset; it is not executed.
    pub reset_requests: Chance,
    /// Nothing works: connections are reset, new ones too.
    pub outage: bool,
}

/// How often faults of one client have made a difference, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hits {
    /// Notifications that did not come.
    pub dropped: u64,
    /// Notifications that came twice.
    pub duplicated: u64,
    /// Answers and notifications that came late.
    pub delayed: u64,
    /// Calls that were answered from an older slot than the latest.
    pub stale: u64,
    /// Sends that were refused.
    pub refused: u64,
    /// Connections that an outage reset or turned away.
    pub cut: u64,
}

/// Sets the faults of one client.
#[derive(Clone)]
pub struct FaultHandle {
    client: Arc<Client>,
}

impl FaultHandle {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self { client }
    }

    /// The faults as they are.
    pub fn get(&self) -> Faults {
        self.client.faults()
    }

    /// Sets them, from now on.
    pub fn set(&self, faults: Faults) {
        self.client.faults.send_replace(faults);
    }

    /// Changes some of them and leaves the others.
    pub fn update(&self, change: impl FnOnce(&mut Faults)) {
        self.client.faults.send_modify(change);
    }

    /// How often they have made a difference.
    pub fn hits(&self) -> Hits {
        *self.client.hits()
    }

    /// Takes all faults away. Notifications that are held back still come when they are due.
    pub fn heal(&self) {
        self.set(Faults::default());
    }

    /// Resets every connection that is open now.
    pub fn reset_connections(&self) {
        self.client.resets.send_modify(|resets| *resets += 1);
    }
}

/// One client's state, shared by its connections.
pub(crate) struct Client {
    pub(crate) name: ClientName,
    seed: u64,
    faults: watch::Sender<Faults>,
    resets: watch::Sender<u64>,
    connections: AtomicU64,
    dice: Mutex<SmallRng>,
    hits: Mutex<Hits>,
}

impl Client {
    pub(crate) fn new(name: ClientName, seed: u64) -> Self {
        let dice = Mutex::new(dice(seed, &name, 0));
        let connections = AtomicU64::new(0);
        let (faults, resets) = (watch::Sender::default(), watch::Sender::default());
        Self { name, seed, faults, resets, connections, dice, hits: Mutex::default() }
    }

    /// Where it is counted that a fault has made a difference.
    pub(crate) fn hits(&self) -> MutexGuard<'_, Hits> {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> Faults {
        *self.faults.borrow()
    }

    /// Draws once for a request.
    pub(crate) fn draw(&self, chance: Chance) -> bool {
        chance.happens(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The dice of its next subscriber.
    pub(crate) fn dice(&self) -> SmallRng {
        dice(self.seed, &self.name, 1 + self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns when connections that are open now have to be reset.
    pub(crate) async fn broken(&self) {
        let mut resets = self.resets.subscribe();
        let mut faults = self.faults.subscribe();
        // Both senders live as long as `self`.
        tokio::select! {
            _ = resets.changed() => {}
            _ = faults.wait_for(|faults| faults.outage) => self.hits().cut += 1,
        }
    }
}

fn dice(seed: u64, name: &ClientName, nth: u64) -> SmallRng {
    let hash = hashv(&[b"dzsim faults", &seed.to_le_bytes(), &nth.to_le_bytes(), name.0.as_bytes()]).to_bytes();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[..8]);
    SmallRng::seed_from_u64(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u64, name: &str) -> Vec<bool> {
        let client = Client::new(ClientName::new(name), seed);
        (0..64).map(|_| client.draw(Chance(0.5))).collect()
    }

    #[test]
    fn the_same_seed_and_name_draw_the_same() {
        assert_eq!(draws(1, "val1"), draws(1, "val1"));
        assert_ne!(draws(1, "val1"), draws(2, "val1"));
        assert_ne!(draws(1, "val1"), draws(1, "val2"));
    }

    #[test]
    fn a_chance_is_a_number_from_0_to_1() {
        assert_eq!(Chance::try_from(0.25).map(Chance::get), Ok(0.25));
        assert_eq!(Chance::try_from(1.5), Err(NotAChance(1.5)));
        assert!(Chance::try_from(f64::NAN).is_err());
    }

    #[test]
    fn never_and_always() {
        let client = Client::new(ClientName::new("val1"), 1);
        assert!((0..100).all(|_| !client.draw(Chance::NEVER) && client.draw(Chance::ALWAYS)));
    }

    #[tokio::test]
    async fn a_reset_breaks_what_is_open_and_not_what_comes_after() {
        let client = Arc::new(Client::new(ClientName::new("val1"), 1));
        let handle = FaultHandle::new(Arc::clone(&client));
        let mut broken = std::pin::pin!(client.broken());
        assert!(futures_util::poll!(&mut broken).is_pending());
        handle.reset_connections();
        assert!(futures_util::poll!(&mut broken).is_ready());
        let mut later = std::pin::pin!(client.broken());
        assert!(futures_util::poll!(&mut later).is_pending());
        handle.update(|faults| faults.outage = true);
        assert!(futures_util::poll!(&mut later).is_ready());
    }
}

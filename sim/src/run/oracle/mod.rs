//! The oracle: after each step it waits until every part has seen the chain's revision and is quiet, and then
//! compares chain, rendered configuration, kernels and wire with one another.
//!
//! It trusts none of them: what it says is that two views differ, and which.

mod audit;
mod kernels;
mod reach;
mod rendered;
mod right;
mod routes;
mod settle;
#[cfg(test)]
mod tests;
mod turns;
mod wire;

use std::{fmt, net::Ipv4Addr, time::Duration};

pub use settle::{Settled, settle, standing};
use tokio::time::Instant;

use super::world::World;

/// Outer (source, destination) as one end of a tunnel has them.
type Pair = (Ipv4Addr, Ipv4Addr);

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The invariant, in a few words.
    pub invariant: &'static str,
    /// Whom it is about: a user, a device, an address, a pool.
    pub subject: String,
    /// The two views that differ, such as `chain` and `kernel of nyc1`.
    pub views: (String, String),
    /// What the first says.
    pub first: String,
    /// What the second says.
    pub second: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { invariant, subject, views: (a, b), first, second } = self;
        writeln!(f, "{invariant}: {subject}")?;
        writeln!(f, "  {a}: {first}")?;
        write!(f, "  {b}: {second}")
    }
}

/// What the oracle remembers from one look to the next.
#[derive(Debug, Default)]
pub struct Oracle {
    wire: wire::Seen,
    kernels: kernels::Seen,
}

impl Oracle {
    /// Looks at everything; what it finds is every mismatch, not just the first.
    ///
    /// What the chain says of itself, and what the wire has carried, must be right at any moment. What a part has made
    /// of it is waited for, since a part that has just been started or robbed of a tunnel looks as quiet as one that
    /// is done. `settled` is what the daemons have said a moment ago, if they were asked.
    ///
    /// # Errors
    /// Every [`Mismatch`] that is still there at the deadline.
    pub async fn check(
        &mut self,
        world: &World,
        mut settled: Option<Settled>,
        deadline: Duration,
    ) -> Result<(), Vec<Mismatch>> {
        let mut found = Vec::new();
        let Some(view) = world.view() else { return Err(vec![unread()]) };
        audit::check(&view, &mut found);
        self.wire.check(world, &view, &mut found);
        if !found.is_empty() {
            return Err(found);
        }
        until_nothing_is_found(deadline, async || self.parts(world, settled.take()).await).await
    }

    /// Compares the chain with what controller, agents and daemons have made of it.
    async fn parts(&mut self, world: &World, settled: Option<Settled>) -> Result<(), Vec<Mismatch>> {
        let mut found = Vec::new();
        let Some(view) = world.view() else { return Err(vec![unread()]) };
        let configs = rendered::check(world, &view, &mut found).await.unwrap_or_else(|error| {
            found.push(unreadable("rendered configuration", &error));
            reach::Configs::new()
        });
        if let Err(error) = self.kernels.check(world, &view, &configs, &settled.unwrap_or_default(), &mut found).await {
            found.push(unreadable("kernels", &error));
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }
}

/// Repeats a check with growing pauses until it finds nothing, and returns what it found last at the deadline.
async fn until_nothing_is_found<E>(deadline: Duration, mut check: impl AsyncFnMut() -> Result<(), E>) -> Result<(), E> {
    let end = Instant::now() + deadline;
    let mut pause = Duration::from_millis(2);
    loop {
        let Err(found) = check().await else { return Ok(()) };
        if Instant::now() + pause >= end {
            return Err(found);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Without a view of the chain there is nothing to compare anything with.
fn unread() -> Mismatch {
    unreadable("chain", &anyhow::anyhow!("it has not been read yet"))
}

fn unreadable(what: &str, error: &anyhow::Error) -> Mismatch {
    Mismatch {
        invariant: "every view can be read",
        subject: what.to_owned(),
        views: (what.to_owned(), "oracle".to_owned()),
        first: format!("{error:#}"),
        second: "cannot compare what it cannot read".to_owned(),
    }
}

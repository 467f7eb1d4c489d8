//! Questions to one address, again and again.

use std::net::Ipv4Addr;

use super::{Host, Pinger};
use crate::probe::{ProbeConfig, ProbeError};

/// Asks for echoes over one socket for as long as they come. A socket is bound to an interface by number and to an address,
/// and ends with them; both can come back as others, so after a miss the next question is asked over a new one.
#[derive(Debug, Default)]
pub struct KeptPinger(Option<(ProbeConfig, Box<dyn Pinger>)>);

impl KeptPinger {
    /// Whether `target` answers a round of probes. One of another config than the last is asked over a socket of its own.
    ///
    /// # Errors
    /// The socket cannot be opened, or it failed.
    pub async fn answers(
        &mut self,
        host: &dyn Host,
        config: &ProbeConfig,
        target: Ipv4Addr,
    ) -> Result<bool, ProbeError> {
        let mut pinger = match self.0.take() {
            Some((of, pinger)) if of == *config => pinger,
            _ => host.pinger(config.clone()).await?,
        };
        let answered = pinger.round([target].into()).await?.values().any(|result| result.reachable());
        self.0 = answered.then(|| (config.clone(), pinger));
        Ok(answered)
    }
}

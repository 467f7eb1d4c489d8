//! One connection of a client.

use std::sync::Arc;

use tokio::{
    net::TcpStream,
    sync::{Notify, OwnedSemaphorePermit},
};

use crate::{faults::Client, shared::Shared};

/// One connection, shared by all that work for it.
pub(crate) struct Connection {
    pub(crate) core: Arc<Shared>,
    pub(crate) client: Arc<Client>,
    pub(crate) stream: Arc<TcpStream>,
    /// Ends the connection.
    pub(crate) killed: Notify,
    /// Held for as long as anything works for the connection.
    #[expect(dead_code, reason = "it is held, not used")]
    pub(crate) place: OwnedSemaphorePermit,
}

impl Connection {
    /// Makes the end of the connection a reset: what was sent and not yet read is lost, too.
    pub(crate) fn reset_when_closed(&self) {
        if let Err(error) = self.stream.set_zero_linger() {
            tracing::debug!(%error, client = %self.client.name, "cannot reset a connection");
        }
    }
}

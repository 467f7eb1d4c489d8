//! The controller in every device: what connects to a listener there is passed on to the controller in the core.
//!
//! A relay, rather than a socket handed to the controller's process, because a device that reboots needs a new listener
//! while the controller goes on.

use std::net::{SocketAddr, TcpListener};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener as AsyncListener, TcpStream},
};

/// Passes connections to this listener on to `to` until the scenario ends.
pub(super) fn start(listener: TcpListener, to: SocketAddr) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = AsyncListener::from_std(listener)?;
    tokio::spawn(async move {
        while let Ok((from, _)) = listener.accept().await {
            tokio::spawn(pass_on(from, to));
        }
    });
    Ok(())
}

async fn pass_on(mut from: TcpStream, to: SocketAddr) {
    // A controller that is away looks to the agent as it would without a relay: the connection is closed.
    if let Ok(mut there) = TcpStream::connect(to).await {
        let _ = (from.set_nodelay(true), there.set_nodelay(true));
        let _ = copy_bidirectional(&mut from, &mut there).await;
    }
}

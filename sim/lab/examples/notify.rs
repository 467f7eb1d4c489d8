//! `notify TEXT`: sends the text to the socket that `NOTIFY_SOCKET` names, as a process does that says it is ready.

use std::{env, os::unix::net::UnixDatagram};

fn main() -> anyhow::Result<()> {
    let text = env::args().nth(1).unwrap_or_else(|| "READY=1".to_owned());
    let socket = env::var_os("NOTIFY_SOCKET").ok_or_else(|| anyhow::anyhow!("no NOTIFY_SOCKET"))?;
    UnixDatagram::unbound()?.send_to(text.as_bytes(), socket)?;
    Ok(())
}

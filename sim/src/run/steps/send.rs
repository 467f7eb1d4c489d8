//! `send`: UDP datagrams from a client, and who receives them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use dz_net::host::{Datagrams, UdpSpec};
use dzsim_scenario::plan::{ClientName, Node, Send, Target, Via};
use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::{Context, StepError, membership, target};

/// The port that datagrams go to.
const PORT: u16 = 20_000;
/// Each datagram begins with its number.
const NUMBER: usize = 4;
/// Hops of a group datagram: it crosses a few devices.
const GROUP_TTL: u8 = 32;
/// How long those who must receive nothing are listened to after the last datagram.
const SILENCE: Duration = Duration::from_millis(200);

pub(super) async fn run(context: &Context, send: &Send, end: Instant) -> Result<(), StepError> {
    let from = Node::Client(send.from.clone());
    let to = target::address(context, &from, &send.via, &send.to).await?;
    let mut listening = BTreeMap::new();
    for client in send.received_by.iter().chain(&send.not_received_by) {
        let bind = if to.is_multicast() { to } else { receiving_address(context, client, to).await? };
        let socket = membership::receiver(context, client, bind, PORT).await?;
        listening.insert(client.clone(), socket);
    }
    let source = match &send.source {
        Some(source) => Some(target::address(context, &from, &send.via, source).await?),
        None => None,
    };
    let socket = sender(context, send, source, to).await?;
    let meanwhile = context.sequence(&send.meanwhile, end);
    tokio::pin!(meanwhile);
    let mut done = send.meanwhile.is_empty();
    let mut sent = 0u32;
    let mut tick = tokio::time::interval(send.interval.max(Duration::from_micros(1)));
    while sent < u32::from(send.count) || !done {
        tokio::select! {
            biased;
            _ = tick.tick() => {
                let mut datagram = vec![0; usize::from(send.size).max(NUMBER)];
                datagram[..NUMBER].copy_from_slice(&sent.to_be_bytes());
                // A host without a way to the destination says so by an error; then nobody receives it.
                let _ = socket.send_to(&datagram, SocketAddrV4::new(to, PORT));
                sent += 1;
            }
            result = &mut meanwhile, if !done => {
                result?;
                done = true;
            }
        }
    }
    for client in &send.received_by {
        if let Some(socket) = listening.get(client) {
            received_all(client, &**socket, sent, end.saturating_duration_since(Instant::now())).await?;
        }
    }
    let silent = send.not_received_by.iter().filter_map(|client| Some((client, listening.get(client)?)));
    try_join_all(silent.map(|(client, socket)| received_none(client, &**socket))).await.map(drop)
}

/// Where a client receives what is sent to `to`: there if it is its own address, else at its address in DoubleZero.
async fn receiving_address(context: &Context, client: &ClientName, to: Ipv4Addr) -> Result<Ipv4Addr, StepError> {
    let own =
        target::address(context, &Node::Client(client.clone()), &Via::Routes, &Target::Client(client.clone())).await?;
    Ok(if own == to { to } else { own })
}

async fn sender(
    context: &Context,
    send: &Send,
    source: Option<Ipv4Addr>,
    to: Ipv4Addr,
) -> Result<Box<dyn Datagrams>, StepError> {
    let spec = UdpSpec {
        // A source that is not the host's own is what a scenario of spoofing sends from.
        bind: source.map(|source| SocketAddrV4::new(source, 0)),
        freebind: source.is_some(),
        device: match &send.via {
            Via::Tunnel(name) => Some(name.clone()),
            Via::Routes => None,
        },
        group_ttl: to.is_multicast().then_some(GROUP_TTL),
        ..UdpSpec::default()
    };
    let host = context.world.backend.host(&Node::Client(send.from.clone()))?;
    host.udp(&spec).await.map_err(|error| StepError::new(format!("{} cannot send: {error}", send.from)))
}

async fn received_all(
    client: &ClientName,
    socket: &dyn Datagrams,
    sent: u32,
    deadline: Duration,
) -> Result<(), StepError> {
    let mut seen = BTreeSet::new();
    let mut buffer = vec![0; 65_536];
    let all = async {
        while seen.len() < sent as usize {
            let (length, _) = socket.recv_from(&mut buffer).await.map_err(anyhow::Error::from)?;
            if let Some(number) = buffer[..length].first_chunk::<NUMBER>()
                && !seen.insert(u32::from_be_bytes(*number))
            {
                return Err(StepError::new(format!("{client} received a datagram twice")));
            }
        }
        Ok(())
    };
    let received = tokio::time::timeout(deadline, all).await;
    received.unwrap_or_else(|_| {
        Err(StepError {
            message: format!("{client} received {} of {sent} datagrams", seen.len()),
            expected: Some(format!("{sent} datagrams")),
            actual: Some(format!("{} datagrams", seen.len())),
            ..StepError::default()
        })
    })
}

async fn received_none(client: &ClientName, socket: &dyn Datagrams) -> Result<(), StepError> {
    let mut buffer = vec![0; 65_536];
    match tokio::time::timeout(SILENCE, socket.recv_from(&mut buffer)).await {
        Err(_) => Ok(()),
        Ok(Ok((_, from))) => Err(StepError {
            message: format!("{client} received a datagram from {from}"),
            expected: Some("none".to_owned()),
            actual: Some(format!("at least one, from {from}")),
            ..StepError::default()
        }),
        Ok(Err(error)) => Err(anyhow::Error::from(error).into()),
    }
}

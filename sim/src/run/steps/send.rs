//! `send`: UDP datagrams from a client, and who receives them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use dz_net::{
    host::{Datagrams, UdpSpec},
    probe::TAG_OFFSET,
};
use dzsim_fabric::FlowNumber;
use dzsim_scenario::plan::{ClientName, Node, Send, Target, Via};
use futures_util::future::try_join_all;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{Context, StepError, forge::Forge, membership, target};

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
        listening.insert(client.clone(), (socket, RefCell::new(Heard::default())));
    }
    let source = match &send.source {
        Some(source) => Some(target::address(context, &from, &send.via, source).await?),
        None => None,
    };
    let socket = match &send.gre {
        None => Way::Socket(sender(context, send, source, to).await?),
        Some(forged) => {
            let own = Target::Client(send.from.clone());
            let inner = match source {
                Some(source) => source,
                None => target::address(context, &from, &Via::Routes, &own).await?,
            };
            Way::Forge(Forge::open(context, &send.from, forged, SocketAddrV4::new(inner, PORT)).await?)
        }
    };
    let news = Notify::new();
    // Everybody listens from before the first datagram until after the last, so that no buffer has to hold them.
    let listeners = try_join_all(listening.values().map(|(socket, heard)| listen(&**socket, heard, &news)));
    tokio::pin!(listeners);
    let sent = {
        let sending = transmit(context, send, &socket, to, end);
        tokio::pin!(sending);
        tokio::select! {
            biased;
            failed = &mut listeners, if !listening.is_empty() => return failed.map(drop),
            sent = &mut sending => sent?,
        }
    };
    let missing = || send.received_by.iter().any(|client| !complete(&listening, client, sent.count));
    while missing() {
        tokio::select! {
            biased;
            failed = &mut listeners, if !listening.is_empty() => return failed.map(drop),
            () = news.notified() => {}
            () = sleep_until(end) => break,
        }
    }
    if !send.not_received_by.is_empty() {
        tokio::select! {
            biased;
            failed = &mut listeners, if !listening.is_empty() => return failed.map(drop),
            () = sleep(SILENCE) => {}
        }
    }
    for (client, (_, heard)) in &listening {
        check(send, client, &heard.borrow(), &sent)?;
    }
    Ok(())
}

/// How datagrams leave.
enum Way {
    Socket(Box<dyn Datagrams>),
    Forge(Forge),
}

impl Way {
    fn send_to(&self, datagram: &[u8], to: SocketAddrV4) -> io::Result<()> {
        match self {
            Self::Socket(socket) => socket.send_to(datagram, to),
            Self::Forge(forge) => forge.send_to(datagram, to),
        }
    }
}

/// What was sent.
struct Sent {
    /// Datagrams that the host took, and those that it refused.
    count: u32,
    /// How many it refused, and why the last.
    refused: Option<(u32, io::Error)>,
}

/// What somebody heard.
#[derive(Debug, Default)]
struct Heard {
    numbers: BTreeSet<u32>,
    /// Datagrams that came again.
    again: u32,
    /// Who sent the first.
    from: Option<SocketAddrV4>,
}

/// Sends all datagrams while other steps happen; more than the count if those take longer.
async fn transmit(context: &Context, send: &Send, way: &Way, to: Ipv4Addr, end: Instant) -> Result<Sent, StepError> {
    let meanwhile = context.sequence(&send.meanwhile, end);
    tokio::pin!(meanwhile);
    let mut done = send.meanwhile.is_empty();
    let mut sent = Sent { count: 0, refused: None };
    let mut tick = interval(send.interval.max(Duration::from_micros(1)));
    // A burst after a pause would be another traffic than the one that was asked for.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut datagram = vec![0; usize::from(send.size).max(NUMBER)];
    if let Some(mark) = datagram.get_mut(TAG_OFFSET..TAG_OFFSET + 8) {
        mark.copy_from_slice(&FlowNumber::new(send.flow).tag());
    }
    while sent.count < u32::from(send.count) || !done {
        tokio::select! {
            biased;
            result = &mut meanwhile, if !done => {
                result?;
                done = true;
            }
            _ = tick.tick() => {
                datagram[..NUMBER].copy_from_slice(&sent.count.to_be_bytes());
                match way.send_to(&datagram, SocketAddrV4::new(to, PORT)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    // A host without a way to the destination says so by an error; then nobody receives it.
                    Err(error) => sent.refused = Some((sent.refused.map_or(1, |(count, _)| count + 1), error)),
                    Ok(()) => {}
                }
                sent.count += 1;
            }
        }
    }
    Ok(sent)
}

/// Notes what a socket receives; ends only if the socket fails.
async fn listen(socket: &dyn Datagrams, heard: &RefCell<Heard>, news: &Notify) -> Result<(), StepError> {
    let mut buffer = vec![0; 65_536];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.map_err(anyhow::Error::from)?;
        let mut heard = heard.borrow_mut();
        heard.from.get_or_insert(from);
        if let Some(number) = buffer[..length].first_chunk::<NUMBER>()
            && !heard.numbers.insert(u32::from_be_bytes(*number))
        {
            heard.again += 1;
        }
        news.notify_one();
    }
}

type Listening = BTreeMap<ClientName, (Box<dyn Datagrams>, RefCell<Heard>)>;

fn complete(listening: &Listening, client: &ClientName, count: u32) -> bool {
    listening.get(client).is_some_and(|(_, heard)| heard.borrow().numbers.len() >= count as usize)
}

fn check(send: &Send, client: &ClientName, heard: &Heard, sent: &Sent) -> Result<(), StepError> {
    let (came, count) = (heard.numbers.len(), sent.count);
    if send.not_received_by.contains(client) {
        return match heard.from {
            None => Ok(()),
            Some(from) => Err(StepError {
                message: format!("{client} received {came} of {count} datagrams, from {from}"),
                expected: Some("none".to_owned()),
                actual: Some(format!("{came} datagrams, from {from}")),
                ..StepError::default()
            }),
        };
    }
    if came < count as usize {
        let refused = sent.refused.as_ref();
        let refused = refused.map(|(refused, error)| format!("; {} would not send {refused}: {error}", send.from));
        return Err(StepError {
            message: format!("{client} received {came} of {count} datagrams{}", refused.unwrap_or_default()),
            expected: Some(format!("{count} datagrams")),
            actual: Some(format!("{came} datagrams; the first that is missing is number {}", missing(heard))),
            ..StepError::default()
        });
    }
    if heard.again > 0 && !send.duplicates_allowed {
        return Err(StepError {
            message: format!("{client} received {} datagrams twice", heard.again),
            expected: Some("each once; `duplicates: allowed` lets them come twice".to_owned()),
            actual: Some(format!("{} that came again", heard.again)),
            ..StepError::default()
        });
    }
    Ok(())
}

/// The first number that did not come, from 0.
fn missing(heard: &Heard) -> u32 {
    (0..)
        .zip(&heard.numbers)
        .find(|(wanted, came)| wanted != *came)
        .map_or(heard.numbers.len() as u32, |(wanted, _)| wanted)
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

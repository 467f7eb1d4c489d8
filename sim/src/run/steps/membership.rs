//! `join` and `leave`: an application on a client that receives a group.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Mutex, PoisonError},
};

use dz_net::host::{Datagrams, UdpSpec};
use dzsim_scenario::plan::{ClientName, GroupCode, Node, Target, Via};

use super::{Context, StepError, target};

/// Octets that may wait in a receiver's socket: some hundred large datagrams.
const RECEIVE_BUFFER: u32 = 8 << 20;

/// The sockets of applications that have joined groups.
#[derive(Debug, Default)]
pub struct Memberships(Mutex<BTreeMap<(ClientName, GroupCode), Box<dyn Datagrams>>>);

impl Memberships {
    fn sockets(&self) -> std::sync::MutexGuard<'_, BTreeMap<(ClientName, GroupCode), Box<dyn Datagrams>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn join(context: &Context, client: &ClientName, group: &GroupCode) -> Result<(), StepError> {
    let node = Node::Client(client.clone());
    let address = target::address(context, &node, &Via::Routes, &Target::Group(group.clone())).await?;
    let socket = receiver(context, client, address, 0).await?;
    context.memberships.sockets().insert((client.clone(), group.clone()), socket);
    Ok(())
}

pub(super) fn leave(context: &Context, client: &ClientName, group: &GroupCode) -> Result<(), StepError> {
    match context.memberships.sockets().remove(&(client.clone(), group.clone())) {
        Some(_) => Ok(()),
        None => Err(StepError::new(format!("no application on {client} has joined {group}"))),
    }
}

/// A socket at a client that receives what is sent to `address` and `port`, a group or one of its own addresses.
///
/// A group is joined on the tunnel that the client's route to it leads through, as an application that asks for no
/// interface does.
pub(super) async fn receiver(
    context: &Context,
    client: &ClientName,
    address: Ipv4Addr,
    port: u16,
) -> Result<Box<dyn Datagrams>, StepError> {
    let spec = UdpSpec {
        bind: Some(SocketAddrV4::new(address, port)),
        join: address.is_multicast().then_some(address),
        receive_buffer: RECEIVE_BUFFER,
        ..UdpSpec::default()
    };
    let host = context.world.backend.host(&Node::Client(client.clone()))?;
    host.udp(&spec).await.map_err(|error| StepError::new(format!("{client} cannot receive {address}: {error}")))
}

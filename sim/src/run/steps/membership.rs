//! `join` and `leave`: an application on a client that receives a group.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    sync::{Mutex, PoisonError},
};

use dzsim_scenario::plan::{ClientName, GroupCode, Node, Target, Via};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::{Context, StepError, target};

/// The sockets of applications that have joined groups.
#[derive(Debug, Default)]
pub struct Memberships(Mutex<BTreeMap<(ClientName, GroupCode), UdpSocket>>);

impl Memberships {
    fn sockets(&self) -> std::sync::MutexGuard<'_, BTreeMap<(ClientName, GroupCode), UdpSocket>> {
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
) -> Result<UdpSocket, StepError> {
    let node = context
        .world
        .lab
        .node(&dzsim_lab::NodeName::new(client.as_str()).map_err(anyhow::Error::from)?)
        .map_err(anyhow::Error::from)?;
    let bound = node
        .netns()
        .run_async(move || -> std::io::Result<UdpSocket> {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddrV4::new(address, port).into())?;
            if address.is_multicast() {
                socket.join_multicast_v4_n(&address, &InterfaceIndexOrAddress::Address(Ipv4Addr::UNSPECIFIED))?;
                // Only what came in by a joined interface, also where several sockets of the host have joined.
                socket.set_multicast_all_v4(false)?;
            }
            socket.set_nonblocking(true)?;
            Ok(socket.into())
        })
        .await
        .map_err(anyhow::Error::from)?;
    bound.map_err(|error| StepError::new(format!("{client} cannot receive {address}: {error}")))
}

//! Changes which tunnels may end on an interface from now on, and what its contributor notes about it.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    processor::device::load_owned,
    state::{EndpointService, Interface, InterfaceMetadata, InterfaceStatus},
    validation::check_metadata,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::UpdateInterface<Info<'a, 'info>>,
    service: EndpointService,
    metadata: InterfaceMetadata,
) -> Result {
    let device = load_owned(ctx, a.contributor, a.device)?.device;
    let mut interface = ctx.read::<Interface>(a.interface)?;
    ensure!(interface.device == *device.key(), WrongInterface);
    ensure!(interface.status != InterfaceStatus::Deleting, InterfaceDeleting);
    ensure!(service == EndpointService::Any || interface.user_tunnel_endpoint, NotAnEndpoint);
    check_metadata(&metadata, interface.kind)?;
    interface.service = service;
    interface.metadata = metadata;
    ctx.save(&interface)
}

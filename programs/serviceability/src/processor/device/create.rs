//! Registers a device: notes its address, creates its id pools.

use super::{active, check_endpoints, check_prefix_len};
use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ensure},
    instruction::{CreateDeviceArgs, FIRST_TUNNEL_ID, MAX_TUNNEL_SLOTS},
    network::NetworkV4,
    pda::Place,
    registry::check_own,
    state::{Bootstrap, Contributor, Device, DeviceCounts, DeviceStatus, Exchange, ExchangeStatus, Pool, PoolKind},
    validation::check_lower_code,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, args: CreateDeviceArgs) -> Result {
    let mut contributor = ctx.load::<Contributor>()?;
    let mut exchange = ctx.load::<Exchange>()?;
    let info = ctx.take()?;
    ctx.contributor_owner(&contributor)?;
    active(&contributor)?;
    ensure!(exchange.status == ExchangeStatus::Activated, ExchangeNotActive);
    check_lower_code(&args.code)?;
    ensure!((1..=MAX_TUNNEL_SLOTS).contains(&args.tunnel_slots), InvalidTunnelSlots);
    if let Bootstrap::Carve { prefix_len } = args.bootstrap {
        check_prefix_len(&ctx.config, prefix_len)?;
    }
    let endpoints_wanted = args.endpoints_wanted.unwrap_or(match args.bootstrap {
        Bootstrap::Carve { .. } | Bootstrap::OwnPrefix => ctx.config.endpoints_per_device,
        Bootstrap::OwnEndpoints => 0,
    });
    check_endpoints(&ctx.config, args.bootstrap, endpoints_wanted)?;
    let public = NetworkV4::host(args.public_ip);
    check_own(&ctx.config, public)?;
    ctx.register(public)?;

    let value = Device {
        code: args.code.clone(),
        contributor: *contributor.key(),
        exchange: *exchange.key(),
        device_type: args.device_type,
        status: DeviceStatus::Pending,
        public_ip: args.public_ip,
        bootstrap: args.bootstrap,
        endpoints_wanted,
        prefixes: vec![],
        tunnel_slots: args.tunnel_slots,
        caps: args.caps,
        counts: DeviceCounts::default(),
        public_ip_interface: None,
        interface_count: 0,
        endpoint_count: 0,
        pulled_count: 0,
        link_count: 0,
    };
    ctx.create(info, Place::Device(&args.code), value)?;

    let tunnel_ids = ctx.take()?;
    let (kind, base, count) = (PoolKind::TunnelIds, u32::from(FIRST_TUNNEL_ID), u32::from(args.tunnel_slots));
    ctx.create_pool(tunnel_ids, Pool::new(kind, *info.key, base, 1, count, 0))?;

    let loopbacks = ctx.take()?;
    let (first, last) = (ctx.config.endpoint_loopback_first, ctx.config.endpoint_loopback_last);
    let (kind, base, count) = (PoolKind::EndpointLoopbacks, u32::from(first), u32::from(last - first) + 1);
    ctx.create_pool(loopbacks, Pool::new(kind, *info.key, base, 1, count, 0))?;

    contributor.reference_count.up()?;
    exchange.reference_count.up()?;
    ctx.config.device_count.up()?;
    ctx.save(&contributor)?;
    ctx.save(&exchange)?;
    ctx.save_config()
}

//! Registers a device: notes its address, creates its id pools.

use super::check_endpoints;
use crate::{
    accounts::{Context, Info},
    address_registry::check_own,
    counter::Counter,
    error::{Result, ensure},
    instruction::{CreateDeviceArgs, FIRST_TUNNEL_ID, MAX_TUNNEL_SLOTS},
    lists,
    network::NetworkV4,
    pda::Place,
    processor::contributor::{active, count_request},
    state::{Bootstrap, Contributor, Device, DeviceCounts, DeviceStatus, Exchange, ExchangeStatus, Pool, PoolKind},
    validation::check_lower_code,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CreateDevice<Info<'a, 'info>>,
    args: CreateDeviceArgs,
) -> Result {
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    let mut exchange = ctx.read::<Exchange>(a.exchange)?;
    ctx.contributor_owner(&contributor)?;
    active(&contributor)?;
    ensure!(exchange.status == ExchangeStatus::Activated, ExchangeNotActive);
    check_lower_code(&args.code)?;
    ensure!((1..=MAX_TUNNEL_SLOTS).contains(&args.tunnel_slots), InvalidTunnelSlots);
    match args.bootstrap {
        // A share of the contributor's own space may be as small as it likes; one address of it is reserved.
        Bootstrap::Carve { prefix_len } if !contributor.prefixes.is_empty() => {
            ensure!((24..=31).contains(&prefix_len), InvalidPrefixLength);
        }
        Bootstrap::Carve { prefix_len } | Bootstrap::CarveBlock { prefix_len } => {
            ensure!(ctx.config.is_prefix_len(prefix_len), InvalidPrefixLength);
        }
        Bootstrap::OwnPrefix | Bootstrap::OwnEndpoints => {}
    }
    let endpoints_wanted = args.endpoints_wanted.unwrap_or(match args.bootstrap {
        Bootstrap::Carve { .. } | Bootstrap::CarveBlock { .. } | Bootstrap::OwnPrefix => {
            ctx.config.endpoints_per_device
        }
        Bootstrap::OwnEndpoints => 0,
    });
    check_endpoints(&ctx.config, args.bootstrap, endpoints_wanted)?;
    count_request(ctx, &mut contributor, a.clock, endpoints_wanted)?;
    let public = NetworkV4::host(args.public_ip);
    check_own(&ctx.config, public)?;
    ctx.check_no_client(a.clients, public)?;
    ctx.register(a.registry, public)?;

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
    ctx.create(a.device, Place::Device(&args.code), value)?;

    let (kind, base, count) = (PoolKind::TunnelIds, u32::from(FIRST_TUNNEL_ID), u32::from(args.tunnel_slots));
    ctx.create_pool(a.tunnel_ids, Pool::new(kind, *a.device.key, base, 1, count, 0))?;

    let (first, last) = (ctx.config.endpoint_loopback_first, ctx.config.endpoint_loopback_last);
    let (kind, base, count) = (PoolKind::EndpointLoopbacks, u32::from(first), u32::from(last - first) + 1);
    ctx.create_pool(a.loopbacks, Pool::new(kind, *a.device.key, base, 1, count, 0))?;

    contributor.reference_count.up()?;
    exchange.reference_count.up()?;
    ctx.config.device_count.up()?;
    ctx.save(&contributor)?;
    ctx.save(&exchange)?;
    ctx.save_config()
}

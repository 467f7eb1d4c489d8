//! Changes the numbers of the config.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::ConfigNumbers,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    _: lists::SetGlobalConfig<Info<'a, 'info>>,
    args: ConfigNumbers,
) -> Result {
    ctx.foundation()?;
    super::check(&args)?;
    let config = &mut ctx.config;
    let range = (config.endpoint_loopback_first, config.endpoint_loopback_last);
    // Every device has a pool of this very range.
    ensure!(
        config.device_count == 0 || range == (args.endpoint_loopback_first, args.endpoint_loopback_last),
        LoopbackRangeInUse
    );
    config.local_asn = args.local_asn;
    config.remote_asn = args.remote_asn;
    config.endpoint_loopback_first = args.endpoint_loopback_first;
    config.endpoint_loopback_last = args.endpoint_loopback_last;
    config.min_contributor_prefix = args.min_contributor_prefix;
    config.endpoints_per_device = args.endpoints_per_device;
    config.same_metro_routing = args.same_metro_routing;
    config.kept_blocks = args.kept_blocks;
    ctx.save_config()
}

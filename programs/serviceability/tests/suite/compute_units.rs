//! Compute units of each instruction as bytecode, against the table that is checked in.
//!
//! Natively only the names are checked: units mean nothing there. `DZ_WRITE_COMPUTE_UNITS=1` together
//! with `SBF_OUT_DIR` writes the table again.

use std::{collections::BTreeMap, fmt::Write};

use dz_sdk::{
    build,
    instruction::{self as ix, access_pass::PassLimits},
};
use dz_serviceability::{
    ID as P,
    instruction::ServiceabilityInstruction,
    pda,
    state::{Bootstrap, ConfigNumbers, DeviceType, EndpointService, InterfaceMetadata, LinkStatus, PoolKind, UserType},
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use strum::EnumCount;

use crate::support::{BOTH, Costs, LINK_NUMBERS, Net, SUBSCRIBE, caps, ip, net, signer};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/compute-units.txt");
/// Two builders of the same source differ by less.
const TOLERANCE_PERCENT: u64 = 10;

/// Each alone, so that each has its own cost.
async fn each(n: &mut Net, signer: &Keypair, instructions: impl IntoIterator<Item = Instruction>) {
    for instruction in instructions {
        n.ok(signer, [instruction]).await;
    }
}

/// A history in which every verb succeeds once.
async fn history() -> Costs {
    let mut n = Net::with_metro().await;
    let (f, a, o, p) =
        (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.owner), signer(&n.keys.payer));
    let other = signer(&n.keys.other);
    let (fk, ak, ok, pk, co, nyc) = (f.pubkey(), a.pubkey(), o.pubkey(), p.pubkey(), n.co(), n.nyc());

    let second = net("46.0.0.0/24");
    each(
        &mut n,
        &f,
        [
            ix::global_config::set_global_config(&P, &fk, ConfigNumbers::default()),
            ix::global_config::add_foundation(&P, &fk, ok),
            ix::global_config::remove_foundation(&P, &fk, ok),
            ix::global_config::add_block(&P, &fk, PoolKind::DoubleZeroBlock, second),
            ix::contributor::update_contributor(&P, &fk, co, ok, 0),
            ix::contributor::suspend_contributor(&P, &fk, co),
            ix::contributor::resume_contributor(&P, &fk, co),
            ix::exchange::update_exchange(&P, &fk, nyc, "New York", 1, 1),
            ix::exchange::suspend_exchange(&P, &fk, nyc),
            ix::exchange::resume_exchange(&P, &fk, nyc),
        ],
    )
    .await;
    n.ok(&f, [build::remove_block(&n.view, &fk, PoolKind::DoubleZeroBlock, second)]).await;
    n.ok(&a, [build::allocate_contributor_block(&n.view, &ak, co, net("45.33.0.0/24")).unwrap()]).await;

    n.ok(&o, [ix::contributor::add_contributor_prefix(&P, &ok, co, net("9.7.0.0/29"))]).await;
    n.ok(&o, [build::remove_contributor_prefix(&n.view, &ok, co, net("9.7.0.0/29"))]).await;

    // One device of each of the first two bootstraps, with everything on it.
    let carved = n.pending_device("carved", "9.0.0.9", Bootstrap::Carve { prefix_len: 29 }).await;
    n.ok(&a, [build::carve_device_prefix(&n.view, &ak, carved, net("45.33.0.0/29")).unwrap()]).await;
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    n.ok(&o, [build::update_device(&n.view, &ok, device, DeviceType::Hybrid, caps(96), 2).unwrap()]).await;
    n.ok(&o, [build::set_device_public_ip(&n.view, &ok, device, ip("9.0.3.1")).unwrap()]).await;
    each(&mut n, &o, [ix::device::drain_device(&P, &ok, co, device), ix::device::undrain_device(&P, &ok, co, device)])
        .await;
    let ports = [n.port(device, "et1", &o).await, n.port(carved, "et1", &o).await];
    let (any, plain) = (EndpointService::Any, InterfaceMetadata::default());
    n.ok(&o, [build::update_interface(&n.view, &ok, ports[0], any, plain).unwrap()]).await;
    n.ok(&o, [build::create_link(&n.view, &ok, "l1", ports[0], ports[1], LINK_NUMBERS).unwrap()]).await;
    let link = pda::link(&P, "l1").0;
    n.ok(&a, [build::activate_link(&n.view, &ak, link, net("172.16.0.0/31")).unwrap()]).await;
    n.ok(&o, [build::update_link(&n.view, &ok, link, 10_000, 10_000_000_000).unwrap()]).await;
    n.ok(&o, [build::set_link_status(&n.view, &ok, link, LinkStatus::HardDrained).unwrap()]).await;
    n.ok(&o, [build::delete_link(&n.view, &ok, link).unwrap()]).await;
    n.ok(&a, [build::close_link(&n.view, &ak, link).unwrap()]).await;
    let args = n.device_args("far", "9.0.0.5", Bootstrap::OwnPrefix);
    n.ok(&other, [ix::device::create_device(&P, &other.pubkey(), n.other(), nyc, 100, args)]).await;
    let far = n.port(pda::device(&P, "far").0, "et1", &other).await;
    n.ok(&o, [build::create_link(&n.view, &ok, "l2", ports[0], far, LINK_NUMBERS).unwrap()]).await;
    n.ok(&other, [build::accept_link(&n.view, &other.pubkey(), pda::link(&P, "l2").0).unwrap()]).await;

    let (tenant, groups) = (n.tenant("acme", 2).await, [n.group("g1", 0).await, n.group("g2", 1).await]);
    n.ok(&f, [ix::tenant::update_tenant(&P, &fk, tenant, vec![ok])]).await;
    n.ok(&f, [ix::multicast_group::update_multicast_group(&P, &fk, groups[0], fk, 7)]).await;
    let pass = n.pass_with("0.0.0.0", PassLimits { max_multicast_users: 9, ..PassLimits::default() }, &[tenant]).await;
    for group in groups {
        n.allow(pass, group).await;
    }
    // A user of each end.
    let unicast = n.create_user_with("9.2.0.1", "9.0.1.1", UserType::Ibrl, Some(tenant), vec![]);
    n.ok(&p, [unicast]).await;
    let mut ends = vec![];
    for (index, client) in ["9.2.0.2", "9.2.0.3", "9.2.0.4"].into_iter().enumerate() {
        let roles = vec![(groups[0], BOTH), (groups[1], SUBSCRIBE)];
        ends.push(n.pending_user(client, "9.0.1.2", UserType::Multicast, roles).await);
        if index > 0 {
            let dz_ip = format!("148.51.120.{index}");
            n.ok(&a, [n.activate_user(ends[index], index as u16, &dz_ip)]).await;
        }
    }
    let [rejected, closed, banned] = ends[..] else { unreachable!() };
    let steps = build::reject_user(&n.view, &ak, rejected, "the device has no free tunnel id").unwrap();
    each(&mut n, &a, steps).await;
    let unicast = pda::user(&P, ip("9.2.0.1"), ip("9.0.1.1")).0;
    for user in [unicast, closed] {
        n.ok(&p, [build::delete_user(&n.view, &pk, user).unwrap()]).await;
        let steps = build::close_user(&n.view, &ak, user).unwrap();
        each(&mut n, &a, steps).await;
    }
    n.ok(&f, [build::ban_user(&n.view, &fk, banned).unwrap()]).await;
    let steps = build::finish_ban(&n.view, &ak, banned).unwrap();
    each(&mut n, &a, steps).await;
    n.ok(&f, [build::delete_user(&n.view, &fk, banned).unwrap()]).await;

    // The foundation names an address that somebody is at, and its holder takes it; a device is emptied.
    let named = n.pass("9.2.0.9").await;
    let holder = n.get_pass(named);
    let other = signer(&n.keys.stranger);
    let any = ix::access_pass::set_access_pass(&P, &fk, ip("0.0.0.0"), other.pubkey(), PassLimits::default(), None);
    n.ok(&f, [any]).await;
    assert_eq!(holder.payer, pk);
    n.ok(&f, build::close_access_pass(&n.view, &fk, named).unwrap()).await;
    let wanted = |client_ip: &str| build::CreateUser {
        client_ip: ip(client_ip),
        endpoint_ip: ip("9.0.1.1"),
        user_type: UserType::Ibrl,
        tenant: None,
        roles: vec![],
    };
    let create = build::create_user(&n.view, &other.pubkey(), &other.pubkey(), wanted("9.2.0.9")).unwrap();
    n.ok(&other, [create]).await;
    n.pass("9.2.0.9").await;
    let user = pda::user(&P, ip("9.2.0.9"), ip("9.0.1.1")).0;
    n.ok(&p, [build::reclaim_address(&n.view, &pk, user).unwrap()]).await;
    let steps = build::close_user(&n.view, &ak, user).unwrap();
    each(&mut n, &a, steps).await;
    let create = build::create_user(&n.view, &pk, &pk, wanted("9.2.0.9")).unwrap();
    n.ok(&p, [create]).await;
    each(&mut n, &o, [ix::device::drain_device(&P, &ok, co, device)]).await;
    n.ok(&o, [build::evict_user(&n.view, &ok, user).unwrap()]).await;
    let steps = build::close_user(&n.view, &ak, user).unwrap();
    each(&mut n, &a, steps).await;

    // And everything away again.
    let steps = build::close_access_pass(&n.view, &fk, pass).unwrap();
    each(&mut n, &f, steps).await;
    each(&mut n, &f, [ix::tenant::delete_tenant(&P, &fk, tenant)]).await;
    n.ok(&a, [build::close_tenant(&n.view, &ak, tenant)]).await;
    each(&mut n, &f, [ix::multicast_group::delete_multicast_group(&P, &fk, groups[0])]).await;
    n.ok(&a, [build::close_multicast_group(&n.view, &ak, groups[0]).unwrap()]).await;
    n.ok(&o, [build::delete_interface(&n.view, &ok, ports[1]).unwrap()]).await;
    n.ok(&a, [build::close_interface(&n.view, &ak, ports[1]).unwrap()]).await;
    n.ok(&o, [build::delete_device(&n.view, &ok, carved).unwrap()]).await;
    let steps = build::close_device(&n.view, &ak, carved).unwrap();
    each(&mut n, &a, steps).await;
    let link = pda::link(&P, "l2").0;
    n.ok(&o, [build::delete_link(&n.view, &ok, link).unwrap()]).await;
    n.ok(&a, [build::close_link(&n.view, &ak, link).unwrap()]).await;
    n.ok(&o, [build::delete_device(&n.view, &ok, device).unwrap()]).await;
    let steps = build::close_device(&n.view, &ak, device).unwrap();
    each(&mut n, &a, steps).await;
    n.ok(&f, [ix::contributor::delete_contributor(&P, &fk, co)]).await;
    let steps = build::close_contributor(&n.view, &ak, co).unwrap();
    each(&mut n, &a, steps).await;
    each(&mut n, &f, [ix::exchange::create_exchange(&P, &fk, "pit", "Pittsburgh", 0, 0)]).await;
    n.ok(&f, [build::delete_exchange(&n.view, &fk, pda::exchange(&P, "pit").0)]).await;
    assert_eq!(dz_sdk::audit::audit(&n.view), []);
    n.costs
}

fn read_table() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(TABLE).unwrap_or_default();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| row.split_once(' '))
        .map(|(name, units)| (name.to_owned(), units.trim().parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn every_instruction_costs_what_the_table_says() {
    let costs = history().await;
    assert_eq!(costs.len(), ServiceabilityInstruction::COUNT, "a verb is missing from the history: {costs:?}");
    let bytecode = std::env::var_os("SBF_OUT_DIR").is_some();
    if bytecode && std::env::var_os("DZ_WRITE_COMPUTE_UNITS").is_some() {
        let mut text = String::from(
            "# Compute units of each instruction as bytecode, the most of one history (tests/suite/compute_units.rs).\n\
             # The budget of an instruction is 200000. Written by `DZ_WRITE_COMPUTE_UNITS=1 ci/sbf.sh`.\n",
        );
        for (name, units) in &costs {
            writeln!(text, "{name} {units}").unwrap();
        }
        std::fs::write(TABLE, text).unwrap();
    }
    let table = read_table();
    // Natively nothing is measured, so an instruction that is new since the table was written may be missing from it.
    assert_eq!(table.keys().filter(|name| !costs.contains_key(*name)).count(), 0, "{table:?}");
    if bytecode {
        assert_eq!(table.keys().collect::<Vec<_>>(), costs.keys().collect::<Vec<_>>());
        let off =
            |(name, units): &(&String, &u64)| units.abs_diff(table[*name]) * 100 > table[*name] * TOLERANCE_PERCENT;
        let off: Vec<_> = costs.iter().filter(off).map(|(name, units)| (name, table[name], *units)).collect();
        assert_eq!(off, [], "name, units in the table, units now");
    }
}

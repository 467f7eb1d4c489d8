//! The profile of a path: from geography, unless the scenario says otherwise.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use dzsim_fabric::{
    BitRate, Jitter, Loss, Ordering, PathProfile, Probability, Reach,
    geo::{Geography, Position},
};
use dzsim_scenario::plan::{Condition, Delay, ExchangeCode, Link, Plan};

/// A packet that a rule lets be overtaken is held back this long.
const HELD_BACK: Duration = Duration::from_millis(5);

/// Where a metro is.
///
/// # Errors
/// The plan does not have it, or its coordinates are out of range.
pub fn position(plan: &Plan, code: &ExchangeCode) -> anyhow::Result<Position> {
    let place = plan.exchanges.get(code).with_context(|| format!("exchange {code} is not in the plan"))?.location;
    Ok(Position::new(place.lat, place.lng)?)
}

/// The metro a node stands in.
fn metro<'a>(plan: &'a Plan, node: &str) -> anyhow::Result<&'a ExchangeCode> {
    plan.devices
        .get(node)
        .map(|device| &device.exchange)
        .or_else(|| plan.clients.get(node).map(|client| &client.exchange))
        .with_context(|| format!("no node {node}"))
}

/// How packets fare between two nodes by geography alone.
///
/// # Errors
/// The plan has no such place, or a value is out of range.
pub fn between(plan: &Plan, a: &str, b: &str) -> anyhow::Result<PathProfile> {
    let (a, b) = (position(plan, metro(plan, a)?)?, position(plan, metro(plan, b)?)?);
    Ok(PathProfile::with_delay(Geography::INTERNET.delay(a, b)))
}

/// How long a packet takes over a link.
///
/// # Errors
/// The plan has no such place, or a value is out of range.
pub fn link_delay(plan: &Plan, link: &Link) -> anyhow::Result<Duration> {
    match link.delay {
        Delay::Fixed(delay) => Ok(delay),
        Delay::ByDistance => {
            let at = |code| {
                let device = plan.devices.get(code).context("a link whose device is not in the plan")?;
                position(plan, &device.exchange)
            };
            Ok(Geography::BACKBONE.delay(at(&link.a)?, at(&link.z)?))
        }
    }
}

/// How packets fare on a backbone link.
///
/// # Errors
/// The plan has no such place, or a value is out of range.
pub fn link_profile(plan: &Plan, link: &Link) -> anyhow::Result<PathProfile> {
    Ok(PathProfile {
        delay: link_delay(plan, link)?,
        jitter: jitter(link.jitter),
        loss: loss(link.loss_ppm)?,
        rate: Some(rate(link.rate_bps)?),
        mtu: Some(link.mtu),
        ..PathProfile::default()
    })
}

/// A profile with what a condition says put over it.
///
/// # Errors
/// The plan has no such place, or a value is out of range.
pub fn under(condition: &Condition, base: &PathProfile) -> anyhow::Result<PathProfile> {
    let mut profile = base.clone();
    if let Some(protocol) = condition.protocol {
        let plain = PathProfile { exceptions: BTreeMap::new(), ..base.clone() };
        let now = base.exceptions.get(&protocol).unwrap_or(&plain);
        let exception = under(&Condition { protocol: None, ..*condition }, now)?;
        profile.exceptions.insert(protocol, exception);
        return Ok(profile);
    }
    for exception in profile.exceptions.values_mut() {
        *exception = under(condition, exception)?;
    }
    if condition.blocked {
        profile.reach = Reach::Silent;
    }
    if let Some(delay) = condition.delay {
        profile.delay = delay;
    }
    if let Some(spread) = condition.jitter {
        profile.jitter = jitter(spread);
    }
    if let Some(ppm) = condition.loss_ppm {
        profile.loss = loss(ppm)?;
    }
    if let Some(ppm) = condition.reorder_ppm {
        profile.ordering = Ordering::HeldBack { probability: probability(ppm)?, by: HELD_BACK };
    }
    if let Some(ppm) = condition.duplicate_ppm {
        profile.duplicate = probability(ppm)?;
    }
    if let Some(rate) = condition.rate_bps {
        profile.rate = Some(self::rate(rate)?);
    }
    if let Some(mtu) = condition.mtu {
        profile.mtu = Some(mtu);
        profile.black_hole = condition.black_hole;
    }
    Ok(profile)
}

fn jitter(spread: Duration) -> Jitter {
    if spread.is_zero() { Jitter::None } else { Jitter::Uniform { spread } }
}

fn rate(bits_per_second: u64) -> anyhow::Result<BitRate> {
    BitRate::from_bits_per_second(bits_per_second).context("a rate of 0 bit/s carries nothing")
}

fn loss(ppm: u32) -> anyhow::Result<Loss> {
    Ok(if ppm == 0 { Loss::None } else { Loss::Random { probability: probability(ppm)? } })
}

fn probability(ppm: u32) -> anyhow::Result<Probability> {
    Ok(Probability::new(f64::from(ppm) / 1e6)?)
}

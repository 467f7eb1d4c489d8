//! `ping`: ICMP echo from a node, through the routes or through one tunnel.

use std::{net::Ipv4Addr, time::Duration};

use dz_net::{
    host::Pinger,
    probe::{ProbeConfig, ProbeResult},
};
use dzsim_fabric::FlowNumber;
use dzsim_scenario::plan::{Bound, Comparison, Ping, Via};

use tokio::time::Instant;

use super::{Context, StepError, target};
use crate::run::measure::{Measure, Unit};

/// How long an answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The same where the scenario expects some not to come.
const TIMEOUT_IN_VAIN: Duration = Duration::from_millis(500);

pub(super) async fn run(context: &Context, ping: &Ping, record: &str, end: Instant) -> Result<(), StepError> {
    let to = target::address(context, &ping.from, &ping.via, &ping.to).await?;
    let source = match &ping.source {
        Some(source) => Some(target::address(context, &ping.from, &ping.via, source).await?),
        None => None,
    };
    let config = ProbeConfig {
        probes: ping.count,
        timeout: if ping.received.is_some() { TIMEOUT_IN_VAIN } else { TIMEOUT },
        interval: ping.interval,
        concurrency: 1,
        source,
        device: match &ping.via {
            Via::Routes => None,
            Via::Tunnel(name) => Some(name.clone()),
        },
        payload: ping.size,
        dont_fragment: ping.dont_fragment,
        tag: FlowNumber::new(ping.flow).tag(),
    };
    let mut prober = open(context, ping, config).await?;
    let first = tokio::time::timeout_at(end, round(&mut prober, to)).await;
    let mut total = first.map_err(|_| {
        let (count, interval) = (ping.count, ping.interval);
        StepError::new(format!(
            "{count} requests to {to}, {interval:?} apart, were not all answered or given up in time"
        ))
    })??;
    if !ping.meanwhile.is_empty() {
        let meanwhile = context.sequence(&ping.meanwhile, end);
        tokio::pin!(meanwhile);
        loop {
            // A round is finished before its result is looked at, so that no answer is lost by being interrupted.
            let next = round(&mut prober, to);
            tokio::pin!(next);
            let (result, ended) = tokio::select! {
                biased;
                result = &mut next => (result?, false),
                // What failed meanwhile is what matters, and no round is waited for.
                ended = &mut meanwhile => {
                    ended?;
                    (next.await?, true)
                }
            };
            add(&mut total, result);
            if ended {
                break;
            }
        }
    }
    if !record.is_empty() {
        let samples: Vec<f64> = total.rtts.iter().map(|rtt| rtt.as_secs_f64() * 1e3).collect();
        if !samples.is_empty() {
            context.record(record, Measure::Numbers { unit: Unit::Milliseconds, samples });
        }
        context.record(&format!("{record} lost"), Measure::number(Unit::Count, f64::from(total.lost())));
    }
    check(ping, to, &total)
}

async fn open(context: &Context, ping: &Ping, config: ProbeConfig) -> Result<Box<dyn Pinger>, StepError> {
    let host = context.world.backend.host(&ping.from)?;
    Ok(host.pinger(config).await.map_err(anyhow::Error::from)?)
}

async fn round(prober: &mut Box<dyn Pinger>, to: Ipv4Addr) -> Result<ProbeResult, StepError> {
    let results = prober.round([to].into()).await.map_err(anyhow::Error::from)?;
    results.into_values().next().ok_or_else(|| StepError::new("the prober lost its only target"))
}

fn add(total: &mut ProbeResult, more: ProbeResult) {
    total.sent += more.sent;
    total.received += more.received;
    total.rtts.extend(more.rtts);
    total.last_error = more.last_error.or(total.last_error.take());
}

fn check(ping: &Ping, to: Ipv4Addr, result: &ProbeResult) -> Result<(), StepError> {
    let all = Bound { comparison: Comparison::Equal, value: u64::from(result.sent) };
    let received = ping.received.unwrap_or(all);
    if !received.holds(&u64::from(result.received)) {
        let reason = result.last_error.as_ref().map(|error| format!("; {error}")).unwrap_or_default();
        return Err(StepError {
            message: format!("{to} answered {} of {} pings{reason}", result.received, result.sent),
            expected: Some(format!("{received} answers")),
            actual: Some(format!("{} answers", result.received)),
            ..StepError::default()
        });
    }
    if let Some(bound) = &ping.rtt
        && let Some(rtt) = result.rtts.iter().find(|rtt| !bound.holds(rtt))
    {
        return Err(StepError {
            message: format!("a round trip to {to} took {rtt:?}"),
            expected: Some(format!("{} {:?}", bound.comparison, bound.value)),
            actual: Some(format!("{:?}", result.rtts)),
            ..StepError::default()
        });
    }
    if let Some(mtu) = ping.too_big
        && result.too_big != Some(mtu)
    {
        return Err(StepError {
            message: format!("{to} was not reported as too far for packets of this size"),
            expected: Some(format!("fragmentation needed, MTU {mtu}")),
            actual: Some(match result.too_big {
                Some(other) => format!("fragmentation needed, MTU {other}"),
                None => "no such report".to_owned(),
            }),
            ..StepError::default()
        });
    }
    Ok(())
}

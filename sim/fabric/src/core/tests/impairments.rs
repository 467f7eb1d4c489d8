//! Impairments of a path, as distributions and as laws. The seeds are fixed, so a bound of four standard
//! deviations either holds for good or does not.

use proptest::prelude::*;

use super::*;
use crate::counters::DropReason;
use crate::profile::{Jitter, Loss, Ordering, Reach};
use crate::units::{BitRate, Probability};

const MANY: u32 = 20_000;

fn probability(value: f64) -> Probability {
    Probability::new(value).unwrap()
}

/// Sends [`MANY`] packets, `gap` nanoseconds apart, and gives number and time under way of what arrives.
fn send_many(profile: PathProfile, gap: u64) -> (Net, Vec<(u32, u64)>) {
    let mut net = Net::with_path(profile);
    let mut arrived = Vec::new();
    for number in 0..MANY {
        arrived.extend(net.run_until(u64::from(number) * gap));
        net.send_numbered(number, 100);
    }
    arrived.extend(net.drain());
    let arrived = arrived.iter().map(|a| (a.number(), a.at - u64::from(a.number()) * gap)).collect();
    (net, arrived)
}

/// Mean and standard deviation in milliseconds.
fn moments(arrived: &[(u32, u64)]) -> (f64, f64) {
    let times: Vec<f64> = arrived.iter().map(|(_, time)| *time as f64 / MS as f64).collect();
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / times.len() as f64;
    (mean, variance.sqrt())
}

fn assert_near(value: f64, expected: f64, bound: f64) {
    assert!((value - expected).abs() < bound, "{value} is not within {bound} of {expected}");
}

#[test]
fn uniform_jitter() {
    // Far enough apart that keeping the order changes nothing.
    let (_, arrived) = send_many(PathProfile { jitter: Jitter::Uniform { spread: ms(5) }, ..delay(20) }, 10 * MS);
    let (mean, deviation) = moments(&arrived);
    assert_near(mean, 20.0, 4.0 * 2.887 / f64::from(MANY).sqrt());
    assert_near(deviation, 5.0 / 3f64.sqrt(), 0.05);
    assert!(arrived.iter().all(|(_, time)| (15 * MS..=25 * MS).contains(time)));
}

#[test]
fn normal_jitter() {
    let profile = PathProfile { jitter: Jitter::Normal { deviation: ms(2) }, ..delay(50) };
    let (_, arrived) = send_many(profile, 100 * MS);
    let (mean, deviation) = moments(&arrived);
    assert_near(mean, 50.0, 4.0 * 2.0 / f64::from(MANY).sqrt());
    assert_near(deviation, 2.0, 0.05);
    let within = |sigmas: f64| {
        let near = |time: u64| (time as f64 / MS as f64 - 50.0).abs() < sigmas * 2.0;
        arrived.iter().filter(|(_, time)| near(*time)).count() as f64 / f64::from(MANY)
    };
    assert_near(within(1.0), 0.6827, 0.014);
    assert_near(within(2.0), 0.9545, 0.006);
}

#[test]
fn jitter_from_a_table() {
    let quantiles = [0, 1, 2, 3, 13].map(ms).to_vec();
    let (_, arrived) = send_many(PathProfile { jitter: Jitter::Table { quantiles }, ..delay(10) }, 100 * MS);
    let below = |bound: u64| arrived.iter().filter(|(_, time)| *time < bound).count() as f64 / f64::from(MANY);
    // The quantiles are a quarter apart each, evenly filled between.
    assert_near(below(11 * MS), 0.25, 0.013);
    assert_near(below(12 * MS), 0.50, 0.015);
    assert_near(below(13 * MS), 0.75, 0.013);
    assert_near(below(18 * MS), 0.875, 0.010);
    assert!(arrived.iter().all(|(_, time)| (10 * MS..=23 * MS).contains(time)));
}

#[test]
fn jitter_never_makes_a_packet_early() {
    let profile = PathProfile { jitter: Jitter::Uniform { spread: ms(50) }, ..delay(1) };
    let (_, arrived) = send_many(profile, 100 * MS);
    assert_eq!(arrived.len() as u32, MANY);
    assert!(arrived.iter().any(|(_, time)| *time == 0));
}

#[test]
fn random_loss() {
    let (net, arrived) =
        send_many(PathProfile { loss: Loss::Random { probability: probability(0.1) }, ..delay(1) }, MS);
    let lost = net.row("a", "b", ipv4::UDP).dropped[&DropReason::Lost];
    assert_eq!(lost.packets + arrived.len() as u64, u64::from(MANY));
    assert_near(lost.packets as f64 / f64::from(MANY), 0.1, 4.0 * (0.1 * 0.9 / f64::from(MANY)).sqrt());
    // Independent: the share of losses right after a loss is the same.
    let (again, after) = runs(&arrived);
    assert_near(again / after, 0.1, 4.0 * (0.1 * 0.9 / after).sqrt());
}

/// How many losses followed a loss, and how many losses there were.
fn runs(arrived: &[(u32, u64)]) -> (f64, f64) {
    let mut lost = vec![true; MANY as usize];
    for (number, _) in arrived {
        lost[*number as usize] = false;
    }
    let again = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
    (again as f64, lost.iter().filter(|lost| **lost).count() as f64)
}

#[test]
fn bursty_loss() {
    let (enter, leave) = (probability(0.01), probability(0.25));
    let loss = Loss::Bursty { enter, leave, in_good: Probability::ZERO, in_bad: Probability::ONE };
    let (net, arrived) = send_many(PathProfile { loss, ..delay(1) }, MS);
    let lost = net.row("a", "b", ipv4::UDP).dropped[&DropReason::Lost].packets as f64;
    // In the long run the share of the bad state; a burst goes on with 1 - leave.
    assert_near(lost / f64::from(MANY), 0.01 / 0.26, 0.008);
    let (again, after) = runs(&arrived);
    assert_near(again / after, 0.75, 4.0 * (0.75 * 0.25 / after).sqrt());
}

#[test]
fn duplicates_follow_their_original() {
    let (net, arrived) = send_many(PathProfile { duplicate: probability(0.2), ..delay(1) }, MS);
    let copies = net.row("a", "b", ipv4::UDP).duplicated.packets;
    assert_eq!(arrived.len() as u64, u64::from(MANY) + copies);
    assert_near(copies as f64 / f64::from(MANY), 0.2, 4.0 * (0.2 * 0.8 / f64::from(MANY)).sqrt());
    assert_eq!(arrived.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64, copies);
}

#[test]
fn what_is_held_back_is_overtaken_and_nothing_else() {
    let ordering = Ordering::HeldBack { probability: probability(0.05), by: ms(5) };
    let (_, arrived) = send_many(PathProfile { ordering, ..delay(10) }, MS);
    let (held, others): (Vec<(u32, u64)>, _) = arrived.iter().copied().partition(|(_, time)| *time == 15 * MS);
    assert!(others.iter().all(|(_, time)| *time == 10 * MS));
    assert_near(held.len() as f64 / f64::from(MANY), 0.05, 4.0 * (0.05 * 0.95 / f64::from(MANY)).sqrt());
}

#[test]
fn free_order_follows_the_jitter() {
    let profile = |ordering| PathProfile { jitter: Jitter::Uniform { spread: ms(5) }, ordering, ..delay(20) };
    let swapped = |arrived: &[(u32, u64)]| arrived.windows(2).filter(|pair| pair[0].0 > pair[1].0).count();
    assert!(swapped(&send_many(profile(Ordering::Free), MS).1) > 1000);
    assert_eq!(swapped(&send_many(profile(Ordering::Kept), MS).1), 0);
}

#[test]
fn a_full_queue_drops_the_tail() {
    // 1000 bytes take a millisecond; one is on the line while 5000 bytes wait.
    let rate = BitRate::from_bits_per_second(8_000_000);
    let mut net = Net::with_path(PathProfile { rate, queue_bytes: Some(5_000), ..delay(10) });
    for number in 0..10 {
        net.send_numbered(number, 1000);
    }
    assert_eq!(net.row("a", "b", ipv4::UDP).dropped[&DropReason::QueueFull], tally(5, 5_000));
    let arrived: Vec<_> = net.drain().iter().map(|a| (a.number(), a.at / MS)).collect();
    assert_eq!(arrived, [(0, 11), (1, 12), (2, 13), (3, 14), (4, 15)]);
    // With the line idle again, there is room.
    net.send_numbered(10, 1000);
    assert_eq!(net.drain()[0].at, 26 * MS);
}

#[test]
fn the_same_seed_has_the_same_fate_whatever_others_do() {
    let profile = || PathProfile {
        jitter: Jitter::Normal { deviation: ms(3) },
        loss: Loss::Random { probability: probability(0.3) },
        duplicate: probability(0.3),
        ..delay(20)
    };
    let run = |seed, with_others: bool| {
        let mut net = Net::seeded(seed);
        if with_others {
            net.core.set_default_path(profile()).unwrap();
        }
        net.core.set_path("a", "b", Some(profile())).unwrap();
        for number in 0..200 {
            net.now += MS;
            if with_others {
                net.send(net.c, numbered(C, A, 0, 100));
            }
            net.send_numbered(number, 100);
        }
        let b = net.b;
        net.drain().into_iter().filter(|a| a.port == b).map(|a| (a.at, a.number())).collect::<Vec<_>>()
    };
    assert_eq!(run(7, false), run(7, true));
    assert_ne!(run(7, false), run(8, false));
}

fn any_profile() -> impl Strategy<Value = PathProfile> {
    let share = || (0.0..0.5f64).prop_map(probability);
    let jitter = prop_oneof![
        Just(Jitter::None),
        (0..30u64).prop_map(|spread| Jitter::Uniform { spread: ms(spread) }),
        (0..30u64).prop_map(|deviation| Jitter::Normal { deviation: ms(deviation) }),
        proptest::collection::vec(0..50u64, 1..5).prop_map(|mut quantiles| {
            quantiles.sort_unstable();
            Jitter::Table { quantiles: quantiles.into_iter().map(ms).collect() }
        }),
    ];
    let loss = prop_oneof![
        Just(Loss::None),
        share().prop_map(|probability| Loss::Random { probability }),
        (share(), share(), share(), share()).prop_map(|(enter, leave, in_good, in_bad)| Loss::Bursty {
            enter,
            leave,
            in_good,
            in_bad
        }),
    ];
    let rate =
        proptest::option::of((100_000..100_000_000u64).prop_map(|bits| BitRate::from_bits_per_second(bits).unwrap()));
    (0..50u64, jitter, loss, share(), rate, 2_000..50_000u64).prop_map(
        |(delay, jitter, loss, duplicate, rate, queue)| PathProfile {
            delay: ms(delay),
            jitter,
            loss,
            duplicate,
            rate,
            queue_bytes: Some(queue),
            ..PathProfile::default()
        },
    )
}

proptest! {
    /// Whatever else a path does, packets never overtake each other unless it says so.
    #[test]
    fn order_is_kept(
        profile in any_profile(),
        packets in proptest::collection::vec((0..5 * MS, 24..1500usize), 1..100),
    ) {
        prop_assert_eq!(profile.validate(), Ok(()));
        let mut net = Net::with_path(profile);
        let mut arrived = Vec::new();
        for (number, (gap, len)) in packets.into_iter().enumerate() {
            arrived.extend(net.run_until(net.now + gap));
            net.send_numbered(number as u32, len);
        }
        arrived.extend(net.drain());
        prop_assert!(arrived.is_sorted_by_key(|a| (a.at, a.number())));
    }

    /// In any stretch of time, no more arrives than the line carries in it, and one packet that was on it.
    #[test]
    fn rate_is_respected(
        rate in 100_000..50_000_000u64,
        delay in 0..20u64,
        duplicate in 0.0..0.5f64,
        packets in proptest::collection::vec((0..3 * MS, 24..1500usize), 2..100),
    ) {
        let rate = BitRate::from_bits_per_second(rate).unwrap();
        let profile = PathProfile {
            delay: ms(delay),
            rate: Some(rate),
            duplicate: probability(duplicate),
            queue_bytes: Some(20_000),
            ..PathProfile::default()
        };
        let mut net = Net::with_path(profile);
        let mut arrived = Vec::new();
        for (number, (gap, len)) in packets.into_iter().enumerate() {
            arrived.extend(net.run_until(net.now + gap));
            net.send_numbered(number as u32, len);
        }
        arrived.extend(net.drain());
        for (i, first) in arrived.iter().enumerate() {
            let mut bytes = 0;
            for later in &arrived[i + 1..] {
                bytes += later.packet.bytes.len() as u64;
                prop_assert!(rate.transmission_ns(bytes) <= later.at - first.at + arrived.len() as u64);
            }
        }
    }

    /// A line that always has something to send is never idle: it carries its rate.
    #[test]
    fn rate_is_reached(rate in 100_000..50_000_000u64) {
        let rate = BitRate::from_bits_per_second(rate).unwrap();
        let profile = PathProfile { rate: Some(rate), queue_bytes: Some(1 << 30), ..PathProfile::default() };
        let mut net = Net::with_path(profile);
        for number in 0..200 {
            net.send_numbered(number, 1250);
        }
        let last = net.drain().last().unwrap().at;
        prop_assert!(last.abs_diff(rate.transmission_ns(200 * 1250)) <= 200);
    }
}

#[test]
fn one_protocol_may_fare_in_another_way() {
    let silent = PathProfile { reach: Reach::Silent, ..delay(10) };
    let mut net = Net::with_path(PathProfile { exceptions: [(ipv4::GRE, silent)].into(), ..delay(10) });
    let gre = ipv4::tests::packet(ipv4::GRE, A.octets(), B.octets(), 40);
    net.send(net.a, gre.clone());
    net.send_numbered(1, 100);
    let arrived = net.drain();
    assert_eq!(arrived.iter().map(|a| a.ip().protocol).collect::<Vec<_>>(), [ipv4::UDP]);
    assert_eq!(net.row("a", "b", ipv4::GRE).dropped.get(&DropReason::Blocked), Some(&tally(1, 60)));
    // Also for what is under way when it comes, and no longer when it goes.
    net.core.set_path("a", "b", Some(delay(10))).unwrap();
    net.send(net.a, gre);
    assert_eq!(net.drain().len(), 1);
}

#[test]
fn an_exception_has_a_random_sequence_of_its_own() {
    let lossy = |loss| PathProfile { loss: Loss::Random { probability: probability(loss) }, ..delay(10) };
    let with = PathProfile { exceptions: [(ipv4::GRE, lossy(0.5))].into(), ..lossy(0.2) };
    let (_, plain) = send_many(lossy(0.2), MS);
    let (_, beside) = send_many(with, MS);
    assert_eq!(plain, beside);
}

#[test]
fn a_black_hole_swallows_what_is_too_large_without_a_word() {
    let hole = PathProfile { mtu: Some(1000), black_hole: true, ..delay(10) };
    let mut net = Net::with_path(hole);
    net.send(net.a, dont_fragment(numbered(A, B, 1, 1200)));
    net.send(net.a, dont_fragment(numbered(A, B, 2, 900)));
    let arrived = net.drain();
    assert_eq!(arrived.iter().map(|a| (a.port, a.number())).collect::<Vec<_>>(), [(net.b, 2)]);
    assert_eq!(net.row("a", "b", ipv4::UDP).dropped.get(&DropReason::TooBig), Some(&tally(1, 1200)));
}

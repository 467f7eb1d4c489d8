//! Benchmark of one change of the network in the controller: every device rendered, compared with before and hashed.
//!
//! `cargo bench -p dz-controller`. Half of the users are unicast, half subscribe to one group; devices stand in a ring
//! with a chord each.

#[allow(dead_code)]
#[path = "../tests/suite/view_builder.rs"]
mod view_builder;

use std::{hint::black_box, time::Instant};

use dz_controller::serve::{Catalog, FailedLinks};
use view_builder::{Chain, Kind, NewUser};

const ROUNDS: usize = 11;

fn main() {
    println!("{:>8} {:>8} {:>12} {:>12}", "devices", "users", "median", "slowest");
    for (devices, users) in [(3, 10), (10, 100), (100, 0), (100, 1_000), (100, 4_000)] {
        let chain = network(devices, users);
        let (view, failed) = (chain.view(), FailedLinks::new());
        let before = Catalog::default().next(&view, &failed).expect("a good view");
        let mut times: Vec<_> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                black_box(before.next(black_box(&view), &failed)).expect("a good view");
                start.elapsed()
            })
            .collect();
        times.sort();
        println!("{devices:>8} {users:>8} {:>12.3?} {:>12.3?}", times[ROUNDS / 2], times[ROUNDS - 1]);
    }
}

fn network(devices: usize, users: usize) -> Chain {
    let mut chain = Chain::new();
    let code = |number: usize| format!("d{}", number % devices);
    chain.group("mg01");
    for number in 0..devices {
        let address = |kind: u8| format!("{kind}.0.{}.{}", number / 200, number % 200 + 1);
        chain.device(&code(number), &address(9), &[&address(45)]);
    }
    for number in 0..devices {
        let ends =
            |other: usize, ports: [&str; 2]| ((code(number), ports[0].to_owned()), (code(other), ports[1].to_owned()));
        for (name, (a, z)) in [
            ("ring", ends(number + 1, ["Ethernet1", "Ethernet2"])),
            ("chord", ends(number + devices / 2, ["Ethernet3", "Ethernet4"])),
        ] {
            chain.link(&format!("{name}{number}"), (&a.0, &a.1), (&z.0, &z.1), 5);
        }
    }
    for number in 0..users {
        let client = format!("9.{}.{}.{}", 1 + number / 40_000, number / 200 % 200, number % 200 + 1);
        let kind = match number % 2 {
            0 => Kind::Own { tenant: None },
            _ if number == 1 => Kind::Multicast { publish: &["mg01"], subscribe: &[] },
            _ => Kind::Multicast { publish: &[], subscribe: &["mg01"] },
        };
        let id = u16::try_from(500 + number / devices).expect("a device's tunnels");
        chain.user(NewUser { client: &client, device: &code(number), endpoint: 0, id, kind });
    }
    chain
}

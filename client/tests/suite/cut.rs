//! Commands that are cut off at any step, together with the daemon: the next one takes up what they left.

use std::{
    future::{Future, poll_fn},
    net::Ipv4Addr,
    pin::pin,
    task::Poll,
};

use dz_client::cli::exit::Exit;
use dz_net::sandbox;

use crate::world::{DeviceSpec, World};

const NYC1: DeviceSpec<'_> =
    DeviceSpec { code: "nyc1", endpoints: &[Ipv4Addr::new(9, 2, 0, 1), Ipv4Addr::new(9, 2, 0, 2)] };

/// Lets a future take so many steps and drops it then; tells whether it ended before.
async fn cut<T>(future: impl Future<Output = T>, steps: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut left = steps;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[test]
fn a_connect_cut_off_anywhere_is_taken_up_by_the_next() {
    sandbox::run_async(|| async {
        let mut world = World::new(&[NYC1]).await;
        for steps in 0.. {
            let ended = cut(world.doublezero("connect multicast --publish mg01"), steps).await;
            world.kill_daemon().await;
            world.start_daemon().await;
            world.does("connect multicast --publish mg01").await;
            let services = world.up().await;
            assert_eq!(services.len(), 1, "cut after {steps} steps: {services:?}");
            assert_eq!(services[0].multicast_groups.publisher, ["mg01"]);
            assert_eq!(world.chain.view().users().len(), 1);
            world.does("disconnect").await;
            assert!(world.interfaces().await.is_empty());
            if let Some(answer) = ended {
                assert_eq!(answer.exit, Exit::Done);
                assert!(steps > 5, "a connect waits more often than {steps} times");
                return;
            }
        }
    });
}

#[test]
fn a_disconnect_cut_off_anywhere_is_taken_up_by_the_next() {
    sandbox::run_async(|| async {
        let mut world = World::new(&[NYC1]).await;
        for steps in 0.. {
            world.does("connect ibrl").await;
            world.does("connect multicast --subscribe mg01").await;
            let ended = cut(world.doublezero("disconnect multicast"), steps).await;
            world.kill_daemon().await;
            world.start_daemon().await;
            world.does("disconnect multicast").await;
            let services = world.up().await;
            assert_eq!(services.len(), 1, "cut after {steps} steps: {services:?}");
            assert_eq!(services[0].user_type, "IBRL");
            assert_eq!(world.chain.view().users().len(), 1);
            if let Some(answer) = ended {
                assert_eq!(answer.exit, Exit::Done);
                assert!(steps > 3, "a disconnect waits more often than {steps} times");
                return;
            }
        }
    });
}

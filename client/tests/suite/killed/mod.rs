//! `kill -9` at each step of what a connect or a disconnect leads to: of the daemon after everything it does, of the
//! command line at everything it says or hears. The next one takes up what is there, and another tunnel of the client
//! notices nothing.

mod relay;

use std::{collections::BTreeMap, net::Ipv4Addr, pin::pin};

use dz_client::cli::exit::Exit;
use dz_net::sandbox;
use dz_sdk::program::state::UserStatus;
use dz_testing::eventually;

use self::relay::Relay;
use crate::world::{CLIENT, DeviceSpec, Held, World};

const E0: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 1);
const E1: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 2);
const NYC1: DeviceSpec<'_> = DeviceSpec { code: "nyc1", endpoints: &[E0, E1] };

const CONNECT: &str = "connect multicast --publish mg01 --subscribe mg01,mg02";
const DISCONNECT: &str = "disconnect multicast";

/// What the kernel holds, by tunnel.
type Kernel = BTreeMap<String, Held>;

/// A client before a command, and what must stay as it is whatever becomes of the command.
struct Scene {
    world: World,
    /// Interfaces that are never remade, with their numbers.
    stays: BTreeMap<String, u32>,
}

impl Scene {
    /// A client with a unicast tunnel that carries traffic to a peer.
    async fn new() -> Self {
        let world = World::new(&[NYC1]).await;
        world.does("connect ibrl").await;
        world.chain.peer(Ipv4Addr::new(9, 50, 0, 1), E0).await;
        eventually("the peer is routed", || async {
            let held = world.kernel().await;
            let routed = held["doublezero0"].routes.iter().any(|route| route.starts_with("9.50.0.1/32"));
            if routed { Ok(()) } else { Err(held) }
        })
        .await;
        Self { stays: world.interfaces().await, world }
    }

    /// A client on its first day: it has no tunnel, and the daemon may not hold any.
    async fn fresh() -> Self {
        Self { world: World::new(&[NYC1]).await, stays: BTreeMap::new() }
    }

    /// Leads to where a command starts.
    async fn leads(&self, back: &[&str]) {
        for command in back {
            self.world.does(command).await;
        }
    }

    /// What the kernel holds when the command has been left alone.
    async fn goal(&self, back: &[&str], command: &str) -> Kernel {
        self.world.does(command).await;
        self.world.up().await;
        let goal = self.world.kernel().await;
        self.leads(back).await;
        goal
    }

    /// The command is repeated, and everything is as if nothing had happened to the first.
    async fn heals(&self, command: &str, goal: &Kernel, when: &str) {
        let world = &self.world;
        world.does(command).await;
        let tunnels = world.up().await.len();
        let view = world.chain.view().await;
        let users: Vec<_> = view.users_of_client(CLIENT).map(|(_, user)| user.status).collect();
        assert_eq!((tunnels, users), (goal.len(), vec![UserStatus::Activated; goal.len()]), "{when}");
        assert_eq!(world.kernel().await, *goal, "{when}");
        let mut interfaces = world.interfaces().await;
        interfaces.retain(|name, _| self.stays.contains_key(name));
        assert_eq!(interfaces, self.stays, "{when}");
    }

    /// Kills the daemon after each step that a command makes it take; returns the steps.
    async fn daemon_killed(&mut self, back: &[&str], command: &str) -> Vec<String> {
        let goal = self.goal(back, command).await;
        let mut taken = Vec::new();
        for steps in 0.. {
            self.world.kill_daemon();
            let mut daemon = self.world.start_stepped_daemon().await;
            taken.clear();
            let ended = {
                let mut running = pin!(self.world.doublezero(command));
                loop {
                    tokio::select! {
                        answer = &mut running => break Some(answer),
                        () = daemon.stands() => {}
                    }
                    if taken.len() == steps {
                        daemon.kill();
                        // It hears of it as soon as it asks, unless it was the last step and it has heard all it wants.
                        let answer = running.await;
                        assert!(matches!(answer.exit, Exit::DaemonUnavailable | Exit::Done), "{answer:?} {taken:?}");
                        break None;
                    }
                    taken.push(daemon.step().await);
                }
            };
            match ended {
                None => {
                    self.world.start_daemon().await;
                    self.heals(command, &goal, &format!("killed after {taken:?}")).await;
                    self.leads(back).await;
                }
                Some(answer) => {
                    assert_eq!(answer.exit, Exit::Done, "{answer:?}");
                    daemon.kill();
                    self.world.start_daemon().await;
                    break;
                }
            }
        }
        taken
    }

    /// Kills the command line after each piece that it says or hears; returns how many there are.
    async fn command_killed(&self, back: &[&str], command: &str) -> usize {
        let goal = self.goal(back, command).await;
        for pieces in 0.. {
            let relay = Relay::new(&self.world, pieces).await;
            let mut running = relay.doublezero(command);
            let ended = tokio::select! {
                status = running.wait() => Some(status.unwrap()),
                () = relay.is_through() => None,
            };
            if let Some(status) = ended {
                assert!(status.success(), "{status}");
                self.heals(command, &goal, "left alone").await;
                return pieces;
            }
            // SIGKILL, and it has ended.
            running.kill().await.unwrap();
            drop(relay);
            self.heals(command, &goal, &format!("killed after {pieces} pieces")).await;
            self.leads(back).await;
        }
        unreachable!()
    }
}

#[test]
fn a_daemon_killed_at_any_step_of_a_connect_heals() {
    sandbox::run_async(|| async {
        let steps = Scene::new().await.daemon_killed(&[DISCONNECT], CONNECT).await;
        for step in [
            "create doublezero1",
            "add 169.254.",
            "add 148.51.120.0/32",
            "route 233.84.178.2/32",
            "join 233.84.178.1",
            "session changed",
        ] {
            assert!(steps.iter().any(|taken| taken.contains(step)), "{step}: {steps:#?}");
        }
    });
}

#[test]
fn a_daemon_killed_at_any_step_of_the_first_connect_heals() {
    sandbox::run_async(|| async {
        let steps = Scene::fresh().await.daemon_killed(&["disconnect", "disable"], "connect ibrl").await;
        for step in ["tunnels turned on or off", "create doublezero0", "session changed"] {
            assert!(steps.iter().any(|taken| taken.contains(step)), "{step}: {steps:#?}");
        }
    });
}

#[test]
fn a_daemon_killed_at_any_step_of_a_disconnect_heals() {
    sandbox::run_async(|| async {
        let mut scene = Scene::new().await;
        scene.world.does(CONNECT).await;
        let steps = scene.daemon_killed(&[CONNECT], DISCONNECT).await;
        assert!(steps.iter().any(|taken| taken.contains("delete doublezero1")), "{steps:#?}");
    });
}

#[test]
fn a_daemon_killed_at_any_step_of_a_change_of_roles_heals() {
    sandbox::run_async(|| async {
        let mut scene = Scene::new().await;
        scene.world.does("connect multicast --subscribe mg01").await;
        let back = ["multicast unpublish mg02"];
        let steps = scene.daemon_killed(&back, "multicast publish mg02").await;
        for step in ["add 148.51.120.0/32", "route 233.84.178.2/32"] {
            assert!(steps.iter().any(|taken| taken.contains(step)), "{step}: {steps:#?}");
        }
    });
}

/// Between what the command line asks for and what the activator makes of it: the next daemon comes before or after.
#[test]
fn a_daemon_killed_while_the_activator_is_due_heals() {
    sandbox::run_async(|| async {
        let mut scene = Scene::new().await;
        let disconnected = scene.world.kernel().await;
        let connected = scene.goal(&[DISCONNECT], CONNECT).await;
        for activator_first in [true, false] {
            for (command, status, goal) in
                [(CONNECT, UserStatus::Pending, &connected), (DISCONNECT, UserStatus::Deleting, &disconnected)]
            {
                let world = &mut scene.world;
                world.stop_activator();
                let due = eventually("the user waits for the activator", || async {
                    let now = world.second_user().await;
                    if now == Some(status) { Ok(()) } else { Err(now) }
                });
                world.gets_stuck(command, due).await;
                world.kill_daemon();
                world.start_activator();
                if activator_first {
                    eventually("the activator has done its part", || async {
                        let now = world.second_user().await;
                        if now == Some(status) { Err(now) } else { Ok(()) }
                    })
                    .await;
                }
                world.start_daemon().await;
                scene.heals(command, goal, &format!("killed while {status}")).await;
            }
        }
    });
}

impl World {
    /// The status of the user at the second endpoint.
    async fn second_user(&self) -> Option<UserStatus> {
        self.chain.view().await.user_at(CLIENT, E1).map(|(_, user)| user.status)
    }
}

#[test]
fn a_connect_killed_at_any_piece_is_taken_up_by_the_next() {
    sandbox::run_async(|| async {
        let pieces = Scene::new().await.command_killed(&[DISCONNECT], CONNECT).await;
        assert!(pieces > 20, "a connect says and hears more than {pieces} pieces");
    });
}

#[test]
fn a_disconnect_killed_at_any_piece_is_taken_up_by_the_next() {
    sandbox::run_async(|| async {
        let scene = Scene::new().await;
        scene.world.does(CONNECT).await;
        let pieces = scene.command_killed(&[CONNECT], DISCONNECT).await;
        assert!(pieces > 10, "a disconnect says and hears more than {pieces} pieces");
    });
}

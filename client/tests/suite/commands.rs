//! Output of each user command, for people and as JSON, and each way to fail.

use std::net::Ipv4Addr;

use dz_net::sandbox;
use dz_sdk::{build, program::pda};
use dz_testing::eventually;

use crate::{
    transcript::Transcript,
    world::{CLIENT, DeviceSpec, Who, World},
};

const E0: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 1);
const E1: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 2);
const NYC1: DeviceSpec<'_> = DeviceSpec { code: "nyc1", endpoints: &[E0, E1] };

impl World {
    /// Runs a command and notes it.
    async fn shown(&self, transcript: &mut Transcript, command: &str) {
        transcript.note(command, &self.doublezero(command).await);
    }
}

#[test]
fn answers() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        let mut transcript = Transcript::default();
        for command in [
            "status",
            "status --json",
            "connect ibrl",
            "connect ibrl --json",
            "connect multicast --publish mg01 --subscribe mg01,mg02",
            "multicast unsubscribe mg01",
            "status",
            "status --json",
            "multicast unpublish mg01",
            "multicast unsubscribe mg02",
            "--json multicast unsubscribe mg02",
            "multicast subscribe mg03",
            "disable",
            "enable --json",
            "disconnect multicast",
            "disconnect --json",
            "disconnect",
            "disconnect --json",
            "multicast subscribe mg01",
        ] {
            world.shown(&mut transcript, command).await;
            world.up().await;
        }
        transcript.check("answers");
    });
}

#[test]
fn latencies() {
    sandbox::run_async(|| async {
        let mut world = World::new(&[DeviceSpec { code: "nyc1", endpoints: &[E0] }]).await;
        // On the chain alone: nobody answers for it.
        world.chain.add_device(DeviceSpec { code: "pit1", endpoints: &[Ipv4Addr::new(9, 3, 0, 1)] }).await;
        let daemon = world.daemon();
        eventually("both are probed", || async {
            let latency = daemon.latency(None).await.unwrap();
            if latency.ready && latency.results.len() == 2 { Ok(()) } else { Err(latency) }
        })
        .await;
        let mut transcript = Transcript::default();
        for command in ["latency", "latency --json"] {
            world.shown(&mut transcript, command).await;
        }
        world.kill_daemon();
        transcript.check("latencies");
    });
}

#[test]
fn refusals() {
    sandbox::run_async(|| async {
        let mut world = World::new(&[NYC1]).await;
        let mut transcript = Transcript::default();
        for command in [
            "connect",
            "connect ibrl --latency-tolerance soon",
            "user get --client-ip 9.1.0 --endpoint 9.2.0.1",
            "connect ibrl --device nyc2",
            "connect ibrl --tenant red",
            "connect multicast --publish mg09",
            "connect multicast --subscribe 'no such'",
            "--json connect ibrl --device nyc2",
        ] {
            world.shown(&mut transcript, command).await;
        }
        // Somebody without a pass.
        let stranger = world.doublezero_as(Who::Stranger, "connect ibrl").await;
        transcript.note("connect ibrl  # as a stranger", &stranger);

        // The pass allows less than it did.
        let as_foundation = |args: String| {
            let world = &world;
            async move { world.doublezero_as(Who::Foundation, &args).await }
        };
        let holder = format!("--client-ip {CLIENT} --payer {}", Who::Client.key());
        let answer = as_foundation(format!("access-pass forbid {holder} --publish mg01 --subscribe mg02")).await;
        assert_eq!(answer.err, "");
        world.shown(&mut transcript, "connect multicast --publish mg01").await;
        world.shown(&mut transcript, "connect multicast --subscribe mg02").await;
        // On a live tunnel as on a fresh one; what the tunnel has already stays.
        let allow = |what: &str| as_foundation(format!("access-pass {what} {holder} --publish mg03"));
        allow("allow").await;
        world.does("connect multicast --publish mg03").await;
        allow("forbid").await;
        let before = world.chain.view().await;
        world.shown(&mut transcript, "connect multicast --publish mg03 --subscribe mg01,mg02").await;
        world.shown(&mut transcript, "multicast subscribe mg02").await;
        world.shown(&mut transcript, "multicast publish mg01,mg03").await;
        assert_eq!(world.chain.view().await, before);
        world.does("connect multicast --publish mg03 --subscribe mg01").await;
        world.does("disconnect").await;
        as_foundation(format!("access-pass set {holder} --max-unicast 1 --max-multicast 0")).await;
        world.shown(&mut transcript, "connect multicast --subscribe mg01").await;
        world.shown(&mut transcript, "connect ibrl").await;
        world.shown(&mut transcript, "connect ibrl --another").await;

        // Every seat is taken, then the activator says no, then nobody says anything.
        as_foundation(format!("access-pass set {holder} --max-unicast 8 --max-multicast 8")).await;
        as_foundation("device update nyc1 --max-users 1".to_owned()).await;
        world.shown(&mut transcript, "connect ibrl --another").await;
        as_foundation("device update nyc1 --max-users 8".to_owned()).await;
        as_foundation("device drain nyc1".to_owned()).await;
        world.shown(&mut transcript, "connect ibrl --another").await;
        as_foundation("device undrain nyc1".to_owned()).await;
        world.stop_activator();
        world.shown(&mut transcript, "--timeout 2s connect ibrl --another").await;
        world.reject_all("the pool of tunnel networks is full").await;
        let (rejected, ()) = tokio::join!(world.doublezero("connect ibrl --another"), world.reject_next("no room"));
        transcript.note("connect ibrl --another", &rejected);
        world.shown(&mut transcript, "--timeout 2s disconnect").await;
        transcript.check("refusals");
    });
}

#[test]
fn bans() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        let mut transcript = Transcript::default();
        world.shown(&mut transcript, "connect ibrl").await;
        for command in [
            "--wait user ban --client-ip 9.1.0.1 --endpoint 9.2.0.1",
            "connect ibrl",
            "disconnect",
            "--wait user delete --client-ip 9.1.0.1 --endpoint 9.2.0.1",
            "connect ibrl",
        ] {
            let who = if command.contains("user") { Who::Foundation } else { Who::Client };
            transcript.note(command, &world.doublezero_as(who, command).await);
        }
        transcript.check("bans");
    });
}

#[test]
fn nobody_answers() {
    sandbox::run_async(|| async {
        let mut world = World::new(&[NYC1]).await;
        let mut transcript = Transcript::default();
        for command in ["connect ibrl", "disconnect", "device list"] {
            transcript.note(&format!("{command}  # without the ledger"), &world.doublezero_away(command).await);
        }
        world.shown(&mut transcript, "status").await;
        world.kill_daemon();
        for command in ["status", "latency", "connect ibrl", "disconnect", "enable"] {
            transcript.note(&format!("{command}  # without the daemon"), &world.doublezero(command).await);
        }
        // Somebody takes the requests, and that is all.
        std::fs::remove_file(world.socket()).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(world.socket()).unwrap();
        for command in ["status", "latency", "connect ibrl", "disconnect", "disable"] {
            let command = format!("--timeout 50ms {command}");
            transcript.note(&format!("{command}  # with a daemon that hangs"), &world.doublezero(&command).await);
        }
        drop(listener);
        transcript.check("nobody_answers");
    });
}

impl World {
    /// Rejects every user that waits.
    async fn reject_all(&self, reason: &str) {
        let signer = self.chain.foundation();
        let view = self.chain.view().await;
        for (key, user) in view.users() {
            if user.status == dz_sdk::program::state::UserStatus::Pending {
                self.chain.send(build::reject_user(&view, &signer, *key, reason).unwrap()).await;
            }
        }
    }

    /// Rejects the next user that comes.
    async fn reject_next(&self, reason: &str) {
        let next = pda::user(&dz_sdk::program::ID, CLIENT, E1).0;
        eventually("a user to reject", || async {
            let view = self.chain.view().await;
            let status = view.user(&next).map(|user| user.status);
            if status == Some(dz_sdk::program::state::UserStatus::Pending) { Ok(()) } else { Err(status) }
        })
        .await;
        self.reject_all(reason).await;
    }
}

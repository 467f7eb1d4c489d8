//! Processes in nodes: what they are given, and how their end is seen.

use std::net::TcpListener;
use std::time::Duration;

use dz_testing::{DEADLINE, eventually_blocking};
use dzsim_lab::{Exit, Exited, Host, LabError, RoleName, RunError, Spawn};

use crate::support::{example, host, in_lab, node, on, sh};

fn core(role: &str, script: &str) -> Spawn {
    sh(Host::Core, role, script)
}

#[test]
fn outputs_and_code_are_kept_apart() {
    in_lab(|lab| async move {
        let finished = lab.run_to_end(core("step", "echo out; echo err >&2; exit 3"), DEADLINE).await.unwrap();
        assert_eq!(
            (finished.exit, finished.stdout.as_str(), finished.stderr.as_str()),
            (Exit::Code(3), "out\n", "err\n")
        );
        // A child that is left behind with the outputs open holds nobody up.
        let finished = lab.run_to_end(core("step", "sleep 1000 & echo done"), DEADLINE).await.unwrap();
        assert_eq!((finished.exit, finished.stdout.as_str()), (Exit::Code(0), "done\n"));
    });
}

#[test]
fn the_deadline_kills_and_tells_what_was_said() {
    in_lab(|lab| async move {
        let script = "echo still here; exec sleep 1000";
        let error = lab.run_to_end(core("step", script), Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(error.to_string(), "core.step did not end within 300ms and was killed\n    still here");
    });
}

#[test]
fn one_that_writes_without_end_is_killed_before_it_fills_the_memory() {
    in_lab(|lab| async move {
        for to in ["1", "2"] {
            let script = format!("exec yes >&{to}");
            let error = lab.run_to_end(core("step", &script), DEADLINE).await.unwrap_err();
            assert_eq!(error.to_string(), "core.step wrote more than 64 MiB and was killed");
        }
    });
}

#[test]
fn a_process_gets_what_its_description_says_and_no_more() {
    in_lab(|lab| async move {
        lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        let script = "echo $HOME $TMPDIR $COLOUR ${NOTIFY_SOCKET-none} ${LISTEN_FDS-none}; cat; \
                      ls /proc/self/fd | tr '\\n' ' '";
        let spawn = on("val1", "step", script).env("COLOUR", "blue");
        let finished = lab.run_to_end(spawn, DEADLINE).await.unwrap();
        assert_eq!(finished.stdout, "/run/dz/val1 /run/dz/val1 blue none none\n0 1 2 3 ");
    });
}

#[test]
fn listeners_are_passed_by_the_convention() {
    in_lab(|lab| async move {
        let (one, two) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let script = "[ $LISTEN_PID -eq $$ ] && echo $LISTEN_FDS $LISTEN_FDNAMES; \
                      for fd in 3 4; do readlink /proc/self/fd/$fd; done; [ -e /proc/self/fd/5 ] || echo no more";
        let spawn = core("step", script).listener("http", one.try_clone().unwrap()).listener("ws", two);
        let finished = lab.run_to_end(spawn, DEADLINE).await.unwrap();
        let lines: Vec<&str> = finished.stdout.lines().collect();
        assert_eq!((lines[0], lines.len()), ("2 http:ws", 4), "{finished:?}");
        let inode = std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&one))).unwrap();
        assert_eq!(lines[1], inode.to_str().unwrap());
        assert_eq!(lines[3], "no more");
    });
}

/// What the terminal sends does not reach it; and it takes no share of the processors as another session would.
#[test]
fn a_process_leads_its_group_and_stays_in_the_session() {
    in_lab(|lab| async move {
        let daemon = lab.start(core("daemon", "exec sleep 1000")).await.unwrap();
        let group_and_session = |pid: i32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            let mut fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(2).map(|id| id.parse::<i32>().unwrap());
            (fields.next().unwrap(), fields.next().unwrap())
        };
        let own = i32::try_from(std::process::id()).unwrap();
        let pid = daemon.pid();
        assert_eq!(group_and_session(pid), (pid, group_and_session(own).1));
        assert_ne!(group_and_session(own).0, pid);
        daemon.kill().await;
    });
}

#[test]
fn a_program_that_is_not_there_is_named() {
    in_lab(|lab| async move {
        let role = RoleName::new("step").unwrap();
        let missing = Spawn::new(Host::Core, role.clone(), ["no-such-program"]);
        let error = lab.run_to_end(missing, DEADLINE).await.unwrap_err();
        assert_eq!(error.to_string(), "core.step: program `no-such-program` not found in PATH");
        let missing = Spawn::new(Host::Core, role.clone(), ["/no/such/program"]);
        let error = lab.run_to_end(missing, DEADLINE).await.unwrap_err();
        assert_eq!(error.to_string(), "core.step: cannot execute /no/such/program: ENOENT: No such file or directory");
        let mut folder = Spawn::new(Host::Core, role, ["/bin/true"]);
        folder.cwd = Some("/no/such/folder".into());
        let error = lab.start(folder).await.unwrap_err();
        assert_eq!(error.to_string(), "core.step: cannot change the folder: ENOENT: No such file or directory");
        let error = lab.start(on("nobody", "step", "true")).await.unwrap_err();
        assert!(matches!(&error, LabError::NoNode(name) if *name == node("nobody")), "{error}");
    });
}

#[test]
fn the_end_of_a_process_is_an_event() {
    in_lab(|lab| async move {
        let mut exits = lab.exits();
        let crashed = lab.start(core("first", "kill -SEGV $$")).await.unwrap();
        let event = exits.recv().await.unwrap();
        let role = |name: &str| RoleName::new(name).unwrap();
        let exit = Exit::Signal(libc::SIGSEGV);
        assert_eq!(event, Exited { node: None, role: role("first"), exit, asked: false });
        assert_eq!(crashed.exit(), Some(exit));
        let stopped = lab.start(core("second", "exec sleep 1000")).await.unwrap();
        assert_eq!(stopped.stop(DEADLINE).await, Exit::Signal(libc::SIGTERM));
        let exit = Exit::Signal(libc::SIGTERM);
        assert_eq!(exits.recv().await.unwrap(), Exited { node: None, role: role("second"), exit, asked: true });
        // To one that has ended nothing is sent, whoever has its pid now.
        stopped.freeze();
        assert_eq!(stopped.kill().await, exit);
    });
}

#[test]
fn one_that_ignores_the_request_is_killed() {
    in_lab(|lab| async move {
        let ready = "trap '' TERM; touch $HOME/trapped; while :; do :; done";
        let stubborn = lab.start(core("stubborn", ready)).await.unwrap();
        eventually_blocking("no trap", || std::fs::metadata("/run/dz/core/trapped").map(drop));
        assert_eq!(stubborn.stop(Duration::from_millis(50)).await, Exit::Signal(libc::SIGKILL));
    });
}

#[test]
fn one_of_a_role_at_a_time() {
    in_lab(|lab| async move {
        let first = lab.start(core("agent", "exec sleep 1000")).await.unwrap();
        let error = lab.start(core("agent", "exec sleep 1000")).await.unwrap_err();
        assert_eq!(error.to_string(), "core.agent is running already");
        let second = lab.restart(&first).await.unwrap();
        assert_eq!(first.exit(), Some(Exit::Signal(libc::SIGKILL)));
        assert_eq!(lab.running(&Host::Core).iter().map(dzsim_lab::Process::pid).collect::<Vec<_>>(), [second.pid()]);
        second.kill().await;
        assert!(lab.running(&Host::Core).is_empty());
    });
}

#[test]
fn of_two_that_are_started_at_once_one_is() {
    in_lab(|lab| async move {
        let spawn = || core("agent", &notifier("READY=1", "exec sleep 1000")).notify(DEADLINE);
        let (first, second) = tokio::join!(lab.start(spawn()), lab.start(spawn()));
        let first = first.unwrap();
        assert_eq!(second.unwrap_err().to_string(), "core.agent is running already");
        assert_eq!(lab.running(&Host::Core).iter().map(dzsim_lab::Process::pid).collect::<Vec<_>>(), [first.pid()]);
        first.kill().await;
        // One that fails to start leaves the place to the next.
        let error = lab.start(core("agent", "exit 2").notify(DEADLINE)).await.unwrap_err();
        assert_eq!(error.to_string(), "core.agent ended before it was ready, with exit code 2");
        lab.start(spawn()).await.unwrap().kill().await;
    });
}

#[test]
fn logs_go_to_a_file_per_role() {
    in_lab(|lab| async move {
        lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        let process = lab.start(on("val1", "agent", "echo one; echo two >&2")).await.unwrap();
        process.exited().await;
        lab.restart(&process).await.unwrap().exited().await;
        assert_eq!(std::fs::read_to_string("/run/logs/val1.agent.log").unwrap(), "one\ntwo\none\ntwo\n");
    });
}

/// A script that reports its readiness; a shell has no datagram sockets, so it calls a program that does.
fn notifier(says: &str, then: &str) -> String {
    format!("{} '{says}'; {then}", example("notify").display())
}

#[test]
fn ready_when_it_says_so() {
    in_lab(|lab| async move {
        lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        let script = notifier("STATUS=up\nREADY=1", "exec sleep 1000");
        let process = lab.start(on("val1", "agent", &script).notify(DEADLINE)).await.unwrap();
        assert_eq!(process.exit(), None);
        process.kill().await;
        // Ready and gone at once is ready.
        let process = lab.start(on("val1", "agent", &notifier("READY=1", "true")).notify(DEADLINE)).await.unwrap();
        assert_eq!(process.exited().await, Exit::Code(0));
    });
}

#[test]
fn not_ready_is_an_error_that_quotes_the_log() {
    in_lab(|lab| async move {
        let script = "echo cannot bind; exit 2";
        let error = lab.start(core("agent", script).notify(DEADLINE)).await.unwrap_err();
        assert_eq!(error.to_string(), "core.agent ended before it was ready, with exit code 2\n    cannot bind");
        let script = "echo thinking; exec sleep 1000";
        let error = lab.start(core("agent", script).notify(Duration::from_millis(300))).await.unwrap_err();
        assert!(matches!(&error, LabError::Run(RunError::NotReady { .. })), "{error}");
        // Only what this one logged.
        assert_eq!(error.to_string(), "core.agent was not ready after 300ms\n    thinking");
        assert!(lab.running(&Host::Core).is_empty());
    });
}

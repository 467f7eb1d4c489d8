//! Starting the `hold` example, and a lab inside a test's sandbox.

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use dz_net::sandbox;
use dz_testing::eventually_blocking;
use dzsim_lab::{Host, Lab, NodeKind, NodeName, NodeSpec, PortSpec, RoleName, Spawn};
use nix::mount::{MsFlags, mount};

/// An example, which cargo builds along with the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test binary");
    let folder = test.parent().and_then(Path::parent).expect("the test binary is in target/<profile>/deps");
    let example = folder.join("examples").join(name);
    assert!(example.exists(), "{} is not built: run cargo test without --test", example.display());
    example
}

/// The example that holds a lab.
pub(crate) fn hold() -> PathBuf {
    example("hold")
}

/// Runs `body` in a sandbox with a `/proc` of its own, so that no other process can take a pid that it looks at.
pub(crate) fn alone(body: impl FnOnce()) {
    sandbox::run(|| {
        mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), None::<&str>).expect("/proc of the sandbox");
        body();
    });
}

/// A `hold` that runs, as a child of a shell whose end it must not outlive.
pub(crate) struct Held {
    /// Its parent.
    pub(crate) caller: Child,
    /// The process that called `enter`.
    pub(crate) outer: i32,
    /// Pid 1 of the lab.
    pub(crate) init: i32,
    /// Pid 2 of the lab.
    pub(crate) scenario: i32,
    /// All processes of the lab.
    pub(crate) all: BTreeSet<i32>,
    /// The network namespaces of the lab.
    pub(crate) netns: BTreeSet<u64>,
}

impl Held {
    /// Starts it and waits until it says that it is up.
    pub(crate) fn start() -> Self {
        let mut caller = Command::new("/bin/sh")
            // Not its last command, or the shell would become it.
            .args(["-c", "\"$0\"; exit $?"])
            .arg(hold())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let mut line = String::new();
        BufReader::new(caller.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let init = line.trim().strip_prefix("holding ").and_then(|pid| pid.parse().ok());
        let init: i32 = init.unwrap_or_else(|| panic!("hold did not come up, it said {line:?}"));
        let outer = parent(init).expect("init has a parent");
        let mut all = BTreeSet::new();
        eventually_blocking("outer, init, scenario and four sleepers", || {
            all = descendants(outer);
            if all.len() == 7 { Ok(()) } else { Err(all.clone()) }
        });
        let scenario = *all.iter().find(|pid| parent(**pid) == Some(init)).expect("init has a child");
        let netns = all.iter().filter_map(|pid| netns_of(*pid)).filter(|ns| Some(*ns) != netns_of(outer)).collect();
        Self { caller, outer, init, scenario, all, netns }
    }
}

/// The parent of a process, unless it has ended.
pub(crate) fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.next()?.parse().ok()
}

/// Every process that has not ended.
pub(crate) fn processes() -> BTreeSet<i32> {
    let pids = fs::read_dir("/proc").expect("/proc").filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent(*pid).is_some()).collect()
}

fn descendants(root: i32) -> BTreeSet<i32> {
    let mut found = BTreeSet::from([root]);
    loop {
        let more: BTreeSet<i32> = processes()
            .into_iter()
            .filter(|pid| !found.contains(pid) && parent(*pid).is_some_and(|p| found.contains(&p)))
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// The inode of the network namespace of a process.
pub(crate) fn netns_of(pid: i32) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(format!("/proc/{pid}/ns/net")).ok().map(|meta| meta.ino())
}

/// Runs `body` with an empty lab, in a process that is pid 1 of its own namespaces.
pub(crate) fn in_lab<F, Fut>(body: F)
where
    F: FnOnce(Lab) -> Fut,
    Fut: Future<Output = ()>,
{
    sandbox::run_async(|| async {
        let none = None::<&str>;
        mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none).expect("/proc of the sandbox");
        mount(Some("run"), "/run", Some("tmpfs"), MsFlags::empty(), none).expect("a tmpfs on /run");
        body(Lab::new(Path::new("/run/logs")).await.expect("a lab")).await;
    });
}

/// A valid node name.
pub(crate) fn node(name: &str) -> NodeName {
    NodeName::new(name).expect("a node name")
}

/// A host with an uplink.
pub(crate) fn host(name: &str, address: [u8; 4]) -> NodeSpec {
    NodeSpec {
        name: node(name),
        kind: NodeKind::Host,
        ports: vec![PortSpec::uplink([address.into()])],
        listen: Vec::new(),
    }
}

/// A shell with a script.
pub(crate) fn sh(host: Host, role: &str, script: &str) -> Spawn {
    Spawn::new(host, RoleName::new(role).expect("a role name"), ["/bin/sh", "-c", script])
}

/// A shell with a script on node `name`.
pub(crate) fn on(name: &str, role: &str, script: &str) -> Spawn {
    sh(Host::Node(node(name)), role, script)
}

//! Namespaces hold what is made in them, and code comes back out.

use std::net::{TcpListener, TcpStream};
use std::thread;

use dz_net::kernel::Netlink;
use dz_net::netns::NetNs;
use dz_net::sandbox;

#[test]
fn code_runs_in_the_namespace_and_the_caller_stays_outside() {
    sandbox::run(|| {
        let here = NetNs::current().unwrap();
        let there = NetNs::new().unwrap();
        assert_ne!(here.id().unwrap(), there.id().unwrap());
        let seen = there.run(|| (NetNs::current().unwrap().id().unwrap(), thread::current().id())).unwrap();
        assert_eq!(seen, (there.id().unwrap(), thread::current().id()));
        assert_eq!(NetNs::current().unwrap().id().unwrap(), here.id().unwrap());
    });
}

#[test]
fn a_panic_inside_reaches_the_caller_who_stays_outside() {
    sandbox::run(|| {
        let here = NetNs::current().unwrap().id().unwrap();
        let there = NetNs::new().unwrap();
        let panic = std::panic::catch_unwind(|| there.run(|| panic!("inside"))).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"inside"));
        assert_eq!(NetNs::current().unwrap().id().unwrap(), here);
    });
}

#[test]
fn a_socket_belongs_to_the_namespace_it_was_made_in() {
    sandbox::run_async(|| async {
        let there = NetNs::new().unwrap();
        let netlink = Netlink::open_in(&there).unwrap();
        netlink.set_link_up(1, true).await.unwrap();
        let listener = there.run(|| TcpListener::bind("127.0.0.1:7000").unwrap()).unwrap();
        // The same port is free here, and only inside does anyone answer on it.
        drop(TcpListener::bind("127.0.0.1:7000").unwrap());
        assert!(TcpStream::connect("127.0.0.1:7000").is_err());
        let client = there.run_async(|| TcpStream::connect("127.0.0.1:7000").unwrap()).await.unwrap();
        let (_, from) = listener.accept().unwrap();
        assert_eq!(client.local_addr().unwrap(), from);
    });
}

#[test]
fn a_runtime_runs_inside_with_a_future_that_cannot_move() {
    sandbox::run(|| {
        let there = NetNs::new().unwrap();
        let links = there.spawn("inside", || async {
            let not_send = std::rc::Rc::new(Netlink::open().unwrap());
            not_send.link_index("lo").await.unwrap()
        });
        assert_eq!(links.unwrap().join().unwrap(), 1);
    });
}

#[test]
fn a_command_starts_inside() {
    sandbox::run(|| {
        let there = NetNs::new().unwrap();
        let mut command = std::process::Command::new("readlink");
        let output = there.wrap(command.arg("/proc/self/ns/net")).output().unwrap();
        let inode = format!("net:[{}]", there.id().unwrap());
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), inode);
    });
}

//! TUN devices in the kernel's eyes and in ours.

use dz_net::kernel::{AddrInfo, Netlink};
use dz_net::netns::NetNs;
use dz_net::sandbox;
use dz_net::tun::{DEFAULT_WAITING, Tun, TunError, TunSpec};

#[test]
fn a_device_lives_in_its_namespace_as_long_as_its_descriptor() {
    sandbox::run_async(|| async {
        let ns = NetNs::new().unwrap();
        let netlink = Netlink::open_in(&ns).unwrap();
        let tun = ns.run(|| Tun::create(&TunSpec::new("eth0"))).unwrap().unwrap();
        assert_eq!(tun.name(), "eth0");
        let link = netlink.link("eth0").await.unwrap().expect("the device is listed");
        assert_eq!((link.kind.as_deref(), link.up, link.mtu), (Some("tun"), false, 1500));
        netlink.rename_link(link.index, "up0").await.unwrap();
        assert_eq!(tun.current_name().unwrap(), "up0");
        drop(tun);
        assert_eq!(netlink.link("up0").await.unwrap(), None);
    });
}

#[test]
fn a_taken_name_is_refused_and_the_holder_keeps_it() {
    sandbox::run(|| {
        let tun = Tun::create(&TunSpec::new("eth0")).unwrap();
        for taken in ["eth0", "lo"] {
            let error = Tun::create(&TunSpec::new(taken)).unwrap_err();
            assert!(matches!(&error, TunError::Exists { name } if name == taken), "{taken}: {error:?}");
        }
        assert_eq!(tun.current_name().unwrap(), "eth0");
    });
}

#[test]
fn a_name_that_is_none_is_refused() {
    sandbox::run(|| {
        let error = Tun::create(&TunSpec::new("longer-than-the-kernel-takes")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "tun longer-than-the-kernel-takes: cannot create: `longer-than-the-kernel-takes` is no interface name: \
             expected 1 to 15 bytes without `/` (needs CAP_NET_ADMIN in the network namespace)"
        );
    });
}

#[test]
fn a_device_deleted_by_hand_is_noticed() {
    sandbox::run_async(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = Tun::create(&TunSpec::new("gone0")).unwrap();
        let index = netlink.link_index("gone0").await.unwrap();
        let _ = netlink.delete_link(index).await.unwrap();
        assert_eq!(tun.current_name().unwrap_err().raw_os_error(), Some(libc::EBADFD));
        assert_eq!(tun.recv(&mut [0; 64]).unwrap_err().raw_os_error(), Some(libc::EBADFD));
    });
}

#[test]
fn as_many_packets_wait_as_the_device_was_made_for() {
    sandbox::run_async(|| async {
        let netlink = Netlink::open().unwrap();
        for (waiting, name) in [(DEFAULT_WAITING, "long0"), (10, "short0")] {
            let tun = Tun::create(&TunSpec { waiting, ..TunSpec::new(name) }).unwrap();
            let index = netlink.link_index(name).await.unwrap();
            netlink.silence_ipv6(index).await.unwrap();
            netlink.set_link_up(index, true).await.unwrap();
            let _ = netlink.add_addr(&AddrInfo::new(index, "10.0.0.1/24".parse().unwrap())).await.unwrap();
            let socket = std::net::UdpSocket::bind("10.0.0.1:0").unwrap();
            let mut taken = 0;
            // Some kernels announce the address to groups of the link: those packets are read too, and not counted.
            let mut count = |packet: &mut [u8]| taken += u32::from(packet[9] == 17);
            for _ in 0..waiting + 50 {
                let _ = socket.send_to(b"x", "10.0.0.2:9");
            }
            tun.recv_batch(&mut [0; 2000], 10_000, &mut count).unwrap();
            assert!(taken <= waiting && taken + 5 >= waiting, "{name}: {taken} of {waiting}");
            netlink.delete_link(index).await.unwrap();
        }
    });
}

#[test]
fn queues_share_the_device() {
    sandbox::run(|| {
        let first = Tun::create(&TunSpec { multi_queue: true, ..TunSpec::new("mq0") }).unwrap();
        let second = first.queue().unwrap();
        assert_eq!(second.current_name().unwrap(), "mq0");
        drop(first);
        assert_eq!(second.current_name().unwrap(), "mq0");
    });
}

//! TUN devices in the kernel's eyes and in ours.

use dz_net::kernel::Netlink;
use dz_net::netns::NetNs;
use dz_net::sandbox;
use dz_net::tun::{Tun, TunError, TunSpec};

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
fn queues_share_the_device() {
    sandbox::run(|| {
        let first = Tun::create(&TunSpec { multi_queue: true, ..TunSpec::new("mq0") }).unwrap();
        let second = first.queue().unwrap();
        assert_eq!(second.current_name().unwrap(), "mq0");
        drop(first);
        assert_eq!(second.current_name().unwrap(), "mq0");
    });
}

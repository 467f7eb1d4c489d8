//! Tunnels from connect to disconnect.

use std::net::Ipv4Addr;

use dz_client::{
    api::{Service, Session},
    cli::exit::Exit,
};
use dz_net::sandbox;

use crate::world::{Answer, CLIENT, DeviceSpec, World};

const E0: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 1);
const E1: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 2);
const NYC1: DeviceSpec<'_> = DeviceSpec { code: "nyc1", endpoints: &[E0, E1] };

fn unicast(endpoint: Ipv4Addr) -> Service {
    Service {
        tunnel_name: "doublezero0".to_owned(),
        tunnel_src: CLIENT,
        tunnel_dst: endpoint,
        doublezero_ip: CLIENT,
        user_type: "IBRL".to_owned(),
        session: Session::Up,
        current_device: "nyc1".to_owned(),
        tenant: None,
        publisher: vec![],
        subscriber: vec![],
        error: None,
    }
}

#[test]
fn a_second_tunnel_ends_on_another_endpoint_and_each_goes_alone() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        assert_eq!(world.does("status").await, "disconnected\n");
        world.does("connect ibrl").await;
        world.does("connect multicast --subscribe mg01").await;
        let services = world.up().await;
        let multicast = Service {
            tunnel_name: "doublezero1".to_owned(),
            tunnel_dst: E1,
            user_type: "Multicast".to_owned(),
            subscriber: vec!["mg01".to_owned()],
            ..unicast(E0)
        };
        assert_eq!(services, [unicast(E0), multicast]);

        world.does("disconnect multicast").await;
        assert_eq!(world.up().await, [unicast(E0)]);
        world.does("disconnect").await;
        assert_eq!(world.settled().await.services, []);
        let nothing = world.doublezero("disconnect").await;
        assert_eq!(
            nothing,
            Answer { exit: Exit::Done, out: "no tunnels to disconnect\n".to_owned(), err: String::new() }
        );
    });
}

//! The whole path, from the chain to a packet: a tunnel that ends on a device's second address is answered there.

use dz_net::sandbox;
use dz_testing::eventually;

use crate::{
    view_builder::{Chain, Kind, NewUser, ip},
    wire::{Controller, Internet, agent, client_tunnel},
};

#[test]
fn a_tunnel_on_the_second_endpoint_is_answered_and_goes_with_its_user() {
    sandbox::run_async(async || {
        let mut chain = Chain::new();
        let key = chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
        let mut internet = Internet::new().await;
        let device = internet.host(&["9.0.0.1", "45.33.100.1", "45.33.100.2"]).await;
        let client = internet.host(&["9.1.0.1"]).await;
        let controller = Controller::start(chain.view(), &[&device]);
        let _agent = agent(&device, key);

        controller.settled(chain.view().slot()).await;
        for endpoint in ["9.0.0.1", "45.33.100.1", "45.33.100.2"] {
            client.answers(ip("9.1.0.1"), ip(endpoint)).await.expect(endpoint);
        }

        let user = chain.user(NewUser {
            client: "9.1.0.1",
            device: "nyc1",
            endpoint: 1,
            id: 500,
            kind: Kind::Own { tenant: None },
        });
        let overlay = chain.overlay(&user);
        client_tunnel(&client, "doublezero0", ip("45.33.100.2"), ip("9.1.0.1"), overlay).await;
        controller.show(chain.view());
        controller.settled(chain.view().slot()).await;
        eventually("the far overlay address answers", async || {
            client.answers(ip("169.254.0.1"), ip("169.254.0.0")).await
        })
        .await;

        chain.remove(user);
        controller.show(chain.view());
        controller.settled(chain.view().slot()).await;
        assert_eq!(device.netlink.link("tun500").await.unwrap(), None);
        client.answers(ip("169.254.0.1"), ip("169.254.0.0")).await.expect_err("nobody is there any more");
    });
}

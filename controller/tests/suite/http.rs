//! The controller's HTTP interface: what each request gets, and how long it waits.

use std::{
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use dz_controller::serve::{self, api::ConfigAnswer};
use dz_sdk::NetworkView;
use dz_testing::eventually;
use tokio::sync::watch;

use crate::{
    view_builder::{Chain, Kind, NewUser},
    wire::{get, request},
};

struct Server {
    views: watch::Sender<Option<Arc<NetworkView>>>,
    port: u16,
}

impl Server {
    fn start(view: Option<Arc<NetworkView>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (views, receiver) = watch::channel(view);
        tokio::spawn(serve::serve(serve::Deps {
            views: receiver,
            listeners: serve::accepting(vec![listener]).unwrap(),
            ready: Box::new(|| {}),
        }));
        Self { views, port }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        get(self.port, path).await.unwrap()
    }
}

fn network() -> Chain {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    chain
}

fn error(text: &str) -> String {
    format!("{{\"error\":\"{text}\"}}")
}

#[tokio::test]
async fn before_the_first_view_there_is_nothing_to_serve() {
    let server = Server::start(None);
    let key = network().key("nyc1");
    for path in ["/healthz".to_owned(), "/v1/devices".to_owned(), format!("/v1/devices/{key}/config")] {
        assert_eq!(server.get(&path).await, (503, error("the ledger has not been read yet")), "{path}");
    }
    // A device that waits is answered as soon as there is something.
    let path = format!("/v1/devices/{key}/config?wait=30");
    let (answer, ()) = tokio::join!(server.get(&path), async {
        server.views.send_replace(Some(network().view()));
    });
    assert_eq!(answer.0, 200, "{}", answer.1);
    assert_eq!(server.get("/healthz").await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn unknown_devices_and_broken_requests_are_refused() {
    let chain = network();
    let server = Server::start(Some(chain.view()));
    let key = chain.key("nyc1");
    let path = format!("/v1/devices/{key}/config?wait=30");
    assert_eq!(server.get(&path).await.0, 200);

    let nobody = chain.key("nobody");
    let path = format!("/v1/devices/{nobody}/config");
    assert_eq!(server.get(&path).await, (404, error(&format!("there is no device {nobody}"))));
    let (status, body) = server.get("/v1/devices/nyc1/config").await;
    assert_eq!((status, &body[..35]), (400, "{\"error\":\"`nyc1` is no public key: "));
    let (status, body) = server.get(&format!("/v1/devices/{key}/config?after=x")).await;
    assert_eq!(status, 400);
    assert!(body.contains("`x` is no config hash: expected 16 hexadecimal digits"), "{body}");
}

#[tokio::test]
async fn a_fetch_waits_for_another_config() {
    let mut chain = network();
    let server = Server::start(Some(chain.view()));
    let path = format!("/v1/devices/{}/config", chain.key("nyc1"));
    let (_, body) = server.get(&format!("{path}?wait=30")).await;
    let first: ConfigAnswer = serde_json::from_str(&body).unwrap();
    assert_eq!((first.revision, first.hash), (chain.view().slot(), first.config.hash()));
    let after = format!("{path}?after={}", first.hash);
    assert_eq!(server.get(&after).await, (304, String::new()));

    let waiting = format!("{after}&wait=30");
    let (answer, ()) = tokio::join!(server.get(&waiting), async {
        // A change that is none to the device goes by.
        chain.device("pit1", "9.0.0.2", &[]);
        server.views.send_replace(Some(chain.view()));
        tokio::time::sleep(Duration::from_millis(1)).await;
        let kind = Kind::Own { tenant: None };
        chain.user(NewUser { client: "9.1.0.1", device: "nyc1", endpoint: 0, id: 500, kind });
        server.views.send_replace(Some(chain.view()));
    });
    let second: ConfigAnswer = serde_json::from_str(&answer.1).unwrap();
    assert_eq!((answer.0, second.revision), (200, chain.view().slot()));
    assert_eq!(second.config.tunnels.keys().copied().collect::<Vec<_>>(), [500]);
}

#[tokio::test]
async fn a_controller_that_starts_again_leads_nobody_over_a_broken_link() {
    let mut chain = network();
    chain.device("pit1", "9.0.0.2", &["45.33.100.9"]);
    chain.link("east", ("nyc1", "Ethernet1"), ("pit1", "Ethernet1"), 5);
    let user = |client, device, id| NewUser { client, device, endpoint: 0, id, kind: Kind::Own { tenant: None } };
    chain.user(user("9.1.0.1", "nyc1", 500));
    let broken = [("nyc1", r#"{"running":null,"failed_links":["east"]}"#), ("pit1", r#"{"running":null}"#)];
    let keys = ["nyc1", "pit1"].map(|device| (device, chain.key(device)));
    let path = |device: &str, what: &str| {
        let (_, key) = keys.iter().find(|(code, _)| *code == device).unwrap();
        format!("/v1/devices/{key}/{what}")
    };
    let report = async |server: &Server| {
        // Before it has read the chain it knows no device that could report.
        let healthy = async || match server.get("/healthz").await {
            (200, _) => Ok(()),
            other => Err(other),
        };
        eventually("the controller has read the chain", healthy).await;
        for (device, report) in broken {
            let answer = request(server.port, "POST", &path(device, "report"), report).await.unwrap();
            assert_eq!(answer, (204, String::new()));
        }
    };

    let first = Server::start(Some(chain.view()));
    let whole: ConfigAnswer = serde_json::from_str(&first.get(&path("pit1", "config?wait=30")).await.1).unwrap();
    report(&first).await;
    let after = format!("config?wait=30&after={}", whole.hash);
    let around: ConfigAnswer = serde_json::from_str(&first.get(&path("pit1", &after)).await.1).unwrap();
    assert_eq!((whole.config.transit.len(), around.config.transit.len()), (1, 0));

    // What it gives to one that has a config waits for the reports: never the one over the broken link.
    let after = path("pit1", &format!("config?wait=30&after={}", around.hash));
    let before = chain.view();
    let without = path("pit1", "config?wait=30");
    chain.user(user("9.1.0.2", "pit1", 501));
    let mut held = None;
    // It does not wait for ever, and a machine may be too slow for that once.
    for _ in 0..10 {
        let begun = Instant::now();
        let second = Server::start(Some(before.clone()));
        let (answer, ()) = tokio::join!(second.get(&after), async {
            report(&second).await;
            second.views.send_replace(Some(chain.view()));
        });
        if begun.elapsed() < Duration::from_secs(3) {
            held = Some(answer.1);
            break;
        }
    }
    let held: ConfigAnswer = serde_json::from_str(&held.expect("an answer within 3 s")).unwrap();
    assert_eq!((held.config.transit.len(), held.config.tunnels.contains_key(&501)), (0, true));
    // Who has none is not kept waiting.
    assert_eq!(Server::start(Some(chain.view())).get(&without).await.0, 200);
}

#[tokio::test]
async fn a_ledger_that_has_lost_everything_blanks_nobody() {
    let chain = network();
    let server = Server::start(Some(chain.view()));
    let path = format!("/v1/devices/{}/config?wait=30", chain.key("nyc1"));
    let good = server.get(&path).await;
    let mut empty = NetworkView::new(*chain.view().program());
    empty.set_slot(99);
    server.views.send_replace(Some(Arc::new(empty)));
    let refused = |text: String| text.contains("dz_controller_views_implausible_total 1");
    while !refused(server.get("/metrics").await.1) {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.get(&path).await, good);
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let mut chain = network();
    let user = chain.user(NewUser {
        client: "9.1.0.1",
        device: "nyc1",
        endpoint: 0,
        id: 500,
        kind: Kind::Own { tenant: None },
    });
    let server = Server::start(Some(chain.view()));
    let path = format!("/v1/devices/{}/config?wait=30", chain.key("nyc1"));
    assert_eq!(server.get(&path).await.0, 200);
    chain.set_user(user, |user| user.allocation = None);
    server.views.send_replace(Some(chain.view()));
    let text = loop {
        let (status, text) = server.get("/metrics").await;
        assert_eq!(status, 200);
        if text.contains("dz_controller_devices_refused 1\n") {
            break text;
        }
    };
    for line in [
        "dz_controller_devices 1\n",
        "dz_controller_configs_changed_total 1\n",
        "dz_controller_fetches_total{outcome=\"Config\"} 1\n",
        "# EOF\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[tokio::test]
async fn a_device_whose_report_went_to_another_controller_is_asked_for_it() {
    let chain = network();
    let (before, after) = (Server::start(Some(chain.view())), Server::start(Some(chain.view())));
    let path = format!("/v1/devices/{}", chain.key("nyc1"));
    let known: ConfigAnswer = serde_json::from_str(&before.get(&format!("{path}/config?wait=30")).await.1).unwrap();
    // It has a config, so it is no new device, and this controller has never heard of what it runs.
    let answer = after.get(&format!("{path}/config?wait=0&after={}", known.hash)).await;
    assert_eq!(answer, (428, "{\"error\":\"the device has not reported what it runs\"}".to_owned()));
}

//! The extent of a look.

use std::collections::{BTreeMap, BTreeSet};

use dz_client::api::Session;
use dz_net::kernel::Change;
use dz_sdk::program::{
    instruction::DEFAULT_VRF_ID,
    state::{AccountData, Requests, Tenant, TenantStatus},
};
use solana_pubkey::Pubkey;

use super::{
    super::{
        audit,
        right::{Look, Placed, Right},
        routes::Way,
        turns::{ROUTES, Turns},
    },
    CLIENT, FIRST, USER, users,
};

/// That of client 1, whose session is as said, among three.
fn right(session: Session) -> Right {
    let view = users(&[(1, None, "nyc1"), (2, None, "nyc1"), (3, None, "nyc2")]);
    let user = view.user(&Pubkey::new_from_array([1; 32])).unwrap();
    Right {
        wanted: BTreeMap::from([((CLIENT, FIRST), USER.to_owned())]),
        placed: vec![Placed { subject: USER.to_owned(), address: CLIENT, tunnel: None }],
        ways: vec![Way::of(&view, user, (CLIENT, FIRST), session)],
        tables: None,
        down: false,
    }
}

#[test]
fn a_node_is_looked_at_as_far_as_it_or_what_it_must_have_has_changed() {
    let before = right(Session::Up);
    let look = |now: &Right, changes: &[Change]| now.look(Some(&before), Some(&changes.iter().copied().collect()));
    let [address, route] = [Change::Address, Change::Route];
    let same = right(Session::Up);
    assert_eq!(look(&same, &[]), Look::None);
    assert_eq!(look(&same, &[route]), Look::Routes);
    assert_eq!(look(&same, &[address]), Look::All);
    assert_eq!(look(&same, &[address, route]), Look::All);
    // Nothing is known of before, or of what has changed.
    assert_eq!(same.look(None, Some(&BTreeSet::new())), Look::All);
    assert_eq!(same.look(Some(&before), None), Look::All);
    // The kernel should have changed and has not.
    assert_eq!(look(&right(Session::Down), &[]), Look::Routes);
    assert_eq!(look(&Right { tables: Some(BTreeMap::new()), ..right(Session::Up) }, &[route]), Look::Routes);
    assert_eq!(look(&Right { wanted: BTreeMap::new(), ..right(Session::Up) }, &[route]), Look::All);
    assert_eq!(look(&Right { placed: Vec::new(), ..right(Session::Up) }, &[]), Look::All);
    assert_eq!(look(&Right { down: true, ..right(Session::Up) }, &[]), Look::All);
}

#[test]
fn what_a_look_has_no_room_for_comes_first_in_the_next() {
    let mut turns = Turns::default();
    assert_eq!(turns.begin(), 0);
    let taken = [(0, ROUTES - 1), (1, 1), (2, 0), (3, 5)].map(|(node, routes)| turns.take(node, routes));
    assert_eq!(taken, [true, true, false, false]);
    assert_eq!([0, 1, 2, 3].map(|node| turns.is_late(node)), [false, false, true, true]);
    assert_eq!(turns.begin(), 2);
    // One that alone has more than there is room for has its turn, too.
    assert_eq!([(2, 2 * ROUTES), (3, 5), (0, 1)].map(|(node, routes)| turns.take(node, routes)), [true, false, false]);
    assert_eq!([0, 1, 2, 3].map(|node| turns.is_late(node)), [true, false, false, true]);
    assert_eq!(turns.begin(), 3);
    assert_eq!([(3, 5), (0, 1)].map(|(node, routes)| turns.take(node, routes)), [true, true]);
    assert_eq!((turns.begin(), turns.is_late(0), turns.is_late(3)), (0, false, false));
}

#[test]
fn a_look_costs_the_routes_that_there_may_be() {
    let client = right(Session::Up);
    assert_eq!((client.ways[0].size(), client.routes()), (3, 3));
    let net = |text: &str| text.parse().unwrap();
    let tables = BTreeMap::from([
        (1001, BTreeSet::from([net("9.128.0.1/32"), net("9.128.0.2/32")])),
        (1002, BTreeSet::from([net("9.128.0.1/32")])),
    ]);
    let device = Right { ways: Vec::new(), tables: Some(tables), ..right(Session::Up) };
    assert_eq!(device.routes(), 3);
}

#[test]
fn a_user_is_in_the_vrf_of_its_tenant() {
    let key = Pubkey::new_from_array([99; 32]);
    let mut view = users(&[(1, Some(key), "nyc1"), (2, None, "nyc1")]);
    let vrf = |view: &dz_sdk::NetworkView, client: u8| {
        audit::vrf(view, view.user(&Pubkey::new_from_array([client; 32])).unwrap())
    };
    assert_eq!((vrf(&view, 1), vrf(&view, 2)), (None, Some(DEFAULT_VRF_ID)));
    for vrf_id in [None, Some(7)] {
        let tenant = Tenant {
            code: "t".to_owned(),
            administrators: Vec::new(),
            status: TenantStatus::Activated,
            vrf_id,
            reference_count: 1,
            requests: Requests::default(),
        };
        view.set_account(key, &tenant.encode()).unwrap();
        assert_eq!(vrf(&view, 1), vrf_id);
    }
}

//! Metros.

use dz_sdk::{build, instruction::exchange as ix};
use dz_serviceability::{
    ID as P,
    state::{Bootstrap, Exchange, ExchangeStatus},
};
use solana_signer::Signer;

use crate::support::{Error, Net, signer};

#[tokio::test]
async fn a_life() {
    let mut n = Net::with_metro().await;
    let f = signer(&n.keys.foundation);
    let (fk, nyc) = (f.pubkey(), n.nyc());
    let fresh = Exchange {
        code: "nyc".into(),
        name: "New York".into(),
        latitude: 40_712_800,
        longitude: -74_006_000,
        status: ExchangeStatus::Activated,
        reference_count: 0,
    };
    assert_eq!(n.get_exchange(nyc), fresh);
    n.ok(&f, [ix::update_exchange(&P, &fk, nyc, "NY", 90_000_000, -180_000_000)]).await;
    let moved = Exchange { name: "NY".into(), latitude: 90_000_000, longitude: -180_000_000, ..fresh };
    assert_eq!(n.get_exchange(nyc), moved);
    n.ok(&f, [ix::suspend_exchange(&P, &fk, nyc)]).await;
    assert_eq!(n.get_exchange(nyc), Exchange { status: ExchangeStatus::Suspended, ..moved.clone() });
    n.ok(&f, [ix::resume_exchange(&P, &fk, nyc)]).await;
    assert_eq!(n.get_exchange(nyc), moved);
    n.ok(&f, [build::delete_exchange(&n.view, &fk, nyc)]).await;
    assert_eq!(n.view.exchange(&nyc), None);
}

#[tokio::test]
async fn refusals() {
    let mut n = Net::with_metro().await;
    let (f, s) = (signer(&n.keys.foundation), signer(&n.keys.stranger));
    let (fk, sk, nyc) = (f.pubkey(), s.pubkey(), n.nyc());
    n.refused(&f, ix::create_exchange(&P, &fk, "a b", "x", 0, 0), Error::InvalidCode).await;
    n.refused(&f, ix::create_exchange(&P, &fk, "a", "", 0, 0), Error::InvalidName).await;
    n.refused(&f, ix::create_exchange(&P, &fk, "a", &"x".repeat(65), 0, 0), Error::InvalidName).await;
    for (latitude, longitude) in [(90_000_001, 0), (i32::MIN, 0), (0, 180_000_001), (0, i32::MIN)] {
        n.refused(&f, ix::create_exchange(&P, &fk, "a", "x", latitude, longitude), Error::InvalidCoordinates).await;
        n.refused(&f, ix::update_exchange(&P, &fk, nyc, "x", latitude, longitude), Error::InvalidCoordinates).await;
    }
    n.refused(&s, ix::create_exchange(&P, &sk, "a", "x", 0, 0), Error::NotFoundation).await;
    n.refused(&s, ix::update_exchange(&P, &sk, nyc, "x", 0, 0), Error::NotFoundation).await;
    n.refused(&s, ix::suspend_exchange(&P, &sk, nyc), Error::NotFoundation).await;
    n.refused(&s, ix::resume_exchange(&P, &sk, nyc), Error::NotFoundation).await;
    let delete = build::delete_exchange(&n.view, &sk, nyc);
    n.refused(&s, delete, Error::NotFoundation).await;
    n.refused(&f, ix::resume_exchange(&P, &fk, nyc), Error::ExchangeNotSuspended).await;
    n.ok(&f, [ix::suspend_exchange(&P, &fk, nyc)]).await;
    n.refused(&f, ix::suspend_exchange(&P, &fk, nyc), Error::ExchangeNotActive).await;
    n.ok(&f, [ix::resume_exchange(&P, &fk, nyc)]).await;
    n.pending_device("nyc1", "9.0.0.1", Bootstrap::OwnPrefix).await;
    assert_eq!(n.get_exchange(nyc).reference_count, 1);
    let delete = build::delete_exchange(&n.view, &fk, nyc);
    n.refused(&f, delete, Error::ExchangeInUse).await;
}

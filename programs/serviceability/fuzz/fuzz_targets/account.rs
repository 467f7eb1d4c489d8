//! Bytes of an account: refused, or read as what they say and written back as the same bytes.
#![no_main]

use dz_serviceability::state::{
    AccessPass, AccountData, Client, Contributor, Device, Exchange, GlobalConfig, Interface, Link, MulticastGroup, Pool,
    Tenant, User,
};
use libfuzzer_sys::fuzz_target;

fn round_trip<T: AccountData>(data: &[u8]) -> Option<T> {
    let (header, value) = T::decode_with_header(data).ok()?;
    assert_eq!(value.encode_with(&header), data);
    // The rent of what it can still grow by is paid in advance: that is a number of bytes, whatever it holds.
    assert!(value.growth() <= 1 << 16);
    Some(value)
}

fuzz_target!(|data: &[u8]| {
    round_trip::<GlobalConfig>(data);
    round_trip::<Contributor>(data);
    round_trip::<Exchange>(data);
    round_trip::<Device>(data);
    round_trip::<Interface>(data);
    round_trip::<Link>(data);
    round_trip::<Tenant>(data);
    round_trip::<AccessPass>(data);
    round_trip::<MulticastGroup>(data);
    round_trip::<User>(data);
    round_trip::<Client>(data);
    // A pool that was read can be used whatever it says.
    if let Some(mut pool) = round_trip::<Pool>(data) {
        for units in [1, 2, 8, 3] {
            if let Ok(value) = pool.lowest_free(units) {
                assert_eq!(pool.claim(value, units), Ok(()));
                assert_eq!(pool.release(value, units), Ok(()));
            }
        }
        assert_eq!(pool.taken().count() as u32, pool.used());
    }
});

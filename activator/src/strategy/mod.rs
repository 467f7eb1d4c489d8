//! Strategies: which one of several correct values is taken. The program accepts any free value. The words are in
//! dz-policy; here is what each does. A new one is a variant with its paragraph there and its line in `choose` here.

mod dz_ip;
mod endpoint_pull;
mod loopback_numbering;

pub use loopback_numbering::FreeNumbers;

/// A rule that picks one of what there is. Pure; the same input gives the same choice.
pub trait Strategy: Copy {
    /// What is chosen from.
    type From<'a>;
    /// What is chosen.
    type Choice;

    /// The choice, or `None` when there is nothing left to choose.
    fn choose(self, from: Self::From<'_>) -> Option<Self::Choice>;
}

/// What a strategy may know about a pool of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// Addresses that can be in use, the reserved one not counted.
    pub capacity: u32,
    /// Addresses in use.
    pub used: u32,
    /// Addresses of it that are endpoints of the device.
    pub endpoints: u32,
}

impl PoolUse {
    /// True while an address is left.
    pub fn has_room(&self) -> bool {
        self.used < self.capacity
    }
}

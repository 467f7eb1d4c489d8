//! Counters that refuse to leave their range.

use crate::error::{Result, ServiceabilityError::CounterOverflow};

/// A count of things that exist on chain.
pub(crate) trait Counter {
    /// One more.
    fn up(&mut self) -> Result;
    /// One less.
    fn down(&mut self) -> Result;
}

macro_rules! counter {
    ($($type:ty)*) => {
        $(impl Counter for $type {
            fn up(&mut self) -> Result {
                *self = self.checked_add(1).ok_or(CounterOverflow)?;
                Ok(())
            }

            fn down(&mut self) -> Result {
                *self = self.checked_sub(1).ok_or(CounterOverflow)?;
                Ok(())
            }
        })*
    };
}

counter!(u16 u32);

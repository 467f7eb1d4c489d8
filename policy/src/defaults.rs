//! Default times of the client: latency tolerance, latency tie, hold time.

use crate::Duration;

/// By how much the round trip to another device may be longer than the present device's.
pub const TOLERANCE: Duration = Duration::from_millis(5);
/// Round-trip times that differ by no more than this count as equal.
pub(crate) const TIE: Duration = Duration::from_millis(1);
/// Time without an answer from a tunnel's far end after which it counts as down.
pub const HOLD_TIME: Duration = Duration::from_millis(3000);

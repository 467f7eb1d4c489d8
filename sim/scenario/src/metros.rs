//! The metros that need no coordinates in a file; whoever knows them lends them.

use crate::plan::LatLng;

/// A table of known metros.
pub trait Metros {
    /// Where a metro is.
    fn get(&self, code: &str) -> Option<LatLng>;

    /// The codes of all, for suggestions.
    fn codes(&self) -> Vec<&str>;
}

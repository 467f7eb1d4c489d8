//! Rows of things on the chain: each field is named once, with its column.

use std::net::Ipv4Addr;

use dz_sdk::program::state::DeviceCaps;
use ipnet::Ipv4Net;

/// A value as a table shows it.
pub(super) trait Cell {
    /// Its text.
    fn cell(&self) -> String;
}

macro_rules! by_display {
    ($($type:ty)*) => {
        $(impl Cell for $type {
            fn cell(&self) -> String {
                self.to_string()
            }
        })*
    };
}

by_display!(String bool u8 u16 u32 u64 f64 Ipv4Addr Ipv4Net);

impl<T: Cell> Cell for Option<T> {
    fn cell(&self) -> String {
        self.as_ref().map_or_else(|| "-".to_owned(), Cell::cell)
    }
}

impl<T: Cell> Cell for Vec<T> {
    fn cell(&self) -> String {
        if self.is_empty() { "-".to_owned() } else { self.iter().map(Cell::cell).collect::<Vec<_>>().join(",") }
    }
}

/// Used and maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Share {
    /// In use.
    pub(super) used: u32,
    /// The most there can be; none for no limit.
    pub(super) max: Option<u32>,
}

impl Share {
    /// A count under a cap of a device.
    pub(super) fn capped(used: impl Into<u32>, cap: u16) -> Self {
        Self { used: used.into(), max: (cap != DeviceCaps::NO_LIMIT).then_some(cap.into()) }
    }
}

impl Cell for Share {
    fn cell(&self) -> String {
        self.max.map_or_else(|| self.used.to_string(), |max| format!("{}/{max}", self.used))
    }
}

/// Defines a row: its fields, in JSON under their own names, and the column of each.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty => $column:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        pub(super) struct $name {
            $(pub(super) $field: $type,)*
        }

        impl $crate::cli::output::Row for $name {
            const COLUMNS: &'static [&'static str] = &[$($column),*];

            fn cells(&self) -> Vec<String> {
                vec![$($crate::cli::entity::row::Cell::cell(&self.$field)),*]
            }
        }
    };
}
pub(super) use row;

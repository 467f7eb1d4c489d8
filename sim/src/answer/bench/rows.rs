//! The rows of the table, with their aims.

use std::fmt;

use super::report::{Better, Figure, Value};
use crate::run::world::Kind;

/// The size of the large network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its devices.
    pub devices: usize,
    /// Its clients.
    pub clients: usize,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} devices, {} clients", self.devices, self.clients)
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// The smallest scenario.
    Small,
    /// All scenarios.
    Suite,
    /// The memory they need.
    SuiteMemory,
    /// Idle time in the virtual world.
    IdleRate,
    /// The large network.
    Large,
    /// Its memory.
    LargeMemory,
    /// One more connect in it.
    OneMore,
    /// Processor time of it when nothing is asked of it.
    IdleShare,
    /// Error of a round trip, usually.
    RttMedian,
    /// Error of a round trip, at worst.
    RttP99,
    /// A userspace tunnel.
    Tunnel,
    /// Exploring.
    Histories,
    /// A sweep.
    Sweep,
}

impl Row {
    /// The rows of a world, in the order of the table.
    pub fn of(world: Kind) -> &'static [Self] {
        match world {
            Kind::Virtual => &[
                Self::Small,
                Self::Suite,
                Self::SuiteMemory,
                Self::IdleRate,
                Self::Large,
                Self::LargeMemory,
                Self::Histories,
                Self::Sweep,
            ],
            Kind::Real => &[
                Self::RttMedian,
                Self::RttP99,
                Self::Tunnel,
                Self::Small,
                Self::Suite,
                Self::SuiteMemory,
                Self::Large,
                Self::OneMore,
                Self::IdleShare,
                Self::LargeMemory,
            ],
        }
    }

    /// The row with its value.
    pub fn figure(self, world: Kind, size: Size, value: Value) -> Figure {
        use Better::{Higher, Lower};
        let is_virtual = world == Kind::Virtual;
        let aims = |in_virtual, in_real| if is_virtual { in_virtual } else { in_real };
        let of_large = |what: &str| format!("{size}: {what}");
        let (what, unit, aim, better) = match self {
            Self::Small => ("secondary-address, whole process".to_owned(), "ms", aims(30.0, 1_000.0), Lower),
            Self::Suite => ("the suite".to_owned(), "s", aims(5.0, 45.0), Lower),
            Self::SuiteMemory => ("the suite: peak memory".to_owned(), "GiB", 2.0, Lower),
            Self::IdleRate => ("simulated seconds a second, 20 idle nodes".to_owned(), "", 1_000.0, Higher),
            Self::Large if is_virtual => (of_large("connect and ping"), "s", 20.0, Lower),
            Self::Large => (of_large("to all tunnels up"), "s", 60.0, Lower),
            Self::LargeMemory if is_virtual => (of_large("peak memory"), "GiB", 2.0, Lower),
            Self::LargeMemory => (of_large("memory while idle"), "GiB", 16.0, Lower),
            Self::OneMore => (of_large("one more connect, step and oracle"), "s", 1.5, Lower),
            Self::IdleShare => (of_large("idle share of one core"), "%", 30.0, Lower),
            Self::RttMedian => ("RTT error at 40 ms one way, idle: median".to_owned(), "ms", 0.1, Lower),
            Self::RttP99 => ("RTT error at 40 ms one way, idle: p99".to_owned(), "ms", 0.5, Lower),
            Self::Tunnel => {
                ("TCP through a userspace tunnel, of plain veth without offloads".to_owned(), "", 0.33, Higher)
            }
            Self::Histories => ("explore: histories of 20 steps".to_owned(), "/s", 30.0, Higher),
            Self::Sweep => ("sweep of 200 networks of 10 devices and 50 users".to_owned(), "s", 60.0, Lower),
        };
        Figure { what: format!("{world}: {what}"), value, unit: unit.to_owned(), aim, better }
    }
}

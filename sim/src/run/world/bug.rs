//! Bugs that can be put in on purpose.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, strum::Display, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Bug {
    /// The tunnel id of a user that is gone stays taken.
    LeakedUnit,
    /// A host makes the unicast tunnel under the multicast tunnel's name, and the other way round.
    SwappedName,
    /// A process does not read again after an outage or a lost notification.
    MissingReread,
    /// A device keeps a rule for a tunnel that is gone.
    StaleRule,
    /// Two users of a device are granted one tunnel id.
    DoubleGrant,
    /// The controller renders each tunnel under the next id.
    WrongId,
    /// A host puts the address of a tunnel on its loopback interface.
    MisplacedAddress,
    /// A host has none of the routes to users that it was asked for in the table that all hosts have.
    LostRoute,
    /// It has none in the others.
    LostTable,
    /// A host's default route goes when its first tunnel comes.
    LostUplink,
    /// A host makes a tunnel to the address beside the one it was asked for.
    WrongEnd,
    /// The ledger's bank dies when a client's first transaction has landed; in the real world.
    DeadBank,
}

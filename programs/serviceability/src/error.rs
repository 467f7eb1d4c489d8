//! Every refusal of the program: one code, one sentence, written once.
//!
//! The code is the position in this list plus one and travels as Solana's custom error; the text is what the
//! program logs and what the command line prints. `docs/errors.md` is generated from here.

use solana_program_error::ProgramError;

use crate::state::{CapacityError, PoolError};

/// What a refused caller gets, or nothing.
pub type Result<T = ()> = std::result::Result<T, ServiceabilityError>;

/// Writes the list once: the variant, its documentation and its text are one sentence. Codes start with 1.
macro_rules! errors {
    ($first:ident: $first_text:literal; $($name:ident: $text:literal;)*) => {
        /// Why an instruction was refused. Nothing has changed then.
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            num_enum::TryFromPrimitive,
            strum::EnumIter,
            strum::AsRefStr,
            thiserror::Error,
        )]
        #[repr(u32)]
        pub enum ServiceabilityError {
            #[doc = $first_text]
            #[error($first_text)]
            $first = 1,
            $(
                #[doc = $text]
                #[error($text)]
                $name,
            )*
        }
    };
}

errors! {
    // Bytes and accounts.
    MalformedInstruction: "the instruction cannot be decoded";
    MissingAccount: "the instruction needs more accounts";
    TooManyAccounts: "the instruction has accounts left over";
    DuplicateAccount: "an account is given twice";
    MissingSignature: "the first account must sign";
    NotWritable: "an account that changes is not writable";
    NotSystemProgram: "the second account must be the system program";
    NotClock: "the clock sysvar is expected here";
    WrongAddress: "an account is not at the address that its seeds give";
    ForeignAccount: "an account belongs to another program";
    AccountNotFound: "an account does not exist";
    WrongAccountType: "an account is of another type than expected";
    MalformedAccount: "an account cannot be decoded";
    AlreadyExists: "what is to be created exists already";
    PayerTooPoor: "the payer cannot pay the rent of what is created";
    RuntimeRefused: "the runtime refused to create or resize an account";
    CounterOverflow: "a counter would leave its range";
    WrongRentRecipient: "the rent must go back to the key that paid it";
    AnotherLife: "the account is not the one that was decided on: that one was closed, and this one created after it";

    // Who may.
    NotUpgradeAuthority: "only the program's upgrade authority may do this";
    WrongProgramData: "the account does not hold the program's data, which name its upgrade authority";
    NotFoundation: "only a foundation key may do this";
    NotActivator: "only the activator may do this";
    NotContributorOwner: "only the contributor's owner may do this";
    NotPassPayer: "only the payer of the access pass may do this";
    NotUserOwner: "only the owner of the user may do this";
    NotGroupOwner: "only the owner of the multicast group may do this";
    NotTenantAdministrator: "only an administrator of the tenant may do this";
    ActivatorMayOnlyStrip: "the activator may take roles away, not add them";
    NotAddressHolder: "only the holder of a pass that the foundation gave for this very address may do this";
    TooManyRequests: "the hour's requests to the activator are used up";

    // Values.
    InvalidCode: "a code has 1 to 32 letters, digits, '-', '_', ':' or '.'; devices and links in lower case";
    InvalidName: "a name has 1 to 64 bytes";
    InvalidInterfaceName: "the interface name is not of a known form, such as Ethernet1/1 or Loopback100";
    InvalidCoordinates: "latitude is -90 to 90 and longitude -180 to 180 degrees";
    InvalidAsn: "an autonomous system number is 1 to 4294967294";
    InvalidLoopbackRange: "the loopback range must not be empty";
    InvalidContributorPrefix: "the minimum contributor prefix is /24 to /29";
    InvalidEndpointCount: "the number of endpoints does not fit the loopback range, the prefix or the bootstrap";
    InvalidTunnelSlots: "a device has 1 to 4096 tunnel slots";
    InvalidPrefixLength: "the prefix is shorter than /24 or longer than the minimum contributor prefix";
    InvalidBlock: "this kind of block cannot have this network";
    NotABlockKind: "pools of this kind are not made of global blocks";
    AddressNotPublic: "the address cannot be reached from the public internet";
    AddressInBlock: "the address lies in one of the network's own blocks";
    InvalidDelay: "the delay of a link is 10 microseconds to 1 second";
    InvalidBandwidth: "the bandwidth is out of range";
    InvalidMtu: "an MTU is 1280 to 9216, and 1500 where users come in";
    InvalidVlan: "a VLAN tag is 1 to 4094, or 0 for none";
    CyoaNeedsPort: "users come in at a port, not at a loopback";
    InvalidReason: "a reject reason has 1 to 256 bytes";
    EpochInPast: "the last access epoch is over";
    TooManyKeys: "the list of keys is full";

    // Config.
    ConfigNotFound: "the network is not initialised";
    AlreadyInitialized: "the network is initialised already";
    AlreadyFoundation: "the key belongs to the foundation already";
    NotInFoundation: "the key does not belong to the foundation";
    LastFoundationKey: "the last foundation key cannot be removed";
    LoopbackRangeInUse: "the loopback range cannot change while there are devices";
    BlockOverlaps: "the block overlaps another block or a registered address";
    BlockNotFound: "there is no such block";
    BlockInUse: "the block is in use";
    TooManyBlocks: "the list of blocks is full";

    // Pools.
    WrongPool: "the pool is of another kind or another owner";
    OutsidePool: "the value lies outside the pool";
    Misaligned: "the value is not aligned to what the pool hands out";
    ReservedUnit: "the value is reserved";
    UnitTaken: "the value is taken";
    UnitNotTaken: "the value is not taken, so it cannot be given back";
    PoolExhausted: "the pool is full";
    AddressTaken: "the address is registered already or overlaps one that is";
    ClientAddress: "the address is one that a live client connects from";

    // Contributors and exchanges.
    ContributorNotActive: "the contributor is suspended or going away";
    ContributorNotSuspended: "the contributor is not suspended";
    ContributorInUse: "devices or links still refer to the contributor";
    ContributorHasPrefixes: "the contributor still has prefixes of its own";
    PrefixShared: "devices still have shares of the prefix";
    BlocksKept: "the /24s that are left of this block are kept for edge filtering, and the contributor has not been granted one";
    ContributorDeleting: "the contributor is going away";
    ContributorNotDeleting: "the contributor is not going away";
    ContributorHasBlocks: "the contributor still has blocks";
    WrongContributor: "the contributor is not the one this belongs to";
    NotASlash24: "a contributor's block is a /24";
    ExchangeNotActive: "the exchange takes no devices";
    ExchangeNotSuspended: "the exchange is not suspended";
    ExchangeInUse: "devices still refer to the exchange";
    WrongExchange: "the exchange is not the one of this device";

    // Devices.
    DeviceNotPending: "the device is not pending";
    DeviceNotActivated: "the device is not activated";
    DeviceNotDrained: "the device is not drained";
    DeviceDeleting: "the device is going away";
    DeviceNotDeleting: "the device is not going away";
    DeviceHasUsers: "users still refer to the device";
    DeviceHasLinks: "links still end on the device";
    DeviceHasInterfaces: "the device still has interfaces";
    DeviceHasPrefixes: "the device still has prefixes";
    DeviceNotReady: "the device lacks prefixes or endpoints";
    WrongDevice: "the device is not the one this belongs to";
    TooManyPrefixes: "the device has as many prefixes as it can have";
    PrefixNotFound: "the device has no such prefix";
    PrefixInUse: "users or endpoints still use the prefix";
    PrefixNotWanted: "the device is not registered for a carved prefix of this length";
    PrefixComplete: "the device has the prefix that is carved for it";
    EndpointsComplete: "the device has the endpoints it wants";
    PublicIpInUse: "an interface stands for the device's public address";

    // Interfaces.
    InterfaceNotPending: "the interface is not pending";
    InterfaceNotActivated: "the interface is not activated";
    InterfaceDeleting: "the interface is going away";
    InterfaceNotDeleting: "the interface is not going away";
    InterfaceHasUsers: "users' tunnels still end on the interface";
    InterfaceHasLink: "a link ends on the interface";
    InterfaceNotPhysical: "a link needs a physical interface";
    WrongInterface: "the interface is not the one this belongs to";
    EndpointNeedsAddress: "a user tunnel endpoint needs an address";
    LoopbackNotInRange: "the number is outside the range of termination loopbacks";

    // Links.
    LinkNotRequested: "the link does not wait to be accepted";
    LinkNotPending: "the link is not pending";
    LinkNotActivated: "the link is not activated";
    LinkStillActivated: "the link must be drained first";
    LinkDeleting: "the link is going away";
    LinkNotDeleting: "the link is not going away";
    InvalidLinkStatus: "a link is set to activated, soft-drained or hard-drained";
    NotALinkEnd: "the device is not an end of the link";

    // Tenants and passes.
    TenantNotPending: "the tenant is not pending";
    TenantNotActivated: "the tenant is not activated";
    TenantInUse: "users or access passes still refer to the tenant";
    TenantDeleting: "the tenant is going away";
    TenantNotDeleting: "the tenant is not going away";
    WrongTenant: "the tenant is not the one this belongs to";
    PassInUse: "users still refer to the access pass";
    PassHasEntries: "the access pass still names tenants or groups";
    PassOfTenant: "a pass that a tenant gave allows that tenant and no other";
    WrongPass: "the access pass is not the one this belongs to";

    // Groups.
    GroupNotPending: "the multicast group is not pending";
    GroupNotActivated: "the multicast group is not activated";
    GroupInUse: "users or access passes still refer to the multicast group";
    GroupDeleting: "the multicast group is going away";
    GroupNotDeleting: "the multicast group is not going away";

    // Users: creation.
    PassForOtherAddress: "the access pass is for another address";
    AddressNamed: "the foundation has given passes for this very address, and this is none of them";
    AddressOfOtherPayer: "another payer has tunnels from this address";
    OwnAddress: "the user's owner has a pass that the foundation gave for this very address, too";
    PassBanned: "the access pass is barred by a ban";
    PassExpired: "the access pass has expired";
    PassUnicastFull: "the access pass allows no more unicast users";
    PassMulticastFull: "the access pass allows no more multicast users";
    TenantRequired: "the access pass is for tenants only";
    TenantNotAllowed: "the access pass does not allow the tenant";
    PublishNotAllowed: "the access pass does not allow publishing to the multicast group";
    SubscribeNotAllowed: "the access pass does not allow subscribing to the multicast group";
    NotAnEndpoint: "users' tunnels cannot end on the interface";
    EndpointMismatch: "the interface has another address than the endpoint";
    EndpointKept: "the endpoint is kept for the other service";
    NotFoundationsSpace: "edge filtering needs an address of the foundation's space";
    EndpointInUse: "the client has a tunnel to this endpoint already";
    UserBanned: "the user is banned";
    DeviceClosed: "the device takes no users";
    DeviceFull: "the device has no free seat";
    DeviceUnicastFull: "the device has no free seat for unicast users";
    DeviceSubscribersFull: "the device has no free seat for multicast subscribers";
    DevicePublishersFull: "the device has no free seat for multicast publishers";
    UnicastWithRoles: "a unicast user has no roles in groups";
    RolesRequired: "a multicast user needs a role in a group";
    EmptyRole: "a role must publish or subscribe";
    RolesMismatch: "there must be one group account for each role";
    TooManyRoles: "an instruction names at most 12 groups and a user has roles in at most 64";

    // Users: life.
    UserNotPending: "the user does not wait for an allocation";
    UserNotActivated: "the user is not activated";
    UserNotMulticast: "only a multicast user has roles";
    UserDeleting: "the user is going away";
    UserNotDeleting: "the user is not going away";
    UserNotPendingBan: "the user does not wait to be banned";
    UserRejected: "the user was rejected and holds nothing";
    UserHasRoles: "the roles of the user must be taken away first";
    NotATunnelNet: "a tunnel network is a /31";
    TunnelKept: "an updating user keeps its tunnel";
    InvalidDzIp: "the address is not one that this kind of user gets";
}

impl From<ServiceabilityError> for ProgramError {
    fn from(error: ServiceabilityError) -> Self {
        Self::Custom(error as u32)
    }
}

impl From<PoolError> for ServiceabilityError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Exhausted { .. } => Self::PoolExhausted,
            PoolError::OutOfRange(_) => Self::OutsidePool,
            PoolError::Misaligned(_) => Self::Misaligned,
            PoolError::Reserved(_) => Self::ReservedUnit,
            PoolError::Taken(_) => Self::UnitTaken,
            PoolError::NotTaken(_) => Self::UnitNotTaken,
        }
    }
}

impl From<CapacityError> for ServiceabilityError {
    fn from(error: CapacityError) -> Self {
        match error {
            CapacityError::Closed => Self::DeviceClosed,
            CapacityError::MaxUsers { .. } => Self::DeviceFull,
            CapacityError::MaxUnicastUsers { .. } => Self::DeviceUnicastFull,
            CapacityError::MaxMulticastSubscribers { .. } => Self::DeviceSubscribersFull,
            CapacityError::MaxMulticastPublishers { .. } => Self::DevicePublishersFull,
        }
    }
}

impl ServiceabilityError {
    /// The code that travels as Solana's custom error.
    pub fn code(self) -> u32 {
        self as u32
    }

    /// The error with this code.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::try_from(code).ok()
    }
}

/// Refuses with this error unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $error:ident) => {
        if !$condition {
            return Err($crate::error::ServiceabilityError::$error);
        }
    };
}
pub(crate) use ensure;

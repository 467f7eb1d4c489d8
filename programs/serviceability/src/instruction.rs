//! Instructions of the program. One variant a verb; the accounts of each, and the rights it needs, are in [`crate::lists`].

use std::net::Ipv4Addr;

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use crate::{
    error::{Result, ServiceabilityError},
    network::NetworkV4,
    state::{
        Bootstrap, ConfigNumbers, DeviceCaps, DeviceType, EndpointService, InterfaceMetadata, LinkStatus, PoolKind,
        Roles, UserType,
    },
};

/// An instruction: one tag byte, the life of what it is about, then the fields in Borsh. Unknown tags and left-over bytes
/// are refused.
///
/// `F` foundation, `A` activator, `C` contributor's owner, `P` the pass's payer, `G` the group's owner,
/// `T` a tenant's administrator. The foundation may do whatever `C`, `P`, `G` and `T` may.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::AsRefStr, strum::EnumCount)]
#[borsh(use_discriminant = false)]
pub enum ServiceabilityInstruction {
    /// The program's upgrade authority: creates the config and the VRF id pool, and becomes the foundation. Once.
    InitGlobalConfig(ConfigNumbers),
    /// F: changes the numbers. The loopback range stays while there are devices.
    SetGlobalConfig(ConfigNumbers),
    /// F: sets the activator's key.
    SetActivator {
        /// The new key.
        key: Pubkey,
    },
    /// F: adds a foundation key.
    AddFoundation {
        /// The key.
        key: Pubkey,
    },
    /// F: removes a foundation key; the last one stays.
    RemoveFoundation {
        /// The key.
        key: Pubkey,
    },
    /// F: adds a global block and its pool; allocation rolls over to it when those before it are full. A block of
    /// public addresses must hold neither a registered one nor that of a live client.
    AddBlock {
        /// Which of the global blocks.
        kind: PoolKind,
        /// The network; must not overlap another block of the config.
        block: NetworkV4,
    },
    /// F: removes a global block that is not in use and closes its pool.
    RemoveBlock {
        /// Which of the global blocks.
        kind: PoolKind,
        /// The network.
        block: NetworkV4,
    },

    /// F: creates a contributor.
    CreateContributor {
        /// Unique code.
        code: String,
        /// The key that will own its devices.
        owner: Pubkey,
    },
    /// F: gives a contributor to another owner, and says how many /24s it gets even out of those that are kept.
    UpdateContributor {
        /// The new owner.
        owner: Pubkey,
        /// How many.
        granted_blocks: u8,
    },
    /// F: it may add nothing until it is resumed.
    SuspendContributor,
    /// F: it may add again.
    ResumeContributor,
    /// F: no device or link may refer to it. Deleting until the activator has released its blocks.
    DeleteContributor,
    /// A: carves a /24 out of a DoubleZero block for a contributor.
    AllocateContributorBlock {
        /// The /24.
        block: NetworkV4,
    },
    /// A, when the contributor is Deleting: gives an unused /24 back.
    ReleaseContributorBlock {
        /// The /24.
        block: NetworkV4,
    },
    /// A, when the contributor is Deleting and has no blocks: closes the account.
    CloseContributor,
    /// C, not suspended: registers a prefix of its own that is divided among its devices: noted in the address registry, its
    /// pool created.
    AddContributorPrefix {
        /// The network, /24 to the configured minimum.
        net: NetworkV4,
    },
    /// C: removes one of which no device has a share; its pool is closed.
    RemoveContributorPrefix {
        /// The network.
        net: NetworkV4,
    },

    /// F: creates a metro.
    CreateExchange {
        /// Unique code.
        code: String,
        /// Name for people.
        name: String,
        /// Latitude in millionths of a degree.
        latitude: i32,
        /// Longitude in millionths of a degree.
        longitude: i32,
    },
    /// F: changes its name and place.
    UpdateExchange {
        /// Name for people.
        name: String,
        /// Latitude in millionths of a degree.
        latitude: i32,
        /// Longitude in millionths of a degree.
        longitude: i32,
    },
    /// F: it takes no more devices.
    SuspendExchange,
    /// F: it takes devices again.
    ResumeExchange,
    /// F: no device may refer to it. Closes the account.
    DeleteExchange,

    /// C: registers a device: Pending. Notes its public_ip in the address registry; creates its id pools.
    CreateDevice(CreateDeviceArgs),
    /// C, not suspended: changes type, caps and the number of endpoints.
    UpdateDevice {
        /// What it is for; must not become transit while it has users.
        device_type: DeviceType,
        /// Maximum of users of each kind; may be lower than the live counts.
        caps: DeviceCaps,
        /// How many endpoints the activator pulls.
        endpoints_wanted: u8,
    },
    /// C, not suspended: moves the device to another address; refused while an interface holds the old one as an endpoint.
    SetDevicePublicIp {
        /// The new address.
        public_ip: Ipv4Addr,
    },
    /// C, not suspended: registers an own prefix: noted in the address registry, its pool created. It may lie around live
    /// clients, whose addresses are then never handed out.
    AddDevicePrefix {
        /// The network, /24 to the configured minimum.
        net: NetworkV4,
    },
    /// C, or A when the device is Deleting: removes a prefix that no user and no endpoint uses; its pool is closed.
    RemoveDevicePrefix {
        /// The network.
        net: NetworkV4,
    },
    /// A: carves a prefix for a device out of its contributor's /24, while it has no other carved one.
    CarveDevicePrefix {
        /// The network.
        net: NetworkV4,
    },
    /// A: pulls an address off a device's prefix onto a loopback of the reserved range; the interface is Activated.
    PullEndpoint {
        /// The address.
        ip: Ipv4Addr,
        /// The loopback's number.
        loopback_number: u16,
    },
    /// A: the device has its prefixes and endpoints: Pending to Activated.
    ActivateDevice,
    /// C: Activated to Drained: no new users, live ones are shut.
    DrainDevice,
    /// C, not suspended: Drained to Activated.
    UndrainDevice,
    /// C: no users and no links may refer to it. Deleting until the activator has taken back its interfaces, then its
    /// prefixes, then itself.
    DeleteDevice,
    /// A, when the device is Deleting and has neither interfaces nor prefixes: closes it and its id pools.
    CloseDevice,

    /// C: creates an interface: Pending. A loopback of the reserved range takes its number.
    CreateInterface {
        /// Name; short forms such as `lo100` are expanded.
        name: String,
        /// An own address; equal to the device's public_ip it stands for that one.
        ip: Option<Ipv4Addr>,
        /// True when users' tunnels may end on it; needs a public address.
        user_tunnel_endpoint: bool,
    },
    /// C: changes which new tunnels may end on it, and what is noted about it.
    UpdateInterface {
        /// Which tunnels; any for what is no endpoint.
        service: EndpointService,
        /// Bandwidth, MTU, VLAN and by what users reach the device there.
        metadata: InterfaceMetadata,
    },
    /// A: the interface passed the activator's check: Activated.
    ActivateInterface,
    /// C, or A when the device is Deleting: no user and no link may refer to it. Deleting until the activator has
    /// released what it holds.
    DeleteInterface,
    /// A, when the interface is Deleting: releases what it holds and closes the account.
    CloseInterface,

    /// C of side A: creates a link: Pending, or Requested when side Z is another contributor's, of which nothing is
    /// bound before it accepts.
    CreateLink {
        /// Unique code.
        code: String,
        /// One-way delay in nanoseconds.
        delay_ns: u64,
        /// Bits per second.
        bandwidth: u64,
        /// Octets.
        mtu: u16,
    },
    /// C of side Z: Requested to Pending; gives its end.
    AcceptLink,
    /// A: gives the link its network: Activated.
    ActivateLink {
        /// The /31.
        net: NetworkV4,
    },
    /// C of side A, not suspended: changes delay and bandwidth.
    UpdateLink {
        /// One-way delay in nanoseconds.
        delay_ns: u64,
        /// Bits per second.
        bandwidth: u64,
    },
    /// C of either side: drains the link for its side or takes that back, which a suspended one cannot. It is as drained
    /// as the side that drains more wants it. F: for both sides.
    SetLinkStatus {
        /// One of the three.
        status: LinkStatus,
    },
    /// C of either side: the link must not be Activated. Deleting until the activator has released its network.
    DeleteLink,
    /// A, when the link is Deleting: releases its network and closes the account.
    CloseLink,

    /// F: creates a tenant: Pending.
    CreateTenant {
        /// Unique code.
        code: String,
        /// Keys that may give passes for it.
        administrators: Vec<Pubkey>,
    },
    /// F: sets its administrators.
    UpdateTenant {
        /// Keys that may give passes for it.
        administrators: Vec<Pubkey>,
    },
    /// A: gives the tenant its VRF id: Activated.
    ActivateTenant {
        /// The id.
        vrf_id: u16,
    },
    /// F: no user and no pass may refer to it. Deleting until the activator has released its VRF id.
    DeleteTenant,
    /// A, when the tenant is Deleting: releases its VRF id and closes the account.
    CloseTenant,

    /// F: creates a pass of the foundation's or changes its limits. T: the same of its tenant's, which allows that
    /// tenant. Allowlists stay.
    SetAccessPass {
        /// The address that may connect; 0.0.0.0 for any.
        client_ip: Ipv4Addr,
        /// The key that may connect.
        payer: Pubkey,
        /// The last epoch in which unicast users may be created.
        last_access_epoch: u64,
        /// Maximum of unicast users at a time.
        max_unicast_users: u16,
        /// The most multicast users at a time.
        max_multicast_users: u16,
    },
    /// F: allows or forbids a pass of the foundation's a tenant.
    SetPassTenant {
        /// True to allow.
        allowed: bool,
    },
    /// G: what the pass may do with a group. T, P: takes that away from a pass that its tenant gave, or that is its own.
    SetPassGroup {
        /// True when it may publish.
        publish: bool,
        /// True when it may subscribe.
        subscribe: bool,
    },
    /// F, or T of the tenant that gave it: no user may refer to it, live or banned, and it names no group and, if the
    /// foundation gave it, no tenant. Closes the account.
    CloseAccessPass,

    /// F: creates a group: Pending.
    CreateMulticastGroup {
        /// Unique code.
        code: String,
        /// The key that decides who may publish and subscribe.
        owner: Pubkey,
        /// Bits per second.
        max_bandwidth: u64,
    },
    /// G: changes owner and bandwidth.
    UpdateMulticastGroup {
        /// The new owner.
        owner: Pubkey,
        /// Bits per second.
        max_bandwidth: u64,
    },
    /// A: gives the group its address: Activated.
    ActivateMulticastGroup {
        /// The address.
        ip: Ipv4Addr,
    },
    /// G: no role and no allowlist may refer to it. Deleting until the activator has released its address.
    DeleteMulticastGroup,
    /// A, when the group is Deleting: releases its address and closes the account.
    CloseMulticastGroup,

    /// P: takes a seat on a device for a tunnel that ends on one of its endpoints: Pending. Replaces a Rejected user,
    /// whose rent goes back. The client's address must be nobody else's: not of another payer's users, not registered,
    /// and not named by a pass of the foundation unless this is one.
    CreateUser {
        /// The client's address.
        client_ip: Ipv4Addr,
        /// The endpoint's address.
        endpoint_ip: Ipv4Addr,
        /// Which service.
        user_type: UserType,
        /// Roles in the groups whose accounts follow, one each; a multicast user needs at least one.
        roles: Vec<Roles>,
    },
    /// A: gives a Pending user its tunnel, or an Updating one the dz_ip of its new roles: Activated.
    ActivateUser {
        /// The overlay /31; an Updating user keeps the one it has.
        tunnel_net: NetworkV4,
        /// The device's tunnel interface; an Updating user keeps the one it has.
        tunnel_id: u16,
        /// The address it is known by.
        dz_ip: Ipv4Addr,
    },
    /// A: refuses. A Pending user, whose roles are already stripped, gives everything back: Rejected. An Updating
    /// one, whose new publisher roles are already stripped, keeps its tunnel: Activated.
    RejectUser {
        /// The reason shown to the client.
        reason: String,
    },
    /// P: changes roles in the groups whose accounts follow. When it starts or stops being a publisher: Updating.
    /// A: may strip roles from users that are Pending, Updating, Deleting or PendingBan.
    SetUserRoles {
        /// One for each group account.
        changes: Vec<RoleChange>,
    },
    /// P: Deleting; a Rejected user is closed at once. F also closes a Banned one, which frees its pass.
    DeleteUser,
    /// A, when the user is Deleting and has no roles: releases what it holds and closes the account.
    CloseUser,
    /// F: the tunnel goes, the pass is barred: PendingBan.
    BanUser,
    /// A, when the user is PendingBan and has no roles: releases what it holds: Banned.
    FinishBan,
    /// P of a pass that the foundation gave for this very address: ends the live user that a pass for any address, or a
    /// tenant's pass, has made for it: Deleting.
    ReclaimAddress,
    /// C: ends a live user of a Drained device, so that the device can go: Deleting.
    EvictUser,
}

impl ServiceabilityInstruction {
    /// The instruction's data: tag, life, then the fields in Borsh.
    ///
    /// `life` is that of the account that the instruction is about, the first after the config. An instruction that was
    /// decided on one life of an account is then refused by the next one at the same address. 0 is for a sender that has
    /// seen no life of it, such as one that creates it in the same transaction.
    pub fn encode(&self, life: u64) -> Vec<u8> {
        // Writing Borsh into a Vec cannot fail.
        let mut data = borsh::to_vec(self).expect("writing into memory");
        data.splice(1..1, life.to_le_bytes());
        data
    }

    /// Reads an instruction and the life it was decided on; every byte must be accounted for.
    ///
    /// # Errors
    /// [`ServiceabilityError::MalformedInstruction`].
    pub fn decode(data: &[u8]) -> Result<(u64, Self)> {
        let malformed = ServiceabilityError::MalformedInstruction;
        let (tag, rest) = data.split_first().ok_or(malformed)?;
        let (life, fields) = rest.split_first_chunk::<8>().ok_or(malformed)?;
        let mut whole = Vec::with_capacity(1 + fields.len());
        whole.push(*tag);
        whole.extend_from_slice(fields);
        let instruction = borsh::from_slice(&whole).map_err(|_| malformed)?;
        Ok((u64::from_le_bytes(*life), instruction))
    }
}

/// How a device is registered.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CreateDeviceArgs {
    /// Unique code.
    pub code: String,
    /// What it is for.
    pub device_type: DeviceType,
    /// Its address on the internet.
    pub public_ip: Ipv4Addr,
    /// With what it comes.
    pub bootstrap: Bootstrap,
    /// How many endpoints the activator pulls; none for the number in the config.
    pub endpoints_wanted: Option<u8>,
    /// Maximum of tunnels it can terminate, 1 to 4096.
    pub tunnel_slots: u16,
    /// Maximum of users of each kind.
    pub caps: DeviceCaps,
}

/// What becomes of a user's roles in one group. A role that is not named stays as the chain has it, so that two who
/// change different roles at once do not undo each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RoleChange {
    /// Whether it is to send.
    pub publish: Option<bool>,
    /// Whether it is to receive.
    pub subscribe: Option<bool>,
}

impl RoleChange {
    /// The roles after it, of a user that has these.
    pub fn over(self, held: Roles) -> Roles {
        Roles { publish: self.publish.unwrap_or(held.publish), subscribe: self.subscribe.unwrap_or(held.subscribe) }
    }
}

/// Exactly these.
impl From<Roles> for RoleChange {
    fn from(Roles { publish, subscribe }: Roles) -> Self {
        Self { publish: Some(publish), subscribe: Some(subscribe) }
    }
}

/// One-way delay of a link in nanoseconds: 10 microseconds to 1 second.
pub const LINK_DELAY_NS: std::ops::RangeInclusive<u64> = 10_000..=1_000_000_000;
/// Bits per second of a link: 10 to 400 Gbit/s.
pub const LINK_BANDWIDTH: std::ops::RangeInclusive<u64> = 10_000_000_000..=400_000_000_000;
/// Tunnel ids start here on every device.
pub const FIRST_TUNNEL_ID: u16 = 500;
/// The most tunnels a device can terminate: ids 500 to 4595.
pub const MAX_TUNNEL_SLOTS: u16 = 4096;
/// The VRF of unicast users without a tenant; tenants get the ids after it.
pub const DEFAULT_VRF_ID: u16 = 1;
/// The highest VRF id.
pub const LAST_VRF_ID: u16 = 1023;
/// The most groups one instruction can name; more roles take more instructions.
pub const MAX_ROLES_PER_INSTRUCTION: usize = 12;
/// The longest code, in bytes.
pub const MAX_CODE_LEN: usize = 32;

//! The accounts of each instruction and who may send it, in one typed list: builders fill it in, the program takes it
//! apart and asks it for rights, and documentation is generated from it.
//!
//! Before each list stand the signer, who also pays, and the system program. The account after the config is the one that
//! the instruction is about. An optional account that is absent is given as the program itself, so that every
//! account has one place.

use solana_account_info::AccountInfo;
use solana_instruction::AccountMeta;
use solana_pubkey::Pubkey;

pub use crate::rights::{Access, Right};
use crate::{accounts::Accounts, error::Result};

/// How often an account stands in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Once.
    One,
    /// Once; where it is not needed, the program stands in its place.
    Maybe,
    /// Any number of times; the last of its list.
    Many,
}

/// One place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What stands there.
    pub name: &'static str,
    /// What happens to it.
    pub access: Access,
    /// How often it stands there.
    pub presence: Presence,
}

/// What there is to know about the list of an instruction.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The instruction.
    pub instruction: &'static str,
    /// Who may send it; any of these.
    pub rights: &'static [Right],
    /// Its accounts after the signer and the system program.
    pub slots: &'static [Slot],
}

/// How often an account stands in a list, as a type; named like the words of the lists below.
#[allow(non_camel_case_types, reason = "the words of the lists")]
mod presence_types {
    pub(super) type one<T> = T;
    pub(super) type maybe<T> = Option<T>;
    pub(super) type many<T> = Vec<T>;
}

macro_rules! access {
    (read) => {
        Access::Read
    };
    (write) => {
        Access::Write
    };
}

macro_rules! presence {
    (one) => {
        Presence::One
    };
    (maybe) => {
        Presence::Maybe
    };
    (many) => {
        Presence::Many
    };
}

macro_rules! push {
    (one $metas:ident $account:expr, $access:expr, $absent:ident) => {
        $metas.push(meta($account, $access))
    };
    (maybe $metas:ident $account:expr, $access:expr, $absent:ident) => {
        $metas.push(match $account {
            Some(account) => meta(account, $access),
            None => $absent(),
        })
    };
    (many $metas:ident $account:expr, $access:expr, $absent:ident) => {
        $metas.extend($account.into_iter().map(|account| meta(account, $access)))
    };
}

macro_rules! lists {
    ($($name:ident [$($right:ident)*] { $($slot:ident: $access:ident $presence:ident),* $(,)? })*) => {
        $(
            #[doc = concat!("The accounts of [`", stringify!($name), "`](crate::instruction::ServiceabilityInstruction::", stringify!($name), ").")]
            #[derive(Clone, Debug)]
            pub struct $name<T> {
                $(#[doc = concat!("`", stringify!($slot), "`")] pub $slot: presence_types::$presence<T>,)*
            }

            impl<T> $name<T> {
                /// What there is to know about it.
                pub const SPEC: Spec = Spec {
                    instruction: stringify!($name),
                    rights: &[$(Right::$right),*],
                    slots: &[$(Slot { name: stringify!($slot), access: access!($access), presence: presence!($presence) }),*],
                };
            }

            impl $name<Pubkey> {
                /// The same as an instruction lists them, after the signer and the system program.
                pub fn metas(self, program: &Pubkey) -> Vec<AccountMeta> {
                    let mut metas = Vec::with_capacity(Self::SPEC.slots.len() + 2);
                    let absent = || AccountMeta::new_readonly(*program, false);
                    $(push!($presence metas self.$slot, access!($access), absent);)*
                    let _ = absent;
                    metas
                }
            }

            impl<'a, 'info> $name<&'a AccountInfo<'info>> {
                /// Takes them; none may be left over.
                pub(crate) fn take(accounts: &mut Accounts<'a, 'info>) -> Result<Self> {
                    let list = Self { $($slot: accounts.$presence(access!($access))?,)* };
                    accounts.finish()?;
                    Ok(list)
                }
            }
        )*

        /// All lists, in the order of the instructions.
        pub const ALL: &[Spec] = &[$($name::<Pubkey>::SPEC),*];
    };
}

fn meta(account: Pubkey, access: Access) -> AccountMeta {
    match access {
        Access::Read => AccountMeta::new_readonly(account, false),
        Access::Write => AccountMeta::new(account, false),
    }
}

lists! {
    InitGlobalConfig [UpgradeAuthority] { config: write one, program_data: read one, vrf_ids: write one }
    SetGlobalConfig [Foundation] { config: write one }
    SetActivator [Foundation] { config: write one }
    AddFoundation [Foundation] { config: write one }
    RemoveFoundation [Foundation] { config: write one }
    AddBlock [Foundation] { config: write one, pool: write one, registries: read many }
    RemoveBlock [Foundation] { config: write one, pool: write one, pool_payer: write one }

    CreateContributor [Foundation] { config: write one, contributor: write one }
    UpdateContributor [Foundation] { config: read one, contributor: write one }
    SuspendContributor [Foundation] { config: read one, contributor: write one }
    ResumeContributor [Foundation] { config: read one, contributor: write one }
    DeleteContributor [Foundation] { config: read one, contributor: write one }
    AllocateContributorBlock [Activator] {
        config: write one, contributor: write one, double_zero: write one, pool: write one, registry: write one,
        clients: read one,
    }
    ReleaseContributorBlock [Activator] {
        config: read one, contributor: write one, double_zero: write one, pool: write one, pool_payer: write one,
        registry: write one, registry_payer: write one,
    }
    CloseContributor [Activator] { config: read one, contributor: write one, contributor_payer: write one }
    AddContributorPrefix [ContributorOwner Foundation] {
        config: write one, contributor: write one, registry: write one, pool: write one,
    }
    RemoveContributorPrefix [ContributorOwner Foundation] {
        config: read one, contributor: write one, pool: write one, pool_payer: write one, registry: write one,
        registry_payer: write one,
    }

    CreateExchange [Foundation] { config: write one, exchange: write one }
    UpdateExchange [Foundation] { config: read one, exchange: write one }
    SuspendExchange [Foundation] { config: read one, exchange: write one }
    ResumeExchange [Foundation] { config: read one, exchange: write one }
    DeleteExchange [Foundation] { config: read one, exchange: write one, exchange_payer: write one }

    CreateDevice [ContributorOwner Foundation] {
        config: write one, device: write one, clock: read one, contributor: write one, exchange: write one,
        registry: write one, clients: read one, tunnel_ids: write one, loopbacks: write one,
    }
    UpdateDevice [ContributorOwner Foundation] {
        config: read one, device: write one, clock: read one, contributor: write one,
    }
    SetDevicePublicIp [ContributorOwner Foundation] {
        config: write one, device: write one, contributor: read one, old_registry: write one,
        old_registry_payer: write one, registry: write maybe, clients: read one,
    }
    AddDevicePrefix [ContributorOwner Foundation] {
        config: write one, device: write one, contributor: read one, registry: write one, pool: write one,
    }
    RemoveDevicePrefix [ContributorOwner Activator Foundation] {
        config: read one, device: write one, clock: read one, contributor: write one, pool: write one,
        pool_payer: write one, block: write maybe, registry: write maybe, registry_payer: write maybe,
    }
    CarveDevicePrefix [Activator] { config: write one, device: write one, block: write one, pool: write one }
    PullEndpoint [Activator] {
        config: write one, device: write one, prefix: write one, loopbacks: write one, interface: write one,
        clients: read one,
    }
    ActivateDevice [Activator] { config: read one, device: write one }
    DrainDevice [ContributorOwner Foundation] { config: read one, device: write one, contributor: read one }
    UndrainDevice [ContributorOwner Foundation] { config: read one, device: write one, contributor: read one }
    DeleteDevice [ContributorOwner Foundation] { config: read one, device: write one, contributor: read one }
    CloseDevice [Activator] {
        config: write one, device: write one, device_payer: write one, contributor: write one, exchange: write one,
        registry: write one, registry_payer: write one, tunnel_ids: write one, loopbacks: write one,
    }

    CreateInterface [ContributorOwner Foundation] {
        config: write one, interface: write one, clock: read one, contributor: write one, device: write one,
        registry: write maybe, clients: read maybe, loopbacks: write maybe,
    }
    UpdateInterface [ContributorOwner Foundation] {
        config: read one, interface: write one, contributor: read one, device: read one,
    }
    ActivateInterface [Activator] { config: read one, interface: write one, device: write one }
    DeleteInterface [ContributorOwner Activator Foundation] {
        config: read one, interface: write one, clock: read one, contributor: write one, device: write one,
    }
    CloseInterface [Activator] {
        config: read one, interface: write one, interface_payer: write one, device: write one, prefix: write maybe,
        registry: write maybe, registry_payer: write maybe, loopbacks: write maybe,
    }

    CreateLink [ContributorOwner Foundation] {
        config: write one, link: write one, clock: read one, contributor: write one, device_a: write one,
        interface_a: write one, device_z: write one, interface_z: write one,
    }
    AcceptLink [ContributorOwner Foundation] {
        config: read one, link: write one, contributor: read one, device_z: write one, interface_z: write one,
    }
    ActivateLink [Activator] {
        config: read one, link: write one, interface_a: read one, interface_z: read one, pool: write one,
    }
    UpdateLink [ContributorOwner Foundation] { config: read one, link: write one, contributor: read one }
    SetLinkStatus [ContributorOwner Foundation] {
        config: read one, link: write one, contributor: read one, device: read one,
    }
    DeleteLink [ContributorOwner Foundation] {
        config: read one, link: write one, contributor: read one, device: read one,
    }
    CloseLink [Activator] {
        config: read one, link: write one, link_payer: write one, contributor: write one, device_a: write one,
        interface_a: write one, device_z: write maybe, interface_z: write maybe, pool: write maybe,
    }

    CreateTenant [Foundation] { config: write one, tenant: write one }
    UpdateTenant [Foundation] { config: read one, tenant: write one }
    ActivateTenant [Activator] { config: read one, tenant: write one, vrf_ids: write one }
    DeleteTenant [Foundation] { config: read one, tenant: write one }
    CloseTenant [Activator] { config: read one, tenant: write one, tenant_payer: write one, vrf_ids: write one }

    SetAccessPass [TenantAdministrator Foundation] {
        config: write one, access_pass: write one, clock: read one, tenant: write maybe, client: write maybe,
    }
    SetPassTenant [Foundation] { config: read one, access_pass: write one, tenant: write one }
    SetPassGroup [GroupOwner TenantAdministrator PassPayer Foundation] {
        config: read one, access_pass: write one, group: write one, tenant: read maybe,
    }
    CloseAccessPass [TenantAdministrator Foundation] {
        config: read one, access_pass: write one, access_pass_payer: write one, tenant: write maybe,
        client: write maybe, client_payer: write maybe,
    }

    CreateMulticastGroup [Foundation] { config: write one, group: write one }
    UpdateMulticastGroup [GroupOwner Foundation] { config: read one, group: write one }
    ActivateMulticastGroup [Activator] { config: read one, group: write one, pool: write one }
    DeleteMulticastGroup [GroupOwner Foundation] { config: read one, group: write one }
    CloseMulticastGroup [Activator] {
        config: read one, group: write one, group_payer: write one, pool: write maybe,
    }

    CreateUser [PassPayer Foundation] {
        config: write one, user: write one, clock: read one, access_pass: write one, device: write one,
        interface: write one, client: write one, clients: write one, registry: read one, old_payer: write maybe,
        named_pass: read maybe, tenant: write maybe, groups: write many,
    }
    ActivateUser [Activator] {
        config: read one, user: write one, tunnel_nets: write maybe, tunnel_ids: write maybe, dz_ips: write maybe,
        clients: read maybe,
    }
    RejectUser [Activator] {
        config: read one, user: write one, device: write maybe, interface: write maybe, access_pass: write maybe,
        client: write maybe, client_payer: write maybe, clients: write maybe, clients_payer: write maybe,
        tenant: write maybe,
    }
    SetUserRoles [UserOwner Activator Foundation] {
        config: read one, user: write one, clock: read one, access_pass: write one, device: write one,
        tenant: write maybe, groups: write many,
    }
    DeleteUser [UserOwner Foundation] {
        config: read one, user: write one, access_pass: write one, user_payer: write one,
    }
    CloseUser [Activator] {
        config: read one, user: write one, user_payer: write one, device: write one, interface: write one,
        access_pass: write one, client: write one, client_payer: write one, clients: write one,
        clients_payer: write one, tenant: write maybe, tunnel_nets: write maybe, tunnel_ids: write maybe,
        dz_ips: write maybe,
    }
    BanUser [Foundation] { config: read one, user: write one, access_pass: write one }
    FinishBan [Activator] {
        config: read one, user: write one, device: write one, interface: write one, access_pass: write one,
        client: write one, client_payer: write one, clients: write one, clients_payer: write one,
        tenant: write maybe, tunnel_nets: write maybe, tunnel_ids: write maybe, dz_ips: write maybe,
    }
    ReclaimAddress [AddressHolder] {
        config: read one, user: write one, access_pass: read one, other_named: read one,
    }
    EvictUser [ContributorOwner Foundation] {
        config: read one, user: write one, contributor: read one, device: read one,
    }
}

//! Rights of an instruction: the roles that a key can act in, and access to accounts.

use crate::error::ServiceabilityError;

/// A role that a key can act in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::EnumIter, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Right {
    /// The program's upgrade authority.
    UpgradeAuthority,
    /// A key of the foundation.
    Foundation,
    /// The activator's key.
    Activator,
    /// The owner of the contributor whose thing it is, or of either side's of a link.
    ContributorOwner,
    /// An administrator of the tenant, whose passes are those that the tenant gave.
    TenantAdministrator,
    /// The owner of the group.
    GroupOwner,
    /// The payer of the access pass.
    PassPayer,
    /// The owner of the user: the payer of its pass.
    UserOwner,
    /// The payer of a pass that the foundation gave for the address itself.
    AddressHolder,
}

impl Right {
    /// The error for a caller without it.
    pub(crate) fn refusal(self) -> ServiceabilityError {
        match self {
            Self::UpgradeAuthority => ServiceabilityError::NotUpgradeAuthority,
            Self::Foundation => ServiceabilityError::NotFoundation,
            Self::Activator => ServiceabilityError::NotActivator,
            Self::ContributorOwner => ServiceabilityError::NotContributorOwner,
            Self::TenantAdministrator => ServiceabilityError::NotTenantAdministrator,
            Self::GroupOwner => ServiceabilityError::NotGroupOwner,
            Self::PassPayer => ServiceabilityError::NotPassPayer,
            Self::UserOwner => ServiceabilityError::NotUserOwner,
            Self::AddressHolder => ServiceabilityError::NotAddressHolder,
        }
    }
}

/// What happens to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is only read.
    Read,
    /// It is changed, created, closed or credited.
    Write,
}

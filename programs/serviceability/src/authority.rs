//! Authority checks, each in one place. Whether an instruction makes one stands in its list, and so does
//! whether the foundation may instead.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    rights::Right,
    state::{AccessPass, Contributor, MulticastGroup, Tenant, User},
};

impl Context<'_, '_> {
    /// Whether the signer may act in this role; `held` says that it has it. What the list of the instruction does not
    /// name is refused, whatever the processor asks.
    fn acts_as(&self, right: Right, held: bool) -> Result {
        let listed = |right| self.rights.contains(&right);
        let instead = listed(Right::Foundation) && self.signer_is_foundation();
        if (listed(right) && held) || instead { Ok(()) } else { Err(right.refusal()) }
    }

    pub(crate) fn signer_is_foundation(&self) -> bool {
        self.config.is_foundation(self.signer.key)
    }

    pub(crate) fn signer_is_activator(&self) -> bool {
        self.rights.contains(&Right::Activator) && self.config.activator == *self.signer.key
    }

    pub(crate) fn foundation(&self) -> Result {
        self.acts_as(Right::Foundation, self.signer_is_foundation())
    }

    pub(crate) fn activator(&self) -> Result {
        ensure!(self.signer_is_activator(), NotActivator);
        Ok(())
    }

    pub(crate) fn contributor_owner(&self, contributor: &Contributor) -> Result {
        self.acts_as(Right::ContributorOwner, contributor.owner == *self.signer.key)
    }

    pub(crate) fn pass_payer(&self, pass: &AccessPass) -> Result {
        self.acts_as(Right::PassPayer, pass.payer == *self.signer.key)
    }

    pub(crate) fn user_owner(&self, user: &User) -> Result {
        self.acts_as(Right::UserOwner, user.owner == *self.signer.key)
    }

    pub(crate) fn group_owner(&self, group: &MulticastGroup) -> Result {
        self.acts_as(Right::GroupOwner, group.owner == *self.signer.key)
    }

    pub(crate) fn tenant_administrator(&self, tenant: &Tenant) -> Result {
        self.acts_as(Right::TenantAdministrator, tenant.administrators.contains(self.signer.key))
    }

    /// Whether the signer holds this pass, and the foundation gave it for one address.
    pub(crate) fn address_holder(&self, pass: &AccessPass) -> Result {
        self.acts_as(Right::AddressHolder, pass.payer == *self.signer.key && self.names_address(pass))
    }

    /// True for a pass that the foundation gave for one address.
    pub(crate) fn names_address(&self, pass: &AccessPass) -> bool {
        pass.names_address() && self.foundation_gave(pass)
    }

    /// True for a pass of the foundation's.
    pub(crate) fn foundation_gave(&self, pass: &AccessPass) -> bool {
        pass.giver == *self.config.key()
    }
}

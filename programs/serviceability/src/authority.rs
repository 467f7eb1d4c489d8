//! Who may: each question has one answer here, and the foundation may whatever an owner may.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{AccessPass, Contributor, MulticastGroup, Tenant, User},
};

impl Context<'_, '_> {
    pub(crate) fn signer_is_foundation(&self) -> bool {
        self.config.is_foundation(self.signer.key)
    }

    pub(crate) fn signer_is_activator(&self) -> bool {
        self.config.activator == *self.signer.key
    }

    pub(crate) fn foundation(&self) -> Result {
        ensure!(self.signer_is_foundation(), NotFoundation);
        Ok(())
    }

    pub(crate) fn activator(&self) -> Result {
        ensure!(self.signer_is_activator(), NotActivator);
        Ok(())
    }

    pub(crate) fn contributor_owner(&self, contributor: &Contributor) -> Result {
        ensure!(contributor.owner == *self.signer.key || self.signer_is_foundation(), NotContributorOwner);
        Ok(())
    }

    pub(crate) fn pass_payer(&self, pass: &AccessPass) -> Result {
        ensure!(pass.payer == *self.signer.key || self.signer_is_foundation(), NotPassPayer);
        Ok(())
    }

    pub(crate) fn user_owner(&self, user: &User) -> Result {
        ensure!(user.owner == *self.signer.key || self.signer_is_foundation(), NotUserOwner);
        Ok(())
    }

    pub(crate) fn group_owner(&self, group: &MulticastGroup) -> Result {
        ensure!(group.owner == *self.signer.key || self.signer_is_foundation(), NotGroupOwner);
        Ok(())
    }

    pub(crate) fn tenant_administrator(&self, tenant: &Tenant) -> Result {
        ensure!(tenant.administrators.contains(self.signer.key) || self.signer_is_foundation(), NotTenantAdministrator);
        Ok(())
    }
}

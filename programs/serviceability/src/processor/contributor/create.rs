//! Creates a contributor.

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Context, Info},
    error::Result,
    lists,
    pda::Place,
    state::{Contributor, ContributorStatus, Requests},
    validation::check_code,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CreateContributor<Info<'a, 'info>>,
    code: String,
    owner: Pubkey,
) -> Result {
    ctx.foundation()?;
    check_code(&code)?;
    let value = Contributor {
        code: code.clone(),
        owner,
        status: ContributorStatus::Activated,
        reference_count: 0,
        blocks: vec![],
        prefixes: vec![],
        granted_blocks: 0,
        requests: Requests::default(),
    };
    ctx.create(a.contributor, Place::Contributor(&code), value)
}

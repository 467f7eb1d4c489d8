//! Creates a contributor.

use solana_pubkey::Pubkey;

use crate::{
    accounts::Context,
    error::Result,
    pda::Place,
    state::{Contributor, ContributorStatus},
    validation::check_code,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, code: String, owner: Pubkey) -> Result {
    ctx.foundation()?;
    check_code(&code)?;
    let info = ctx.take()?;
    let value = Contributor {
        code: code.clone(),
        owner,
        status: ContributorStatus::Activated,
        reference_count: 0,
        blocks: vec![],
    };
    ctx.create(info, Place::Contributor(&code), value)
}

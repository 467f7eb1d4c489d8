//! Gives a contributor to another owner. Also one that goes away: its rent goes to the owner, and a key that cannot
//! take any, such as a sysvar's, would hold it up for ever.

use solana_pubkey::Pubkey;

use crate::{accounts::Context, error::Result, state::Contributor};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, owner: Pubkey) -> Result {
    ctx.foundation()?;
    let mut contributor = ctx.load::<Contributor>()?;
    contributor.owner = owner;
    ctx.save(&contributor)
}

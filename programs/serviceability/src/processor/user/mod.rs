//! Users: one tunnel of one client each, from the seat they take to the last unit they give back.

pub(super) mod activate;
pub(super) mod ban;
pub(super) mod close;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod finish_ban;
pub(super) mod reject;
mod release;
mod roles;
mod seat;
pub(super) mod set_roles;

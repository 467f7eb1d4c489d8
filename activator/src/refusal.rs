//! Refusals: their meaning, and the actions that have been given up.
//!
//! Most refusals say that the plan was made from an older view: another transaction was faster. Planning again from a fresh
//! read then gives another plan. When it gives the same action again and that is refused again, no view will make it
//! work, and sending it in a loop would not help: it is given up until the thing it is about changes, or for a
//! while, since what stands in its way may be somewhere else.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use dz_sdk::{
    NetworkView,
    program::state::{AccountData, AccountType},
};
use solana_pubkey::Pubkey;
use tokio::time::Instant;

use crate::plan::Action;

/// After so long, what was given up is tried once more.
const GIVE_UP_FOR: Duration = Duration::from_secs(30);

/// What follows from a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Another transaction was faster: read the chain again and plan again.
    Replan,
    /// It will not work before something changes.
    GiveUp,
}

/// Refused actions by what they are about.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    refused: BTreeMap<Pubkey, Refused>,
}

#[derive(Clone, Copy, Debug)]
struct Refused {
    /// The action and the state of its subject, hashed.
    fingerprint: u64,
    /// What kind of account the subject is.
    kind: AccountType,
    times: u32,
    given_up: bool,
    since: Instant,
}

impl Refusals {
    /// Notes that the action failed when its subject was as in this view; it is given up when that has now happened
    /// `limit` times in a row.
    pub fn note(&mut self, action: &Action, view: &NetworkView, limit: u32, now: Instant) -> Verdict {
        let fingerprint = fingerprint(action, view);
        let before = self.refused.get(&action.subject.key).filter(|before| before.fingerprint == fingerprint);
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        let given_up = times >= limit;
        let refused = Refused { fingerprint, kind: action.subject.kind, times, given_up, since: now };
        self.refused.insert(action.subject.key, refused);
        if given_up { Verdict::GiveUp } else { Verdict::Replan }
    }

    /// True when this very action has been given up and nothing about its subject has changed.
    pub fn is_given_up(&self, action: &Action, view: &NetworkView, now: Instant) -> bool {
        self.refused.get(&action.subject.key).is_some_and(|refused| {
            refused.given_up
                && now.duration_since(refused.since) < GIVE_UP_FOR
                && refused.fingerprint == fingerprint(action, view)
        })
    }

    /// Forgets what this subject was refused: something about it has worked.
    pub fn forget(&mut self, subject: &Pubkey) {
        self.refused.remove(subject);
    }

    /// Forgets subjects that the chain no longer has.
    pub fn retain_existing(&mut self, view: &NetworkView) {
        self.refused.retain(|key, refused| !state_of(refused.kind, key, view).is_empty());
    }

    /// How many subjects have an action that is given up.
    pub fn given_up(&self) -> usize {
        self.refused.values().filter(|refused| refused.given_up).count()
    }
}

fn fingerprint(action: &Action, view: &NetworkView) -> u64 {
    // Fixed keys: equal input, equal value, also in another process.
    let mut hasher = DefaultHasher::new();
    format!("{:?}", action.decision).hash(&mut hasher);
    state_of(action.subject.kind, &action.subject.key, view).hash(&mut hasher);
    view.life(&action.subject.key).hash(&mut hasher);
    hasher.finish()
}

/// The bytes of the account; empty when it is not there.
fn state_of(kind: AccountType, key: &Pubkey, view: &NetworkView) -> Vec<u8> {
    fn bytes<T: AccountData>(found: Option<&T>) -> Vec<u8> {
        found.map(T::encode).unwrap_or_default()
    }
    match kind {
        AccountType::GlobalConfig => bytes(view.config()),
        AccountType::Pool => bytes(view.pool(key)),
        AccountType::Contributor => bytes(view.contributor(key)),
        AccountType::Exchange => bytes(view.exchange(key)),
        AccountType::Device => bytes(view.device(key)),
        AccountType::Interface => bytes(view.interface(key)),
        AccountType::Link => bytes(view.link(key)),
        AccountType::Tenant => bytes(view.tenant(key)),
        AccountType::AccessPass => bytes(view.access_pass(key)),
        AccountType::MulticastGroup => bytes(view.group(key)),
        AccountType::User => bytes(view.user(key)),
        AccountType::Client => bytes(view.client(key)),
    }
}

#[cfg(test)]
mod tests {
    use dz_sdk::program::state::{Requests, Tenant, TenantStatus};

    use super::*;
    use crate::plan::{Decision, Subject};

    const KEY: Pubkey = Pubkey::new_from_array([3; 32]);

    fn view(status: TenantStatus) -> NetworkView {
        let mut view = NetworkView::default();
        let tenant = Tenant {
            code: "t".to_owned(),
            administrators: Vec::new(),
            status,
            vrf_id: None,
            reference_count: 0,
            requests: Requests::default(),
        };
        view.set_account(KEY, &tenant.encode()).unwrap();
        view
    }

    fn action() -> Action {
        let subject = Subject { kind: AccountType::Tenant, key: KEY, label: "tenant t".to_owned() };
        Action { subject, decision: Decision::CloseTenant, reason: String::new() }
    }

    #[test]
    fn the_same_refusal_twice_is_given_up_until_the_subject_changes() {
        let (before, after, now) = (view(TenantStatus::Pending), view(TenantStatus::Deleting), Instant::now());
        let mut refusals = Refusals::default();
        assert_eq!(refusals.note(&action(), &before, 2, now), Verdict::Replan);
        assert!(!refusals.is_given_up(&action(), &before, now));
        assert_eq!(refusals.note(&action(), &before, 2, now), Verdict::GiveUp);
        assert!(refusals.is_given_up(&action(), &before, now));
        assert_eq!(refusals.given_up(), 1);

        assert!(!refusals.is_given_up(&action(), &after, now), "the tenant has changed");
        assert!(!refusals.is_given_up(&action(), &before, now + GIVE_UP_FOR), "it has been a while");
        let other = Action { decision: Decision::ActivateTenant { vrf_id: 7 }, ..action() };
        assert!(!refusals.is_given_up(&other, &before, now), "it is another action");
        assert_eq!(refusals.note(&other, &before, 2, now), Verdict::Replan);
    }

    #[test]
    fn what_worked_or_is_gone_is_forgotten() {
        let (view, now) = (view(TenantStatus::Pending), Instant::now());
        let mut refusals = Refusals::default();
        refusals.note(&action(), &view, 1, now);
        refusals.retain_existing(&view);
        assert_eq!(refusals.given_up(), 1);
        refusals.retain_existing(&NetworkView::default());
        assert_eq!(refusals.given_up(), 0);
        refusals.note(&action(), &view, 1, now);
        refusals.forget(&KEY);
        assert_eq!(refusals.given_up(), 0);
    }
}

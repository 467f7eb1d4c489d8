//! Invariants of the chain, recounted from its accounts alone: every counter is a recount,
//! every bitmap the sum of what its holders say, every relation leads somewhere, no two live tunnels share a pair.
//!
//! Pure, and knows nothing of how the program keeps it so. Tests, the model and the simulator's oracle ask it.

mod addresses;
mod counters;
mod holdings;
mod relations;

use std::fmt;

use solana_pubkey::Pubkey;

use crate::view::NetworkView;

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The account that shows it.
    pub account: Pubkey,
    /// What is wrong, for people.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.account, self.what)
    }
}

/// Everything that is wrong; empty for a chain that only the program has written.
pub fn audit(view: &NetworkView) -> Vec<Finding> {
    let mut findings = Findings::default();
    if view.config().is_some() {
        counters::check(view, &mut findings);
        holdings::check(view, &mut findings);
        relations::check(view, &mut findings);
        addresses::check(view, &mut findings);
    }
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, account: &Pubkey, what: impl Into<String>) {
        self.0.push(Finding { account: *account, what: what.into() });
    }

    /// Two numbers that must be one.
    fn same<T: PartialEq + fmt::Debug>(&mut self, account: &Pubkey, what: &str, written: T, counted: T) {
        if written != counted {
            self.add(account, format!("{what} is {written:?}, counted {counted:?}"));
        }
    }
}

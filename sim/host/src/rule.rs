//! Policy rules: which tables a packet is looked up in, and in which order (`net/core/fib_rules.c`,
//! `net/ipv4/fib_rules.c`; ip-rule(8)).

use dz_net::kernel::{Change, RuleAction, RuleInfo, TABLE_MAIN};
use nix::errno::Errno;

use crate::machine::Machine;
use crate::route::{RTPROT_KERNEL, TABLE_LOCAL};

/// The table of the kernel's last rule, which stays empty.
const TABLE_DEFAULT: u32 = 253;

/// The rules that are there from the start.
pub(crate) fn initial() -> Vec<RuleInfo> {
    let kernels = |priority, table| RuleInfo { protocol: RTPROT_KERNEL, ..RuleInfo::lookup(priority, table) };
    vec![kernels(0, TABLE_LOCAL), kernels(32_766, TABLE_MAIN), kernels(32_767, TABLE_DEFAULT)]
}

impl Machine {
    /// All rules, sorted.
    pub(crate) fn rules(&self) -> Vec<RuleInfo> {
        let mut rules = self.rules.clone();
        rules.sort();
        rules
    }

    /// `ip rule add`: behind those of the same priority.
    pub(crate) fn add_rule(&mut self, rule: &RuleInfo) -> Result<(), Errno> {
        let rule = normal(rule);
        if matches!(rule.action, RuleAction::Other(_)) {
            return Err(Errno::EINVAL);
        }
        // What the new rule says of source and destination must agree; a rule that says more there is the same to the
        // kernel (`rule_exists`, `fib4_rule_compare`).
        let same = |other: &RuleInfo| {
            let (from, to) = (rule.from.and(other.from), rule.to.and(other.to));
            RuleInfo { from, to, ..other.clone() } == rule
        };
        if self.rules.iter().any(same) {
            return Err(Errno::EEXIST);
        }
        let at = self.rules.partition_point(|other| other.priority <= rule.priority);
        self.rules.insert(at, rule);
        self.custom_rules = true;
        self.watchers.notify(Change::Rule);
        Ok(())
    }

    /// `ip rule del`: the first that agrees in all that is given.
    pub(crate) fn delete_rule(&mut self, rule: &RuleInfo) -> Result<(), Errno> {
        let rule = normal(rule);
        let agrees = |other: &RuleInfo| {
            other.priority == rule.priority
                && other.action == rule.action
                && rule.iif.as_ref().is_none_or(|iif| other.iif.as_ref() == Some(iif))
                && rule.from.is_none_or(|from| other.from == Some(from))
                && rule.to.is_none_or(|to| other.to == Some(to))
                && rule.fwmark.is_none_or(|mark| other.fwmark == Some(mark))
                && (rule.protocol == 0 || other.protocol == rule.protocol)
        };
        let at = self.rules.iter().position(agrees).ok_or(Errno::ENOENT)?;
        self.rules.remove(at);
        self.custom_rules = true;
        self.watchers.notify(Change::Rule);
        Ok(())
    }
}

/// A prefix of length zero says nothing, and the kernel keeps no host bits.
fn normal(rule: &RuleInfo) -> RuleInfo {
    let net = |net: Option<ipnet::Ipv4Net>| net.filter(|net| net.prefix_len() > 0).map(|net| net.trunc());
    RuleInfo { from: net(rule.from), to: net(rule.to), ..rule.clone() }
}

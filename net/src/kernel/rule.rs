//! Policy rules: which table a packet is looked up in. VRFs are made of these, as they exist on every kernel.

use std::net::IpAddr;

use ipnet::Ipv4Net;
use rtnetlink::packet_route::route::RouteHeader;
use rtnetlink::packet_route::rule::{RuleAction as Action, RuleAttribute, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use serde::{Deserialize, Serialize};

use super::error::{Added, Deleted, NetlinkError, added, deleted};
use super::{Netlink, RTPROT_DZ, protocol};

/// What a rule does with the packets it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// Looks them up in the table of that number; not found there, the next rule is tried.
    Lookup(u32),
    /// Drops them in silence.
    Blackhole,
    /// Drops them and reports network unreachable.
    Unreachable,
    /// Drops them and reports administratively prohibited.
    Prohibit,
    /// Another number of `linux/fib_rules.h`, that the products never make.
    Other(u8),
}

/// A firewall mark with the bits of it that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FwMark {
    /// What the masked mark must be.
    pub value: u32,
    /// Which bits of it count.
    pub mask: u32,
}

impl FwMark {
    /// The mark as a whole.
    pub fn exactly(value: u32) -> Self {
        Self { value, mask: u32::MAX }
    }
}

/// One IPv4 rule. A packet must meet all that is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleInfo {
    /// Rules are tried from the lowest up; the kernel's own are 0, 32766 and 32767.
    pub priority: u32,
    /// Name of the link it came in by; `lo` for what is sent from here.
    pub iif: Option<String>,
    /// Its source.
    pub from: Option<Ipv4Net>,
    /// Its destination.
    pub to: Option<Ipv4Net>,
    /// Its mark.
    pub fwmark: Option<FwMark>,
    /// What is done with it.
    pub action: RuleAction,
    /// Who made it.
    pub protocol: u8,
}

impl RuleInfo {
    /// A rule made by the products that sends everything to `table`, to be narrowed.
    pub fn lookup(priority: u32, table: u32) -> Self {
        Self {
            priority,
            iif: None,
            from: None,
            to: None,
            fwmark: None,
            action: RuleAction::Lookup(table),
            protocol: RTPROT_DZ,
        }
    }

    fn message(&self) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.src_len = self.from.map_or(0, |net| net.prefix_len());
        message.header.dst_len = self.to.map_or(0, |net| net.prefix_len());
        let attributes = &mut message.attributes;
        attributes.push(RuleAttribute::Priority(self.priority));
        attributes.push(RuleAttribute::Protocol(protocol(self.protocol)));
        attributes.extend(self.iif.clone().map(RuleAttribute::Iifname));
        attributes.extend(self.from.map(|net| RuleAttribute::Source(net.network().into())));
        attributes.extend(self.to.map(|net| RuleAttribute::Destination(net.network().into())));
        if let Some(mark) = self.fwmark {
            attributes.push(RuleAttribute::FwMark(mark.value));
            attributes.push(RuleAttribute::FwMask(mark.mask));
        }
        message.header.action = match self.action {
            RuleAction::Lookup(table) => {
                message.header.table = u8::try_from(table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
                attributes.push(RuleAttribute::Table(table));
                Action::ToTable
            }
            RuleAction::Blackhole => Action::Blackhole,
            RuleAction::Unreachable => Action::Unreachable,
            RuleAction::Prohibit => Action::Prohibit,
            RuleAction::Other(number) => Action::from(number),
        };
        message
    }

    fn read(message: RuleMessage) -> Self {
        let header = message.header;
        let mut table = header.table.into();
        let (mut mark, mut mask) = (None, u32::MAX);
        let mut rule = Self {
            priority: 0,
            iif: None,
            from: None,
            to: None,
            fwmark: None,
            action: RuleAction::Other(0),
            protocol: 0,
        };
        for attribute in message.attributes {
            match attribute {
                RuleAttribute::Priority(priority) => rule.priority = priority,
                RuleAttribute::Protocol(number) => rule.protocol = number.into(),
                RuleAttribute::Iifname(name) => rule.iif = Some(name),
                RuleAttribute::Source(IpAddr::V4(net)) => rule.from = Ipv4Net::new(net, header.src_len).ok(),
                RuleAttribute::Destination(IpAddr::V4(net)) => rule.to = Ipv4Net::new(net, header.dst_len).ok(),
                RuleAttribute::FwMark(value) => mark = Some(value),
                RuleAttribute::FwMask(value) => mask = value,
                RuleAttribute::Table(number) => table = number,
                _ => {}
            }
        }
        rule.fwmark = mark.map(|value| FwMark { value, mask });
        rule.action = match header.action {
            Action::ToTable => RuleAction::Lookup(table),
            Action::Blackhole => RuleAction::Blackhole,
            Action::Unreachable => RuleAction::Unreachable,
            Action::Prohibit => RuleAction::Prohibit,
            other => RuleAction::Other(other.into()),
        };
        rule
    }
}

impl Netlink {
    /// All IPv4 rules, sorted by priority; the kernel's own included.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn rules(&self) -> Result<Vec<RuleInfo>, NetlinkError> {
        let mut message = RuleMessage::default();
        message.header.family = AddressFamily::Inet;
        let read = |answer| match answer {
            RouteNetlinkMessage::NewRule(message) if message.header.family == AddressFamily::Inet => {
                Some(RuleInfo::read(message))
            }
            _ => None,
        };
        let mut rules = self.dump("list rules", RouteNetlinkMessage::GetRule(message), read).await?;
        rules.sort();
        Ok(rules)
    }

    /// Adds a rule. [`Added::Existed`]: there is one that agrees in everything.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn add_rule(&self, rule: &RuleInfo) -> Result<Added, NetlinkError> {
        tracing::trace!(?rule, "add rule");
        let mut request = self.handle.rule().add();
        *request.message_mut() = rule.message();
        let failed = |e| NetlinkError::new(|| format!("rule {}: add", rule.priority), e);
        added(request.execute().await.map_err(failed))
    }

    /// Deletes a rule that agrees in all that is given.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn delete_rule(&self, rule: &RuleInfo) -> Result<Deleted, NetlinkError> {
        tracing::trace!(?rule, "delete rule");
        let result = self.handle.rule().del(rule.message()).execute().await;
        deleted(result.map_err(|e| NetlinkError::new(|| format!("rule {}: delete", rule.priority), e)))
    }
}

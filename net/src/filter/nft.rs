//! The rules of a policy as nfnetlink messages (`linux/netfilter/nf_tables.h`), and back.
//!
//! ```text
//! table ip dz {
//!   chain ingress {                                # hook prerouting, before routing and connection tracking
//!     iifname "tun500" jump source-tun500          comment "tun500: entry"
//!   }
//!   chain source-tun500 {
//!     ip saddr 45.33.100.2/32 goto group-tun500    comment "tun500: source 45.33.100.2/32"
//!     counter drop                                 comment "tun500: other source"
//!   }
//!   chain group-tun500 {
//!     ip daddr & 240.0.0.0 != 224.0.0.0 accept     comment "tun500: no group"
//!     ip daddr & 255.255.255.0 == 224.0.0.0 accept comment "tun500: link group"
//!     ip daddr 233.84.178.1 accept                 comment "tun500: group 233.84.178.1"
//!     counter drop                                 comment "tun500: other group"
//!   }
//! }
//! ```
//!
//! The comments are what a rule is recognised by; they are in the form `nft list ruleset` shows.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::IngressPolicy;
use super::expression::{
    COMPARE_EQUAL, COMPARE_NOT_EQUAL, DESTINATION_OFFSET, SOURCE_OFFSET, Verdict, address, count_and_drop, counted,
    interface_is, verdict,
};
use crate::raw_netlink::{ACK, APPEND, CREATE, DUMP, Message, attribute, string};

/// The netlink protocol of nfnetlink.
pub(super) use rtnetlink::sys::protocols::NETLINK_NETFILTER;
/// What opening the filter is called in errors.
pub(super) const TRIAL: &str = "make its table";

const TABLE: &str = "dz";
const ENTRY_CHAIN: &str = "ingress";

const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
const DELETE_CHAIN: u16 = SUBSYSTEM << 8 | 5;
const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;
const GET_RULE: u16 = SUBSYSTEM << 8 | 7;
const DELETE_RULE: u16 = SUBSYSTEM << 8 | 8;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

/// `struct nfgenmsg` for a request about IPv4.
const IPV4: [u8; 4] = [2, 0, 0, 0];
/// Raw table: before everything but the reassembly of fragments (`NF_IP_PRI_RAW`).
const PRIORITY: i32 = -300;
const HOOK_PREROUTING: u32 = 0;

// Attributes, by what they belong to.
const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_HANDLE: u16 = 3;
const RULE_EXPRESSIONS: u16 = 4;
const RULE_USERDATA: u16 = 7;

/// Type of a comment in the user data of a rule (libnftnl).
const COMMENT: u8 = 0;

/// A rule of ours, as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) interface: String,
    pub(super) kind: RuleKind,
    /// Packets it dropped, if it drops.
    pub(super) packets: u64,
    handle: u64,
}

/// What a rule is for; its text form is the rule's comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleKind {
    Entry,
    Source(Ipv4Net),
    OtherSource,
    NoGroup,
    LinkGroup,
    Group(Ipv4Addr),
    OtherGroup,
}

impl RuleKind {
    fn comment(self, interface: &str) -> String {
        match self {
            Self::Entry => format!("{interface}: entry"),
            Self::Source(source) => format!("{interface}: source {source}"),
            Self::OtherSource => format!("{interface}: other source"),
            Self::NoGroup => format!("{interface}: no group"),
            Self::LinkGroup => format!("{interface}: link group"),
            Self::Group(group) => format!("{interface}: group {group}"),
            Self::OtherGroup => format!("{interface}: other group"),
        }
    }

    /// Reads a comment; none if it is not ours. An interface name has no space in it, the kernel sees to that.
    fn read(comment: &str) -> Option<(String, Self)> {
        let (interface, kind) = comment.split_once(": ")?;
        let kind = match kind {
            "entry" => Self::Entry,
            "other source" => Self::OtherSource,
            "no group" => Self::NoGroup,
            "link group" => Self::LinkGroup,
            "other group" => Self::OtherGroup,
            kind => match kind.split_once(' ')? {
                ("source", source) => Self::Source(source.parse().ok()?),
                ("group", group) => Self::Group(group.parse().ok()?),
                _ => return None,
            },
        };
        Some((interface.to_owned(), kind))
    }
}

fn source_chain(interface: &str) -> String {
    format!("source-{interface}")
}

fn group_chain(interface: &str) -> String {
    format!("group-{interface}")
}

/// A transaction that makes the table and the chain that packets enter, where they are not there, and then does what
/// the messages say.
pub(super) fn change(messages: Vec<Message>) -> Vec<Message> {
    let entry = Message::new(NEW_CHAIN, CREATE, &IPV4)
        .string(CHAIN_TABLE, TABLE)
        .string(CHAIN_NAME, ENTRY_CHAIN)
        .nested(CHAIN_HOOK, |hook| {
            hook.be32(HOOK_NUMBER, HOOK_PREROUTING).be32(HOOK_PRIORITY, PRIORITY.cast_unsigned())
        })
        .be32(CHAIN_POLICY, 1)
        .string(CHAIN_TYPE, "filter");
    batch([vec![Message::new(NEW_TABLE, CREATE, &IPV4).string(TABLE_NAME, TABLE), entry], messages].concat())
}

/// A chain of an interface; nothing is done if it is there.
fn make_chain(name: &str) -> Message {
    Message::new(NEW_CHAIN, CREATE, &IPV4).string(CHAIN_TABLE, TABLE).string(CHAIN_NAME, name)
}

/// Puts messages between the marks of a transaction, and has the last acknowledged.
fn batch(messages: Vec<Message>) -> Vec<Message> {
    // `struct nfgenmsg` with the subsystem in network order.
    let body = [0, 0, 0, SUBSYSTEM as u8];
    let begin = Message::new(BATCH_BEGIN, 0, &body);
    let end = Message::new(BATCH_END, 0, &body);
    // An end is not acknowledged by every kernel, so one more message is that does nothing.
    let last = Message::new(NEW_TABLE, CREATE | ACK, &IPV4).string(TABLE_NAME, TABLE);
    [vec![begin], messages, vec![last, end]].concat()
}

/// Asks for all rules of the table.
pub(super) fn list_rules() -> Message {
    Message::new(GET_RULE, DUMP, &IPV4).string(RULE_TABLE, TABLE)
}

/// The rules of a policy in the order in which packets meet them.
pub(super) fn kinds(policy: &IngressPolicy) -> Vec<RuleKind> {
    let sources = policy.sources.iter().copied().map(RuleKind::Source);
    let groups = policy.groups.iter().copied().map(RuleKind::Group);
    let mut kinds = vec![RuleKind::Entry];
    kinds.extend(sources.chain([RuleKind::OtherSource, RuleKind::NoGroup, RuleKind::LinkGroup]));
    kinds.extend(groups.chain([RuleKind::OtherGroup]));
    kinds
}

/// The messages that put a policy in force.
pub(super) fn add(policy: &IngressPolicy) -> Vec<Message> {
    let interface = policy.interface.as_str();
    let (source_chain, group_chain) = (source_chain(interface), group_chain(interface));
    let rule = |chain: &str, kind: RuleKind, expressions: &dyn Fn(Message) -> Message| {
        Message::new(NEW_RULE, CREATE | APPEND, &IPV4)
            .string(RULE_TABLE, TABLE)
            .string(RULE_CHAIN, chain)
            .nested(RULE_EXPRESSIONS, expressions)
            .attribute(RULE_USERDATA, &user_data(&kind.comment(interface)))
    };
    let mut messages = vec![make_chain(&source_chain), make_chain(&group_chain)];
    for source in &policy.sources {
        messages.push(rule(&source_chain, RuleKind::Source(*source), &|list| {
            let list = address(list, SOURCE_OFFSET, source.netmask(), COMPARE_EQUAL, source.network());
            verdict(list, Verdict::Goto(&group_chain))
        }));
    }
    messages.push(rule(&source_chain, RuleKind::OtherSource, &count_and_drop));

    let groups = Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4);
    messages.push(rule(&group_chain, RuleKind::NoGroup, &|list| {
        let list = address(list, DESTINATION_OFFSET, groups.netmask(), COMPARE_NOT_EQUAL, groups.network());
        verdict(list, Verdict::Accept)
    }));
    let link = Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 24);
    messages.push(rule(&group_chain, RuleKind::LinkGroup, &|list| {
        let list = address(list, DESTINATION_OFFSET, link.netmask(), COMPARE_EQUAL, link.network());
        verdict(list, Verdict::Accept)
    }));
    for group in &policy.groups {
        messages.push(rule(&group_chain, RuleKind::Group(*group), &|list| {
            let list = address(list, DESTINATION_OFFSET, Ipv4Addr::BROADCAST, COMPARE_EQUAL, *group);
            verdict(list, Verdict::Accept)
        }));
    }
    messages.push(rule(&group_chain, RuleKind::OtherGroup, &count_and_drop));

    // Last, so that the jump has where to go.
    messages.push(rule(ENTRY_CHAIN, RuleKind::Entry, &|list| {
        verdict(interface_is(list, interface), Verdict::Jump(&source_chain))
    }));
    messages
}

/// The messages that take an interface's policy out of force, given the rules there are.
pub(super) fn remove(interface: &str, rules: &[Rule]) -> Vec<Message> {
    let of_chain = |kind: u16, chain: &str| match kind {
        DELETE_RULE => Message::new(kind, 0, &IPV4).string(RULE_TABLE, TABLE).string(RULE_CHAIN, chain),
        _ => Message::new(kind, 0, &IPV4).string(CHAIN_TABLE, TABLE).string(CHAIN_NAME, chain),
    };
    let entries = rules.iter().filter(|rule| rule.interface == interface && rule.kind == RuleKind::Entry);
    let mut messages: Vec<_> = entries
        .map(|rule| of_chain(DELETE_RULE, ENTRY_CHAIN).attribute(RULE_HANDLE, &rule.handle.to_be_bytes()))
        .collect();
    // A chain that someone has removed is made, as the kernel refuses to remove what is not there, and with it the whole
    // transaction. What jumps goes before what is jumped to.
    messages.extend([source_chain(interface), group_chain(interface)].map(|chain| make_chain(&chain)));
    for chain in [source_chain(interface), group_chain(interface)] {
        messages.push(of_chain(DELETE_RULE, &chain));
        messages.push(of_chain(DELETE_CHAIN, &chain));
    }
    messages
}

/// Reads a listed rule; none if it is not one of ours.
pub(super) fn read_rule(payload: &[u8]) -> Option<Rule> {
    let rule = payload.get(IPV4.len()..)?;
    if string(attribute(rule, RULE_TABLE)?)? != TABLE {
        return None;
    }
    let handle = u64::from_be_bytes(attribute(rule, RULE_HANDLE)?.try_into().ok()?);
    let (interface, kind) = RuleKind::read(comment(attribute(rule, RULE_USERDATA)?)?)?;
    let counter = counted(attribute(rule, RULE_EXPRESSIONS)?);
    Some(Rule { interface, kind, packets: counter.unwrap_or(0), handle })
}

fn user_data(text: &str) -> Vec<u8> {
    [&[COMMENT, text.len() as u8 + 1], text.as_bytes(), &[0]].concat()
}

fn comment(user_data: &[u8]) -> Option<&str> {
    match user_data {
        [COMMENT, length, text @ ..] => string(text.get(..usize::from(*length))?),
        _ => None,
    }
}

/// What a person may do with nft(8), for tests.
#[cfg(test)]
pub(super) mod by_hand {
    use super::*;

    const DELETE_TABLE: u16 = SUBSYSTEM << 8 | 2;

    /// `nft delete table ip dz`, and an empty one in its place.
    pub(crate) fn empty_table() -> Vec<Message> {
        batch(vec![Message::new(DELETE_TABLE, 0, &IPV4).string(TABLE_NAME, TABLE)])
    }

    /// `nft flush chain ip dz NAME`
    pub(crate) fn flush_chain(name: &str) -> Vec<Message> {
        batch(vec![flush(name)])
    }

    /// Flushes and deletes a chain to which nothing jumps.
    pub(crate) fn delete_chain(name: &str) -> Vec<Message> {
        let delete = Message::new(DELETE_CHAIN, 0, &IPV4).string(CHAIN_TABLE, TABLE).string(CHAIN_NAME, name);
        batch(vec![flush(name), delete])
    }

    fn flush(name: &str) -> Message {
        Message::new(DELETE_RULE, 0, &IPV4).string(RULE_TABLE, TABLE).string(RULE_CHAIN, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_comment_is_read_as_it_was_written() {
        let kinds = [
            RuleKind::Entry,
            RuleKind::Source("10.0.0.0/8".parse().unwrap()),
            RuleKind::OtherSource,
            RuleKind::NoGroup,
            RuleKind::LinkGroup,
            RuleKind::Group([233, 84, 178, 1].into()),
            RuleKind::OtherGroup,
        ];
        for kind in kinds {
            let data = user_data(&kind.comment("tun500"));
            assert_eq!(comment(&data).and_then(RuleKind::read), Some(("tun500".to_owned(), kind)));
        }
        assert_eq!(RuleKind::read("tun500: source nowhere"), None);
        assert_eq!(comment(&[COMMENT, 9, b'x']), None);
    }

    proptest! {
        #[test]
        fn any_listing_is_read_or_is_not_ours(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_rule(&bytes);
        }
    }
}

//! The expressions of nftables rules: what is compared with what, and what becomes of the packet.

use std::net::Ipv4Addr;

use crate::raw_netlink::{Message, attribute, attributes, string};

// Attributes, by what they belong to.
const LIST_ELEMENT: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;
const COUNTER_PACKETS: u16 = 2;

const REGISTER_VERDICT: u32 = 0;
const REGISTER_1: u32 = 1;
pub(super) const COMPARE_EQUAL: u32 = 0;
pub(super) const COMPARE_NOT_EQUAL: u32 = 1;
const META_IIFNAME: u32 = 6;
const NETWORK_HEADER: u32 = 1;
pub(super) const SOURCE_OFFSET: u32 = 12;
pub(super) const DESTINATION_OFFSET: u32 = 16;

/// What a packet comes to.
pub(super) enum Verdict<'a> {
    Drop,
    Accept,
    Jump(&'a str),
    Goto(&'a str),
}

/// The packets that the counter in a list of expressions has counted, if there is one.
pub(super) fn counted(list: &[u8]) -> Option<u64> {
    attributes(list).find_map(|(_, expression)| {
        (string(attribute(expression, EXPRESSION_NAME)?)? == "counter").then_some(())?;
        attribute(attribute(expression, EXPRESSION_DATA)?, COUNTER_PACKETS)?.try_into().ok().map(u64::from_be_bytes)
    })
}

fn expression(list: Message, name: &str, data: impl FnOnce(Message) -> Message) -> Message {
    list.nested(LIST_ELEMENT, |element| element.string(EXPRESSION_NAME, name).nested(EXPRESSION_DATA, data))
}

fn value(message: Message, kind: u16, bytes: &[u8]) -> Message {
    message.nested(kind, |data| data.attribute(DATA_VALUE, bytes))
}

/// `iifname NAME`
pub(super) fn interface_is(list: Message, name: &str) -> Message {
    let mut padded = [0; libc::IFNAMSIZ];
    let length = name.len().min(padded.len() - 1);
    padded[..length].copy_from_slice(&name.as_bytes()[..length]);
    let list = expression(list, "meta", |meta| meta.be32(1, REGISTER_1).be32(2, META_IIFNAME));
    compare(list, COMPARE_EQUAL, &padded)
}

/// `ip saddr|daddr & MASK ==|!= ADDRESS`
pub(super) fn address(list: Message, offset: u32, mask: Ipv4Addr, operator: u32, address: Ipv4Addr) -> Message {
    let list = expression(list, "payload", |payload| {
        payload.be32(1, REGISTER_1).be32(2, NETWORK_HEADER).be32(3, offset).be32(4, 4)
    });
    let list = expression(list, "bitwise", |bitwise| {
        let bitwise = bitwise.be32(1, REGISTER_1).be32(2, REGISTER_1).be32(3, 4);
        value(value(bitwise, 4, &mask.octets()), 5, &[0; 4])
    });
    compare(list, operator, &address.octets())
}

fn compare(list: Message, operator: u32, bytes: &[u8]) -> Message {
    expression(list, "cmp", |cmp| value(cmp.be32(1, REGISTER_1).be32(2, operator), 3, bytes))
}

/// `counter drop`
pub(super) fn count_and_drop(list: Message) -> Message {
    verdict(expression(list, "counter", |counter| counter), Verdict::Drop)
}

pub(super) fn verdict(list: Message, verdict: Verdict<'_>) -> Message {
    let (code, chain) = match verdict {
        Verdict::Drop => (0, None),
        Verdict::Accept => (1, None),
        Verdict::Jump(chain) => (-3, Some(chain)),
        Verdict::Goto(chain) => (-4, Some(chain)),
    };
    expression(list, "immediate", |immediate| {
        immediate.be32(1, REGISTER_VERDICT).nested(2, |data| {
            data.nested(DATA_VERDICT, |verdict| {
                let verdict = verdict.be32(VERDICT_CODE, i32::cast_unsigned(code));
                chain.into_iter().fold(verdict, |verdict, chain| verdict.string(VERDICT_CHAIN, chain))
            })
        })
    })
}

//! Fragmentation by a router (RFC 791 section 3.2).

use super::ipv4::{self, HEADER_LEN, Ipv4};

/// Cuts a packet, whose header is `ip`, into fragments of at most `mtu` bytes. The caller has made sure that it is
/// larger and may be cut.
pub(crate) fn fragment(bytes: &[u8], ip: &Ipv4, mtu: u16) -> Vec<Vec<u8>> {
    let payload = &bytes[ip.header_len..usize::from(ip.total_len)];
    let first_header = &bytes[..ip.header_len];
    let later_header = copied_options(first_header);
    let mut fragments = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let header = if at == 0 { first_header } else { &later_header };
        let room = (usize::from(mtu).saturating_sub(header.len()) / 8 * 8).max(8);
        let end = (at + room).min(payload.len());
        let mut out = Vec::with_capacity(header.len() + end - at);
        out.extend_from_slice(header);
        out.extend_from_slice(&payload[at..end]);
        let more = ip.more_fragments || end < payload.len();
        let (total, offset) = (out.len() as u16, ip.fragment_offset + at as u16);
        ipv4::set_fragment(&mut out[..header.len()], total, offset, more);
        fragments.push(out);
        at = end;
    }
    fragments
}

/// The header of every fragment but the first: only options with the copied flag stay (RFC 791 section 3.1).
fn copied_options(header: &[u8]) -> Vec<u8> {
    let mut out = header[..HEADER_LEN].to_vec();
    let mut options = &header[HEADER_LEN..];
    // 0 ends the list, 1 pads; every other option has its length in its second byte.
    while let [kind, rest @ ..] = options {
        match (kind, rest.first()) {
            (0, _) => break,
            (1, _) => options = rest,
            (kind, Some(&len)) if len >= 2 && usize::from(len) <= options.len() => {
                let (option, after) = options.split_at(usize::from(len));
                if kind & 0x80 != 0 {
                    out.extend_from_slice(option);
                }
                options = after;
            }
            _ => break,
        }
    }
    out.resize(out.len().next_multiple_of(4), 0);
    out[0] = 0x40 | (out.len() / 4) as u8;
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::ipv4::tests::packet;

    fn reassemble(fragments: &[Vec<u8>]) -> Vec<u8> {
        let mut whole = Vec::new();
        for (i, bytes) in fragments.iter().enumerate() {
            let ip = Ipv4::parse(bytes).unwrap();
            assert_eq!(usize::from(ip.fragment_offset), whole.len());
            assert_eq!(ip.more_fragments, i + 1 < fragments.len());
            whole.extend_from_slice(&bytes[ip.header_len..]);
        }
        whole
    }

    proptest! {
        #[test]
        fn fragments_fit_and_reassemble(payload in 1usize..5000, mtu in 68u16..2000) {
            prop_assume!(payload + 20 > usize::from(mtu));
            let bytes = packet(ipv4::UDP, [192, 0, 2, 1], [192, 0, 2, 2], payload);
            let fragments = fragment(&bytes, &Ipv4::parse(&bytes).unwrap(), mtu);
            prop_assert!(fragments.iter().all(|fragment| fragment.len() <= usize::from(mtu)));
            prop_assert_eq!(reassemble(&fragments), &bytes[20..]);
        }
    }

    #[test]
    fn a_fragment_of_a_fragment_keeps_its_place() {
        let mut bytes = packet(ipv4::UDP, [192, 0, 2, 1], [192, 0, 2, 2], 160);
        ipv4::set_fragment(&mut bytes[..20], 180, 800, true);
        let fragments = fragment(&bytes, &Ipv4::parse(&bytes).unwrap(), 100);
        let places: Vec<_> = fragments
            .iter()
            .map(|bytes| Ipv4::parse(bytes).unwrap())
            .map(|ip| (ip.fragment_offset, ip.total_len, ip.more_fragments))
            .collect();
        assert_eq!(places, [(800, 100, true), (880, 100, true)]);
    }

    #[test]
    fn only_copied_options_are_in_later_fragments() {
        let mut header = packet(ipv4::UDP, [192, 0, 2, 1], [192, 0, 2, 2], 0);
        // Record route (not copied), a pad, and a router alert (copied, RFC 2113).
        header.extend([7, 3, 4, 1, 148, 4, 0, 0]);
        header[0] = 0x47;
        assert_eq!(copied_options(&header)[20..], [148, 4, 0, 0]);
        assert_eq!(copied_options(&header)[0], 0x46);
    }
}

//! Fragmentation by a router (RFC 791 section 3.2).

use super::ipv4::{self, HEADER_LEN, Header};

/// Cuts a packet, whose header is `header`, into fragments of at most `mtu` bytes. The caller has made sure that it is
/// larger and may be cut.
pub fn fragment(bytes: &[u8], header: &Header, mtu: usize) -> Vec<Vec<u8>> {
    let payload = &bytes[header.header_length..usize::from(header.total_length)];
    let more_follow = header.fragment & ipv4::MORE_FRAGMENTS != 0;
    let first_header = &bytes[..header.header_length];
    let later_header = copied_options(first_header);
    let mut fragments = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let header_bytes = if at == 0 { first_header } else { &later_header };
        let room = (mtu.saturating_sub(header_bytes.len()) / 8 * 8).max(8);
        let end = (at + room).min(payload.len());
        let mut out = Vec::with_capacity(header_bytes.len() + end - at);
        out.extend_from_slice(header_bytes);
        out.extend_from_slice(&payload[at..end]);
        let offset = header.fragment_offset() + at as u16;
        ipv4::set_fragment(&mut out, header_bytes.len(), offset, more_follow || end < payload.len());
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

    fn packet(payload: usize) -> Vec<u8> {
        let payload: Vec<u8> = (0..payload).map(|i| i as u8).collect();
        let mut bytes = ipv4::packet([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), 17, &payload).unwrap();
        ipv4::set_fragment(&mut bytes, HEADER_LEN, 0, false);
        bytes
    }

    fn reassemble(fragments: &[Vec<u8>]) -> Vec<u8> {
        let mut whole = Vec::new();
        for (i, bytes) in fragments.iter().enumerate() {
            let header = Header::decode_checked(bytes).unwrap();
            assert_eq!(usize::from(header.fragment_offset()), whole.len());
            assert_eq!(header.fragment & ipv4::MORE_FRAGMENTS != 0, i + 1 < fragments.len());
            whole.extend_from_slice(&bytes[header.header_length..]);
        }
        whole
    }

    proptest! {
        #[test]
        fn fragments_fit_and_reassemble(payload in 1usize..5000, mtu in 68usize..2000) {
            prop_assume!(payload + 20 > mtu);
            let bytes = packet(payload);
            let fragments = fragment(&bytes, &Header::decode(&bytes).unwrap(), mtu);
            prop_assert!(fragments.iter().all(|fragment| fragment.len() <= mtu));
            prop_assert_eq!(reassemble(&fragments), &bytes[20..]);
        }
    }

    #[test]
    fn a_fragment_of_a_fragment_keeps_its_place() {
        let mut bytes = packet(160);
        ipv4::set_fragment(&mut bytes, HEADER_LEN, 800, true);
        let fragments = fragment(&bytes, &Header::decode(&bytes).unwrap(), 100);
        let places: Vec<_> = fragments
            .iter()
            .map(|bytes| Header::decode(bytes).unwrap())
            .map(|header| (header.fragment_offset(), header.total_length, header.fragment & ipv4::MORE_FRAGMENTS != 0))
            .collect();
        assert_eq!(places, [(800, 100, true), (880, 100, true)]);
    }

    #[test]
    fn only_copied_options_are_in_later_fragments() {
        let mut header = packet(0);
        // Record route (not copied), a pad, and a router alert (copied, RFC 2113).
        header.extend([7, 3, 4, 1, 148, 4, 0, 0]);
        header[0] = 0x47;
        assert_eq!(copied_options(&header)[20..], [148, 4, 0, 0]);
        assert_eq!(copied_options(&header)[0], 0x46);
    }
}

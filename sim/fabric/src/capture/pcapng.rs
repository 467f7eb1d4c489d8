//! The blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian, with times in nanoseconds. Written by hand
//! because packets are encoded straight into the buffer that goes to the disk.
//!
//! ```text
//! | type: u32 | length: u32 | body, padded to 4 | options: (code: u16, length: u16, value, padded to 4)* | length: u32 |
//! ```

use super::Way;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// The packet begins with an IP header.
const LINKTYPE_RAW: u16 = 101;

const OPT_END: u16 = 0;
const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;

/// A packet of `original_len` bytes of which `bytes` are kept.
#[derive(Debug)]
pub(super) struct Record {
    /// In nanoseconds since 1970.
    pub(super) at: u64,
    pub(super) interface: u32,
    pub(super) way: Way,
    pub(super) original_len: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) comments: Vec<String>,
}

impl Record {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        block(out, ENHANCED_PACKET, |out| {
            put32(out, self.interface);
            put32(out, (self.at >> 32) as u32);
            put32(out, self.at as u32);
            put32(out, self.bytes.len() as u32);
            put32(out, self.original_len as u32);
            out.extend_from_slice(&self.bytes);
            pad(out, self.bytes.len());
            let direction: u32 = match self.way {
                Way::Received => 0b01,
                Way::Sent => 0b10,
            };
            option(out, EPB_FLAGS, &direction.to_le_bytes());
            for comment in &self.comments {
                option(out, OPT_COMMENT, comment.as_bytes());
            }
            option(out, OPT_END, &[]);
        });
    }

    /// Bytes of the encoded block.
    pub(super) fn size(&self) -> usize {
        let comments: usize = self.comments.iter().map(|text| 4 + text.len().next_multiple_of(4)).sum();
        32 + self.bytes.len().next_multiple_of(4) + 8 + comments + 4
    }
}

/// The block that starts a file.
pub(super) fn section_header(out: &mut Vec<u8>) {
    block(out, SECTION_HEADER, |out| {
        put32(out, BYTE_ORDER);
        out.extend(1u16.to_le_bytes());
        out.extend(0u16.to_le_bytes());
        // The section's length is not known beforehand.
        out.extend((-1i64).to_le_bytes());
        option(out, SHB_USERAPPL, b"dzsim");
        option(out, OPT_END, &[]);
    });
}

/// The description of an interface; its number is how many came before. A `snaplen` of 0 is no limit.
pub(super) fn interface(out: &mut Vec<u8>, name: &str, snaplen: u32) {
    block(out, INTERFACE_DESCRIPTION, |out| {
        out.extend(LINKTYPE_RAW.to_le_bytes());
        out.extend(0u16.to_le_bytes());
        put32(out, snaplen);
        option(out, IF_NAME, name.as_bytes());
        // Ten to the power of minus nine seconds.
        option(out, IF_TSRESOL, &[9]);
        option(out, OPT_END, &[]);
    });
}

fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put32(out, kind);
    put32(out, 0);
    body(out);
    let len = (out.len() + 4 - start) as u32;
    put32(out, len);
    out[start + 4..start + 8].copy_from_slice(&len.to_le_bytes());
}

/// An option; a value beyond what its length field can say is cut.
fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    out.extend(code.to_le_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
    pad(out, value.len());
}

fn pad(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&[0; 3][..len.next_multiple_of(4) - len]);
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}

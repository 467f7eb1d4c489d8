//! The protocol between the helper and its clients: one JSON value per frame, a frame being its length in bytes as
//! a big-endian 32-bit number and that many bytes.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Discard, Taken, Tunnel, TunnelError, TunnelSpec};

/// Name of the helper's socket in the abstract namespace, which Linux keeps per network namespace.
pub(crate) const SOCKET_NAME: &[u8] = b"dz-gre";

/// Longer frames are refused: a list of all tunnels a device can have takes a tenth.
pub(crate) const MAX_FRAME: usize = 8 << 20;

/// Checks that the other end of a connection is root's or our own user's. An abstract name has no permissions: anyone of
/// the namespace may bind it or connect to it.
pub(crate) fn check_peer(stream: &UnixStream) -> io::Result<()> {
    let peer = getsockopt(stream, PeerCredentials)?.uid();
    let ours = nix::unistd::geteuid().as_raw();
    if peer == 0 || peer == ours {
        return Ok(());
    }
    let message = format!("expected a peer of user 0 or {ours} at the other end of the socket, got user {peer}");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

/// What a client asks; each request has one [`Response`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    Create(TunnelSpec),
    Delete { name: String },
    List,
    Discards,
    HoldMulticast(bool),
}

/// What the helper answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Response {
    Created(Tunnel),
    Deleted,
    Tunnels(Vec<Tunnel>),
    Discards(BTreeMap<Discard, u64>),
    MulticastHeld(bool),
    Refused(Refusal),
}

/// The errors of [`TunnelError`] that the helper is the one to find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    Exists { name: String, local: Ipv4Addr, remote: Ipv4Addr, taken: Taken },
    NotFound { name: String },
    Invalid { name: String, reason: String },
    Failed { name: String, reason: String },
}

impl From<Refusal> for TunnelError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Exists { name, local, remote, taken } => Self::Exists { name, local, remote, taken },
            Refusal::NotFound { name } => Self::NotFound { name },
            Refusal::Invalid { name, reason } => Self::Invalid { name, reason },
            Refusal::Failed { name, reason } => Self::Refused { name, reason },
        }
    }
}

/// One value as a frame.
pub(crate) fn frame<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    let length =
        u32::try_from(json.len()).ok().filter(|_| json.len() <= MAX_FRAME).ok_or_else(|| too_long(json.len()))?;
    Ok([&length.to_be_bytes()[..], &json].concat())
}

/// Takes the first whole frame off `buffer`, if there is one.
pub(crate) fn unframe<T: DeserializeOwned>(buffer: &mut Vec<u8>) -> io::Result<Option<T>> {
    let Some(head) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*head) as usize;
    if length > MAX_FRAME {
        return Err(too_long(length));
    }
    let Some(json) = buffer.get(4..4 + length) else { return Ok(None) };
    let value = serde_json::from_slice(json)?;
    buffer.drain(..4 + length);
    Ok(Some(value))
}

fn too_long(length: usize) -> io::Error {
    let message = format!("a frame must be at most {MAX_FRAME} bytes, got {length}");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_are_taken_whole_and_in_order() {
        let first = frame(&Request::List).unwrap();
        assert_eq!(first, [&[0, 0, 0, 6][..], b"\"list\""].concat());
        let second = Request::Delete { name: "doublezero0".to_owned() };
        let mut buffer = [first, frame(&second).unwrap()].concat();
        let last = buffer.pop().unwrap();
        assert_eq!(unframe(&mut buffer).unwrap(), Some(Request::List));
        assert_eq!(unframe::<Request>(&mut buffer).unwrap(), None);
        buffer.push(last);
        assert_eq!(unframe(&mut buffer).unwrap(), Some(second));
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_frame_too_long_is_refused_before_it_arrives() {
        let error = unframe::<Request>(&mut vec![0xff, 0, 0, 0]).unwrap_err();
        assert_eq!(error.to_string(), "a frame must be at most 8388608 bytes, got 4278190080");
    }

    #[test]
    fn an_unknown_request_is_refused() {
        let error = unframe::<Request>(&mut frame(&"reboot").unwrap()).unwrap_err();
        assert!(error.to_string().contains("unknown variant `reboot`"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = unframe::<Request>(&mut bytes);
        }
    }
}

//! Netlink by hand, for the families that rtnetlink does not speak: nfnetlink and multicast routing.
//!
//! A request and its answers take microseconds, so the socket blocks; a bound on the wait keeps a lost answer from
//! blocking for ever.

use std::io;
use std::time::Duration;

use rtnetlink::sys::{Socket, SocketAddr};
use socket2::{SockFilter, SockRef};

use crate::netns::NetNs;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const HEADER_LEN: usize = 16;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Flag of an answer: the list changed while it was read, so entries may be missing or be there twice (netlink(7)).
const INTERRUPTED: u16 = 0x010;
/// How often a list that changes while it is read is asked for before that is an error.
const ATTEMPTS: usize = 20;

/// Flags of a request, netlink(7).
pub(crate) const REQUEST: u16 = 0x001;
pub(crate) const ACK: u16 = 0x004;
const ECHO: u16 = 0x008;
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const REPLACE: u16 = 0x100;
pub(crate) const EXCLUSIVE: u16 = 0x200;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const APPEND: u16 = 0x800;

/// A request under construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    pub(crate) fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_LEN + body.len());
        bytes.resize(HEADER_LEN, 0);
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    /// Appends an attribute.
    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = (4 + value.len()) as u16;
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Appends a string attribute, terminated as the kernel wants it.
    pub(crate) fn string(self, kind: u16, value: &str) -> Self {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Appends a 32-bit attribute in network order.
    pub(crate) fn be32(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// Appends an attribute that holds those appended by `fill`.
    pub(crate) fn nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        const NESTED: u16 = 0x8000;
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        let mut filled = fill(self);
        let length = (filled.0.len() - start) as u16;
        filled.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        filled
    }

    fn wants_ack(&self) -> bool {
        u16::from_ne_bytes([self.0[6], self.0[7]]) & ACK != 0
    }

    fn finish(mut self, sequence: u32, flags: u16) -> Vec<u8> {
        let length = self.0.len() as u32;
        let flags = flags | u16::from_ne_bytes([self.0[6], self.0[7]]);
        self.0[6..8].copy_from_slice(&flags.to_ne_bytes());
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// The attributes in `bytes`; ends at the first that does not fit.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const KIND: u16 = 0x3fff;
    std::iter::from_fn(move || {
        let head = bytes.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & KIND;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of a kind.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// A string attribute, without its terminator.
pub(crate) fn string(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value.strip_suffix(&[0]).unwrap_or(value)).ok()
}

/// A netlink socket of one network namespace.
pub(crate) struct RawLink {
    socket: Socket,
    sequence: u32,
    /// Of each request, besides its own.
    flags: u16,
}

impl std::fmt::Debug for RawLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawLink").finish_non_exhaustive()
    }
}

impl RawLink {
    /// Opens a socket in the namespace of the calling thread.
    pub(crate) fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        Self::connected(socket, 0)
    }

    /// Opens a socket with this port (netlink(7)), or with another where somebody in the namespace has it. Routes that are
    /// changed by it are not reported to any socket with the same port, of whichever namespace: it asks for an echo, and the
    /// kernel leaves out the port that gets the echo (`nlmsg_notify`, net/netlink/af_netlink.c).
    pub(crate) fn open_at(protocol: isize, port: u32) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        match socket.bind(&SocketAddr::new(port, 0)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => drop(socket.bind_auto()?),
            bound => bound?,
        }
        SockRef::from(&socket).attach_filter(&no_routes())?;
        Self::connected(socket, ECHO)
    }

    fn connected(socket: Socket, flags: u16) -> io::Result<Self> {
        socket.connect(&SocketAddr::new(0, 0))?;
        let timeout = nix::sys::time::TimeVal::new(ANSWER_WITHIN.as_secs() as i64, 0);
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::ReceiveTimeout, &timeout)?;
        Ok(Self { socket, sequence: 0, flags })
    }

    /// Opens a socket in `ns`.
    pub(crate) fn open_in(ns: &NetNs, protocol: isize) -> io::Result<Self> {
        ns.run(|| Self::open(protocol)).map_err(io::Error::other)?
    }

    /// The port, which is in each notification of a change that was asked for from here.
    pub(crate) fn port(&self) -> io::Result<u32> {
        let mut address = SocketAddr::new(0, 0);
        self.socket.get_address(&mut address)?;
        Ok(address.port_number())
    }

    /// Sends messages together and waits for the last acknowledgement that one asks for; the first error of any is the
    /// result.
    pub(crate) fn execute(&mut self, messages: Vec<Message>) -> io::Result<()> {
        match self.refusals(messages)?.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// The same, and returns the errors, each with the number of the message that it is about. What is refused keeps the
    /// kernel from none of the rest.
    pub(crate) fn refusals(&mut self, messages: Vec<Message>) -> io::Result<Vec<(usize, io::Error)>> {
        let first = self.sequence.wrapping_add(1);
        let mut last = first;
        let mut bytes = Vec::new();
        for message in messages {
            let sequence = self.next_sequence();
            if message.wants_ack() {
                last = sequence;
            }
            bytes.extend(message.finish(sequence, self.flags));
        }
        self.send(&bytes)?;
        let mut errors = Vec::new();
        loop {
            for answer in split(&self.receive()?) {
                let number = answer.sequence.wrapping_sub(first);
                if answer.kind != NLMSG_ERROR || number > last.wrapping_sub(first) {
                    continue;
                }
                match error_number(answer.payload) {
                    0 => {}
                    error => errors.push((number as usize, io::Error::from_raw_os_error(error))),
                }
                if answer.sequence == last {
                    return Ok(errors);
                }
            }
        }
    }

    /// Sends a dump request and returns the payloads of what it lists, as it was at one moment.
    pub(crate) fn dump(&mut self, message: &Message) -> io::Result<Vec<Vec<u8>>> {
        for _ in 0..ATTEMPTS {
            let sequence = self.next_sequence();
            self.send(&message.clone().finish(sequence, self.flags))?;
            let mut list = List::default();
            while !list.take(&self.receive()?, sequence)? {}
            if !list.interrupted {
                return Ok(list.payloads);
            }
        }
        Err(io::Error::other(format!("it changed each of the {ATTEMPTS} times it was read")))
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.socket.send(bytes, 0).map(|_| ())
    }

    fn receive(&self) -> io::Result<Vec<u8>> {
        loop {
            match self.socket.recv_from_full() {
                Ok((bytes, _)) => return Ok(bytes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// A filter that takes all messages but those about a route. It reads numbers in network order, and the kernel writes them in
/// that of the machine.
fn no_routes() -> [SockFilter; 5] {
    const KIND_AT: u32 = 4;
    const ALL_OF_IT: u32 = u32::MAX;
    let jump_if = |kind: u16, then, otherwise| {
        SockFilter::new((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, then, otherwise, kind.to_be().into())
    };
    let take = |bytes| SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, bytes);
    [
        SockFilter::new((libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16, 0, 0, KIND_AT),
        jump_if(libc::RTM_NEWROUTE, 1, 0),
        jump_if(libc::RTM_DELROUTE, 0, 1),
        take(0),
        take(ALL_OF_IT),
    ]
}

/// What a dump has listed so far.
#[derive(Debug, Default, PartialEq, Eq)]
struct List {
    payloads: Vec<Vec<u8>>,
    interrupted: bool,
}

impl List {
    /// Takes what was received in answer to the request of this number; true at the list's end.
    fn take(&mut self, received: &[u8], sequence: u32) -> io::Result<bool> {
        for answer in split(received).filter(|answer| answer.sequence == sequence) {
            self.interrupted |= answer.flags & INTERRUPTED != 0;
            match answer.kind {
                // The end has the error that the kernel met on the way, or 0.
                NLMSG_DONE | NLMSG_ERROR => match error_number(answer.payload) {
                    number if number > 0 => return Err(io::Error::from_raw_os_error(number)),
                    _ => return Ok(true),
                },
                _ => self.payloads.push(answer.payload.to_vec()),
            }
        }
        Ok(false)
    }
}

/// One message of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

/// The messages in what was received.
fn split(mut bytes: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    std::iter::from_fn(move || {
        let head = bytes.first_chunk::<HEADER_LEN>()?;
        let word = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let half = |at: usize| u16::from_ne_bytes([head[at], head[at + 1]]);
        let length = word(0) as usize;
        let payload = bytes.get(HEADER_LEN..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Answer { kind: half(4), flags: half(6), sequence: word(8), payload })
    })
}

/// The positive error number of an acknowledgement; 0 for success.
fn error_number(payload: &[u8]) -> i32 {
    payload.first_chunk::<4>().map_or(libc::EBADMSG, |bytes| i32::from_ne_bytes(*bytes).wrapping_neg())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_padded_and_nested() {
        let message = Message::new(7, ACK, &[1, 2, 3, 4])
            .string(1, "ab")
            .nested(2, |message| message.be32(3, 0x0102_0304))
            .finish(9, 0);
        let expected = [
            40, 0, 0, 0, 7, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, // header
            1, 2, 3, 4, // body
            7, 0, 1, 0, b'a', b'b', 0, 0, // string
            12, 0, 2, 0x80, 8, 0, 3, 0, 1, 2, 3, 4, // nested
        ];
        assert_eq!(message, expected);
        let answer = Answer { kind: 7, flags: REQUEST | ACK, sequence: 9, payload: &expected[16..] };
        assert_eq!(split(&message).collect::<Vec<_>>(), [answer]);
        let listed: Vec<_> = attributes(&expected[20..]).collect();
        assert_eq!(listed, [(1, &b"ab\0"[..]), (2, &expected[32..])]);
        assert_eq!(attribute(&expected[20..], 1).and_then(string), Some("ab"));
    }

    /// A message of the kernel's.
    fn answer(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Message::new(kind, 0, payload).finish(sequence, 0);
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes
    }

    fn listed(received: &[Vec<u8>]) -> (List, Vec<Result<bool, Option<i32>>>) {
        let mut list = List::default();
        let ends = received.iter().map(|bytes| list.take(bytes, 9).map_err(|e| e.raw_os_error())).collect();
        (list, ends)
    }

    #[test]
    fn a_list_ends_with_its_end_and_knows_whether_it_changed() {
        let entry = |flags| answer(24, flags, 9, b"entry...");
        let done = |flags| answer(NLMSG_DONE, flags, 9, &[0; 4]);
        let whole = List { payloads: vec![b"entry...".to_vec()], interrupted: false };
        assert_eq!(listed(&[entry(2), done(2)]), (whole, vec![Ok(false), Ok(true)]));
        for received in [[entry(2 | INTERRUPTED), done(2)], [entry(2), done(2 | INTERRUPTED)]] {
            assert!(listed(&received).0.interrupted);
        }
        // What answers an earlier request is not of this list.
        let (list, ends) = listed(&[answer(24, INTERRUPTED, 8, b"old"), answer(NLMSG_DONE, 0, 8, &[0; 4])]);
        assert_eq!((list, ends), (List::default(), vec![Ok(false), Ok(false)]));
    }

    #[test]
    fn an_error_in_the_place_of_a_list_or_of_its_end_is_an_error() {
        let error = (-libc::EPERM).to_ne_bytes();
        for kind in [NLMSG_ERROR, NLMSG_DONE] {
            assert_eq!(listed(&[answer(kind, 0, 9, &error)]).1, [Err(Some(libc::EPERM))]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_end_the_list(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            for (_, value) in attributes(&bytes) {
                prop_assert!(value.len() <= bytes.len());
            }
            for answer in split(&bytes) {
                prop_assert!(answer.payload.len() <= bytes.len());
            }
        }
    }
}

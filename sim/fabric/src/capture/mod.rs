//! Recording what nodes send, for Wireshark and its kin: one interface per node and link end, named after it, and
//! comments with the step of the scenario. Each packet is there once, so that a request has one reply: where it was sent, or
//! where it arrived if the internet itself wrote it or gave it another address.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use crate::error::{FabricError, Result};
use crate::packet::Packet;

mod pcapng;

use pcapng::Record;

/// What to record and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureConfig {
    /// The pcapng file; an existing one is replaced.
    pub path: PathBuf,
    /// Bytes kept of each packet; `None` is all, and so is 0, as in the file.
    pub snaplen: Option<u32>,
    /// Keep only the end of a long run; `None` is everything.
    pub ring: Option<Ring>,
}

/// How much of the end of a run to keep. It is held in memory and written by a flush and at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// The last packets, this number of them.
    Packets(usize),
    /// Packets of at least the last bytes of file, this number of them.
    Bytes(usize),
}

/// Which way a packet went, as its node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Received,
    Sent,
}

/// A packet as it goes into the file.
#[derive(Debug)]
pub(crate) struct Image {
    original_len: usize,
    /// With complete checksums, and no longer than the file keeps.
    bytes: Vec<u8>,
}

/// A place where packets are seen, in the order of first mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InterfaceId(u32);

/// The recorder.
#[derive(Debug)]
pub(crate) struct Capture {
    path: PathBuf,
    snaplen: u32,
    /// Wall-clock time of the fabric's zero, in nanoseconds since 1970.
    epoch_ns: u64,
    interfaces: BTreeMap<String, InterfaceId>,
    comments: Vec<String>,
    /// When what was recorded is next handed to the disk.
    next_tick: u64,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Stream(Stream),
    Ring { limit: Ring, kept: VecDeque<Record>, bytes: usize },
}

/// Comments waiting for a packet, at most.
const MAX_COMMENTS: usize = 64;
/// Bytes that are handed to the writing thread at once.
const CHUNK: usize = 256 * 1024;
/// How long recorded packets may stay in memory, in nanoseconds.
const TICK_NS: u64 = 200_000_000;
/// Chunks that may wait for the disk before the fabric does.
const CHUNKS_WAITING: usize = 64;

impl Capture {
    pub(crate) fn create(config: &CaptureConfig, epoch_ns: u64) -> Result<Self> {
        let error = |source| FabricError::Capture { path: config.path.clone(), source };
        let file = File::create(&config.path).map_err(error)?;
        let snaplen = config.snaplen.unwrap_or(0);
        let sink = match config.ring {
            Some(limit) => Sink::Ring { limit, kept: VecDeque::new(), bytes: 0 },
            None => {
                let mut stream = Stream::start(file).map_err(error)?;
                pcapng::section_header(&mut stream.chunk);
                Sink::Stream(stream)
            }
        };
        let path = config.path.clone();
        Ok(Self { path, snaplen, epoch_ns, interfaces: BTreeMap::new(), comments: Vec::new(), next_tick: 0, sink })
    }

    /// The interface of this name, described in the file when it is first mentioned.
    pub(crate) fn interface(&mut self, name: &str) -> InterfaceId {
        if let Some(id) = self.interfaces.get(name) {
            return *id;
        }
        let id = InterfaceId(self.interfaces.len() as u32);
        self.interfaces.insert(name.to_owned(), id);
        if let Sink::Stream(stream) = &mut self.sink {
            pcapng::interface(&mut stream.chunk, name, self.snaplen);
        }
        id
    }

    /// Puts a comment on the next packet.
    pub(crate) fn annotate(&mut self, text: &str) {
        if self.comments.len() == MAX_COMMENTS {
            self.comments.remove(0);
        }
        self.comments.push(text.to_owned());
    }

    /// A packet as it is now.
    pub(crate) fn image(&self, packet: &Packet) -> Image {
        let original_len = packet.bytes.len();
        let mut copy = packet.clone();
        copy.complete_checksum();
        if self.snaplen > 0 {
            copy.bytes.truncate(self.snaplen as usize);
        }
        Image { original_len, bytes: copy.bytes }
    }

    /// Records a packet that passed `interface` at `at`, with what is to be said of it.
    pub(crate) fn record(&mut self, at: u64, interface: InterfaceId, way: Way, image: Image, note: Option<String>) {
        let mut comments = std::mem::take(&mut self.comments);
        comments.extend(note);
        let Image { original_len, bytes } = image;
        let record = Record { at: self.epoch_ns + at, interface: interface.0, way, original_len, bytes, comments };
        match &mut self.sink {
            Sink::Stream(stream) => {
                record.encode(&mut stream.chunk);
                if stream.chunk.len() >= CHUNK {
                    stream.hand_over();
                }
            }
            Sink::Ring { limit, kept, bytes: size } => {
                *size += record.size();
                kept.push_back(record);
                trim(*limit, kept, size);
            }
        }
    }

    /// Hands what was recorded to the disk, without waiting for it, if it was kept long enough; says when to be called
    /// again if there is anything left to hand over. A ring is kept until a flush.
    pub(crate) fn tick(&mut self, now: u64) -> Option<u64> {
        let Sink::Stream(stream) = &mut self.sink else { return None };
        if now >= self.next_tick {
            self.next_tick = now + TICK_NS;
            stream.hand_over();
        }
        (!stream.chunk.is_empty()).then_some(self.next_tick)
    }

    /// Makes the file whole up to now.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let result = match &mut self.sink {
            Sink::Stream(stream) => stream.flush(),
            Sink::Ring { kept, .. } => write_ring(&self.path, &self.interfaces, self.snaplen, kept),
        };
        result.map_err(|source| FabricError::Capture { path: self.path.clone(), source })
    }
}

/// Lets go of the oldest packets. The step that they were part of stays known: its comment moves on.
fn trim(limit: Ring, kept: &mut VecDeque<Record>, size: &mut usize) {
    let too_many = |kept: &VecDeque<Record>, size: usize| match limit {
        Ring::Packets(most) => kept.len() > most,
        Ring::Bytes(most) => kept.front().is_some_and(|oldest| size - oldest.size() >= most),
    };
    while too_many(kept, *size) {
        let Some(oldest) = kept.pop_front() else { break };
        *size -= oldest.size();
        if let (Some(comment), Some(next)) = (oldest.comments.last(), kept.front_mut())
            && next.comments.is_empty()
        {
            *size -= next.size();
            next.comments.push(comment.clone());
            *size += next.size();
        }
    }
}

fn write_ring(
    path: &Path,
    interfaces: &BTreeMap<String, InterfaceId>,
    snaplen: u32,
    kept: &VecDeque<Record>,
) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut block = Vec::new();
    pcapng::section_header(&mut block);
    let mut names: Vec<_> = interfaces.iter().map(|(name, id)| (id.0, name)).collect();
    names.sort_unstable();
    for (_, name) in names {
        pcapng::interface(&mut block, name, snaplen);
    }
    for record in kept {
        record.encode(&mut block);
        file.write_all(&block)?;
        block.clear();
    }
    file.write_all(&block)?;
    file.flush()
}

/// A file that a thread of its own writes, so that a slow disk does not delay packets.
#[derive(Debug)]
struct Stream {
    chunk: Vec<u8>,
    orders: Option<SyncSender<Order>>,
    writer: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug)]
enum Order {
    Write(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Stream {
    fn start(file: File) -> io::Result<Self> {
        let (orders, received) = mpsc::sync_channel(CHUNKS_WAITING);
        let writer = thread::Builder::new().name("fabric-capture".into()).spawn(move || write_all(file, &received))?;
        Ok(Self { chunk: Vec::new(), orders: Some(orders), writer: Some(writer) })
    }

    fn hand_over(&mut self) {
        if self.chunk.is_empty() {
            return;
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK / 8));
        // The writer ends early only on an error, which `flush` reports.
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order::Write(chunk));
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over();
        let (done, wait) = mpsc::sync_channel(1);
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(Order::Flush(done)).is_ok());
        if sent && wait.recv().is_ok() {
            return Ok(());
        }
        self.orders = None;
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the capture's writer panicked")),
            None => Err(io::Error::other("the capture failed before")),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.hand_over();
        self.orders = None;
        if let Some(Ok(Err(error))) = self.writer.take().map(JoinHandle::join) {
            tracing::warn!(%error, "capture is incomplete");
        }
    }
}

fn write_all(file: File, orders: &Receiver<Order>) -> io::Result<()> {
    let mut file = file;
    for order in orders {
        match order {
            Order::Write(chunk) => file.write_all(&chunk)?,
            Order::Flush(done) => {
                file.flush()?;
                let _ = done.send(());
            }
        }
    }
    file.flush()
}

#[cfg(test)]
mod tests;

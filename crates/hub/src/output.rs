//! What a call of the hub leaves for its caller to do.

use crate::end_reason::EndReason;
use crate::feed::FrameHeader;
use crate::history::HistoryError;
use crate::stream::ConnId;

/// The writes to streams, and the streams to end, that a call of the hub results in.
///
/// The hub writes to no stream. It returns this value, so that the caller can release its borrow of the hub before it
/// writes. The hub assumes that the caller makes all writes and ends all streams.
#[derive(Debug)]
pub struct Output<S> {
    /// The chunks that `writes` refer to. Many streams share most of them.
    pub chunks: Vec<Chunk>,
    /// Which stream gets which chunk.
    pub writes: Vec<Write<S>>,
    /// The streams to end after their writes. The hub has removed them already.
    pub ended: Vec<Ended<S>>,
    /// The last error of the history in this call, if there was one.
    pub error: Option<HistoryError>,
}

/// Bytes for one or more streams.
#[derive(Debug)]
pub struct Chunk {
    /// The bytes of the event stream.
    pub bytes: Vec<u8>,
    /// The header of the frame, for feeds.
    pub header: FrameHeader,
}

/// A stream to end.
#[derive(Debug)]
pub struct Ended<S> {
    /// The number of the stream.
    pub conn: ConnId,
    /// The stream.
    pub stream: S,
    /// Why it ends.
    pub reason: EndReason,
}

/// One chunk for one stream.
#[derive(Debug)]
pub struct Write<S> {
    /// The number of the stream.
    pub conn: ConnId,
    /// The stream.
    pub stream: S,
    /// The index of the chunk in [`Output::chunks`].
    pub chunk: usize,
}

impl<S: Clone> Output<S> {
    pub(crate) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            writes: Vec::new(),
            ended: Vec::new(),
            error: None,
        }
    }

    /// Adds a chunk that ends before event `next_seq`, and not in the middle of an event. Returns its index.
    pub(crate) fn add_bytes(&mut self, bytes: Vec<u8>, next_seq: u64) -> usize {
        let header = FrameHeader {
            next_seq,
            ..FrameHeader::default()
        };
        self.add_chunk(Chunk { bytes, header })
    }

    /// Adds a chunk. Returns its index.
    pub(crate) fn add_chunk(&mut self, chunk: Chunk) -> usize {
        let index = self.chunks.len();
        self.chunks.push(chunk);
        index
    }

    /// Adds a write of the chunk with the index `chunk`.
    pub(crate) fn write(&mut self, conn: ConnId, stream: &S, chunk: usize) {
        self.writes.push(Write {
            conn,
            stream: stream.clone(),
            chunk,
        });
    }

    /// Adds a stream to end.
    pub(crate) fn end(&mut self, conn: ConnId, stream: &S, reason: EndReason) {
        self.ended.push(Ended {
            conn,
            stream: stream.clone(),
            reason,
        });
    }
}

//! The hub of one channel: a bounded log that publishers append to, and a cursor into it for every open stream.
//!
//! **Lagging and dropping.** The log holds the newest `max_events` events, or `max_bytes` of them. A stream that has
//! not taken its last chunk is passed over; what it is due stays in the log. When an append makes the log give up
//! events that such a stream was never given, it has *dropped* them: that is counted at once, in the append's receipt,
//! and told to the stream by a `hub.dropped` notice, before the next event it gets. Other streams, and publishers,
//! notice nothing of it.
//!
//! **Catching up.** A stream that starts in the past, or asked never to drop, *reads the history* where it is behind the
//! log: the same place in the same flushes, but its chunks are made of the history's pages. It needs no memory of its
//! own, and once it is level with the log's head it is a stream as any other. What the history does not hold any more is
//! told by a `hub.gap` notice.
//!
//! Pure: time comes in as a value, streams are the trait [`Stream`], and nothing is written here. What has to be
//! written comes out as [`Output`], so that the caller can let go of the hub before it touches a stream.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::string_slice))]

mod cursor;
mod history;
mod hub;
mod log;
mod pacing;
pub mod sse;
mod subscriber;
mod unread;

use serde::Serialize;

pub use self::history::{History, HistoryError, Page, ReplayFrom, StartPosition};
pub use self::hub::{Evict, Hub};
use crate::sse::EventId;

/// Milliseconds, of a clock that never goes back.
pub type Millis = u64;

/// The number of a stream, counted from 1 since the channel's object started.
pub type ConnId = u64;

/// An open stream, as far as the hub has to know it.
pub trait Stream: Clone {
    /// Whether the runtime has taken the last chunk written to it. Must not call back.
    fn is_ready(&self) -> bool;
}

/// The bounds of one hub. Shapes and units as in the settings of the same names.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `BUFFER_EVENTS`.
    pub buffer_events: usize,
    /// `BUFFER_BYTES`.
    pub buffer_bytes: usize,
    /// `HEARTBEAT_SECONDS`, in milliseconds.
    pub heartbeat: Millis,
    /// `STALL_SECONDS`, in milliseconds; `None` for never.
    pub stall: Option<Millis>,
    /// `FLUSH_MAX_MS`.
    pub flush_max: Millis,
}

/// What a publisher is told: the shape of the answer to a publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The id of the last event.
    pub id: EventId,
    /// How many events it was.
    pub events: usize,
    /// How many streams were open.
    pub subscribers: usize,
    /// How many deliveries of older events it pushed out of full streams, and how many were dropped since the last receipt
    /// because memory was short.
    pub dropped: u64,
}

impl Receipt {
    /// The answer's body.
    pub fn to_json(&self) -> String {
        // Strings and numbers always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What the one is told who ends a channel: the shape of the answer to a DELETE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndReceipt {
    /// The id of the last event.
    pub id: EventId,
    /// How many streams were open, and were ended.
    pub subscribers: usize,
    /// How many deliveries of events they had not been given in time, and will not get.
    pub dropped: u64,
}

/// How a stream takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinOptions {
    /// The number of its first event.
    pub next_seq: u64,
    /// There is a history: until the stream is level with the channel once, what has left the log comes out of that.
    pub history: bool,
    /// Where there is a history, it is so at any time that the stream is behind, and it never drops.
    pub catch_up: bool,
    /// When it is ended, where that is known.
    pub expires: Option<Millis>,
}

/// The channel's counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The id of the newest event.
    pub newest: EventId,
    /// Streams open now.
    pub subscribers: usize,
    /// Streams that are dropping now.
    pub busy: usize,
    /// Events published since the start.
    pub published: u64,
    /// Deliveries dropped since the start.
    pub dropped: u64,
    /// Streams opened since the start.
    pub connected: u64,
}

/// A stream's turn for the worse or the better, for whoever keeps the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It started to drop.
    StartedDropping(ConnId),
    /// It is level again, having dropped so many events.
    CaughtUp(ConnId, u64),
}

/// What has to be done before events are taken out of the log: for a batch that is appended, at the channel's end,
/// or where memory is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// [`Hub::flush`]: a stream is ready for what it would lose.
    FlushFirst,
    /// [`Hub::begin_loop_turn`], and then a turn of the event loop, in which streams that keep up take what they were given.
    WaitForLoopTurn,
    /// Nothing (more): nobody would lose anything, or only who is backing up.
    Ready,
}

/// What is to be written, and which streams are to be ended. The hub takes it as done.
#[derive(Debug)]
pub struct Output<S> {
    /// The chunks that `writes` refer to. Most are shared by many streams.
    pub chunks: Vec<Vec<u8>>,
    /// Which stream gets which chunk.
    pub writes: Vec<Write<S>>,
    /// Streams to be ended, after what is written to them: they took nothing for too long, may listen no longer, or what
    /// they are due cannot be had. The hub has forgotten them already.
    pub ended: Vec<(ConnId, S)>,
    /// Why the history could not be read, where it could not.
    pub error: Option<HistoryError>,
}

/// One chunk for one stream.
#[derive(Debug)]
pub struct Write<S> {
    /// Whose stream it is.
    pub conn: ConnId,
    /// The stream.
    pub stream: S,
    /// An index into [`Output::chunks`].
    pub chunk: usize,
}

impl<S: Clone> Output<S> {
    fn new() -> Self {
        Self {
            chunks: Vec::new(),
            writes: Vec::new(),
            ended: Vec::new(),
            error: None,
        }
    }

    /// Adds a chunk; returns its index.
    fn add_chunk(&mut self, chunk: Vec<u8>) -> usize {
        self.chunks.push(chunk);
        self.chunks.len().saturating_sub(1)
    }

    fn write(&mut self, conn: ConnId, stream: &S, chunk: usize) {
        self.writes.push(Write {
            conn,
            stream: stream.clone(),
            chunk,
        });
    }
}

//! The rules of delivery of one channel: a log of the newest events, and a cursor into it for every open stream.
//!
//! A [`Hub`] holds the state of one channel. Publishers [append](Hub::append) batches of events. Streams
//! [join](Hub::join), and get each event in the wire format of Server-Sent Events ([`sse`]).
//!
//! The crate is pure: it has no clock, no I/O and no runtime. The caller passes the time in, implements [`Stream`] and
//! [`History`], and performs the [`Output`] that the hub returns. So every rule can be tested in virtual time, and the
//! caller holds no borrow of the hub while it writes to a stream.
//!
//! # Example
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//!
//! use sse_hub::sse::{Batch, Epoch, EventId, write_event};
//! use sse_hub::{Carrier, Hub, JoinOptions, Limits, NoHistory, Readiness, ReplayFrom, Stream};
//!
//! /// A stream that takes every chunk at once.
//! #[derive(Clone, Default)]
//! struct Client(Rc<RefCell<Vec<u8>>>);
//!
//! impl Stream for Client {
//!     fn is_ready(&self) -> bool {
//!         true
//!     }
//! }
//!
//! let limits = Limits {
//!     buffer_events: 256,
//!     buffer_bytes: 1 << 20,
//!     heartbeat: 15_000,
//!     stall: Some(60_000),
//!     flush_max: 25,
//!     may_sleep: true,
//! };
//! // The epoch begins now. The second number is random.
//! let epoch = Epoch::new(1_795_354_163_077, 1_193_046);
//! let mut hub = Hub::new("foo", EventId { epoch, seq: 1 }, &limits);
//! let now = 0;
//!
//! // A subscriber joins at the next event.
//! let client = Client::default();
//! let start = hub.start_position(&ReplayFrom::Now, 0, &mut NoHistory, now)?;
//! let options = JoinOptions {
//!     next_seq: start.next_seq,
//!     history: false,
//!     catch_up: false,
//!     expires: None,
//!     carrier: Carrier::Response,
//! };
//! let conn = hub.next_conn_id();
//! hub.join(conn, client.clone(), &options, now);
//!
//! // A publisher sends one event.
//! let mut wire = String::new();
//! write_event(&mut wire, "score", "1:0");
//! let batch = Batch::from_wire(wire);
//! assert_eq!(hub.readiness_to_append(&batch, now), Readiness::Ready);
//! let receipt = hub.append(&batch, now);
//! assert_eq!((receipt.subscribers, receipt.dropped), (1, 0));
//!
//! // The caller does what is due.
//! assert_eq!(hub.next_poll(), Some(now));
//! let output = hub.poll(&mut NoHistory, now);
//! for write in &output.writes {
//!     let chunk = &output.chunks[write.chunk];
//!     write.stream.0.borrow_mut().extend_from_slice(&chunk.bytes);
//! }
//! assert!(output.ended.is_empty(), "no stream has to be ended");
//!
//! let received = String::from_utf8(client.0.take())?;
//! assert_eq!(received, "event: score\ndata: 1:0\nid: 38G3E9VRB4D2P-1\n\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Flushes
//!
//! An append writes nothing. A *flush* makes the writes to all streams that are *behind*: there are events in the
//! channel that they were not given. [`Hub::next_poll`] says when it is due. A flush skips streams that are not
//! ready, because the runtime has not taken their last chunk. Streams at the same position share one chunk. A flush
//! works in groups of streams, and the event loop makes a turn after each group.
//!
//! # Lagging and dropping
//!
//! The log holds the newest [`buffer_events`](Limits::buffer_events) events, or
//! [`buffer_bytes`](Limits::buffer_bytes) of them. No stream has a queue of its own: what a slow stream was not given
//! yet stays in the log. If an append needs the room of events that a stream was not given, the stream *drops* them.
//! This does not affect other streams or publishers.
//!
//! The drop is counted at once, in the [`Receipt`] of that append. The subscriber is *lagging* until it gets a
//! `hub.dropped` notice, which says how many events it dropped and which. The notice comes before the next event, so
//! the ids that a subscriber sees have no unexplained hole. The subscriber is *dropping* until it is *level* with the
//! head, which means that it was given everything. Both changes are reported as a [`Change`].
//!
//! A subscriber that takes its chunks in time drops nothing. Before events leave the log, the caller asks
//! [`Hub::readiness_to_append`], which lets the streams that are ready have their events first, and gives every other
//! stream one loop turn to become ready. A stream that does not become ready in that turn is *unresponsive*: publishers
//! do not wait for it again until it is level.
//!
//! # Catching up
//!
//! A [`History`] keeps events for longer than the log. A subscriber that starts in the past reads the events that have
//! left the log from the history, until it is level with the head. After that it drops like any other subscriber,
//! unless it asked for [`catch_up`](JoinOptions::catch_up): then it reads the history whenever it is behind the log,
//! and never drops.
//!
//! A subscriber that reads the history gets its chunks in the same flushes. The chunks are made of pages of the
//! history. If the history does not hold its next events any more, it gets a `hub.gap` notice.
//!
//! # Memory
//!
//! A subscriber has a fixed size. Each stream holds at most one chunk that the runtime has not taken yet. Chunks have
//! at most 64 KiB, and at most 8 KiB while much is not taken. An event that is larger than a chunk is given in parts,
//! and all streams share one copy of it. [`Hub::memory`] counts the log, and [`Hub::evict`] frees it if the instance
//! has too little memory.
//!
//! # Reading order
//!
//! 1. [`sse`]: the wire format.
//! 2. `log`: the ring of encoded events.
//! 3. `cursor`: positions, and the chunks that are made at them.
//! 4. `subscriber` and `subscriber/mode`: the state of one stream.
//! 5. [`hub`](Hub): `append` (and what leaves the log), `flush`, `end`, `shutdown`, `eviction`,
//!    `replay`.
//! 6. The types behind the hub's fields: `hub/drops`, `hub/flush_cycle`, `hub/pacer`, `hub/unread`, `hub/liveness`,
//!    `hub/expiry`, `hub/counters`.
//! 7. `sse/combined_id` and `sse/id_rewriter`: the ids of a stream of several channels. The hub does not use them: a
//!    hub has one channel, and the caller joins their streams.
//! 8. `hub/tests`: a model of a channel, properties, scenarios and a simulation.
//! 9. `held/tests`: a model of held streams, whose feeds break, properties and scenarios.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::string_slice))]

mod carrier;
mod change;
mod cursor;
mod end_reason;
pub mod feed;
pub mod held;
mod history;
mod hub;
mod join;
mod limits;
mod log;
mod loop_turn;
mod output;
mod partial;
mod readiness;
mod receipt;
pub mod sse;
mod start;
mod stats;
mod stream;
mod subscriber;

pub use self::carrier::Carrier;
pub use self::change::Change;
pub use self::end_reason::EndReason;
pub use self::feed::FeedMessage;
pub use self::history::{History, HistoryError, NoHistory, Page};
pub use self::hub::{Evict, Hub};
pub use self::join::JoinOptions;
pub use self::limits::Limits;
pub use self::output::{Chunk, Ended, Output, Write};
pub use self::readiness::Readiness;
pub use self::receipt::{DeleteReceipt, Receipt};
pub use self::start::{ReplayFrom, StartPosition};
pub use self::stats::Stats;
pub use self::stream::{ConnId, Stream};

/// Milliseconds of a clock that never goes back.
pub type Millis = u64;

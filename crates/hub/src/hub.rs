//! The log and the subscribers of one channel.

mod append;
mod counters;
mod drops;
mod end;
mod eviction;
mod expiry;
mod feeds;
mod flush;
mod flush_cycle;
mod liveness;
mod pacer;
mod replay;
mod shutdown;
#[cfg(test)]
pub mod tests;
mod ticking;
mod unread;

use std::collections::BTreeMap;

pub use self::eviction::Evict;

use self::counters::Counters;
use self::drops::DropAccounting;
use self::expiry::Expiry;
use self::flush_cycle::FlushCycle;
use self::liveness::Liveness;
use self::ticking::Ticking;
pub use self::unread::MAX_CHUNK;
use crate::change::Change;
use crate::join::JoinOptions;
use crate::log::Log;
use crate::loop_turn::LoopTurn;
use crate::output::Output;
use crate::sse::EventId;
use crate::stats::Stats;
use crate::stream::{ConnId, Stream};
use crate::subscriber::{CatchUp, Mode, Subscriber};
use crate::{Limits, Millis};

/// The log and the subscribers of one channel.
///
/// See the [crate's documentation](crate) for the rules that it keeps, and for an example.
#[derive(Debug)]
pub struct Hub<S> {
    log: Log,
    subscribers: BTreeMap<ConnId, Subscriber<S>>,
    loop_turn: LoopTurn,
    flushes: FlushCycle,
    liveness: Liveness,
    ticking: Ticking,
    /// Whether the object may sleep while feeds are open.
    may_sleep: bool,
    expiry: Expiry,
    drops: DropAccounting,
    counters: Counters,
    /// The changes since [`take_changes`](Self::take_changes) was last called.
    changes: Vec<Change>,
}

impl<S: Stream> Hub<S> {
    /// The channel with the id `channel`, without streams. Its next event gets the id `next`.
    pub fn new(channel: &str, next: EventId, limits: &Limits) -> Self {
        Self {
            log: Log::new(
                channel.to_owned(),
                next,
                limits.buffer_events,
                limits.buffer_bytes,
            ),
            subscribers: BTreeMap::new(),
            loop_turn: LoopTurn::default(),
            flushes: FlushCycle::new(limits),
            liveness: Liveness::new(limits.heartbeat, limits.stall),
            ticking: Ticking::default(),
            may_sleep: limits.may_sleep,
            expiry: Expiry::default(),
            drops: DropAccounting::new(next.seq),
            counters: Counters::default(),
            changes: Vec::new(),
        }
    }

    /// Returns the id that the next event will get.
    pub fn next_id(&self) -> EventId {
        EventId {
            epoch: self.log.epoch(),
            seq: self.log.head(),
        }
    }

    /// Counts a stream that is about to open. Returns its number.
    pub fn next_conn_id(&mut self) -> ConnId {
        self.counters.next_conn_id()
    }

    /// Adds a stream whose [opening](crate::sse::opening) has been written. It gets every event from `options.next_seq`
    /// on.
    ///
    /// `options.next_seq` has to come from [`start_position`](Self::start_position), with no append or eviction in
    /// between.
    pub fn join(&mut self, conn: ConnId, stream: S, options: &JoinOptions, now: Millis) {
        let (tail, head) = (self.log.tail(), self.log.head());
        debug_assert!(options.next_seq <= head, "a stream starts after the head");
        debug_assert!(
            options.history || options.next_seq >= tail,
            "without a history, a stream starts in the log"
        );
        if self.subscribers.is_empty() {
            self.liveness.note_tick(now);
        }
        let behind = options.next_seq < head;
        if behind || self.log.has_ended() {
            self.flushes.note_events(now);
        }
        if options.next_seq >= tail {
            self.drops.note_cursor(options.next_seq);
        }
        if let Some(expires) = options.expires {
            self.expiry.insert(expires, conn);
        }
        let mode = Mode::Responsive(CatchUp::new(options, behind));
        let subscriber = Subscriber::new(stream, options, mode, now, self.loop_turn);
        self.ticking.add(&subscriber);
        self.subscribers.insert(conn, subscriber);
    }

    /// Removes a stream whose client has disconnected. Returns whether the hub still had the stream.
    pub fn leave(&mut self, conn: ConnId) -> bool {
        let Some(subscriber) = self.subscribers.remove(&conn) else {
            return false;
        };
        self.ticking.remove(&subscriber);
        if subscriber.lag(self.log.tail()) > 0 {
            self.drops.stop_lagging();
        }
        if let Some(expires) = subscriber.expires {
            self.expiry.remove(expires, conn);
        }
        if self.subscribers.is_empty() {
            self.flushes.clear();
        }
        true
    }

    /// Removes the streams that `output` ends.
    fn remove_ended(&mut self, output: &Output<S>) {
        for ended in &output.ended {
            self.leave(ended.conn);
        }
    }

    /// Returns the number of open streams.
    pub fn subscribers(&self) -> usize {
        self.subscribers.len()
    }

    /// Returns the number of open streams that the object holds as responses. The others are feeds.
    pub fn responses(&self) -> usize {
        self.ticking.responses()
    }

    /// Notes that the event loop makes a turn, in which streams can take the chunks that were written so far. Call
    /// this when a publisher begins to wait for a turn, and when the caller's timer is due.
    pub fn begin_loop_turn(&mut self) {
        self.loop_turn = self.loop_turn.next();
    }

    /// Returns the changes of subscribers since this was last called.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Returns the counters.
    pub fn stats(&self) -> Stats {
        let dropping = self
            .subscribers
            .values()
            .filter(|subscriber| subscriber.mode.is_dropping());
        Stats {
            newest: self.log.newest(),
            subscribers: self.subscribers.len(),
            busy: dropping.count(),
            published: self.counters.published(),
            dropped: self.drops.total(),
            connected: self.counters.connected(),
        }
    }

    /// Removes all streams and events. Call this after the streams have been cancelled by other means.
    pub fn clear(&mut self) {
        let next = self.next_id();
        self.subscribers.clear();
        self.ticking = Ticking::default();
        self.expiry.clear();
        self.flushes.clear();
        self.drops.forget_subscribers();
        self.changes.clear();
        self.log.begin_epoch(next);
    }
}

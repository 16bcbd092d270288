//! One channel's log and streams, and what happens to them: join, leave, append, flush, tick.

mod eviction;
mod flush;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use self::eviction::Evict;

use super::cursor::Cursor;
use super::log::Log;
use super::pacing::Pacer;
use super::subscriber::Subscriber;
use super::unread::UnreadBytes;

use super::{
    Change, ConnId, EndReceipt, JoinOptions, Limits, Millis, Output, Readiness, Receipt, Stats,
    Stream,
};
use crate::sse::{Batch, EventId};

/// How many streams are written to before the event loop goes round. The runtime takes each chunk through many steps of
/// its event loop; that a stream's memory is still in the caches for the next one is the likely gain. Measured with 1,000 streams, groups of 64 to 256 cost 5 to 20 % less than all at once, and
/// half of the streams have their event after 23 ms instead of 42. Publishes need not wait for a whole flush, either; and
/// where streams that were stuck, each at another place, come alive together, no more than 4 MiB are copied at once.
const GROUP: usize = 64;

/// One channel's log and streams.
#[derive(Debug)]
pub struct Hub<S> {
    log: Log,
    subscribers: BTreeMap<ConnId, Subscriber<S>>,
    /// Those of them that are to be ended at a known time.
    expiring: BTreeSet<(Millis, ConnId)>,
    pacer: Pacer,
    stall: Option<Millis>,
    /// How many subscribers have dropped events that they were not told of: each drops one more with every event removed.
    lagging: u64,
    /// No subscriber whose cursor is in the log has it below this. Spares most appends a look at every stream.
    cursor_lower_bound: u64,
    /// Turns of the event loop that this hub knows of: a publisher has waited for it, or a timer was due in it.
    turn: u64,
    /// Where the flush under way goes on.
    flushing: Option<ConnId>,
    /// The flush under way, or the last one, had something to write.
    progress: bool,
    /// The turn in which the last whole group was served: the next one has to wait for another.
    last_group_in: Option<u64>,
    /// [`GROUP`], but for tests.
    group: usize,
    /// When the first event was appended since the last flush began, if one was and somebody is there to get it.
    unflushed_since: Option<Millis>,
    /// The last flush left something that is due to a stream unwritten.
    left_over: bool,
    unread: UnreadBytes,
    /// When heartbeats and stalls are looked at next.
    next_tick: Millis,
    changes: Vec<Change>,
    published: u64,
    dropped: u64,
    /// Deliveries dropped that no receipt has counted yet.
    unreported: u64,
    connected: u64,
}

impl<S: Stream> Hub<S> {
    /// A channel without streams, whose next event will have the id `next`.
    pub fn new(next: EventId, limits: &Limits) -> Self {
        Self {
            log: Log::new(next, limits.buffer_events, limits.buffer_bytes),
            subscribers: BTreeMap::new(),
            expiring: BTreeSet::new(),
            pacer: Pacer::new(limits.flush_max, limits.heartbeat, limits.stall),
            stall: limits.stall,
            lagging: 0,
            cursor_lower_bound: next.seq,
            turn: 0,
            flushing: None,
            progress: false,
            last_group_in: None,
            group: GROUP,
            unflushed_since: None,
            left_over: false,
            unread: UnreadBytes::default(),
            next_tick: 0,
            changes: Vec::new(),
            published: 0,
            dropped: 0,
            unreported: 0,
            connected: 0,
        }
    }

    /// Gives out the number for a stream that is about to open.
    pub fn next_conn_id(&mut self) -> ConnId {
        self.connected = self.connected.saturating_add(1);
        self.connected
    }

    /// The id that the next event will get.
    pub fn next_id(&self) -> EventId {
        EventId {
            epoch: self.log.epoch(),
            seq: self.log.head(),
        }
    }

    /// Takes in a stream whose first block was written. From its place on it gets every event.
    pub fn join(&mut self, conn: ConnId, stream: S, options: &JoinOptions, now: Millis) {
        if self.subscribers.is_empty() {
            self.next_tick = now.saturating_add(self.pacer.tick());
        }
        let behind = options.next_seq < self.log.head();
        let reads_history = options.history && (behind || options.catch_up);
        let place = Cursor::at(options.next_seq, reads_history);
        if behind {
            self.unflushed_since.get_or_insert(now);
        }
        if options.next_seq >= self.log.tail() {
            self.cursor_lower_bound = self.cursor_lower_bound.min(options.next_seq);
        }
        if let Some(expires) = options.expires {
            self.expiring.insert((expires, conn));
        }
        let subscriber = Subscriber::new(stream, place, options, now, self.turn);
        self.subscribers.insert(conn, subscriber);
    }

    /// Forgets a stream that has ended. Returns whether it was (still) here.
    pub fn leave(&mut self, conn: ConnId) -> bool {
        let Some(subscriber) = self.subscribers.remove(&conn) else {
            return false;
        };
        if subscriber.place.untold(self.log.tail()) > 0 {
            self.lagging = self.lagging.saturating_sub(1);
        }
        if let Some(expires) = subscriber.expires {
            self.expiring.remove(&(expires, conn));
        }
        if self.subscribers.is_empty() {
            self.unflushed_since = None;
            self.left_over = false;
            self.flushing = None;
        }
        true
    }

    /// How many streams are open.
    pub fn subscribers(&self) -> usize {
        self.subscribers.len()
    }

    /// What has to be done before `batch` is appended, so that no stream that keeps up drops: it takes events out of
    /// the log, and a stream may not have had them. To be asked again after each step; the steps come to an end.
    pub fn readiness_to_append(&mut self, batch: &Batch) -> Readiness {
        self.readiness_to_remove(self.log.tail_with_room_for(batch))
    }

    /// The same before everything is taken out of the log: at the channel's [`end`](Self::end), or where memory is short.
    pub fn readiness_to_empty(&mut self) -> Readiness {
        self.readiness_to_remove(self.log.head())
    }

    /// The same before the events before `tail` are taken out of the log.
    fn readiness_to_remove(&mut self, tail: u64) -> Readiness {
        let loses_nothing =
            tail == self.log.tail() || (self.cursor_lower_bound >= tail && self.lagging == 0);
        if loses_nothing {
            return Readiness::Ready;
        }
        let mut before = Readiness::Ready;
        for subscriber in self.subscribers.values_mut() {
            let place = &subscriber.place;
            if place.cursor >= tail || place.is_in_history(self.log.tail()) {
                continue;
            }
            if subscriber.stream.is_ready() {
                return if self.last_group_in == Some(self.turn) {
                    Readiness::WaitForLoopTurn
                } else {
                    Readiness::FlushFirst
                };
            }
            if subscriber.busy || subscriber.unresponsive {
                continue;
            }
            if subscriber.written_in == self.turn {
                // It had no time yet to take what it was given.
                before = Readiness::WaitForLoopTurn;
            } else {
                subscriber.unresponsive = true;
            }
        }
        before
    }

    /// The event loop goes round: what was written until now can be taken. To be told when a publisher begins to wait for
    /// that, and when the caller's timer is due.
    pub fn begin_loop_turn(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }

    /// Appends `batch`. Older events give way; the streams that never had them drop them.
    pub fn append(&mut self, batch: &Batch, now: Millis) -> Receipt {
        let dropped = self.make_room(self.log.tail_with_room_for(batch));
        self.log.append(batch);
        self.published = self.published.saturating_add(batch.events as u64);
        self.dropped = self.dropped.saturating_add(dropped);
        if !self.subscribers.is_empty() {
            self.unflushed_since.get_or_insert(now);
        }
        Receipt {
            id: self.log.newest(),
            events: batch.events,
            subscribers: self.subscribers.len(),
            dropped: dropped.saturating_add(std::mem::take(&mut self.unreported)),
        }
    }

    /// Removes the events before `tail`. Returns how many deliveries of them were still due.
    fn make_room(&mut self, tail: u64) -> u64 {
        let old_tail = self.log.tail();
        let mut dropped = self.lagging.saturating_mul(tail.saturating_sub(old_tail));
        if self.cursor_lower_bound < tail {
            self.cursor_lower_bound = self.log.head();
            for (conn, subscriber) in &mut self.subscribers {
                let cursor = subscriber.place.cursor;
                if cursor < old_tail {
                    continue;
                }
                if cursor >= tail {
                    self.cursor_lower_bound = self.cursor_lower_bound.min(cursor);
                    continue;
                }
                if subscriber.place.reads_history {
                    continue;
                }
                dropped = dropped.saturating_add(subscriber.place.untold(tail));
                self.lagging = self.lagging.saturating_add(1);
                if subscriber.start_dropping() {
                    self.changes.push(Change::StartedDropping(*conn));
                }
            }
        }
        self.log.remove_before(tail);
        dropped
    }

    /// Ends the channel: everything that it holds is removed, and all streams are told and ended. What they were not
    /// given they have dropped, which the receipt counts. The next event will have the id `next`, of another epoch.
    pub fn end(&mut self, next: EventId) -> (EndReceipt, Output<S>) {
        let head = self.next_id();
        let changes = self.changes.len();
        let dropped = self.make_room(head.seq);
        // Nobody is busy who is told the rest now.
        self.changes.truncate(changes);
        self.dropped = self.dropped.saturating_add(dropped);
        let receipt = EndReceipt {
            id: self.log.newest(),
            subscribers: self.subscribers.len(),
            dropped: dropped.saturating_add(std::mem::take(&mut self.unreported)),
        };
        let all: Vec<ConnId> = self.subscribers.keys().copied().collect();
        let mut work = Output::new();
        self.end_streams(&all, |place| place.serve_end(head), &mut work);
        self.log.begin_again(next);
        (receipt, work)
    }

    /// Ends the streams `conns`, each with a last chunk that depends on its place, and forgets them.
    fn end_streams(
        &mut self,
        conns: &[ConnId],
        last_chunk: impl Fn(&Cursor) -> Vec<u8>,
        work: &mut Output<S>,
    ) {
        let mut served: Vec<(Cursor, usize)> = Vec::new();
        for conn in conns {
            let Some(subscriber) = self.subscribers.get(conn) else {
                continue;
            };
            let place = &subscriber.place;
            let known = served.iter().find(|(at, _)| at == place);
            let chunk = known.map(|(_, chunk)| *chunk).unwrap_or_else(|| {
                let chunk = work.add_chunk(last_chunk(place));
                served.push((place.clone(), chunk));
                chunk
            });
            work.write(*conn, &subscriber.stream, chunk);
            work.ended.push((*conn, subscriber.stream.clone()));
            self.leave(*conn);
        }
    }

    /// What has changed for streams since this was last asked.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        let busy = self.subscribers.values().filter(|stream| stream.busy);
        Stats {
            newest: self.log.newest(),
            subscribers: self.subscribers.len(),
            busy: busy.count(),
            published: self.published,
            dropped: self.dropped,
            connected: self.connected,
        }
    }
}

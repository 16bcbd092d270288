//! One channel's log and streams, and what happens to them: join, leave, append, flush, tick.

#[cfg(test)]
mod model;

use std::collections::BTreeMap;

use super::log::Log;
use super::pacing::Pacer;
use super::subscriber::{Serving, Subscriber};
use super::{Change, ConnId, Limits, Millis, Receipt, Stats, Stream, Work, Write};
use crate::sse::{self, EventId};

/// One channel's log and streams.
#[derive(Debug)]
pub struct Hub<S> {
    log: Log,
    subscribers: BTreeMap<ConnId, Subscriber<S>>,
    pacer: Pacer,
    stall: Option<Millis>,
    /// How many subscribers have their cursor below the log's tail: each loses one more with every event removed.
    fallen: u64,
    /// No subscriber whose cursor is in the log has it below this. Spares most appends a look at every stream.
    lowest: u64,
    /// Events were appended since the last flush, and somebody is there to get them.
    unflushed: bool,
    /// The last flush left a stream behind.
    behind: bool,
    /// When heartbeats and stalls are looked at next.
    next_tick: Millis,
    changes: Vec<Change>,
    published: u64,
    dropped: u64,
    connected: u64,
}

impl<S: Stream> Hub<S> {
    /// A channel without streams, whose first event will be `<epoch>-1`.
    pub fn new(epoch: u64, limits: &Limits) -> Self {
        Self {
            log: Log::new(epoch, limits.buffer_events, limits.buffer_bytes),
            subscribers: BTreeMap::new(),
            pacer: Pacer::new(limits.flush_max, limits.heartbeat, limits.stall),
            stall: limits.stall,
            fallen: 0,
            lowest: 1,
            unflushed: false,
            behind: false,
            next_tick: 0,
            changes: Vec::new(),
            published: 0,
            dropped: 0,
            connected: 0,
        }
    }

    /// Gives out the number for a stream that is about to open. Its first block says where the channel stands now.
    pub fn open(&mut self) -> (ConnId, EventId) {
        self.connected = self.connected.saturating_add(1);
        (self.connected, self.log.newest())
    }

    /// Takes in a stream whose first block was written. From here on it gets every event.
    pub fn join(&mut self, conn: ConnId, stream: S, now: Millis) {
        if self.subscribers.is_empty() {
            self.next_tick = now.saturating_add(self.pacer.tick());
            self.lowest = self.log.head();
        }
        self.subscribers
            .insert(conn, Subscriber::new(stream, self.log.head(), now));
    }

    /// Forgets a stream that has ended. Returns how many events it dropped without being told, `None` where it was
    /// not here (any more).
    pub fn leave(&mut self, conn: ConnId) -> Option<u64> {
        let untold = self.subscribers.remove(&conn)?.untold(self.log.tail());
        if untold > 0 {
            self.fallen = self.fallen.saturating_sub(1);
        }
        if self.subscribers.is_empty() {
            self.unflushed = false;
            self.behind = false;
        }
        Some(untold)
    }

    /// How many streams are open.
    pub fn subscribers(&self) -> usize {
        self.subscribers.len()
    }

    /// Whether appending `events` events of `wire` bytes would take events away from a stream that has kept up until
    /// now. The caller should flush and, if that does not help, let the runtime take what it was given (one turn of
    /// its event loop), and flush again: a stream that is not ready then is backing up.
    pub fn would_overrun(&self, events: usize, wire: usize) -> bool {
        let tail = self.log.tail_with_room_for(events, wire);
        self.lowest < tail
            && self
                .subscribers
                .values()
                .any(|subscriber| !subscriber.busy && subscriber.cursor < tail)
    }

    /// Appends `wire`, a text of encoded events without ids, all of them or (where there is none) nothing. Older
    /// events give way; the streams that never had them drop them.
    pub fn append(&mut self, wire: &str) -> Receipt {
        let events = sse::events(wire).count();
        let dropped = self.make_room(self.log.tail_with_room_for(events, wire.len()));
        for event in sse::events(wire) {
            self.log.append(event);
        }
        self.published = self.published.saturating_add(events as u64);
        self.dropped = self.dropped.saturating_add(dropped);
        self.unflushed = !self.subscribers.is_empty();
        Receipt {
            id: self.log.newest(),
            events,
            subscribers: self.subscribers.len(),
            dropped,
        }
    }

    /// Removes the events before `tail`. Returns how many deliveries of them were still due.
    fn make_room(&mut self, tail: u64) -> u64 {
        let old_tail = self.log.tail();
        let mut dropped = self.fallen.saturating_mul(tail.saturating_sub(old_tail));
        if self.lowest < tail {
            self.lowest = self.log.head();
            for (conn, subscriber) in &mut self.subscribers {
                if subscriber.cursor < old_tail {
                    continue;
                }
                if subscriber.cursor >= tail {
                    self.lowest = self.lowest.min(subscriber.cursor);
                    continue;
                }
                dropped = dropped.saturating_add(subscriber.untold(tail));
                self.fallen = self.fallen.saturating_add(1);
                if subscriber.fall_behind() {
                    self.changes.push(Change::Busy(*conn));
                }
            }
        }
        self.log.remove_before(tail);
        dropped
    }

    /// Does what is due at `now`: a flush, heartbeats, the end of stalled streams.
    pub fn poll(&mut self, now: Millis) -> Work<S> {
        let mut work = if self.flush_at().is_some_and(|at| at <= now) {
            self.flush(now)
        } else {
            Work::new()
        };
        if !self.subscribers.is_empty() && self.next_tick <= now {
            self.next_tick = now.saturating_add(self.pacer.tick());
            self.end_stalled(now, &mut work);
            self.beat(now, &mut work);
        }
        work
    }

    /// The moment at which [`poll`](Self::poll) has something to do, if there is one. None without subscribers.
    pub fn next_poll(&self) -> Option<Millis> {
        let tick = (!self.subscribers.is_empty()).then_some(self.next_tick);
        self.flush_at().into_iter().chain(tick).min()
    }

    fn flush_at(&self) -> Option<Millis> {
        if self.unflushed {
            Some(self.pacer.next_flush(self.subscribers.len()))
        } else {
            self.behind.then(|| self.pacer.next_retry())
        }
    }

    /// Serves every stream that is behind and ready. Streams at the same place share a chunk.
    pub fn flush(&mut self, now: Millis) -> Work<S> {
        let mut work = Work::new();
        let mut shared: Vec<(u64, usize)> = Vec::new();
        let mut progress = self.unflushed;
        let (head, tail) = (self.log.head(), self.log.tail());
        self.behind = false;
        for (conn, subscriber) in &mut self.subscribers {
            if !subscriber.is_behind(head) {
                continue;
            }
            if !subscriber.stream.is_ready() {
                subscriber.pass_over(now);
                self.behind = true;
                continue;
            }
            progress = true;
            let cursor = subscriber.cursor;
            let chunk = match subscriber.serve(&self.log, now) {
                Serving::Own(chunk) => work.add_chunk(chunk),
                Serving::Shared => match shared.iter().find(|(from, _)| *from == cursor) {
                    Some((_, chunk)) => *chunk,
                    None => {
                        let mut bytes = Vec::new();
                        self.log.read(cursor, usize::MAX, &mut bytes);
                        let chunk = work.add_chunk(bytes);
                        shared.push((cursor, chunk));
                        chunk
                    }
                },
            };
            if cursor < tail && subscriber.cursor >= tail {
                self.fallen = self.fallen.saturating_sub(1);
                self.lowest = self.lowest.min(subscriber.cursor);
            }
            match subscriber.settle(head) {
                Some(dropped) => self.changes.push(Change::CaughtUp(*conn, dropped)),
                None => self.behind |= subscriber.is_behind(head),
            }
            work.writes.push(Write {
                conn: *conn,
                stream: subscriber.stream.clone(),
                chunk,
            });
        }
        self.unflushed = false;
        self.pacer.flushed(now, self.subscribers.len(), progress);
        work
    }

    /// Forgets the streams that have kept events waiting for too long.
    fn end_stalled(&mut self, now: Millis, work: &mut Work<S>) {
        let Some(stall) = self.stall else { return };
        let head = self.log.head();
        for (conn, subscriber) in &self.subscribers {
            if subscriber.written_at.saturating_add(stall) <= now
                && subscriber.keeps_events_waiting(head)
                && !subscriber.stream.is_ready()
            {
                work.stalled.push((*conn, subscriber.stream.clone()));
            }
        }
        for (conn, _) in &work.stalled {
            self.leave(*conn);
        }
    }

    /// Writes heartbeats to the streams that have been silent for long enough.
    fn beat(&mut self, now: Millis, work: &mut Work<S>) {
        let mut heartbeat = None;
        let head = self.log.head();
        for (conn, subscriber) in &mut self.subscribers {
            // One that is behind is written to by the next flush, and may be in the middle of an event.
            if !subscriber.is_behind(head)
                && self.pacer.heartbeat_due(*conn, subscriber.written_at, now)
                && subscriber.stream.is_ready()
            {
                let chunk =
                    *heartbeat.get_or_insert_with(|| work.add_chunk(sse::HEARTBEAT.to_vec()));
                subscriber.wrote(now, false);
                work.writes.push(Write {
                    conn: *conn,
                    stream: subscriber.stream.clone(),
                    chunk,
                });
            }
        }
    }

    /// What has changed for streams since this was last asked.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        Stats {
            newest: self.log.newest(),
            subscribers: self.subscribers.len(),
            busy: self
                .subscribers
                .values()
                .filter(|subscriber| subscriber.busy)
                .count(),
            published: self.published,
            dropped: self.dropped,
            connected: self.connected,
        }
    }
}

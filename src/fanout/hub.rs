//! One channel's log and streams, and what happens to them: join, leave, append, flush, tick.

#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod simulation;

use std::collections::BTreeMap;

use super::history::{History, HistoryError, Since, Start};
use super::log::Log;
use super::pacing::Pacer;
use super::subscriber::{Place, Serving, Subscriber};
use super::{
    Before, Change, ConnId, EndReceipt, Joining, Limits, Millis, Receipt, Stats, Stream, Work,
};
use crate::sse::{self, Batch, EventId};

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
    pacer: Pacer,
    stall: Option<Millis>,
    /// How many subscribers have dropped events that they were not told of: each drops one more with every event removed.
    fallen: u64,
    /// No subscriber whose cursor is in the log has it below this. Spares most appends a look at every stream.
    lowest: u64,
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
    /// When heartbeats and stalls are looked at next.
    next_tick: Millis,
    changes: Vec<Change>,
    published: u64,
    dropped: u64,
    connected: u64,
}

impl<S: Stream> Hub<S> {
    /// A channel without streams, whose next event will have the id `next`.
    pub fn new(next: EventId, limits: &Limits) -> Self {
        Self {
            log: Log::new(next, limits.buffer_events, limits.buffer_bytes),
            subscribers: BTreeMap::new(),
            pacer: Pacer::new(limits.flush_max, limits.heartbeat, limits.stall),
            stall: limits.stall,
            fallen: 0,
            lowest: next.seq,
            turn: 0,
            flushing: None,
            progress: false,
            last_group_in: None,
            group: GROUP,
            unflushed_since: None,
            left_over: false,
            next_tick: 0,
            changes: Vec::new(),
            published: 0,
            dropped: 0,
            connected: 0,
        }
    }

    /// Gives out the number for a stream that is about to open.
    pub fn open(&mut self) -> ConnId {
        self.connected = self.connected.saturating_add(1);
        self.connected
    }

    /// Where a stream starts that asks for the events `since`. To be asked in the turn in which it joins.
    pub fn start(
        &self,
        since: &Since,
        history: &mut dyn History,
        now: Millis,
    ) -> Result<Start, HistoryError> {
        let held = history.tail(now)?.unwrap_or(self.log.tail());
        let head = self.next_id();
        Ok(Start::new(since, held.min(head.seq), head))
    }

    /// The id that the next event will get.
    pub fn next_id(&self) -> EventId {
        EventId {
            epoch: self.log.epoch(),
            seq: self.log.head(),
        }
    }

    /// Takes in a stream whose first block was written. From its place on it gets every event.
    pub fn join(&mut self, conn: ConnId, stream: S, joining: &Joining, now: Millis) {
        if self.subscribers.is_empty() {
            self.next_tick = now.saturating_add(self.pacer.tick());
        }
        let behind = joining.cursor < self.log.head();
        let reads_history = joining.history && (behind || joining.catch_up);
        let place = Place::at(joining.cursor, reads_history);
        if behind {
            self.unflushed_since.get_or_insert(now);
        }
        if joining.cursor >= self.log.tail() {
            self.lowest = self.lowest.min(joining.cursor);
        }
        let catch_up = joining.history && joining.catch_up;
        let subscriber = Subscriber::new(stream, place, catch_up, now, self.turn);
        self.subscribers.insert(conn, subscriber);
    }

    /// Forgets a stream that has ended. Returns whether it was (still) here.
    pub fn leave(&mut self, conn: ConnId) -> bool {
        let Some(subscriber) = self.subscribers.remove(&conn) else {
            return false;
        };
        if subscriber.place.untold(self.log.tail()) > 0 {
            self.fallen = self.fallen.saturating_sub(1);
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
    pub fn before_append(&mut self, batch: &Batch) -> Before {
        self.before_removing(self.log.tail_with_room_for(batch))
    }

    /// The same before the channel's [`end`](Self::end), which takes everything out of the log.
    pub fn before_end(&mut self) -> Before {
        self.before_removing(self.log.head())
    }

    fn before_removing(&mut self, tail: u64) -> Before {
        let loses_nothing = tail == self.log.tail() || (self.lowest >= tail && self.fallen == 0);
        if loses_nothing {
            return Before::Append;
        }
        let mut before = Before::Append;
        for subscriber in self.subscribers.values_mut() {
            let place = &subscriber.place;
            let reads_history = place.reads_history && place.cursor < self.log.tail();
            if place.cursor >= tail || reads_history {
                continue;
            }
            if subscriber.stream.is_ready() {
                return if self.last_group_in == Some(self.turn) {
                    Before::Turn
                } else {
                    Before::Flush
                };
            }
            if subscriber.busy || subscriber.late {
                continue;
            }
            if subscriber.written_in == self.turn {
                // It had no time yet to take what it was given.
                before = Before::Turn;
            } else {
                subscriber.late = true;
            }
        }
        before
    }

    /// The event loop goes round: what was written until now can be taken. To be told when a publisher begins to wait for
    /// that, and when the caller's timer is due.
    pub fn begin_turn(&mut self) {
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
                let cursor = subscriber.place.cursor;
                if cursor < old_tail {
                    continue;
                }
                if cursor >= tail {
                    self.lowest = self.lowest.min(cursor);
                    continue;
                }
                if subscriber.place.reads_history {
                    continue;
                }
                dropped = dropped.saturating_add(subscriber.place.untold(tail));
                self.fallen = self.fallen.saturating_add(1);
                if subscriber.start_dropping() {
                    self.changes.push(Change::Busy(*conn));
                }
            }
        }
        self.log.remove_before(tail);
        dropped
    }

    /// Ends the channel: everything that it holds is removed, and all streams are told and ended. What they were not
    /// given they have dropped, which the receipt counts. The next event will have the id `next`, of another epoch.
    pub fn end(&mut self, next: EventId) -> (EndReceipt, Work<S>) {
        let head = self.next_id();
        let dropped = self.make_room(head.seq);
        self.dropped = self.dropped.saturating_add(dropped);
        let receipt = EndReceipt {
            id: self.log.newest(),
            subscribers: self.subscribers.len(),
            dropped,
        };
        let mut work = Work::new();
        let mut served: Vec<(&Place, usize)> = Vec::new();
        for (conn, subscriber) in &self.subscribers {
            let place = &subscriber.place;
            let known = served.iter().find(|(at, _)| *at == place);
            let chunk = known.map(|(_, chunk)| *chunk).unwrap_or_else(|| {
                let chunk = work.add_chunk(place.serve_end(head));
                served.push((place, chunk));
                chunk
            });
            work.write(*conn, &subscriber.stream, chunk);
            work.ended.push((*conn, subscriber.stream.clone()));
        }
        for (conn, _) in &work.ended {
            self.leave(*conn);
        }
        self.log.begin_again(next);
        self.lowest = next.seq;
        (receipt, work)
    }

    /// The events from number `from` on, encoded, with their numbers: at most `max_events`, and no more once they
    /// have `max_bytes`.
    pub fn read(
        &self,
        from: u64,
        max_events: usize,
        max_bytes: usize,
        history: &mut dyn History,
    ) -> Result<Vec<(EventId, String)>, HistoryError> {
        let mut events = Vec::new();
        let mut bytes = 0_usize;
        let head = self.log.head();
        let mut next = EventId {
            epoch: self.log.epoch(),
            seq: from,
        };
        while next.seq < head && events.len() < max_events && bytes < max_bytes {
            let page = if next.seq < self.log.tail() {
                history.page(next.seq)?
            } else {
                self.log.page(next.seq)
            };
            let skipped = usize::try_from(next.seq.saturating_sub(page.first));
            let batch = Batch::from_wire(page.wire);
            let held = usize::try_from(head.saturating_sub(next.seq)).unwrap_or(usize::MAX);
            let room = max_events.saturating_sub(events.len()).min(held);
            let before = events.len();
            for event in batch.iter().skip(skipped.unwrap_or(usize::MAX)).take(room) {
                if bytes >= max_bytes {
                    break;
                }
                bytes = bytes.saturating_add(event.len());
                events.push((next, event.to_owned()));
                next.seq = next.seq.saturating_add(1);
            }
            if events.len() == before {
                return Err(HistoryError(format!("event {} is missing", next.seq)));
            }
        }
        Ok(events)
    }

    /// Does what is due at `now`: a flush, heartbeats, the end of stalled streams.
    pub fn poll(&mut self, history: &mut dyn History, now: Millis) -> Work<S> {
        let mut work = if self.flush_at().is_some_and(|at| at <= now) {
            self.flush(history, now)
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
        if self.flushing.is_some() {
            Some(0)
        } else if let Some(since) = self.unflushed_since {
            Some(self.pacer.next_flush(self.subscribers.len(), since))
        } else {
            self.left_over.then(|| self.pacer.next_retry())
        }
    }

    /// Whether a flush is under way: its next group is due after a turn of the event loop.
    pub fn is_flushing(&self) -> bool {
        self.flushing.is_some()
    }

    /// Goes on with the flush under way, or begins one: serves the next [`GROUP`] streams that something is due to and
    /// that are ready. Streams at the same place share a chunk.
    /// One whose history cannot be read is ended: its client resumes.
    pub fn flush(&mut self, history: &mut dyn History, now: Millis) -> Work<S> {
        let mut work = Work::new();
        let from = self.flushing.take().unwrap_or_else(|| {
            self.progress = self.unflushed_since.take().is_some();
            self.left_over = false;
            if self.progress {
                self.pacer.begin_flush(now);
            }
            0
        });
        let mut served: Vec<(Place, Serving, usize)> = Vec::new();
        let (head, tail) = (self.log.head(), self.log.tail());
        for (conn, subscriber) in self.subscribers.range_mut(from..) {
            if !subscriber.place.is_behind(head) {
                continue;
            }
            if !subscriber.stream.is_ready() {
                subscriber.pass_over(now);
                self.left_over = true;
                continue;
            }
            if work.writes.len() >= self.group {
                self.flushing = Some(*conn);
                break;
            }
            let known = served.iter().position(|(at, ..)| *at == subscriber.place);
            if known.is_none() {
                let mut serving = match subscriber.place.serve(&mut self.log, history, now) {
                    Ok(serving) => serving,
                    Err(error) => {
                        work.ended.push((*conn, subscriber.stream.clone()));
                        work.error = Some(error);
                        continue;
                    }
                };
                let chunk = work.add_chunk(std::mem::take(&mut serving.chunk));
                served.push((subscriber.place.clone(), serving, chunk));
            }
            let last = served.len().saturating_sub(1);
            let Some((at, serving, chunk)) = served.get(known.unwrap_or(last)) else {
                continue;
            };
            if at.cursor < tail && serving.then.cursor >= tail {
                if !at.reads_history {
                    self.fallen = self.fallen.saturating_sub(1);
                }
                self.lowest = self.lowest.min(serving.then.cursor);
            }
            let caught_up = subscriber.served(serving, head, now, self.turn);
            if let Some(dropped) = caught_up {
                self.changes.push(Change::CaughtUp(*conn, dropped));
            }
            self.left_over |= subscriber.place.is_behind(head);
            work.write(*conn, &subscriber.stream, *chunk);
        }
        for (conn, _) in &work.ended {
            self.leave(*conn);
        }
        self.progress |= !work.writes.is_empty();
        if self.flushing.is_some() {
            self.last_group_in = Some(self.turn);
        } else {
            self.pacer
                .end_flush(now, self.subscribers.len(), self.progress);
        }
        work
    }

    /// Forgets the streams that have kept events waiting for too long.
    fn end_stalled(&mut self, now: Millis, work: &mut Work<S>) {
        let Some(moment) = self.stall.and_then(|stall| now.checked_sub(stall)) else {
            return;
        };
        for (conn, subscriber) in &self.subscribers {
            if subscriber.has_waited_since(moment) && !subscriber.stream.is_ready() {
                work.ended.push((*conn, subscriber.stream.clone()));
            }
        }
        for (conn, _) in &work.ended {
            self.leave(*conn);
        }
    }

    /// Writes heartbeats to the streams that have been silent for long enough.
    fn beat(&mut self, now: Millis, work: &mut Work<S>) {
        let mut heartbeat = None;
        let head = self.log.head();
        for (conn, subscriber) in &mut self.subscribers {
            // One that something is due to is written to by the next flush, and may be in the middle of an event.
            if !subscriber.place.is_behind(head)
                && self.pacer.heartbeat_due(*conn, subscriber.written_at, now)
                && subscriber.stream.is_ready()
            {
                let chunk =
                    *heartbeat.get_or_insert_with(|| work.add_chunk(sse::HEARTBEAT.to_vec()));
                subscriber.wrote_heartbeat(now, self.turn);
                work.write(*conn, &subscriber.stream, chunk);
            }
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

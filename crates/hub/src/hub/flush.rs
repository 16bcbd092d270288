//! What a hub does in time: flushes, heartbeats, the end of stalled streams.

use super::super::cursor::{Chunk, Cursor};
use super::super::history::History;
use super::super::{Change, ConnId, Millis, Output, Stream};
use super::Hub;
use crate::sse;

/// How many places in the history are read before the event loop goes round: each costs a query and up to a row of 1 MiB.
const READ_GROUP: usize = 16;

impl<S: Stream> Hub<S> {
    /// Does what is due at `now`: a flush, heartbeats, the end of stalled streams and of those that may listen no longer.
    pub fn poll(&mut self, history: &mut dyn History, now: Millis) -> Output<S> {
        let mut work = if self.flush_at().is_some_and(|at| at <= now) {
            self.flush(history, now)
        } else {
            Output::new()
        };
        if !self.subscribers.is_empty() && self.next_tick <= now {
            self.next_tick = now.saturating_add(self.pacer.tick());
            self.end_stalled(now, &mut work);
            self.beat(now, &mut work);
        }
        self.end_expired(now, &mut work);
        work
    }

    /// The moment at which [`poll`](Self::poll) has something to do, if there is one. None without subscribers.
    pub fn next_poll(&self) -> Option<Millis> {
        let tick = (!self.subscribers.is_empty()).then_some(self.next_tick);
        let expiry = self.expiring.first().map(|(expires, _)| *expires);
        self.flush_at().into_iter().chain(tick).chain(expiry).min()
    }

    pub(super) fn flush_at(&self) -> Option<Millis> {
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
    pub fn flush(&mut self, history: &mut dyn History, now: Millis) -> Output<S> {
        let mut work = Output::new();
        let from = self.flushing.take().unwrap_or_else(|| {
            self.progress = self.unflushed_since.take().is_some();
            self.left_over = false;
            self.unread.begin_flush();
            if self.progress {
                self.pacer.begin_flush(now);
            }
            0
        });
        let mut served: Vec<(Cursor, Chunk, usize)> = Vec::new();
        let mut read = 0_usize;
        let max_chunk = self.unread.max_chunk();
        let (head, tail) = (self.log.head(), self.log.tail());
        for (conn, subscriber) in self.subscribers.range_mut(from..) {
            if !subscriber.place.is_behind(head) {
                continue;
            }
            if !subscriber.stream.is_ready() {
                subscriber.pass_over(now);
                self.unread.add(subscriber.chunk_bytes);
                self.left_over = true;
                continue;
            }
            let known = served.iter().position(|(at, ..)| *at == subscriber.place);
            let reads = known.is_none() && subscriber.place.is_in_history(tail);
            if work.writes.len() >= self.group || (reads && read >= READ_GROUP) {
                self.flushing = Some(*conn);
                break;
            }
            if known.is_none() {
                read = read.saturating_add(usize::from(reads));
                let served_now = subscriber
                    .place
                    .serve(&mut self.log, history, now, max_chunk);
                let mut serving = match served_now {
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
                    self.lagging = self.lagging.saturating_sub(1);
                }
                self.cursor_lower_bound = self.cursor_lower_bound.min(serving.then.cursor);
            }
            subscriber.chunk_bytes = work.chunks.get(*chunk).map_or(0, Vec::len);
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
    fn end_stalled(&mut self, now: Millis, work: &mut Output<S>) {
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

    /// Tells the streams that may listen no longer, and ends them. They are written to whether they are ready or not.
    fn end_expired(&mut self, now: Millis, work: &mut Output<S>) {
        let expiring = self.expiring.iter();
        let expired: Vec<ConnId> = expiring
            .take_while(|(expires, _)| *expires <= now)
            .map(|(_, conn)| *conn)
            .collect();
        let epoch = self.log.epoch();
        self.end_streams(&expired, |place| place.serve_expired(epoch), work);
    }

    /// Writes heartbeats to the streams that have been silent for long enough.
    fn beat(&mut self, now: Millis, work: &mut Output<S>) {
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
}

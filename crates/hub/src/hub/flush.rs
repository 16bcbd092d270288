//! Writes to the streams: flushes, heartbeats, and the end of streams.

use super::Hub;
use crate::Millis;
use crate::change::Change;
use crate::cursor::{AfterChunk, Cursor, MissedEvents};
use crate::end_reason::EndReason;
use crate::history::History;
use crate::output::{Chunk, Output};
use crate::stream::Stream;
use crate::subscriber::Subscriber;

/// A flush reads the history at this many positions before the event loop makes its next turn. Each read costs a query
/// and a row of up to 1 MiB.
const READ_GROUP: usize = 16;

/// A chunk of this group of a flush, for all subscribers at one position.
struct SharedChunk {
    cursor: Cursor,
    missed: MissedEvents,
    /// Whether the frame asks what the Workers hold.
    asks: bool,
    after: AfterChunk,
    /// The index of the chunk in the output.
    index: usize,
}

impl SharedChunk {
    /// Whether the subscriber is at the position of this chunk.
    fn is_for<S: Stream>(&self, subscriber: &Subscriber<S>) -> bool {
        self.cursor == subscriber.cursor
            && self.missed == subscriber.mode.missed_events()
            && self.asks == subscriber.asks()
    }
}

impl<S: Stream> Hub<S> {
    /// Does what is due at `now`: writes a group of a flush and heartbeats, and ends streams that have stalled or
    /// expired.
    pub fn poll(&mut self, history: &mut dyn History, now: Millis) -> Output<S> {
        let mut output = if self.flush_at().is_some_and(|at| at <= now) {
            self.flush(history, now)
        } else {
            Output::new()
        };
        if !self.subscribers.is_empty() && self.liveness.next_tick() <= now {
            self.liveness.note_tick(now);
            self.end_stalled(now, &mut output);
            self.write_heartbeats(now, &mut output);
        }
        self.end_expired(now, &mut output);
        output
    }

    /// Returns the time at which [`poll`](Self::poll) has something to do, if it has. Without streams it has nothing to
    /// do, and neither if all streams are feeds that are level.
    pub fn next_poll(&self) -> Option<Millis> {
        let flush = self.flush_at();
        let needs_ticks = self.ticking.any() || flush.is_some() || !self.may_sleep;
        let tick = (needs_ticks && !self.subscribers.is_empty()).then(|| self.liveness.next_tick());
        flush
            .into_iter()
            .chain(tick)
            .chain(self.expiry.next())
            .min()
    }

    /// Returns the time at which the next group of a flush is due, if there is something to flush.
    pub(super) fn flush_at(&self) -> Option<Millis> {
        self.flushes.due(self.subscribers.len())
    }

    /// Whether a flush is in progress: its next group is due after a loop turn.
    pub fn is_flushing(&self) -> bool {
        self.flushes.is_flushing()
    }

    /// Continues the flush in progress, or begins one: makes writes to the next group of streams that are ready and
    /// behind the head. Streams at the same position share a chunk. If the channel has ended, the streams that are
    /// level after that get a `hub.end` notice, and end.
    ///
    /// If the history cannot be read for a stream, the stream ends; its client resumes.
    pub fn flush(&mut self, history: &mut dyn History, now: Millis) -> Output<S> {
        let mut output = Output::new();
        let first = self.flushes.begin_group(now);
        let group_size = self.flushes.group_size();
        let max_chunk = self.flushes.max_chunk();
        let mut chunks: Vec<SharedChunk> = Vec::new();
        let mut reads = 0_usize;
        let mut weight = 0_usize;
        let (head, tail) = (self.log.head(), self.log.tail());
        for (conn, subscriber) in self.subscribers.range_mut(first..) {
            if !subscriber.cursor.is_behind(head) && !self.log.has_ended() {
                continue;
            }
            if !subscriber.is_ready() {
                subscriber.note_not_ready(now);
                self.flushes.note_not_ready(subscriber.chunk_bytes);
                continue;
            }
            let known = chunks.iter().position(|chunk| chunk.is_for(subscriber));
            let needs_read = known.is_none() && subscriber.is_in_history(tail);
            if weight >= group_size || (needs_read && reads >= READ_GROUP) {
                self.flushes.pause_before(*conn);
                break;
            }
            let shared = if let Some(known) = known {
                known
            } else {
                reads = reads.saturating_add(usize::from(needs_read));
                match subscriber.next_chunk(&mut self.log, history, now, max_chunk) {
                    Ok(chunk) => {
                        let asks = subscriber.asks();
                        let header = chunk.after.header(asks);
                        chunks.push(SharedChunk {
                            cursor: subscriber.cursor.clone(),
                            missed: subscriber.mode.missed_events(),
                            asks,
                            after: chunk.after,
                            index: output.add_chunk(Chunk {
                                bytes: chunk.bytes,
                                header,
                            }),
                        });
                    }
                    Err(error) => {
                        output.end(*conn, &subscriber.stream, EndReason::Unreadable);
                        output.error = Some(error);
                        continue;
                    }
                }
                chunks.len().saturating_sub(1)
            };
            let Some(shared) = chunks.get(shared) else {
                debug_assert!(false, "the chunk was found or added");
                continue;
            };
            let (from, to) = (shared.cursor.next_seq, shared.after.cursor.next_seq);
            self.drops.note_move(from, to, shared.missed, tail);
            let caught_up = self.ticking.track(subscriber, |it| {
                it.note_chunk(&shared.after, head, now, self.loop_turn)
            });
            if let Some(dropped) = caught_up {
                self.changes.push(Change::CaughtUp(*conn, dropped));
            }
            output.write(*conn, &subscriber.stream, shared.index);
            weight = weight.saturating_add(subscriber.group_weight());
            if subscriber.cursor.is_behind(head) {
                self.flushes.note_left_over();
            } else if self.log.has_ended() {
                output.end(*conn, &subscriber.stream, EndReason::ChannelEnded);
            }
        }
        self.remove_ended(&output);
        let wrote = !output.writes.is_empty();
        self.flushes
            .end_group(now, self.loop_turn, self.subscribers.len(), wrote);
        output
    }
}

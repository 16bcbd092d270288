//! Appends events, and removes older events from the log.

use super::Hub;
use crate::Millis;
use crate::change::Change;
use crate::cursor::MissedEvents;
use crate::readiness::Readiness;
use crate::receipt::Receipt;
use crate::sse::Batch;
use crate::stream::Stream;

impl<S: Stream> Hub<S> {
    /// Returns what has to be done before `batch` is appended, so that responsive subscribers drop no events. The batch
    /// may need the room of events that a subscriber was not given yet.
    ///
    /// Call this again after each step, until it returns [`Readiness::Ready`]. The number of steps is limited.
    pub fn readiness_to_append(&mut self, batch: &Batch, now: Millis) -> Readiness {
        self.readiness_to_remove_before(self.log.tail_with_room_for(batch), now)
    }

    /// Like [`readiness_to_append`](Self::readiness_to_append), before all events are removed: before
    /// [`delete`](Self::delete) and before an [`evict`](Self::evict) of all events.
    pub fn readiness_to_empty(&mut self, now: Millis) -> Readiness {
        self.readiness_to_remove_before(self.log.head(), now)
    }

    /// Returns what has to be done before the events before `tail` are removed.
    fn readiness_to_remove_before(&mut self, tail: u64, now: Millis) -> Readiness {
        let old_tail = self.log.tail();
        let nothing_is_lost = tail == old_tail
            || (!self.drops.may_have_cursor_before(tail) && self.drops.lagging() == 0);
        if nothing_is_lost {
            return Readiness::Ready;
        }
        let mut readiness = Readiness::Ready;
        for subscriber in self.subscribers.values_mut() {
            if subscriber.cursor.next_seq >= tail || subscriber.is_in_history(old_tail) {
                continue;
            }
            if subscriber.is_ready() {
                return if self.flushes.has_paused_in(self.loop_turn) {
                    Readiness::WaitForLoopTurn
                } else {
                    Readiness::FlushFirst
                };
            }
            if !subscriber.mode.is_responsive() {
                continue;
            }
            if subscriber.may_take_in_time(self.loop_turn, now) {
                readiness = Readiness::WaitForLoopTurn;
            } else {
                subscriber.mode.become_unresponsive();
            }
        }
        readiness
    }

    /// Appends `batch`. If the log is full, the oldest events are removed; the subscribers that were not given these
    /// drop them. If the channel has ended, it is open again.
    pub fn append(&mut self, batch: &Batch, now: Millis) -> Receipt {
        self.remove_before(self.log.tail_with_room_for(batch));
        self.log.append(batch);
        self.counters.count_events(batch.events);
        if !self.subscribers.is_empty() {
            self.flushes.note_events(now);
        }
        Receipt {
            id: self.log.newest(),
            events: batch.events,
            subscribers: self.subscribers.len(),
            dropped: self.drops.take_unreported(),
        }
    }

    /// Removes the events before `tail` from the log, and counts the deliveries that are dropped.
    pub(super) fn remove_before(&mut self, tail: u64) {
        let old_tail = self.log.tail();
        self.drops.count_for_lagging(tail.saturating_sub(old_tail));
        if self.drops.may_have_cursor_before(tail) {
            self.drop_missed_events(old_tail, tail);
        }
        self.log.remove_before(tail);
    }

    /// Makes the subscribers drop the events of the log before `tail` that they were not given.
    fn drop_missed_events(&mut self, old_tail: u64, tail: u64) {
        self.drops.forget_cursors(self.log.head());
        for (conn, subscriber) in &mut self.subscribers {
            let next_seq = subscriber.cursor.next_seq;
            if next_seq < old_tail {
                continue;
            }
            if next_seq >= tail {
                self.drops.note_cursor(next_seq);
                continue;
            }
            if subscriber.mode.missed_events() == MissedEvents::Replayed {
                continue;
            }
            self.drops.start_lagging(subscriber.lag(tail));
            if subscriber.mode.start_dropping() {
                self.changes.push(Change::StartedDropping(*conn));
            }
        }
    }
}

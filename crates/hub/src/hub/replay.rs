//! Reads past events: where a stream starts, and pages of events.

use super::Hub;
use crate::Millis;
use crate::history::{History, HistoryError};
use crate::sse::EventId;
use crate::start::{ReplayFrom, StartPosition};
use crate::stream::Stream;

impl<S: Stream> Hub<S> {
    /// Finds where a stream starts that asks for the events `from` a position on. No event of an earlier epoch was
    /// published since `unpublished_since`: see [`StartPosition::new`].
    pub fn start_position(
        &self,
        from: &ReplayFrom,
        unpublished_since: Millis,
        history: &mut dyn History,
        now: Millis,
    ) -> Result<StartPosition, HistoryError> {
        let head = self.next_id();
        let tail = history.tail(now)?.unwrap_or(self.log.tail());
        Ok(StartPosition::new(
            from,
            // Stored events that are not appended yet do not count.
            tail.min(head.seq),
            head,
            unpublished_since,
        ))
    }

    /// Returns the encoded events from number `from` on, with their ids: at most `max_events`, and no more once they
    /// have `max_bytes`.
    ///
    /// It is an error if an event before the head is missing.
    pub fn read_events(
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
        let has_room = |next: EventId, events: usize, bytes: usize| {
            next.seq < head && events < max_events && bytes < max_bytes
        };
        while has_room(next, events.len(), bytes) {
            let page = if next.seq < self.log.tail() {
                history.page(next.seq)?
            } else {
                self.log.page(next.seq)?
            };
            for event in page.events_from(next.seq)? {
                if !has_room(next, events.len(), bytes) {
                    break;
                }
                bytes = bytes.saturating_add(event.len());
                events.push((next, event.to_owned()));
                next.seq = next.seq.saturating_add(1);
            }
        }
        Ok(events)
    }
}

//! What a hub can say of the past: where a stream starts, and a page of events.

use super::super::history::{History, HistoryError, ReplayFrom, StartPosition};
use super::super::{Millis, Stream};
use super::Hub;
use crate::sse::{self, EventId};

impl<S: Stream> Hub<S> {
    /// Where a stream starts that asks for the events `since`. To be asked in the turn in which it joins. No event of an
    /// earlier epoch was published since `unpublished_since`.
    pub fn start_position(
        &self,
        since: &ReplayFrom,
        unpublished_since: Millis,
        history: &mut dyn History,
        now: Millis,
    ) -> Result<StartPosition, HistoryError> {
        let held = history.tail(now)?.unwrap_or(self.log.tail());
        let head = self.next_id();
        Ok(StartPosition::new(
            since,
            held.min(head.seq),
            head,
            unpublished_since,
        ))
    }

    /// The events from number `from` on, encoded, with their numbers: at most `max_events`, and no more once they
    /// have `max_bytes`.
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
        while next.seq < head && events.len() < max_events && bytes < max_bytes {
            let page = if next.seq < self.log.tail() {
                history.page(next.seq)?
            } else {
                self.log.page(next.seq)
            };
            let skipped = next
                .seq
                .checked_sub(page.first)
                .and_then(|skipped| usize::try_from(skipped).ok());
            let held = usize::try_from(head.saturating_sub(next.seq)).unwrap_or(usize::MAX);
            let room = max_events.saturating_sub(events.len()).min(held);
            let before = events.len();
            for event in sse::events(&page.wire)
                .skip(skipped.unwrap_or(usize::MAX))
                .take(room)
            {
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
}

//! `GET /channels/{id}/events`: a page of the events that the channel holds.

use serde::Serialize;
use web_sys::Response;

use super::shared::Shared;
use super::state::ChannelState;
use crate::http::problem::Problem;
use crate::http::response::{Failure, Responder};
use crate::http::subscribe::EventsQuery;
use sse_hub::sse::{self, EventId, Missing};
use sse_hub::{History, HistoryError};

/// A page ends when its encoded events have this many bytes. As JSON they may have six times as many, and the runtime
/// keeps the page until the client has read it.
const PAGE_BYTES: usize = 64 * 1024;

/// The type that the SSE standard gives an event without a type.
const DEFAULT_TYPE: &str = "message";

/// The JSON of the answer.
#[derive(Serialize)]
struct EventsBody {
    events: Vec<EventBody>,
    /// The requested events that the channel does not hold any more.
    gap: Option<Missing>,
    /// The value of `after` for the next page.
    next: EventId,
    /// Whether the channel has ended and no event follows this page.
    ended: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct EventBody {
    id: EventId,
    event: String,
    data: String,
}

impl EventBody {
    /// Reads an event from the log or the history. Fails if the text is anything else than one event.
    fn parse(id: EventId, wire: &str) -> Result<Self, HistoryError> {
        let mut parsed = sse::parse(wire).into_iter();
        let (Some(event), None) = (parsed.next(), parsed.next()) else {
            return Err(HistoryError(format!("event {id} cannot be parsed")));
        };
        Ok(Self {
            id,
            event: if event.event_type.is_empty() {
                DEFAULT_TYPE.to_owned()
            } else {
                event.event_type
            },
            data: event.data,
        })
    }
}

impl Shared {
    /// Answers with a page of events.
    pub(super) fn events(&self, query: &str, responder: &Responder) -> Result<Response, Failure> {
        let wanted = EventsQuery::read(query)?;
        if self.deleting.get() {
            return Err(Problem::ChannelUnavailable.into());
        }
        let now = self.clock.now();
        let max_bytes = PAGE_BYTES.min(self.settings.limits.buffer_bytes);
        let page = self.with(|ChannelState { hub, store }| {
            let unpublished_since = store.unpublished_since();
            let start = hub.start_position(&wanted.since, unpublished_since, store, now)?;
            let history: &mut dyn History = store;
            let events = hub.read_events(start.next_seq, wanted.limit, max_bytes, history)?;
            let head = hub.next_id();
            let before_first = EventId::before(head.epoch, start.next_seq);
            let next = events.last().map_or(before_first, |(id, _)| *id);
            let ended = hub.has_ended() && next == EventId::before(head.epoch, head.seq);
            let events = events
                .into_iter()
                .map(|(id, wire)| EventBody::parse(id, &wire));
            Ok::<_, HistoryError>(EventsBody {
                events: events.collect::<Result<_, _>>()?,
                gap: start.gap,
                next,
                ended,
            })
        });
        let body = page.ok_or(Problem::Internal)?;
        let body = body.map_err(|error| self.storage_failed(&error))?;
        Ok(responder.json_bytes(&body)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sse_hub::sse::Epoch;

    const ID: EventId = EventId {
        epoch: Epoch::new(7, 0),
        seq: 3,
    };

    #[test]
    fn an_event_without_a_type_is_listed_as_a_message() {
        let parse = |wire| EventBody::parse(ID, wire).unwrap();
        assert_eq!(parse("data: a\ndata: b\n\n").event, "message");
        assert_eq!(parse("data: a\ndata: b\n\n").data, "a\nb");
        assert_eq!(parse("event: score\ndata: 1\n\n").event, "score");
    }

    #[test]
    fn a_text_that_is_not_exactly_one_event_is_an_error() {
        for wire in ["", "\n\n", ": comment\n\n", "data: a\n\ndata: b\n\n"] {
            assert!(EventBody::parse(ID, wire).is_err(), "{wire:?}");
        }
    }
}

//! Readers that come: a stream opens, or a page of the history is read.

use std::rc::Rc;

use js_sys::Uint8Array;
use serde::Serialize;
use web_sys::Response;

use super::Shared;
use crate::http::object::request::SubscribeRequest;
use crate::http::problem::Problem;
use crate::http::response::{self, Failure, Responder};
use crate::http::subscribe::{EventsQuery, Subscription};
use crate::logging::{Level, Line};
use sse_hub::JoinOptions;
use sse_hub::sse::{self, EventId, Missing, Notice};

/// The range that a stream's `retry:` is drawn from, in milliseconds.
const RETRY_MS: (u32, u32) = (2_000, 4_000);

/// A page of the history ends once its events have so many bytes, as they are encoded. As JSON they may have six times as
/// many, and the runtime keeps the page until the client has read it.
const PAGE_BYTES: usize = 64 * 1024;

/// The type that an event has for its readers where the publisher gave none: the standard's word.
const DEFAULT_TYPE: &str = "message";

/// The shape of `GET /channels/{id}/events`.
#[derive(Serialize)]
struct EventsBody {
    events: Vec<EventBody>,
    /// What was asked for, but is not held any more.
    gap: Option<Missing>,
    /// What to ask for next: `after` this.
    next: EventId,
}

#[derive(Serialize)]
struct EventBody {
    id: EventId,
    event: String,
    data: String,
}

impl Shared {
    /// Opens a stream: its first block goes out at once; what it asked for, and then events as they come, follow.
    pub(super) fn subscribe(
        self: &Rc<Self>,
        request: &SubscribeRequest<'_>,
        responder: &Responder,
    ) -> Result<Response, Failure> {
        let wanted = Subscription::read(request.last_event_id.as_deref(), &request.query)?;
        let now = self.clock.now();
        if self.store.borrow().is_ended(now) {
            return Ok(responder.no_content()?);
        }
        let max = self.settings.max_subscribers;
        if self.hub.borrow().subscribers() >= max {
            return Err(Problem::ChannelFull { max }.into());
        }
        let start = {
            let mut store = self.store.borrow_mut();
            let unpublished_since = store.unpublished_since();
            let hub = self.hub.borrow();
            hub.start_position(&wanted.since, unpublished_since, &mut *store, now)
        };
        let start = start.map_err(|error| self.storage_failed(&error))?;
        let conn = self.hub.borrow_mut().next_conn_id();
        let (body, stream) = self.opener.open(conn)?;
        let (least, most) = RETRY_MS;
        let mut opening = sse::opening(response::random_between(least, most), start.resume_id);
        if let Some(gap) = &start.gap {
            opening.push_str(&Notice::Gap.encode(gap));
        }
        stream.write(&Uint8Array::from(opening.as_bytes()))?;
        let options = JoinOptions {
            next_seq: start.next_seq,
            history: self.store.borrow().keeps_history(),
            catch_up: wanted.catch_up,
            expires: request.expires.map(|expires| self.clock.moment(expires)),
        };
        self.hub.borrow_mut().join(conn, stream, &options, now);
        self.set_timer();
        Level::Info.log(|| {
            let line = Line::new("listener connected")
                .field("id", self.id())
                .field("conn", conn);
            match &request.subject {
                Some(subject) => line.field("sub", subject),
                None => line,
            }
        });
        Ok(responder.event_stream(Some(&body))?)
    }

    /// A page of what is held.
    pub(super) fn events(
        self: &Rc<Self>,
        query: &str,
        responder: &Responder,
    ) -> Result<Response, Failure> {
        let wanted = EventsQuery::read(query)?;
        if self.ending.get() {
            return Err(Problem::ChannelUnavailable.into());
        }
        let mut store = self.store.borrow_mut();
        let hub = self.hub.borrow();
        let (since, now) = (&wanted.since, self.clock.now());
        let start = hub.start_position(since, store.unpublished_since(), &mut *store, now);
        let start = start.map_err(|error| self.storage_failed(&error))?;
        let max_bytes = PAGE_BYTES.min(self.settings.limits.buffer_bytes);
        let events = hub.read_events(start.next_seq, wanted.limit, max_bytes, &mut *store);
        let events = events.map_err(|error| self.storage_failed(&error))?;
        let before_first = EventId {
            epoch: hub.next_id().epoch,
            seq: start.next_seq.saturating_sub(1),
        };
        let body = EventsBody {
            next: events.last().map_or(before_first, |(id, _)| *id),
            gap: start.gap,
            events: events.into_iter().filter_map(event_body).collect(),
        };
        Ok(responder.json_bytes(&body)?)
    }
}

fn event_body((id, wire): (EventId, String)) -> Option<EventBody> {
    let parsed = sse::parse(&wire).pop()?;
    let event = if parsed.event_type.is_empty() {
        DEFAULT_TYPE.to_owned()
    } else {
        parsed.event_type
    };
    Some(EventBody {
        id,
        event,
        data: parsed.data,
    })
}

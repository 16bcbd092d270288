//! Readers: streams that open, get what is due to them, and end; and pages of the history.

use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Request, Response};

use super::Shared;
use super::stream::EventStream;
use crate::fanout::{Change, ConnId, Joining, Work};
use crate::logging::Level;
use crate::problem::Problem;
use crate::query;
use crate::response::{self, Failure};
use crate::sse::{self, EventId, Missing, Notice};
use crate::subscribe::{EventsQuery, Subscription};

/// The range that a stream's `retry:` is drawn from, in milliseconds.
const RETRY_MS: (u32, u32) = (2_000, 4_000);

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
        self: &std::rc::Rc<Self>,
        request: &Request,
    ) -> Result<Response, Failure> {
        let last_event_id = request.headers().get("Last-Event-ID").ok().flatten();
        let url = request.url();
        let wanted = Subscription::read(last_event_id.as_deref(), query::query(&url))?;
        let now = self.clock.now();
        if self.store.borrow().is_ended(now) {
            return Ok(response::no_content()?);
        }
        let max = self.settings.max_subscribers;
        if self.hub.borrow().subscribers() >= max {
            return Err(Problem::ChannelFull { max }.into());
        }
        self.keep_epoch()?;
        let start = {
            let mut store = self.store.borrow_mut();
            self.hub.borrow().start(&wanted.since, &mut *store, now)
        };
        let start = start.map_err(|error| self.storage_failed(&error))?;
        let conn = self.hub.borrow_mut().open();
        let (body, stream) = self.opener.open(conn)?;
        let (least, most) = RETRY_MS;
        let mut opening = sse::opening(response::random_between(least, most), start.at);
        if let Some(gap) = &start.gap {
            opening.push_str(&Notice::Gap.encode(gap));
        }
        stream.write(&Uint8Array::from(opening.as_bytes()))?;
        let joining = Joining {
            cursor: start.cursor,
            history: self.store.borrow().keeps_history(),
            catch_up: wanted.catch_up,
        };
        self.hub.borrow_mut().join(conn, stream, &joining, now);
        self.set_timer();
        self.log(Level::Info, || {
            format!("listener connected: id={} conn={conn}", self.id())
        });
        Ok(response::event_stream(Some(&body))?)
    }

    /// Sees to it that an id that is given out now is known after a restart.
    fn keep_epoch(self: &std::rc::Rc<Self>) -> Result<(), Problem> {
        let kept = self.store.borrow_mut().keep_epoch(self.clock.now());
        kept.map_err(|error| self.storage_failed(&error))?;
        if self.store.borrow().needs_alarm {
            let shared = self.clone();
            spawn_local(async move {
                if let Err(error) = shared.set_first_alarm().await {
                    shared.storage_failed(&error);
                }
            });
        }
        Ok(())
    }

    /// A page of what is held.
    pub(super) fn events(self: &std::rc::Rc<Self>, url: &str) -> Result<Response, Failure> {
        let wanted = EventsQuery::read(query::query(url))?;
        if self.ending.get() {
            return Err(Problem::ChannelUnavailable.into());
        }
        self.keep_epoch()?;
        let mut store = self.store.borrow_mut();
        let hub = self.hub.borrow();
        let start = hub.start(&wanted.since, &mut *store, self.clock.now());
        let start = start.map_err(|error| self.storage_failed(&error))?;
        let max_bytes = self.settings.limits.buffer_bytes;
        let events = hub.read(start.cursor, wanted.limit, max_bytes, &mut *store);
        let events = events.map_err(|error| self.storage_failed(&error))?;
        let before_first = EventId {
            epoch: hub.next_id().epoch,
            seq: start.cursor.saturating_sub(1),
        };
        let body = EventsBody {
            next: events.last().map_or(before_first, |(id, _)| *id),
            gap: start.gap,
            events: events.into_iter().filter_map(event_body).collect(),
        };
        Ok(response::json(&body)?)
    }

    /// Forgets a stream whose client has gone.
    pub(super) fn leave(&self, conn: ConnId) {
        if self.hub.borrow_mut().leave(conn) {
            self.log_left(conn);
            self.set_timer();
        }
    }

    fn log_left(&self, conn: ConnId) {
        self.log(Level::Info, || {
            format!("listener left: id={} conn={conn}", self.id())
        });
    }

    pub(super) fn flush(&self) {
        let work = {
            let mut hub = self.hub.borrow_mut();
            hub.flush(&mut *self.store.borrow_mut(), self.clock.now())
        };
        self.perform(work);
    }

    /// Does what is due, and sets the timer for what comes next.
    pub(super) fn poll(&self) {
        if self.ending.get() {
            return;
        }
        self.check_storage();
        let work = {
            let mut hub = self.hub.borrow_mut();
            hub.poll(&mut *self.store.borrow_mut(), self.clock.now())
        };
        self.perform(work);
        self.set_timer();
    }

    pub(super) fn set_timer(&self) {
        let at = self.hub.borrow().next_poll();
        if let Err(error) = self.timer.set(at, self.clock.now()) {
            self.log(Level::Error, || {
                format!("timer failed: id={} error={error}", self.id())
            });
        }
    }

    /// Reads the storage once in every heartbeat's time. The platform may leave the streams of an object that it has
    /// replaced open for a while, in which nobody publishes to them; but it ends such an object that touches its storage.
    fn check_storage(&self) {
        let now = self.clock.now();
        if now < self.next_check.get() {
            return;
        }
        self.next_check
            .set(now.saturating_add(self.settings.limits.heartbeat));
        let checked = self.store.borrow().check();
        if let Err(error) = checked {
            self.storage_failed(&error);
            self.database.abort("the storage cannot be read");
        }
    }

    /// Writes what the hub gave out. Each of its chunks is copied out of wasm memory once, however many streams get it.
    pub(super) fn perform(&self, work: Work<EventStream>) {
        let chunks: Vec<Uint8Array> = work
            .chunks
            .iter()
            .map(|chunk| Uint8Array::from(chunk.as_slice()))
            .collect();
        for write in work.writes {
            let chunk = chunks.get(write.chunk);
            if chunk.is_some_and(|chunk| write.stream.write(chunk).is_err()) {
                self.leave(write.conn);
            }
        }
        for (conn, stream) in work.ended {
            stream.end();
            self.log_left(conn);
        }
        if let Some(error) = work.error {
            self.storage_failed(&error);
        }
        let changes = self.hub.borrow_mut().take_changes();
        for change in changes {
            self.log(Level::Info, || match change {
                Change::Busy(conn) => format!("channel busy: id={} conn={conn}", self.id()),
                Change::CaughtUp(conn, dropped) => format!(
                    "channel caught up: id={} conn={conn} dropped={dropped}",
                    self.id()
                ),
            });
        }
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

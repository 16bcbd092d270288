//! `GET /channels/{id}`: opens a stream.

use js_sys::Uint8Array;
use web_sys::Response;

use super::shared::Shared;
use super::state::ChannelState;
use crate::http::object::request::SubscribeRequest;
use crate::http::problem::Problem;
use crate::http::response::{Failure, Responder};
use crate::http::subscribe::Subscription;
use crate::isolate::random::random_between;
use crate::isolate::stopping;
use crate::logging::{Level, Line};
use sse_hub::sse;
use sse_hub::{ConnId, JoinOptions, Millis, StartPosition};

/// The range of the random `retry:` of a stream, in milliseconds.
pub(super) const RETRY_MS: (u32, u32) = (2_000, 4_000);

impl Shared {
    /// Opens a stream. Its first block is written at once. The events that it asked for, and then new events, follow.
    pub(super) fn subscribe(
        &self,
        request: &SubscribeRequest<'_>,
        responder: &Responder,
    ) -> Result<Response, Failure> {
        if stopping::is_stopping() {
            return Err(Problem::Stopping.into());
        }
        let wanted = Subscription::read(request.last_event_id.as_deref(), &request.query)?;
        let now = self.clock.now();
        let Some(start) = self.start_position(&wanted, now)? else {
            return Ok(responder.no_content()?);
        };
        if request.only_check {
            return Ok(responder.event_stream(None)?);
        }
        let conn = self.with(|state| state.hub.next_conn_id());
        let conn = conn.ok_or(Problem::Internal)?;
        let (body, stream) = self.opener.open(conn)?;
        let (least, most) = RETRY_MS;
        let opening = sse::opening(random_between(least, most), self.id(), &start);
        stream.write(&Uint8Array::from(opening.as_bytes()))?;
        let joined = self.with(|ChannelState { hub, store }| {
            let options = JoinOptions {
                next_seq: start.next_seq,
                history: store.keeps_history(),
                catch_up: wanted.catch_up,
                expires: request.expires.map(|expires| self.clock.moment(expires)),
            };
            hub.join(conn, stream, &options, now);
        });
        joined.ok_or(Problem::Internal)?;
        self.set_timer();
        self.log_joined(conn, request.subject.as_deref());
        Ok(responder.event_stream(Some(&body))?)
    }

    /// Returns where a stream starts, or `None` if the channel has ended and nothing of it is missing. Fails if the
    /// channel has too many subscribers.
    fn start_position(
        &self,
        wanted: &Subscription,
        now: Millis,
    ) -> Result<Option<StartPosition>, Problem> {
        let max = self.settings.max_subscribers;
        let start = self.with(|ChannelState { hub, store }| {
            let full = Problem::ChannelFull { max };
            let is_full = hub.subscribers() >= max;
            if is_full && !hub.has_ended() {
                // This reads nothing from the storage.
                return Err(full);
            }
            let unpublished_since = store.unpublished_since();
            let start = hub.start_position(&wanted.since, unpublished_since, store, now);
            let has_everything = start
                .as_ref()
                .is_ok_and(|start| start.gap.is_none() && start.next_seq == hub.next_id().seq);
            if hub.has_ended() && has_everything {
                return Ok(None);
            }
            if is_full {
                return Err(full);
            }
            Ok(Some(start))
        });
        let start = start.ok_or(Problem::Internal)??;
        start
            .transpose()
            .map_err(|error| self.storage_failed(&error))
    }

    fn log_joined(&self, conn: ConnId, subject: Option<&str>) {
        Level::Info.log(|| {
            let line = Line::new("listener connected")
                .field("id", self.id())
                .field("conn", conn);
            match subject {
                Some(subject) => line.field("sub", subject),
                None => line,
            }
        });
    }
}

//! `GET /channels/{id}`: opens a stream.

use web_sys::Response;

use super::feeds::FeedRecord;
use super::shared::Shared;
use super::state::ChannelState;
use super::stream::{EventStream, Frame};
use crate::http::object::request::{FeedRequest, SubscribeRequest};
use crate::http::problem::Problem;
use crate::http::response::{Failure, Responder};
use crate::http::subscribe::Subscription;
use crate::isolate::random::random_between;
use crate::isolate::stopping;
use crate::logging::{Level, Line};
use crate::settings::HoldStreams;
use sse_hub::feed::{FrameHeader, Window};
use sse_hub::held::RETRY_MS;
use sse_hub::sse::{self, EventId};
use sse_hub::{Carrier, Chunk, ConnId, JoinOptions, Millis, StartPosition};

/// A stream that is open, but has not joined the hub.
struct Opened {
    response: Response,
    stream: EventStream,
    carrier: Carrier,
}

fn first_chunk(bytes: Vec<u8>, start: &StartPosition) -> Chunk {
    let header = FrameHeader {
        next_seq: start.next_seq,
        ..FrameHeader::default()
    };
    Chunk { bytes, header }
}

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
        let wanted =
            Subscription::read(self.id(), request.last_event_id.as_deref(), &request.query)?;
        let now = self.clock.now();
        let Some(start) = self.start_position(&wanted, now)? else {
            return Ok(match request.feed {
                None => responder.no_content()?,
                Some(_) => {
                    let next = self.with(|state| state.hub.next_id());
                    let next = next.ok_or(Problem::Internal)?;
                    responder.ended_feed(EventId::before(next.epoch, next.seq))?
                }
            });
        };
        if request.only_check {
            return Ok(responder.event_stream(None)?);
        }
        let conn = self.with(|state| state.hub.next_conn_id());
        let conn = conn.ok_or(Problem::Internal)?;
        let opened = match request.feed.filter(|feed| self.prefers_feed(*feed, now)) {
            Some(feed) => self.open_as_feed(conn, feed, request, &wanted, &start, responder)?,
            None => self.open_as_response(conn, &start, responder)?,
        };
        let joined = self.with(|ChannelState { hub, store }| {
            let expires = request
                .expires
                .filter(|_| opened.carrier == Carrier::Response);
            let options = JoinOptions {
                next_seq: start.next_seq,
                history: store.keeps_history(),
                catch_up: wanted.catch_up,
                expires: expires.map(|expires| self.clock.moment(expires)),
                carrier: opened.carrier,
            };
            hub.join(conn, opened.stream, &options, now);
        });
        joined.ok_or(Problem::Internal)?;
        self.set_timer();
        self.log_joined(conn, request.subject.as_deref());
        Ok(opened.response)
    }

    /// Whether the Worker is to hold the stream. Without a history, an object that sleeps would begin another epoch, so
    /// it stays awake and can as well hold the stream.
    fn prefers_feed(&self, feed: FeedRequest, now: Millis) -> bool {
        match feed {
            FeedRequest::Required | FeedRequest::Continued => true,
            FeedRequest::Optional => {
                let is_awake = match self.settings.hold_streams {
                    HoldStreams::Auto => self.activity.is_busy(now),
                    HoldStreams::Object | HoldStreams::Worker => false,
                };
                self.settings.limits.may_sleep && !is_awake
            }
        }
    }

    fn open_as_response(
        &self,
        conn: ConnId,
        start: &StartPosition,
        responder: &Responder,
    ) -> Result<Opened, Failure> {
        let (body, stream) = self.opener.open(conn)?;
        let (least, most) = RETRY_MS;
        let retry = sse::retry_field(random_between(least, most));
        let bytes = (retry + &sse::opening(self.id(), start)).into_bytes();
        stream.write(&Frame::new(&first_chunk(bytes, start)))?;
        Ok(Opened {
            response: responder.event_stream(Some(&body))?,
            stream,
            carrier: Carrier::Response,
        })
    }

    fn open_as_feed(
        &self,
        conn: ConnId,
        feed: FeedRequest,
        request: &SubscribeRequest<'_>,
        wanted: &Subscription,
        start: &StartPosition,
        responder: &Responder,
    ) -> Result<Opened, Failure> {
        let record = FeedRecord {
            channel: self.id().to_owned(),
            conn,
            epoch: start.id.epoch.to_string(),
            catch_up: wanted.catch_up,
            sub: request.subject.clone(),
        };
        let (response, stream) = self.open_feed(&record, start.id, responder)?;
        let opening = match feed {
            FeedRequest::Continued => sse::continuation(self.id(), start),
            FeedRequest::Optional | FeedRequest::Required => sse::opening(self.id(), start),
        };
        let bytes = opening.len();
        if bytes > 0 {
            stream.write(&Frame::new(&first_chunk(opening.into_bytes(), start)))?;
        }
        Ok(Opened {
            response,
            stream,
            carrier: Carrier::Feed(Window::new(bytes)),
        })
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

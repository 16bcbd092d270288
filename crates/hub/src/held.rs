//! The rules of a stream that a Worker holds: it passes the frames of one or more feeds on to its client, writes
//! heartbeats, and opens feeds again that have broken.
//!
//! - `action`: what a call leaves for its caller to do
//! - `jitter`: random numbers
//! - `backoff`: when a feed that has broken is opened again
//! - `feed`: the state of one feed
//! - [`HeldStream`]: the stream, in several files: `liveness` (heartbeats, pings, the end of streams that stall or
//!   expire) and `reopening`
//!
//! The module is pure, like the rest of the crate. The caller owns the WebSockets, the client's stream and a timer.

mod action;
mod backoff;
mod feed;
mod jitter;
mod liveness;
mod reopening;

pub use self::action::{Action, FeedNumber};
use self::feed::Link;
pub use self::feed::{FeedAnswer, HeldFeed};
use self::jitter::Jitter;
use self::liveness::HeldLiveness;
use crate::Millis;
use crate::feed::{FeedClose, FeedMessage, FrameHeader};
use crate::sse;

/// The range of the random `retry:` of a stream that opens, in milliseconds.
pub const RETRY_MS: (u32, u32) = (2_000, 4_000);

/// The range of the random `retry:` of a stream that ends although its channels go on, in milliseconds.
pub const SHORT_RETRY_MS: (u32, u32) = (100, 1_000);

/// The limits of a held stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLimits {
    /// `HEARTBEAT_SECONDS`, in milliseconds.
    pub heartbeat: Millis,
    /// `STALL_SECONDS`, in milliseconds: how long the client may take nothing before the stream ends. `None` means
    /// forever.
    pub stall: Option<Millis>,
    /// `HELD_STREAM_MESSAGES`: the stream ends after this many frames, heartbeats and pings, because the platform
    /// limits the CPU time of a request. `None` means no limit.
    pub max_messages: Option<u64>,
    /// When the client's token expires.
    pub expires: Option<Millis>,
}

/// A stream that a Worker holds.
#[derive(Debug)]
pub struct HeldStream {
    feeds: Vec<HeldFeed>,
    limits: HeldLimits,
    liveness: HeldLiveness,
    jitter: Jitter,
    messages: u64,
    has_ended: bool,
}

impl HeldStream {
    /// A stream of the channel whose feed is `feed`. The actions write the first bytes of the stream. `seed` is random.
    pub fn new(feed: HeldFeed, limits: HeldLimits, seed: u64, now: Millis) -> (Self, Vec<Action>) {
        let mut jitter = Jitter::new(seed);
        let retry = sse::retry_field(jitter.between(RETRY_MS));
        let stream = Self {
            feeds: vec![feed],
            liveness: HeldLiveness::new(&limits, &mut jitter, now),
            limits,
            jitter,
            messages: 0,
            has_ended: false,
        };
        (stream, vec![Action::Write(retry.into_bytes())])
    }

    /// Whether the client's stream has ended. After that, no call does anything.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Notes a frame with `bytes` bytes of the event stream.
    pub fn note_frame(
        &mut self,
        number: FeedNumber,
        header: FrameHeader,
        bytes: usize,
        now: Millis,
    ) -> Vec<Action> {
        let Some(feed) = self.open_feed(number) else {
            return Vec::new();
        };
        let mut actions = vec![Action::PassOn];
        if let Some(held) = feed.note_frame(header, bytes) {
            actions.push(Action::Send(number, FeedMessage::Holds(held)));
        }
        self.liveness.note_events(now);
        self.count_message(&mut actions);
        actions
    }

    /// Notes that the runtime has answered a ping in place of the object.
    pub fn note_pong(&mut self, number: FeedNumber) {
        if let Some(feed) = self.open_feed(number) {
            feed.was_heard = true;
        }
    }

    /// Notes whether the client has taken everything that was written to its stream. The caller asks the runtime before
    /// each other call, and at [`next_tick`](Self::next_tick).
    pub fn note_progress(&mut self, is_taken: bool, now: Millis) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.has_ended || !is_taken {
            return actions;
        }
        self.liveness.note_taken();
        for (number, feed) in self.feeds.iter_mut().enumerate() {
            if let Some(bytes) = feed.note_taken() {
                actions.push(Action::Send(number, FeedMessage::Taken(bytes)));
            }
        }
        self.reopen_if_due(now, &mut actions);
        actions
    }

    /// Notes that the feed has closed with the code `code`.
    pub fn note_closed(&mut self, number: FeedNumber, code: u16, now: Millis) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(feed) = self.open_feed(number) else {
            return actions;
        };
        match FeedClose::from_code(code) {
            Some(FeedClose::ChannelEnded) => {
                feed.link = Link::Ended;
                self.end_if_all_channels_have(&mut actions);
            }
            Some(FeedClose::Stalled) => self.end(&mut actions),
            Some(FeedClose::Stopping) => self.end_with_retry(&mut actions),
            Some(FeedClose::Unreadable | FeedClose::BadMessage) | None => {
                self.note_broken(number, now, &mut actions);
            }
        }
        actions
    }

    /// Notes that the client has left. The caller leaves the feeds.
    pub fn note_left(&mut self) -> Vec<Action> {
        self.has_ended = true;
        Vec::new()
    }

    /// Ends the stream because the server is stopping. Its client reconnects.
    pub fn stop(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if !self.has_ended {
            self.end_with_retry(&mut actions);
        }
        actions
    }

    /// The feed `number`, if it is open and the stream has not ended.
    fn open_feed(&mut self, number: FeedNumber) -> Option<&mut HeldFeed> {
        let feed = self.feeds.get_mut(number);
        feed.filter(|feed| feed.is_open() && !self.has_ended)
    }

    /// Whether the client was given a part of an event, but not all of it.
    fn is_in_event(&self) -> bool {
        self.feeds.iter().any(|feed| feed.in_event)
    }

    /// Counts a message that costs the request CPU time, and ends the stream if there were too many.
    fn count_message(&mut self, actions: &mut Vec<Action>) {
        self.messages = self.messages.saturating_add(1);
        let is_over = |max| self.messages >= max;
        if self.limits.max_messages.is_some_and(is_over) && !self.is_in_event() {
            self.end_with_retry(actions);
        }
    }

    fn end_if_all_channels_have(&mut self, actions: &mut Vec<Action>) {
        if self.feeds.iter().all(|feed| feed.link == Link::Ended) {
            self.end(actions);
        }
    }

    /// Ends the stream. Its client reconnects soon.
    fn end_with_retry(&mut self, actions: &mut Vec<Action>) {
        // In the middle of an event, the field would become a part of it.
        if !self.is_in_event() {
            let retry = sse::retry_field(self.jitter.between(SHORT_RETRY_MS));
            actions.push(Action::Write(retry.into_bytes()));
        }
        self.end(actions);
    }

    fn end(&mut self, actions: &mut Vec<Action>) {
        self.has_ended = true;
        actions.push(Action::End);
    }
}

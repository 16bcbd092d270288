//! The rules of a stream that a Worker holds: it passes the frames of one or more feeds on to its client, writes
//! heartbeats, and opens feeds again that have broken.
//!
//! - `action`: what a call leaves for its caller to do
//! - `jitter`: random numbers
//! - `backoff`: when a feed that has broken is opened again
//! - `feed`: the state of one feed
//! - `merge`: joins the feeds of several channels
//! - [`HeldStream`]: the stream, in several files: `frames`, `liveness` (heartbeats, pings, the end of streams that
//!   stall or expire) and `reopening`
//!
//! The module is pure, like the rest of the crate. The caller owns the WebSockets, the client's stream and a timer.

mod action;
mod backoff;
mod feed;
mod frames;
mod jitter;
mod liveness;
mod merge;
mod reopening;
#[cfg(test)]
mod tests;

pub use self::action::{Action, FeedNumber};
pub use self::feed::FeedAnswer;
use self::feed::{HeldFeed, Link};
use self::jitter::Jitter;
use self::liveness::HeldLiveness;
use self::merge::Merge;
use crate::Millis;
use crate::feed::{FeedClose, FeedMessage};
use crate::sse::{self, EventId, Positions};

/// The range of the random `retry:` of a stream that opens, or that ends because the server stops, in milliseconds.
pub const RETRY_MS: (u32, u32) = (2_000, 4_000);

/// The range of the random `retry:` of a stream that ends although its channels go on, in milliseconds.
pub const SHORT_RETRY_MS: (u32, u32) = (100, 1_000);

/// The range of the random `retry:` of a stream that ends with `hub.error`, in milliseconds.
pub const ERROR_RETRY_MS: (u32, u32) = (5_000, 15_000);

/// The limits of a held stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLimits {
    /// `HEARTBEAT_SECONDS`, in milliseconds.
    pub heartbeat: Millis,
    /// `STALL_SECONDS`, in milliseconds: how long the client may take nothing before the stream ends. `None` means
    /// forever.
    pub stall: Option<Millis>,
    /// `HELD_STREAM_MESSAGES`: the stream ends after this many frames, heartbeats and pings, because the platform
    /// limits the CPU time of a request. A frame of more than 16 KiB counts as several. `None` means no limit.
    pub max_messages: Option<u64>,
    /// When the client's token expires.
    pub expires: Option<Millis>,
}

/// A channel of a stream that is about to open.
#[derive(Clone, Debug)]
pub struct HeldChannel {
    /// Its id.
    pub id: String,
    /// The answer of its object.
    pub answer: FeedAnswer,
    /// The data of the `hub.error` notice if the object cannot be reached later.
    pub unavailable: String,
}

/// A stream that a Worker holds.
#[derive(Debug)]
pub struct HeldStream {
    feeds: Vec<HeldFeed>,
    /// The state of a stream of several channels.
    merge: Option<Merge>,
    limits: HeldLimits,
    liveness: HeldLiveness,
    jitter: Jitter,
    messages: u64,
    has_ended: bool,
}

impl HeldStream {
    /// A stream of one channel, whose feed is open and continues after `start`. The actions write the first bytes of
    /// the stream. `unavailable` is as in [`HeldChannel`], and `seed` is random.
    pub fn of_one(
        channel: &str,
        start: EventId,
        unavailable: String,
        limits: HeldLimits,
        seed: u64,
        now: Millis,
    ) -> (Self, Vec<Action>) {
        let feed = HeldFeed::new(channel, Some(start), unavailable);
        Self::new(vec![feed], None, limits, seed, now)
    }

    /// A stream of several channels that continues after `positions`, which has the channels in the same order. The
    /// actions write the first bytes of the stream. `seed` is random.
    pub fn of_several(
        channels: Vec<HeldChannel>,
        positions: Positions,
        limits: HeldLimits,
        seed: u64,
        now: Millis,
    ) -> (Self, Vec<Action>) {
        let merge = Merge::new(positions);
        let feeds = channels
            .iter()
            .map(|channel| HeldFeed::new(&channel.id, None, channel.unavailable.clone()));
        let (mut stream, mut actions) = Self::new(feeds.collect(), Some(merge), limits, seed, now);
        for (number, channel) in channels.into_iter().enumerate() {
            stream.begin(number, channel.answer, now, &mut actions);
        }
        (stream, actions)
    }

    fn new(
        feeds: Vec<HeldFeed>,
        merge: Option<Merge>,
        limits: HeldLimits,
        seed: u64,
        now: Millis,
    ) -> (Self, Vec<Action>) {
        let mut jitter = Jitter::new(seed);
        let retry = sse::retry_field(jitter.between(RETRY_MS));
        let stream = Self {
            feeds,
            merge,
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
            // The client gets its `hub.expired` when no other channel is in the middle of an event.
            Some(FeedClose::Stalled) if feed.is_finishing => feed.link = Link::Ended,
            Some(FeedClose::Stalled) => self.end(&mut actions),
            Some(FeedClose::Stopping) => self.end_with_retry(RETRY_MS, &mut actions),
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
            self.end_with_retry(RETRY_MS, &mut actions);
        }
        actions
    }

    /// The feed `number`, if it is open and the stream has not ended.
    fn open_feed(&mut self, number: FeedNumber) -> Option<&mut HeldFeed> {
        let feed = self.feeds.get_mut(number);
        feed.filter(|feed| feed.is_open() && !self.has_ended)
    }

    /// Whether the client was given a part of a block, but not all of it.
    fn is_in_block(&self) -> bool {
        match &self.merge {
            Some(merge) => merge.is_in_block(),
            None => self.feeds.iter().any(|feed| feed.in_event),
        }
    }

    fn end_if_all_channels_have(&mut self, actions: &mut Vec<Action>) {
        let is_empty = self.merge.as_ref().is_none_or(Merge::is_empty);
        if is_empty && self.feeds.iter().all(|feed| feed.link == Link::Ended) {
            self.end(actions);
        }
    }

    /// Ends the stream. Its client reconnects after a random time in `range`, in milliseconds.
    fn end_with_retry(&mut self, range: (u32, u32), actions: &mut Vec<Action>) {
        // In the middle of a block, the field would become a part of it.
        if !self.is_in_block() {
            let retry = sse::retry_field(self.jitter.between(range));
            actions.push(Action::Write(retry.into_bytes()));
        }
        self.end(actions);
    }

    fn end(&mut self, actions: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.has_ended, true) {
            actions.push(Action::End);
        }
    }
}

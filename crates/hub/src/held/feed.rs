//! The state of one feed of a held stream.

use super::backoff::Backoff;
use crate::Millis;
use crate::feed::{ACKNOWLEDGE_BYTES, FrameHeader};
use crate::sse::EventId;

/// An opening counts as a failed attempt if the feed breaks within this time, in milliseconds, without a frame.
/// Otherwise an object that fails soon after it has answered would be asked several times a second.
const PROVEN: Millis = 5_000;

/// How an object has answered the request for a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedAnswer {
    /// The feed is open. It continues after this position.
    Opened(EventId),
    /// The channel has ended after this position, and the client has everything.
    Ended(EventId),
    /// There is no feed now. The text is the data of a `hub.error` notice.
    Failed(String),
}

/// The connection to the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Frames arrive.
    Open,
    /// The feed has broken, and is opened again at `at`.
    Waiting { at: Millis, backoff: Backoff },
    /// The object was asked for a feed. Without an answer until `until`, it is asked again.
    Opening { until: Millis, backoff: Backoff },
    /// The channel has ended.
    Ended,
}

impl Link {
    /// Returns the time at which the stream gives the feed up, if it is broken.
    pub fn gives_up_at(&self) -> Option<Millis> {
        match self {
            Self::Waiting { backoff, .. } | Self::Opening { backoff, .. } => backoff.gives_up_at(),
            Self::Open | Self::Ended => None,
        }
    }

    /// Notes that the client was told that the feed is broken.
    pub fn note_told(&mut self) {
        if let Self::Waiting { backoff, .. } | Self::Opening { backoff, .. } = self {
            backoff.note_told();
        }
    }

    /// Whether the feed is broken, and the client was told.
    pub fn was_told(&self) -> bool {
        match self {
            Self::Waiting { backoff, .. } | Self::Opening { backoff, .. } => backoff.was_told(),
            Self::Open | Self::Ended => false,
        }
    }
}

/// The feed of a channel.
#[derive(Debug)]
pub struct HeldFeed {
    pub(super) channel: String,
    pub(super) link: Link,
    /// The position after which the feed that is open, or that was open last, continues at first. `None` if it was
    /// never open.
    start: Option<EventId>,
    /// The position up to which the client was given everything, after the first frame. The stream continues after it
    /// if the feed breaks. Before the first frame, it starts again as the client has asked.
    pub(super) position: Option<EventId>,
    /// Whether the client was given a part of an event, but not all of it.
    pub(super) in_event: bool,
    /// The bytes of frames that were not written to the client's stream yet.
    waiting: usize,
    /// The bytes that were written to the client's stream, and that the client has not taken.
    untaken: usize,
    /// The bytes that the client has taken, and that are not acknowledged.
    unacknowledged: usize,
    /// Whether anything has arrived since the last ping.
    pub(super) was_heard: bool,
    /// Whether the object was asked to finish the event and to close the feed.
    pub(super) is_finishing: bool,
    /// When the feed was opened again, and the attempts until then, while no frame has arrived.
    reopened: Option<(Millis, Backoff)>,
    /// The data of the `hub.error` notice that the client gets if the feed stays broken.
    pub(super) problem: String,
}

impl HeldFeed {
    /// A feed of `channel`, which is open and continues after `start`, or is to be opened. If its object cannot be
    /// reached, `unavailable` is the data of the `hub.error` notice.
    pub fn new(channel: &str, start: Option<EventId>, unavailable: String) -> Self {
        Self {
            channel: channel.to_owned(),
            link: Link::Open,
            start,
            position: None,
            in_event: false,
            waiting: 0,
            untaken: 0,
            unacknowledged: 0,
            was_heard: true,
            is_finishing: false,
            reopened: None,
            problem: unavailable,
        }
    }

    /// Whether frames arrive.
    pub fn is_open(&self) -> bool {
        self.link == Link::Open
    }

    /// Returns the time at which the object is asked for the feed, if it is broken. The client has to take what the
    /// last feed has delivered first, because the next one may deliver as much again.
    pub fn asks_at(&self) -> Option<Millis> {
        match self.link {
            Link::Waiting { at, .. } => self.is_taken().then_some(at),
            Link::Opening { until, .. } => Some(until),
            Link::Open | Link::Ended => None,
        }
    }

    /// Whether the client has taken everything that the feed has delivered.
    pub fn is_taken(&self) -> bool {
        self.waiting == 0 && self.untaken == 0
    }

    fn held(&self) -> usize {
        let passed = self.untaken.saturating_add(self.unacknowledged);
        self.waiting.saturating_add(passed)
    }

    /// Notes that a frame has arrived. If the object asks for it and the client has not taken everything, returns how
    /// many bytes are not acknowledged.
    pub fn note_arrival(&mut self, header: FrameHeader, bytes: usize) -> Option<u32> {
        self.was_heard = true;
        self.reopened = None;
        let was_taken = self.is_taken();
        self.waiting = self.waiting.saturating_add(bytes);
        if !header.asks {
            return None;
        }
        if was_taken {
            // Without an answer, the object counts only what it has sent since it woke.
            self.unacknowledged = 0;
            return None;
        }
        Some(to_u32(self.held()))
    }

    /// Notes that a frame was written to the client's stream.
    pub fn note_passed(&mut self, header: FrameHeader, bytes: usize) {
        self.in_event = header.in_event;
        if header.ends {
            self.link = Link::Ended;
        }
        // A part of an event does not count: the client discards it if the stream breaks.
        let next_seq = header.next_seq.saturating_sub(u64::from(header.in_event));
        let epoch = self.start.map(|start| start.epoch);
        self.position = epoch.map(|epoch| EventId::before(epoch, next_seq));
        self.waiting = self.waiting.saturating_sub(bytes);
        self.untaken = self.untaken.saturating_add(bytes);
    }

    /// Notes that the feed has broken: what waits is discarded. Returns the attempts to open it again so far.
    pub fn note_broken(&mut self, now: Millis) -> Backoff {
        self.waiting = 0;
        let reopened = self.reopened.take();
        let unproven = reopened.filter(|(at, _)| now < at.saturating_add(PROVEN));
        unproven.map_or_else(|| Backoff::new(now), |(_, backoff)| backoff)
    }

    /// Whether something depends on the client taking everything: an acknowledgement that opens the object's window, or
    /// the next attempt to open the feed.
    pub fn waits_for_client(&self) -> bool {
        let is_enough = self.held() >= ACKNOWLEDGE_BYTES;
        let is_reopening = matches!(self.link, Link::Waiting { .. });
        !self.is_taken() && (is_enough || is_reopening)
    }

    /// Notes that the client has taken everything. Returns the number of bytes to acknowledge, if it is at least
    /// [`ACKNOWLEDGE_BYTES`].
    pub fn note_taken(&mut self) -> Option<u32> {
        let taken = std::mem::take(&mut self.untaken);
        if self.link != Link::Open {
            return None;
        }
        self.unacknowledged = self.unacknowledged.saturating_add(taken);
        if self.unacknowledged < ACKNOWLEDGE_BYTES {
            return None;
        }
        Some(to_u32(std::mem::take(&mut self.unacknowledged)))
    }

    /// Notes that the feed was opened again, after these attempts. It continues after `start`.
    pub fn note_reopened(&mut self, start: EventId, backoff: Backoff, now: Millis) {
        self.note_opened(start);
        self.reopened = Some((now, backoff));
    }

    /// Notes that the feed is open. It continues after `start`.
    pub fn note_opened(&mut self, start: EventId) {
        self.link = Link::Open;
        self.start = Some(start);
        self.unacknowledged = 0;
        self.was_heard = true;
    }
}

/// A window has far fewer bytes than fit.
fn to_u32(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

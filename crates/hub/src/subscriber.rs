//! One open stream: its position in the channel, and how well it keeps up.

mod mode;

pub use self::mode::{CatchUp, Mode};

use crate::carrier::{Carrier, FEED_PATIENCE};
use crate::cursor::{AfterChunk, Chunk, Cursor, MissedEvents};
use crate::history::{History, HistoryError};
use crate::join::JoinOptions;
use crate::log::Log;
use crate::loop_turn::LoopTurn;
use crate::stream::Stream;
use crate::{FeedMessage, Millis};

/// A stream and its state in the hub.
#[derive(Debug)]
pub struct Subscriber<S> {
    /// The stream that the chunks are written to.
    pub stream: S,
    /// The position of the next chunk.
    pub cursor: Cursor,
    /// How the subscriber keeps up.
    pub mode: Mode,
    /// What carries the stream to its client.
    carrier: Carrier,
    /// The time at which the stream is ended, if there is one.
    pub expires: Option<Millis>,
    /// The time of the last write.
    pub written_at: Millis,
    /// The loop turn of the last write.
    pub written_in: LoopTurn,
    /// The size of the last chunk of events, in bytes.
    pub chunk_bytes: usize,
    /// The time since which events (or the opening block) have waited for the stream to take them, as far as is known.
    waiting_since: Option<Millis>,
}

impl<S: Stream> Subscriber<S> {
    /// Whether the stream takes another chunk now.
    pub fn is_ready(&self) -> bool {
        match &self.carrier {
            Carrier::Response => self.stream.is_ready(),
            Carrier::Feed(window) => window.is_open(),
        }
    }
}

impl<S> Subscriber<S> {
    /// A stream that has just opened. Its opening block was written at `now`.
    pub fn new(
        stream: S,
        options: &JoinOptions,
        mode: Mode,
        now: Millis,
        loop_turn: LoopTurn,
    ) -> Self {
        Self {
            stream,
            cursor: Cursor::new(options.next_seq),
            mode,
            carrier: options.carrier,
            expires: options.expires,
            written_at: now,
            written_in: loop_turn,
            chunk_bytes: 0,
            waiting_since: Some(now),
        }
    }

    /// Whether the stream may still take its last chunk in time, given that it is not ready now.
    pub fn may_take_in_time(&self, loop_turn: LoopTurn, now: Millis) -> bool {
        match self.carrier {
            Carrier::Response => self.written_in == loop_turn,
            Carrier::Feed(_) => now < self.written_at.saturating_add(FEED_PATIENCE),
        }
    }

    /// Whether the object holds the stream. Then the hub writes heartbeats.
    pub fn is_response(&self) -> bool {
        self.carrier == Carrier::Response
    }

    /// Returns how much a write to the stream counts in its group of a flush.
    pub fn group_weight(&self) -> usize {
        self.carrier.group_weight()
    }

    /// Whether the hub has to look after the stream in regular ticks, although it is level.
    pub fn needs_ticks(&self) -> bool {
        self.carrier.needs_ticks()
    }

    /// Whether the next frame has to ask what the Worker holds.
    pub fn asks(&self) -> bool {
        matches!(&self.carrier, Carrier::Feed(window) if window.asks())
    }

    /// Notes a message of the Worker. It has no effect on a stream that is not a feed.
    pub fn note_message(&mut self, message: FeedMessage) {
        if let Carrier::Feed(window) = &mut self.carrier {
            window.note_message(message);
        }
    }

    /// Whether the next events of the subscriber come from the history, if the log begins at `tail`.
    pub fn is_in_history(&self, tail: u64) -> bool {
        self.mode.missed_events() == MissedEvents::Replayed && self.cursor.next_seq < tail
    }

    /// Returns the number of events that the subscriber has dropped without a notice, if the log begins at `tail`. A
    /// subscriber with a lag is lagging.
    pub fn lag(&self, tail: u64) -> u64 {
        match self.mode.missed_events() {
            MissedEvents::Replayed => 0,
            MissedEvents::Dropped => tail.saturating_sub(self.cursor.next_seq),
        }
    }

    /// Makes the next chunk for this subscriber, and for all others at its position: see [`Cursor::next_chunk`].
    pub fn next_chunk(
        &self,
        log: &mut Log,
        history: &mut dyn History,
        now: Millis,
        max_bytes: usize,
    ) -> Result<Chunk, HistoryError> {
        let missed = self.mode.missed_events();
        self.cursor.next_chunk(missed, log, history, now, max_bytes)
    }

    /// Notes that the stream is not ready, though there are events for it.
    pub fn note_not_ready(&mut self, now: Millis) {
        self.waiting_since.get_or_insert(now);
    }

    /// Notes that a chunk was written. If the subscriber was dropping and this makes it level with `head` again,
    /// returns the number of events that it dropped.
    pub fn note_chunk(
        &mut self,
        after: &AfterChunk,
        head: u64,
        now: Millis,
        loop_turn: LoopTurn,
    ) -> Option<u64> {
        self.written_at = now;
        self.written_in = loop_turn;
        self.waiting_since = Some(now);
        self.chunk_bytes = after.bytes;
        if let Carrier::Feed(window) = &mut self.carrier {
            window.note_sent(after.bytes);
        }
        self.cursor = after.cursor.clone();
        self.mode.note_notice(after.notified);
        if self.cursor.is_behind(head) {
            None
        } else {
            self.mode.become_level()
        }
    }

    /// Notes that a heartbeat was written.
    pub fn note_heartbeat(&mut self, now: Millis, loop_turn: LoopTurn) {
        self.written_at = now;
        self.written_in = loop_turn;
        self.waiting_since = None;
    }

    /// Whether events have waited since `time` or longer, given that the stream is not ready now.
    pub fn has_waited_since(&self, time: Millis) -> bool {
        self.waiting_since.is_some_and(|since| since <= time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::NoHistory;
    use crate::sse::{Batch, Epoch, EventId};

    fn subscriber(next_seq: u64, catch_up: CatchUp) -> Subscriber<()> {
        let options = JoinOptions {
            next_seq,
            history: false,
            catch_up: false,
            expires: None,
            carrier: Carrier::Response,
        };
        let mode = Mode::Responsive(catch_up);
        Subscriber::new((), &options, mode, 0, LoopTurn::default())
    }

    #[test]
    fn a_stream_waits_from_the_time_at_which_events_were_there() {
        let mut log = Log::new(
            "foo".to_owned(),
            EventId {
                epoch: Epoch::new(1, 0),
                seq: 1,
            },
            10,
            1_000,
        );
        log.append(&Batch::from_wire("data: x\n\n".into()));
        let turn = LoopTurn::default();
        let mut subscriber = subscriber(1, CatchUp::Never);
        assert!(subscriber.has_waited_since(0), "the opening block waits");
        subscriber.note_heartbeat(10, turn);
        assert!(
            !subscriber.has_waited_since(1_000),
            "a heartbeat is not an event"
        );
        subscriber.note_not_ready(50);
        subscriber.note_not_ready(70);
        assert!(!subscriber.has_waited_since(49));
        assert!(subscriber.has_waited_since(50));
        let chunk = subscriber.next_chunk(&mut log, &mut NoHistory, 90, 1_000);
        let after = chunk.unwrap().after;
        assert_eq!(subscriber.note_chunk(&after, log.head(), 90, turn), None);
        assert!(!subscriber.has_waited_since(89));
        assert!(subscriber.has_waited_since(90));
    }

    #[test]
    fn only_a_subscriber_that_drops_missed_events_has_a_lag() {
        let dropping = subscriber(3, CatchUp::Never);
        assert_eq!((dropping.lag(3), dropping.lag(7)), (0, 4));
        assert!(!dropping.is_in_history(7));
        for catch_up in [CatchUp::UntilLevel, CatchUp::Always] {
            let replaying = subscriber(3, catch_up);
            assert_eq!(replaying.lag(7), 0);
            assert!(!replaying.is_in_history(3) && replaying.is_in_history(4));
        }
    }
}

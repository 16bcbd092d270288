//! Decides when streams are written to.
//!
//! A write costs the runtime 15 to 40 us per stream, whatever its size. So a busy channel writes more at once and less
//! often, and a quiet channel writes each event at once.
//!
//! A flush costs more with more streams, so the time between two flushes grows with the number of streams. But no event
//! waits longer than `FLUSH_MAX_MS` until its flush begins, or until the flush in progress ends. If events are so rare
//! that no two of them would share a flush, waiting would only delay them; then each event is flushed at once.

use crate::Millis;

/// The time between the beginnings of two flushes, in microseconds per stream.
///
/// At 40 us per write, writes take less than half of the time of the object's thread, and publishes have the rest. With
/// very many streams, `FLUSH_MAX_MS` is the shorter time. Measured with 200 streams and one publisher: 60 us gives
/// 150,000 deliveries a second, 100 us gives 230,000.
const SPACING_US_PER_STREAM: u64 = 100;

/// The shortest time between two flushes of a busy channel, in milliseconds. Timers are not more precise.
const MIN_SPACING: Millis = 2;

/// The longest time until a stream that has become ready is written to, in a channel without new events.
const MAX_RETRY: Millis = 250;

/// Decides when the flushes of one channel begin.
#[derive(Debug)]
pub struct Pacer {
    /// `FLUSH_MAX_MS`.
    max_wait: Millis,
    /// The time at which the last flush of new events began. A flush that only retries does not delay new events.
    last_flush: Option<Millis>,
    /// The time at which the last flush of any kind ended.
    last_end: Option<Millis>,
    /// The time until streams that were not ready are tried again. It doubles as long as none of them is ready.
    retry: Millis,
}

impl Pacer {
    /// No event waits longer than `max_wait` for its flush.
    pub fn new(max_wait: Millis) -> Self {
        Self {
            max_wait,
            last_flush: None,
            last_end: None,
            retry: MIN_SPACING,
        }
    }

    /// Returns the time at which new events are flushed to `streams` streams. The first event came at `since`.
    pub fn next_flush(&self, streams: usize, since: Millis) -> Millis {
        let Some(last) = self.last_flush else {
            return since;
        };
        let spacing = self.spacing(streams);
        if since >= last.saturating_add(spacing.min(self.max_wait)) {
            return since;
        }
        last.saturating_add(spacing)
            .min(since.saturating_add(self.max_wait))
    }

    /// Returns the time at which streams that were not ready are tried again, if there are no new events.
    pub fn next_retry(&self) -> Millis {
        self.last_end.map_or(0, |at| at.saturating_add(self.retry))
    }

    /// Notes that a flush of new events begins.
    pub fn begin_flush(&mut self, now: Millis) {
        self.last_flush = Some(now);
    }

    /// Notes that a flush ends. `progress` says that it was a flush of new events, or that it wrote something.
    pub fn end_flush(&mut self, now: Millis, streams: usize, progress: bool) {
        self.last_end = Some(now);
        self.retry = if progress {
            self.spacing(streams).min(self.max_wait).max(MIN_SPACING)
        } else {
            self.retry.saturating_mul(2).min(MAX_RETRY)
        };
    }

    fn spacing(&self, streams: usize) -> Millis {
        let spacing = (streams as u64).saturating_mul(SPACING_US_PER_STREAM) / 1_000;
        spacing.max(MIN_SPACING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flushed(max_wait: Millis, at: Millis) -> Pacer {
        let mut pacer = Pacer::new(max_wait);
        pacer.begin_flush(at);
        pacer
    }

    #[test]
    fn a_quiet_channel_flushes_each_event_at_once() {
        assert_eq!(Pacer::new(25).next_flush(500, 7), 7);
        let pacer = flushed(25, 1_000);
        assert_eq!(pacer.next_flush(500, 1_025), 1_025);
        assert_eq!(pacer.next_flush(100, 1_010), 1_010);
        assert_eq!(pacer.next_flush(1, 1_002), 1_002);
    }

    #[test]
    fn a_busy_channel_waits_between_flushes_in_proportion_to_its_streams() {
        let pacer = flushed(25, 1_000);
        assert_eq!(pacer.next_flush(1, 1_000), 1_002);
        assert_eq!(pacer.next_flush(100, 1_003), 1_010);
        assert_eq!(pacer.next_flush(200, 1_003), 1_020);
        assert_eq!(
            pacer.next_flush(300, 1_003),
            1_028,
            "the spacing is 30 ms, but no event waits longer than 25 ms"
        );
        assert_eq!(pacer.next_flush(5_000, 1_024), 1_049);
    }

    #[test]
    fn with_flush_max_ms_0_no_event_waits() {
        let mut pacer = flushed(0, 1_000);
        assert_eq!(pacer.next_flush(500, 1_000), 1_000);
        pacer.end_flush(1_000, 0, true);
        assert_eq!(
            pacer.next_retry(),
            1_002,
            "retries are still not a busy loop"
        );
    }

    #[test]
    fn streams_that_stay_unready_are_tried_less_and_less_often() {
        let mut pacer = flushed(25, 0);
        pacer.end_flush(7, 100, true);
        assert_eq!(pacer.next_retry(), 17);
        pacer.end_flush(7, 100, false);
        assert_eq!(pacer.next_retry(), 27);
        for _ in 0..20 {
            pacer.end_flush(7, 100, false);
        }
        assert_eq!(pacer.next_retry(), 7 + MAX_RETRY);
        assert_eq!(
            pacer.next_flush(100, 30),
            30,
            "retries do not delay new events"
        );
        pacer.end_flush(0, 5_000, true);
        assert_eq!(
            pacer.next_retry(),
            25,
            "after progress, a retry waits no longer than an event"
        );
    }
}

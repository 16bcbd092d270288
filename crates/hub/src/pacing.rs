//! When streams are written to. A write costs the runtime 15 to 40 us per stream whatever its size, so a busy channel
//! writes less often and more at once, and a quiet one writes at once.
//!
//! What a flush costs grows with the streams, so the time that has to pass between two of them does, too; but no event
//! waits for longer than `FLUSH_MAX_MS` until its flush begins, or follows the one that is under way. Where events come so
//! slowly that no two of them would share a flush, waiting would only make them late: then each is written as it comes.

use super::{ConnId, Millis};

/// The time between the beginnings of two flushes grows by this much with each stream, in microseconds. At 40 us a
/// write, writes then take less than half of the object's one thread (until there are so many streams that
/// `FLUSH_MAX_MS` says when), and publishes have the rest: measured with 200 streams and one publisher, 60 us gives
/// 150,000 deliveries a second, 100 us 230,000.
const SPACING_US_PER_STREAM: u64 = 100;

/// The least time between two flushes of a busy channel, in milliseconds. Timers have no finer grain.
const MIN_SPACING: Millis = 2;

/// The longest that a stream which has caught its breath waits to be served, where nothing else is going on.
const MAX_RETRY: Millis = 250;

/// A heartbeat period is looked at in so many steps.
const TICKS_PER_HEARTBEAT: u64 = 32;

/// The rhythm of one channel.
#[derive(Debug)]
pub struct Pacer {
    /// `FLUSH_MAX_MS`.
    max_wait: Millis,
    /// When the last flush of new events began. What is only tried again makes no new event wait.
    last_flush: Option<Millis>,
    /// When the last flush of any kind was over.
    last_end: Option<Millis>,
    /// How long streams that were not ready are left alone; doubles while none of them moves.
    retry: Millis,
    heartbeat: Millis,
    tick: Millis,
}

impl Pacer {
    /// A rhythm in which no event waits for its flush longer than `max_wait`, no stream is silent for longer than
    /// `heartbeat`, and [`tick`](Self::tick) is fine enough to see both that and `stall` pass.
    pub fn new(max_wait: Millis, heartbeat: Millis, stall: Option<Millis>) -> Self {
        let tick = heartbeat / TICKS_PER_HEARTBEAT;
        Self {
            max_wait,
            last_flush: None,
            last_end: None,
            retry: MIN_SPACING,
            heartbeat,
            tick: stall.map_or(tick, |stall| tick.min(stall / 4)).max(1),
        }
    }

    /// When new events, of which the first came at `since`, are flushed to `streams` streams.
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

    /// The earliest moment at which streams that were not ready are tried again, nothing new having come.
    pub fn next_retry(&self) -> Millis {
        self.last_end.map_or(0, |at| at.saturating_add(self.retry))
    }

    /// Notes that a flush of new events begins.
    pub fn begin_flush(&mut self, now: Millis) {
        self.last_flush = Some(now);
    }

    /// Notes that a flush is over. `progress`: it had new events to write, or a stream that was not ready before took some.
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

    /// How often heartbeats and stalls are looked at.
    pub fn tick(&self) -> Millis {
        self.tick
    }

    /// Whether a stream last written to at `written_at` is due a heartbeat. Streams that fell silent together are
    /// due at different moments in the last quarter of the period, so that thousands are not written in one go.
    pub fn heartbeat_due(&self, conn: ConnId, written_at: Millis, now: Millis) -> bool {
        // 13 has no factor in common with the number of ticks: neighbours are far apart.
        let share = conn.wrapping_mul(13) % TICKS_PER_HEARTBEAT;
        let early = (self.heartbeat / 4).saturating_mul(share) / TICKS_PER_HEARTBEAT;
        let due = written_at.saturating_add(self.heartbeat.saturating_sub(early));
        // The next look comes a tick from now, and that would be too late.
        now.saturating_add(self.tick) >= due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flushed(max_wait: Millis, at: Millis) -> Pacer {
        let mut pacer = Pacer::new(max_wait, 15_000, None);
        pacer.begin_flush(at);
        pacer
    }

    #[test]
    fn a_quiet_channel_writes_at_once() {
        assert_eq!(Pacer::new(25, 15_000, None).next_flush(500, 7), 7);
        let pacer = flushed(25, 1_000);
        assert_eq!(pacer.next_flush(500, 1_025), 1_025);
        assert_eq!(pacer.next_flush(100, 1_010), 1_010);
        assert_eq!(pacer.next_flush(1, 1_002), 1_002);
    }

    #[test]
    fn a_busy_one_gathers_for_as_long_as_its_streams_cost() {
        let pacer = flushed(25, 1_000);
        assert_eq!(pacer.next_flush(1, 1_000), 1_002);
        assert_eq!(pacer.next_flush(100, 1_003), 1_010);
        assert_eq!(pacer.next_flush(200, 1_003), 1_020);
        assert_eq!(
            pacer.next_flush(300, 1_003),
            1_028,
            "30 ms, but none waits over 25"
        );
        assert_eq!(pacer.next_flush(5_000, 1_024), 1_049);
    }

    #[test]
    fn no_gathering_is_asked_for() {
        let mut pacer = flushed(0, 1_000);
        assert_eq!(pacer.next_flush(500, 1_000), 1_000);
        pacer.end_flush(1_000, 0, true);
        assert_eq!(
            pacer.next_retry(),
            1_002,
            "a retry is still not a busy loop"
        );
    }

    #[test]
    fn streams_that_do_not_move_are_tried_less_and_less() {
        let mut pacer = flushed(25, 0);
        pacer.end_flush(7, 100, true);
        assert_eq!(pacer.next_retry(), 17);
        for _ in 0..20 {
            pacer.end_flush(7, 100, false);
        }
        assert_eq!(pacer.next_retry(), 7 + MAX_RETRY);
        assert_eq!(
            pacer.next_flush(100, 30),
            30,
            "new events do not wait for that"
        );
        pacer.end_flush(0, 5_000, true);
        assert_eq!(
            pacer.next_retry(),
            25,
            "with events, none waits over 25 ms either"
        );
    }

    /// 3,000 streams silent since the same moment: nobody waits longer than the period, no heartbeat comes in its
    /// first half, and no look writes more than a fifth of them.
    #[test]
    fn heartbeats_are_in_time_and_spread() {
        for period in [1_000, 15_000, 300_000] {
            let pacer = Pacer::new(25, period, None);
            let mut silent: Vec<ConnId> = (1..=3_000).collect();
            let mut now = 0;
            while !silent.is_empty() {
                now += pacer.tick();
                assert!(now <= period);
                let before = silent.len();
                silent.retain(|conn| !pacer.heartbeat_due(*conn, 0, now));
                assert!(now > period / 2 || silent.len() == before);
                assert!(before - silent.len() <= 600);
            }
        }
    }

    #[test]
    fn looks_often_enough_to_see_a_stall() {
        assert_eq!(Pacer::new(25, 300_000, Some(1_000)).tick(), 250);
        assert_eq!(Pacer::new(25, 15_000, Some(300_000)).tick(), 468);
    }
}

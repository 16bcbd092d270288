//! When streams are written to. A write costs the runtime 15 to 40 us per stream whatever its size, so a busy channel
//! writes less often and more at once, and a quiet one writes at once.

use super::{ConnId, Millis};

/// What a flush is reckoned to cost per stream, in microseconds: the spacing of flushes grows by this much with each
/// stream. Measured with prototypes on workerd, where 60 us lets publishers and writes share one thread evenly.
const SPACING_US_PER_STREAM: u64 = 60;

/// The least spacing between two flushes of a busy channel, in milliseconds. Timers have no finer grain.
const MIN_SPACING: Millis = 2;

/// The longest that a stream which has caught its breath waits to be served, where nothing else is going on.
const MAX_RETRY: Millis = 250;

/// A heartbeat period is looked at in so many steps.
const TICKS_PER_HEARTBEAT: u64 = 32;

/// The rhythm of one channel.
#[derive(Debug)]
pub struct Pacer {
    /// `FLUSH_MAX_MS`: the longest spacing.
    max_spacing: Millis,
    last_flush: Option<Millis>,
    /// How long streams that were not ready are left alone; doubles while none of them moves.
    retry: Millis,
    heartbeat: Millis,
    tick: Millis,
}

impl Pacer {
    /// A rhythm in which flushes are never further apart than `max_spacing`, streams never silent for longer than
    /// `heartbeat`, and [`tick`](Self::tick) fine enough to see both that and `stall` pass.
    pub fn new(max_spacing: Millis, heartbeat: Millis, stall: Option<Millis>) -> Self {
        let tick = heartbeat / TICKS_PER_HEARTBEAT;
        Self {
            max_spacing,
            last_flush: None,
            retry: MIN_SPACING,
            heartbeat,
            tick: stall.map_or(tick, |stall| tick.min(stall / 4)).max(1),
        }
    }

    /// The earliest moment for a flush of new events to `streams` streams.
    pub fn next_flush(&self, streams: usize) -> Millis {
        self.last_flush
            .map_or(0, |at| at.saturating_add(self.spacing(streams)))
    }

    /// The earliest moment at which streams that were not ready are tried again, nothing new having come.
    pub fn next_retry(&self) -> Millis {
        self.last_flush
            .map_or(0, |at| at.saturating_add(self.retry))
    }

    /// Notes a flush. `progress`: it had new events to write, or a stream that was not ready before took some.
    pub fn flushed(&mut self, now: Millis, streams: usize, progress: bool) {
        self.last_flush = Some(now);
        self.retry = if progress {
            self.spacing(streams).max(MIN_SPACING)
        } else {
            self.retry.saturating_mul(2).min(MAX_RETRY)
        };
    }

    fn spacing(&self, streams: usize) -> Millis {
        let spacing = (streams as u64).saturating_mul(SPACING_US_PER_STREAM) / 1_000;
        spacing.max(MIN_SPACING).min(self.max_spacing)
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

    #[test]
    fn an_idle_channel_writes_at_once_and_a_busy_one_waits() {
        let mut pacer = Pacer::new(25, 15_000, None);
        assert_eq!(pacer.next_flush(500), 0);
        pacer.flushed(1_000, 500, true);
        assert_eq!(
            pacer.next_flush(500),
            1_025,
            "500 streams take 30 ms, cut to 25"
        );
        assert_eq!(pacer.next_flush(100), 1_006);
        assert_eq!(pacer.next_flush(1), 1_002);
    }

    #[test]
    fn no_spacing_is_asked_for() {
        let mut pacer = Pacer::new(0, 15_000, None);
        pacer.flushed(1_000, 500, true);
        assert_eq!(pacer.next_flush(500), 1_000);
        assert_eq!(
            pacer.next_retry(),
            1_002,
            "a retry is still not a busy loop"
        );
    }

    #[test]
    fn streams_that_do_not_move_are_tried_less_and_less() {
        let mut pacer = Pacer::new(25, 15_000, None);
        pacer.flushed(0, 100, true);
        assert_eq!(pacer.next_retry(), 6);
        for _ in 0..20 {
            pacer.flushed(0, 100, false);
        }
        assert_eq!(pacer.next_retry(), MAX_RETRY);
        pacer.flushed(0, 100, true);
        assert_eq!(pacer.next_retry(), 6);
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

//! Heartbeats, and the end of stalled streams.

use super::Hub;
use crate::end_reason::EndReason;
use crate::output::Output;
use crate::stream::{ConnId, Stream};
use crate::{Millis, sse};

/// The hub looks for due heartbeats this many times in a heartbeat period.
const TICKS_PER_HEARTBEAT: u64 = 32;

/// Decides when heartbeats and stalled streams are due. The hub looks for both in regular ticks.
#[derive(Debug)]
pub struct Liveness {
    heartbeat: Millis,
    stall: Option<Millis>,
    tick: Millis,
    next_tick: Millis,
}

impl Liveness {
    /// No stream is silent for longer than `heartbeat`. A stream stalls if it takes nothing for the time `stall`.
    pub fn new(heartbeat: Millis, stall: Option<Millis>) -> Self {
        let tick = heartbeat / TICKS_PER_HEARTBEAT;
        Self {
            heartbeat,
            stall,
            tick: stall.map_or(tick, |stall| tick.min(stall / 4)).max(1),
            next_tick: 0,
        }
    }

    /// Returns the time of the next tick.
    pub fn next_tick(&self) -> Millis {
        self.next_tick
    }

    /// Notes a tick: the next one follows after a regular interval.
    pub fn note_tick(&mut self, now: Millis) {
        self.next_tick = now.saturating_add(self.tick);
    }

    /// Returns the time since which a stalled stream has taken nothing.
    fn stalled_since(&self, now: Millis) -> Option<Millis> {
        self.stall.and_then(|stall| now.checked_sub(stall))
    }

    /// Whether a heartbeat is due for a stream that was last written to at `written_at`.
    ///
    /// Streams that were last written to at the same time get their heartbeats at different times in the last quarter
    /// of the period, so that thousands of writes are not due in one tick.
    fn heartbeat_due(&self, conn: ConnId, written_at: Millis, now: Millis) -> bool {
        // 13 and the number of ticks have no common factor, so neighbours get different shares.
        let share = conn.wrapping_mul(13) % TICKS_PER_HEARTBEAT;
        let early = (self.heartbeat / 4).saturating_mul(share) / TICKS_PER_HEARTBEAT;
        let due = written_at.saturating_add(self.heartbeat.saturating_sub(early));
        // The tick after this one would be too late.
        now.saturating_add(self.tick) >= due
    }
}

impl<S: Stream> Hub<S> {
    /// Removes the streams that have kept events waiting for too long.
    pub(super) fn end_stalled(&mut self, now: Millis, output: &mut Output<S>) {
        let Some(since) = self.liveness.stalled_since(now) else {
            return;
        };
        for (conn, subscriber) in &self.subscribers {
            if subscriber.has_waited_since(since) && !subscriber.is_ready() {
                output.end(*conn, &subscriber.stream, EndReason::Stalled);
            }
        }
        self.remove_ended(output);
    }

    /// Writes heartbeats to the streams for which they are due.
    pub(super) fn write_heartbeats(&mut self, now: Millis, output: &mut Output<S>) {
        let mut heartbeat = None;
        let head = self.log.head();
        for (conn, subscriber) in &mut self.subscribers {
            // The next flush writes to a subscriber that is behind, and its last chunk may end in the middle of an
            // event.
            if subscriber.is_response()
                && !subscriber.cursor.is_behind(head)
                && self
                    .liveness
                    .heartbeat_due(*conn, subscriber.written_at, now)
                && subscriber.is_ready()
            {
                let chunk = *heartbeat
                    .get_or_insert_with(|| output.add_bytes(sse::HEARTBEAT.to_vec(), head));
                subscriber.note_heartbeat(now, self.loop_turn);
                output.write(*conn, &subscriber.stream, chunk);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With 3,000 streams that were last written to at the same time.
    #[test]
    fn heartbeats_are_in_time_and_spread_over_several_ticks() {
        for period in [1_000, 15_000, 300_000] {
            let liveness = Liveness::new(period, None);
            let mut silent: Vec<ConnId> = (1..=3_000).collect();
            let mut now = 0;
            while !silent.is_empty() {
                now += liveness.tick;
                assert!(now <= period, "no stream is silent for longer");
                let before = silent.len();
                silent.retain(|conn| !liveness.heartbeat_due(*conn, 0, now));
                let due = before - silent.len();
                assert!(now > period / 2 || due == 0, "none is due this early");
                assert!(due <= 600, "{due} heartbeats in one tick");
            }
        }
    }

    #[test]
    fn a_heartbeat_is_written_in_the_last_tick_before_the_period_ends() {
        let liveness = Liveness::new(1_000, None);
        let last_tick = 1_000 - liveness.tick;
        // Stream 32 gets its heartbeat at the end of the period.
        assert!(liveness.heartbeat_due(32, 0, last_tick));
        assert!(!liveness.heartbeat_due(32, 0, last_tick - 1));
        assert!(liveness.heartbeat_due(33, 0, last_tick - 1));
    }

    #[test]
    fn ticks_are_frequent_enough_to_see_a_stall_in_time() {
        assert_eq!(Liveness::new(300_000, Some(1_000)).tick, 250);
        assert_eq!(Liveness::new(15_000, Some(300_000)).tick, 468);
    }

    #[test]
    fn a_stream_has_stalled_after_the_limit_if_there_is_one() {
        let liveness = Liveness::new(1_000, Some(60_000));
        assert_eq!(liveness.stalled_since(59_999), None);
        assert_eq!(liveness.stalled_since(60_000), Some(0));
        assert_eq!(Liveness::new(1_000, None).stalled_since(u64::MAX), None);
    }
}

//! When flushes begin, pause and end.

use super::pacer::Pacer;
use super::unread::UnreadBytes;
use crate::loop_turn::LoopTurn;
use crate::stream::ConnId;
use crate::{Limits, Millis};

/// A flush writes to this many responses, or to a quarter as many feeds, before the event loop makes its next turn.
///
/// The runtime passes each chunk on in several steps of its event loop. The likely gain of groups is that the memory of
/// a stream is still in the caches at the next step. Measured with 1,000 streams: groups of 64 to 256 streams cost 5 to
/// 20 % less than all streams at once, and half of the streams have their event after 23 ms and not after 42 ms.
///
/// Groups have two more effects. A publish does not wait for a whole flush. And if streams that stalled at different
/// positions become ready together, no more than 4 MiB are copied at once.
pub const GROUP: usize = 64;

/// The state of the flush in progress, and of the next one.
///
/// A flush writes to the streams in the order of their numbers, in groups. After each group it pauses for a loop turn.
#[derive(Debug)]
pub struct FlushCycle {
    pacer: Pacer,
    unread: UnreadBytes,
    group_size: usize,
    /// The stream with which the next group begins, if a flush is in progress.
    next_group: Option<ConnId>,
    /// The loop turn of the last group after which a flush paused.
    last_group: Option<LoopTurn>,
    /// Whether the flush in progress (or else the last one) had new events, or wrote something.
    progress: bool,
    /// The time of the first event that was appended since the last flush began, if a stream is there to get it.
    unflushed_since: Option<Millis>,
    /// Whether the last flush left a stream behind the head.
    left_over: bool,
}

impl FlushCycle {
    /// No flush is in progress or due.
    pub fn new(limits: &Limits) -> Self {
        Self {
            pacer: Pacer::new(limits.flush_max),
            unread: UnreadBytes::default(),
            group_size: GROUP,
            next_group: None,
            last_group: None,
            progress: false,
            unflushed_since: None,
            left_over: false,
        }
    }

    /// Notes that there are new events, or that a stream joined behind the head.
    pub fn note_events(&mut self, now: Millis) {
        self.unflushed_since.get_or_insert(now);
    }

    /// Notes that the last stream has left: there is nothing to flush.
    pub fn clear(&mut self) {
        self.next_group = None;
        self.unflushed_since = None;
        self.left_over = false;
    }

    /// Whether a flush is in progress: its next group is due after a loop turn.
    pub fn is_flushing(&self) -> bool {
        self.next_group.is_some()
    }

    /// Whether a whole group was written to in this loop turn, so that the next group has to wait for another turn.
    pub fn has_paused_in(&self, loop_turn: LoopTurn) -> bool {
        self.last_group == Some(loop_turn)
    }

    /// Returns the time at which the next group of `streams` streams is due, if there is something to flush.
    pub fn due(&self, streams: usize) -> Option<Millis> {
        if self.is_flushing() {
            Some(0)
        } else if let Some(since) = self.unflushed_since {
            Some(self.pacer.next_flush(streams, since))
        } else {
            self.left_over.then(|| self.pacer.next_retry())
        }
    }

    /// Continues the flush in progress, or begins one. Returns the first stream of the group.
    pub fn begin_group(&mut self, now: Millis) -> ConnId {
        if let Some(conn) = self.next_group.take() {
            return conn;
        }
        self.progress = self.unflushed_since.take().is_some();
        self.left_over = false;
        self.unread.begin_flush();
        if self.progress {
            self.pacer.begin_flush(now);
        }
        0
    }

    /// Returns the weight at which a group is full.
    pub fn group_size(&self) -> usize {
        self.group_size
    }

    /// Returns the most bytes of a chunk in this group.
    pub fn max_chunk(&self) -> usize {
        self.unread.max_chunk()
    }

    /// Notes that a stream is not ready for events: it has not taken its last chunk of `bytes`.
    pub fn note_not_ready(&mut self, bytes: usize) {
        self.unread.add(bytes);
        self.left_over = true;
    }

    /// Notes that a stream is behind the head after its chunk.
    pub fn note_left_over(&mut self) {
        self.left_over = true;
    }

    /// Pauses the flush. Its next group begins with the stream `conn`.
    pub fn pause_before(&mut self, conn: ConnId) {
        self.next_group = Some(conn);
    }

    /// Ends the group, and the flush if it was not paused. `wrote` says that the group wrote something.
    pub fn end_group(&mut self, now: Millis, loop_turn: LoopTurn, streams: usize, wrote: bool) {
        self.progress |= wrote;
        if self.is_flushing() {
            self.last_group = Some(loop_turn);
        } else {
            self.pacer.end_flush(now, streams, self.progress);
        }
    }

    /// Sets the weight at which a group is full.
    #[cfg(test)]
    pub fn set_group_size(&mut self, group_size: usize) {
        self.group_size = group_size;
    }

    /// Delays the next retry, as a flush that ended at `at` would.
    #[cfg(test)]
    pub fn delay_retry(&mut self, at: Millis) {
        self.pacer.end_flush(at, 1, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycle() -> FlushCycle {
        FlushCycle::new(&Limits {
            buffer_events: 1,
            buffer_bytes: 1,
            heartbeat: 1_000,
            stall: None,
            flush_max: 25,
            may_sleep: true,
        })
    }

    #[test]
    fn a_paused_flush_continues_with_the_next_stream_at_once() {
        let mut cycle = cycle();
        let turn = LoopTurn::default();
        cycle.note_events(5);
        assert_eq!(cycle.due(100), Some(5));
        assert_eq!(cycle.begin_group(5), 0);
        cycle.pause_before(65);
        cycle.end_group(5, turn, 100, true);
        assert!(cycle.is_flushing() && cycle.has_paused_in(turn));
        assert!(!cycle.has_paused_in(turn.next()));
        assert_eq!(cycle.due(100), Some(0));
        assert_eq!(cycle.begin_group(6), 65);
        cycle.end_group(6, turn.next(), 100, true);
        assert!(!cycle.is_flushing());
        assert_eq!(cycle.due(100), None, "nothing is left over");
    }

    #[test]
    fn events_that_come_during_a_flush_are_due_after_it() {
        let mut cycle = cycle();
        cycle.note_events(5);
        cycle.begin_group(5);
        cycle.note_events(6);
        cycle.note_events(7);
        cycle.end_group(8, LoopTurn::default(), 100, true);
        assert_eq!(cycle.due(100), Some(15), "10 ms after the last flush began");
    }

    #[test]
    fn a_flush_that_left_a_stream_behind_is_retried() {
        let turn = LoopTurn::default();
        for not_ready in [false, true] {
            let mut cycle = cycle();
            cycle.begin_group(5);
            if not_ready {
                cycle.note_not_ready(10);
            } else {
                cycle.note_left_over();
            }
            cycle.end_group(5, turn, 1, true);
            assert_eq!(cycle.due(1), Some(7));
            cycle.begin_group(7);
            cycle.end_group(7, turn, 1, false);
            assert_eq!(cycle.due(1), None);
        }
    }

    #[test]
    fn retries_become_rare_only_if_flushes_make_no_progress() {
        let turn = LoopTurn::default();
        let retry_after = |new_events: bool, wrote: bool| {
            let mut cycle = cycle();
            for now in [0, 100, 200] {
                if new_events {
                    cycle.note_events(now);
                }
                cycle.begin_group(now);
                cycle.note_left_over();
                cycle.end_group(now, turn, 1, wrote);
            }
            cycle.due(1).unwrap() - 200
        };
        assert_eq!(retry_after(false, false), 16);
        assert_eq!(retry_after(true, false), 2);
        assert_eq!(retry_after(false, true), 2);
    }

    #[test]
    fn without_streams_nothing_is_due() {
        let mut cycle = cycle();
        cycle.note_events(5);
        cycle.begin_group(5);
        cycle.note_left_over();
        cycle.pause_before(7);
        cycle.note_events(6);
        cycle.clear();
        assert!(!cycle.is_flushing());
        assert_eq!(cycle.due(0), None);
    }
}

//! Writes the output of the hub to the runtime's streams.

use std::time::Duration;

use worker::Delay;

use super::shared::Shared;
use super::state::ChannelState;
use super::stream::{EventStream, Frame};
use super::timer::Timer;
use crate::isolate::opening;
use crate::isolate::random::random_between;
use crate::logging::{Level, Line};
use crate::settings::HoldStreams;
use sse_hub::held::SHORT_RETRY_MS;
use sse_hub::{Change, ConnId, Hub, Millis, Output, Readiness};

impl Shared {
    pub(super) fn log_left(&self, conn: ConnId) {
        Level::Info.log(|| {
            Line::new("listener left")
                .field("id", self.id())
                .field("conn", conn)
        });
    }

    /// Begins a flush, or writes to the next group of streams of the current one; see [`Hub::flush`].
    fn flush(&self) {
        let now = self.clock.now();
        let output = self.with(|ChannelState { hub, store }| hub.flush(store, now));
        self.perform_if_any(output);
    }

    /// Does what is due, and sets the timer for what is due next.
    pub(super) fn poll(&self) {
        if self.deleting.get() {
            return;
        }
        self.check_storage();
        self.hand_over_if_quiet();
        let now = self.clock.now();
        let output = self.with(|ChannelState { hub, store }| hub.poll(store, now));
        self.perform_if_any(output);
        self.set_timer();
    }

    /// If the channel is quiet, ends the streams that the Worker can hold, so that the object can sleep.
    fn hand_over_if_quiet(&self) {
        let may_sleep = self.settings.limits.may_sleep;
        let is_handed_over = self.settings.hold_streams == HoldStreams::Auto && may_sleep;
        if is_handed_over && self.activity.is_quiet(self.clock.now()) {
            let (least, most) = SHORT_RETRY_MS;
            let output = self.with(|state| state.hub.hand_over(|| random_between(least, most)));
            self.perform_if_any(output);
        }
    }

    /// Sets the timer for what is due next.
    pub(super) fn set_timer(&self) {
        let next = self.with(|state| (state.hub.next_poll(), state.hub.responses()));
        let Some((at, responses)) = next else {
            return;
        };
        if self.settings.max_open_channels.is_some() {
            opening::has_streams(self.id(), responses);
        }
        self.set(&self.timer, at);
    }

    pub(super) fn set(&self, timer: &Timer, at: Option<Millis>) {
        if let Err(error) = timer.set(at, self.clock.now()) {
            Level::Error.log(|| {
                Line::new("timer failed")
                    .field("id", self.id())
                    .error(&error)
            });
        }
    }

    /// Reads from the storage once per heartbeat period. After the platform has replaced an object, it may leave the
    /// streams of the old object open for a while, although nothing is published to them any more. It stops the old
    /// object when that object uses its storage, and the clients then reconnect.
    fn check_storage(&self) {
        let now = self.clock.now();
        if now < self.next_check.get() {
            return;
        }
        let heartbeat = self.settings.limits.heartbeat;
        self.next_check.set(now.saturating_add(heartbeat));
        if let Some(Err(error)) = self.with(|state| state.store.check()) {
            self.storage_failed(&error);
            self.database.abort("the storage cannot be read");
        }
    }

    fn perform_if_any(&self, output: Option<Output<EventStream>>) {
        if let Some(output) = output {
            self.perform(output);
        }
    }

    /// Writes to streams and ends them, as the hub has decided. Each chunk is copied out of WebAssembly memory once,
    /// however many streams get it.
    pub(super) fn perform(&self, output: Output<EventStream>) {
        let frames: Vec<Frame> = output.chunks.iter().map(Frame::new).collect();
        for write in output.writes {
            let frame = frames.get(write.chunk);
            debug_assert!(frame.is_some(), "every write has a chunk");
            if frame.is_some_and(|frame| write.stream.write(frame).is_err()) {
                self.leave(write.conn);
            }
        }
        for ended in output.ended {
            ended.stream.end(ended.reason);
            self.log_left(ended.conn);
        }
        if let Some(error) = output.error {
            self.storage_failed(&error);
        }
        let changes = self.with(|state| state.hub.take_changes());
        for change in changes.unwrap_or_default() {
            self.log_change(&change);
        }
    }

    fn log_change(&self, change: &Change) {
        Level::Info.log(|| match change {
            Change::StartedDropping(conn) => Line::new("channel busy")
                .field("id", self.id())
                .field("conn", conn),
            Change::CaughtUp(conn, dropped) => Line::new("channel caught up")
                .field("id", self.id())
                .field("conn", conn)
                .field("dropped", dropped),
        });
    }

    /// Before events leave the log: writes them to the streams that keep up and do not have them yet, and waits for
    /// loop turns in which these streams take them. Does not wait for unresponsive streams.
    pub(super) async fn let_streams_keep_up(
        &self,
        readiness: impl Fn(&mut Hub<EventStream>, Millis) -> Readiness,
    ) {
        // While the deletion of the channel is being stored, nothing may be read from the history.
        while !self.deleting.get() {
            let now = self.clock.now();
            match self.with(|state| readiness(&mut state.hub, now)) {
                Some(Readiness::FlushFirst) => self.flush(),
                Some(Readiness::WaitForLoopTurn) => {
                    self.with(|state| state.hub.begin_loop_turn());
                    Delay::from(Duration::ZERO).await;
                }
                Some(Readiness::Ready) | None => return,
            }
        }
    }
}

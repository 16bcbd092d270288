//! Writes the output of the hub to the runtime's streams.

use std::time::Duration;

use js_sys::Uint8Array;
use worker::Delay;

use super::shared::Shared;
use super::state::ChannelState;
use super::stream::EventStream;
use super::timer::Timer;
use crate::isolate::opening;
use crate::logging::{Level, Line};
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
        let now = self.clock.now();
        let output = self.with(|ChannelState { hub, store }| hub.poll(store, now));
        self.perform_if_any(output);
        self.set_timer();
    }

    /// Sets the timer for what is due next.
    pub(super) fn set_timer(&self) {
        let next = self.with(|state| (state.hub.next_poll(), state.hub.subscribers()));
        let Some((at, subscribers)) = next else {
            return;
        };
        if self.settings.max_open_channels.is_some() {
            opening::has_streams(self.id(), subscribers);
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
        let chunks: Vec<Uint8Array> = output
            .chunks
            .iter()
            .map(|chunk| Uint8Array::from(chunk.as_slice()))
            .collect();
        for write in output.writes {
            let chunk = chunks.get(write.chunk);
            debug_assert!(chunk.is_some(), "every write has a chunk");
            if chunk.is_some_and(|chunk| write.stream.write(chunk).is_err()) {
                self.leave(write.conn);
            }
        }
        for (conn, stream) in output.ended {
            stream.end();
            self.log_left(conn);
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
        readiness: impl Fn(&mut Hub<EventStream>) -> Readiness,
    ) {
        // While the deletion of the channel is being stored, nothing may be read from the history.
        while !self.deleting.get() {
            match self.with(|state| readiness(&mut state.hub)) {
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

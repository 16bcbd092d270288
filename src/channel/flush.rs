//! What is due to streams: written, or ended.

use js_sys::Uint8Array;

use super::Shared;
use super::stream::EventStream;
use super::timer::Timer;
use crate::isolate::opening;
use crate::logging::{Level, Line};
use sse_hub::Millis;
use sse_hub::{Change, ConnId, Output};

impl Shared {
    /// Forgets a stream whose client has gone.
    pub(super) fn leave(&self, conn: ConnId) {
        if self.hub.borrow_mut().leave(conn) {
            self.log_left(conn);
            self.set_timer();
        }
    }

    fn log_left(&self, conn: ConnId) {
        Level::Info.log(|| {
            Line::new("listener left")
                .field("id", self.id())
                .field("conn", conn)
        });
    }

    /// See [`Hub::flush`](sse_hub::Hub::flush).
    pub(super) fn flush(&self) {
        let work = {
            let mut hub = self.hub.borrow_mut();
            hub.flush(&mut *self.store.borrow_mut(), self.clock.now())
        };
        self.perform(work);
    }

    /// Does what is due, and sets the timer for what comes next.
    pub(super) fn poll(&self) {
        if self.ending.get() {
            return;
        }
        self.check_storage();
        let work = {
            let mut hub = self.hub.borrow_mut();
            hub.poll(&mut *self.store.borrow_mut(), self.clock.now())
        };
        self.perform(work);
        self.set_timer();
    }

    /// Sets the timer for what comes next.
    pub(super) fn set_timer(&self) {
        let (at, streams) = {
            let hub = self.hub.borrow();
            (hub.next_poll(), hub.subscribers())
        };
        if self.settings.max_open_channels.is_some() {
            opening::has_streams(self.id(), streams);
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

    /// Reads the storage once in every heartbeat's time. The platform may leave the streams of an object that it has
    /// replaced open for a while, in which nobody publishes to them; but it ends such an object that touches its storage.
    fn check_storage(&self) {
        let now = self.clock.now();
        if now < self.next_check.get() {
            return;
        }
        self.next_check
            .set(now.saturating_add(self.settings.limits.heartbeat));
        let checked = self.store.borrow().check();
        if let Err(error) = checked {
            self.storage_failed(&error);
            self.database.abort("the storage cannot be read");
        }
    }

    /// Writes what the hub gave out. Each of its chunks is copied out of wasm memory once, however many streams get it.
    pub(super) fn perform(&self, work: Output<EventStream>) {
        let chunks: Vec<Uint8Array> = work
            .chunks
            .iter()
            .map(|chunk| Uint8Array::from(chunk.as_slice()))
            .collect();
        for write in work.writes {
            let chunk = chunks.get(write.chunk);
            if chunk.is_some_and(|chunk| write.stream.write(chunk).is_err()) {
                self.leave(write.conn);
            }
        }
        for (conn, stream) in work.ended {
            stream.end();
            self.log_left(conn);
        }
        if let Some(error) = work.error {
            self.storage_failed(&error);
        }
        let changes = self.hub.borrow_mut().take_changes();
        for change in changes {
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
    }
}

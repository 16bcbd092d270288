//! Handles messages of the Worker, and restores feeds after the object has slept.

use super::Hub;
use crate::Millis;
use crate::carrier::Carrier;
use crate::feed::{FeedMessage, Window};
use crate::join::JoinOptions;
use crate::output::Output;
use crate::stream::{ConnId, Stream};
use crate::subscriber::{CatchUp, Mode, Subscriber};

impl<S: Stream> Hub<S> {
    /// Notes a message of the Worker that holds the stream `conn`. If the stream is behind and has become ready, a
    /// flush is due.
    pub fn note_message(&mut self, conn: ConnId, message: FeedMessage, now: Millis) -> Output<S> {
        let mut output = Output::new();
        let Some(subscriber) = self.subscribers.get_mut(&conn) else {
            return output;
        };
        if message == FeedMessage::Finish {
            if subscriber.cursor.is_in_event() {
                self.finish_event(conn, &mut output);
            }
            return output;
        }
        let was_ready = subscriber.is_ready();
        self.ticking
            .track(subscriber, |it| it.note_message(message));
        let has_become_ready = !was_ready && subscriber.is_ready();
        if has_become_ready && subscriber.cursor.is_behind(self.log.head()) {
            self.flushes.note_events(now);
        }
        output
    }

    /// Adds a feed that has outlasted the sleep of its object. It is at the head, because an object sleeps only while
    /// all feeds are level. `history` and `catch_up` are as in [`JoinOptions`].
    pub fn restore(&mut self, conn: ConnId, stream: S, history: bool, catch_up: bool, now: Millis) {
        let options = JoinOptions {
            next_seq: self.log.head(),
            history,
            catch_up,
            expires: None,
            carrier: Carrier::Feed(Window::after_sleep()),
        };
        let mode = Mode::Responsive(CatchUp::new(&options, false));
        let subscriber = Subscriber::new(stream, &options, mode, now, self.loop_turn);
        self.ticking.add(&subscriber);
        self.subscribers.insert(conn, subscriber);
        self.counters.continue_after(conn);
    }
}

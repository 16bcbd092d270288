//! A held stream and its client. The model drives the stream as src/http/held does.

mod network;
mod open;

use super::object::Wanted;
use super::reader::{Check, Reader};
use super::wire::{ToObject, Wire};
use crate::feed::FeedMessage;
use crate::held::{Action, FeedAnswer, FeedNumber, HeldLimits, HeldStream};
use crate::sse::EventId;
use crate::{Millis, ReplayFrom};

/// A request for a feed.
#[derive(Debug)]
enum Request {
    /// It is on its way to the object.
    Asked(Option<EventId>),
    /// The answer is on its way to the Worker.
    Answered(FeedAnswer, Option<Wire>),
}

/// What the model knows of a feed.
#[derive(Debug, Default)]
struct Feed {
    wire: Option<Wire>,
    request: Option<Request>,
    /// The bytes that arrived and were not acknowledged.
    unacknowledged: usize,
    /// The bytes that arrived since the client last took everything. The Worker has at least these in memory.
    untaken: usize,
    /// Whether the object has asked on this wire how many bytes the Worker holds, which it does after a sleep.
    was_asked: bool,
}

/// A stream that a Worker holds, and its client.
pub struct Session {
    pub held: HeldStream,
    /// The channels, as indices into the objects of the model.
    pub list: Vec<usize>,
    wanted: Vec<Wanted>,
    feeds: Vec<Feed>,
    /// Reads and checks all bytes that were written to the stream.
    pub reader: Reader,
    /// Reads the bytes that the client has taken.
    taken: Reader,
    /// The bytes that the client has not taken.
    waiting: Vec<u8>,
    /// The time for which the timer is set.
    timer_at: Millis,
    /// Whether the client takes everything in each loop turn.
    pub keeps_up: bool,
    pub has_ended: bool,
    checks: Vec<Check>,
}

/// How a client subscribes.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The channels, each with its start.
    pub starts: Vec<(usize, ReplayFrom)>,
    pub catch_up: bool,
    pub keeps_up: bool,
    pub limits: HeldLimits,
    pub seed: u64,
}

impl Session {
    /// Notes the client's progress, does `work`, and performs the actions.
    fn change(
        &mut self,
        frame: Option<&[u8]>,
        now: Millis,
        work: impl FnOnce(&mut HeldStream) -> Vec<Action>,
    ) {
        if self.has_ended {
            return;
        }
        if self.waiting.is_empty() {
            for feed in &mut self.feeds {
                feed.untaken = 0;
            }
        }
        let mut actions = self.held.note_progress(self.waiting.is_empty(), now);
        actions.extend(work(&mut self.held));
        self.perform(actions, frame, now);
    }

    fn perform(&mut self, actions: Vec<Action>, frame: Option<&[u8]>, now: Millis) {
        for action in actions {
            assert!(!self.has_ended, "{action:?} follows the end");
            match action {
                Action::Write(bytes) => self.write(&bytes),
                Action::PassOn => self.write(frame.expect("a frame has arrived")),
                Action::Send(feed, message) => self.send(feed, message),
                Action::Ping(feed) => {
                    let wire = self.feeds[feed].wire.as_ref().unwrap();
                    wire.send_to_object(ToObject::Ping);
                }
                Action::Close(feed) => self.feeds[feed].wire.take().unwrap().leave(),
                Action::Open(feed, position) => {
                    let is_only = self.feeds.len() == 1;
                    let feed = &mut self.feeds[feed];
                    assert!(feed.wire.is_none());
                    // With several channels, frames that waited for another channel may have been forgotten.
                    assert!(
                        !is_only || feed.untaken == 0,
                        "the client has taken the last feed"
                    );
                    // An answer to an earlier request would come too late.
                    let late = feed.request.replace(Request::Asked(position));
                    if let Some(Request::Answered(_, Some(wire))) = late {
                        wire.leave();
                    }
                }
                Action::End => self.leave(),
            }
        }
        assert_eq!(self.held.has_ended(), self.has_ended);
        if !self.has_ended {
            self.timer_at = self.timer_at.min(self.held.next_tick(now));
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let checks = self.reader.read(bytes);
        self.checks.extend(checks);
        self.waiting.extend_from_slice(bytes);
    }

    fn send(&mut self, number: FeedNumber, message: FeedMessage) {
        let feed = &mut self.feeds[number];
        match message {
            FeedMessage::Taken(bytes) => {
                let bytes = bytes as usize;
                assert!(
                    bytes <= feed.unacknowledged,
                    "each byte is acknowledged once"
                );
                feed.unacknowledged -= bytes;
            }
            FeedMessage::Holds(bytes) => assert_eq!(bytes as usize, feed.unacknowledged),
            FeedMessage::Finish => {}
        }
        if let Some(wire) = &feed.wire {
            wire.send_to_object(ToObject::Message(message));
        }
    }

    /// The client leaves, or its stream ends.
    pub fn leave(&mut self) {
        self.has_ended = true;
        for feed in &mut self.feeds {
            if let Some(wire) = feed.wire.take() {
                wire.leave();
            }
            if let Some(Request::Answered(_, Some(wire))) = feed.request.take() {
                wire.leave();
            }
        }
    }

    /// The client takes at most `bytes` bytes.
    pub fn take(&mut self, bytes: usize) {
        let bytes = bytes.min(self.waiting.len());
        let taken: Vec<u8> = self.waiting.drain(..bytes).collect();
        self.taken.read(&taken);
    }

    /// The id that the client has read last.
    pub fn last_id(&self) -> Option<&str> {
        self.taken.last_id.as_deref()
    }

    /// Returns the number of the feed whose wire is `wire`.
    pub fn number_of(&self, wire: &Wire) -> Option<FeedNumber> {
        let is_wire = |feed: &Feed| feed.wire.as_ref().is_some_and(|it| it.is(wire));
        self.feeds.iter().position(is_wire)
    }

    pub fn wires(&self) -> impl Iterator<Item = &Wire> {
        self.feeds.iter().filter_map(|feed| feed.wire.as_ref())
    }

    /// Takes the blocks that the model has to compare with the channels.
    pub fn take_checks(&mut self) -> Vec<Check> {
        std::mem::take(&mut self.checks)
    }

    pub fn due_at(&self) -> Option<Millis> {
        (!self.has_ended).then_some(self.timer_at)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Millis) {
        self.timer_at = Millis::MAX;
        self.change(None, now, |held| held.tick(now));
        assert!(
            self.has_ended || self.held.next_tick(now) > now,
            "nothing is due after it was done"
        );
    }

    /// The client's progress is noted, for example because another timer was due.
    pub fn note_progress(&mut self, now: Millis) {
        self.change(None, now, |_| Vec::new());
    }

    /// The Worker stops.
    pub fn stop(&mut self, now: Millis) {
        self.change(None, now, HeldStream::stop);
    }

    /// The feed `number` breaks, if it is open.
    pub fn break_feed(&self, number: FeedNumber) {
        if let Some(wire) = &self.feeds[number].wire {
            wire.break_off();
        }
    }
}

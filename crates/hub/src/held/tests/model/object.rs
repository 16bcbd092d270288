//! The object of a channel. It drives the hub as src/channel does.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::{ToObject, Wire};
use crate::feed::{FeedClose, FrameHeader, Window};
use crate::held::FeedAnswer;
use crate::history::History;
use crate::hub::tests::model::history::FakeHistory;
use crate::sse::{self, Batch, Epoch, EventId};
use crate::{
    Carrier, Chunk, ConnId, EndReason, Hub, JoinOptions, Limits, Millis, Output, ReplayFrom,
};

const FIRST_EPOCH: Epoch = Epoch::new(1_700_000_000_000, 0);

/// The object of a channel, and a copy of every event published.
pub struct Object {
    pub name: &'static str,
    pub hub: Hub<Wire>,
    pub history: FakeHistory,
    limits: Limits,
    /// The data of every event, by epoch. The first event of an epoch has the number 1.
    pub published: BTreeMap<Epoch, Vec<String>>,
    /// The feeds that the runtime keeps for the object.
    pub feeds: BTreeMap<ConnId, Wire>,
    /// The feeds whose streams asked for catch-up.
    catching_up: BTreeSet<ConnId>,
}

/// How a stream starts in a channel.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub from: ReplayFrom,
    pub catch_up: bool,
    /// Whether the feed continues a stream that has got its `hub.open`.
    pub continued: bool,
}

impl Object {
    pub fn new(name: &'static str, history: Option<u64>, buffer_events: usize) -> Self {
        let limits = Limits {
            buffer_events,
            buffer_bytes: 3 << 20,
            heartbeat: 15_000,
            stall: Some(60_000),
            flush_max: 25,
            may_sleep: history.is_some(),
        };
        let epoch = FIRST_EPOCH;
        let first = EventId { epoch, seq: 1 };
        Self {
            name,
            hub: Hub::new(name, first, &limits),
            history: FakeHistory::new(history),
            limits,
            published: BTreeMap::from([(epoch, Vec::new())]),
            feeds: BTreeMap::new(),
            catching_up: BTreeSet::new(),
        }
    }

    /// The position before the next event.
    pub fn newest(&self) -> EventId {
        let next = self.hub.next_id();
        EventId::before(next.epoch, next.seq)
    }

    /// Whether the event `id` is still stored.
    pub fn holds(&mut self, id: EventId, now: Millis) -> bool {
        let tail = self.history.tail(now).unwrap();
        id.epoch == self.hub.next_id().epoch && tail.is_some_and(|tail| id.seq >= tail)
    }

    fn perform(&mut self, output: Output<Wire>) {
        for write in output.writes {
            let chunk = &output.chunks[write.chunk];
            assert!(!chunk.bytes.is_empty());
            write.stream.send(chunk);
        }
        for ended in output.ended {
            let close = match ended.reason {
                EndReason::ChannelEnded => FeedClose::ChannelEnded,
                EndReason::Unreadable => FeedClose::Unreadable,
                EndReason::Stopping => FeedClose::Stopping,
                EndReason::Stalled | EndReason::MemoryShort | EndReason::Expired => {
                    FeedClose::Stalled
                }
                EndReason::Quiet => {
                    panic!("a feed ends because of {:?}", ended.reason)
                }
            };
            ended.stream.close(close.code());
            self.feeds.remove(&ended.conn);
        }
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Millis) {
        self.hub.begin_loop_turn();
        let output = self.hub.poll(&mut self.history, now);
        self.perform(output);
    }

    pub fn flush(&mut self, now: Millis) {
        let output = self.hub.flush(&mut self.history, now);
        self.perform(output);
    }

    /// Encodes events with data of these sizes, and stores them.
    pub fn store(&mut self, sizes: &[usize]) -> (Batch, Vec<String>) {
        let mut wire = String::new();
        let mut events = Vec::new();
        for (seq, size) in (self.history.next_seq..).zip(sizes) {
            let data = format!("{}:{seq}:{}", self.name, "x".repeat(*size));
            sse::write_event(&mut wire, "", &data);
            events.push(data);
        }
        let batch = Batch::from_wire(wire);
        self.history.store(&batch);
        (batch, events)
    }

    /// Appends a stored batch.
    pub fn append(&mut self, batch: &Batch, events: Vec<String>, now: Millis) {
        let receipt = self.hub.append(batch, now);
        let published = self.published.get_mut(&receipt.id.epoch).unwrap();
        published.extend(events);
        assert_eq!(receipt.id.seq, published.len() as u64);
        assert_eq!(receipt.subscribers, self.feeds.len());
    }

    /// Ends the channel.
    pub fn end(&mut self, now: Millis) {
        self.hub.end(now);
    }

    /// Deletes the channel.
    pub fn delete(&mut self) {
        let next = self.begin_epoch();
        let (receipt, output) = self.hub.delete(next);
        assert_eq!(receipt.subscribers, self.feeds.len());
        self.perform(output);
        assert!(self.feeds.is_empty());
    }

    fn begin_epoch(&mut self) -> EventId {
        let epoch = FIRST_EPOCH.after(self.hub.next_id().epoch);
        self.published.insert(epoch, Vec::new());
        self.history = FakeHistory::new(self.history.holds);
        EventId { epoch, seq: 1 }
    }

    /// Makes a new hub from what is stored.
    fn load(&mut self, next: EventId, now: Millis) {
        let has_ended = self.hub.has_ended() && self.history.holds.is_some();
        self.hub = Hub::new(self.name, next, &self.limits);
        if has_ended {
            self.hub.end(now);
        }
    }

    /// The object is replaced: all feeds break. Without a history, the next event begins another epoch.
    pub fn restart(&mut self, now: Millis) {
        for wire in self.feeds.values() {
            wire.break_off();
        }
        self.feeds.clear();
        self.catching_up.clear();
        let next = match self.history.holds {
            Some(_) => self.hub.next_id(),
            None => self.begin_epoch(),
        };
        self.load(next, now);
    }

    /// The object sleeps and wakes. The runtime keeps its feeds. `hub.next_poll()` has to be `None` before.
    pub fn sleep(&mut self, now: Millis) {
        self.load(self.hub.next_id(), now);
        for (conn, wire) in &self.feeds {
            let catch_up = self.catching_up.contains(conn);
            self.hub.restore(*conn, wire.clone(), true, catch_up, now);
        }
    }

    /// Answers a request for a feed.
    pub fn answer(&mut self, wanted: &Wanted, now: Millis) -> (FeedAnswer, Option<Wire>) {
        let start = self
            .hub
            .start_position(&wanted.from, u64::MAX, &mut self.history, now);
        let start = start.unwrap();
        let has_everything = start.gap.is_none() && start.next_seq == self.hub.next_id().seq;
        if self.hub.has_ended() && has_everything {
            return (FeedAnswer::Ended(self.newest()), None);
        }
        let conn = self.hub.next_conn_id();
        let opening = if wanted.continued {
            sse::continuation(self.name, &start)
        } else {
            sse::opening(self.name, &start)
        };
        let bytes = opening.into_bytes();
        let carrier = Carrier::Feed(Window::new(bytes.len()));
        let wire = Wire::default();
        if !bytes.is_empty() {
            let next_seq = start.next_seq;
            let header = FrameHeader {
                next_seq,
                ..FrameHeader::default()
            };
            wire.send(&Chunk { bytes, header });
        }
        let options = JoinOptions {
            next_seq: start.next_seq,
            history: self.history.holds.is_some(),
            catch_up: wanted.catch_up,
            expires: None,
            carrier,
        };
        self.hub.join(conn, wire.clone(), &options, now);
        self.feeds.insert(conn, wire.clone());
        if wanted.catch_up {
            self.catching_up.insert(conn);
        }
        (FeedAnswer::Opened(start.id), Some(wire))
    }

    /// Takes the next message of the feed `conn` from the network. Returns whether there was one.
    pub fn receive(&mut self, conn: ConnId, now: Millis) -> bool {
        let Some(wire) = self.feeds.get(&conn).cloned() else {
            return false;
        };
        match wire.next_for_object() {
            Some(ToObject::Message(message)) => {
                let output = self.hub.note_message(conn, message, now);
                self.perform(output);
            }
            Some(ToObject::Closed) => {
                assert!(self.hub.leave(conn));
                self.feeds.remove(&conn);
            }
            Some(ToObject::Ping) | None => return false,
        }
        true
    }
}

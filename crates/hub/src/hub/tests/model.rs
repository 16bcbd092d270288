//! A channel as the Worker drives it: a hub with fake streams, a fake history, and a copy of every event published.

mod check;
mod client;
pub mod history;
mod lifecycle;
mod stream;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use self::client::{Account, Client, Published};
use self::history::FakeHistory;
pub use self::stream::FakeStream;
use crate::hub::flush_cycle::GROUP;
use crate::hub::{Evict, Hub, MAX_CHUNK};
use crate::sse::{self, Batch, Epoch, EventId};
use crate::{
    Carrier, Chunk, ConnId, FeedMessage, JoinOptions, Limits, Millis, Output, Readiness, ReplayFrom,
};

const CHANNEL: &str = "foo";
const EPOCH: Epoch = Epoch::new(1_700_000_000_000, 0);

/// The channel.
pub struct Model {
    pub hub: Hub<FakeStream>,
    pub history: FakeHistory,
    limits: Limits,
    pub now: Millis,
    pub clients: Vec<Client>,
    published: Published,
    /// Batches that are stored but not appended yet, with the data of their events.
    committed: VecDeque<(Batch, Vec<String>)>,
    /// The sum of `dropped` in all receipts.
    pub receipts_dropped: u64,
    /// The number of events that ended streams had dropped without a notice.
    dropped_without_notice: u64,
    /// The number of deliveries dropped before the last restart.
    dropped_before_restart: u64,
    /// The streams that are dropping, by the changes that the hub reported.
    dropping: BTreeSet<ConnId>,
    /// The sum of the dropped events in `Change::CaughtUp`.
    caught_up: u64,
    /// The number of loop turns that publishers waited for.
    pub turns_waited: u64,
    /// Whether a flush has paused in this loop turn.
    paused: bool,
    group_size: usize,
    /// How long the streams may be open that join from now on.
    pub lifetime: Option<Millis>,
    /// Whether Workers hold the streams that join from now on.
    pub joins_feeds: bool,
}

impl Model {
    pub fn new(buffer_events: usize, buffer_bytes: usize) -> Self {
        Self::with_history(buffer_events, buffer_bytes, None)
    }

    pub fn with_history(buffer_events: usize, buffer_bytes: usize, holds: Option<u64>) -> Self {
        let limits = Limits {
            buffer_events,
            buffer_bytes,
            heartbeat: 1_000,
            stall: Some(60_000),
            flush_max: 25,
            may_sleep: true,
        };
        let first = EventId {
            epoch: EPOCH,
            seq: 1,
        };
        Self {
            hub: Hub::new(CHANNEL, first, &limits),
            history: FakeHistory::new(holds),
            limits,
            now: 1,
            clients: Vec::new(),
            published: Published::from([(EPOCH, Vec::new())]),
            committed: VecDeque::new(),
            receipts_dropped: 0,
            dropped_without_notice: 0,
            dropped_before_restart: 0,
            dropping: BTreeSet::new(),
            caught_up: 0,
            turns_waited: 0,
            paused: false,
            group_size: GROUP,
            lifetime: None,
            joins_feeds: false,
        }
    }

    /// Sets the number of streams in a group of a flush.
    pub fn set_group_size(&mut self, group_size: usize) {
        self.group_size = group_size;
        self.hub.flushes.set_group_size(group_size);
    }

    /// Performs what the hub returned.
    pub fn perform(&mut self, output: Output<FakeStream>) {
        self.paused |= self.hub.is_flushing();
        let ended: BTreeSet<ConnId> = output.ended.iter().map(|ended| ended.conn).collect();
        for write in output.writes {
            let Chunk { bytes, header } = &output.chunks[write.chunk];
            let chunk = bytes;
            assert!(!chunk.is_empty());
            if let Some(subscriber) = self.hub.subscribers.get(&write.conn) {
                assert_eq!(header.next_seq, subscriber.cursor.next_seq);
                assert_eq!(header.in_event, subscriber.cursor.is_in_event());
                assert!(!header.asks && !header.ends);
            }
            if ended.contains(&write.conn) {
                write.stream.write_last(chunk);
            } else {
                assert!(chunk.len() <= MAX_CHUNK);
                write.stream.write(chunk);
            }
        }
        for ended in output.ended {
            self.close(ended.conn);
        }
    }

    fn close(&mut self, conn: ConnId) {
        let mut clients = self.clients.iter_mut();
        let client = clients.find(|client| client.open && client.conn == conn);
        client.unwrap().open = false;
    }

    /// The event loop makes a turn: clients that keep up take their chunks, and a flush in progress continues.
    pub fn loop_turn(&mut self) {
        self.hub.begin_loop_turn();
        self.paused = false;
        for index in 0..self.clients.len() {
            if self.clients[index].keeps_up {
                self.take(index);
            }
        }
        if self.hub.is_flushing() {
            self.poll();
        }
    }

    /// Client number `index` takes what waits. The Worker that holds its stream acknowledges it.
    pub fn take(&mut self, index: usize) {
        let Client {
            conn,
            is_feed,
            ref stream,
            ..
        } = self.clients[index];
        let bytes = stream.take();
        if is_feed && bytes > 0 {
            let message = FeedMessage::Taken(bytes.try_into().unwrap());
            self.hub.note_message(conn, message, self.now);
        }
    }

    pub fn flush(&mut self) {
        assert!(!self.paused, "the next group has to wait for a loop turn");
        let output = self.hub.flush(&mut self.history, self.now);
        self.perform(output);
    }

    /// Publishes events with data of these sizes.
    pub fn publish(&mut self, sizes: &[usize]) {
        self.store(sizes);
        self.append_all();
    }

    /// Stores a batch that is not appended yet, as a group commit does.
    pub fn store(&mut self, sizes: &[usize]) {
        let first = self.history.next_seq;
        let mut wire = String::new();
        let mut events = Vec::new();
        for (seq, size) in (first..).zip(sizes) {
            let data = format!("{seq}:{}", "x".repeat(*size));
            sse::write_event(&mut wire, "", &data);
            events.push(data);
        }
        let batch = Batch::from_wire(wire);
        if batch.cost() > self.limits.buffer_bytes {
            return;
        }
        self.history.store(&batch);
        self.committed.push_back((batch, events));
    }

    /// Appends all stored batches.
    pub fn append_all(&mut self) {
        while let Some((batch, events)) = self.committed.pop_front() {
            self.append(&batch, events);
        }
    }

    fn append(&mut self, batch: &Batch, events: Vec<String>) {
        self.make_ready(|hub, now| hub.readiness_to_append(batch, now));
        let open = self.clients.iter().filter(|client| client.open).count();
        let receipt = self.hub.append(batch, self.now);
        let epoch = receipt.id.epoch;
        self.published.get_mut(&epoch).unwrap().extend(events);
        self.receipts_dropped += receipt.dropped;
        assert_eq!(receipt.events, batch.events);
        assert_eq!(receipt.subscribers, open);
        assert_eq!(receipt.id.seq, self.published[&epoch].len() as u64);
        if !self.hub.is_flushing() {
            self.poll();
        }
    }

    /// Takes the steps that the hub asks for before events are removed.
    fn make_ready(&mut self, readiness: impl Fn(&mut Hub<FakeStream>, Millis) -> Readiness) {
        loop {
            match readiness(&mut self.hub, self.now) {
                Readiness::FlushFirst => self.flush(),
                Readiness::WaitForLoopTurn => {
                    self.loop_turn();
                    // The channel's timer may be due in the same turn.
                    self.now += 1;
                    if !self.hub.is_flushing() {
                        self.poll();
                    }
                    self.turns_waited += 1;
                }
                Readiness::Ready => return,
            }
        }
    }

    /// Does what is due now.
    pub fn poll(&mut self) {
        let lags = self.lags();
        let expires = |client: &Client| client.expires.is_some_and(|at| at <= self.now);
        // A stream that expires may get a notice in the flush before, and the last chunk of a stream whose channel has
        // ended may hold one. A stream that ends for another reason gets none.
        let has_ended = self.hub.has_ended();
        let open: Vec<_> = (0..self.clients.len())
            .filter(|index| self.clients[*index].open)
            .map(|index| {
                let notified = has_ended || expires(&self.clients[index]);
                (index, notified.then(|| self.account(index).dropped))
            })
            .collect();
        let output = self.hub.poll(&mut self.history, self.now);
        self.perform(output);
        for (index, dropped_before) in open {
            let Client { conn, open, .. } = self.clients[index];
            if !open {
                let notified =
                    dropped_before.map_or(0, |before| self.account(index).dropped - before);
                self.dropped_without_notice += lags[&conn] - notified;
            }
        }
        for client in &self.clients {
            let expired = client.expires.is_some_and(|at| at <= self.now);
            assert!(
                !(expired && client.open),
                "no stream is open after it expired"
            );
        }
    }

    /// Waits until something is due, and does it.
    pub fn wait_and_poll(&mut self) {
        self.now = self.now.max(self.hub.next_poll().unwrap());
        self.hub.begin_loop_turn();
        self.paused = false;
        self.poll();
    }

    /// Returns the lag of each subscriber.
    fn lags(&self) -> BTreeMap<ConnId, u64> {
        let tail = self.hub.log.tail();
        let subscribers = self.hub.subscribers.iter();
        subscribers
            .map(|(conn, subscriber)| (*conn, subscriber.lag(tail)))
            .collect()
    }

    /// Returns what client number `index` has read after it has taken its chunk.
    pub fn account(&self, index: usize) -> Account {
        let client = &self.clients[index];
        client.account(client.stream.written(), &self.published)
    }
}

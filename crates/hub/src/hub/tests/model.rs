//! A channel in a test, as `channel` drives it: a hub with fake streams, a fake history, and every event ever published at
//! hand. What is checked is the bytes that the streams got.

use std::collections::{BTreeSet, VecDeque};

use super::reader::{Account, FakeStream, Published, Reader};
use crate::Readiness;
use crate::ReplayFrom;
use crate::history::{History, HistoryError, Page};
use crate::hub::MAX_CHUNK;
use crate::hub::flush_cycle::GROUP;
use crate::hub::*;
use crate::sse;
use crate::sse::Batch;

const EPOCH: u64 = 1_700_000_000_000;

/// A history that holds the newest events: so many, or none where it is switched off.
#[derive(Debug)]
pub struct FakeHistory {
    /// How many; `None` where there is none.
    pub holds: Option<u64>,
    /// What was appended together, with the number of its first event.
    rows: Vec<Page>,
    next: u64,
    /// What is gone once does not come back when more may be held.
    tail: u64,
    /// The next page cannot be read.
    pub fails: bool,
}

impl FakeHistory {
    fn new(holds: Option<u64>) -> Self {
        Self {
            holds,
            rows: Vec::new(),
            next: 1,
            tail: 1,
            fails: false,
        }
    }

    fn store(&mut self, batch: &Batch) {
        self.rows.push(Page {
            first: self.next,
            wire: batch.wire.clone(),
        });
        self.next += batch.events as u64;
    }
}

impl History for FakeHistory {
    fn tail(&mut self, _now: Millis) -> Result<Option<u64>, HistoryError> {
        let Some(holds) = self.holds else {
            return Ok(None);
        };
        self.tail = self.tail.max(self.next.saturating_sub(holds));
        Ok(Some(self.tail))
    }

    fn page(&mut self, from: u64) -> Result<Page, HistoryError> {
        if std::mem::take(&mut self.fails) {
            return Err(HistoryError("as the test wants it".into()));
        }
        assert!(from >= self.tail, "what is not held is not asked for");
        let after = self.rows.partition_point(|row| row.first <= from);
        let mut page = self.rows[after - 1].clone();
        // Rows are read three at a time, where there are so many.
        for row in self.rows.iter().skip(after).take(2) {
            page.wire.push_str(&row.wire);
        }
        Ok(page)
    }
}

/// The channel.
pub struct Model {
    pub hub: Hub<FakeStream>,
    pub history: FakeHistory,
    limits: Limits,
    pub now: Millis,
    pub readers: Vec<Reader>,
    pub published: Published,
    /// Stored, but not appended yet, with the data of its events.
    committed: VecDeque<(Batch, Vec<String>)>,
    pub receipts_dropped: u64,
    left_untold: u64,
    /// Dropped before the last restart.
    dropped_before: u64,
    /// Who is busy, and how many events were caught up with, by the changes that the hub told of.
    busy: BTreeSet<ConnId>,
    caught_up: u64,
    /// Turns of the event loop that publishing waited for.
    pub waited: u64,
    /// A whole group was served in this turn, and more of the flush is to come.
    group_served: bool,
    pub group: usize,
    /// For how long those who join may listen.
    pub lifetime: Option<Millis>,
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
        };
        let first = EventId {
            epoch: EPOCH,
            seq: 1,
        };
        Self {
            hub: Hub::new(first, &limits),
            history: FakeHistory::new(holds),
            limits,
            now: 1,
            readers: Vec::new(),
            published: Published::from([(EPOCH, Vec::new())]),
            committed: VecDeque::new(),
            receipts_dropped: 0,
            left_untold: 0,
            dropped_before: 0,
            busy: BTreeSet::new(),
            caught_up: 0,
            waited: 0,
            group_served: false,
            group: GROUP,
            lifetime: None,
        }
    }

    pub fn perform(&mut self, work: Output<FakeStream>) {
        self.group_served |= self.hub.is_flushing();
        let ended: BTreeSet<ConnId> = work.ended.iter().map(|(conn, _)| *conn).collect();
        for write in work.writes {
            let chunk = &work.chunks[write.chunk];
            assert!(!chunk.is_empty());
            if ended.contains(&write.conn) {
                write.stream.add(chunk);
                continue;
            }
            assert!(chunk.len() <= MAX_CHUNK);
            let waiting = write.stream.0.borrow_mut().waiting.replace(chunk.clone());
            assert_eq!(waiting, None, "only a stream that is ready is written to");
        }
        for (conn, _) in work.ended {
            self.close(conn);
        }
    }

    fn close(&mut self, conn: ConnId) {
        let mut readers = self.readers.iter_mut();
        let reader = readers.find(|reader| reader.open && reader.conn == conn);
        reader.unwrap().open = false;
    }

    /// The event loop goes round: whoever keeps up takes what it was given, and a flush under way serves its next group.
    pub fn turn(&mut self) {
        self.hub.begin_loop_turn();
        self.group_served = false;
        self.take();
        if self.hub.is_flushing() {
            self.poll();
        }
    }

    fn take(&self) {
        for reader in self.readers.iter().filter(|reader| reader.keeps_up) {
            reader.stream.take();
        }
    }

    pub fn flush(&mut self) {
        assert!(!self.group_served, "the next group has to wait for a turn");
        let work = self.hub.flush(&mut self.history, self.now);
        self.perform(work);
    }

    pub fn publish(&mut self, sizes: &[usize]) {
        self.store(sizes);
        self.append_all();
    }

    /// Stores a batch, as a group commit does that others follow before it is appended.
    pub fn store(&mut self, sizes: &[usize]) {
        let published = self.history.next;
        let mut wire = String::new();
        let mut events = Vec::new();
        for (seq, size) in (published..).zip(sizes) {
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

    pub fn append_all(&mut self) {
        while let Some((batch, events)) = self.committed.pop_front() {
            self.append(&batch, events);
        }
    }

    fn append(&mut self, batch: &Batch, events: Vec<String>) {
        while self.step(|hub| hub.readiness_to_append(batch)) {}
        let open = self.readers.iter().filter(|reader| reader.open).count();
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

    /// Does what has to be done before events are removed. Returns whether there was something.
    fn step(&mut self, before: impl Fn(&mut Hub<FakeStream>) -> Readiness) -> bool {
        match before(&mut self.hub) {
            Readiness::FlushFirst => self.flush(),
            Readiness::WaitForLoopTurn => {
                self.turn();
                // The channel's timer may be due in the middle of it.
                self.now += 1;
                if !self.hub.is_flushing() {
                    self.poll();
                }
                self.waited += 1;
            }
            Readiness::Ready => return false,
        }
        true
    }

    pub fn poll(&mut self) {
        let untold = self.untold();
        let told = |model: &Self, index: usize| model.account(index).dropped;
        // Others that are ended now are told nothing before.
        let expiring = |reader: &Reader| reader.expires.is_some_and(|at| at <= self.now);
        let open: Vec<_> = (0..self.readers.len())
            .filter(|index| self.readers[*index].open)
            .map(|index| {
                let told = expiring(&self.readers[index]).then(|| told(self, index));
                (index, told)
            })
            .collect();
        let work = self.hub.poll(&mut self.history, self.now);
        self.perform(work);
        for (index, told_before) in open {
            let Reader { conn, open, .. } = self.readers[index];
            if !open {
                let told_now = told_before.map_or(0, |before| told(self, index) - before);
                self.left_untold += untold[&conn] - told_now;
            }
        }
        self.check_expired();
    }

    /// Who may listen no longer was told so, or was ended for another reason in the same moment.
    fn check_expired(&self) {
        for reader in &self.readers {
            let expired = reader.expires.is_some_and(|at| at <= self.now);
            assert!(!(expired && reader.open), "nobody listens for longer");
        }
    }

    fn untold(&self) -> BTreeMap<ConnId, u64> {
        let tail = self.hub.log.tail();
        let subscribers = self.hub.subscribers.iter();
        subscribers
            .map(|(conn, subscriber)| (*conn, subscriber.lag(tail)))
            .collect()
    }

    /// Waits until something is due, and does it.
    pub fn wake(&mut self) {
        self.now = self.now.max(self.hub.next_poll().unwrap());
        self.hub.begin_loop_turn();
        self.group_served = false;
        self.poll();
    }

    pub fn join(&mut self, keeps_up: bool) {
        self.join_since(ReplayFrom::Now, keeps_up, false);
    }

    pub fn join_since(&mut self, since: ReplayFrom, keeps_up: bool, catch_up: bool) {
        let conn = self.hub.next_conn_id();
        let start = self
            .hub
            .start_position(&since, u64::MAX, &mut self.history, self.now)
            .unwrap();
        let options = JoinOptions {
            next_seq: start.next_seq,
            history: self.history.holds.is_some(),
            catch_up,
            expires: self.lifetime.map(|lifetime| self.now + lifetime),
        };
        let stream = FakeStream::default();
        let mut opening = sse::opening(3_000, start.resume_id);
        if let Some(gap) = &start.gap {
            opening.push_str(&sse::Notice::Gap.encode(gap));
        }
        stream.0.borrow_mut().waiting = Some(opening.into_bytes());
        self.hub.join(conn, stream.clone(), &options, self.now);
        self.readers.push(Reader {
            conn,
            stream,
            keeps_up,
            catches_up: options.history && catch_up,
            since,
            expires: options.expires,
            open: true,
        });
    }

    /// Takes in a reader and lets it read its opening block.
    pub fn join_read(&mut self, keeps_up: bool) {
        self.join(keeps_up);
        self.readers.last().unwrap().stream.take();
    }

    /// A reader is cut off, and comes back as the same kind of reader with the last id that it has taken.
    pub fn reconnect(&mut self, index: usize, keeps_up: bool, catch_up: bool) {
        self.leave(index);
        let reader = &self.readers[index];
        let taken = reader.stream.0.borrow().taken.clone();
        let since = match reader.account(taken, &self.published).last {
            Some(last) => ReplayFrom::After(last),
            None => reader.since.clone(),
        };
        self.join_since(since, keeps_up, catch_up);
    }

    pub fn leave(&mut self, index: usize) {
        let Reader { conn, open, .. } = self.readers[index];
        if !open {
            return;
        }
        self.left_untold += self.untold()[&conn];
        assert!(self.hub.leave(conn));
        self.readers[index].open = false;
    }

    /// Memory is short: the log gives events back.
    pub fn evict(&mut self, which: Evict) {
        let covers = |holds| holds >= self.limits.buffer_events as u64;
        let history_covers_log = self.history.holds.is_some_and(covers);
        if which == Evict::All {
            while self.step(Hub::readiness_to_empty) {}
        }
        let dropped = self.hub.stats().dropped;
        self.hub.evict(which, history_covers_log);
        if which == Evict::Unneeded {
            assert_eq!(self.hub.stats().dropped, dropped, "nothing is dropped");
        } else {
            assert_eq!(self.hub.log.bytes(), 0);
            let untold = self.untold();
            let work = self.hub.end_streams_with_partial_events();
            for (conn, _) in &work.ended {
                self.left_untold += untold[conn];
            }
            self.perform(work);
        }
    }

    /// The object starts anew: its memory is gone, the history is not.
    pub fn restart(&mut self) {
        for index in 0..self.readers.len() {
            self.leave(index);
        }
        self.dropped_before += self.hub.stats().dropped;
        // No receipt tells of these drops any more.
        self.receipts_dropped += self.hub.drops.unreported();
        self.now += 1;
        let mut next = self.hub.next_id();
        let stored: Vec<String> = (self.committed.drain(..))
            .flat_map(|(_, events)| events)
            .collect();
        if self.history.holds.is_none() {
            next = self.next_epoch();
        } else {
            next.seq = self.history.next;
            self.published.get_mut(&next.epoch).unwrap().extend(stored);
        }
        self.hub = Hub::new(next, &self.limits);
        self.hub.flushes.set_group_size(self.group);
        self.busy.clear();
        self.group_served = false;
    }

    /// The channel is deleted. Its readers' streams end with what they are due.
    pub fn end(&mut self) {
        self.append_all();
        while self.step(Hub::readiness_to_empty) {}
        let last = self.hub.next_id().seq - 1;
        let open: Vec<_> = (self.readers.iter().enumerate())
            .filter_map(|(index, reader)| reader.open.then_some(index))
            .collect();
        let next = self.next_epoch();
        let (receipt, work) = self.hub.end(next);
        assert_eq!(receipt.subscribers, open.len());
        assert_eq!(receipt.id.seq, last);
        self.receipts_dropped += receipt.dropped;
        for write in work.writes {
            write.stream.add(&work.chunks[write.chunk]);
        }
        for (conn, _) in work.ended {
            self.close(conn);
        }
        for index in open {
            let account = self.account(index);
            assert!(!self.readers[index].open && account.ended);
            assert_eq!(account.last.map(|id| id.seq), Some(last));
        }
        assert_eq!(self.hub.next_poll(), None);
        self.group_served = false;
    }

    /// Begins the next epoch, with an empty history.
    fn next_epoch(&mut self) -> EventId {
        let epoch = self.hub.log.epoch() + 1;
        self.published.insert(epoch, Vec::new());
        self.history = FakeHistory::new(self.history.holds);
        EventId { epoch, seq: 1 }
    }

    /// What reader number `index` knows, or will know when it has taken its chunk.
    pub fn account(&self, index: usize) -> Account {
        let reader = &self.readers[index];
        reader.account(reader.stream.all(), &self.published)
    }

    pub fn check(&mut self) {
        assert!(self.hub.log.bytes() <= self.limits.buffer_bytes);
        let held = self.hub.log.head() - self.hub.log.tail();
        assert!(held <= self.limits.buffer_events as u64);
        let tail = self.history.tail(self.now).unwrap();
        let gone_before = tail.unwrap_or(self.hub.log.tail());
        let fails = std::mem::take(&mut self.history.fails);
        let mut accounted = self.left_untold;
        for (index, reader) in self.readers.iter().enumerate() {
            let account = self.account(index);
            accounted += account.dropped;
            let expired = reader.expires.is_some_and(|at| at <= self.now);
            assert!(!account.expired || (expired && !reader.open));
            for to in account.gaps {
                let gone = to.epoch < self.hub.log.epoch() || to.seq < gone_before;
                assert!(gone || account.ended, "what is held is no gap");
            }
            if !reader.open {
                continue;
            }
            let subscriber = &self.hub.subscribers[&reader.conn];
            accounted += subscriber.lag(self.hub.log.tail());
            let last = account.last.map_or(0, |last| last.seq);
            assert!(last < subscriber.cursor.next_seq);
        }
        assert_eq!(
            self.receipts_dropped + self.hub.drops.unreported(),
            accounted
        );
        let lagging = self.untold().values().filter(|count| **count > 0).count();
        assert_eq!(self.hub.drops.lagging(), lagging as u64);
        self.check_changes();
        self.check_pages(gone_before);
        self.history.fails = fails;
    }

    /// Pages that begin anywhere hold the events that were published there, as many as were asked for.
    fn check_pages(&mut self, tail: u64) {
        let EventId { epoch, seq: head } = self.hub.next_id();
        for from in [tail, tail.midpoint(head), head.saturating_sub(1)] {
            let from = from.clamp(tail.min(head), head);
            let page = self
                .hub
                .read_events(from, 3, 1 << 20, &mut self.history)
                .unwrap();
            assert_eq!(page.len() as u64, (head - from).min(3));
            for (seq, (id, wire)) in (from..).zip(page) {
                assert_eq!(id, EventId { epoch, seq });
                let data = &self.published[&epoch][seq as usize - 1];
                assert_eq!(wire, format!("data: {data}\n\n"));
            }
        }
    }

    /// Each stream is told of as busy and as caught up in turn, and the counts are what it was told itself.
    fn check_changes(&mut self) {
        for change in self.hub.take_changes() {
            match change {
                Change::StartedDropping(conn) => assert!(self.busy.insert(conn)),
                Change::CaughtUp(conn, dropped) => {
                    assert!(self.busy.remove(&conn));
                    self.caught_up += dropped;
                }
            }
        }
        self.busy
            .retain(|conn| self.hub.subscribers.contains_key(conn));
        assert_eq!(self.hub.stats().busy, self.busy.len());
    }

    /// Everybody reads on: in the end all streams have everything, or know what they have not.
    pub fn settle(&mut self) {
        self.history.fails = false;
        self.append_all();
        for _ in 0..2_000 {
            for reader in &self.readers {
                reader.stream.take();
            }
            let Some(at) = self.hub.flush_at() else { break };
            self.now = self.now.max(at);
            self.poll();
        }
        assert_eq!(self.hub.flush_at(), None, "there comes an end to it");
        self.check();
        let newest = self.hub.log.newest();
        for (index, reader) in self.readers.iter().enumerate() {
            assert!(!reader.open || self.account(index).last == Some(newest));
        }
        assert_eq!(self.hub.stats().busy, 0);
        let dropped = self.dropped_before + self.hub.stats().dropped;
        let reported = self.receipts_dropped + self.hub.drops.unreported();
        assert_eq!(dropped, reported);
        if self.readers.iter().all(|reader| reader.open) {
            assert_eq!(self.caught_up, reported);
        }
        for reader in 0..self.readers.len() {
            self.leave(reader);
        }
        assert_eq!(self.hub.next_poll(), None, "nobody is left to wake up for");
    }
}

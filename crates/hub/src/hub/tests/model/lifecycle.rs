//! How streams join and leave, and how the channel loses memory, restarts and ends.

use super::{
    CHANNEL, Carrier, Client, ConnId, EPOCH, Evict, FakeStream, Hub, JoinOptions, Model, ReplayFrom,
};
use crate::feed::Window;
use crate::sse::{self, EventId};

use super::history::FakeHistory;

impl Model {
    /// Adds a client at the next event.
    pub fn join(&mut self, keeps_up: bool) {
        self.join_from(ReplayFrom::Now, keeps_up, false);
    }

    /// Adds a client at the next event. The client takes its opening block immediately.
    pub fn join_and_take(&mut self, keeps_up: bool) {
        self.join(keeps_up);
        self.clients.last().unwrap().stream.take();
    }

    /// Adds a client that starts at `from`.
    pub fn join_from(&mut self, from: ReplayFrom, keeps_up: bool, catch_up: bool) {
        let conn = self.hub.next_conn_id();
        let start = self
            .hub
            .start_position(&from, u64::MAX, &mut self.history, self.now)
            .unwrap();
        let opening = sse::retry_field(3_000) + &sse::opening(CHANNEL, &start);
        let options = JoinOptions {
            next_seq: start.next_seq,
            history: self.history.holds.is_some(),
            catch_up,
            expires: self
                .lifetime
                .filter(|_| !self.joins_feeds)
                .map(|lifetime| self.now + lifetime),
            carrier: if self.joins_feeds {
                Carrier::Feed(Window::new(opening.len()))
            } else {
                Carrier::Response
            },
        };
        let stream = if self.joins_feeds {
            FakeStream::open_feed(&opening)
        } else {
            FakeStream::open(&opening)
        };
        self.hub.join(conn, stream.clone(), &options, self.now);
        self.clients.push(Client {
            conn,
            stream,
            keeps_up,
            catches_up: options.history && catch_up,
            from,
            expires: options.expires,
            is_feed: self.joins_feeds,
            open: true,
        });
    }

    /// A client is cut off. It comes back, and resumes after the last id that it has taken.
    pub fn reconnect(&mut self, index: usize, keeps_up: bool, catch_up: bool) {
        self.leave(index);
        let client = &self.clients[index];
        let account = client.account(client.stream.taken(), &self.published);
        let from = match account.last {
            Some(last) => ReplayFrom::After(last),
            None => client.from.clone(),
        };
        self.join_from(from, keeps_up, catch_up);
    }

    /// A client leaves, if it is still there.
    pub fn leave(&mut self, index: usize) {
        let Client { conn, open, .. } = self.clients[index];
        if !open {
            return;
        }
        let subscriber = &self.hub.subscribers[&conn];
        self.dropped_without_notice += subscriber.lag(self.hub.log.tail());
        assert!(self.hub.leave(conn));
        assert!(!self.hub.leave(conn), "it has left");
        self.clients[index].open = false;
    }

    /// Memory is short: events are removed from the log.
    pub fn evict(&mut self, which: Evict) {
        let covers = |holds| holds >= self.limits.buffer_events as u64;
        let history_covers_log = self.history.holds.is_some_and(covers);
        if which == Evict::All {
            self.make_ready(Hub::readiness_to_empty);
        }
        let dropped = self.hub.stats().dropped;
        self.hub.evict(which, history_covers_log);
        if which == Evict::Unneeded {
            assert_eq!(self.hub.stats().dropped, dropped, "nothing is dropped");
            return;
        }
        assert_eq!(self.hub.log.bytes(), 0);
        let lags = self.lags();
        let output = self.hub.end_streams_with_partial_events();
        for ended in &output.ended {
            self.dropped_without_notice += lags[&ended.conn];
        }
        self.perform(output);
    }

    /// The object restarts: its memory is lost, the history is not.
    pub fn restart(&mut self) {
        for index in 0..self.clients.len() {
            self.leave(index);
        }
        self.dropped_before_restart += self.hub.stats().dropped;
        // These drops were not reported, and no receipt will report them.
        self.receipts_dropped += self.hub.drops.unreported();
        self.now += 1;
        let mut next = self.hub.next_id();
        let stored: Vec<String> = (self.committed.drain(..))
            .flat_map(|(_, events)| events)
            .collect();
        let has_new_events = !stored.is_empty();
        if self.history.holds.is_none() {
            next = self.next_epoch();
        } else {
            next.seq = self.history.next_seq;
            self.published.get_mut(&next.epoch).unwrap().extend(stored);
        }
        // Without a history, it is not stored that the channel has ended.
        let has_ended = self.hub.has_ended() && !has_new_events && self.history.holds.is_some();
        self.hub = Hub::new(CHANNEL, next, &self.limits);
        if has_ended {
            self.hub.end(self.now);
        }
        self.hub.flushes.set_group_size(self.group_size);
        self.dropping.clear();
        self.paused = false;
    }

    /// The channel is quiet: the streams that are responses and level end, so that Workers can hold them.
    pub fn hand_over(&mut self) {
        let head = self.hub.log.head();
        let lags = self.lags();
        let is_level = |client: &Client| {
            let subscriber = self.hub.subscribers.get(&client.conn);
            subscriber.is_some_and(|subscriber| !subscriber.cursor.is_behind(head))
        };
        let is_handed_over = |client: &Client| client.open && !client.is_feed && is_level(client);
        let expected: Vec<ConnId> = (self.clients.iter())
            .filter(|client| is_handed_over(client))
            .map(|client| client.conn)
            .collect();
        let output = self.hub.hand_over(|| 500);
        let ended: Vec<ConnId> = output.ended.iter().map(|ended| ended.conn).collect();
        assert_eq!(ended, expected);
        assert!(ended.iter().all(|conn| lags[conn] == 0));
        self.perform(output);
    }

    /// The channel ends. Each stream ends once its client was given everything.
    pub fn end(&mut self) {
        self.append_all();
        self.hub.end(self.now);
        assert!(self.hub.has_ended());
        if !self.hub.is_flushing() {
            self.poll();
        }
    }

    /// The channel is deleted. Each stream ends with the notices that its client needs.
    pub fn delete(&mut self) {
        self.append_all();
        self.make_ready(Hub::readiness_to_empty);
        let last = self.hub.next_id().seq - 1;
        let open: Vec<_> = (self.clients.iter().enumerate())
            .filter_map(|(index, client)| client.open.then_some(index))
            .collect();
        let next = self.next_epoch();
        let (receipt, output) = self.hub.delete(next);
        assert_eq!(receipt.subscribers, open.len());
        assert_eq!(receipt.id.seq, last);
        self.receipts_dropped += receipt.dropped;
        self.perform(output);
        for index in open {
            let account = self.account(index);
            assert!(!self.clients[index].open && account.ended);
            assert_eq!(account.last, Some(EventId { seq: 0, ..next }));
        }
        assert_eq!(self.hub.next_poll(), None);
        self.paused = false;
    }

    /// Begins the next epoch, with an empty history.
    fn next_epoch(&mut self) -> EventId {
        let epoch = EPOCH.after(self.hub.next_id().epoch);
        self.published.insert(epoch, Vec::new());
        self.history = FakeHistory::new(self.history.holds);
        EventId { epoch, seq: 1 }
    }
}

//! Thousands of streams in virtual time: fast streams, slow streams, stalled streams, and streams that leave. Each
//! write takes time of the one thread. The simulation measures how long events wait.

mod pacing;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::history::NoHistory;
use crate::hub::Hub;
use crate::sse::{self, Batch, Epoch, EventId};
use crate::{Carrier, Change, ConnId, JoinOptions, Limits, Millis, Output, Readiness, Stream};

/// The time that a write takes of the thread, in microseconds, as measured on workerd.
const WRITE: u64 = 30;

/// A stream of the simulated runtime. It is ready if the value is true.
#[derive(Clone, Debug)]
struct SimulatedStream(Rc<Cell<bool>>);

impl Stream for SimulatedStream {
    fn is_ready(&self) -> bool {
        self.0.get()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Speed {
    /// Takes its chunk in the next loop turn.
    Fast,
    /// Takes its chunk after up to this many microseconds. The time varies.
    Slow(u64),
    /// Takes no chunk.
    Stalled,
    /// Is fast, and leaves at this time.
    LeavesAt(u64),
}

#[derive(Debug)]
struct SimulatedClient {
    conn: ConnId,
    speed: Speed,
    stream: SimulatedStream,
    /// The time at which it takes the chunk that waits.
    takes_at: Option<u64>,
    /// The number of flushes that began while it was ready and behind the head, since it was last written to.
    flushes_waited: u32,
}

struct Simulation {
    hub: Hub<SimulatedStream>,
    /// The time in microseconds.
    now: u64,
    clients: Vec<SimulatedClient>,
    /// The time at which each event was appended. The first event has the number 1.
    appended: Vec<u64>,
    /// For each write to a fast stream, the time since the oldest event in it was appended.
    waits: Vec<u64>,
    /// The largest `flushes_waited` of all clients so far.
    most_flushes_waited: u32,
    /// The streams that have started to drop.
    dropped: Vec<ConnId>,
    writes: u64,
}

impl Simulation {
    fn new(speeds: impl IntoIterator<Item = Speed>) -> Self {
        let limits = Limits {
            buffer_events: 256,
            buffer_bytes: 1 << 20,
            // After the end of the simulation: there are no heartbeats.
            heartbeat: 300_000,
            stall: Some(300_000),
            flush_max: 25,
            may_sleep: true,
        };
        let mut simulation = Self {
            hub: Hub::new(
                "foo",
                EventId {
                    epoch: Epoch::new(1_700_000_000_000, 0),
                    seq: 1,
                },
                &limits,
            ),
            now: 0,
            clients: Vec::new(),
            appended: Vec::new(),
            waits: Vec::new(),
            most_flushes_waited: 0,
            dropped: Vec::new(),
            writes: 0,
        };
        for speed in speeds {
            let conn = simulation.hub.next_conn_id();
            let stream = SimulatedStream(Rc::new(Cell::new(true)));
            let options = JoinOptions {
                next_seq: 1,
                history: false,
                catch_up: false,
                expires: None,
                carrier: Carrier::Response,
            };
            simulation.hub.join(conn, stream.clone(), &options, 0);
            simulation.clients.push(SimulatedClient {
                conn,
                speed,
                stream,
                takes_at: None,
                flushes_waited: 0,
            });
        }
        simulation
    }

    fn ms(&self) -> Millis {
        self.now / 1_000
    }

    /// Publishes `rate` events a second until the second `end`, and does what else is due.
    fn publish(&mut self, rate: u64, end: u64) {
        let mut next = self.now;
        while self.now < end * 1_000_000 {
            self.run_until(next);
            self.append();
            next += 1_000_000 / rate;
        }
    }

    /// Appends one event.
    fn append(&mut self) {
        let mut wire = String::new();
        sse::write_event(&mut wire, "", "about 64 bytes with its id");
        let batch = Batch::from_wire(wire);
        loop {
            match self.hub.readiness_to_append(&batch, self.ms()) {
                Readiness::FlushFirst => self.flush(),
                Readiness::WaitForLoopTurn => {
                    self.hub.begin_loop_turn();
                    self.loop_turn();
                }
                Readiness::Ready => break,
            }
        }
        self.appended.push(self.now);
        let ms = self.ms();
        self.hub.append(&batch, ms);
        if !self.hub.is_flushing() {
            self.poll();
        }
    }

    /// Does what is due until `end`. If `end` has passed, the event loop makes one turn, because a publish runs between
    /// the groups of a flush.
    fn run_until(&mut self, end: u64) {
        loop {
            let poll = self.hub.next_poll().map(|ms| ms * 1_000);
            let takes = self
                .clients
                .iter()
                .filter_map(|client| client.takes_at)
                .min();
            let leaves = self.clients.iter().filter_map(|client| match client.speed {
                Speed::LeavesAt(at) => Some(at),
                _ => None,
            });
            let due = [poll, takes, leaves.min()].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end.max(self.now)) else {
                self.now = self.now.max(end);
                return;
            };
            self.now = self.now.max(due);
            self.hub.begin_loop_turn();
            self.loop_turn();
            self.poll();
            if self.now >= end {
                return;
            }
        }
    }

    /// The event loop makes a turn: streams take their chunks, and clients leave.
    fn loop_turn(&mut self) {
        let now = self.now;
        let hub = &mut self.hub;
        self.clients.retain_mut(|client| {
            if client.takes_at.is_some_and(|at| at <= now) {
                client.takes_at = None;
                client.stream.0.set(true);
            }
            let gone = matches!(client.speed, Speed::LeavesAt(at) if at <= now);
            if gone {
                hub.leave(client.conn);
            }
            !gone
        });
    }

    /// Does what is due now.
    fn poll(&mut self) {
        let ms = self.ms();
        let flushes = self.hub.flush_at().is_some_and(|at| at <= ms);
        self.perform(flushes, |hub| hub.poll(&mut NoHistory, ms));
    }

    /// Makes the writes of the next group of a flush.
    fn flush(&mut self) {
        let ms = self.ms();
        self.perform(true, |hub| hub.flush(&mut NoHistory, ms));
    }

    /// Performs what `act` returns. `flushes` says that it flushes.
    fn perform(
        &mut self,
        flushes: bool,
        act: impl Fn(&mut Hub<SimulatedStream>) -> Output<SimulatedStream>,
    ) {
        if flushes && !self.hub.is_flushing() {
            self.begin_flush();
        }
        let next_seqs: BTreeMap<ConnId, u64> = (self.hub.subscribers.iter())
            .map(|(conn, subscriber)| (*conn, subscriber.cursor.next_seq))
            .collect();
        for write in act(&mut self.hub).writes {
            let was_ready = write.stream.0.replace(false);
            assert!(was_ready, "only streams that are ready are written to");
            self.now += WRITE;
            self.writes += 1;
            let index = self
                .clients
                .binary_search_by_key(&write.conn, |client| client.conn);
            let client = &mut self.clients[index.unwrap()];
            client.flushes_waited = 0;
            client.takes_at = match client.speed {
                Speed::Fast | Speed::LeavesAt(_) => Some(self.now),
                Speed::Slow(most) => Some(self.now + self.writes * 104_729 % most),
                Speed::Stalled => None,
            };
            if client.speed == Speed::Fast {
                let oldest = self.appended[next_seqs[&write.conn] as usize - 1];
                self.waits.push(self.now - oldest);
            }
        }
        for change in self.hub.take_changes() {
            if let Change::StartedDropping(conn) = change {
                self.dropped.push(conn);
            }
        }
    }

    /// Counts a flush for the streams that wait for one.
    fn begin_flush(&mut self) {
        let head = self.hub.log.head();
        for client in &mut self.clients {
            let cursor = &self.hub.subscribers[&client.conn].cursor;
            if cursor.is_behind(head) && client.stream.is_ready() {
                client.flushes_waited += 1;
                self.most_flushes_waited = self.most_flushes_waited.max(client.flushes_waited);
            }
        }
    }

    /// Returns the longest time that an event waited for a fast stream, in milliseconds.
    fn longest_wait(&self) -> u64 {
        self.waits.iter().max().unwrap() / 1_000
    }
}

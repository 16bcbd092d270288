//! Thousands of streams in virtual time: fast ones, slow ones, stalled ones and ones that leave, on a thread that each write
//! takes time of. Shows what the pacing is to each of them.

use std::cell::Cell;
use std::rc::Rc;

use crate::Readiness;
use crate::history::NoHistory;
use crate::hub::*;
use crate::sse;
use crate::sse::Batch;

/// What a write takes of the thread, in microseconds, as measured on workerd.
const WRITE: u64 = 30;

/// A stream as the simulated runtime sees it.
#[derive(Clone, Debug)]
struct Pipe(Rc<Cell<bool>>);

impl Stream for Pipe {
    fn is_ready(&self) -> bool {
        self.0.get()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Takes its chunk in the next turn of the event loop.
    Fast,
    /// Takes it up to so many microseconds later, each time after another while.
    Slow(u64),
    Stalled,
    /// Fast, until this moment.
    LeavesAt(u64),
}

#[derive(Debug)]
struct Reader {
    conn: ConnId,
    kind: Kind,
    pipe: Pipe,
    /// When it takes the chunk that waits.
    takes_at: Option<u64>,
    /// Flushes that were begun while it was ready and something was due to it.
    flushes_waited: u32,
}

struct Simulation {
    hub: Hub<Pipe>,
    /// Microseconds.
    now: u64,
    readers: Vec<Reader>,
    /// When each event was appended; the first is number 1.
    appended: Vec<u64>,
    /// Of fast streams: from an event's append until the runtime had the last stream's chunk with it.
    waits: Vec<u64>,
    most_flushes_waited: u32,
    /// Streams that have dropped something.
    dropped: Vec<ConnId>,
    writes: u64,
}

impl Simulation {
    fn new(kinds: impl IntoIterator<Item = Kind>) -> Self {
        let limits = Limits {
            buffer_events: 256,
            buffer_bytes: 1 << 20,
            // Beyond the end: no heartbeats.
            heartbeat: 300_000,
            stall: Some(300_000),
            flush_max: 25,
        };
        let mut simulation = Self {
            hub: Hub::new(
                EventId {
                    epoch: 1_700_000_000_000,
                    seq: 1,
                },
                &limits,
            ),
            now: 0,
            readers: Vec::new(),
            appended: Vec::new(),
            waits: Vec::new(),
            most_flushes_waited: 0,
            dropped: Vec::new(),
            writes: 0,
        };
        for kind in kinds {
            let conn = simulation.hub.next_conn_id();
            let pipe = Pipe(Rc::new(Cell::new(true)));
            let options = JoinOptions {
                next_seq: 1,
                history: false,
                catch_up: false,
                expires: None,
            };
            simulation.hub.join(conn, pipe.clone(), &options, 0);
            simulation.readers.push(Reader {
                conn,
                kind,
                pipe,
                takes_at: None,
                flushes_waited: 0,
            });
        }
        simulation
    }

    fn ms(&self) -> Millis {
        self.now / 1_000
    }

    /// Publishes at `rate` events a second until `end` (in seconds), with everything else that happens meanwhile.
    fn publish(&mut self, rate: u64, end: u64) {
        let mut next = self.now;
        while self.now < end * 1_000_000 {
            self.run_until(next);
            self.append();
            next += 1_000_000 / rate;
        }
    }

    fn append(&mut self) {
        let mut wire = String::new();
        sse::write_event(&mut wire, "", "sixty-four bytes, or so");
        let batch = Batch::from_wire(wire);
        loop {
            match self.hub.readiness_to_append(&batch) {
                Readiness::FlushFirst => self.flush(),
                Readiness::WaitForLoopTurn => {
                    self.hub.begin_loop_turn();
                    self.turn();
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

    /// Lets time pass, and does what is due in it. Where time is up already, the event loop goes round once: who publishes
    /// comes in between the groups of a flush.
    fn run_until(&mut self, end: u64) {
        loop {
            let poll = self.hub.next_poll().map(|ms| ms * 1_000);
            let takes = self
                .readers
                .iter()
                .filter_map(|reader| reader.takes_at)
                .min();
            let leaves = self.readers.iter().filter_map(|reader| match reader.kind {
                Kind::LeavesAt(at) => Some(at),
                _ => None,
            });
            let due = [poll, takes, leaves.min()].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end.max(self.now)) else {
                self.now = self.now.max(end);
                return;
            };
            self.now = self.now.max(due);
            self.hub.begin_loop_turn();
            self.turn();
            self.poll();
            if self.now >= end {
                return;
            }
        }
    }

    /// The event loop goes round once: streams take their chunks, clients go.
    fn turn(&mut self) {
        let now = self.now;
        let hub = &mut self.hub;
        self.readers.retain_mut(|reader| {
            if reader.takes_at.is_some_and(|at| at <= now) {
                reader.takes_at = None;
                reader.pipe.0.set(true);
            }
            let gone = matches!(reader.kind, Kind::LeavesAt(at) if at <= now);
            if gone {
                hub.leave(reader.conn);
            }
            !gone
        });
    }

    fn poll(&mut self) {
        let ms = self.ms();
        let flushes = self.hub.flush_at().is_some_and(|at| at <= ms);
        self.perform(flushes, |hub| hub.poll(&mut NoHistory, ms));
    }

    /// The next group of a flush, or the first.
    fn flush(&mut self) {
        let ms = self.ms();
        self.perform(true, |hub| hub.flush(&mut NoHistory, ms));
    }

    fn perform(&mut self, flushes: bool, act: impl Fn(&mut Hub<Pipe>) -> Output<Pipe>) {
        if flushes && !self.hub.is_flushing() {
            self.begin_flush();
        }
        let before: BTreeMap<ConnId, u64> = (self.hub.subscribers.iter())
            .map(|(conn, subscriber)| (*conn, subscriber.cursor.next_seq))
            .collect();
        for write in act(&mut self.hub).writes {
            let was_ready = write.stream.0.replace(false);
            assert!(was_ready, "only a stream that is ready is written to");
            self.now += WRITE;
            self.writes += 1;
            let index = self
                .readers
                .binary_search_by_key(&write.conn, |reader| reader.conn);
            let reader = &mut self.readers[index.unwrap()];
            reader.flushes_waited = 0;
            reader.takes_at = match reader.kind {
                Kind::Fast | Kind::LeavesAt(_) => Some(self.now),
                Kind::Slow(most) => Some(self.now + self.writes * 104_729 % most),
                Kind::Stalled => None,
            };
            if reader.kind == Kind::Fast {
                let oldest = self.appended[before[&write.conn] as usize - 1];
                self.waits.push(self.now - oldest);
            }
        }
        for change in self.hub.take_changes() {
            if let Change::StartedDropping(conn) = change {
                self.dropped.push(conn);
            }
        }
    }

    fn begin_flush(&mut self) {
        let head = self.hub.log.head();
        for reader in &mut self.readers {
            let cursor = &self.hub.subscribers[&reader.conn].cursor;
            if cursor.is_behind(head) && reader.pipe.is_ready() {
                reader.flushes_waited += 1;
                self.most_flushes_waited = self.most_flushes_waited.max(reader.flushes_waited);
            }
        }
    }

    /// The longest of the waits, in milliseconds.
    fn longest_wait(&self) -> u64 {
        self.waits.iter().max().unwrap() / 1_000
    }
}

/// 3,000 streams of all kinds at the same time, under a load that changes: whoever has taken its chunk is served in the
/// flush under way or in the next, and fast streams lose nothing.
#[test]
fn no_stream_that_drains_waits_for_more_than_two_flushes() {
    let kind = |number: u64| match number % 10 {
        0 => Kind::Stalled,
        1 => Kind::Slow(400_000),
        2 => Kind::Slow(20_000),
        3 => Kind::LeavesAt(number * 3_000),
        _ => Kind::Fast,
    };
    let mut simulation = Simulation::new((0..3_000).map(kind));
    for (rate, end) in [(5, 2), (200, 5), (1_000, 7), (20, 9)] {
        simulation.publish(rate, end);
        let worst = simulation.most_flushes_waited;
        assert!(
            worst <= 2,
            "a stream waited for {worst} flushes at {rate} events a second"
        );
    }
    // Flushes that never end would not be counted: two of them, with all streams, have a time as well.
    let wait = simulation.longest_wait();
    assert!(wait <= 25 + 2 * 3_000 * WRITE / 1_000, "{wait} ms");
    simulation.run_until(12_000_000);
    let (head, tail) = (simulation.hub.log.head(), simulation.hub.log.tail());
    for reader in &simulation.readers {
        let subscriber = &simulation.hub.subscribers[&reader.conn];
        let level = !subscriber.cursor.is_behind(head);
        assert_eq!(level, reader.kind != Kind::Stalled);
        if reader.kind == Kind::Fast {
            assert!(!simulation.dropped.contains(&reader.conn));
        }
    }
    assert!(
        tail > 1,
        "the log has turned over, so that there was something to lose"
    );
    assert!(
        simulation.dropped.len() >= 300,
        "the stalled streams have lost it"
    );
    assert!(simulation.readers.len() < 3_000);
}

/// On a quiet channel nothing is added to what the writes themselves take.
#[test]
fn a_quiet_channel_adds_nothing() {
    let mut simulation = Simulation::new([Kind::Fast; 1_000]);
    simulation.publish(10, 5);
    simulation.run_until(6_000_000);
    assert_eq!(simulation.writes, 1_000 * simulation.appended.len() as u64);
    assert!(simulation.longest_wait() <= 1_000 * WRITE / 1_000);
}

/// Nor where one stream is catching up, and another stalled: what is tried again for them makes no event wait.
#[test]
fn slow_streams_make_no_event_of_a_quiet_channel_wait() {
    let mut kinds = vec![Kind::Fast; 300];
    kinds.extend([Kind::Stalled, Kind::Slow(30_000)]);
    let mut simulation = Simulation::new(kinds);
    simulation.publish(10, 5);
    simulation.run_until(6_000_000);
    let wait = simulation.longest_wait();
    assert!(wait <= 302 * WRITE / 1_000 + 1, "{wait} ms");
}

/// On a busy one, events share flushes, and none waits for longer than `FLUSH_MAX_MS` and the writes of two flushes.
#[test]
fn a_busy_channel_gathers_and_stays_in_time() {
    for (streams, rate) in [
        (200, 1_000),
        (500, 100),
        (500, 200),
        (500, 1_000),
        (700, 1_000),
    ] {
        let mut simulation = Simulation::new(vec![Kind::Fast; streams]);
        simulation.publish(rate, 5);
        let writes_each = simulation.writes / streams as u64;
        let gathered = simulation.appended.len() as u64 / writes_each;
        assert!(
            gathered >= 2,
            "{gathered} events in a flush of {streams} streams, {rate}/s"
        );
        let most = 25 + 2 * streams as u64 * WRITE / 1_000 + 1;
        let wait = simulation.longest_wait();
        assert!(wait <= most, "{wait} ms for {streams} streams, {rate}/s");
    }
}

//! The rules of `README.md`, "What a subscriber may rely on", tried against every interleaving that proptest finds.
//! The model knows what was published; what it checks is the bytes that the streams got.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use proptest::prelude::*;

use super::super::subscriber::MAX_CHUNK;
use super::*;

const EPOCH: u64 = 1_700_000_000_000;

/// A stream as the runtime keeps it: one chunk waits until it is taken.
#[derive(Debug, Default)]
pub struct Pipe {
    pub waiting: Option<Vec<u8>>,
    taken: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub struct FakeStream(pub Rc<RefCell<Pipe>>);

impl FakeStream {
    pub fn take(&self) {
        let mut pipe = self.0.borrow_mut();
        let chunk = pipe.waiting.take().unwrap_or_default();
        pipe.taken.extend(chunk);
    }

    pub fn all(&self) -> Vec<u8> {
        let pipe = self.0.borrow();
        let mut all = pipe.taken.clone();
        all.extend(pipe.waiting.iter().flatten());
        all
    }
}

impl Stream for FakeStream {
    fn is_ready(&self) -> bool {
        self.0.borrow().waiting.is_none()
    }
}

/// One reader, and what it has been told.
pub struct Reader {
    conn: ConnId,
    pub stream: FakeStream,
    /// Takes its chunk in every turn of the event loop.
    keeps_up: bool,
    joined_after: u64,
    pub open: bool,
}

/// A channel as `channel` drives it, with every event ever published at hand.
pub struct Model {
    pub hub: Hub<FakeStream>,
    limits: Limits,
    pub now: Millis,
    pub readers: Vec<Reader>,
    published: Vec<String>,
    pub receipts_dropped: u64,
    left_untold: u64,
    /// Who is busy, and how many events were caught up with, by the changes that the hub told of.
    busy: BTreeSet<ConnId>,
    caught_up: u64,
    /// Turns of the event loop that publishing waited for.
    pub waited: u64,
    /// A whole group was served in this turn, and more of the flush is to come.
    group_served: bool,
}

impl Model {
    pub fn new(buffer_events: usize, buffer_bytes: usize) -> Self {
        let limits = Limits {
            buffer_events,
            buffer_bytes,
            heartbeat: 1_000,
            stall: Some(60_000),
            flush_max: 25,
        };
        Self {
            hub: Hub::new(EPOCH, &limits),
            limits,
            now: 1,
            readers: Vec::new(),
            published: Vec::new(),
            receipts_dropped: 0,
            left_untold: 0,
            busy: BTreeSet::new(),
            caught_up: 0,
            waited: 0,
            group_served: false,
        }
    }

    pub fn perform(&mut self, work: Work<FakeStream>) {
        self.group_served |= self.hub.is_flushing();
        for write in work.writes {
            let chunk = &work.chunks[write.chunk];
            assert!(!chunk.is_empty() && chunk.len() <= MAX_CHUNK);
            let waiting = write.stream.0.borrow_mut().waiting.replace(chunk.clone());
            assert_eq!(waiting, None, "only a stream that is ready is written to");
        }
        for (conn, _) in work.stalled {
            let reader = self.readers.iter_mut().find(|reader| reader.conn == conn);
            reader.unwrap().open = false;
        }
    }

    /// The event loop goes round: whoever keeps up takes what it was given, and a flush under way serves its next group.
    pub fn turn(&mut self) {
        self.hub.begin_turn();
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
        let work = self.hub.flush(self.now);
        self.perform(work);
    }

    pub fn publish(&mut self, sizes: &[usize]) {
        let mut wire = String::new();
        let mut events = Vec::new();
        for size in sizes {
            let seq = self.published.len() + events.len() + 1;
            let data = format!("{seq}:{}", "x".repeat(*size));
            sse::write_event(&mut wire, "", &data);
            events.push(data);
        }
        let batch = Batch::from_wire(wire);
        if batch.cost() > self.limits.buffer_bytes {
            return;
        }
        loop {
            match self.hub.before_append(&batch) {
                Before::Flush => self.flush(),
                Before::Turn => {
                    self.turn();
                    // The channel's timer may be due in the middle of it.
                    self.now += 1;
                    if !self.hub.is_flushing() {
                        self.poll();
                    }
                    self.waited += 1;
                }
                Before::Append => break,
            }
        }
        let open = self.readers.iter().filter(|reader| reader.open).count();
        let receipt = self.hub.append(&batch, self.now);
        self.published.extend(events);
        self.receipts_dropped += receipt.dropped;
        assert_eq!(receipt.events, sizes.len());
        assert_eq!(receipt.subscribers, open);
        assert_eq!(receipt.id.seq, self.published.len() as u64);
        if !self.hub.is_flushing() {
            self.poll();
        }
    }

    pub fn poll(&mut self) {
        let tail = self.hub.log.tail();
        let untold: BTreeMap<ConnId, u64> = (self.hub.subscribers.iter())
            .map(|(conn, subscriber)| (*conn, subscriber.place.untold(tail)))
            .collect();
        let work = self.hub.poll(self.now);
        for (conn, _) in &work.stalled {
            self.left_untold += untold[conn];
        }
        self.perform(work);
    }

    /// Waits until something is due, and does it.
    pub fn wake(&mut self) {
        self.now = self.now.max(self.hub.next_poll().unwrap());
        self.hub.begin_turn();
        self.group_served = false;
        self.poll();
    }

    pub fn join(&mut self, keeps_up: bool) {
        let (conn, at) = self.hub.open();
        let stream = FakeStream::default();
        // Its opening block; a comment will do.
        stream.0.borrow_mut().waiting = Some(sse::HEARTBEAT.to_vec());
        self.hub.join(conn, stream.clone(), self.now);
        self.readers.push(Reader {
            conn,
            stream,
            keeps_up,
            joined_after: at.seq,
            open: true,
        });
    }

    /// Takes in a reader and lets it read its opening block.
    pub fn join_read(&mut self, keeps_up: bool) {
        self.join(keeps_up);
        self.readers.last().unwrap().stream.take();
    }

    pub fn leave(&mut self, index: usize) {
        let conn = self.readers[index].conn;
        let subscriber = self.hub.subscribers.get(&conn);
        let untold =
            subscriber.map_or(0, |subscriber| subscriber.place.untold(self.hub.log.tail()));
        assert_eq!(self.hub.leave(conn), self.readers[index].open);
        self.left_untold += untold;
        self.readers[index].open = false;
    }

    /// Reads a stream's bytes as a client would: ids and notices have to be contiguous, and every event has to be
    /// the one that was published under its id. Returns the last id read and how many events notices spoke of.
    fn read(&self, reader: &Reader) -> (u64, u64) {
        let bytes = String::from_utf8(reader.stream.all()).unwrap();
        let (mut last, mut told) = (reader.joined_after, 0);
        let seq = |id: &str| -> u64 {
            let seq = id.strip_prefix(&format!("{EPOCH}-")).unwrap();
            seq.parse().unwrap()
        };
        // The last piece is an event that is not all there yet, or nothing.
        let whole = bytes.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        for block in whole.split("\n\n").filter(|block| !block.is_empty()) {
            let field = |name: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(&format!("{name}: ")))
            };
            let Some(id) = field("id") else {
                assert_eq!(block, ":", "a block without an id is a heartbeat");
                continue;
            };
            let data = field("data").unwrap();
            match field("event") {
                Some("hub.dropped") => {
                    assert!(!reader.keeps_up, "one that keeps up never drops");
                    let notice: serde_json::Value = serde_json::from_str(data).unwrap();
                    let (from, to) = (&notice["from"], &notice["to"]);
                    let (from, to) = (seq(from.as_str().unwrap()), seq(to.as_str().unwrap()));
                    assert_eq!(from, last + 1);
                    assert_eq!(notice["count"].as_u64().unwrap(), to - from + 1);
                    assert_eq!(seq(id), to);
                    told += to - from + 1;
                    last = to;
                }
                _ => {
                    assert_eq!(seq(id), last + 1);
                    assert_eq!(data, self.published[last as usize]);
                    last += 1;
                }
            }
        }
        (last, told)
    }

    pub fn check(&mut self) {
        assert!(self.hub.log.bytes() <= self.limits.buffer_bytes);
        let held = self.hub.log.head() - self.hub.log.tail();
        assert!(held <= self.limits.buffer_events as u64);
        let mut accounted = self.left_untold;
        for reader in &self.readers {
            let (last, told) = self.read(reader);
            accounted += told;
            if let Some(subscriber) = self.hub.subscribers.get(&reader.conn) {
                accounted += subscriber.place.untold(self.hub.log.tail());
                assert!(last < subscriber.place.cursor);
            }
        }
        assert_eq!(self.receipts_dropped, accounted);
        let fallen = self
            .hub
            .subscribers
            .values()
            .filter(|subscriber| subscriber.place.untold(self.hub.log.tail()) > 0);
        assert_eq!(self.hub.fallen, fallen.count() as u64);
        self.check_changes();
    }

    /// Each stream is told of as busy and as caught up in turn, and the counts are what it was told itself.
    fn check_changes(&mut self) {
        for change in self.hub.take_changes() {
            match change {
                Change::Busy(conn) => assert!(self.busy.insert(conn)),
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
        for reader in self.readers.iter().filter(|reader| reader.open) {
            assert_eq!(self.read(reader).0, self.published.len() as u64);
        }
        assert_eq!(self.hub.stats().busy, 0);
        assert_eq!(self.hub.stats().dropped, self.receipts_dropped);
        if self.readers.iter().all(|reader| reader.open) {
            assert_eq!(self.caught_up, self.receipts_dropped);
        }
        for reader in 0..self.readers.len() {
            self.leave(reader);
        }
        assert_eq!(self.hub.next_poll(), None, "nobody is left to wake up for");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish(Vec<usize>),
    Take(prop::sample::Index),
    Turn,
    Wait(Millis),
    Join { keeps_up: bool },
    Leave(prop::sample::Index),
}

fn steps(sizes: impl Strategy<Value = usize> + 'static) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => prop::collection::vec(sizes, 1..=8).prop_map(Step::Publish),
        4 => any::<prop::sample::Index>().prop_map(Step::Take),
        2 => Just(Step::Turn),
        3 => (0..40_u64).prop_map(Step::Wait),
        1 => (400..30_000_u64).prop_map(Step::Wait),
        2 => any::<bool>().prop_map(|keeps_up| Step::Join { keeps_up }),
        1 => any::<prop::sample::Index>().prop_map(Step::Leave),
    ];
    prop::collection::vec(step, 1..120)
}

/// `group`: how many streams a flush serves at once.
fn run(mut model: Model, group: usize, steps: Vec<Step>) {
    model.hub.group = group;
    for step in steps {
        match step {
            Step::Publish(sizes) => model.publish(&sizes),
            Step::Take(index) if !model.readers.is_empty() => {
                index.get(&model.readers).stream.take();
            }
            Step::Leave(index) if !model.readers.is_empty() => {
                model.leave(index.index(model.readers.len()));
            }
            Step::Take(_) | Step::Leave(_) => {}
            Step::Turn => model.turn(),
            Step::Wait(ms) => {
                model.turn();
                model.now += ms;
                model.poll();
            }
            Step::Join { keeps_up } => model.join(keeps_up),
        }
        model.check();
    }
    model.settle();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn small_events_bounded_by_count(group in 1..5_usize, steps in steps(0..20_usize)) {
        run(Model::new(8, 100_000), group, steps);
    }

    #[test]
    fn small_events_bounded_by_bytes(group in 1..5_usize, steps in steps(0..200_usize)) {
        run(Model::new(1_000, 2_000), group, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Events around the size of a chunk, which have to be cut.
    #[test]
    fn large_events(steps in steps(prop_oneof![0..200_usize, 60_000..140_000_usize])) {
        run(Model::new(20, 400_000), GROUP, steps);
    }
}

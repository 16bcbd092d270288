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
struct Pipe {
    waiting: Option<Vec<u8>>,
    taken: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct FakeStream(Rc<RefCell<Pipe>>);

impl FakeStream {
    fn take(&self) {
        let mut pipe = self.0.borrow_mut();
        let chunk = pipe.waiting.take().unwrap_or_default();
        pipe.taken.extend(chunk);
    }

    fn all(&self) -> Vec<u8> {
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
struct Reader {
    conn: ConnId,
    stream: FakeStream,
    /// Takes its chunk in every turn of the event loop.
    keeps_up: bool,
    joined_after: u64,
    open: bool,
}

/// A channel as `channel` drives it, with every event ever published at hand.
struct Model {
    hub: Hub<FakeStream>,
    limits: Limits,
    now: Millis,
    readers: Vec<Reader>,
    published: Vec<String>,
    receipts_dropped: u64,
    left_untold: u64,
    /// Who is busy, and how many events were caught up with, by the changes that the hub told of.
    busy: BTreeSet<ConnId>,
    caught_up: u64,
    /// Turns of the event loop that publishing waited for.
    waited: u64,
}

impl Model {
    fn new(buffer_events: usize, buffer_bytes: usize) -> Self {
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
        }
    }

    fn perform(&mut self, work: Work<FakeStream>) {
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

    /// One turn of the event loop: whoever keeps up takes what it was given.
    fn turn(&mut self) {
        for reader in self.readers.iter().filter(|reader| reader.keeps_up) {
            reader.stream.take();
        }
        self.hub.turned();
    }

    fn flush(&mut self) {
        let work = self.hub.flush(self.now);
        self.perform(work);
    }

    fn publish(&mut self, sizes: &[usize]) {
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
                    self.waited += 1;
                }
                Before::Append => break,
            }
        }
        let open = self.readers.iter().filter(|reader| reader.open).count();
        let receipt = self.hub.append(&batch);
        self.published.extend(events);
        self.receipts_dropped += receipt.dropped;
        assert_eq!(receipt.events, sizes.len());
        assert_eq!(receipt.subscribers, open);
        assert_eq!(receipt.id.seq, self.published.len() as u64);
        self.poll();
    }

    fn poll(&mut self) {
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

    fn join(&mut self, keeps_up: bool) {
        let (conn, at) = self.hub.open();
        let stream = FakeStream::default();
        self.hub.join(conn, stream.clone(), self.now);
        self.readers.push(Reader {
            conn,
            stream,
            keeps_up,
            joined_after: at.seq,
            open: true,
        });
    }

    fn leave(&mut self, index: usize) {
        if let Some(untold) = self.hub.leave(self.readers[index].conn) {
            self.left_untold += untold;
            self.readers[index].open = false;
        }
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

    fn check(&mut self) {
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
    fn settle(&mut self) {
        for _ in 0..2_000 {
            for reader in &self.readers {
                reader.stream.take();
            }
            let Some(at) = self.hub.flush_at() else { break };
            self.now = self.now.max(at);
            self.poll();
        }
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

fn run(mut model: Model, steps: Vec<Step>) {
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
    fn small_events_bounded_by_count(steps in steps(0..20_usize)) {
        run(Model::new(8, 100_000), steps);
    }

    #[test]
    fn small_events_bounded_by_bytes(steps in steps(0..200_usize)) {
        run(Model::new(1_000, 2_000), steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Events around the size of a straggler's chunk, which have to be cut.
    #[test]
    fn large_events(steps in steps(prop_oneof![0..200_usize, 60_000..140_000_usize])) {
        run(Model::new(20, 400_000), steps);
    }
}

/// A reader that takes one chunk in ten turns, beside one that keeps up, under bursts larger than the buffer.
#[test]
fn a_slow_reader_is_told_and_a_fast_one_is_whole() {
    let mut model = Model::new(256, 1 << 20);
    model.join(true);
    model.join(false);
    for round in 0..205 {
        model.publish(&[16; 100]);
        if round % 10 == 9 {
            model.readers[1].stream.take();
            model.now += 25;
            model.poll();
        }
        model.check();
    }
    assert_eq!(model.hub.stats().busy, 1);
    assert!(model.receipts_dropped > 10_000);
    model.settle();
}

/// 300 silent streams hear a heartbeat in every period, and not all at once; the last one to leave stops the clock.
#[test]
fn an_idle_channel_beats_until_its_last_stream_leaves() {
    let mut model = Model::new(8, 10_000);
    for _ in 0..300 {
        model.join(true);
    }
    let mut last_heard = vec![model.now; 300];
    let end = model.now + 10_000;
    while model.now < end {
        model.now = model.hub.next_poll().unwrap();
        let before: Vec<_> = model.readers.iter().map(|r| r.stream.all().len()).collect();
        model.poll();
        model.turn();
        let mut written = 0;
        for (index, reader) in model.readers.iter().enumerate() {
            if reader.stream.all().len() > before[index] {
                last_heard[index] = model.now;
                written += 1;
            }
            assert!(model.now - last_heard[index] <= 1_000);
        }
        assert!(written < 150);
    }
    // With a flush still due.
    model.publish(&[1]);
    model.publish(&[1]);
    for index in 0..300 {
        model.leave(index);
    }
    assert_eq!(model.hub.next_poll(), None);
    model.publish(&[1]);
    assert_eq!(
        model.hub.next_poll(),
        None,
        "nobody is there to be written to"
    );
}

/// A stream that takes nothing is ended after the limit, one that has nothing waiting never is.
#[test]
fn a_stalled_stream_is_ended() {
    let mut model = Model::new(8, 10_000);
    model.join(false);
    model.publish(&[1]);
    model.join(false);
    let begun = model.now;
    while model.now - begun < 200_000 && model.readers[0].open {
        model.now = model.hub.next_poll().unwrap();
        model.poll();
    }
    let after = model.now - begun;
    assert!((60_000..61_000).contains(&after), "{after}");
    let end = model.now + 200_000;
    while model.now < end {
        model.now = model.hub.next_poll().unwrap();
        model.poll();
    }
    assert!(
        model.readers[1].open,
        "an untaken heartbeat is no event that waits"
    );
    assert_eq!(model.hub.subscribers(), 1);
}

/// Ready streams are never ended, however long they are silent.
#[test]
fn a_healthy_stream_is_not_stalled() {
    let mut model = Model::new(8, 10_000);
    model.join(true);
    model.publish(&[1]);
    model.turn();
    model.now += 500_000;
    model.poll();
    assert!(model.readers[0].open);
}

/// The runtime may never take the opening block of a stream whose client was gone before it opened.
#[test]
fn a_stream_that_nobody_reads_from_the_start_is_ended() {
    let mut model = Model::new(8, 10_000);
    model.join(false);
    let opening = Some(sse::HEARTBEAT.to_vec());
    model.readers[0].stream.0.borrow_mut().waiting = opening;
    model.now += 61_000;
    model.poll();
    assert!(!model.readers[0].open);
}

/// Waiting is counted from when an event was due, not from the heartbeat before it.
#[test]
fn an_event_has_the_whole_limit_to_be_taken() {
    let mut model = Model::new(8, 10_000);
    model.join(false);
    while model.readers[0].stream.is_ready() {
        model.now = model.hub.next_poll().unwrap();
        model.poll();
    }
    model.now += 59_000;
    model.publish(&[1]);
    model.now += 59_000;
    model.poll();
    assert!(model.readers[0].open);
    model.now += 2_000;
    model.poll();
    assert!(!model.readers[0].open);
}

/// A heartbeat would end up inside an event that was cut.
#[test]
fn no_heartbeat_goes_into_an_event() {
    let mut model = Model::new(8, 400_000);
    model.join(true);
    model.publish(&[150_000]);
    model.turn();
    // Past every heartbeat, but not past the next retry: only the tick is due.
    model.hub.next_tick = model.now;
    model.hub.pacer.flushed(model.now + 5_000, 1, true);
    model.now += 2_000;
    model.poll();
    model.settle();
}

/// A stalled stream holds up no publisher: it gets one turn of the event loop, once.
#[test]
fn publishers_do_not_wait_for_a_stalled_stream() {
    let mut model = Model::new(8, 10_000);
    model.join(true);
    model.join(false);
    for _ in 0..3 {
        model.publish(&[1; 8]);
    }
    assert_eq!(model.hub.stats().busy, 1);
    model.turn();
    let waited = model.waited;
    for _ in 0..100 {
        model.publish(&[1; 2]);
        model.turn();
    }
    assert_eq!(model.waited, waited);
}

/// One that dropped, but takes its chunks again, is offered what it would lose next.
#[test]
fn a_busy_stream_that_is_ready_is_offered_what_it_would_lose() {
    let mut model = Model::new(8, 10_000);
    model.join(false);
    for _ in 0..3 {
        model.publish(&[1; 8]);
    }
    assert_eq!(model.hub.stats().busy, 1);
    let dropped = model.receipts_dropped;
    for _ in 0..10 {
        model.readers[0].stream.take();
        model.publish(&[1; 8]);
    }
    assert_eq!(model.receipts_dropped, dropped);
    model.settle();
}

/// Nothing but a stalled stream: it is tried a few times a second, no more.
#[test]
fn a_stalled_stream_is_tried_less_and_less() {
    let mut model = Model::new(8, 10_000);
    model.join(false);
    model.publish(&[1]);
    model.publish(&[1]);
    let (end, mut polls) = (model.now + 10_000, 0);
    while model.now < end {
        model.now = model.hub.next_poll().unwrap();
        model.poll();
        polls += 1;
    }
    // 4 a second, and 32 ticks of the heartbeat.
    assert!(polls < 10 * (4 + 32) + 20, "{polls}");
    model.readers[0].stream.take();
    model.now += 250;
    model.poll();
    assert!(
        !model.readers[0].stream.is_ready(),
        "it is served within 250 ms"
    );
}

/// 2,000 streams that were stuck come alive together: what is copied at once stays small, and all are served.
#[test]
fn a_herd_that_comes_alive_shares_chunks_and_is_served_fairly() {
    let mut model = Model::new(256, 1 << 20);
    for _ in 0..100 {
        model.join(false);
        model.publish(&[60_000]);
    }
    for _ in 0..1_900 {
        model.join(false);
    }
    model.publish(&[10_000; 10]);
    model.publish(&[60_000; 15]);
    model.now += 1_000;
    for _ in 0..40 {
        for reader in &model.readers {
            reader.stream.take();
        }
        let work = model.hub.flush(model.now);
        let bytes: usize = work.chunks.iter().map(Vec::len).sum();
        assert!(bytes <= MAX_FLUSH + MAX_CHUNK, "{bytes}");
        model.perform(work);
    }
    model.settle();
}

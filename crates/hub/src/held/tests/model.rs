//! Channels, a network between their objects and the Workers, held streams and their clients.

mod check;
mod object;
mod reader;
mod session;
mod wire;

use std::collections::BTreeSet;

use self::object::Object;
use self::session::Session;
pub use self::session::Subscription;
use self::wire::Wire;
use crate::held::HeldLimits;
use crate::sse::{CombinedId, EventId};
use crate::{ConnId, Hub, Millis, Readiness, ReplayFrom};

const NAMES: [&str; 3] = ["foo", "bar", "user.42"];

/// How long an object has to be idle before it sleeps.
const IDLE: Millis = 10_000;

/// Limits that end no stream in the time of a test.
pub const LIMITS: HeldLimits = HeldLimits {
    heartbeat: 15_000,
    stall: Some(60_000),
    max_messages: None,
    expires: None,
};

pub struct Model {
    pub now: Millis,
    pub objects: Vec<Object>,
    pub sessions: Vec<Session>,
    opened: u64,
}

impl Model {
    /// A channel for each of `histories`, which says how many events the channel's history holds. `None` means that
    /// there is no history.
    pub fn new(histories: &[Option<u64>], buffer_events: usize) -> Self {
        let objects = NAMES.into_iter().zip(histories);
        let objects = objects.map(|(name, history)| Object::new(name, *history, buffer_events));
        Self {
            now: 1,
            objects: objects.collect(),
            sessions: Vec::new(),
            opened: 0,
        }
    }

    /// Opens a stream. The request for the feed with the number `fails` fails.
    pub fn subscribe(&mut self, mut subscription: Subscription, fails: Option<usize>) {
        self.opened += 1;
        subscription.seed = self.opened.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let session = Session::open(&subscription, &mut self.objects, fails, self.now);
        self.sessions.extend(session);
    }

    /// Ends the stream of a client if it is open. The client then subscribes to `list` after the last id that it has
    /// read.
    pub fn resume(&mut self, index: usize, list: &[usize], mut subscription: Subscription) {
        let mut session = self.sessions.swap_remove(index);
        session.leave();
        let from = |object: &usize| match session.last_id() {
            None => ReplayFrom::Now,
            Some(id) => match (id.parse::<CombinedId>(), id.parse::<EventId>()) {
                (Ok(id), _) => match id.position(NAMES[*object]) {
                    Some(position) => ReplayFrom::After(position),
                    None => ReplayFrom::Now,
                },
                (_, Ok(id)) if session.list == [*object] => ReplayFrom::After(id),
                _ => ReplayFrom::Unknown,
            },
        };
        subscription.starts = list.iter().map(|object| (*object, from(object))).collect();
        self.subscribe(subscription, None);
    }

    /// Publishes events with data of these sizes, once no stream that keeps up would lose events.
    pub fn publish(&mut self, object: usize, sizes: &[usize]) {
        let (batch, events) = self.objects[object].store(sizes);
        self.until_ready(object, |hub, now| hub.readiness_to_append(&batch, now));
        self.objects[object].append(&batch, events, self.now);
        self.do_what_is_due();
    }

    /// Deletes the channel, once no stream that keeps up would lose events.
    pub fn delete(&mut self, object: usize) {
        self.until_ready(object, Hub::readiness_to_empty);
        self.objects[object].delete();
    }

    /// Takes the steps that the hub asks for before events are removed.
    fn until_ready(
        &mut self,
        object: usize,
        readiness: impl Fn(&mut Hub<Wire>, Millis) -> Readiness,
    ) {
        let mut turns = 0;
        loop {
            let Object { hub, .. } = &mut self.objects[object];
            match readiness(hub, self.now) {
                Readiness::Ready => return,
                Readiness::FlushFirst => self.objects[object].flush(self.now),
                Readiness::WaitForLoopTurn => {
                    hub.begin_loop_turn();
                    self.loop_turn();
                    self.now += 1;
                    self.do_what_is_due();
                }
            }
            turns += 1;
            assert!(turns < 1_000, "publishers wait for a bounded time");
        }
    }

    /// Runs one turn of the event loop: the clients that keep up get and take everything.
    pub fn loop_turn(&mut self) {
        for index in 0..self.sessions.len() {
            if self.sessions[index].keeps_up {
                self.exchange(index);
            }
        }
    }

    /// The client reads everything, and the network delivers all messages of its feeds.
    fn exchange(&mut self, index: usize) {
        self.sessions[index].take(usize::MAX);
        self.sessions[index].note_progress(self.now);
        for number in 0..self.sessions[index].list.len() {
            self.advance_request(index, number, false);
            self.advance_request(index, number, false);
            while self.deliver_to_worker(index, number) {
                self.sessions[index].take(usize::MAX);
                self.sessions[index].note_progress(self.now);
            }
            self.deliver_all_to_object(index, number);
        }
    }

    fn deliver_all_to_object(&mut self, index: usize, number: usize) {
        let object = self.sessions[index].list[number];
        let session = &self.sessions[index];
        let feeds = self.objects[object].feeds.iter();
        let conns = feeds.filter(|(_, feed)| session.wires().any(|wire| wire.is(feed)));
        let conns: Vec<ConnId> = conns.map(|(conn, _)| *conn).collect();
        for conn in conns {
            while self.objects[object].receive(conn, self.now) {}
        }
    }

    /// Delivers the next message to the Worker. Returns whether there was one.
    pub fn deliver_to_worker(&mut self, index: usize, number: usize) -> bool {
        let delivered = self.sessions[index].receive(number, self.now);
        self.check();
        delivered
    }

    /// Delivers the next message to the object of the feed `conn`.
    pub fn deliver_to_object(&mut self, object: usize, conn: ConnId) -> bool {
        self.objects[object].receive(conn, self.now)
    }

    /// Takes the next step of the request for a feed.
    pub fn advance_request(&mut self, index: usize, number: usize, fails: bool) {
        let session = &mut self.sessions[index];
        session.advance_request(number, fails, &mut self.objects, self.now);
        self.check();
    }

    /// Returns the time at which something is due next.
    fn next_due(&self) -> Option<Millis> {
        let objects = self.objects.iter().filter_map(|it| it.hub.next_poll());
        let sessions = self.sessions.iter().filter_map(Session::due_at);
        objects.chain(sessions).min()
    }

    /// Does what is due now.
    pub fn do_what_is_due(&mut self) {
        let mut turns = 0;
        while self.next_due().is_some_and(|at| at <= self.now) {
            for object in &mut self.objects {
                if object.hub.next_poll().is_some_and(|at| at <= self.now) {
                    object.poll(self.now);
                }
            }
            for session in &mut self.sessions {
                if session.due_at().is_some_and(|at| at <= self.now) {
                    session.tick(self.now);
                }
            }
            turns += 1;
            assert!(turns < 100, "something stays due");
        }
        self.check();
    }

    /// Lets time pass. `turn` runs whenever something is due.
    pub fn run_until(&mut self, end: Millis, mut turn: impl FnMut(&mut Self)) {
        while let Some(at) = self.next_due().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.do_what_is_due();
            turn(self);
        }
        self.now = self.now.max(end);
    }

    pub fn wait(&mut self, ms: Millis) {
        // Clients that keep up take what is on its way before time passes, although nothing is due for it.
        self.loop_turn();
        self.run_until(self.now + ms, Self::loop_turn);
    }

    /// The object sleeps and wakes, if it is idle for long enough. The network has delivered all messages by then. Only
    /// the Workers of the clients in `just_taken`, which take everything at the last moment, may have sent messages
    /// that are still on their way.
    pub fn sleep(&mut self, object: usize, just_taken: &BTreeSet<usize>) {
        self.settle(object);
        self.wait(IDLE);
        self.settle(object);
        if self.objects[object].hub.next_poll().is_some() {
            return;
        }
        for index in just_taken {
            if let Some(session) = self.sessions.get_mut(*index) {
                session.take(usize::MAX);
                session.note_progress(self.now);
            }
        }
        self.objects[object].sleep(self.now);
        assert_eq!(self.objects[object].hub.next_poll(), None);
    }

    /// The network delivers all messages of the unbroken feeds of an object.
    fn settle(&mut self, object: usize) {
        loop {
            let feeds = self.objects[object].feeds.clone();
            let busy = |(_, wire): &(&ConnId, &Wire)| !wire.is_broken() && !wire.is_idle();
            let Some((conn, wire)) = feeds.iter().find(busy) else {
                return;
            };
            self.deliver_to_object(object, *conn);
            let receiver = self
                .sessions
                .iter()
                .enumerate()
                .find_map(|(index, session)| {
                    let number = session.number_of(wire)?;
                    Some((index, number))
                });
            match receiver {
                Some((index, number)) => {
                    self.deliver_to_worker(index, number);
                }
                // The answer with the feed is on its way.
                None if wire.is_idle() => {}
                None => return,
            }
            self.do_what_is_due();
        }
    }
}

//! A reconnect herd: streams that all come back at once and read the history. It has a thread of its own, so that what
//! the program reads for it does not make the events of the other streams look late.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;
use url::Url;

use crate::check::{Check, Faults, Place};
use crate::stream::{EventReader, field};
use crate::subscriber::{READ, ask, read};

/// How long none of the herd may get anything until what is missing counts as missed.
const QUIET: Duration = Duration::from_secs(10);

/// How often it is looked whether all has come.
const LOOK: Duration = Duration::from_millis(2);

/// What the herd does.
#[derive(Clone)]
pub struct Plan {
    pub url: Url,
    pub address: SocketAddr,
    /// How many streams there are.
    pub streams: usize,
    /// Where they resume.
    pub from: Place,
    /// How many events there are after that when they come.
    pub events: u64,
    /// How many publishers they are from.
    pub publishers: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Found {
    /// For each stream that got all that was there when it came, how long that took from when the herd set out; sorted.
    pub took: Vec<Duration>,
    pub faults: Faults,
    /// Streams that the server ended.
    pub ended: usize,
}

/// A herd on its way.
pub struct Herd {
    /// Resolves once all have what was there when they came, or nothing comes any more.
    pub caught_up: oneshot::Receiver<()>,
    end: oneshot::Sender<u64>,
    found: oneshot::Receiver<Result<Found>>,
    thread: JoinHandle<()>,
}

impl Herd {
    pub fn set_out(plan: Plan) -> Self {
        let (caught_up_sender, caught_up) = oneshot::channel();
        let (end, end_receiver) = oneshot::channel();
        let (found_sender, found) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let _ = found_sender.send(run(plan, caught_up_sender, end_receiver));
        });
        Self {
            caught_up,
            end,
            found,
            thread,
        }
    }

    /// Waits until all of the herd have all `events` events, those published meanwhile as well.
    pub async fn end(self, events: u64) -> Result<Found> {
        let _ = self.end.send(events);
        let found = self.found.await;
        self.thread
            .join()
            .map_err(|_| anyhow!("the herd's thread panicked"))?;
        found?
    }
}

/// What the streams of a herd share.
struct Shared {
    plan: Plan,
    begun: Instant,
    /// Where bytes are read into: one for all, as they take turns.
    buffer: RefCell<Vec<u8>>,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    took: Vec<Duration>,
    ended: usize,
    /// Why a stream was not accepted.
    refused: Option<anyhow::Error>,
}

#[tokio::main(flavor = "current_thread")]
async fn run(
    plan: Plan,
    caught_up: oneshot::Sender<()>,
    end: oneshot::Receiver<u64>,
) -> Result<Found> {
    let all = async {
        let shared = Rc::new(Shared {
            plan,
            begun: Instant::now(),
            buffer: RefCell::new(vec![0; READ]),
            seen: RefCell::default(),
        });
        let checks: Vec<_> = (0..shared.plan.streams)
            .map(|_| {
                let check = Rc::new(RefCell::new(Check::new(
                    shared.plan.from.clone(),
                    shared.plan.publishers,
                )));
                spawn_local(stream(shared.clone(), check.clone()));
                check
            })
            .collect();
        until(&shared, &checks, shared.plan.events).await;
        let _ = caught_up.send(());
        let events = end.await?;
        until(&shared, &checks, events).await;

        let mut faults = Faults::default();
        for check in &checks {
            faults.add(check.borrow().faults_of(events));
        }
        let mut seen = shared.seen.take();
        seen.took.sort();
        match seen.refused {
            Some(error) => Err(error),
            None => Ok(Found {
                took: seen.took,
                faults,
                ended: seen.ended,
            }),
        }
    };
    LocalSet::new().run_until(all).await
}

/// Waits until all have their first `events` events, or no more of these come, or a stream was not accepted.
async fn until(shared: &Shared, checks: &[Rc<RefCell<Check>>], events: u64) {
    let due = checks.len() as u64 * events;
    let come = || {
        let each = checks
            .iter()
            .map(|check| check.borrow().reached.min(events));
        each.sum::<u64>()
    };
    let (mut seen, mut since) = (come(), Instant::now());
    while seen < due && since.elapsed() < QUIET && shared.seen.borrow().refused.is_none() {
        sleep(LOOK).await;
        let now = come();
        if now > seen {
            (seen, since) = (now, Instant::now());
        }
    }
}

/// Opens a stream and reads all that comes.
async fn stream(shared: Rc<Shared>, check: Rc<RefCell<Check>>) {
    let mut events = EventReader::default();
    let error = match read_all(&shared, &check, &mut events).await {
        Err(error) => error,
        Ok(never) => match never {},
    };
    let mut seen = shared.seen.borrow_mut();
    if events.is_open() {
        seen.ended += 1;
    } else {
        seen.refused = Some(error);
    }
}

async fn read_all(
    shared: &Shared,
    check: &RefCell<Check>,
    events: &mut EventReader,
) -> Result<std::convert::Infallible> {
    let Plan { url, address, .. } = &shared.plan;
    let stream = ask(url, *address, Some(&shared.plan.from.id())).await?;
    loop {
        let take = |bytes: &[u8]| {
            let mut check = check.borrow_mut();
            let before = check.reached;
            events.read(bytes, |line| check.line(line))?;
            if before < shared.plan.events && check.reached >= shared.plan.events {
                let took = shared.begun.elapsed();
                shared.seen.borrow_mut().took.push(took);
            }
            Ok(())
        };
        read(&stream, &shared.buffer, take).await?;
    }
}

/// Where a channel stands: the id that it begins a stream with.
pub async fn place(url: &Url, address: SocketAddr) -> Result<Place> {
    let stream = ask(url, address, None).await?;
    let buffer = RefCell::new(vec![0; READ]);
    let mut events = EventReader::default();
    let mut place = None;
    while place.is_none() {
        let take = |bytes: &[u8]| {
            events.read(bytes, |line| {
                place = place.take().or_else(|| field(line, "id:").map(Place::read));
            })
        };
        read(&stream, &buffer, take).await?;
    }
    place.unwrap_or_else(|| Err(anyhow!("the stream has no id")))
}

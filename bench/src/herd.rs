//! A reconnect herd: streams that all resume at once and replay the history. It has its own thread, so that reading its
//! streams does not delay the reading of the live streams.

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

use crate::check::{Check, Faults, StartId};
use crate::stream::{EventReader, field};
use crate::subscriber::{READ, read, request_stream};

/// How long no stream of the herd may receive an event before missing events count as missed.
const QUIET: Duration = Duration::from_secs(10);

/// How often to check whether all events have arrived.
const POLL: Duration = Duration::from_millis(2);

/// The task of the herd.
#[derive(Clone)]
pub struct Plan {
    /// The URL of the channel.
    pub url: Url,
    /// The address of the URL's host.
    pub address: SocketAddr,
    /// How many streams the herd has.
    pub streams: usize,
    /// The id after which they resume.
    pub from: StartId,
    /// How many events the history has after this id when they resume.
    pub events: u64,
    /// How many publishers have published these events.
    pub publishers: usize,
}

/// The result of a herd.
#[derive(Debug)]
pub struct HerdResult {
    /// How long each stream took to catch up, measured from the start of the herd, in ascending order. Streams that
    /// never caught up are not included.
    pub took: Vec<Duration>,
    /// The faults of all streams.
    pub faults: Faults,
    /// Streams that the server ended.
    pub ended: usize,
}

/// A running herd.
pub struct Herd {
    /// Resolves when all streams have caught up, or no more events arrive.
    pub caught_up: oneshot::Receiver<()>,
    end: oneshot::Sender<u64>,
    result: oneshot::Receiver<Result<HerdResult>>,
    thread: JoinHandle<()>,
}

impl Herd {
    /// Starts a herd in a new thread.
    pub fn start(plan: Plan) -> Self {
        let (caught_up_sender, caught_up) = oneshot::channel();
        let (end, end_receiver) = oneshot::channel();
        let (result_sender, result) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let _ = result_sender.send(run(plan, caught_up_sender, end_receiver));
        });
        Self {
            caught_up,
            end,
            result,
            thread,
        }
    }

    /// Waits until all streams have all `events` events, including the events published since the start.
    pub async fn end(self, events: u64) -> Result<HerdResult> {
        let _ = self.end.send(events);
        let result = self.result.await;
        self.thread
            .join()
            .map_err(|_| anyhow!("the herd's thread panicked"))?;
        result?
    }
}

/// The state that the streams of a herd share.
struct HerdState {
    plan: Plan,
    begun: Instant,
    /// The buffer into which all streams read, one after the other.
    buffer: RefCell<Vec<u8>>,
    progress: RefCell<Progress>,
}

#[derive(Default)]
struct Progress {
    took: Vec<Duration>,
    ended: usize,
    /// Why the server refused a stream.
    refused: Option<anyhow::Error>,
}

#[tokio::main(flavor = "current_thread")]
async fn run(
    plan: Plan,
    caught_up: oneshot::Sender<()>,
    end: oneshot::Receiver<u64>,
) -> Result<HerdResult> {
    let all = async {
        let shared = Rc::new(HerdState {
            plan,
            begun: Instant::now(),
            buffer: RefCell::new(vec![0; READ]),
            progress: RefCell::default(),
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
        until_received(&shared, &checks, shared.plan.events).await;
        let _ = caught_up.send(());
        let events = end.await?;
        until_received(&shared, &checks, events).await;

        let mut faults = Faults::default();
        for check in &checks {
            faults.add(check.borrow().faults_of(events));
        }
        let mut progress = shared.progress.take();
        progress.took.sort();
        match progress.refused {
            Some(error) => Err(error),
            None => Ok(HerdResult {
                took: progress.took,
                faults,
                ended: progress.ended,
            }),
        }
    };
    LocalSet::new().run_until(all).await
}

/// Waits until all streams have their first `events` events, or no more events arrive, or the server refused a stream.
async fn until_received(shared: &HerdState, checks: &[Rc<RefCell<Check>>], events: u64) {
    let due = checks.len() as u64 * events;
    let received = || {
        let each = checks
            .iter()
            .map(|check| check.borrow().reached.min(events));
        each.sum::<u64>()
    };
    let (mut seen, mut since) = (received(), Instant::now());
    while seen < due && since.elapsed() < QUIET && shared.progress.borrow().refused.is_none() {
        sleep(POLL).await;
        let now = received();
        if now > seen {
            (seen, since) = (now, Instant::now());
        }
    }
}

/// Opens a stream and reads it to its end.
async fn stream(shared: Rc<HerdState>, check: Rc<RefCell<Check>>) {
    let mut events = EventReader::default();
    let error = match read_all(&shared, &check, &mut events).await {
        Err(error) => error,
        Ok(never) => match never {},
    };
    let mut progress = shared.progress.borrow_mut();
    if events.is_open() {
        progress.ended += 1;
    } else {
        progress.refused = Some(error);
    }
}

async fn read_all(
    shared: &HerdState,
    check: &RefCell<Check>,
    events: &mut EventReader,
) -> Result<std::convert::Infallible> {
    let Plan { url, address, .. } = &shared.plan;
    let stream = request_stream(url, *address, Some(&shared.plan.from.text())).await?;
    loop {
        let take = |bytes: &[u8]| {
            let mut check = check.borrow_mut();
            let before = check.reached;
            events.read(bytes, |line| check.line(line))?;
            if before < shared.plan.events && check.reached >= shared.plan.events {
                let took = shared.begun.elapsed();
                shared.progress.borrow_mut().took.push(took);
            }
            Ok(())
        };
        read(&stream, &shared.buffer, take).await?;
    }
}

/// The current id of a channel: the first id that a new stream sends.
pub async fn current_id(url: &Url, address: SocketAddr) -> Result<StartId> {
    let stream = request_stream(url, address, None).await?;
    let buffer = RefCell::new(vec![0; READ]);
    let mut events = EventReader::default();
    let mut id = None;
    while id.is_none() {
        let take = |bytes: &[u8]| {
            events.read(bytes, |line| {
                id = id.take().or_else(|| field(line, "id:").map(StartId::read));
            })
        };
        read(&stream, &buffer, take).await?;
    }
    id.unwrap_or_else(|| Err(anyhow!("the stream begins without an id")))
}

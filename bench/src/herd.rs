//! A reconnect herd: streams that all resume at once and replay the history. It has its own
//! threads, so that it does not delay the publishers and the live streams.

use std::net::SocketAddr;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;
use url::Url;

use crate::check::{Check, Faults, StartId};
use crate::reader::{READ, Reader, Receiver};
use crate::stream::{EventReader, field};
use crate::subscriber::request_stream;

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
    /// The shortest time between two reads of a stream.
    pub tick: Duration,
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

/// Checks all streams of a herd.
struct Checked {
    begun: Instant,
    /// How many events a stream has to receive to have caught up.
    events: u64,
    checks: Vec<Check>,
    took: Vec<Duration>,
    ended: usize,
}

impl Receiver for Checked {
    fn line(&mut self, stream: usize, line: &[u8], now: Instant) {
        let check = &mut self.checks[stream];
        let before = check.reached;
        check.line(line);
        if before < self.events && check.reached >= self.events {
            let took = now.saturating_duration_since(self.begun);
            self.took.push(took);
        }
    }

    fn ended(&mut self) {
        self.ended += 1;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(
    plan: Plan,
    caught_up: oneshot::Sender<()>,
    end: oneshot::Receiver<u64>,
) -> Result<HerdResult> {
    let all = async {
        let checks = vec![Check::new(plan.from.clone(), plan.publishers); plan.streams];
        let checked = Checked {
            begun: Instant::now(),
            events: plan.events,
            checks,
            took: Vec::new(),
            ended: 0,
        };
        let (reader, plan) = (Reader::start(checked, plan.tick)?, Rc::new(plan));
        let reader = Rc::new(reader);
        let mut opening = JoinSet::new();
        for number in 0..plan.streams {
            let (reader, plan) = (reader.clone(), plan.clone());
            opening.spawn_local(async move {
                let from = plan.from.text();
                let stream = request_stream(&plan.url, plan.address, Some(&from)).await?;
                reader.add(number, stream).await
            });
        }
        while let Some(opened) = opening.join_next().await {
            opened??;
        }
        until_received(&reader, plan.events).await;
        let _ = caught_up.send(());
        let events = end.await?;
        until_received(&reader, events).await;

        let checked = reader.receiver();
        let mut faults = Faults::default();
        for check in &checked.checks {
            faults.add(check.faults_of(events));
        }
        let mut took = checked.took.clone();
        took.sort();
        Ok(HerdResult {
            took,
            faults,
            ended: checked.ended,
        })
    };
    LocalSet::new().run_until(all).await
}

/// Waits until all streams have their first `events` events, or no more events arrive.
async fn until_received(reader: &Reader<Checked>, events: u64) {
    let received = || {
        let checked = reader.receiver();
        let each = checked.checks.iter().map(|check| check.reached.min(events));
        (each.sum::<u64>(), checked.checks.len() as u64 * events)
    };
    let ((mut seen, due), mut since) = (received(), Instant::now());
    while seen < due && since.elapsed() < QUIET {
        sleep(POLL).await;
        let (now, _) = received();
        if now > seen {
            (seen, since) = (now, Instant::now());
        }
    }
}

/// The current id of a channel: the first id that a new stream sends.
pub async fn current_id(url: &Url, address: SocketAddr) -> Result<StartId> {
    let mut stream = request_stream(url, address, None).await?;
    let mut buffer = vec![0; READ];
    let mut events = EventReader::default();
    let mut id = None;
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            bail!("the server ended the stream");
        }
        events.read(&buffer[..length], |line| {
            id = id.take().or_else(|| field(line, "id:").map(StartId::read));
        })?;
        if let Some(id) = id {
            return id;
        }
    }
}

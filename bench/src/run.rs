//! A run without a herd, from the first connection to the last delivery.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::sleep;

use crate::channels::{channels_of, has_channel, list_url};
use crate::options::{Options, target};
use crate::process::{ProcessTree, Usage};
use crate::publisher::Publisher;
use crate::report::{Latency, Memory, Report, Sample};
use crate::subscriber::{Subscribers, subscribe_stalled};
use crate::tally::Counts;

/// How many streams are being opened at the same time.
const OPENING: usize = 64;

/// How long no event may arrive before missing events count as lost.
const QUIET: Duration = Duration::from_secs(3);

/// How long no event may arrive before the usage is read: the previous event may have been the last one.
const PAUSE: Duration = Duration::from_millis(50);

/// How often to check whether all events have arrived.
const POLL: Duration = Duration::from_millis(5);

/// How long to wait after the streams were opened before the server's memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// The size of the events of `--fill-mib` in KiB.
const FILL_EVENT_KIB: usize = 32;

/// Performs the run.
pub async fn run(options: &Options) -> Result<Report> {
    options.check()?;
    let mut server = options.pid.map(ProcessTree::new);
    let mut usage = || server.as_mut().map(ProcessTree::usage);
    let subscribers = Subscribers::new(options, options.warm_up_each())?;
    let publishers = publishers(options, &subscribers)?;

    let before = usage();
    let _stalled = open(options, &subscribers).await?;
    sleep(SETTLE).await;
    let idle = usage();
    if options.fill_mib > 0 {
        fill(options, &publishers).await?;
        sleep(QUIET).await;
    }
    let warm_up = options.warm_up_each();
    publish(options, &publishers, 0, warm_up).await?;
    until_all_arrived(options, &subscribers, warm_up, || ()).await;

    sleep(options.rest()).await;
    let at_start = usage();
    let mut own = ProcessTree::new(std::process::id());
    let own_at_start = own.usage();
    let started = subscribers.begun.elapsed();
    let (ticks_at_start, bytes_at_start) = (subscribers.ticks(), subscribers.bytes());
    let samples = Samples::start(options, &subscribers);
    publish(options, &publishers, warm_up, options.events_each()).await?;
    let (at_end, own_at_end) =
        until_all_arrived(options, &subscribers, options.events_each(), || {
            (usage(), own.usage())
        })
        .await;

    let measured = subscribers.begun.elapsed() - started;
    let ticks = subscribers.ticks() - ticks_at_start;
    let bytes = subscribers.bytes() - bytes_at_start;

    let tally = &subscribers.received().tally;
    let delivered = tally.load.delivered;
    let seconds = if delivered > 0 {
        (tally.last - started).as_secs_f64()
    } else {
        (subscribers.begun.elapsed() - started).as_secs_f64()
    };
    let cpu = at_start
        .zip(at_end)
        .map(|(start, end)| end.cpu.saturating_sub(start.cpu).as_secs_f64());
    Ok(Report {
        seconds,
        delivered,
        deliveries_per_second: delivered as f64 / seconds,
        lost: due(options, options.events_each() - warm_up).saturating_sub(delivered),
        out_of_order: tally.out_of_order,
        wrong_ids: tally.wrong_ids,
        ended: tally.ended,
        latency: Latency::of(&tally.load),
        bytes_per_delivery: bytes as f64 / delivered as f64,
        id_bytes: (tally.ids > 0).then(|| tally.id_bytes as f64 / tally.ids as f64),
        cpu_us_per_delivery: cpu.map(|cpu| cpu * 1e6 / delivered as f64),
        cpu_cores: cpu.map(|cpu| cpu / seconds),
        generator_cores: own_at_end
            .cpu
            .saturating_sub(own_at_start.cpu)
            .as_secs_f64()
            / seconds,
        tick_ms: measured.as_secs_f64() * 1_000.0 / ticks.max(1) as f64,
        memory: memory(options, [before, idle, at_start, at_end]),
        samples: samples.take(),
    })
}

fn memory(options: &Options, usages: [Option<Usage>; 4]) -> Option<Memory> {
    let [before, idle, at_start, at_end] = usages.map(|usage| usage.map(|usage| usage.rss));
    let (before, idle) = (before?, idle?);
    Some(Memory {
        before,
        idle,
        per_stream: idle.saturating_sub(before) as f64 / options.subscribers.max(1) as f64,
        at_start: at_start?,
        at_end: at_end?,
    })
}

/// Opens all streams. Returns the streams that never read, because they are closed when they are dropped.
pub async fn open(options: &Options, subscribers: &Rc<Subscribers>) -> Result<Vec<TcpStream>> {
    let mut stalled = Vec::new();
    let mut opening = JoinSet::new();
    for number in 0..options.subscribers {
        let list = list_url(&options.subscribe, channels_of(options, number))?;
        let (url, address) = target(&list, number % options.channels)?;
        if number < options.stalled {
            stalled.push(subscribe_stalled(&url, address).await?);
            continue;
        }
        if opening.len() >= OPENING
            && let Some(opened) = opening.join_next().await
        {
            opened??;
        }
        let subscribers = subscribers.clone();
        opening.spawn_local(async move { subscribers.add(number, &url, address).await });
    }
    while let Some(opened) = opening.join_next().await {
        opened??;
    }
    Ok(stalled)
}

/// Creates all publishers.
pub fn publishers(options: &Options, subscribers: &Subscribers) -> Result<Vec<Rc<Publisher>>> {
    let publisher = |number| {
        let (url, _) = target(&options.publish, number % options.channels)?;
        Ok(Rc::new(Publisher::new(
            url,
            number,
            options.batch,
            options.payload,
            subscribers.begun,
        )?))
    };
    (0..options.publishers).map(publisher).collect()
}

/// Lets all publishers publish their events from `from` to before `to`. With a rate, they take turns.
async fn publish(
    options: &Options,
    publishers: &[Rc<Publisher>],
    from: u32,
    to: u32,
) -> Result<()> {
    let start = Instant::now();
    let interval = options.interval();
    let mut publishing = JoinSet::new();
    for publisher in publishers {
        let publisher = publisher.clone();
        let share = publisher.number as f64 / publishers.len() as f64;
        let start = start + interval.unwrap_or_default().mul_f64(share);
        publishing.spawn_local(async move { publisher.publish(from, to, start, interval).await });
    }
    while let Some(published) = publishing.join_next().await {
        published??;
    }
    Ok(())
}

/// Publishes `--fill-mib` to each channel.
async fn fill(options: &Options, publishers: &[Rc<Publisher>]) -> Result<()> {
    let publisher = |channel| {
        publishers
            .get(channel)
            .ok_or_else(|| anyhow!("each channel needs a publisher"))
    };
    for channel in 0..options.channels {
        for _ in 0..options.fill_mib * 1024 / FILL_EVENT_KIB {
            publisher(channel)?.fill(FILL_EVENT_KIB * 1024).await?;
        }
    }
    Ok(())
}

/// How many deliveries are due if each publisher has published `events` events.
pub fn due(options: &Options, events: u32) -> u64 {
    let readers = |channel: usize| {
        (options.stalled..options.subscribers)
            .filter(move |stream| has_channel(options, *stream, channel))
    };
    let deliveries =
        (0..options.publishers).map(|number| readers(number % options.channels).count() as u64);
    deliveries.sum::<u64>() * u64::from(events)
}

/// Waits until the first `events` events of each publisher have arrived at all streams, or no more events arrive. Calls
/// `measure` when the last event has arrived, and returns its result.
pub async fn until_all_arrived<T>(
    options: &Options,
    subscribers: &Subscribers,
    events: u32,
    mut measure: impl FnMut() -> T,
) -> T {
    let due = due(options, events);
    let (mut seen, mut since) = (0, Instant::now());
    let mut measured = None;
    while seen < due && since.elapsed() < QUIET {
        sleep(POLL).await;
        let now = subscribers.received().tally.seen;
        if now > seen {
            (seen, since) = (now, Instant::now());
            measured = None;
        } else if measured.is_none() && since.elapsed() > PAUSE {
            // Events that are still missing may be lost. The usage is read now, because waiting for them must not
            // count.
            measured = Some(measure());
        }
    }
    measured.unwrap_or_else(measure)
}

/// The samples that are being taken.
struct Samples(Rc<RefCell<Vec<Sample>>>);

impl Samples {
    /// Takes a sample every `--sample-seconds`. Takes none without that option or without `--pid`.
    fn start(options: &Options, subscribers: &Rc<Subscribers>) -> Self {
        let samples = Rc::new(RefCell::new(Vec::new()));
        if let (Some(seconds), Some(pid)) = (options.sample_seconds, options.pid) {
            let (samples, subscribers) = (samples.clone(), subscribers.clone());
            spawn_local(async move {
                let mut server = ProcessTree::new(pid);
                let (mut usage, start) = (server.usage(), Instant::now());
                loop {
                    sleep(Duration::from_secs_f64(seconds)).await;
                    let before = std::mem::replace(&mut usage, server.usage());
                    let counts =
                        std::mem::replace(&mut subscribers.received().tally.sample, Counts::new());
                    let cpu = usage.cpu.saturating_sub(before.cpu).as_secs_f64();
                    samples.borrow_mut().push(Sample {
                        second: start.elapsed().as_secs_f64(),
                        delivered: counts.delivered,
                        latency: Latency::of(&counts),
                        cpu_us_per_delivery: cpu * 1e6 / counts.delivered as f64,
                        usage,
                    });
                }
            });
        }
        Self(samples)
    }

    fn take(self) -> Vec<Sample> {
        self.0.take()
    }
}

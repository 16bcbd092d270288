//! A run with a herd: it fills the history, opens live streams, and then starts the herd, which replays the history.

use std::cell::Cell;
use std::mem::replace;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use tokio::try_join;

use crate::herd::{Herd, Plan, current_id};
use crate::options::{Options, target};
use crate::process::ProcessTree;
use crate::report::{Latency, Replay};
use crate::run::{due, open, publishers, until_all_arrived};
use crate::subscriber::Subscribers;
use crate::tally::Counts;

/// The fewest events from which a 99th percentile is computed. All deliveries of an event are late together, so fewer
/// events would say nothing.
const MIN_EVENTS: u32 = 50;

/// Performs the run.
pub async fn run(options: &Options) -> Result<Replay> {
    options.check()?;
    let mut server = options.pid.map(ProcessTree::new);
    let mut usage = || server.as_mut().map(ProcessTree::usage);
    let mut own = ProcessTree::new(std::process::id());
    let interval = options.interval().context("--herd needs a rate")?;
    let filled = options.replay - options.events;
    let subscribers = Subscribers::new(options, 0)?;
    let publishers = publishers(options, &subscribers)?;
    let filler = publishers.first().context("--herd needs a publisher")?;

    let (url, address) = target(&options.subscribe, 0)?;
    let from = current_id(&url, address).await?;
    // Only one publisher fills the history, so that each event is stored in its own row.
    filler.publish(0, filled, Instant::now(), None).await?;
    let _stalled = open(options, &subscribers).await?;

    // Publishes the events from `from` to before `to` of each publisher, beginning at `start`.
    let publish = |from: u32, to: u32, start: Instant| {
        let mut publishing = JoinSet::new();
        for publisher in &publishers {
            let publisher = publisher.clone();
            let share = publisher.number as f64 / publishers.len() as f64;
            let start = start + interval.mul_f64(share);
            let first = if publisher.number == 0 { filled } else { 0 };
            publishing.spawn_local(async move {
                let (from, to) = (first + from, first + to);
                publisher.publish(from, to, start, Some(interval)).await
            });
        }
        async move {
            while let Some(published) = publishing.join_next().await {
                published??;
            }
            anyhow::Ok(())
        }
    };
    let latency = || replace(&mut subscribers.received().tally.load, Counts::new());
    let (warm_up, measured) = (options.warm_up_each(), options.events_each());
    publish(0, warm_up, Instant::now()).await?;
    until_all_arrived(options, &subscribers, warm_up, || ()).await;
    latency();
    publish(warm_up, measured, Instant::now()).await?;
    until_all_arrived(options, &subscribers, measured, || ()).await;
    let before = latency();
    let (at_start, own_at_start) = (usage(), own.usage());
    let mut herd = Herd::start(Plan {
        url,
        address,
        streams: options.herd,
        from,
        events: u64::from(options.replay),
        publishers: options.publishers,
        tick: options.tick(),
    });
    let caught_up = Cell::new(false);
    let live_load = async {
        let begun = Instant::now();
        let mut each = measured;
        while !caught_up.get() {
            // The time of each event is fixed, even if the previous event was late.
            let start = begun + interval * (each - measured);
            publish(each, each + 1, start).await?;
            each += 1;
        }
        anyhow::Ok(each)
    };
    // Read the usage as soon as the herd has caught up, because the server's later work is not for the herd.
    let usages = async {
        let _ = (&mut herd.caught_up).await;
        caught_up.set(true);
        anyhow::Ok((usage(), own.usage()))
    };
    let (each, (at_end, own_at_end)) = try_join!(live_load, usages)?;
    until_all_arrived(options, &subscribers, each, || ()).await;
    let live = u64::from(each) * options.publishers as u64;
    let result = herd.end(u64::from(filled) + live).await?;

    let meanwhile = (each - measured) * options.publishers as u32;
    let tally = &subscribers.received().tally;
    let all = result.took.len() == options.herd;
    let seconds = result
        .took
        .last()
        .filter(|_| all)
        .map(Duration::as_secs_f64);
    let deliveries = options.herd as f64 * f64::from(options.replay);
    Ok(Replay {
        streams: options.herd,
        events: options.replay,
        seconds,
        median_seconds: result
            .took
            .get(options.herd / 2)
            .filter(|_| all)
            .map(Duration::as_secs_f64),
        faults: result.faults,
        ended: result.ended + tally.ended,
        live_lost: due(options, each).saturating_sub(tally.seen),
        live_out_of_order: tally.out_of_order,
        before: Latency::of(&before),
        during: (meanwhile >= MIN_EVENTS).then(|| Latency::of(&tally.load)),
        cpu_us_per_delivery: at_start
            .zip(at_end)
            .map(|(start, end)| end.cpu.saturating_sub(start.cpu).as_secs_f64() * 1e6 / deliveries),
        rss: at_start
            .zip(at_end)
            .map(|(start, end)| [start.rss, end.rss]),
        generator_cores: own_at_end
            .cpu
            .saturating_sub(own_at_start.cpu)
            .as_secs_f64()
            / seconds.unwrap_or(f64::NAN),
    })
}

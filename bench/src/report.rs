//! What a run found out.

use serde::Serialize;

use crate::check::Faults;
use crate::process::Usage;
use crate::tally::Counts;

/// The result of a run, printed as JSON.
#[derive(Debug, Serialize)]
pub struct Report {
    /// From the first measured publish to the last delivery.
    pub seconds: f64,
    /// Events that arrived in order.
    pub delivered: u64,
    /// `delivered` by `seconds`.
    pub deliveries_per_second: f64,
    /// Deliveries that were due to streams that read, and never came.
    pub lost: u64,
    /// Events that came late or twice.
    pub out_of_order: u64,
    /// Streams that the server ended.
    pub ended: usize,
    #[serde(flatten)]
    pub latency: Latency,
    /// The server's CPU time per delivery, in microseconds.
    pub cpu_us_per_delivery: Option<f64>,
    /// The server's CPU time by `seconds`: 1 is one core.
    pub cpu_cores: Option<f64>,
    /// This program's own, to tell whether it was the bottleneck.
    pub generator_cores: f64,
    /// The server's resident memory.
    pub memory: Option<Memory>,
    /// At `--sample-seconds`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// The result of a run with a herd, printed as JSON.
#[derive(Debug, Serialize)]
pub struct Replay {
    /// How many streams came back, and how many events there were for each of them.
    pub streams: usize,
    pub events: u32,
    /// From when they set out until the last of them had all these events. `None` where not all got them.
    pub seconds: Option<f64>,
    /// The same for half of them.
    pub median_seconds: Option<f64>,
    /// What was wrong with any of them, until the end of the run.
    #[serde(flatten)]
    pub faults: Faults,
    /// Streams that the server ended, of the herd and of the others.
    pub ended: usize,
    /// Of the other streams, which are live: deliveries that never came, or came late or twice.
    pub live_lost: u64,
    pub live_out_of_order: u64,
    /// Their latency: of what was published before the herd set out, and from then on until it had all. `None` where
    /// that were too few events to say.
    pub before: Latency,
    pub during: Option<Latency>,
    /// The server's CPU time in `seconds`, by all events of all streams of the herd, in microseconds. What the live
    /// streams took meanwhile is part of it.
    pub cpu_us_per_delivery: Option<f64>,
    /// The server's resident memory, in bytes: before the herd, and when the last had all.
    pub rss: Option<[u64; 2]>,
    /// This program's CPU time by `seconds`, to tell whether it was the bottleneck. It has two threads.
    pub generator_cores: f64,
}

/// From when an event was due to be published until it arrived.
#[derive(Debug, Serialize)]
pub struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Latency {
    pub fn of(counts: &Counts) -> Self {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        Self {
            p50_ms: ms(counts.latency.value_at_quantile(0.5)),
            p99_ms: ms(counts.latency.value_at_quantile(0.99)),
            max_ms: ms(counts.latency.max()),
        }
    }
}

/// Resident memory, in bytes.
#[derive(Debug, Serialize)]
pub struct Memory {
    /// Before the first stream.
    pub before: u64,
    /// With all streams open and nothing published.
    pub idle: u64,
    /// `idle` less `before` by the number of streams.
    pub per_stream: f64,
    /// When the measured load began.
    pub at_start: u64,
    /// When it ended.
    pub at_end: u64,
}

/// The time since the sample before.
#[derive(Debug, Serialize)]
pub struct Sample {
    /// Its end, since the load began.
    pub second: f64,
    pub delivered: u64,
    #[serde(flatten)]
    pub latency: Latency,
    pub cpu_us_per_delivery: f64,
    #[serde(flatten)]
    pub usage: Usage,
}
